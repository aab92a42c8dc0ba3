import { Server } from "@modelcontextprotocol/sdk/server/index.js"
import {
  CallToolRequestSchema,
  ListToolsRequestSchema,
  type ServerNotification
} from "@modelcontextprotocol/sdk/types.js"
import { Effect, type Layer, Redacted } from "effect"
import * as McpClient from "../../../src/computer/McpClient.ts"
import * as McpConnector from "../../../src/computer/McpConnector.ts"
import { Handshake, McpError } from "../../../src/computer/McpError.ts"

/** What a running tool can do. */
export interface Running {
  /** Aborted when the client cancels the call. */
  readonly signal: AbortSignal
  readonly progress: (progress: number, total?: number, message?: string) => Promise<void>
}

type Tool = (args: Readonly<Record<string, unknown>>, running: Running) => unknown

/** An SDK server in this process; its tools can be changed while it runs. */
export class ToolServer {
  tools: Record<string, Tool>
  /** Descriptions by tool name, merged into the list. */
  described: Record<string, object> = {}
  /** How often its tools were listed. */
  lists = 0
  private server: Server | undefined

  constructor(tools: Record<string, Tool>) {
    this.tools = tools
  }

  /** Says that the tools have changed, whether or not they have. */
  announce(): Promise<void> {
    return this.server?.sendToolListChanged() ?? Promise.resolve()
  }

  /** Ends the connection from the server's side. */
  close(): Promise<void> {
    return this.server?.close() ?? Promise.resolve()
  }

  /** A new connection to it. */
  readonly connect = Effect.suspend(() => {
    const server = new Server({ name: "memory", version: "1" }, { capabilities: { tools: { listChanged: true } } })
    this.server = server
    server.setRequestHandler(ListToolsRequestSchema, () => {
      this.lists++
      return {
        tools: Object.keys(this.tools).map((name) => ({
          name,
          inputSchema: { type: "object" as const },
          ...this.described[name]
        }))
      }
    })
    server.setRequestHandler(CallToolRequestSchema, async ({ params }, { sendNotification, signal }) => {
      const token = params._meta?.progressToken
      const progress: Running["progress"] = async (done, total, message) => {
        if (token === undefined) return
        const update: ServerNotification = {
          method: "notifications/progress",
          params: { progressToken: token, progress: done, total, message }
        }
        await sendNotification(update)
      }
      const result = await this.tools[params.name]?.(params.arguments ?? {}, { signal, progress })
      return typeof result === "string" ? { content: [{ type: "text", text: result }] } : result as object
    })
    return McpClient.connectInMemory(server)
  })
}

/** A server that can be connected to any number of times. */
export type Connectable = Pick<ToolServer, "connect">

/** A connector that finds servers of this process by their bundle id, and starts all others over stdio. */
export const connectTo = (servers: Readonly<Record<string, Connectable>>): Layer.Layer<McpConnector.McpConnector> =>
  McpConnector.layerOf(({ bundleId }, rendered) => {
    const server = servers[bundleId]
    if (server !== undefined) return server.connect
    const { config, secrets } = Redacted.value(rendered)
    if (config.type !== "stdio") {
      return Effect.fail(new McpError({ reason: new Handshake({ detail: "is none of this test", stderrTail: [] }) }))
    }
    const { args, command, env } = config.server_parameters
    return McpClient.connectStdio({
      command,
      args,
      env: env ?? undefined,
      secrets,
      eofGrace: "300 millis",
      termGrace: "300 millis",
      startTimeout: "2 seconds"
    })
  })

/** Ends when the call is cancelled, and then reports it. */
export const until = (signal: AbortSignal, report: () => void): Promise<never> =>
  new Promise((_resolve, reject) => {
    signal.addEventListener("abort", () => {
      report()
      reject(new Error("aborted"))
    })
  })
