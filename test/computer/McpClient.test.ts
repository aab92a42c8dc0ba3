import { assert, describe, it } from "@effect/vitest"
import { Server } from "@modelcontextprotocol/sdk/server/index.js"
import { CallToolRequestSchema, ListToolsRequestSchema } from "@modelcontextprotocol/sdk/types.js"
import { Effect, Exit, Fiber, Logger, Scope, Stream } from "effect"
import { tmpdir } from "node:os"
import { fileURLToPath } from "node:url"
import * as McpClient from "../../src/computer/McpClient.ts"
import { atOnce, connect, expectReason, failure, rawServer, received, textOf } from "./support/mcpClients.ts"
import { childrenOf, eventually, isAlive } from "./support/processes.ts"

const everything = fileURLToPath(
  new URL("../../node_modules/@modelcontextprotocol/server-everything/dist/index.js", import.meta.url)
)

describe("McpClient", () => {
  describe("connecting over stdio", () => {
    it.live("tells who the server is, with capabilities the SDK does not know", () =>
      Effect.gen(function*() {
        const client = yield* connect()
        assert.deepStrictEqual(client.serverInfo, { name: "raw", version: "1.2.3" })
        assert.deepStrictEqual(client.capabilities, { tools: { listChanged: true }, "x-own": { deep: [1] } })
        assert.strictEqual(client.instructions, "be careful")
        assert.deepStrictEqual(JSON.parse(textOf(yield* client.callTool("echo", { a: [1, null] }))), { a: [1, null] })
      }))

    it.live("names a command that does not exist", () =>
      Effect.gen(function*() {
        const { message, reason } = yield* failure(
          McpClient.connectStdio({ command: "no-such-command-here", args: ["--x"] })
        )
        assert.strictEqual(expectReason(reason, "Spawn").command, "no-such-command-here")
        assert.include(message, "was not found")
      }))

    it.live("names a working directory that does not exist or is a file", () =>
      Effect.gen(function*() {
        for (const cwd of ["/no/such/directory", rawServer]) {
          const { message, reason } = yield* failure(connect({}, { cwd }))
          expectReason(reason, "Spawn")
          assert.include(message, cwd)
          assert.include(message, "working directory")
        }
      }))

    it.live("shows exit code and stderr of a server that ends at once", () =>
      Effect.gen(function*() {
        const { message, reason } = yield* failure(atOnce(connect({ exit: 7 })))
        const closed = expectReason(reason, "Exit")
        assert.strictEqual(closed.code, 7)
        assert.deepStrictEqual(closed.stderrTail, ["cannot start: the database is locked"])
        assert.include(message, "exit code 7")
        assert.include(message, "the database is locked")
        assert.strictEqual(closed.summary, "The MCP server ended with exit code 7.")
      }))

    it.live("gives up on a server that never answers, shows its stderr and leaves no process", () =>
      Effect.gen(function*() {
        const before = childrenOf(process.pid)
        const scope = yield* Scope.make()
        const { message, reason } = yield* failure(
          connect({ silent: true, stubborn: true, say: "waiting for a license" }, { startTimeout: "700 millis" }).pipe(
            Scope.provide(scope)
          )
        )
        assert.include(expectReason(reason, "Handshake").detail, "within 0.7 s")
        assert.include(message, "waiting for a license")
        // the scope of the caller is still open
        assert.deepStrictEqual(childrenOf(process.pid), before)
        yield* Scope.close(scope, Exit.void)
      }))

    it.live("interrupting the connect leaves no process", () =>
      Effect.gen(function*() {
        const before = childrenOf(process.pid)
        const fiber = yield* Effect.scoped(connect({ silent: true })).pipe(Effect.forkChild({ startImmediately: true }))
        yield* eventually("a child is started", () => childrenOf(process.pid).length > before.length)
        yield* Fiber.interrupt(fiber)
        assert.deepStrictEqual(childrenOf(process.pid), before)
      }))

    it.live("says which protocol versions the server speaks", () =>
      Effect.gen(function*() {
        const answered = yield* failure(connect({ protocol: "1999-01-01" }))
        assert.deepStrictEqual(expectReason(answered.reason, "UnsupportedProtocolVersion").supported, ["1999-01-01"])
        const rejected = yield* failure(
          connect({
            rejectInitialize: { code: -32022, message: "Unsupported", data: { supported: ["2026-07-28"] } }
          })
        )
        assert.deepStrictEqual(expectReason(rejected.reason, "UnsupportedProtocolVersion").supported, ["2026-07-28"])
        assert.include(rejected.message, "2026-07-28")
      }))

    it.live("reports an initialize result that is not MCP, and an initialize error", () =>
      Effect.gen(function*() {
        expectReason((yield* failure(connect({ protocol: 5 }))).reason, "Decode")
        const { reason } = yield* failure(connect({ rejectInitialize: { code: -32603, message: "license expired" } }))
        assert.strictEqual(expectReason(reason, "Rpc").message, "license expired")
      }))

    it.live("gives the server the safe part of our environment and what is configured", () =>
      Effect.gen(function*() {
        process.env["A2C_TEST_PRIVATE"] = "do-not-pass-on"
        yield* Effect.addFinalizer(() => Effect.sync(() => delete process.env["A2C_TEST_PRIVATE"]))
        const client = yield* connect({}, { env: { API_TOKEN: "t0ken" }, cwd: tmpdir() })
        const { cwd, env } = JSON.parse(textOf(yield* client.callTool("environment", {})))
        assert.strictEqual(env.API_TOKEN, "t0ken")
        assert.strictEqual(env.PATH, process.env["PATH"])
        assert.strictEqual(env.A2C_TEST_PRIVATE, undefined)
        assert.strictEqual(cwd, tmpdir())
      }))

    it.live("hides configured values in what it shows of stderr and stdout", () =>
      Effect.gen(function*() {
        const options = { env: { KEY: "s3cret-value", PEM: "line-one\nline-two", N: "1" } }
        const { message } = yield* failure(
          connect({ say: "login with s3cret-value failed, 1 of 1: line-two", exit: 1 }, options)
        )
        assert.include(message, "login with *** failed, 1 of 1: ***")
        const client = yield* connect({ banner: "key is s3cret-value\n" }, options)
        assert.deepStrictEqual((yield* client.diagnostics).lastStrayLines, ["key is ***"])
      }))
  })

  describe("a server that goes away", () => {
    it.live("ends every call at once, with exit code and stderr", () =>
      Effect.gen(function*() {
        const client = yield* connect()
        const waiting = yield* failure(client.callTool("never", {})).pipe(Effect.forkChild({ startImmediately: true }))
        const { reason } = yield* failure(atOnce(client.callTool("exit", { code: 3 })))
        const closed = expectReason(reason, "Exit")
        assert.strictEqual(closed.code, 3)
        assert.deepStrictEqual(closed.stderrTail, ["out of memory"])
        assert.strictEqual(expectReason((yield* atOnce(Fiber.join(waiting))).reason, "Exit").code, 3)
        assert.strictEqual(expectReason((yield* client.closed).reason, "Exit").code, 3)
        const later = yield* failure(atOnce(client.callTool("echo", {})))
        assert.strictEqual(expectReason(later.reason, "Exit").code, 3)
      }))

    it.live("names the signal that ended it", () =>
      Effect.gen(function*() {
        const client = yield* connect()
        const { message, reason } = yield* failure(atOnce(client.callTool("killed", {})))
        assert.strictEqual(expectReason(reason, "Exit").signal, "SIGKILL")
        assert.include(message, "SIGKILL")
      }))

    it.live("is noticed although a helper of it holds its pipes open, and the helper is ended", () =>
      Effect.gen(function*() {
        const client = yield* connect({ helper: "holds-pipes" })
        const pids = JSON.parse(textOf(yield* client.callTool("pids", {})))
        const { reason } = yield* failure(atOnce(client.callTool("exit", { code: 0 })))
        assert.strictEqual(expectReason(reason, "Exit").code, 0)
        yield* eventually("the helper is ended", () => !isAlive(pids.helper))
      }))

    it.live("is noticed when it only closes its stdout", () =>
      Effect.gen(function*() {
        const client = yield* connect({ stubborn: true })
        const { message, reason } = yield* failure(atOnce(client.callTool("closeStdout", {})))
        expectReason(reason, "Closed")
        assert.include(message, "stdout")
      }))

    it.live("closing the scope tells those who wait", () =>
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        const client = yield* connect().pipe(Scope.provide(scope))
        const call = yield* failure(client.callTool("never", {})).pipe(Effect.forkChild({ startImmediately: true }))
        const events = yield* Stream.runCollect(client.notifications).pipe(Effect.forkChild({ startImmediately: true }))
        yield* Scope.close(scope, Exit.void)
        expectReason((yield* atOnce(Fiber.join(call))).reason, "Closed")
        expectReason((yield* atOnce(client.closed)).reason, "Closed")
        assert.deepStrictEqual(yield* atOnce(Fiber.join(events)), [])
      }))
  })

  describe("cancelling", () => {
    it.live("an interrupted call is cancelled at the server, by its request id", () =>
      Effect.gen(function*() {
        const client = yield* connect()
        const call = yield* client.callTool("never", { which: 1 }).pipe(Effect.forkChild({ startImmediately: true }))
        yield* client.callTool("echo", {})
        yield* Fiber.interrupt(call)
        const messages = yield* received(client)
        const sent = messages.find((message) => message.params?.arguments?.which === 1)
        const cancelled = messages.filter((message) => message.method === "notifications/cancelled")
        assert.deepStrictEqual(cancelled.map((message) => message.params?.requestId), [sent?.id])
        assert.notStrictEqual(sent?.id, 0, "SDK servers ignore a cancel of request 0")
      }))

    it.live("a request that is not answered in time fails and is cancelled", () =>
      Effect.gen(function*() {
        const client = yield* connect({}, { requestTimeout: "200 millis" })
        const { message, reason } = yield* failure(client.request("stall", { a: 1 }))
        assert.strictEqual(expectReason(reason, "Timeout").method, "stall")
        assert.include(message, "0.2 s")
        const messages = yield* received(client)
        const stalled = messages.find((message) => message.method === "stall")
        assert.isTrue(
          messages.some((each) => each.method === "notifications/cancelled" && each.params?.requestId === stalled?.id)
        )
      }))

    it.live("a thousand calls that succeed cancel nothing", () =>
      Effect.gen(function*() {
        const client = yield* connect()
        yield* Effect.forEach(Array.from({ length: 1000 }, (_, n) => n), (n) => client.callTool("echo", { n }), {
          concurrency: 50
        })
        const messages = yield* received(client)
        assert.isFalse(messages.some((each) => each.method === "notifications/cancelled"))
      }))

    it.live("arguments that are no JSON fail the call and leave the connection alone", () =>
      Effect.gen(function*() {
        const client = yield* connect()
        const { message, reason } = yield* failure(atOnce(client.callTool("echo", { n: 1n })))
        assert.strictEqual(expectReason(reason, "Rpc").code, -32602)
        assert.include(message, "BigInt")
        assert.strictEqual(textOf(yield* client.callTool("echo", {})), "{}")
      }))
  })

  describe("progress and notifications", () => {
    it.live("all progress is delivered before the result, also what arrives together with it", () =>
      Effect.gen(function*() {
        const client = yield* connect()
        const seen: Array<McpClient.Progress> = []
        const onProgress = (progress: McpClient.Progress) =>
          Effect.sleep("1 millis").pipe(Effect.andThen(Effect.sync(() => seen.push(progress))), Effect.asVoid)
        assert.strictEqual(textOf(yield* client.callTool("progress", { steps: 5 }, { onProgress })), "done")
        assert.deepStrictEqual(seen, [1, 2, 3, 4, 5].map((progress) => ({ progress, total: 5 })))
      }))

    it.live("progress of a call that then fails is delivered; a listener that dies fails no call", () =>
      Effect.gen(function*() {
        const client = yield* connect()
        const onDie = () => Effect.die(new Error("listener"))
        const logged: Array<unknown> = []
        const call = client.callTool("progress", { steps: 2 }, { onProgress: onDie }).pipe(
          Effect.provide(Logger.layer([Logger.make(({ message }) => logged.push(message))]))
        )
        assert.strictEqual(textOf(yield* call), "done")
        assert.strictEqual(logged.length, 2)
        const seen: Array<McpClient.Progress> = []
        const onProgress = (progress: McpClient.Progress) => Effect.sync(() => void seen.push(progress))
        expectReason(
          (yield* failure(client.callTool("progressThenExit", {}, { onProgress }))).reason,
          "Exit"
        )
        assert.deepStrictEqual(seen, [{ progress: 1, total: 2, message: "step 1" }])
      }))

    it.live("an interrupted call with a progress listener is cancelled and leaves no fiber", () =>
      Effect.gen(function*() {
        const client = yield* connect()
        const call = yield* client.callTool("never", {}, { onProgress: () => Effect.void }).pipe(
          Effect.forkChild({ startImmediately: true })
        )
        yield* client.callTool("echo", {})
        yield* atOnce(Fiber.interrupt(call))
        const messages = yield* received(client)
        assert.isTrue(messages.some((each) => each.method === "notifications/cancelled"))
      }))

    it.live("nothing is lost from the first moment, and unknown notifications come unchanged", () =>
      Effect.gen(function*() {
        const greeting = { method: "notifications/tools/list_changed" }
        const client = yield* connect({ greet: [{ jsonrpc: "2.0", ...greeting }] })
        const custom = { method: "notifications/vendor/x", params: { q: { deep: [1] }, _meta: "odd" } }
        yield* client.callTool("notify", { frames: [custom] })
        const first = yield* client.notifications.pipe(
          Stream.take(3),
          Stream.runCollect,
          Effect.forkChild({ startImmediately: true })
        )
        const second = yield* client.notifications.pipe(
          Stream.take(1),
          Stream.runCollect,
          Effect.forkChild({ startImmediately: true })
        )
        yield* client.callTool("notify", { frames: [{ method: "notifications/later" }] })
        assert.deepStrictEqual(yield* atOnce(Fiber.join(first)), [
          { ...greeting, params: {} },
          custom,
          { method: "notifications/later", params: {} }
        ])
        assert.deepStrictEqual(yield* atOnce(Fiber.join(second)), [{ method: "notifications/later", params: {} }])
      }))

    it.live("a request of the server is answered, not left hanging", () =>
      Effect.gen(function*() {
        const client = yield* connect()
        const ping = JSON.parse(textOf(yield* atOnce(client.callTool("ask", { method: "ping" }))))
        assert.deepStrictEqual(ping.result, {})
        const roots = JSON.parse(textOf(yield* atOnce(client.callTool("ask", { method: "roots/list" }))))
        assert.strictEqual(roots.error.code, -32601)
      }))
  })

  describe("in memory", () => {
    const makeServer = (onCall: (args: Record<string, unknown>, signal: AbortSignal) => unknown) => {
      const server = new Server({ name: "inside", version: "2" }, { capabilities: { tools: {} } })
      server.setRequestHandler(ListToolsRequestSchema, () => ({
        tools: [{ name: "echo", inputSchema: { type: "object" as const } }]
      }))
      server.setRequestHandler(CallToolRequestSchema, async (request, extra) => ({
        content: [],
        structuredContent: (await onCall(request.params.arguments ?? {}, extra.signal)) as Record<string, unknown>
      }))
      return server
    }

    it.live("lists and calls, without sharing a reference", () =>
      Effect.gen(function*() {
        let kept: Array<unknown> = []
        const client = yield* McpClient.connectInMemory(makeServer((args) => {
          if (Array.isArray(args["list"])) kept = args["list"]
          return args
        }))
        assert.strictEqual(client.serverInfo.name, "inside")
        assert.strictEqual(client.pid, undefined)
        assert.deepStrictEqual((yield* client.listTools).tools.map(({ name }) => name), ["echo"])
        const args = { list: [1] }
        const result = yield* client.callTool("echo", args)
        assert.deepStrictEqual(result, { content: [], structuredContent: { list: [1] } })
        kept.push(2)
        assert.deepStrictEqual(args, { list: [1] })
        assert.deepStrictEqual(result, { content: [], structuredContent: { list: [1] } })
      }))

    it.live("an interrupted call aborts the handler of the server", () =>
      Effect.gen(function*() {
        let aborted = false
        const server = makeServer((_, signal) =>
          new Promise(() =>
            signal.addEventListener("abort", () => {
              aborted = true
            })
          )
        )
        const client = yield* McpClient.connectInMemory(server)
        const call = yield* client.callTool("echo", {}).pipe(Effect.forkChild({ startImmediately: true }))
        yield* client.listTools
        yield* Fiber.interrupt(call)
        yield* eventually("the handler is aborted", () => aborted)
      }))

    it.live("ends on both sides, whoever closes it", () =>
      Effect.gen(function*() {
        const server = makeServer(() => new Promise(() => {}))
        const client = yield* McpClient.connectInMemory(server)
        const call = yield* failure(client.callTool("echo", {})).pipe(Effect.forkChild({ startImmediately: true }))
        yield* Effect.promise(() => server.close())
        expectReason((yield* atOnce(Fiber.join(call))).reason, "Closed")
        expectReason((yield* atOnce(client.closed)).reason, "Closed")

        const other = makeServer(() => ({}))
        let closed = false
        other.onclose = () => {
          closed = true
        }
        yield* Effect.scoped(McpClient.connectInMemory(other))
        assert.isTrue(closed)
      }))
  })

  describe("server-everything", () => {
    it.live("lists tools, echoes, and reports all progress", () =>
      Effect.gen(function*() {
        const client = yield* McpClient.connectStdio({ command: process.execPath, args: [everything, "stdio"] })
        const { skipped, tools } = yield* client.listTools
        assert.deepStrictEqual(skipped, [])
        assert.includeMembers(tools.map(({ name }) => name), ["echo", "trigger-long-running-operation"])
        assert.strictEqual(textOf(yield* client.callTool("echo", { message: "hello" })), "Echo: hello")
        const seen: Array<number> = []
        yield* client.callTool("trigger-long-running-operation", { duration: 1, steps: 4 }, {
          onProgress: ({ progress }) => Effect.sync(() => void seen.push(progress))
        })
        assert.deepStrictEqual(seen, [1, 2, 3, 4])
      }))
  })
})
