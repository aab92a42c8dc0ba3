import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, type Scope, Stream } from "effect"
import { spawn } from "node:child_process"
import { createServer } from "node:net"
import type { AddressInfo } from "node:net"
import { fileURLToPath } from "node:url"
import * as McpClient from "../../src/computer/McpClient.ts"
import { atOnce, textOf } from "./support/mcpClients.ts"

const everything = fileURLToPath(
  new URL("../../node_modules/@modelcontextprotocol/server-everything/dist/index.js", import.meta.url)
)

const freePort = Effect.callback<number>((resume) => {
  const server = createServer()
  server.listen(0, "127.0.0.1", () => {
    const { port } = server.address() as AddressInfo
    server.close(() => resume(Effect.succeed(port)))
  })
})

/** The reference server, listening on a free port for as long as the scope lives. */
const listening = (transport: string): Effect.Effect<number, never, Scope.Scope> =>
  Effect.gen(function*() {
    const port = yield* freePort
    const child = yield* Effect.acquireRelease(
      Effect.sync(() =>
        spawn(process.execPath, [everything, transport], {
          env: { ...process.env, PORT: String(port) },
          stdio: ["ignore", "ignore", "pipe"]
        })
      ),
      (running) =>
        Effect.callback<void>((resume) => {
          running.once("exit", () => resume(Effect.void))
          running.kill("SIGKILL")
        })
    )
    yield* Effect.callback<void>((resume) => {
      child.stderr.on("data", (text: Buffer) => {
        if (text.toString("utf8").includes(`port ${port}`)) resume(Effect.void)
      })
    }).pipe(atOnce)
    return port
  })

describe.each([
  ["streamableHttp", (port: number) => McpClient.connectHttp({ url: `http://127.0.0.1:${port}/mcp` })],
  ["sse", (port: number) => McpClient.connectSse({ url: `http://127.0.0.1:${port}/sse` })]
])("server-everything over %s", (transport, connect) => {
  it.live("lists, calls, reports progress and changes of resources", () =>
    Effect.gen(function*() {
      const client = yield* connect(yield* listening(transport))
      const { skipped, tools } = yield* client.listTools
      assert.deepStrictEqual(skipped, [])
      assert.includeMembers(tools.map(({ name }) => name), ["echo", "trigger-long-running-operation"])
      assert.strictEqual(textOf(yield* client.callTool("echo", { message: "hello" })), "Echo: hello")
      const seen: Array<number> = []
      yield* client.callTool("trigger-long-running-operation", { duration: 1, steps: 4 }, {
        onProgress: ({ progress }) => Effect.sync(() => void seen.push(progress))
      })
      assert.deepStrictEqual(seen, [1, 2, 3, 4])
      const [resource] = (yield* client.list("resources")).items as ReadonlyArray<{ readonly uri: string }>
      const updated = yield* client.notifications.pipe(
        Stream.filter(({ method }) => method === "notifications/resources/updated"),
        Stream.runHead,
        Effect.forkChild({ startImmediately: true })
      )
      yield* client.request("resources/subscribe", { uri: resource?.uri })
      yield* client.callTool("toggle-subscriber-updates", {})
      const heard = yield* Effect.timeout(Fiber.join(updated), "20 seconds")
      assert.deepStrictEqual(heard._tag === "Some" ? heard.value.params["uri"] : undefined, resource?.uri)
      assert.isAbove((yield* client.list("prompts")).items.length, 0)
    }), 25_000)
})
