import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Schedule } from "effect"
import * as ConfigFile from "../../src/computer/ConfigFile.ts"
import * as Consent from "../../src/computer/Consent.ts"
import * as Host from "../../src/computer/Host.ts"
import * as McpManager from "../../src/computer/McpManager.ts"
import type { ServerSettings } from "../../src/computer/ServerEntry.ts"
import * as ToolCalls from "../../src/computer/ToolCalls.ts"
import { atOnce } from "./support/mcpClients.ts"
import { connectTo, type Running, ToolServer, until } from "./support/memoryServers.ts"
import { quiet, type Result } from "./support/office.ts"
import { eventually } from "./support/processes.ts"

/** A host with one server, held to these settings. */
const withSettings = Effect.fnUntraced(function*(server: ToolServer, settings: ServerSettings) {
  const { servers } = yield* ConfigFile.fromValue({ servers: { s: { command: "-" } } }, "test")
  const entries = servers.map((entry) => ({ ...entry, settings }))
  const context = yield* Layer.build(
    Host.layer({
      servers: entries,
      inputs: [],
      consent: Consent.layerAllowAll,
      connector: connectTo({ s: server })
    }).pipe(Layer.provide(quiet))
  )
  const manager = Context.get(context, McpManager.McpManager)
  const calls = Context.get(context, ToolCalls.ToolCalls)
  yield* manager.ready
  let ids = 0
  const call = (tool: string, params: Readonly<Record<string, unknown>> = {}, timeout = 10) =>
    Effect.map(
      calls.run({ agent: "A", req_id: `r${ids++}`, tool_name: `s__${tool}`, params, timeout }),
      (result) => result as unknown as Result
    )
  return { manager, calls, call }
})

const readOnly = { annotations: { readOnlyHint: true } }

