/**
 * Compliance cases: handshakes, losses, reconnects, the end of scopes.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import * as ServerEvent from "../../protocol/ServerEvent.ts"
import * as SmcpError from "../../protocol/SmcpError.ts"
import * as WireError from "../../protocol/WireError.ts"
import type { Handshake } from "../../transport/ServerTransport.ts"
import {
  Ask,
  awaitState,
  behaviour,
  type Case,
  expectEqual,
  expectReason,
  failureOf,
  LONG,
  meet,
  Order,
  replyWith,
  serve,
  statesOf
} from "./complianceKit.ts"

/** Who is let in, and how those learn it who are not. */
export const admission: ReadonlyArray<Case> = [
  behaviour("tells the server what the peer said at the handshake", (harness) =>
    Effect.gen(function*() {
      const seen = yield* Queue.unbounded<Handshake>()
      const office = yield* serve(harness, { authenticate: (handshake) => Queue.offer(seen, handshake) })
      const auth = { token: "geheim", role: "agent", nested: { list: [1, null] } }
      const { connection } = yield* meet(harness, office, { auth: Effect.succeed(auth) })
      const handshake = yield* Queue.take(seen)
      yield* expectEqual("the credentials", handshake.auth, auth)
      const [{ id, version }] = harness.server.revisions
      yield* expectEqual("the version", handshake.version, version)
      yield* expectEqual("the version in the query", handshake.query["a2c_version"], version)
      yield* expectEqual("the revision of the connection", connection.revision.id, id)
      yield* expectEqual("the credentials of the connection", connection.handshake.auth, auth)
    })),

  behaviour(
    "refuses an incompatible version with all four versions, before anybody is asked",
    (harness) =>
      Effect.gen(function*() {
        let asked = 0
        yield* serve(harness, { authenticate: () => Effect.sync(() => void asked++) })
        const reason = yield* Effect.scoped(
          expectReasonOfConnect("ProtocolVersionMismatch", harness.connect({ version: "7.1.0" }))
        )
        const [{ version }] = harness.server.revisions
        yield* expectEqual("the server's version", reason.serverVersion, version)
        yield* expectEqual("the client's version", reason.clientVersion, "7.1.0")
        yield* expectEqual("the least version", reason.minSupported, version.replace(/\d+$/, "0"))
        yield* expectEqual("the greatest version", reason.maxSupported, version.replace(/\d+$/, "999"))
        yield* expectEqual("how often authentication was asked", asked, 0)
      })
  ),

  behaviour("refuses a missing and a malformed version as a bad request", (harness) =>
    Effect.gen(function*() {
      let asked = 0
      yield* serve(harness, { authenticate: () => Effect.sync(() => void asked++) })
      for (const version of ["", "latest", "0.4", "0.4.0-dev"]) {
        yield* Effect.scoped(expectReasonOfConnect("BadRequest", harness.connect({ version })))
      }
      yield* expectEqual("how often authentication was asked", asked, 0)
    })),

  behaviour("refuses a peer that authentication rejects, with its message", (harness) =>
    Effect.gen(function*() {
      const rejections = {
        own: SmcpError.make(new SmcpError.AuthenticationRejected({ message: "Unknown API key" })),
        coded: SmcpError.make(new WireError.Unauthorized({ message: "This key has expired" })),
        forbidden: SmcpError.make(new WireError.Forbidden({ message: "Not from here" }))
      }
      let sessions = 0
      yield* serve(harness, {
        authenticate: ({ auth }) => Effect.fail(rejections[auth["kind"] as keyof typeof rejections]),
        connected: () => Effect.sync(() => void sessions++),
        disconnected: () => Effect.sync(() => void sessions++)
      })
      for (const [kind, rejection] of Object.entries(rejections)) {
        const attempt = harness.connect({ auth: Effect.succeed({ kind }) })
        const reason = yield* Effect.scoped(expectReasonOfConnect("AuthenticationRejected", attempt))
        yield* expectEqual("the message", reason.message, rejection.message)
      }
      yield* expectEqual("how many sessions there were", sessions, 0)
    })),

  behaviour("does not connect when the credentials cannot be had", (harness) =>
    Effect.gen(function*() {
      yield* serve(harness)
      const error = SmcpError.make(new SmcpError.ConfigInvalid({ message: "The key file is missing" }))
      const attempt = harness.connect({ auth: Effect.fail(error) })
      const reason = yield* Effect.scoped(expectReasonOfConnect("ConfigInvalid", attempt))
      yield* expectEqual("the message", reason.message, "The key file is missing")
    })),

  behaviour("handles no event of a connection before the server knows it", (harness) =>
    Effect.gen(function*() {
      const log: Array<string> = []
      yield* serve(harness, {
        connected: () => Effect.andThen(Effect.sleep("50 millis"), Effect.sync(() => void log.push("connected"))),
        receive: (_, event) => Effect.andThen(Effect.sync(() => void log.push(event)), replyWith("done"))
      })
      const client = yield* harness.connect()
      yield* client.send(ServerEvent.UpdateConfig, { computer: "c" })
      yield* client.call(Ask, {})
      yield* expectEqual("the order", log, ["connected", ServerEvent.UpdateConfig.name, Ask.name])
    }))
]

