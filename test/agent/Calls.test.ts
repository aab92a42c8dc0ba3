import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import { TestClock } from "effect/testing"
import * as ToolOutcome from "../../src/agent/ToolOutcome.ts"
import * as ToolResult from "../../src/protocol/ToolResult.ts"
import { MemoryHub } from "../../src/transport/internal/memoryHub.ts"
import { type Args, failure, type Payload, playedOffice, type Script } from "./support/playedServer.ts"

const call = { computer: "C", tool: "t", timeout: "10 seconds" } as const
const result = (text: string) => ({ content: [{ type: "text", text }] })

const onCall = (answer: (payload: Payload) => Args | Effect.Effect<Args>): Script => ({ event, payload }) =>
  event === "client:tool_call" ? answer(payload) : undefined

/** Calls that the test answers when it wants. */
const held = Effect.gen(function*() {
  const calls = yield* Queue.unbounded<
    { readonly reqId: string; readonly ack: (...args: Args) => Effect.Effect<boolean> }
  >()
  const script = onCall(({ req_id: reqId }) =>
    Effect.flatMap(Deferred.make<Args>(), (answer) =>
      Effect.andThen(
        Queue.offer(calls, { reqId, ack: (...args) => Deferred.succeed(answer, args) }),
        Deferred.await(answer)
      ))
  )
  return { calls, script }
})

describe("a call of a tool", () => {
  const acks: ReadonlyArray<readonly [ack: Args, end: string]> = [
    [[], "UnsupportedByPeer"],
    [[null], "InvalidResponse"],
    [["done"], "InvalidResponse"],
    [[7], "InvalidResponse"],
    [[true, null], "InvalidResponse"],
    [[[result("a")]], "InvalidResponse"],
    [[{ content: "a" }], "InvalidResponse"],
    [[{ content: [null] }], "InvalidResponse"],
    [[{ code: 4999, message: "new" }], "UnknownCode"],
    [[{ code: 1.5 }], "Ok"],
    [[{ code: "404" }], "Ok"],
    [[result("a"), { code: 500 }, null], "Ok"],
    [[result("a"), result("b")], "Ok"]
  ]
  it.effect.each(acks)("acknowledged with %j ends in exactly one way", ([ack, end]) =>
    Effect.gen(function*() {
      const { agent, all } = yield* playedOffice(onCall(() => ack))
      const outcome = Effect.map(agent.callTool(call), ({ _tag, result }) => {
        assert.deepStrictEqual<unknown>(result, ack[0])
        return _tag
      })
      assert.strictEqual(yield* failure(outcome), end === "Ok" ? "succeeded with \"Ok\"" : end)
      assert.strictEqual(all("client:tool_call").length, 1)
    }))

  it.effect("that is never acknowledged times out, is cancelled once, and an answer that comes later is nobody's", () =>
    Effect.gen(function*() {
      const { calls, script } = yield* held
      const { agent, all, hub } = yield* playedOffice(script)
      const first = yield* Effect.forkChild(agent.callTool(call), { startImmediately: true })
      const { ack, reqId } = yield* Queue.take(calls)
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual((yield* Fiber.join(first))._tag, "TimedOut")
      const second = yield* Effect.forkChild(agent.callTool(call), { startImmediately: true })
      const next = yield* Queue.take(calls)
      yield* ack(result("late"))
      yield* next.ack(result("in time"))
      assert.strictEqual(ToolOutcome.text(yield* Fiber.join(second)), "in time")
      yield* hub.settled
      assert.deepStrictEqual(all("server:tool_call_cancel"), [{ agent: "A", req_id: reqId }])
      assert.strictEqual(all("client:tool_call").length, 2)
    }))

  it.effect("belongs to its own acknowledgement, whatever id is in it and in whichever order they come", () =>
    Effect.gen(function*() {
      const { calls, script } = yield* held
      const { agent } = yield* playedOffice(script)
      const fibers = yield* Effect.forEach(
        [0, 1, 2],
        () => Effect.forkChild(agent.callTool(call), { startImmediately: true })
      )
      const waiting = yield* Queue.takeN(calls, 3)
      for (const [index, { ack }] of [...waiting.entries()].reverse()) {
        yield* ack({ ...result(`${index}`), req_id: waiting[0]?.reqId })
      }
      const outcomes = yield* Effect.forEach(fibers, Fiber.join)
      assert.deepStrictEqual(outcomes.map(ToolOutcome.text), ["0", "1", "2"])
    }))

  it.effect("run twice under one id ends twice, each time as its own acknowledgement says", () =>
    Effect.gen(function*() {
      const running = new Set<string>()
      const { agent, all } = yield* playedOffice(onCall(({ req_id }) => {
        if (running.has(req_id)) return [{ code: 400, message: "still running" }]
        running.add(req_id)
        return Effect.as(Effect.sleep("1 second"), [result("a")])
      }))
      const { outcome } = agent.prepareCall(call)
      const first = yield* Effect.forkChild(outcome, { startImmediately: true })
      assert.strictEqual(yield* failure(outcome), "BadRequest")
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Fiber.join(first))._tag, "Ok")
      const [one, other] = all("client:tool_call")
      assert.strictEqual(one.req_id, other.req_id)
    }))

  const afterCancel: ReadonlyArray<readonly [what: string, ack: Args | undefined, end: string]> = [
    ["was stopped", [ToolResult.cancelled], "Cancelled agent_requested"],
    ["was stopped for a reason of its own", [
      { ...ToolResult.cancelled, meta: { a2c_cancelled: true, a2c_cancel_reason: "shutdown" } }
    ], "Cancelled shutdown"],
    ["was stopped for no reason", [{ ...ToolResult.cancelled, meta: { a2c_cancelled: true } }], "Cancelled undefined"],
    ["ran to its end all the same", [result("a")], "Ok undefined"],
    ["never says what became of it", undefined, "TimedOut undefined"]
  ]
  it.effect.each(afterCancel)(
    "that is cancelled and %s ends as its own acknowledgement says",
    ([, ack, end]) =>
      Effect.gen(function*() {
        const { calls, script } = yield* held
        const { agent, all } = yield* playedOffice(script)
        const running = agent.prepareCall(call)
        const waiting = yield* Effect.forkChild(running.outcome, { startImmediately: true })
        const asked = yield* Queue.take(calls)
        yield* TestClock.adjust("1 second")
        yield* running.cancel
        // Cancelling ends nothing by itself.
        yield* TestClock.adjust("8 seconds")
        assert.isUndefined(waiting.pollUnsafe())
        assert.deepStrictEqual(all("server:tool_call_cancel"), [{ agent: "A", req_id: running.reqId }])
        if (ack !== undefined) yield* asked.ack(...ack)
        else yield* TestClock.adjust("1 second")
        const outcome = yield* Fiber.join(waiting)
        assert.strictEqual(`${outcome._tag} ${ToolOutcome.cancelReason(outcome)}`, end)
      })
  )

  it.effect("lost with its connection is in doubt, is not repeated, and its late answer is not another's", () =>
    Effect.gen(function*() {
      const { calls, script } = yield* held
      const { agent, all, hub } = yield* playedOffice(script)
      const lost = yield* Effect.forkChild(Effect.flip(agent.callTool(call)), { startImmediately: true })
      const old = yield* Queue.take(calls)
      const [sid = ""] = yield* hub.connections
      yield* hub.disconnect(sid)
      const { reason } = yield* Fiber.join(lost)
      assert.deepStrictEqual(
        [reason._tag, reason._tag === "ConnectionLost" && reason.outcome],
        ["ConnectionLost", "unknown"]
      )
      assert.strictEqual(yield* failure(agent.callTool(call)), "NotConnected")
      yield* TestClock.adjust("2 seconds")
      const next = yield* Effect.forkChild(agent.callTool(call), { startImmediately: true })
      const { ack } = yield* Queue.take(calls)
      yield* old.ack(result("old"))
      yield* ack(result("new"))
      assert.strictEqual(ToolOutcome.text(yield* Fiber.join(next)), "new")
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(all("client:tool_call").length, 2)
    }))
})

