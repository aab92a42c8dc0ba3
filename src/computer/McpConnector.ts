/**
 * How a Computer reaches its MCP servers: one connection for a configuration whose placeholders are rendered.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { ServerConfig, SseServerConfig, StreamableServerConfig } from "../protocol/ServerConfig.ts"
import { messageOf } from "../protocol/Thrown.ts"
import { ClientHandlers } from "./ClientHandlers.ts"
import type { HttpAuthorization } from "./HttpAuthorization.ts"
import type { Rendered } from "./Inputs.ts"
import { isoDurationMillis } from "./internal/config/isoDuration.ts"
import { enterSandbox } from "./internal/process/sandboxEntry.ts"
import { makeRedactor } from "./internal/secrets/redact.ts"
import * as McpClient from "./McpClient.ts"
import { Handshake, McpError, Spawn } from "./McpError.ts"
import type { McpTransport } from "./McpTransport.ts"
import type { ServerEntry } from "./ServerEntry.ts"

// -----------------------------------------------------------------------------
// Models
// -----------------------------------------------------------------------------

/** Connects to a server; the connection ends with the scope. */
export type Connect = (
  entry: ServerEntry,
  rendered: Redacted.Redacted<Rendered>
) => Effect.Effect<McpClient.McpClient, McpError, Scope.Scope>

/** Makes a transport of your own for a server, once for each connection. */
export type MakeTransport = (entry: ServerEntry, rendered: Redacted.Redacted<Rendered>) => McpTransport

/** Options of {@link layerWith}. The placeholders in the settings of the entries that they are given are rendered. */
export interface Options {
  /** Transports of your own, by the name that `settings.custom.transport` has. Default: none. */
  readonly transports?: Readonly<Record<string, MakeTransport>> | undefined
  /** How the requests to a remote server are authorized. Default: by the headers of its configuration alone. */
  readonly authorizationOf?: ((entry: ServerEntry, url: URL) => HttpAuthorization | undefined) | undefined
}

// -----------------------------------------------------------------------------
// Service
// -----------------------------------------------------------------------------

/** How MCP servers are reached. */
export class McpConnector extends Context.Service<McpConnector, {
  readonly connect: Connect
}>()("a2c-smcp/computer/McpConnector") {}

/**
 * Every transport that MCP has, chosen by the server's configuration, and those of your own. What servers may ask is said
 * by `ClientHandlers`, as it is when a server is connected to.
 */
export const layerWith = (options: Options = {}): Layer.Layer<McpConnector> =>
  Layer.succeed(McpConnector, {
    connect: (raw, rendered) =>
      Effect.flatMap(ClientHandlers, (handlers) => {
        const { secrets, settings } = Redacted.value(rendered)
        const { logLevel, roots, startTimeout } = settings
        const entry = { ...raw, settings }
        return connectEntry(options, entry, rendered, {
          serverName: entry.bundleId,
          secrets,
          startTimeout: startTimeout === undefined ? undefined : startTimeout * 1000,
          roots,
          logLevel,
          handlers
        })
      })
  })

/** Every transport that MCP has, chosen by the server's configuration. */
export const layer: Layer.Layer<McpConnector> = layerWith()

/** Servers that are reached in a way of your own, such as servers in this process. */
export const layerOf = (connect: Connect): Layer.Layer<McpConnector> => Layer.succeed(McpConnector, { connect })

// -----------------------------------------------------------------------------
// Internal
// -----------------------------------------------------------------------------

type Connecting = Effect.Effect<McpClient.McpClient, McpError, Scope.Scope>