describe("calls of a server with limits", () => {
  it.live("are refused, as a result that says when to try again, without the server knowing", () =>
    Effect.gen(function*() {
      let calls = 0
      const server = new ToolServer({ t: () => String(++calls) })
      const { call } = yield* withSettings(server, { limits: { rateLimit: { calls: 1, seconds: 60 } } })
      assert.strictEqual((yield* call("t")).content[0]!.text, "1")
      const refused = yield* atOnce(call("t"))
      const text =
        "Tool execution failed: the limit of calls is reached, and its turn would come too late; try again in 60 s"
      assert.deepStrictEqual(refused, {
        meta: { error_code: 4003, retry_after: 60 },
        content: [{ type: "text", text }],
        structuredContent: { error: text, error_type: "RateLimited", retry_after: 60 },
        isError: true
      })
      assert.strictEqual(calls, 1)
    }))

  it.live("wait for a place within their own deadline, and a cancelled one does not take it", () =>
    Effect.gen(function*() {
      let running = 0
      let most = 0
      let started = 0
      const slow = async (_args: unknown, { signal }: Running) => {
        started++
        most = Math.max(most, ++running)
        await until(signal, () => running--)
      }
      const server = new ToolServer({ slow, quick: () => "quick" })
      const { call, calls } = yield* withSettings(server, { toolLimits: { slow: { concurrency: 2, maxWaiting: 1 } } })
      const fibers = yield* Effect.forEach(
        [1, 2, 3],
        () => Effect.forkChild(call("slow", {}, 60), { startImmediately: true })
      )
      yield* eventually("two run", () => running === 2)
      // the third waits, so that there is no room for a fourth
      assert.strictEqual((yield* atOnce(call("slow"))).structuredContent?.["error_type"], "RateLimited")
      assert.strictEqual((yield* atOnce(call("quick"))).content[0]!.text, "quick")
      yield* calls.cancel("r2")
      assert.strictEqual((yield* atOnce(Fiber.join(fibers[2]!))).meta?.["a2c_cancelled"], true)
      // one that waits ends at its deadline
      assert.strictEqual((yield* atOnce(call("slow", {}, 0.05))).meta?.["a2c_timeout"], true)
      const next = yield* Effect.forkChild(call("slow", {}, 60), { startImmediately: true })
      yield* calls.cancel("r0")
      yield* eventually("the next has its place", () => started === 3)
      yield* calls.cancel("r1")
      yield* Fiber.interrupt(next)
      yield* eventually("none runs", () => running === 0)
      assert.strictEqual(most, 2)
    }))

  it.live("wait for the new connection when their server is restarted, behind a call that is lost", () =>
    Effect.gen(function*() {
      const begun: Array<unknown> = []
      const server = new ToolServer({
        t: ({ n }, { signal }) => {
          begun.push(n)
          return n === 0 ? until(signal, () => {}) : String(n)
        }
      })
      const { call, manager } = yield* withSettings(server, { limits: { concurrency: 1 } })
      const fibers = yield* Effect.forEach(
        [0, 1, 2],
        (n) => Effect.forkChild(call("t", { n }), { startImmediately: true })
      )
      yield* eventually("the first call runs", () => begun.length === 1)
      yield* manager.restart("s")
      const [lost, ...others] = yield* Effect.forEach(fibers, Fiber.join)
      assert.include(lost?.content[0]!.text, "it was closed on this side")
      assert.deepStrictEqual(others.map(({ content }) => content[0]!.text), ["1", "2"])
      assert.deepStrictEqual(begun, [0, 1, 2])
    }))

  it.live("share the result of a tool that only reads, for equal arguments in any order, until its tools change", () =>
    Effect.gen(function*() {
      const seen: Array<string> = []
      const tool = (name: string) => (args: unknown) => {
        seen.push(name)
        return JSON.stringify(args)
      }
      const server = new ToolServer({
        reads: tool("reads"),
        writes: tool("writes"),
        told: tool("told"),
        not: tool("not")
      })
      server.described = { reads: readOnly, not: readOnly }
      const { call, manager } = yield* withSettings(server, {
        limits: { cacheTtl: 60 },
        toolLimits: { told: { cacheTtl: 60 }, not: { cacheTtl: 0 } }
      })
      const twice = Effect.fnUntraced(function*(name: string) {
        const first = yield* call(name, { a: { x: 1, y: [2, 1] }, b: null })
        const second = yield* call(name, { b: null, a: { y: [2, 1], x: 1 } })
        return JSON.stringify(first) === JSON.stringify(second)
      })
      assert.deepStrictEqual(yield* Effect.forEach(["reads", "writes", "told", "not"], twice), [
        true,
        false,
        true,
        false
      ])
      yield* call("reads", { a: { x: 1, y: [1, 2] }, b: null })
      assert.deepStrictEqual(seen, ["reads", "writes", "writes", "told", "not", "not", "reads"])

      seen.length = 0
      const lists = server.lists
      yield* Effect.promise(() => server.announce())
      yield* eventually("the tools are listed again", () => server.lists > lists)
      // from when the new list is taken
      yield* Effect.repeat(call("told"), { until: () => seen.length > 0, schedule: Schedule.spaced("10 millis") })
      yield* twice("reads")
      yield* manager.restart("s")
      yield* twice("reads")
      assert.deepStrictEqual(seen, ["told", "reads", "reads"])
    }))

  it.live("stop a shared call only when nobody waits for it any more", () =>
    Effect.gen(function*() {
      let aborted = 0
      let started = 0
      const server = new ToolServer({
        reads: (_args, { signal }) => {
          started++
          return until(signal, () => aborted++)
        }
      })
      server.described = { reads: readOnly }
      const { call, calls } = yield* withSettings(server, { limits: { cacheTtl: 60 } })
      const fibers = yield* Effect.forEach([1, 2], () =>
        Effect.forkChild(call("reads", {}, 60), { startImmediately: true }))
      yield* eventually("it runs", () =>
        started === 1)
      yield* calls.cancel("r0")
      yield* atOnce(Fiber.join(fibers[0]!))
      assert.strictEqual(aborted, 0)
      yield* calls.cancel("r1")
      assert.strictEqual((yield* atOnce(Fiber.join(fibers[1]!))).meta?.["a2c_cancelled"], true)
      yield* eventually("the server is told", () => aborted === 1)
      assert.strictEqual(started, 1)
    }))
})
