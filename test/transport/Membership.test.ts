import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import * as ServerEvent from "../../src/protocol/ServerEvent.ts"
import * as Membership from "../../src/transport/Membership.ts"
import * as MemoryTransport from "../../src/transport/MemoryTransport.ts"
import { Transport } from "../../src/transport/Transport.ts"
import { openOffice } from "../support/memoryOffice.ts"

const seat = (name: string, office_id = "R") => ({ role: "agent", name, office_id }) as const

const open = Effect.fnUntraced(function*(hub: MemoryTransport.Hub) {
  const context = yield* Layer.build(
    Membership.layer().pipe(Layer.provideMerge(MemoryTransport.layerClient(hub)))
  )
  return { membership: Context.get(context, Membership.Membership), transport: Context.get(context, Transport) }
})

const awaitTag = (membership: Membership.Membership["Service"], tag: Membership.MembershipState["_tag"]) =>
  membership.changes.pipe(Stream.filter((state) => state._tag === tag), Stream.take(1), Stream.runDrain)

/** Who sits in the office, asked by a session of its own that joins nothing. */
const members = (transport: Transport["Service"]) =>
  Effect.map(
    transport.call(ServerEvent.ListRoom, { agent: "A", req_id: "1", office_id: "R" }),
    ({ sessions }) => sessions.map(({ name, sid }) => ({ name, sid }))
  )

const sidOf = (transport: Transport["Service"]) =>
  Effect.map(transport.state, (state) => state._tag === "Connected" ? state.sid : state._tag)

describe("Membership", () => {
  it.effect("is out until a join is confirmed, and stays out when it is refused", () =>
    Effect.gen(function*() {
      const hub = yield* openOffice()
      const first = yield* open(hub)
      assert.strictEqual((yield* first.membership.state)._tag, "Connected")
      yield* first.membership.join(seat("A"))
      assert.strictEqual((yield* first.membership.state)._tag, "Joined")
      const second = yield* open(hub)
      assert.strictEqual((yield* Effect.flip(second.membership.join(seat("B")))).reason._tag, "JoinRefused")
      assert.strictEqual((yield* second.membership.state)._tag, "Connected")
    }))

  it.effect("takes the seat again under the new session after a reconnect", () =>
    Effect.gen(function*() {
      const hub = yield* openOffice()
      const { membership, transport } = yield* open(hub)
      yield* membership.join(seat("A"))
      const before = yield* sidOf(transport)
      yield* hub.disconnect(before)
      yield* TestClock.adjust("5 seconds")
      yield* awaitTag(membership, "Joined")
      const after = yield* sidOf(transport)
      assert.notStrictEqual(after, before)
      assert.deepStrictEqual(yield* members(transport), [{ name: "A", sid: after }])
    }))

  it.effect("waits for a taken seat after its own reconnect, and takes it when it falls free", () =>
    Effect.gen(function*() {
      const hub = yield* openOffice()
      const { membership, transport } = yield* open(hub)
      yield* membership.join(seat("A"))
      yield* hub.disconnect(yield* sidOf(transport))
      const rivalScope = yield* Scope.make()
      const rival = yield* Scope.provide(open(hub), rivalScope)
      yield* rival.membership.join(seat("B"))
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual((yield* membership.state)._tag, "Rejoining")
      yield* Scope.close(rivalScope, Exit.void)
      yield* TestClock.adjust("10 seconds")
      yield* awaitTag(membership, "Joined")
      assert.deepStrictEqual((yield* members(transport)).map(({ name }) => name), ["A"])
    }))

  it.effect("says so when the seat stays taken", () =>
    Effect.gen(function*() {
      const hub = yield* openOffice()
      const { membership, transport } = yield* open(hub)
      yield* membership.join(seat("A"))
      yield* hub.disconnect(yield* sidOf(transport))
      const rival = yield* open(hub)
      yield* rival.membership.join(seat("B"))
      yield* TestClock.adjust("2 minutes")
      yield* awaitTag(membership, "Lost")
    }))

  it.effect("does not come back to an office it left", () =>
    Effect.gen(function*() {
      const hub = yield* openOffice()
      const { membership, transport } = yield* open(hub)
      yield* membership.join(seat("A"))
      yield* membership.leave
      yield* hub.disconnect(yield* sidOf(transport))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* membership.state)._tag, "Connected")
      assert.strictEqual((yield* Effect.flip(members(transport))).reason._tag, "NotInRoom")
    }))

  it.effect("leaving wins over a rejoin under way", () =>
    Effect.gen(function*() {
      const hub = yield* openOffice()
      const { membership, transport } = yield* open(hub)
      yield* membership.join(seat("A"))
      yield* hub.disconnect(yield* sidOf(transport))
      // The join's acknowledgement travels long enough for the leave to come first.
      yield* hub.setFaults({ delay: ({ kind }) => kind === "ack" ? "3 seconds" : "0 seconds" })
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual((yield* membership.state)._tag, "Rejoining")
      const leaving = yield* Effect.forkChild(membership.leave, { startImmediately: true })
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(leaving)
      assert.strictEqual((yield* membership.state)._tag, "Connected")
      yield* hub.setFaults({ delay: () => "0 seconds" })
      assert.strictEqual((yield* Effect.flip(members(transport))).reason._tag, "NotInRoom")
    }))
})