const connectEntry = (
  options: Options,
  entry: ServerEntry,
  rendered: Redacted.Redacted<Rendered>,
  common: McpClient.ConnectOptions
): Connecting => {
  const { custom } = entry.settings
  if (custom !== undefined) {
    const make = options.transports?.[custom.transport]
    return make === undefined
      ? unusable(`is to be reached over "${custom.transport}", which this program does not know.`)
      : Effect.flatMap(
        Effect.try({
          try: () => make(entry, rendered),
          catch: (error) => new McpError({ reason: cannotBeMade(error) })
        }),
        (transport) => McpClient.connectWith(transport, common)
      )
  }
  const { config } = Redacted.value(rendered)
  if (config.type === "stdio") return connectStdio(entry, config, common)
  const remote = remoteOptions(options, entry, config, common)
  if (/^wss?:/i.test(remote.url)) return McpClient.connectWebSocket(remote)
  if (config.type === "sse") return McpClient.connectSse(remote)
  return entry.settings.fallBackToSse === true ? connectEither(remote) : McpClient.connectHttp(remote)
}

const connectStdio = (
  { origin, settings: { sandbox } }: ServerEntry,
  config: Extract<ServerConfig, { readonly type: "stdio" }>,
  common: McpClient.ConnectOptions
): Connecting => {
  const { args, command, cwd, env } = config.server_parameters
  const start = { command, args, env: env ?? {}, cwd: cwd ?? undefined }
  if (sandbox === undefined) return McpClient.connectStdio({ ...common, ...start })
  return enterSandbox(sandbox, start, origin.directory).pipe(
    Effect.mapError((detail) => {
      const clean = makeRedactor(common.secrets ?? [])
      return new McpError({ reason: new Spawn({ command, detail: clean(detail) }) })
    }),
    Effect.tap(({ isHeld, note }) =>
      isHeld ? Effect.void : Effect.logWarning(`The sandbox of "${common.serverName}": ${note}`)
    ),
    Effect.flatMap(({ isHeld: _, note, ...plan }) =>
      Effect.map(
        McpClient.connectStdio({ ...common, ...plan, env: start.env }),
        (client) => ({ ...client, sandbox: note })
      )
    )
  )
}

const remoteOptions = (
  { authorizationOf }: Options,
  entry: ServerEntry,
  config: StreamableServerConfig | SseServerConfig,
  common: McpClient.ConnectOptions
): McpClient.StreamableHttpOptions & McpClient.ConnectOptions => {
  const { headers, url } = config.server_parameters
  const times = config.type === "sse"
    ? {
      timeout: config.server_parameters.timeout * 1000,
      readTimeout: config.server_parameters.sse_read_timeout * 1000
    }
    : {
      timeout: isoDurationMillis(config.server_parameters.timeout),
      readTimeout: isoDurationMillis(config.server_parameters.sse_read_timeout),
      terminateOnClose: config.server_parameters.terminate_on_close
    }
  return {
    ...common,
    ...times,
    url,
    headers: Object.fromEntries(Object.entries(headers ?? {}).map(([name, value]) => [name, String(value)])),
    authorization: URL.canParse(url) ? authorizationOf?.(entry, new URL(url)) : undefined
  }
}

/** A server that does not know the newer transport refuses `initialize`. Where neither works, the newer one tells why. */
const connectEither = (options: McpClient.StreamableHttpOptions & McpClient.ConnectOptions): Connecting =>
  Effect.catchIf(
    McpClient.connectHttp(options),
    isUnknownTransport,
    (error) =>
      Effect.mapError(
        McpClient.connectSse(options),
        (other) => isUnknownTransport(other) || other.reason._tag === "Decode" ? error : other
      )
  )

const isUnknownTransport = ({ reason }: McpError): boolean =>
  reason._tag === "Http" && reason.status >= 400 && reason.status < 500 && reason.status !== 429

const cannotBeMade = (error: unknown) =>
  new Handshake({
    detail: `cannot be reached: its transport could not be made (${messageOf(error)}).`,
    stderrTail: []
  })

const unusable = (detail: string): Connecting =>
  Effect.fail(new McpError({ reason: new Handshake({ detail, stderrTail: [] }) }))
