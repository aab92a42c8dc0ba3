import { assert, describe, it } from "@effect/vitest"
import { Clock, Deferred, Effect, Exit, Fiber, FiberSet } from "effect"
import { TestClock } from "effect/testing"
import { type Generation, makeResultCache } from "../../../src/computer/internal/calls/resultCache.ts"
import type { CallToolResult } from "../../../src/protocol/Tool.ts"

const text = (value: string): CallToolResult => ({ content: [{ type: "text", text: value }] })

/** A cache over a server that answers when it is told to. */
const setUp = Effect.gen(function*() {
  const fork = yield* FiberSet.makeRuntime<never, void, never>()
  const server = {
    generation: { client: 1, tools: 1 } as Generation | undefined,
    calls: [] as Array<string>,
    interrupted: 0
  }
  const cache = makeResultCache<string>({
    clock: yield* Clock.Clock,
    fork,
    generation: Effect.sync(() => server.generation)
  })
  /** Asks for a key; the call, should there be one, answers with `answer`. */
  const get = (key: string, answer: Effect.Effect<CallToolResult, string>, heard: Array<number> = []) =>
    cache.get({
      key,
      ttlMillis: 1000,
      onProgress: ({ progress }) => Effect.sync(() => heard.push(progress)),
      perform: (onProgress, connected) =>
        Effect.sync(() => server.calls.push(key)).pipe(
          Effect.andThen(connected),
          Effect.andThen(answer),
          Effect.tap(() => onProgress({ progress: 1 })),
          Effect.onInterrupt(() => Effect.sync(() => server.interrupted++))
        )
    })
  return { server, get }
})

describe("the result cache", () => {
  it.effect("gives a result again until its time is over, and never a failure", () =>
    Effect.gen(function*() {
      const { get, server } = yield* setUp
      assert.deepStrictEqual(yield* get("a", Effect.succeed(text("1"))), text("1"))
      yield* TestClock.adjust(999)
      assert.deepStrictEqual(yield* get("a", Effect.succeed(text("2"))), text("1"))
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(yield* get("a", Effect.succeed(text("3"))), text("3"))
      const failed = { ...text("no"), isError: true }
      assert.deepStrictEqual(yield* get("b", Effect.succeed(failed)), failed)
      assert.deepStrictEqual(yield* get("b", Effect.succeed(text("yes"))), text("yes"))
      assert.strictEqual(yield* Effect.flip(get("c", Effect.fail("lost"))), "lost")
      assert.deepStrictEqual(yield* get("c", Effect.succeed(text("back"))), text("back"))
      assert.deepStrictEqual(server.calls, ["a", "a", "b", "b", "c", "c"])
    }))

  it.effect("forgets when the server restarts or its tools change, during a call as well, but not while it is idle", () =>
    Effect.gen(function*() {
      const { get, server } = yield* setUp
      yield* get("a", Effect.succeed(text("1")))
      server.generation = undefined
      assert.deepStrictEqual(yield* get("a", Effect.succeed(text("2"))), text("1"))
      for (const next of [{ client: 2, tools: 1 }, { client: 2, tools: 2 }]) {
        server.generation = next
        const name = JSON.stringify(next)
        assert.deepStrictEqual(yield* get("a", Effect.succeed(text(name))), text(name))
      }
      const changing = Effect.sync(() => {
        server.generation = { client: 3, tools: 3 }
        return text("old")
      })
      assert.deepStrictEqual(yield* get("b", changing), text("old"))
      assert.deepStrictEqual(yield* get("b", Effect.succeed(text("new"))), text("new"))
    }))

  it.effect("makes one call for all who want the same, tells them all of its progress and of its end", () =>
    Effect.gen(function*() {
      const { get, server } = yield* setUp
      const answer = yield* Deferred.make<CallToolResult, string>()
      const heard: Array<number> = []
      const fibers = yield* Effect.forEach(
        [1, 2, 3],
        () => Effect.forkChild(get("a", Deferred.await(answer), heard), { startImmediately: true })
      )
      yield* TestClock.adjust(1)
      yield* Deferred.succeed(answer, text("one"))
      for (const fiber of fibers) assert.deepStrictEqual(yield* Fiber.join(fiber), text("one"))
      assert.deepStrictEqual(server.calls, ["a"])
      assert.deepStrictEqual(heard, [1, 1, 1])
      const lost = yield* Effect.forEach(
        [1, 2],
        () =>
          Effect.forkChild(get("b", Effect.andThen(Effect.sleep(1), Effect.fail("lost"))), { startImmediately: true })
      )
      yield* TestClock.adjust(1)
      for (const fiber of lost) assert.strictEqual(yield* Effect.flip(Fiber.join(fiber)), "lost")
    }))

  it.effect("ends the call with the last who waits for it, and makes a new one for who comes then", () =>
    Effect.gen(function*() {
      const { get, server } = yield* setUp
      const [first, second] = yield* Effect.forEach(
        [1, 2],
        () => Effect.forkChild(get("a", Effect.never), { startImmediately: true })
      )
      yield* TestClock.adjust(1)
      yield* Fiber.interrupt(first!)
      assert.strictEqual(server.interrupted, 0)
      assert.isUndefined(second!.pollUnsafe())
      yield* Fiber.interrupt(second!)
      assert.strictEqual(server.interrupted, 1)
      assert.deepStrictEqual(yield* get("a", Effect.succeed(text("new"))), text("new"))
      assert.deepStrictEqual(server.calls, ["a", "a"])
    }))

  it.effect("does not join a call of a connection that is gone", () =>
    Effect.gen(function*() {
      const { get, server } = yield* setUp
      const old = yield* Effect.forkChild(get("a", Effect.never), { startImmediately: true })
      yield* TestClock.adjust(1)
      server.generation = { client: 2, tools: 2 }
      assert.deepStrictEqual(yield* get("a", Effect.succeed(text("new"))), text("new"))
      yield* Fiber.interrupt(old)
      assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(old)))
      assert.deepStrictEqual(yield* get("a", Effect.succeed(text("again"))), text("new"))
    }))

  it.effect("keeps no more than so many results, the ones wanted last, and none that is too large", () =>
    Effect.gen(function*() {
      const { get, server } = yield* setUp
      for (let index = 0; index < 1000; index++) yield* get(String(index), Effect.succeed(text("")))
      yield* get("0", Effect.die("is kept"))
      yield* get("1000", Effect.succeed(text("")))
      yield* get("0", Effect.die("was wanted after 1"))
      const before = server.calls.length
      yield* get("1", Effect.succeed(text("")))
      assert.strictEqual(server.calls.length, before + 1)
      const large = text("x".repeat(5 * 2 ** 20))
      yield* get("large", Effect.succeed(large))
      yield* get("large", Effect.succeed(large))
      const medium = text("x".repeat(3 * 2 ** 20))
      for (let index = 0; index < 6; index++) yield* get(`medium ${index}`, Effect.succeed(medium))
      yield* get("medium 1", Effect.die("fits"))
      yield* get("medium 0", Effect.succeed(medium))
      assert.strictEqual(server.calls.length, before + 1 + 2 + 6 + 1)
    }))
})
