import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Logger } from "effect"
import { TestClock } from "effect/testing"
import { ToolCall } from "../../src/protocol/ClientEvent.ts"
import * as ToolResult from "../../src/protocol/ToolResult.ts"
import { atOnce } from "./support/mcpClients.ts"
import { connectTo, ToolServer, until } from "./support/memoryServers.ts"
import {
  build,
  call,
  listed,
  makeOffice,
  raw,
  receivedBy,
  toolCall,
  toolNames,
  withRaw,
  withServers
} from "./support/office.ts"
import { eventually } from "./support/processes.ts"

describe("Computer", () => {
  describe("calling a tool", () => {
    it.live("passes arguments in and the result out, unmodified", () =>
      Effect.gen(function*() {
        const { office } = yield* withRaw("echo", "result")
        assert.deepStrictEqual<unknown>(yield* call(office, "raw__echo", { a: [1, null, "ü"] }), {
          content: [{ type: "text", text: "{\"a\":[1,null,\"ü\"]}" }]
        })
        const odd = {
          content: [{ type: "hologram", x: 1, _meta: { a: 1 } }, { type: "text", text: "", annotations: null }],
          structuredContent: [1],
          isError: true,
          extra: { deep: null }
        }
        assert.deepStrictEqual<unknown>(yield* call(office, "raw__result", { json: JSON.stringify(odd) }), odd)
      }))

    it.live("puts the metadata of a result under meta, and only there", () =>
      Effect.gen(function*() {
        const { office } = yield* withRaw("result")
        const answer = (result: object): Effect.Effect<unknown> =>
          call(office, "raw__result", { json: JSON.stringify(result) })
        assert.deepStrictEqual(yield* answer({ content: [], _meta: { a: 1 } }), { content: [], meta: { a: 1 } })
        assert.deepStrictEqual(yield* answer({ content: [], _meta: { a: 1 }, meta: { b: 1 } }), {
          content: [],
          meta: { a: 1 }
        })
        assert.deepStrictEqual(yield* answer({ content: [] }), { content: [] })
      }))

    it.live("routes by the whole exposed name", () =>
      Effect.gen(function*() {
        const config = {
          servers: {
            a: { command: "-", tool_meta: { x: { alias: "b__y" } } },
            b: { command: "-", forbidden_tools: ["z"] }
          }
        }
        const { office } = yield* withServers({
          a: new ToolServer({ x: () => "a.x", y: () => "a.y" }),
          b: new ToolServer({ y: () => "b.y", z: () => "b.z" })
        }, { config })
        const texts = yield* Effect.forEach(["a__b__y", "a__y", "b__y"], (name) => call(office, name))
        assert.deepStrictEqual(texts.map(({ content }) => content[0]!.text), ["a.x", "a.y", "b.y"])
        for (const unknown of ["a__x", "x", "y", "b__z", "z", "a__", "", "constructor"]) {
          const { content, isError, meta, structuredContent } = yield* call(office, unknown)
          assert.deepStrictEqual([isError, meta?.["error_code"]], [true, 4001], unknown)
          assert.include(content[0]!.text, `'${unknown}' not found`)
          assert.isString(structuredContent?.["error_type"])
        }
      }))

    it.live("answers what the MCP server refuses, without a stack", () =>
      Effect.gen(function*() {
        const { office } = yield* withRaw("raw")
        const frame = {
          jsonrpc: "2.0",
          id: "ID",
          error: { code: -32603, message: "cannot open\n    at open (/home/me/secret/server.js:1:2)\nreally" }
        }
        const { content, isError, meta } = yield* call(office, "raw__raw", { frame: JSON.stringify(frame) })
        assert.strictEqual(content[0]!.text, "Tool execution failed: cannot open\nreally")
        assert.deepStrictEqual([isError, meta?.["error_code"]], [true, 4003])
      }))

    it.live("answers when the MCP server dies, without what it wrote, and lets the next call wait until it is back", () =>
      Effect.gen(function*() {
        const { office } = yield* withRaw("exit", "echo")
        const { content } = yield* atOnce(call(office, "raw__exit", { code: 4 }))
        assert.strictEqual(content[0]!.text, "Tool execution failed: The MCP server ended with exit code 4.")
        assert.deepStrictEqual(yield* toolNames(office), ["raw__exit", "raw__echo"])
        assert.isUndefined((yield* call(office, "raw__echo")).isError)
      }))

    it.live("forgets the tools of an MCP server that is gone for good", () =>
      Effect.gen(function*() {
        const office = yield* makeOffice()
        yield* build(office, { servers: { raw: raw(listed("exit")) } }, { connector: connectTo({}), reconnect: false })
        assert.deepStrictEqual(yield* toolNames(office), ["raw__exit"])
        yield* atOnce(call(office, "raw__exit", { code: 4 }))
        yield* eventually("the change is reported", () => office.count("server:update_tool_list") > 0)
        assert.deepStrictEqual(yield* toolNames(office), [])
        assert.strictEqual((yield* call(office, "raw__exit")).meta?.["error_code"], 4001)
      }))

    it.live("ends at its deadline and tells the MCP server", () =>
      Effect.gen(function*() {
        const { computer, office } = yield* withRaw("never", "received")
        const answer = yield* atOnce(call(office, "raw__never", { x: 1 }, { timeout: 0.2 }))
        assert.deepStrictEqual(answer, JSON.parse(JSON.stringify(ToolResult.timedOut(0.2))))
        const received = yield* receivedBy(office)
        const never = received.find(({ params }) => params?.arguments?.["x"] === 1)
        const cancelled = received.filter(({ method }) => method === "notifications/cancelled")
        assert.deepStrictEqual(cancelled.map(({ params }) => params?.requestId), [never?.id])
        assert.strictEqual(yield* computer.inFlight, 0)
      }))

    it.live("has no deadline of its own below a very long one", () =>
      Effect.gen(function*() {
        const { office } = yield* withRaw("echo")
        assert.isUndefined((yield* call(office, "raw__echo", {}, { timeout: 1e9 })).isError)
      }))

    it.live("ends when it is cancelled and tells the MCP server", () =>
      Effect.gen(function*() {
        const { computer, office } = yield* withRaw("never", "received")
        const [first, second] = yield* Effect.forEach(["one", "two"], (req_id) =>
          Effect.forkChild(call(office, "raw__never", { req_id }, { req_id }), { startImmediately: true }))
        while ((yield* computer.inFlight) < 2) {
          yield* Effect.yieldNow
        }
        yield* office.cancel("nobody")
        yield* office.cancel("one")
        assert.deepStrictEqual(yield* atOnce(Fiber.join(first!)), JSON.parse(JSON.stringify(ToolResult.cancelled)))
        assert.strictEqual(yield* computer.inFlight, 1)
        const received = yield* receivedBy(office)
        const one = received.find(({ params }) =>
          params?.arguments?.["req_id"] === "one"
        )
        const cancelled = received.filter(({ method }) => method === "notifications/cancelled")
        assert.deepStrictEqual(cancelled.map(({ params }) => params?.requestId), [one?.id])
        yield* office.cancel("one")
        yield* office.cancel("two")
        yield* office.cancel("two")
        assert.strictEqual((yield* atOnce(Fiber.join(second!))).meta?.["a2c_cancelled"], true)
        assert.strictEqual(yield* computer.inFlight, 0)
      }))

    it.live("refuses a request id that is in use, and takes it again afterwards", () =>
      Effect.gen(function*() {
        let aborted = 0
        const { computer, office } = yield* withServers({
          a: new ToolServer({ wait: (_, { signal }) => until(signal, () => aborted++), one: () => "1" })
        })
        const first = yield* Effect.forkChild(call(office, "a__wait", {}, { req_id: "same" }), {
          startImmediately: true
        })
        while ((yield* computer.inFlight) < 1) yield* Effect.yieldNow
        assert.deepStrictEqual(yield* office.ask(ToolCall, toolCall("a__one", {}, { req_id: "same" })), {
          code: 400,
          message: "A call with req_id \"same\" is still running"
        })
        assert.deepStrictEqual([yield* computer.inFlight, aborted], [1, 0])
        yield* office.cancel("same")
        assert.isTrue((yield* Fiber.join(first)).isError)
        assert.strictEqual((yield* call(office, "a__one", {}, { req_id: "same" })).content[0]!.text, "1")
      }))

    it.effect("marks how it ended as the protocol says, and only then", () =>
      Effect.gen(function*() {
        const server = new ToolServer({
          wait: (_, { signal }) => until(signal, () => {}),
          fail: () => ({ isError: true })
        })
        const { computer, office } = yield* withServers({ a: server })
        const slow = yield* Effect.forkChild(call(office, "a__wait", {}, { timeout: 3 }), { startImmediately: true })
        const stopped = yield* Effect.forkChild(call(office, "a__wait", {}, { req_id: "r" }), {
          startImmediately: true
        })
        while ((yield* computer.inFlight) < 2) yield* Effect.yieldNow
        yield* office.cancel("r")
        yield* TestClock.adjust("3 seconds")
        assert.deepStrictEqual<unknown>(yield* Fiber.join(slow), {
          meta: { a2c_timeout: true },
          content: [{ type: "text", text: "Tool call timed out after 3 s" }],
          structuredContent: null,
          isError: true
        })
        assert.deepStrictEqual<unknown>(yield* Fiber.join(stopped), {
          meta: { a2c_cancelled: true, a2c_cancel_reason: "agent_requested" },
          content: [{ type: "text", text: "Tool call cancelled" }],
          structuredContent: null,
          isError: true
        })
        assert.notProperty(yield* call(office, "a__fail"), "meta")
      }))

    it.effect("is forgotten, here and by the MCP server, when hundreds time out", () =>
      Effect.gen(function*() {
        let aborted = 0
        const server = new ToolServer({ wait: (_, { signal }) => until(signal, () => aborted++) })
        const { computer, office } = yield* withServers({ a: server })
        for (let round = 1; round <= 2; round++) {
          const calls = yield* Effect.forkChild(
            Effect.forEach(Array.from({ length: 300 }), () => call(office, "a__wait", {}, { timeout: 1 }), {
              concurrency: "unbounded"
            }),
            { startImmediately: true }
          )
          while ((yield* computer.inFlight) < 300) yield* Effect.yieldNow
          yield* TestClock.adjust("1 second")
          const answers = yield* Fiber.join(calls)
          assert.isTrue(answers.every(({ meta }) => meta?.["a2c_timeout"] === true))
          assert.strictEqual(yield* computer.inFlight, 0)
          yield* TestClock.withLive(eventually("the tools are told", () => aborted === round * 300))
        }
      }))

    it.live("is stopped when the connection goes", () =>
      Effect.gen(function*() {
        let aborted = 0
        const { computer, office } = yield* withServers({
          a: new ToolServer({ wait: (_, { signal }) => until(signal, () => aborted++) })
        })
        const ask = yield* Effect.forkChild(Effect.exit(call(office, "a__wait")), { startImmediately: true })
        while ((yield* computer.inFlight) < 1) yield* Effect.yieldNow
        yield* office.hub.disconnect(office.connection!.sid)
        assert.isTrue(Exit.isFailure(yield* Fiber.join(ask)))
        yield* eventually("the tool is told", () => aborted === 1)
        assert.strictEqual(yield* computer.inFlight, 0)
      }))

    it.live("runs many at a time, each with its own result, beside one that hangs", () =>
      Effect.gen(function*() {
        const { computer, office } = yield* withServers({
          a: new ToolServer({
            echo: async ({ n }) => {
              await new Promise((resolve) => setTimeout(resolve, Math.random() * 20))
              return `echo ${String(n)}`
            },
            wait: (_, { signal }) => until(signal, () => {})
          }),
          b: new ToolServer({ echo: ({ n }) => `b ${String(n)}` })
        })
        const hanging = yield* Effect.forkChild(call(office, "a__wait", {}, { req_id: "hang" }), {
          startImmediately: true
        })
        const numbers = Array.from({ length: 400 }, (_, index) => index)
        const answers = yield* atOnce(Effect.forEach(
          numbers,
          (n) => call(office, n % 2 === 0 ? "a__echo" : "b__echo", { n }),
          { concurrency: "unbounded" }
        ))
        assert.deepStrictEqual(
          answers.map(({ content }) => content[0]!.text),
          numbers.map((n) => n % 2 === 0 ? `echo ${n}` : `b ${n}`)
        )
        assert.strictEqual(yield* computer.inFlight, 1)
        yield* office.cancel("hang")
        yield* Fiber.join(hanging)
      }))

    it.live("logs progress with the request's id", () =>
      Effect.gen(function*() {
        const logged: Array<string> = []
        const logger = Logger.map(Logger.formatLogFmt, (line) => void logged.push(line))
        const office = yield* makeOffice()
        const server = new ToolServer({
          steps: async (_, { progress }) => {
            await progress(1, 2, "half\nway")
            await progress(2)
            return "done"
          }
        })
        yield* build(office, { servers: { a: { command: "-" } } }, { connector: connectTo({ a: server }), loud: true })
          .pipe(
            Effect.provide(Logger.layer([logger]))
          )
        yield* call(office, "a__steps", {}, { req_id: "r7" })
        const lines = logged.filter((line) => line.includes("progress"))
        assert.strictEqual(lines.length, 2)
        assert.match(lines[0]!, /level=INFO.*"progress a__steps 1\/2 half way".*req_id=r7/)
        assert.match(lines[1]!, /"progress a__steps 2".*req_id=r7/)
      }))
  })
})
