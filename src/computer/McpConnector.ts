/**
 * How a Computer reaches its MCP servers: one connection for a configuration whose placeholders are rendered.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { Rendered } from "./Inputs.ts"
import { REMOTE_UNSUPPORTED } from "./internal/serverEntry.ts"
import * as McpClient from "./McpClient.ts"
import { Handshake, McpError } from "./McpError.ts"
import type { ServerEntry } from "./ServerEntry.ts"

/** Connects to a server; the connection ends with the scope. */
export type Connect = (
  entry: ServerEntry,
  rendered: Redacted.Redacted<Rendered>
) => Effect.Effect<McpClient.McpClient, McpError, Scope.Scope>

/** How MCP servers are reached. */
export class McpConnector extends Context.Service<McpConnector, {
  readonly connect: Connect
}>()("a2c-smcp/computer/McpConnector") {}

/** Every transport that MCP has, chosen by the server's configuration. */
export const layer: Layer.Layer<McpConnector> = Layer.succeed(McpConnector, {
  connect: (entry, rendered) => {
    const { config, secrets } = Redacted.value(rendered)
    const { settings } = entry
    if (config.type !== "stdio") {
      return Effect.fail(new McpError({ reason: new Handshake({ detail: REMOTE_UNSUPPORTED, stderrTail: [] }) }))
    }
    const { args, command, cwd, env } = config.server_parameters
    return McpClient.connectStdio({
      command,
      args,
      env: env ?? undefined,
      cwd: cwd ?? undefined,
      secrets,
      startTimeout: settings.startTimeout === undefined ? undefined : settings.startTimeout * 1000
    })
  }
})

/** Servers that are reached in a way of your own, such as servers in this process. */
export const layerOf = (connect: Connect): Layer.Layer<McpConnector> => Layer.succeed(McpConnector, { connect })
