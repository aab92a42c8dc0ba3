import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Logger, Redacted, References } from "effect"
import { TestClock } from "effect/testing"
import * as ServerEvent from "../../src/protocol/ServerEvent.ts"
import * as SmcpError from "../../src/protocol/SmcpError.ts"
import * as WireError from "../../src/protocol/WireError.ts"
import * as Authenticator from "../../src/server/Authenticator.ts"
import { HttpServer } from "../../src/server/HttpServer.ts"
import * as SocketIoServer from "../../src/server/SocketIoServer.ts"
import type { Handshake } from "../../src/transport/ServerTransport.ts"
import * as SocketIoTransport from "../../src/transport/SocketIoTransport.ts"
import { type ConnectOptions, type Options, start } from "./support/officeServer.ts"

const KEY = "canary-7f3a91c2"
const WRONG = "canary-wrong-0d41"

const keys = (...values: ReadonlyArray<string>) => values.map((value) => Redacted.make(value))
const apiKey = (options: Partial<Authenticator.ApiKeyOptions> = {}) =>
  Authenticator.layerApiKey({ keys: keys(KEY), ...options })

const own = (authenticate: (handshake: Handshake) => Effect.Effect<void, SmcpError.SmcpError>) =>
  Layer.succeed(Authenticator.Authenticator, { authenticate })

/** Whether a peer gets in; the refusal when it does not. */
const attempt = Effect.fnUntraced(function*(authenticator: Options["authenticator"], options: ConnectOptions = {}) {
  const { connect, hub, server } = yield* start({ authenticator: authenticator! })
  const result = yield* Effect.result(connect(options))
  yield* hub.settled
  const { sessions } = yield* server.counts
  if (result._tag === "Success") {
    assert.strictEqual(sessions, 1)
    return "in"
  }
  assert.strictEqual(sessions, 0)
  return result.failure.reason
})

const assertRejected = (outcome: "in" | SmcpError.Reason, text: string) => {
  assert(typeof outcome === "object" && outcome._tag === "AuthenticationRejected")
  assert.include(outcome.message, text)
}

/** Everything that is logged, with its annotations, as text. */
const recording = () => {
  const lines: Array<string> = []
  const logger = Logger.make(({ cause, fiber, message }) => {
    const annotations = fiber.getRef(References.CurrentLogAnnotations)
    lines.push(`${JSON.stringify(message)} ${JSON.stringify(annotations)} ${JSON.stringify(cause)}`)
  })
  return { lines, layer: Layer.merge(Logger.layer([logger]), Layer.succeed(References.MinimumLogLevel, "All")) }
}

