import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Logger, Scope, Stream } from "effect"
import type { Handlers } from "../../src/computer/ClientHandlers.ts"
import type * as McpClient from "../../src/computer/McpClient.ts"
import { atOnce, expectReason, failure, textOf } from "./support/mcpClients.ts"
import { wires } from "./support/mcpContract.ts"
import { eventually } from "./support/processes.ts"

/** A message as the server has received it. */
interface Seen {
  readonly id?: number
  readonly method: string
  readonly name?: string
  readonly requestId?: number
  readonly params?: Readonly<Record<string, unknown>>
}

const structured = (result: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> =>
  result["structuredContent"] as Readonly<Record<string, unknown>>

const seenBy = (client: McpClient.McpClient): Effect.Effect<ReadonlyArray<Seen>> =>
  Effect.orDie(Effect.map(client.callTool("seen", {}), (result) => structured(result)["seen"] as ReadonlyArray<Seen>))

/** Looks at what the server has seen until it is what is waited for. */
const seenUntil = (client: McpClient.McpClient, what: string, holds: (seen: ReadonlyArray<Seen>) => boolean) =>
  Effect.gen(function*() {
    for (let look = 0; look < 200; look++) {
      const seen = yield* seenBy(client)
      if (holds(seen)) return seen
      yield* Effect.sleep("20 millis")
    }
    return yield* Effect.die(new Error(`The server has not seen: ${what}`))
  })

const cancelled = (seen: ReadonlyArray<Seen>) =>
  seen.filter(({ method }) => method === "notifications/cancelled").map(({ requestId }) => requestId)

const fork = <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.forkChild(self, { startImmediately: true })

const ask = (client: McpClient.McpClient, method: string, params: object = {}, more: object = {}) =>
  Effect.map(client.callTool("ask", { method, params, ...more }), structured)

describe.each(wires)("MCP over $name", ({ oversize, reportsProgress, serve }) => {
  it.live("tells who the server is, and lists all pages of everything as the server sent it", () =>
    Effect.gen(function*() {
      const client = yield* (yield* serve).connect()
      assert.deepStrictEqual(client.serverInfo, { name: "contract", version: "1.0.0" })
      assert.strictEqual(client.instructions, "keep the contract")
      assert.deepStrictEqual(client.capabilities["experimental"], { "x-own": { deep: [1] } })
      assert.match(client.protocolVersion, /^20\d\d-\d\d-\d\d$/)
      const { skipped, tools } = yield* client.listTools
      assert.deepStrictEqual(skipped, [])
      assert.strictEqual(tools.length, 13)
      assert.deepStrictEqual(tools.at(-1), { name: "crash", inputSchema: { type: "object" }, "x-own": ["crash"] })
      assert.deepStrictEqual((yield* client.list("resources")).items[0], {
        uri: "window://app/one",
        name: "window://app/one",
        annotations: { "x-own": 1 }
      })
      assert.strictEqual((yield* client.list("resourceTemplates")).items.length, 1)
    }))

  it.live("passes on what a server answers as it is, large and small, failures too", () =>
    Effect.gen(function*() {
      const client = yield* (yield* serve).connect()
      for (
        const json of [
          `{"content":[{"type":"hologram","depth":3,"_meta":{"k":1}},{"type":"text","text":"a\\n\\u2028","x":{"y":[1]}}],"top":{"z":null}}`,
          `{"content":[{"type":"image","data":"!!! not base64","mimeType":"image/png"}],"resultType":"complete"}`
        ]
      ) assert.strictEqual(JSON.stringify(yield* client.callTool("result", { json })), JSON.stringify(JSON.parse(json)))
      const args = { list: [1, null, "ü\n"], text: "x".repeat(1_000_000) }
      assert.deepStrictEqual(structured(yield* client.callTool("echo", args)), args)
      assert.strictEqual(textOf(yield* client.callTool("big", { bytes: 5_000_000 })).length, 5_000_000)

      assert.deepStrictEqual(yield* client.callTool("fail", {}), {
        content: [{ type: "text", text: "the disk is full" }],
        isError: true
      })
      const { reason } = yield* failure(client.callTool("refuse", {}))
      const { code, data, message } = expectReason(reason, "Rpc")
      assert.deepStrictEqual({ code, data, message }, { code: -32005, data: { row: 5 }, message: "no such row" })
      expectReason((yield* failure(atOnce(client.callTool("echo", { n: 1n })))).reason, "Rpc")
      assert.deepStrictEqual(structured(yield* client.callTool("echo", { still: "here" })), { still: "here" })
    }))

  it.live("keeps a hundred calls apart whose answers come in reverse", () =>
    Effect.gen(function*() {
      const client = yield* (yield* serve).connect()
      const numbers = Array.from({ length: 100 }, (_, n) => n)
      const results = yield* Effect.forEach(
        numbers,
        (n) => client.callTool("wait", { n, millis: 100 - n }),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(results.map((result) => structured(result)["n"]), numbers)
      assert.deepStrictEqual(cancelled(yield* seenBy(client)), [])
    }))

  it.live("cancels an interrupted call at the server, by its id, and only that", () =>
    Effect.gen(function*() {
      const client = yield* (yield* serve).connect()
      const hanging = yield* fork(client.callTool("hang", {}))
      const other = yield* fork(client.callTool("wait", { n: 7, millis: 100 }))
      const seen = yield* seenUntil(client, "the call", (all) => all.some(({ name }) => name === "hang"))
      yield* atOnce(Fiber.interrupt(hanging))
      const id = seen.find(({ name }) => name === "hang")?.id
      const after = yield* seenUntil(client, "the cancellation", (all) => cancelled(all).length > 0)
      assert.deepStrictEqual(cancelled(after), [id])
      assert.strictEqual(structured(yield* Fiber.join(other))["n"], 7)
    }))

  it.live("delivers all progress, in order, before the result", () =>
    Effect.gen(function*() {
      const client = yield* (yield* serve).connect()
      const told: Array<McpClient.Progress> = []
      const onProgress = (progress: McpClient.Progress) => Effect.sync(() => void told.push(progress))
      assert.strictEqual(textOf(yield* client.callTool("steps", { count: 5 }, { onProgress })), "done")
      const expected = (reportsProgress ? [1, 2, 3, 4, 5] : []).map((progress) => ({
        progress,
        total: 5,
        message: `step ${progress}`
      }))
      assert.deepStrictEqual(told, expected)
    }))

  it.live("ends a call that is silent or takes too long, and tells the server; progress keeps it alive", () =>
    Effect.gen(function*() {
      const client = yield* (yield* serve).connect({ requestTimeout: "150 millis" })
      const silent = yield* failure(atOnce(client.callTool("hang", {}, { idleTimeout: "150 millis" })))
      const idle = expectReason(silent.reason, "Timeout")
      assert.deepStrictEqual([idle.method, idle.seconds, idle.idle], ["tools/call", 0.15, true])
      const steps = reportsProgress ? { count: 5, millis: 80 } : { count: 1 }
      assert.strictEqual(textOf(yield* client.callTool("steps", steps, { idleTimeout: "350 millis" })), "done")
      const long = yield* failure(
        client.callTool("steps", { count: 50, millis: 50 }, { idleTimeout: "2 seconds", maxTimeout: "200 millis" })
      )
      const max = expectReason(long.reason, "Timeout")
      assert.deepStrictEqual([max.seconds, max.idle], [0.2, undefined])
      expectReason((yield* failure(atOnce(client.request("x/stall")))).reason, "Timeout")
      yield* seenUntil(client, "three cancellations", (all) => cancelled(all).length === 3)
    }))

  it.live("skips what is no MCP", () =>
    Effect.gen(function*() {
      const served = yield* serve
      const client = yield* served.connect()
      yield* served.listening
      assert.strictEqual(textOf(yield* atOnce(client.callTool("garbage", {}))), "after the garbage")
      yield* Effect.gen(function*() {
        while ((yield* client.diagnostics).strayLines === 0) yield* Effect.sleep("10 millis")
      }).pipe(atOnce)
      assert.deepStrictEqual(structured(yield* client.callTool("echo", { a: 1 })), { a: 1 })
    }))

  it.live("a server that ends without a word ends every call at once; it can be connected to again", () =>
    Effect.gen(function*() {
      const served = yield* serve
      const client = yield* served.connect()
      yield* served.listening
      const waiting = yield* fork(failure(client.callTool("hang", {})))
      const { reason } = yield* failure(atOnce(client.callTool("crash", {})))
      assert.include(["Exit", "Closed"], reason._tag)
      assert.include(["Exit", "Closed"], (yield* atOnce(Fiber.join(waiting))).reason._tag)
      assert.include(["Exit", "Closed"], (yield* failure(atOnce(client.callTool("echo", {})))).reason._tag)
      assert.include(["Exit", "Closed"], (yield* atOnce(client.closed)).reason._tag)
      yield* served.restart
      const again = yield* served.connect()
      assert.deepStrictEqual(structured(yield* again.callTool("echo", { a: 1 })), { a: 1 })
    }))

  it.live("tells of resources that change, for as long as they are subscribed to", () =>
    Effect.gen(function*() {
      const served = yield* serve
      const client = yield* served.connect()
      yield* served.listening
      const uri = "window://app/two?priority=1"
      const heard = yield* fork(client.notifications.pipe(
        Stream.filter(({ method }) => method === "notifications/resources/updated"),
        Stream.take(2),
        Stream.runCollect
      ))
      yield* client.callTool("touch", { uri })
      yield* client.request("resources/subscribe", { uri })
      yield* client.callTool("touch", { uri })
      yield* client.callTool("touch", { uri })
      const [first] = yield* atOnce(Fiber.join(heard))
      assert.deepStrictEqual(first, { method: "notifications/resources/updated", params: { uri } })
      assert.deepStrictEqual((yield* client.request("resources/read", { uri }))["contents"], [
        { uri, text: `content of ${uri}` }
      ])
      yield* client.request("resources/unsubscribe", { uri })
      assert.strictEqual(textOf(yield* client.callTool("touch", { uri })), "0")
    }))

  it.live("answers what the server asks, with what there is a handler for", () =>
    Effect.gen(function*() {
      const asked: Array<unknown> = []
      const taken = yield* Deferred.make<void>()
      const handlers: Handlers = {
        elicitation: (request) =>
          Effect.sync(() => void asked.push(request)).pipe(
            Effect.andThen(request.message === "wait" ? Effect.never : Effect.void),
            Effect.onInterrupt(() => Deferred.succeed(taken, undefined)),
            Effect.as({ action: "accept" as const, content: { name: "Ada" } })
          )
      }
      const served = yield* serve
      const client = yield* served.connect({ handlers, roots: ["file:///work"], serverName: "mine" })
      yield* served.listening
      assert.deepStrictEqual(yield* ask(client, "ping"), { result: {} })
      assert.deepStrictEqual(yield* ask(client, "roots/list"), { result: { roots: [{ uri: "file:///work" }] } })
      const form = { message: "Who are you?", requestedSchema: { type: "object", properties: {} } }
      assert.deepStrictEqual(yield* ask(client, "elicitation/create", form), {
        result: { action: "accept", content: { name: "Ada" } }
      })
      assert.deepStrictEqual(asked, [{ server: "mine", mode: "form", url: undefined, ...form }])
      const sampling = yield* ask(client, "sampling/createMessage", { messages: [], maxTokens: 1 })
      assert.include(sampling["error"], { code: -32601 })
      // the server takes its question back
      yield* ask(client, "elicitation/create", { ...form, message: "wait" }, { give_up: 200 })
      yield* atOnce(Deferred.await(taken))
      const [first] = yield* seenBy(client)
      assert.deepStrictEqual(first?.params?.["capabilities"], { roots: {}, elicitation: { form: {}, url: {} } })
    }))

  it.live("announces nothing that it would refuse", () =>
    Effect.gen(function*() {
      const served = yield* serve
      const client = yield* served.connect()
      yield* served.listening
      for (const method of ["roots/list", "elicitation/create", "sampling/createMessage", "x/unknown"]) {
        assert.include((yield* ask(client, method, { message: "?", maxTokens: 1 }))["error"], { code: -32601 }, method)
      }
      assert.deepStrictEqual((yield* seenBy(client))[0]?.params?.["capabilities"], {})
    }))

  it.live("writes the server's log to ours, at the level that is asked for, and never without end", () =>
    Effect.gen(function*() {
      const logged: Array<readonly [level: string, message: string]> = []
      const logger = Logger.layer([Logger.make(({ logLevel, message }) => {
        logged.push([logLevel, String(message)])
      })])
      yield* Effect.gen(function*() {
        const served = yield* serve
        const client = yield* served.connect({ logLevel: "warning", secrets: ["s3cret-token"] })
        yield* served.listening
        yield* client.callTool("log", {
          lines: [
            { level: "warning", logger: "db", data: "slow with s3cret-token" },
            { level: "critical", data: { code: 5 } },
            { level: "notice", data: "told" },
            ...Array.from({ length: 200 }, (_, n) => ({ level: "info", data: `line ${n}` }))
          ]
        })
        yield* eventually("the lines are logged", () => logged.length >= 50)
        yield* seenUntil(client, "the log level", (all) => all.some(({ method }) => method === "logging/setLevel"))
        yield* client.setLogLevel("error")
        const levels = (yield* seenBy(client)).filter(({ method }) => method === "logging/setLevel")
        assert.deepStrictEqual(levels.map(({ params }) => params?.["level"]), ["warning", "error"])
      }).pipe(Effect.provide(logger))
      assert.deepStrictEqual(logged.slice(0, 3), [
        ["Warn", "db: slow with ***"],
        ["Error", "{\"code\":5}"],
        ["Info", "told"]
      ])
      assert.isAtMost(logged.length, 80)
    }))

  it.live("asks for nothing that the server did not announce", () =>
    Effect.gen(function*() {
      const client = yield* (yield* serve).connect()
      for (const method of ["prompts/list", "prompts/get", "completion/complete"]) {
        const { reason } = yield* failure(client.request(method, {}))
        assert.strictEqual(expectReason(reason, "NotSupported").method, method)
      }
      expectReason((yield* failure(client.list("prompts"))).reason, "NotSupported")
      assert.isFalse((yield* seenBy(client)).some(({ method }) => /prompts|completion/.test(method)))
    }))

  it.live("an answer over the limit costs its own call", () =>
    Effect.gen(function*() {
      // what stays in this process has no limit
      if (oversize === undefined) return
      const client = yield* (yield* serve).connect({ maxBytes: 100_000 })
      const { reason } = yield* failure(atOnce(client.callTool("big", { bytes: 200_000 })))
      assert.strictEqual(reason._tag, oversize)
      if (oversize === "TooLarge") {
        assert.deepStrictEqual(structured(yield* client.callTool("echo", { a: 1 })), { a: 1 })
      }
    }))

  it.live("leaves nothing behind when its scope closes, whatever is under way", () =>
    Effect.gen(function*() {
      const served = yield* serve
      const scope = yield* Scope.make()
      const client = yield* Scope.provide(served.connect(), scope)
      const call = yield* fork(failure(client.callTool("hang", {})))
      yield* Scope.close(scope, Exit.void)
      expectReason((yield* atOnce(Fiber.join(call))).reason, "Closed")
      expectReason((yield* atOnce(client.closed)).reason, "Closed")
      assert.deepStrictEqual(yield* atOnce(Stream.runCollect(client.notifications)), [])
      yield* eventually("the server has no connection any more", () => served.open() === 0)
    }))

  it.live("a refused login is told at once, when connecting and when calling, and costs nothing else", () =>
    Effect.gen(function*() {
      const served = yield* serve
      const { refuse } = served
      if (refuse === undefined) return
      const client = yield* served.connect()
      yield* served.listening
      const challenge = "Bearer realm=\"mcp\", error=\"invalid_token\""
      for (const [status, tag] of [[401, "AuthRequired"], [403, "AuthFailed"]] as const) {
        refuse({ status, headers: { "www-authenticate": challenge } })
        const attempts = [Effect.asVoid(client.callTool("echo", {})), Effect.asVoid(Effect.scoped(served.connect()))]
        for (const attempt of attempts) {
          const { reason } = yield* failure(atOnce(attempt))
          assert.strictEqual(expectReason(reason, tag).challenge, challenge)
        }
        refuse(undefined)
        assert.deepStrictEqual(structured(yield* client.callTool("echo", { status })), { status })
      }
      refuse({ status: 503, headers: { "retry-after": "7" } })
      const busy = expectReason((yield* failure(atOnce(client.callTool("echo", {})))).reason, "Http")
      assert.deepInclude(busy, { status: 503, retryAfter: 7, detail: "go away" })
    }))
})
