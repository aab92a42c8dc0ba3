import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { atOnce, connect, expectReason, failure, textOf } from "./support/mcpClients.ts"
import { eventually, isAlive } from "./support/processes.ts"

describe("what McpClient makes of what a server writes", () => {
  describe("noise", () => {
    it.live("skips and counts what is not MCP on stdout, before and between frames", () =>
      Effect.gen(function*() {
        const client = yield* connect({ banner: "Welcome!\nnpm warn deprecated\n\n" })
        assert.strictEqual(textOf(yield* client.callTool("noise", {})), "after the noise")
        assert.strictEqual(textOf(yield* client.callTool("noise", {})), "after the noise")
        const { lastStrayLines, strayLines } = yield* client.diagnostics
        assert.isAtLeast(strayLines, 2 + 4 + 1 + 4)
        assert.deepStrictEqual(lastStrayLines.slice(0, 5), [
          "Welcome!",
          "npm warn deprecated",
          "loading model…",
          "{\"level\":\"info\",\"id\":1}",
          "[1,2]"
        ])
      }))

    it.live("a flood on stderr blocks nothing and is kept within bounds", () =>
      Effect.gen(function*() {
        const client = yield* atOnce(connect({ stderr: 1_000_000, say: "first line" }))
        assert.deepStrictEqual(JSON.parse(textOf(yield* client.callTool("echo", {}))), {})
        const { stderrTail } = yield* client.diagnostics
        assert.strictEqual(stderrTail.length, 200)
        assert.notInclude(stderrTail, "first line")
      }))

    it.live("reads a result of 20 MB", () =>
      Effect.gen(function*() {
        const client = yield* connect()
        const result = yield* atOnce(client.callTool("big", { bytes: 20_000_000 }))
        assert.strictEqual(textOf(result).length, 20_000_000)
      }))

    const padding = "z".repeat(150_000)
    const oversize: ReadonlyArray<readonly [string, string]> = [
      ["its id before the result", `{"jsonrpc":"2.0","id":"ID","result":{"v":"${padding}"}}`],
      ["its id at the end", `{"result":{"v":"${padding}"},"jsonrpc":"2.0","id":"ID"}`],
      ["its id before the version", `{"result":{"v":"${padding}"},"id":"ID","jsonrpc":"2.0"}`]
    ]
    for (const [name, frame] of oversize) {
      it.live(`a frame over the limit with ${name} ends the call at once, and only the call`, () =>
        Effect.gen(function*() {
          const client = yield* connect({}, { maxFrameBytes: 100_000 })
          const { reason } = yield* failure(atOnce(client.callTool("raw", { frame })))
          assert.strictEqual(expectReason(reason, "TooLarge").limit, 100_000)
          assert.strictEqual(textOf(yield* atOnce(client.callTool("echo", { n: 1 }))), "{\"n\":1}")
        }))
    }

    it.live("a notification over the limit is skipped; what nobody can tell apart ends the connection", () =>
      Effect.gen(function*() {
        const client = yield* connect({}, { maxFrameBytes: 100_000 })
        const frames = [{ method: "notifications/x", params: { padding } }]
        assert.strictEqual(textOf(yield* atOnce(client.callTool("notify", { frames }))), "notified")
        const { reason } = yield* failure(
          atOnce(client.callTool("raw", { frame: `{"odd":"${padding}","id":"ID","x":[]}` }))
        )
        assert.strictEqual(expectReason(reason, "TooLarge").limit, 100_000)
        expectReason((yield* atOnce(client.closed)).reason, "TooLarge")
        yield* eventually("the server is ended", () => !isAlive(client.pid ?? -1))
      }))
  })

  describe("frames", () => {
    const usable: ReadonlyArray<readonly [string, string]> = [
      ["an extra key", "{\"jsonrpc\":\"2.0\",\"id\":\"ID\",\"result\":{\"v\":1},\"extra\":true}"],
      ["no jsonrpc", "{\"id\":\"ID\",\"result\":{\"v\":1}}"],
      ["a batch", "[{\"jsonrpc\":\"2.0\",\"id\":\"ID\",\"result\":{\"v\":1}}]"],
      ["a null error beside the result", "{\"jsonrpc\":\"2.0\",\"id\":\"ID\",\"result\":{\"v\":1},\"error\":null}"],
      ["a carriage return", "{\"jsonrpc\":\"2.0\",\"id\":\"ID\",\"result\":{\"v\":1}}\r"]
    ]
    for (const [name, frame] of usable) {
      it.live(`a result with ${name} is taken`, () =>
        Effect.gen(function*() {
          const client = yield* connect()
          assert.deepStrictEqual(yield* atOnce(client.callTool("raw", { frame })), { v: 1 })
        }))
    }

    const malformed: ReadonlyArray<readonly [string, string]> = [
      ["a null result", "{\"jsonrpc\":\"2.0\",\"id\":\"ID\",\"result\":null}"],
      ["a result that is a string", "{\"jsonrpc\":\"2.0\",\"id\":\"ID\",\"result\":\"ok\"}"],
      ["a result that is an array", "{\"jsonrpc\":\"2.0\",\"id\":\"ID\",\"result\":[]}"],
      ["an error that is a string", "{\"jsonrpc\":\"2.0\",\"id\":\"ID\",\"error\":\"boom\"}"],
      ["neither result nor error", "{\"jsonrpc\":\"2.0\",\"id\":\"ID\"}"]
    ]
    for (const [name, frame] of malformed) {
      it.live(`${name} ends the call at once, and only the call`, () =>
        Effect.gen(function*() {
          const client = yield* connect()
          const { reason } = yield* failure(atOnce(client.callTool("raw", { frame })))
          expectReason(reason, "Decode")
          assert.deepStrictEqual(JSON.parse(textOf(yield* client.callTool("echo", { still: "here" }))), {
            still: "here"
          })
        }))
    }

    const deep = "[".repeat(100_000) + "]".repeat(100_000)
    const bottomless: ReadonlyArray<readonly [name: string, rest: string]> = [
      ["an error", `"error":${deep}`],
      ["a result", `"result":${deep}`],
      ["what an error tells of it", `"error":{"code":1,"message":"m","data":${deep}}`],
      ["the versions of an error", `"error":{"code":-32022,"message":"m","data":{"supported":[${deep}]}}`]
    ]
    for (const [name, rest] of bottomless) {
      it.live(`${name} that is nested too deep to be written ends the call at once, and only the call`, () =>
        Effect.gen(function*() {
          const client = yield* connect()
          yield* failure(atOnce(client.callTool("raw", { frame: `{"jsonrpc":"2.0","id":"ID",${rest}}` })))
          assert.strictEqual(textOf(yield* client.callTool("echo", {})), "{}")
        }))
    }

    it.live("a large array that is no batch is skipped as one line", () =>
      Effect.gen(function*() {
        const client = yield* connect()
        const frame = `[${"0,".repeat(1_000_000)}0]\n{"jsonrpc":"2.0","id":"ID","result":{"v":1}}`
        assert.deepStrictEqual(yield* atOnce(client.callTool("raw", { frame })), { v: 1 })
        assert.strictEqual((yield* client.diagnostics).strayLines, 1)
      }))

    it.live("an error without code or message still ends the call", () =>
      Effect.gen(function*() {
        const client = yield* connect()
        const { reason } = yield* failure(
          atOnce(client.callTool("raw", { frame: "{\"jsonrpc\":\"2.0\",\"id\":\"ID\",\"error\":{\"code\":\"x\"}}" }))
        )
        assert.strictEqual(expectReason(reason, "Rpc").code, -32603)
      }))

    it.live("a JSON-RPC error keeps its code, message and data, whatever the code means to the SDK", () =>
      Effect.gen(function*() {
        const client = yield* connect()
        for (const code of [-32000, -32001, -32042, -32602, 17]) {
          const error = { code, message: "no such row", data: { row: 5, elicitations: [] } }
          const { message, reason } = yield* failure(
            client.callTool("raw", { frame: JSON.stringify({ jsonrpc: "2.0", id: "ID", error }) })
          )
          const failed = expectReason(reason, "Rpc")
          assert.deepStrictEqual({ code: failed.code, message: failed.message, data: failed.data }, error)
          assert.strictEqual(message, "no such row")
        }
      }))

    it.live("results pass through as they are", () =>
      Effect.gen(function*() {
        const client = yield* connect()
        const results = [
          `{"content":[{"type":"hologram","depth":3,"_meta":{"k":1}},{"type":"text","text":"a","x-extra":{"deep":[1]},"annotations":{"priority":7,"audience":["robot"],"lastModified":"yesterday"}}],"topExtra":{"z":null}}`,
          `{"structuredContent":{"b":null,"a":1},"isError":true}`,
          `{"content":[{"type":"image","data":"!!! not base64","mimeType":"image/png"}],"resultType":"complete"}`,
          `{"z":1,"_meta":{"progressToken":{"odd":true},"a2c/x":[1]},"a":2}`,
          `{"_meta":"not even an object"}`,
          `{"task":{"taskId":"t1","status":"working"}}`,
          `{}`
        ]
        for (const json of results) {
          const result = yield* atOnce(client.callTool("result", { json }))
          assert.deepStrictEqual(result, JSON.parse(json))
          assert.strictEqual(JSON.stringify(result), json)
        }
      }))
  })

  describe("tools", () => {
    const tool = (name: string, more: object = {}) => ({ name, inputSchema: { type: "object" }, ...more })

    it.live("one bad tool is skipped with the reason and hides no other", () =>
      Effect.gen(function*() {
        const client = yield* connect({
          toolPages: [[
            tool("first", { "x-own": [1], annotations: { readOnlyHint: true, "x-hint": 1 } }),
            { name: "no-schema" },
            { name: "null-schema", inputSchema: null },
            { inputSchema: { type: "object" } },
            "a string",
            null,
            tool("odd-schema", { inputSchema: { $ref: "https://example.com/none", properties: { a: true } } }),
            tool("odd-fields", { description: 5, outputSchema: null, annotations: [], _meta: { k: 1 } }),
            tool("last")
          ]]
        })
        const { skipped, tools } = yield* client.listTools
        assert.deepStrictEqual(tools, [
          tool("first", { "x-own": [1], annotations: { readOnlyHint: true, "x-hint": 1 } }),
          tool("odd-schema", { inputSchema: { $ref: "https://example.com/none", properties: { a: true } } }),
          tool("odd-fields", { _meta: { k: 1 } }),
          tool("last")
        ])
        assert.deepStrictEqual(skipped, [
          { name: "no-schema", why: "its inputSchema is not an object but missing" },
          { name: "null-schema", why: "its inputSchema is not an object but null" },
          { name: undefined, why: "its name is not a string but missing" },
          { name: undefined, why: "the tool is not an object but a string" },
          { name: undefined, why: "the tool is not an object but null" }
        ])
      }))

    it.live("a tool that is nested too deep for any list to be sent is skipped", () =>
      Effect.gen(function*() {
        const nested = (levels: number): unknown => levels === 0 ? 1 : [nested(levels - 1)]
        const client = yield* connect({
          toolPages: [[
            tool("deep", { inputSchema: { type: "object", default: nested(200) } }),
            tool("deeper", { inputSchema: { type: "object", default: nested(300) } }),
            tool("last")
          ]]
        })
        const { skipped, tools } = yield* client.listTools
        assert.deepStrictEqual(tools.map(({ name }) => name), ["deep", "last"])
        assert.deepStrictEqual(skipped, [{ name: "deeper", why: "it is nested deeper than 256 levels" }])
      }))

    it.live("reads all pages, and ends a list that goes in circles or never ends", () =>
      Effect.gen(function*() {
        const pages = yield* connect({ toolPages: [[tool("a")], [tool("b")], [tool("c")]] })
        assert.deepStrictEqual((yield* pages.listTools).tools.map(({ name }) => name), ["a", "b", "c"])
        const circle = yield* connect({ toolPages: [{ tools: [tool("a")], nextCursor: "0" }] })
        const { skipped, tools } = yield* atOnce(circle.listTools)
        assert.deepStrictEqual(tools.map(({ name }) => name), ["a", "a"])
        assert.match(skipped[0]?.why ?? "", /repeats/)
      }))

    it.live("a server without tools has none; one that has them unannounced is believed", () =>
      Effect.gen(function*() {
        const none = yield* connect({ capabilities: { resources: {} } })
        assert.deepStrictEqual(yield* none.listTools, { tools: [], skipped: [] })
        const unannounced = yield* connect({ capabilities: {}, toolPages: [[tool("a")]] })
        assert.strictEqual((yield* unannounced.listTools).tools.length, 1)
        const broken = yield* connect({ toolPages: [{ tools: "many" }] })
        expectReason((yield* failure(broken.listTools)).reason, "Decode")
      }))
  })
})
