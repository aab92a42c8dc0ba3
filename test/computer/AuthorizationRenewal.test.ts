import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as Authorization from "../../src/computer/Authorization.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"
import { entryAt, five, logIn, makeWorld, openAuthorization, refreshes, request } from "./support/authorized.ts"
import { failure } from "./support/mcpClients.ts"

describe("renewing a login", () => {
  it.effect("happens ahead of time, once for all who ask", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const { ask, auth } = world
      yield* logIn(world)
      yield* TestClock.adjust("3539 seconds")
      assert.deepStrictEqual(yield* five(ask), [200, 200, 200, 200, 200])
      assert.strictEqual(refreshes(world).length, 0)
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(yield* five(ask), [200, 200, 200, 200, 200])
      assert.strictEqual(refreshes(world).length, 1)
      assert.strictEqual(auth.liveRefreshTokens.length, 1)
      assert.strictEqual(refreshes(world)[0]?.params.get("resource"), world.mcp.url)
    }))

  it.effect("happens once for entries with one URL, which have one login", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const { ask, auth, authorization, mcp } = world
      const other = authorization.forServer({ ...entryAt(mcp.url), bundleId: "other" }, new URL(mcp.url))
      yield* logIn(world)
      assert.strictEqual(yield* request(other, mcp.url), 200)
      for (const hour of [1, 2]) {
        yield* TestClock.adjust("1 hour")
        const both = Effect.all([ask, request(other, mcp.url)], { concurrency: 2 })
        assert.deepStrictEqual(yield* both, [200, 200])
        // a refresh token that is used twice counts as stolen
        assert.deepStrictEqual([refreshes(world).length, auth.liveRefreshTokens.length], [hour, 1])
      }
    }))

  it.effect("follows a refusal, once for all who were refused", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      yield* logIn(world)
      for (const round of [1, 2]) {
        yield* TestClock.adjust("20 seconds")
        world.auth.expire()
        assert.deepStrictEqual(yield* five(world.ask), [200, 200, 200, 200, 200])
        assert.strictEqual(refreshes(world).length, round)
      }
    }))

  it.effect("is not tried with a token that was just issued", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      yield* logIn(world)
      world.auth.expire()
      assert.strictEqual((yield* failure(world.ask)).reason._tag, "AuthFailed")
      assert.strictEqual(refreshes(world).length, 0)
    }))

  it.effect("that is refused needs a person; the login is used no more", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const { ask, auth, authorization, mcp } = world
      yield* logIn(world)
      auth.behaviour = { refuseRefresh: "invalid_grant" }
      yield* TestClock.adjust("1 hour")
      assert.strictEqual((yield* authorization.status("mcp")).state, "expired")
      const before = mcp.seen.length
      const all = yield* five(failure(ask))
      assert.deepStrictEqual([...new Set(all.map(({ reason }) => reason._tag))], ["AuthFailed"])
      assert.deepStrictEqual([refreshes(world).length, mcp.seen.length], [1, before])
      assert.strictEqual((yield* authorization.pending)[0]?.need?.why, "lost")
      assert.strictEqual((yield* authorization.status("mcp")).state, "login-needed")
      assert.strictEqual((yield* failure(ask)).reason._tag, "AuthFailed")
      assert.deepStrictEqual([refreshes(world).length, mcp.seen.length], [1, before])

      yield* authorization.logout("mcp")
      assert.deepStrictEqual(yield* authorization.status("mcp"), { bundleId: "mcp", state: "none" })
      assert.strictEqual((yield* failure(ask)).reason._tag, "AuthRequired")
      auth.behaviour = {}
      yield* logIn(world)
      assert.strictEqual(yield* ask, 200)
    }))

  it.effect("that meets trouble is no refusal: what is good is used, and it is tried again", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const { ask, auth, authorization } = world
      yield* logIn(world)
      auth.behaviour = { refuseRefresh: 503 }
      yield* TestClock.adjust("3550 seconds")
      assert.deepStrictEqual(yield* five(ask), [200, 200, 200, 200, 200])
      assert.strictEqual(yield* ask, 200)
      assert.strictEqual(refreshes(world).length, 1)
      yield* TestClock.adjust("50 seconds")
      const { message, reason } = yield* failure(ask)
      assert.deepStrictEqual([reason._tag, refreshes(world).length], ["Handshake", 2])
      assert.include(message, "HTTP 503")
      assert.deepStrictEqual(yield* authorization.pending, [])

      auth.behaviour = { instead: { "/token": () => {} } }
      yield* TestClock.adjust("15 seconds")
      const hanging = yield* Effect.forkChild(five(failure(ask)), { startImmediately: true })
      yield* TestClock.adjust("10 seconds")
      assert.include((yield* Fiber.join(hanging))[4]?.message ?? "", "did not answer within 10 s")

      auth.behaviour = {}
      yield* TestClock.adjust("15 seconds")
      assert.strictEqual(yield* ask, 200)
    }))

  it.effect("keeps the token when its caller has gone", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const { ask, auth } = world
      yield* logIn(world)
      let open = () => {}
      auth.behaviour = { tokenGate: new Promise((resolve) => (open = resolve)) }
      yield* TestClock.adjust("1 hour")
      const caller = yield* Effect.forkChild(ask, { startImmediately: true })
      while (refreshes(world).length === 0) {
        yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      }
      yield* Fiber.interrupt(caller)
      open()
      assert.strictEqual(yield* ask, 200)
      assert.strictEqual(refreshes(world).length, 1)
    }))

  it.effect("is shared by the programs that share a directory, and outlives them", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const { auth, mcp } = world
      const layer = Authorization.layerDirectory(yield* temporaryFolder)
      const open = Effect.map(openAuthorization(layer), (authorization) => {
        const http = authorization.forServer(entryAt(mcp.url), new URL(mcp.url))
        return { ...world, authorization, http, ask: request(http, mcp.url) }
      })
      const first = yield* open
      yield* logIn(first)
      const second = yield* open
      assert.deepStrictEqual(yield* Effect.all([first.ask, second.ask]), [200, 200])
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(yield* Effect.all([first.ask, second.ask]), [200, 200])
      assert.strictEqual(refreshes(world).length, 1)
      assert.strictEqual(yield* (yield* open).ask, 200)
      // and where both find out at the same moment
      yield* TestClock.adjust("1 hour")
      const both = yield* Effect.forkChild(Effect.all([first.ask, second.ask], { concurrency: 2 }), {
        startImmediately: true
      })
      while (both.pollUnsafe() === undefined) {
        yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
        yield* TestClock.adjust("10 millis")
      }
      assert.deepStrictEqual(yield* Fiber.join(both), [200, 200])
      assert.strictEqual(refreshes(world).length, 2)
      // one finds out from the other that there is a login, and then that there is a better one
      yield* first.authorization.logout("mcp")
      const waiting = yield* open
      assert.strictEqual((yield* failure(waiting.ask)).reason._tag, "AuthRequired")
      yield* logIn(first)
      assert.strictEqual(yield* waiting.ask, 200)
      auth.behaviour = { refuseRefresh: "invalid_grant" }
      yield* TestClock.adjust("1 hour")
      assert.strictEqual((yield* failure(waiting.ask)).reason._tag, "AuthFailed")
      auth.behaviour = {}
      yield* logIn(first)
      assert.strictEqual(yield* waiting.ask, 200)
      assert.strictEqual((yield* waiting.authorization.status("mcp")).state, "authorized")

      yield* first.authorization.logout("mcp")
      assert.strictEqual((yield* failure((yield* open).ask)).reason._tag, "AuthRequired")
    }))
})
