import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Ref from "effect/Ref"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import type * as Ack from "../../src/protocol/Ack.ts"
import * as ServerEvent from "../../src/protocol/ServerEvent.ts"
import * as SmcpError from "../../src/protocol/SmcpError.ts"
import * as Authenticator from "../../src/server/Authenticator.ts"
import * as Server from "../../src/server/Server.ts"
import * as SessionStore from "../../src/server/SessionStore.ts"
import * as Membership from "../../src/transport/Membership.ts"
import * as MemoryTransport from "../../src/transport/MemoryTransport.ts"
import { Transport } from "../../src/transport/Transport.ts"
import { openOffice } from "../support/memoryOffice.ts"
import { end, membershipOn, says, ScriptedServer, settle } from "./support/scriptedServer.ts"

const seat = (name: string, office_id = "R") => ({ role: "agent", name, office_id }) as const
type Service = Membership.Membership["Service"]

const fork = <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.forkChild(self, { startImmediately: true })
const tagOf = (membership: Service) => Effect.map(membership.state, ({ _tag }) => _tag)
const reasonOf = <A, E extends { readonly reason: { readonly _tag: string } }, R>(self: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.flip(self), ({ reason }) => reason._tag)

/** A client of a scripted Server, connected. */
const connected = Effect.fnUntraced(function*(options?: Membership.Options) {
  const server = new ScriptedServer()
  const membership = yield* membershipOn(server, options)
  yield* server.connect
  yield* settle
  return { membership, server }
})

/** A client that was let in and has lost its connection. */
const lost = Effect.fnUntraced(function*(options?: Membership.Options) {
  const { membership, server } = yield* connected(options)
  server.answer = () => says.yes
  yield* membership.join(seat("A"))
  yield* server.lose()
  yield* settle
  server.received.length = 0
  return { membership, server }
})

/** The attempts of a client that comes back, in seconds, as long as the Server answers so. */
const attempts = Effect.fnUntraced(function*(answer: Ack.Args, options?: Membership.Options) {
  const { membership, server } = yield* lost(options)
  server.answer = ({ event }) => event === ServerEvent.JoinOffice.name ? answer : says.yes
  yield* server.connect
  yield* TestClock.adjust("10 minutes")
  return { times: server.joins(), state: yield* membership.state, server, membership }
})

const aMinute = [0, 1, 3, 7, 15, 23, 31, 39, 47, 55]

