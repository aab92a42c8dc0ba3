/** Hosts of MCP servers, as benchmarks need them. */
import { Context, Effect, Exit, Layer, References, Scope } from "effect"
import * as ConfigFile from "../../src/computer/ConfigFile.ts"
import * as Consent from "../../src/computer/Consent.ts"
import * as Host from "../../src/computer/Host.ts"
import * as McpManager from "../../src/computer/McpManager.ts"
import * as ToolCalls from "../../src/computer/ToolCalls.ts"
import type { CallToolResult } from "../../src/protocol/Tool.ts"
import type { Caller } from "./ClosedLoop.ts"
import { rawProgram } from "./servers/rawMcp.ts"

/** An entry that starts the raw server. */
export const rawEntry = (...args: ReadonlyArray<string>): object => ({
  command: process.execPath,
  args: [rawProgram, ...args]
})

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