describe("Authenticator.layerApiKey", () => {
  const accepted: ReadonlyArray<readonly [string, ConnectOptions, Partial<Authenticator.ApiKeyOptions>?]> = [
    ["in auth.token", { auth: { token: KEY } }],
    ["in the header x-api-key", { headers: { "x-api-key": KEY } }],
    ["in another field", { auth: { secret: KEY, token: WRONG } }, { field: "secret" }],
    ["in another header, however it is written", { headers: { "x-gate": KEY } }, { header: "X-Gate" }],
    ["that is the second of several", { auth: { token: KEY } }, { keys: keys("first", KEY, "third") }],
    ["with more beside it", { auth: { token: KEY, role: "agent" }, headers: { "x-api-key": WRONG } }]
  ]
  for (const [name, options, settings] of accepted) {
    it.effect(`lets in a key ${name}`, () =>
      Effect.gen(function*() {
        assert.strictEqual(yield* attempt(apiKey(settings), options), "in")
      }))
  }

  const refused: ReadonlyArray<readonly [string, ConnectOptions, string, Partial<Authenticator.ApiKeyOptions>?]> = [
    ["no key", {}, "no API key in auth.token or the header x-api-key"],
    ["an empty key", { auth: { token: "" } }, "wrong"],
    ["a wrong key", { auth: { token: WRONG } }, "wrong"],
    ["a key in another case", { auth: { token: KEY.toUpperCase() } }, "wrong"],
    ["a part of the key", { auth: { token: KEY.slice(0, -1) } }, "wrong"],
    ["a key and more", { auth: { token: `${KEY} ` } }, "wrong"],
    ["a huge key", { auth: { token: "x".repeat(500_000) } }, "wrong"],
    ["a number", { auth: { token: 5 } }, "no API key"],
    ["a list with the key", { auth: { token: [KEY] } }, "no API key"],
    ["an object with the key", { auth: { token: { value: KEY } } }, "no API key"],
    ["a repeated header", { headers: { "x-api-key": [KEY, KEY] } }, "no API key"],
    ["a wrong field beside the right header", { auth: { token: WRONG }, headers: { "x-api-key": KEY } }, "wrong"],
    ["the key in a field nobody configured", { auth: { token: KEY } }, "auth.secret or the header x-gate", {
      field: "secret",
      header: "X-Gate"
    }],
    ["a field that every object has", { auth: {} }, "no API key", { field: "constructor" }]
  ]
  for (const [name, options, text, settings] of refused) {
    it.effect(`refuses ${name}`, () =>
      Effect.gen(function*() {
        assertRejected(yield* attempt(apiKey(settings), options), text)
      }))
  }

  for (const [name, values] of [["no key", []], ["an empty key", [""]], ["one empty key", [KEY, ""]]] as const) {
    it.effect(`does not start with ${name}, and says what to do`, () =>
      Effect.gen(function*() {
        const { reason } = yield* Effect.flip(Layer.build(apiKey({ keys: keys(...values) })))
        assert.strictEqual(reason._tag, "ConfigInvalid")
        assert.include(reason.message, "No API key")
        assert.include(reason.message, "allow anonymous")
        assert.notInclude(reason.message, KEY)
      }))
  }
})

describe("Authenticator.layerAllowAll", () => {
  it.effect("lets everyone in", () =>
    Effect.gen(function*() {
      for (const options of [{}, { auth: { token: WRONG } }]) {
        assert.strictEqual(yield* attempt(Authenticator.layerAllowAll, options), "in")
      }
    }))
})

describe("an Authenticator of one's own", () => {
  it.effect("sees headers, query, auth, address and version", () =>
    Effect.gen(function*() {
      let seen: Handshake | undefined
      yield* attempt(own((handshake) => Effect.sync(() => void (seen = handshake))), {
        auth: { token: "t" },
        headers: { "x-tenant": "acme" }
      })
      assert.deepStrictEqual(seen, {
        headers: { "x-tenant": "acme" },
        query: { a2c_version: "0.4.0" },
        auth: { token: "t" },
        address: "test",
        version: "0.4.0"
      })
    }))

  it.effect("refuses with its own words", () =>
    Effect.gen(function*() {
      const reject = new SmcpError.AuthenticationRejected({ message: "Tenant acme is suspended" })
      assertRejected(yield* attempt(own(() => Effect.fail(SmcpError.make(reject)))), "Tenant acme is suspended")
      const error = new WireError.InternalError({ message: "the directory is down" })
      const outcome = yield* attempt(own(() => Effect.fail(SmcpError.make(error))))
      assert(typeof outcome === "object")
      assert.strictEqual(outcome.message, "the directory is down")
    }))

  it.effect("that is slower than 900 milliseconds refuses", () =>
    Effect.gen(function*() {
      let interrupted = false
      const slow = own(() => Effect.onInterrupt(Effect.never, () => Effect.sync(() => void (interrupted = true))))
      const { connect, server } = yield* start({ authenticator: slow })
      const connecting = yield* Effect.forkChild(Effect.flip(connect()), { startImmediately: true })
      yield* TestClock.adjust(899)
      assert.isUndefined(connecting.pollUnsafe())
      yield* TestClock.adjust(1)
      assertRejected((yield* Fiber.join(connecting)).reason, "took too long")
      assert.isTrue(interrupted)
      assert.strictEqual((yield* server.counts).sessions, 0)
    }))

  it.effect("that takes its time, but not too long, lets in", () =>
    Effect.gen(function*() {
      const { connect } = yield* start({ authenticator: own(() => Effect.sleep(800)) })
      const connecting = yield* Effect.forkChild(connect(), { startImmediately: true })
      yield* TestClock.adjust(800)
      assert.isTrue((yield* Fiber.join(connecting)).isOpen)
    }))

  it.effect("may have another deadline", () =>
    Effect.gen(function*() {
      const { connect } = yield* start({
        authenticator: own(() => Effect.never),
        server: { authenticationTimeout: "50 millis" }
      })
      const connecting = yield* Effect.forkChild(Effect.flip(connect()), { startImmediately: true })
      yield* TestClock.adjust(50)
      assertRejected((yield* Fiber.join(connecting)).reason, "took too long")
    }))

  for (
    const [how, authenticate] of [
      ["dies", () => Effect.die(new Error("password of the directory: hunter2"))],
      ["throws", () => {
        throw new Error("password of the directory: hunter2")
      }],
      ["rejects", () => Effect.promise(() => Promise.reject(new Error("password of the directory: hunter2")))]
    ] as const
  ) {
    it.effect(`that ${how} refuses without telling why, and is logged`, () => {
      const { layer, lines } = recording()
      return Effect.gen(function*() {
        const outcome = yield* attempt(own(authenticate))
        assertRejected(outcome, "Authentication failed")
        assert.notInclude(JSON.stringify(outcome), "hunter2")
        assert.isTrue(lines.some((line) => line.includes("The Authenticator failed")))
      }).pipe(Effect.provide(layer))
    })
  }

  it.effect("decides about each handshake, not for others", () =>
    Effect.gen(function*() {
      const { connect } = yield* start({
        authenticator: own(({ auth }) =>
          auth["slow"] === true ? Effect.never : auth["bad"] === true ? Effect.die("bad") : Effect.void
        )
      })
      const slow = yield* Effect.forkChild(Effect.exit(connect({ auth: { slow: true } })), { startImmediately: true })
      assert.isTrue(Exit.isFailure(yield* Effect.exit(connect({ auth: { bad: true } }))))
      assert.isTrue((yield* connect()).isOpen)
      yield* TestClock.adjust(900)
      assert.isTrue(Exit.isFailure(yield* Fiber.join(slow)))
    }))
})

