import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger, Stream } from "effect"
import { logState, stateEnd } from "../../src/cli/internal/connection.ts"
import * as SmcpError from "../../src/protocol/SmcpError.ts"
import type { MembershipState } from "../../src/transport/Membership.ts"

const why = SmcpError.make(new SmcpError.JoinRefused({ message: "no" }))
const later = SmcpError.make(new SmcpError.JoinRefused({ message: "still no" }))
const seat = { office: "R", role: "agent", name: "A" } as const
const joined = { _tag: "Joined", sid: "1", ...seat } as const
const offline = { _tag: "Disconnected", reason: "transport close", final: false, error: undefined } as const
const rejoining = (attempt: number) => ({ _tag: "Rejoining", sid: "2", attempt, ...seat }) as const

/** A stream that goes on after these states. */
const told = (...states: ReadonlyArray<MembershipState>) => Stream.concat(Stream.fromIterable(states), Stream.never)

describe("what a terminal hears of connection and seat", () => {
  it.effect("ends with the reason when the seat is lost or the Server ends it, and quietly when it was closed", () =>
    Effect.gen(function*() {
      const coming = [joined, offline, { _tag: "Connecting", attempt: 1 }, rejoining(1)] as const
      const gone = { _tag: "Lost", sid: "2", why, final: true, ...seat } as const
      assert.strictEqual(yield* Effect.flip(stateEnd(told(...coming, gone))), why)
      const silent = stateEnd(told(...coming, { ...gone, final: false }, rejoining(1), { ...gone, why: later }))
      assert.strictEqual(yield* Effect.flip(silent), later)
      const ended = stateEnd(told(...coming, { ...offline, final: true, error: why }))
      assert.strictEqual(yield* Effect.flip(ended), why)
      yield* stateEnd(told(...coming, { ...offline, final: true }))
    }))

  it.effect("tells every loss and every return once, and a seat that is still taken", () =>
    Effect.gen(function*() {
      const lines: Array<unknown> = []
      const logger = Logger.make(({ message }) => void lines.push(...[message].flat()))
      const states = [joined, offline, rejoining(1), rejoining(2), rejoining(3), joined, offline, rejoining(1), joined]
      yield* logState(Stream.fromIterable<MembershipState>(states)).pipe(Effect.provide(Logger.layer([logger])))
      assert.deepStrictEqual(lines, [
        "The connection to the Server is lost (transport close); reconnecting",
        "Connected to the Server again, but the seat in office R is still taken",
        "Connected to the Server again, and back in office R",
        "The connection to the Server is lost (transport close); reconnecting",
        "Connected to the Server again, and back in office R"
      ])
    }))
})
