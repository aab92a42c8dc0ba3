/** Hosts of MCP servers, as benchmarks need them. */
import { Context, Effect, Exit, Layer, References, Scope } from "effect"
import * as ConfigFile from "../../src/computer/ConfigFile.ts"
import * as Consent from "../../src/computer/Consent.ts"
import * as Host from "../../src/computer/Host.ts"
import * as McpClient from "../../src/computer/McpClient.ts"
import * as McpConnector from "../../src/computer/McpConnector.ts"
import * as McpManager from "../../src/computer/McpManager.ts"
import * as ToolCalls from "../../src/computer/ToolCalls.ts"
import type { CallToolResult } from "../../src/protocol/Tool.ts"
import type { Caller } from "./ClosedLoop.ts"
import { answerTo, type Message, rawProgram } from "./servers/rawMcp.ts"

/** An entry that starts the raw server. */
export const rawEntry = (...args: ReadonlyArray<string>): object => ({
  command: process.execPath,
  args: [rawProgram, ...args]
})

/** The other end of a transport in this process. */
interface ServerSide {
  onmessage?: ((message: never) => void) | undefined
  start(): Promise<void>
  send(message: never): Promise<void>
}

/** Lets the raw server answer at the other end of a transport in this process. */
export const serveRaw = (transport: ServerSide): Promise<void> => {
  transport.onmessage = (message: Message) => {
    const answer = answerTo(message)
    if (answer !== undefined) void transport.send(answer as never)
  }
  return transport.start()
}

/** The raw server in this process. */
export const memoryServer: McpClient.InMemoryServer = { connect: serveRaw }

/** Options of a host all of whose servers are the raw one in this process. */
export const inMemory: Partial<Host.Options> = {
  connector: McpConnector.layerOf(() => McpClient.connectInMemory(memoryServer))
}

export interface BenchHost {
  readonly manager: McpManager.McpManager["Service"]
  /** Calls a tool the way an Agent's call goes. */
  readonly run: (server: string, tool: string, params: Readonly<Record<string, unknown>>) => Promise<CallToolResult>
  /** Calls `echo` of a server, again and again. */
  readonly caller: (server: string, params: Readonly<Record<string, unknown>>) => Caller
  readonly close: () => Promise<void>
}

let requests = 0

/** Builds a host; its servers start in the background. */
export const makeHost = async (
  servers: Readonly<Record<string, object>>,
  options: Partial<Host.Options> = {}
): Promise<BenchHost> => {
  const scope = Scope.makeUnsafe()
  const context = await Effect.runPromise(
    Effect.gen(function*() {
      const config = yield* ConfigFile.fromValue({ mcpServers: servers }, "the benchmark")
      if (config.servers.length !== Object.keys(servers).length) throw new Error(JSON.stringify(config.diagnostics))
      const layer = Host.layer({
        servers: config.servers,
        inputs: config.inputs,
        consent: Consent.layerAllowAll,
        ...options
      })
      return yield* Layer.buildWithScope(Layer.provide(layer, Layer.succeed(References.MinimumLogLevel, "None")), scope)
    })
  )
  const calls = Context.get(context, ToolCalls.ToolCalls)
  const quietly = Context.make(References.MinimumLogLevel, "None")
  const fork = Effect.runForkWith(quietly)
  const call = (server: string, tool: string, params: Readonly<Record<string, unknown>>) =>
    calls.run({ agent: "bench", req_id: String(++requests), tool_name: `${server}__${tool}`, params, timeout: 30 })
  return {
    manager: Context.get(context, McpManager.McpManager),
    run: (server, tool, params) => Effect.runPromiseWith(quietly)(call(server, tool, params)),
    caller: (server, params) => (done) => {
      fork(call(server, "echo", params)).addObserver((exit) =>
        done(Exit.isSuccess(exit) && exit.value.isError !== true)
      )
    },
    close: () => Effect.runPromise(Scope.close(scope, Exit.void))
  }
}
