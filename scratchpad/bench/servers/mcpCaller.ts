/**
 * `mcpCaller WAY TRANSPORT URL`: one way to call the raw MCP server, ready when it says so; asked with an {@link Order}, it
 * answers with a {@link Sample}.
 */
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js"
import { Effect, Exit, Scope } from "effect"
import * as McpClient from "../../../src/computer/McpClient.ts"
import { type Caller, closedLoop } from "../ClosedLoop.ts"
import { inMemory, makeHost, memoryServer, rawEntry, serveRaw } from "../Hosts.ts"
import type { McpTransport, Order, Way } from "../McpBench.ts"
import { rawProgram } from "./rawMcp.ts"

const PARAMS = { text: "x".repeat(100) }
const stdioCommand = { command: process.execPath, args: [rawProgram, "stdio"] }

interface OpenCaller {
  readonly call: Caller
  readonly close: () => Promise<void>
}

const sdkTransport = async (kind: McpTransport, url: string): Promise<Transport> => {
  switch (kind) {
    case "stdio":
      return new StdioClientTransport(stdioCommand)
    case "http":
      return new StreamableHTTPClientTransport(new URL("/mcp", url))
    case "sse":
      return new SSEClientTransport(new URL("/sse", url))
    case "in-memory": {
      const [ours, theirs] = InMemoryTransport.createLinkedPair()
      await serveRaw({
        start: () => theirs.start(),
        send: (message: JSONRPCMessage) => theirs.send(message),
        set onmessage(listener: (message: never) => void) {
          theirs.onmessage = (message) => listener(message as never)
        }
      })
      return ours
    }
  }
}

const openSdk = async (kind: McpTransport, url: string): Promise<OpenCaller> => {
  // it hangs a listener on one signal for each of its requests over HTTP, and Node says so each time
  process.removeAllListeners("warning")
  const sdk = new Client({ name: "bench", version: "1" })
  await sdk.connect(await sdkTransport(kind, url))
  return {
    call: (done) => {
      sdk.callTool({ name: "echo", arguments: PARAMS }).then(() => done(true), () => done(false))
    },
    close: () => sdk.close()
  }
}

const connect = (kind: McpTransport, url: string) => {
  switch (kind) {
    case "stdio":
      return McpClient.connectStdio(stdioCommand)
    case "http":
      return McpClient.connectHttp({ url: `${url}/mcp` })
    case "sse":
      return McpClient.connectSse({ url: `${url}/sse` })
    case "in-memory":
      return McpClient.connectInMemory(memoryServer)
  }
}

const openClient = async (kind: McpTransport, url: string): Promise<OpenCaller> => {
  const scope = Scope.makeUnsafe()
  const client = await Effect.runPromise(Scope.provide(connect(kind, url), scope))
  return {
    call: (done) => {
      Effect.runFork(client.callTool("echo", PARAMS)).addObserver((exit) => done(Exit.isSuccess(exit)))
    },
    close: () => Effect.runPromise(Scope.close(scope, Exit.void))
  }
}

const entryOf = (kind: McpTransport, url: string): object => {
  switch (kind) {
    case "http":
      return { type: "http", url: `${url}/mcp` }
    case "sse":
      return { type: "sse", url: `${url}/sse` }
    default:
      return rawEntry("stdio")
  }
}

const openComputer = async (kind: McpTransport, url: string): Promise<OpenCaller> => {
  const host = await makeHost({ raw: entryOf(kind, url) }, kind === "in-memory" ? inMemory : {})
  await Effect.runPromise(host.manager.ready)
  return { call: host.caller("raw", PARAMS), close: host.close }
}

const open: Readonly<Record<Way, typeof openSdk>> = { sdk: openSdk, client: openClient, computer: openComputer }

const [, , way, kind, url] = process.argv
const { call, close } = await open[way as Way](kind as McpTransport, url!)
process.on("message", ({ inFlight, millis }: Order) => {
  void closedLoop([call], inFlight, millis).then((sample) => process.send!(sample))
})
process.on("disconnect", () => void close())
process.send!({})