const expectReasonOfConnect = <Tag extends SmcpError.Reason["_tag"]>(
  tag: Tag,
  attempt: ReturnType<Parameters<Case["run"]>[0]["connect"]>
) => Effect.flatMap(Effect.scope, (scope) => expectReason("connecting", tag, Scope.provide(attempt, scope)))

/** What happens when a connection goes. */
export const losses: ReadonlyArray<Case> = [
  behaviour("ends a call of the server at once when the peer leaves", (harness) =>
    Effect.gen(function*() {
      const office = yield* serve(harness)
      const scope = yield* Scope.make()
      const { client, connection } = yield* Scope.provide(meet(harness, office), scope)
      const started = yield* Deferred.make<void>()
      yield* client.handle(Order, () => Effect.andThen(Deferred.succeed(started, undefined), Effect.never))
      const call = yield* Effect.forkChild(
        failureOf("the call", connection.call(Order.name, { value: {} }, LONG)),
        { startImmediately: true }
      )
      yield* Deferred.await(started)
      yield* Scope.close(scope, Exit.void)
      yield* expectEqual("the failure", yield* Fiber.join(call), "disconnected")
      const another = yield* failureOf("a later call", connection.call(Order.name, { value: {} }, LONG))
      yield* expectEqual("the failure of a later call", another, "disconnected")
    })),

  behaviour(
    "ends a call of a client at once when the connection goes, its outcome unknown",
    (harness) =>
      Effect.gen(function*() {
        const office = yield* serve(harness, { receive: () => Effect.never })
        const { client, connection } = yield* meet(harness, office)
        const call = yield* Effect.forkChild(expectReason("the call", "ConnectionLost", client.call(Ask, {})), {
          startImmediately: true
        })
        yield* Queue.take(office.requests)
        yield* connection.close
        yield* expectEqual("the outcome", (yield* Fiber.join(call)).outcome, "unknown")
      })
  ),

  behaviour(
    "refuses a call while there is no connection, and never sends it later",
    (harness) =>
      Effect.gen(function*() {
        const gate = yield* Deferred.make<void>()
        let handshakes = 0
        const office = yield* serve(harness, {
          authenticate: () => Effect.suspend(() => handshakes++ === 0 ? Effect.void : Deferred.await(gate)),
          receive: (_, __, { value }) => replyWith(value)
        })
        const { client, connection } = yield* meet(harness, office)
        yield* connection.close
        yield* awaitState(client, "Disconnected")
        yield* expectReason("a call", "NotConnected", client.call(Ask, "too early"))
        yield* expectReason("an event", "NotConnected", client.send(ServerEvent.UpdateConfig, { computer: "early" }))
        yield* Deferred.succeed(gate, undefined)
        yield* awaitState(client, "Connected")
        yield* expectEqual("the answer", yield* client.call(Ask, "in time"), "in time")
        yield* expectEqual("the first event", (yield* Queue.take(office.requests)).payload, "in time")
      })
  ),

  behaviour(
    "interrupts the server's handler when the connection goes, before the peer counts as gone",
    (harness) =>
      Effect.gen(function*() {
        const log: Array<string> = []
        const note = (entry: string) => Effect.sync(() => void log.push(entry))
        const office = yield* serve(harness, {
          receive: () => Effect.onInterrupt(Effect.never, () => Effect.andThen(Effect.yieldNow, note("interrupted"))),
          disconnected: () => note("disconnected")
        })
        const scope = yield* Scope.make()
        const { client } = yield* Scope.provide(meet(harness, office), scope)
        yield* client.send(Ask, {})
        yield* Queue.take(office.requests)
        yield* Scope.close(scope, Exit.void)
        yield* Queue.take(office.departures)
        yield* expectEqual("the order", log, ["interrupted", "disconnected"])
      })
  ),

  behaviour("interrupts a handler of the server that drops its own connection", (harness) =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const note = (entry: string) => Effect.sync(() => void log.push(entry))
      const office = yield* serve(harness, {
        receive: ({ close }) =>
          Effect.onInterrupt(Effect.andThen(close, Effect.never), () =>
            Effect.andThen(Effect.yieldNow, note("interrupted"))),
        disconnected: () =>
          note("disconnected")
      })
      const { client } = yield* meet(harness, office)
      yield* expectReason("the call", "ConnectionLost", client.call(Ask, {}))
      yield* Queue.take(office.departures)
      yield* expectEqual("the order", log, ["interrupted", "disconnected"])
    })),

  behaviour("interrupts the client's handler when the connection goes", (harness) =>
    Effect.gen(function*() {
      const office = yield* serve(harness)
      const { client, connection } = yield* meet(harness, office)
      const started = yield* Deferred.make<void>()
      const interrupted = yield* Deferred.make<void>()
      yield* client.handle(Order, () =>
        Deferred.succeed(started, undefined).pipe(
          Effect.andThen(Effect.never),
          Effect.onInterrupt(() => Deferred.succeed(interrupted, undefined))
        ))
      yield* Effect.forkChild(Effect.exit(connection.call(Order.name, { value: {} }, LONG)), {
        startImmediately: true
      })
      yield* Deferred.await(started)
      yield* connection.close
      yield* Deferred.await(interrupted)
    })),

  behaviour(
    "reconnects under a new session id, with credentials asked again, and tells each state",
    (harness) =>
      Effect.gen(function*() {
        let asked = 0
        const tokens = yield* Queue.unbounded<unknown>()
        const office = yield* serve(harness, {
          authenticate: ({ auth }) => Queue.offer(tokens, auth["token"]),
          receive: (connection) => replyWith(connection.sid)
        })
        const auth = Effect.sync(() => ({ token: ++asked }))
        const { client, connection } = yield* meet(harness, office, { auth })
        const states = yield* statesOf(client)
        yield* connection.close
        const { sid } = yield* Queue.take(office.departures)
        yield* expectEqual("the session that went", sid, connection.sid)
        const [first, second, third, fourth] = yield* Queue.takeN(states, 4)
        yield* expectEqual("the first state", first, { _tag: "Connected", sid: connection.sid })
        yield* expectEqual("the second state", second?._tag, "Disconnected")
        yield* expectEqual("the third state", third, { _tag: "Connecting", attempt: 1 })
        const again = yield* Queue.take(office.connections)
        yield* expectEqual("the fourth state", fourth, { _tag: "Connected", sid: again.sid })
        yield* expectEqual("whether the session is a new one", again.sid !== connection.sid, true)
        yield* expectEqual("the state now", yield* client.state, fourth)
        yield* expectEqual("the credentials", yield* Queue.takeN(tokens, 2), [1, 2])
        yield* expectEqual("the session of a call", yield* client.call(Ask, {}), again.sid)
      })
  ),

  behaviour("stops seeking the server once it refuses", (harness) =>
    Effect.gen(function*() {
      let handshakes = 0
      const rejected = SmcpError.make(new SmcpError.AuthenticationRejected({ message: "The key was withdrawn" }))
      const office = yield* serve(harness, {
        authenticate: () => Effect.suspend(() => handshakes++ === 0 ? Effect.void : Effect.fail(rejected))
      })
      const { client, connection } = yield* meet(harness, office)
      yield* connection.close
      const { error } = yield* awaitState(client, "Closed")
      yield* expectEqual("the reason", error?.reason._tag, "AuthenticationRejected")
      yield* expectEqual("the message", error?.message, "The key was withdrawn")
      yield* expectReason("a call", "NotConnected", client.call(Ask, {}))
    })),

  behaviour(
    "disconnects at the end of the client's scope, and the server sees it exactly once",
    (harness) =>
      Effect.gen(function*() {
        const serving = yield* Scope.make()
        const office = yield* Scope.provide(serve(harness), serving)
        const scope = yield* Scope.make()
        const { client, connection } = yield* Scope.provide(meet(harness, office), scope)
        yield* client.send(ServerEvent.UpdateConfig, { computer: "last words" })
        yield* Scope.close(scope, Exit.void)
        const { sid } = yield* Queue.take(office.departures)
        yield* expectEqual("the session that went", sid, connection.sid)
        yield* expectEqual("the state", yield* client.state, { _tag: "Closed", error: undefined })
        yield* expectReason("a call", "NotConnected", client.call(Ask, {}))
        yield* Scope.close(serving, Exit.void)
        yield* expectEqual("further departures", yield* Queue.size(office.departures), 0)
      })
  ),

  behaviour(
    "drops everybody at the end of the server's scope, after each departure was handled",
    (harness) =>
      Effect.gen(function*() {
        const serving = yield* Scope.make()
        const office = yield* Scope.provide(
          serve(harness, { disconnected: () => Effect.yieldNow, receive: () => Effect.never }),
          serving
        )
        const one = yield* meet(harness, office)
        const two = yield* meet(harness, office)
        const call = yield* Effect.forkChild(expectReason("the call", "ConnectionLost", one.client.call(Ask, {})), {
          startImmediately: true
        })
        yield* Queue.take(office.requests)
        yield* Scope.close(serving, Exit.void)
        yield* expectEqual("the departures", yield* Queue.size(office.departures), 2)
        const gone = (yield* Queue.takeAll(office.departures)).map(({ sid }) => sid)
        yield* expectEqual("who went", gone.toSorted(), [one.connection.sid, two.connection.sid].toSorted())
        yield* Fiber.join(call)
        yield* awaitState(two.client, "Disconnected")
      })
  )
]
