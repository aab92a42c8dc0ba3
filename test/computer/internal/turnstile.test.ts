import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Exit, Fiber, FiberSet, Scheduler, Schema } from "effect"
import { TestClock } from "effect/testing"
import { makeRateBucket, take, waitFor } from "../../../src/computer/internal/calls/rateBucket.ts"
import { type Gate, makeGate, makeTurnstile } from "../../../src/computer/internal/calls/turnstile.ts"
import type { CallLimits } from "../../../src/computer/ServerEntry.ts"
import { settle } from "../support/managers.ts"

const between = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

/** A turnstile on the test's clock, and a record of what passed it when. */
const setUp = Effect.gen(function*() {
  const fork = yield* FiberSet.makeRuntime<never, void, never>()
  const turnstile = makeTurnstile(yield* Clock.Clock, fork)
  const passed: Array<readonly [name: string, at: number]> = []
  const enter = (name: string, gates: ReadonlyArray<Gate>, millis = 0, patience = Infinity) =>
    turnstile.pass(
      gates,
      patience,
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        passed.push([name, now])
        return Effect.sleep(millis)
      })
    ).pipe(Effect.forkChild({ startImmediately: true }))
  return { turnstile, passed, enter }
})

const gate = (limits: CallLimits): Gate => makeGate(limits)!

describe("a rate bucket", () => {
  it.prop(
    "never lets through more than its burst and an even refill, in any stretch of time, and no less",
    [between(1, 50), between(1, 20), Schema.UndefinedOr(between(1, 30)), Schema.Array(between(0, 3000))],
    ([calls, seconds, burst, pauses]) => {
      const bucket = makeRateBucket({ calls, seconds, burst })
      const perMilli = calls / (seconds * 1000)
      const most = burst ?? calls
      const admitted: Array<number> = []
      let now = 1e9
      for (const pause of pauses) {
        now += pause
        // as many as it gives at once
        while (waitFor(bucket, now) === 0) {
          admitted.push(now)
          take(bucket, now)
        }
        const wait = waitFor(bucket, now)
        assert.isAtMost(wait, 1 / perMilli + 1e-3, "a token is never further away than the refill of one")
      }
      admitted.forEach((from, first) =>
        admitted.slice(first).forEach((to, count) => assert.isAtMost(count + 1, most + (to - from) * perMilli + 1e-3))
      )
      if (pauses.length > 0) assert.isAtLeast(admitted.length, Math.floor(most), "the burst is given")
    },
    { arbitrary: { runs: 300 } }
  )
})