describe("Membership", () => {
  describe("a seat that is taken after one's own reconnect", () => {
    const taken: ReadonlyArray<readonly [what: string, answer: Ack.Args]> = [
      ["4101", says.code(4101)],
      ["4105", says.code(4105)],
      ["Python, agent", says.no("Internal server error: Agent already in room")],
      ["Python, computer", says.no("Internal server error: Computer with name 'PC' already exists in room 'R'")],
      ["Python, name", says.no("Internal server error: Name 'PC' already registered by sid 'h5' in namespace /smcp")],
      ["Rust, agent", says.no("Agent already exists in room")],
      ["Rust, name", says.no("Name already registered: PC")],
      ["the specification, agent", says.no("Room already has an agent")],
      ["this package, computer", says.no("Room already has a computer")]
    ]
    it.effect.each(taken)("is asked for again for a minute: %s", ([, answer]) =>
      Effect.gen(function*() {
        const { state, times } = yield* attempts(answer)
        assert.deepStrictEqual(times, aMinute)
        assert.strictEqual(state._tag, "Lost")
      }))

    it.effect.each(
      [
        ["0 seconds", [0]],
        ["999 millis", [0]],
        ["1 second", [0, 1]],
        ["6999 millis", [0, 1, 3]],
        ["7 seconds", [0, 1, 3, 7]],
        ["63 seconds", [...aMinute, 63]]
      ] as const
    )("is asked for within the budget of %s", ([rejoinBudget, expected]) =>
      Effect.gen(function*() {
        assert.deepStrictEqual((yield* attempts(says.code(4101), { rejoinBudget })).times, expected)
      }))

    it.effect("is asked for less often when the answers are slow, as they count too", () =>
      Effect.gen(function*() {
        const { membership, server } = yield* lost()
        server.answer = () => undefined
        yield* server.connect
        for (let second = 0; second < 120; second++) {
          yield* TestClock.adjust("1 second")
          const oldest = server.pending[0]
          if (oldest !== undefined && second + 1 - oldest.at >= 5) server.reply(says.code(4101))
        }
        assert.deepStrictEqual(server.joins(), [0, 6, 13, 22, 35, 48])
        assert.strictEqual(yield* tagOf(membership), "Lost")
      }))

    it.effect("is taken when it falls free", () =>
      Effect.gen(function*() {
        const hub = yield* openOffice()
        const { membership, transport } = yield* open(hub)
        yield* membership.join(seat("A"))
        yield* hub.disconnect(yield* sidOf(transport))
        const rivalScope = yield* Scope.make()
        const rival = yield* Scope.provide(open(hub), rivalScope)
        yield* rival.membership.join(seat("B"))
        yield* TestClock.adjust("10 seconds")
        assert.strictEqual(yield* tagOf(membership), "Rejoining")
        yield* Scope.close(rivalScope, Exit.void)
        yield* TestClock.adjust("8 seconds")
        assert.strictEqual(yield* tagOf(membership), "Joined")
        assert.deepStrictEqual((yield* members(transport)).map(({ name }) => name), ["A"])
      }))

    it.effect("has a budget of its own under every session", () =>
      Effect.gen(function*() {
        const { membership, server } = yield* lost()
        server.answer = () => says.code(4101)
        yield* server.connect
        yield* TestClock.adjust("50 seconds")
        yield* server.lose()
        yield* TestClock.adjust("1 second")
        yield* server.connect
        yield* TestClock.adjust("5 minutes")
        assert.deepStrictEqual(server.joins("s2"), aMinute.filter((second) => second < 50))
        assert.deepStrictEqual(server.joins("s3"), aMinute.map((second) => 51 + second))
        assert.strictEqual(yield* tagOf(membership), "Lost")
      }))
  })

  describe("any other end of an attempt", () => {
    const final: ReadonlyArray<readonly [what: string, answer: Ack.Args, reason: SmcpError.Reason["_tag"]]> = [
      ["400", says.code(400), "BadRequest"],
      ["403", says.code(403), "Forbidden"],
      ["500", says.code(500), "InternalError"],
      ["4106", says.code(4106), "AlreadyInRoom"],
      ["an unknown code", says.code(4999), "UnknownCode"],
      ["Python, elsewhere", says.no("Internal server error: Agent sid already in room"), "JoinRefused"],
      ["Python, role", says.no("Role mismatch, expected computer, but agent use this sid exists"), "JoinRefused"],
      ["Rust, elsewhere", says.no("Agent already in room: R9"), "JoinRefused"],
      ["this package, elsewhere", says.no("Agent already in another room"), "JoinRefused"],
      ["no text", [false], "JoinRefused"],
      ["nonsense", ["yes"], "InvalidResponse"]
    ]
    it.effect.each(final)("is for good: %s", ([, answer, reason]) =>
      Effect.gen(function*() {
        const { server, state, times } = yield* attempts(answer)
        assert.deepStrictEqual(times, [0])
        assert(state._tag === "Lost")
        assert.deepStrictEqual([state.why.reason._tag, state.final], [reason, true])
        assert.deepInclude(state, { office: "R", role: "agent", name: "A", sid: "s2" })
        // an answer that says nothing may stand for a seat that was given
        assert.deepStrictEqual(server.said, reason === "InvalidResponse" ? ["join R", "leave R"] : ["join R"])
      }))

    it.effect("waits for the next session after no answer within ten seconds, and a seat given later is given up", () =>
      Effect.gen(function*() {
        const { membership, server } = yield* lost()
        server.answer = () => undefined
        yield* server.connect
        yield* TestClock.adjust("9999 millis")
        assert.strictEqual(yield* tagOf(membership), "Rejoining")
        yield* TestClock.adjust("1 millis")
        const state = yield* membership.state
        assert(state._tag === "Lost")
        assert.deepStrictEqual([state.why.reason._tag, state.final], ["CallTimeout", false])
        assert.deepStrictEqual(server.said, ["join R", "leave R"])
        server.reply(says.yes)
        yield* TestClock.adjust("5 minutes")
        assert.strictEqual(yield* tagOf(membership), "Lost")
        assert.deepStrictEqual(server.joins(), [0])
        yield* server.lose()
        server.answer = () => says.yes
        yield* server.connect
        yield* TestClock.adjust("1 millis")
        assert.deepInclude(yield* membership.state, { _tag: "Joined", office: "R", sid: "s3" })
      }))

    it.effect("ends the meaning to sit there: later sessions do not ask, a later join does", () =>
      Effect.gen(function*() {
        const { membership, server } = yield* attempts(says.code(403))
        yield* server.lose()
        yield* server.connect
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(yield* tagOf(membership), "Connected")
        assert.deepStrictEqual(server.joins(), [])
        server.answer = () => says.yes
        yield* membership.join(seat("A"))
        assert.deepStrictEqual(yield* membership.state, {
          _tag: "Joined",
          office: "R",
          role: "agent",
          name: "A",
          sid: "s3"
        })
      }))
  })

  describe("joining", () => {
    it.effect("asks once: a refusal is the caller's, and nothing is meant by it", () =>
      Effect.gen(function*() {
        const { membership, server } = yield* connected()
        server.answer = () => says.code(4101)
        assert.strictEqual(yield* reasonOf(membership.join(seat("A"))), "RoomFull")
        yield* server.lose()
        yield* server.connect
        yield* TestClock.adjust("2 minutes")
        assert.strictEqual(yield* tagOf(membership), "Connected")
        assert.deepStrictEqual(server.said, ["join R"])
      }))

    it.effect("waits ten seconds for the answer, and gives up a seat that may have been given", () =>
      Effect.gen(function*() {
        const { membership, server } = yield* connected()
        const joining = yield* fork(reasonOf(membership.join(seat("A"))))
        yield* TestClock.adjust("10 seconds")
        assert.strictEqual(yield* Fiber.join(joining), "CallTimeout")
        assert.deepStrictEqual(server.said, ["join R", "leave R"])
        assert.strictEqual(yield* tagOf(membership), "Connected")
      }))

    it.effect("gives up a seat that may have been given when it is interrupted", () =>
      Effect.gen(function*() {
        const { membership, server } = yield* connected()
        const joining = yield* fork(membership.join(seat("A")))
        yield* Fiber.interrupt(joining)
        assert.deepStrictEqual(server.said, ["join R", "leave R"])
        server.reply(says.yes)
        yield* settle
        assert.strictEqual(yield* tagOf(membership), "Connected")
      }))

    it.effect("takes the old seat again when nobody knows whether a move happened", () =>
      Effect.gen(function*() {
        const { membership, server } = yield* connected()
        server.answer = ({ payload }) => payload.office_id === "R" ? says.yes : undefined
        yield* membership.join(seat("A"))
        const moving = yield* fork(reasonOf(membership.join(seat("A", "Q"))))
        yield* TestClock.adjust("10 seconds")
        assert.strictEqual(yield* Fiber.join(moving), "CallTimeout")
        assert.deepStrictEqual(server.said, ["join R", "join Q", "join R"])
        assert.deepInclude(yield* membership.state, { _tag: "Joined", office: "R" })
      }))

    it.effect("fails at once while offline, and changes nothing", () =>
      Effect.gen(function*() {
        const { membership, server } = yield* lost()
        assert.strictEqual(yield* reasonOf(membership.join(seat("A", "Q"))), "NotConnected")
        yield* server.connect
        yield* settle
        assert.deepStrictEqual(server.said, ["join R"])
        assert.deepInclude(yield* membership.state, { _tag: "Joined", office: "R", sid: "s2" })
      }))

    it.effect("happens one after another, and so does leaving", () =>
      Effect.gen(function*() {
        const { membership, server } = yield* connected()
        const first = yield* fork(membership.join(seat("A")))
        const leaving = yield* fork(membership.leave)
        const second = yield* fork(membership.join(seat("A", "Q")))
        yield* settle
        const seen: Array<ReadonlyArray<string>> = []
        while (server.pending.length > 0) {
          seen.push(server.said)
          server.reply(says.yes)
          yield* settle
        }
        yield* Effect.all([first, leaving, second].map(Fiber.join))
        assert.deepStrictEqual(seen, [["join R"], ["join R", "leave R"], ["join R", "leave R", "join Q"]])
        assert.deepInclude(yield* membership.state, { _tag: "Joined", office: "Q" })
      }))
  })

  describe("leaving", () => {
    it.effect("wins over a wait for the next attempt", () =>
      Effect.gen(function*() {
        const { membership, server } = yield* lost()
        server.answer = () => says.code(4101)
        yield* server.connect
        yield* TestClock.adjust("2 seconds")
        yield* membership.leave
        yield* TestClock.adjust("2 minutes")
        assert.strictEqual(yield* tagOf(membership), "Connected")
        assert.deepStrictEqual(server.said, ["join R", "join R"])
      }))

    it.effect("wins over an attempt under way: a seat that it takes is given up", () =>
      Effect.gen(function*() {
        const { membership, server } = yield* lost()
        server.answer = () => undefined
        yield* server.connect
        yield* settle
        const leaving = yield* fork(membership.leave)
        assert.strictEqual(yield* tagOf(membership), "Connected")
        server.reply(says.yes)
        yield* settle
        assert.deepStrictEqual(server.said, ["join R", "leave R"])
        server.reply(says.yes)
        yield* Fiber.join(leaving)
        assert.strictEqual(yield* tagOf(membership), "Connected")
      }))

    it.effect("does so also when whoever leaves does not wait for it", () =>
      Effect.gen(function*() {
        const { membership, server } = yield* lost()
        server.answer = () => undefined
        yield* server.connect
        yield* settle
        yield* Fiber.interrupt(yield* fork(membership.leave))
        server.reply(says.yes)
        yield* settle
        assert.deepStrictEqual(server.said, ["join R", "leave R"])
        assert.strictEqual(yield* tagOf(membership), "Connected")
      }))

    it.effect("while offline ends the meaning to sit there", () =>
      Effect.gen(function*() {
        const { membership, server } = yield* lost()
        yield* membership.leave
        yield* server.connect
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual(server.said, [])
        assert.deepStrictEqual(yield* membership.state, { _tag: "Connected", sid: "s2" })
      }))

    it.effect("without a seat asks nothing of the Server", () =>
      Effect.gen(function*() {
        const { membership, server } = yield* connected()
        yield* membership.leave
        assert.deepStrictEqual(server.said, [])
      }))

    it.effect("tells when the Server does not confirm it, and can be repeated", () =>
      Effect.gen(function*() {
        const { membership, server } = yield* connected()
        server.answer = ({ event }) => event === ServerEvent.JoinOffice.name ? says.yes : says.code(500)
        yield* membership.join(seat("A"))
        assert.strictEqual(yield* reasonOf(membership.leave), "InternalError")
        assert.strictEqual(yield* tagOf(membership), "Connected")
        server.answer = () => says.yes
        yield* membership.leave
        assert.deepStrictEqual(server.said, ["join R", "leave R", "leave R"])
      }))
  })

  describe("what comes late", () => {
    it.effect("a confirmed join whose connection goes in the same moment is repeated", () =>
      Effect.gen(function*() {
        const { membership, server } = yield* connected()
        const joining = yield* fork(membership.join(seat("A")))
        server.reply(says.yes)
        yield* server.lose()
        yield* Fiber.join(joining)
        assert.strictEqual(yield* tagOf(membership), "Disconnected")
        server.answer = () => says.yes
        yield* server.connect
        yield* settle
        assert.deepInclude(yield* membership.state, { _tag: "Joined", sid: "s2" })
      }))

    it.effect.each([says.yes, says.code(403)])(
      "an answer to an older session's attempt changes nothing: %j",
      (answer) =>
        Effect.gen(function*() {
          const { membership, server } = yield* lost()
          server.answer = () => undefined
          yield* server.connect
          yield* settle
          yield* server.lose(undefined, true)
          yield* server.connect
          yield* settle
          end(server.stale.shift()!, Effect.succeed(answer))
          yield* settle
          assert.deepInclude(yield* membership.state, { _tag: "Rejoining", sid: "s3", attempt: 1 })
          assert.strictEqual(server.pending.length, 1)
          server.reply(says.yes)
          yield* settle
          assert.deepInclude(yield* membership.state, { _tag: "Joined", sid: "s3" })
          assert.deepStrictEqual(server.said, ["join R", "join R"])
        })
    )
  })

  it.effect("tells connection and seat in one stream, to the end", () =>
    Effect.gen(function*() {
      const server = new ScriptedServer()
      const membership = yield* membershipOn(server, { rejoinBudget: "1 second" })
      const telling = yield* fork(
        Stream.runCollect(Stream.takeUntil(membership.changes, (state) => state._tag === "Disconnected" && state.final))
      )
      const step = (self: Effect.Effect<unknown, unknown>) => Effect.andThen(self, settle)
      const office = { office: "R", role: "agent", name: "A" } as const
      const ended = SmcpError.make(new SmcpError.AuthenticationRejected({ message: "no more" }))
      yield* step(server.connect)
      server.answer = () => says.yes
      yield* step(membership.join(seat("A")))
      yield* step(server.lose())
      yield* step(server.setState({ _tag: "Connecting", attempt: 1 }))
      server.answer = () => says.code(4101)
      yield* step(server.connect)
      yield* TestClock.adjust("1 second")
      server.answer = () => says.yes
      yield* step(membership.join(seat("A")))
      yield* step(membership.leave)
      yield* step(server.lose({ _tag: "Closed", error: ended }))
      const states = (yield* Fiber.join(telling)).map((state) =>
        state._tag === "Lost" ? { ...state, why: state.why.reason._tag } : state
      )
      assert.deepStrictEqual<ReadonlyArray<unknown>>(states, [
        { _tag: "Connecting", attempt: 1 },
        { _tag: "Connected", sid: "s1" },
        { _tag: "Joined", ...office, sid: "s1" },
        { _tag: "Disconnected", reason: "transport close", final: false, error: undefined },
        { _tag: "Connecting", attempt: 1 },
        { _tag: "Rejoining", ...office, sid: "s2", attempt: 1 },
        { _tag: "Rejoining", ...office, sid: "s2", attempt: 2 },
        { _tag: "Lost", ...office, sid: "s2", why: "RoomFull", final: true },
        { _tag: "Joined", ...office, sid: "s2" },
        { _tag: "Connected", sid: "s2" },
        { _tag: "Disconnected", reason: "no more", final: true, error: ended }
      ])
      assert.strictEqual(yield* reasonOf(membership.join(seat("A"))), "NotConnected")
      yield* membership.leave
    }))

  describe("with a Server", () => {
    it.effect("takes the seat again under the new session after a reconnect", () =>
      Effect.gen(function*() {
        const hub = yield* openOffice()
        const { membership, transport } = yield* open(hub)
        yield* membership.join(seat("A"))
        const before = yield* sidOf(transport)
        yield* hub.disconnect(before)
        assert.strictEqual(yield* tagOf(membership), "Disconnected")
        yield* TestClock.adjust("5 seconds")
        const after = yield* sidOf(transport)
        assert.notStrictEqual(after, before)
        assert.deepStrictEqual(yield* members(transport), [{ name: "A", sid: after }])
        assert.deepInclude(yield* membership.state, { _tag: "Joined", sid: after })
      }))

    it.effect("ends outside when it leaves while the seat is being given again", () =>
      Effect.gen(function*() {
        const hub = yield* openOffice()
        const { membership, transport } = yield* open(hub)
        yield* membership.join(seat("A"))
        yield* hub.disconnect(yield* sidOf(transport))
        // The join's acknowledgement travels long enough for the leave to come first.
        yield* hub.setFaults({ delay: ({ kind }) => kind === "ack" ? "3 seconds" : "0 seconds" })
        yield* TestClock.adjust("2 seconds")
        assert.strictEqual(yield* tagOf(membership), "Rejoining")
        const leaving = yield* fork(membership.leave)
        yield* TestClock.adjust("1 minute")
        yield* Fiber.join(leaving)
        assert.strictEqual(yield* tagOf(membership), "Connected")
        yield* hub.setFaults({ delay: () => "0 seconds" })
        assert.strictEqual(yield* reasonOf(members(transport)), "NotInRoom")
      }))

    it.effect("comes back with the credentials of the moment", () =>
      Effect.gen(function*() {
        const accepted = yield* Ref.make("first")
        const held = yield* Ref.make("first")
        const hub = yield* MemoryTransport.makeHub()
        yield* Layer.build(
          Server.layer().pipe(Layer.provide([
            MemoryTransport.layerServer(hub),
            SessionStore.layerMemory,
            Layer.succeed(Authenticator.Authenticator, {
              authenticate: ({ auth }) =>
                Effect.flatMap(Ref.get(accepted), (token) =>
                  auth["token"] === token ? Effect.void : Effect.fail(
                    SmcpError.make(new SmcpError.AuthenticationRejected({ message: "an old token" }))
                  ))
            })
          ]))
        )
        const { membership, transport } = yield* open(hub, Effect.map(Ref.get(held), (token) => ({ token })))
        yield* membership.join(seat("A"))
        yield* Ref.set(accepted, "second")
        yield* Ref.set(held, "second")
        yield* hub.disconnect(yield* sidOf(transport))
        yield* TestClock.adjust("5 seconds")
        assert.strictEqual(yield* tagOf(membership), "Joined")
        yield* Ref.set(accepted, "third")
        yield* hub.disconnect(yield* sidOf(transport))
        yield* TestClock.adjust("5 seconds")
        const end = yield* membership.state
        assert(end._tag === "Disconnected" && end.final)
        assert.strictEqual(end.error?.reason._tag, "AuthenticationRejected")
      }))
  })
})

const open = Effect.fnUntraced(function*(hub: MemoryTransport.Hub, auth?: MemoryTransport.ConnectOptions["auth"]) {
  const context = yield* Layer.build(
    Membership.layer().pipe(Layer.provideMerge(MemoryTransport.layerClient(hub, { auth })))
  )
  return { membership: Context.get(context, Membership.Membership), transport: Context.get(context, Transport) }
})

/** Who sits in the office, asked by a session that sits there. */
const members = (transport: Transport["Service"]) =>
  Effect.map(
    transport.call(ServerEvent.ListRoom, { agent: "A", req_id: "1", office_id: "R" }),
    ({ sessions }) => sessions.map(({ name, sid }) => ({ name, sid }))
  )

const sidOf = (transport: Transport["Service"]) =>
  Effect.map(transport.state, (state) => state._tag === "Connected" ? state.sid : state._tag)