describe("10,000 calls that time out", () => {
  it.effect("leave nothing behind, on either side of the connection", () =>
    Effect.gen(function*() {
      const waiting = new Map<string, Deferred.Deferred<Args>>()
      const { agent, all, hub } = yield* playedOffice(({ event, payload: { req_id: id } }) => {
        if (event === "client:tool_call") {
          waiting.set(id, Deferred.makeUnsafe())
          return Deferred.await(waiting.get(id)!)
        }
        if (event !== "server:tool_call_cancel") return undefined
        // Every answer comes, and comes too late.
        Deferred.doneUnsafe(waiting.get(id)!, Effect.succeed([result("late")]))
        waiting.delete(id)
        return []
      })
      const seen = new Set<string>()
      for (let batch = 0; batch < 10; batch++) {
        const calls = yield* Effect.forkChild(
          Effect.forEach(Array.from({ length: 1000 }), () => agent.callTool(call), { concurrency: "unbounded" }),
          { startImmediately: true }
        )
        yield* TestClock.adjust("10 seconds")
        for (const { _tag } of yield* Fiber.join(calls)) seen.add(_tag)
      }
      yield* hub.settled
      assert.deepStrictEqual([[...seen], waiting.size], [["TimedOut"], 0])
      assert.strictEqual(new Set(all("server:tool_call_cancel").map(({ req_id }) => req_id)).size, 10_000)
      const ends = [...MemoryHub.of(hub).endpoints]
      assert.deepStrictEqual(ends.map(({ waitingCalls }) => waitingCalls), [0, 0])
    }), 60_000)
})
