import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { type CallDeadline, withCallDeadline } from "../../../src/computer/internal/mcp/callDeadline.ts"

describe("the deadline of a call", () => {
  /** Somebody sets the time of day meanwhile, back and forth. */
  const unsteady = Effect.map(Clock.Clock, (clock): Clock.Clock => {
    let turns = 0
    const millis = () => clock.currentTimeMillisUnsafe() + (++turns % 2 === 0 ? 1e7 : -1e7)
    return Object.assign(Object.create(clock) as Clock.Clock, {
      currentTimeMillisUnsafe: millis,
      currentTimeMillis: Effect.sync(millis)
    })
  })

  /** A call that gives a sign of life every four seconds, and nothing else. */
  const start = (deadline: CallDeadline) =>
    Effect.flatMap(unsteady, (clock) =>
      withCallDeadline(
        "tools/call",
        deadline,
        () => false,
        (alive) => Effect.forever(Effect.andThen(Effect.sleep("4 seconds"), Effect.sync(() => alive?.())))
      ).pipe(Effect.provideService(Clock.Clock, clock), Effect.forkChild))

  it.effect("is when it was to be, whatever the time of day", () =>
    Effect.gen(function*() {
      for (
        const [deadline, millis, expected] of [
          [{ idle: "3 seconds", max: undefined }, 3000, { seconds: 3, idle: true }],
          [{ idle: "5 seconds", max: "9 seconds" }, 9000, { seconds: 9 }]
        ] as const
      ) {
        const fiber = yield* start(deadline)
        yield* TestClock.adjust(millis - 100)
        assert.isUndefined(fiber.pollUnsafe())
        yield* TestClock.adjust(100)
        const { reason } = yield* Effect.flip(Fiber.join(fiber))
        assert.deepInclude(reason, { _tag: "Timeout", ...expected })
      }
    }))
})