describe("the turnstile", () => {
  it.effect("lets a burst in at once, and then one call after the other as tokens come", () =>
    Effect.gen(function*() {
      const { enter, passed } = yield* setUp
      const gates = [gate({ rateLimit: { calls: 2, seconds: 1, burst: 3 } })]
      for (const name of "abcdef") yield* enter(name, gates)
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(passed, [["a", 0], ["b", 0], ["c", 0], ["d", 500], ["e", 1000], ["f", 1500]])
    }))

  it.effect("runs no more at a time than allowed, the first come first, and counts those that are interrupted", () =>
    Effect.gen(function*() {
      const { enter, passed } = yield* setUp
      const gates = [gate({ concurrency: 2 })]
      const [first] = yield* Effect.forEach(["a", "b", "c", "d"], (name) => enter(name, gates, 1000))
      yield* TestClock.adjust(100)
      yield* Fiber.interrupt(first!)
      yield* TestClock.adjust(5000)
      assert.deepStrictEqual(passed, [["a", 0], ["b", 0], ["c", 100], ["d", 1000]])
    }))

  it.effect("gives the turn of a call that is interrupted while it waits to the next, with its token", () =>
    Effect.gen(function*() {
      const { enter, passed } = yield* setUp
      const gates = [gate({ rateLimit: { calls: 1, seconds: 1 } })]
      const fibers = yield* Effect.forEach(["a", "b", "c"], (name) => enter(name, gates))
      yield* TestClock.adjust(500)
      yield* Fiber.interrupt(fibers[1]!)
      yield* TestClock.adjust(5000)
      assert.deepStrictEqual(passed, [["a", 0], ["c", 1000]])
    }))

  it.effect("lets through whose turn comes while it is only about to wait", () =>
    Effect.gen(function*() {
      const { turnstile } = yield* setUp
      // a fiber gives way after so many steps, which may be between any two of them
      for (let steps = 6; steps < 40; steps++) {
        const gates = [gate({ concurrency: 1 })]
        const first = yield* Effect.forkChild(turnstile.pass(gates, Infinity, Effect.never), { startImmediately: true })
        const second = yield* turnstile.pass(gates, Infinity, Effect.void).pipe(
          Effect.provideService(Scheduler.MaxOpsBeforeYield, steps),
          Effect.forkChild({ startImmediately: true })
        )
        yield* Fiber.interrupt(first)
        yield* settle
        assert.isDefined(second.pollUnsafe(), `after ${steps} steps`)
        assert.strictEqual(gates[0]!.inside, 0)
      }
    }))

  it.effect("keeps calls of other tools out of the queue of a slow one, but not out of that of the server", () =>
    Effect.gen(function*() {
      const { enter, passed } = yield* setUp
      const server = gate({ rateLimit: { calls: 1, seconds: 1, burst: 3 } })
      const slow = gate({ concurrency: 1 })
      yield* enter("slow 1", [slow, server], 10_000)
      yield* enter("slow 2", [slow, server])
      yield* enter("quick 1", [server])
      yield* enter("quick 2", [server])
      yield* enter("quick 3", [server])
      yield* TestClock.adjust("20 seconds")
      assert.deepStrictEqual(passed, [
        ["slow 1", 0],
        ["quick 1", 0],
        ["quick 2", 0],
        ["quick 3", 1000],
        ["slow 2", 10_000]
      ])
    }))

  it.effect("refuses at once what waits behind too many, or could not be through in time, and says when to come back", () =>
    Effect.gen(function*() {
      const { enter, passed } = yield* setUp
      const gates = [gate({ rateLimit: { calls: 1, seconds: 10 }, maxWaiting: 2 })]
      const refusal = (fiber: Fiber.Fiber<void, { readonly message: string; readonly retryAfter: number }>) =>
        Effect.map(Effect.flip(Fiber.join(fiber)), ({ message, retryAfter }) => [message, retryAfter])
      yield* enter("a", gates)
      const late = yield* enter("late", gates, 0, 9_000)
      assert.deepStrictEqual(yield* refusal(late), [
        "the limit of calls is reached, and its turn would come too late; try again in 10 s",
        10
      ])
      yield* enter("b", gates, 0, 11_000)
      yield* enter("c", gates)
      const fourth = yield* enter("d", gates)
      assert.deepStrictEqual(yield* refusal(fourth), [
        "the limit of calls is reached, and 2 wait already; try again in 30 s",
        30
      ])
      yield* TestClock.adjust("60 seconds")
      assert.deepStrictEqual(passed, [["a", 0], ["b", 10_000], ["c", 20_000]])
    }))

  it.effect.prop(
    "holds both limits whoever comes and goes, and lets everyone through who stays",
    [
      between(1, 4),
      between(1, 4),
      Schema.Array(Schema.Struct({ pause: between(0, 400), millis: between(0, 2000), leaves: between(0, 6000) }))
    ],
    ([concurrency, calls, visits]) =>
      Effect.gen(function*() {
        const { enter, passed } = yield* setUp
        const gates = [
          gate({ rateLimit: { calls, seconds: 1 }, maxWaiting: 1000 }),
          gate({ concurrency, maxWaiting: 1000 })
        ]
        const fibers: Array<Fiber.Fiber<void, unknown>> = []
        for (const [index, { leaves, millis, pause }] of visits.entries()) {
          yield* TestClock.adjust(pause)
          const fiber = yield* enter(String(index), gates, millis)
          fibers.push(fiber)
          if (leaves < 3000) {
            yield* Effect.forkChild(Effect.andThen(Effect.sleep(leaves), Fiber.interrupt(fiber)), {
              startImmediately: true
            })
          }
          assert.isAtMost(gates[1]!.inside, concurrency)
        }
        yield* TestClock.adjust("10 minutes")
        const start = yield* Clock.currentTimeMillis
        for (const [index, fiber] of fibers.entries()) {
          const exit = yield* Fiber.await(fiber)
          if (visits[index]!.leaves >= 3000) assert.isTrue(Exit.isSuccess(exit), String(index))
        }
        assert.strictEqual(yield* Clock.currentTimeMillis, start)
        assert.deepStrictEqual(gates.map(({ inside }) => inside), [0, 0])
        passed.forEach(([, from], first) =>
          passed.slice(first).forEach(([, to], count) =>
            assert.isAtMost(count + 1, calls + (to - from) * calls / 1000 + 1e-3)
          )
        )
      }),
    { arbitrary: { runs: 60 } }
  )
})