describe("keys stay secret", () => {
  it.live("over Socket.IO: a key is in no log line, no error and no answer", () => {
    const { layer, lines } = recording()
    const serverLayer = SocketIoServer.layer().pipe(Layer.provide(apiKey()))
    return Effect.gen(function*() {
      const { url } = yield* HttpServer
      const told: Array<unknown> = []
      const connect = (options: Partial<SocketIoTransport.Options>) => SocketIoTransport.make({ url, ...options })
      for (const auth of [{ token: WRONG }, { token: [KEY] }, { other: KEY }]) {
        const error = yield* Effect.flip(connect({ credentials: Effect.succeed(auth) }))
        assert.strictEqual(error.reason._tag, "AuthenticationRejected")
        told.push(error, String(error), error.stack)
      }
      for (const headers of [{ "x-api-key": WRONG }, { authorization: KEY }]) {
        told.push(yield* Effect.flip(connect({ headers })))
      }
      const byHeader = yield* connect({ headers: { "X-Api-Key": KEY } })
      const byAuth = yield* connect({ credentials: Effect.succeed({ token: KEY }) })
      for (const transport of [byHeader, byAuth]) {
        told.push(yield* Effect.flip(transport.call(ServerEvent.ListRoom, { agent: "A", req_id: "r", office_id: "R" })))
      }
      const everything = JSON.stringify(told) + told.map(String).join() + lines.join("\n")
      assert.isAbove(lines.length, 3)
      for (const key of [KEY, WRONG]) assert.notInclude(everything, key)
    }).pipe(Effect.provide(Layer.provideMerge(serverLayer, layer)))
  })

  it.effect("in memory as well", () => {
    const { layer, lines } = recording()
    return Effect.gen(function*() {
      const outcomes = yield* Effect.forEach(
        [{ token: WRONG }, { token: [KEY] }],
        (auth) => attempt(apiKey(), { auth })
      )
      assert.isAbove(lines.length, 1)
      for (const key of [KEY, WRONG]) assert.notInclude(JSON.stringify(outcomes) + lines.join("\n"), key)
    }).pipe(Effect.provide(layer))
  })
})
