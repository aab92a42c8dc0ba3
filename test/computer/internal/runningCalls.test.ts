import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Exit, Fiber, Schema, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { makeRunningCalls } from "../../../src/computer/internal/calls/runningCalls.ts"
import type { RunningCall } from "../../../src/computer/ToolCalls.ts"

const call = (requestId: string): RunningCall => ({
  requestId,
  agent: "A",
  server: "s",
  exposedName: "s__t",
  since: 0,
  progress: undefined
})

const between = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

describe("running calls", () => {
  it.effect.prop(
    "each end at their own deadline, unless they are done before, however many there are",
    [Schema.Array(Schema.Struct({ pause: between(0, 300), timeout: between(0, 2000), takes: between(0, 2000) }))],
    ([plans]) =>
      Effect.gen(function*() {
        const runs = yield* makeRunningCalls
        const ends: Array<readonly [index: number, by: string, at: number]> = []
        const wanted: Array<readonly [index: number, by: string, at: number]> = []
        for (const [index, { pause, takes, timeout }] of plans.entries()) {
          yield* TestClock.adjust(pause)
          const since = yield* Clock.currentTimeMillis
          const isLate = takes > Math.max(1, timeout)
          // which comes first of two things at one moment says nothing
          if (takes === Math.max(1, timeout)) continue
          // there is no shorter wait than a millisecond
          wanted.push([index, isLate ? "deadline" : "itself", since + (isLate ? Math.max(1, timeout) : takes)])
          yield* runs.run(call(String(index)), timeout, Effect.sleep(takes)).pipe(
            Effect.flatMap(({ by, exit }) =>
              Effect.map(Clock.currentTimeMillis, (at) => {
                assert.strictEqual(Exit.isSuccess(exit), by === undefined)
                ends.push([index, by ?? "itself", at])
              })
            ),
            Effect.forkChild({ startImmediately: true })
          )
        }
        yield* TestClock.adjust("10 seconds")
        assert.deepStrictEqual(ends.toSorted(([one], [other]) => one - other), wanted)
        assert.deepStrictEqual(runs.list(), [])
      }),
    { arbitrary: { runs: 100 } }
  )

  it.effect("are told of, the oldest first, as they begin, come further and end", () =>
    Effect.gen(function*() {
      const runs = yield* makeRunningCalls
      const seen: Array<string> = []
      const describeAll = (all: ReadonlyArray<RunningCall>) =>
        all.map(({ progress, requestId }) => requestId + (progress?.progress ?? "")).join(" ")
      yield* runs.changes.pipe(
        Stream.runForEach((all) => Effect.sync(() => seen.push(describeAll(all)))),
        Effect.forkScoped({ startImmediately: true })
      )
      yield* TestClock.adjust(1)
      for (const id of ["a", "b"]) {
        yield* Effect.forkChild(runs.run(call(id), 1000, Effect.never), { startImmediately: true })
        yield* TestClock.adjust(1)
      }
      runs.progressed("a", { progress: 5 })
      runs.progressed("gone", { progress: 5 })
      yield* TestClock.adjust(1)
      runs.cancel("a")
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(seen, ["", "a", "a b", "a5 b", "b"])
    }))

  it.effect("end with the scope, and with their caller", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const runs = yield* Scope.provide(makeRunningCalls, scope)
      let interrupted = 0
      const forever = Effect.onInterrupt(Effect.never, () => Effect.sync(() => interrupted++))
      const fibers = yield* Effect.forEach(["a", "b"], (id) =>
        Effect.forkChild(runs.run(call(id), 1e12, forever), { startImmediately: true }))
      yield* Fiber.interrupt(fibers[0]!)
      assert.strictEqual(interrupted, 1)
      assert.deepStrictEqual(
        runs.list().map(({ requestId }) =>
          requestId
        ),
        ["b"]
      )
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(interrupted, 2)
      const { by, exit } = yield* Fiber.join(fibers[1]!)
      assert.isUndefined(by)
      assert.isTrue(Exit.isFailure(exit))
    }))
})
