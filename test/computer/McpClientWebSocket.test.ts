import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import type { Duplex } from "node:stream"
import { WebSocketServer } from "ws"
import * as McpClient from "../../src/computer/McpClient.ts"
import { atOnce, expectReason, failure } from "./support/mcpClients.ts"
import { listenOn } from "./support/mcpContract.ts"
import { eventually } from "./support/processes.ts"

/** A server that answers nothing any more, not even a farewell, once it was connected to. */
const deafServer = Effect.gen(function*() {
  const sockets = new Set<Duplex>()
  const { server, url } = yield* listenOn((_, response) => response.writeHead(426).end())
  const upgrades = new WebSocketServer({ noServer: true, handleProtocols: () => "mcp" })
  server.on("upgrade", (request, socket: Duplex, head) => {
    sockets.add(socket)
    socket.on("close", () => sockets.delete(socket))
    socket.on("error", () => {})
    upgrades.handleUpgrade(request, socket, head, (webSocket) => {
      webSocket.on("error", () => {})
      webSocket.on("message", (data) => {
        const { id, method, params } = JSON.parse((data as Buffer).toString("utf8")) as {
          readonly id?: number
          readonly method: string
          readonly params?: { readonly protocolVersion: string }
        }
        if (method !== "initialize") return
        const result = {
          protocolVersion: params?.protocolVersion,
          capabilities: {},
          serverInfo: { name: "deaf", version: "1" }
        }
        webSocket.send(JSON.stringify({ jsonrpc: "2.0", id, result }), () => {
          socket.removeAllListeners("data")
          socket.on("end", () => socket.end())
        })
      })
    })
  })
  return { url: url.replace(/^http/, "ws"), sockets }
})

describe("McpClient over a WebSocket", () => {
  it.live("leaves no connection to a server that does not answer its farewell", () =>
    Effect.gen(function*() {
      const server = yield* deafServer
      const scope = yield* Scope.make()
      yield* McpClient.connectWebSocket({ url: server.url }).pipe(Scope.provide(scope))
      assert.strictEqual(server.sockets.size, 1)
      for (const socket of server.sockets) socket.resume()
      yield* atOnce(Scope.close(scope, Exit.void))
      yield* eventually("the connection is gone", () => server.sockets.size === 0)
    }))

  it.live("keeps no more for a server that does not read than one message may have", () =>
    Effect.gen(function*() {
      const server = yield* deafServer
      const client = yield* McpClient.connectWebSocket({ url: server.url, maxMessageBytes: 4 * 1024 * 1024 })
      for (const socket of server.sockets) socket.pause()
      const call = client.callTool("x", { text: "x".repeat(3 * 1024 * 1024) })
      const { reason } = yield* failure(Effect.raceAllFirst(Array.from({ length: 10 }, () => call)))
      assert.include(expectReason(reason, "Rpc").message, "does not read")
    }))
})
