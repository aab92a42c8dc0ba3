/**
 * Calls of one MCP server, as many as it takes: the SDK's own client, our `McpClient`, and the whole way through a Computer,
 * in turns, each over a connection of its own to the same raw server.
 */
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js"
import { Effect, Exit, Scope } from "effect"
import * as McpClient from "../../src/computer/McpClient.ts"
import * as McpConnector from "../../src/computer/McpConnector.ts"
import { type Caller, closedLoop, median } from "./ClosedLoop.ts"
import { makeHost, rawEntry } from "./Hosts.ts"
import type { Ratio } from "./RelayBench.ts"
import { startServer } from "./ServerProcess.ts"
import { answerTo, type Message, rawProgram } from "./servers/rawMcp.ts"

export interface Plan {
  readonly rounds: number
  readonly roundMillis: number
  readonly warmUpMillis: number
}

export const TRANSPORTS = ["stdio", "http", "sse", "in-memory"] as const
export type McpTransport = (typeof TRANSPORTS)[number]

export interface McpCondition {
  readonly transport: McpTransport
  readonly inFlight: number
  /** Calls per second, medians over the rounds. */
  readonly sdk: number
  readonly client: number
  readonly computer: number
  /** Divided by the SDK's. */
  readonly ratios: { readonly client: Ratio; readonly computer: Ratio }
}

export interface McpReport {
  readonly conditions: ReadonlyArray<McpCondition>
}

const IN_FLIGHT = [1, 64]
const PARAMS = { text: "x".repeat(100) }

const stdioCommand = { command: process.execPath, args: [rawProgram, "stdio"] }

/** The raw server at the other end of a transport in this process. */
interface ServerSide {
  onmessage?: ((message: never) => void) | undefined
  start(): Promise<void>
  send(message: never): Promise<void>
}

const serve = (transport: ServerSide): Promise<void> => {
  transport.onmessage = (message: Message) => {
    const answer = answerTo(message)
    if (answer !== undefined) void transport.send(answer as never)
  }
  return transport.start()
}

/** The raw server in this process. */
export const memoryServer: McpClient.InMemoryServer = { connect: serve }

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
      await serve({
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

/** The three ways, in the order they are reported. */
const WAYS = ["sdk", "client", "computer"] as const
type Way = (typeof WAYS)[number]

/** A caller for each way, and what ends them all. */
const contenders = async (kind: McpTransport, url: string) => {
  const sdk = new Client({ name: "bench", version: "1" })
  await sdk.connect(await sdkTransport(kind, url))
  const scope = Scope.makeUnsafe()
  const client = await Effect.runPromise(Scope.provide(connect(kind, url), scope))
  const host = await makeHost(
    { raw: entryOf(kind, url) },
    kind === "in-memory" ? { connector: McpConnector.layerOf(() => McpClient.connectInMemory(memoryServer)) } : {}
  )
  await Effect.runPromise(host.manager.ready)
  const callers: Record<Way, Caller> = {
    sdk: (done) => {
      sdk.callTool({ name: "echo", arguments: PARAMS }).then(() => done(true), () => done(false))
    },
    client: (done) => {
      Effect.runFork(client.callTool("echo", PARAMS)).addObserver((exit) => done(Exit.isSuccess(exit)))
    },
    computer: host.caller("raw", PARAMS)
  }
  return {
    callers,
    close: async () => {
      await sdk.close()
      await Effect.runPromise(Scope.close(scope, Exit.void))
      await host.close()
    }
  }
}

export const runMcpBench = async (
  plan: Plan,
  options: { readonly progress: (line: string) => void; readonly transports?: ReadonlyArray<McpTransport> | undefined }
): Promise<McpReport> => {
  // the SDK's client hangs a listener on one signal for each of its requests over HTTP, and Node says so each time
  process.removeAllListeners("warning")
  const http = await startServer("rawMcp", { args: ["http"] })
  const conditions: Array<McpCondition> = []
  for (const transport of options.transports ?? TRANSPORTS) {
    const { callers, close } = await contenders(transport, http.url)
    for (const inFlight of IN_FLIGHT) {
      options.progress(`mcp: ${transport}, ${inFlight} in flight`)
      conditions.push({ transport, inFlight, ...await inTurns(plan, inFlight, callers) })
    }
    await close()
  }
  await http.stop()
  return { conditions }
}

const inTurns = async (plan: Plan, inFlight: number, callers: Readonly<Record<Way, Caller>>) => {
  const samples: Record<Way, Array<number>> = { sdk: [], client: [], computer: [] }
  for (const way of WAYS) await closedLoop([callers[way]], inFlight, plan.warmUpMillis)
  for (let round = 0; round < plan.rounds; round++) {
    // everyone is first in turn
    for (let place = 0; place < WAYS.length; place++) {
      const way = WAYS[(round + place) % WAYS.length]!
      const { calls, failures, throughput } = await closedLoop([callers[way]], inFlight, plan.roundMillis)
      if (failures > 0) throw new Error(`${failures} of ${calls} calls failed (${way})`)
      samples[way].push(throughput)
    }
  }
  const ratio = (way: Way): Ratio => {
    const ratios = samples[way].map((value, round) => value / samples.sdk[round]!)
    return { median: median(ratios), low: Math.min(...ratios), high: Math.max(...ratios) }
  }
  return {
    sdk: median(samples.sdk),
    client: median(samples.client),
    computer: median(samples.computer),
    ratios: { client: ratio("client"), computer: ratio("computer") }
  }
}
