/**
 * One connection to one MCP server, over any transport that MCP has.
 */
import { Duration, Effect, type Scope, type Stream } from "effect"
import type { Handlers } from "./ClientHandlers.ts"
import type { HttpAuthorization } from "./HttpAuthorization.ts"
import { CustomTransport } from "./internal/mcp/customTransport.ts"
import type { HttpChannelOptions } from "./internal/mcp/httpChannel.ts"
import { httpTarget } from "./internal/mcp/httpTarget.ts"
import { HttpTransport } from "./internal/mcp/httpTransport.ts"
import type { ListKind, Pages } from "./internal/mcp/listPages.ts"
import { connect, describeUnknown } from "./internal/mcp/mcpConnection.ts"
import { MemoryTransport } from "./internal/mcp/memoryTransport.ts"
import { SseTransport } from "./internal/mcp/sseTransport.ts"
import { StdioTransport } from "./internal/mcp/stdioTransport.ts"
import { WebSocketTransport } from "./internal/mcp/webSocketTransport.ts"
import type { WireTransport } from "./internal/mcp/wireTransport.ts"
import { childEnvironment, SpawnError } from "./internal/process/childProcess.ts"
import { makeLineRing } from "./internal/process/lineRing.ts"
import { makeLearningRedactor, makeRedactor } from "./internal/secrets/redact.ts"
import { Handshake, McpError } from "./McpError.ts"
import type { McpTransport } from "./McpTransport.ts"

// =============================================================================
// Models
// =============================================================================

/** A tool as its server describes it; fields unknown here are kept. */
export interface McpTool {
  readonly name: string
  readonly description?: string
  readonly inputSchema: Readonly<Record<string, unknown>>
  readonly outputSchema?: Readonly<Record<string, unknown>>
  readonly annotations?: Readonly<Record<string, unknown>>
  readonly _meta?: Readonly<Record<string, unknown>>
  readonly [key: string]: unknown
}

/** The tools of a server, and what was left out of them. */
export interface ToolList {
  readonly tools: ReadonlyArray<McpTool>
  readonly skipped: ReadonlyArray<{ readonly name: string | undefined; readonly why: string }>
}

/** How far a call has come. */
export interface Progress {
  readonly progress: number
  readonly total?: number
  readonly message?: string
}

/** A notification as the server sent it. */
export interface McpNotification {
  readonly method: string
  readonly params: Readonly<Record<string, unknown>>
}

/**
 * What a server wrote where it should not, for its operator to look at. Values of its configured `env` and headers are
 * hidden.
 */
export interface Diagnostics {
  /** How many lines or messages were not MCP and were skipped. */
  readonly strayLines: number
  /** The last of them, shortened. */
  readonly lastStrayLines: ReadonlyArray<string>
  /** The last lines on stderr, shortened. */
  readonly stderrTail: ReadonlyArray<string>
}

/** Options of one call. */
export interface CallOptions {
  readonly onProgress?: ((progress: Progress) => Effect.Effect<void>) | undefined
  /** Default: none. */
  readonly idleTimeout?: Duration.Input | undefined
  /** Default: none. */
  readonly maxTimeout?: Duration.Input | undefined
}

/** One connection to one MCP server. It ends with the scope it was made in. */
export interface McpClient {
  readonly serverInfo: { readonly name: string; readonly version: string }
  /** The version of MCP that was agreed on. */
  readonly protocolVersion: string
  /** As the server sent them, unknown ones included. */
  readonly capabilities: Readonly<Record<string, unknown>>
  readonly instructions: string | undefined
  /** The process id of the server (and of its process group), `undefined` when it is no process of ours. */
  readonly pid: number | undefined
  /** What holds the process of the server in, and what does not; absent when it has no sandbox. */
  readonly sandbox?: string | undefined
  /**
   * All pages of `tools/list`. A tool that cannot be used is skipped with a reason and never hides the others; so is the
   * rest of a list that never ends. A server without tools has an empty list.
   */
  readonly listTools: Effect.Effect<ToolList, McpError>
  /**
   * Calls a tool and passes its result on unmodified, failed tools (`isError`) included.
   *
   * There is no deadline but the caller's, and those that are given: `idleTimeout` is how long the server may neither
   * answer nor report progress (while it asks something of the person here, it is not idle), `maxTimeout` how long the
   * call may take at all. Both end it with `Timeout`. Interrupting the call sends `notifications/cancelled` with its request id; a
   * dead server ends it at once. `onProgress` is run for one progress after the other, all of them before the result is
   * returned; of more than 256 that wait for a slow `onProgress` the oldest are dropped, and when the result is there
   * they get 2 seconds. What it dies of is logged and does not fail the call.
   */
  readonly callTool: (
    name: string,
    args: Readonly<Record<string, unknown>>,
    options?: CallOptions
  ) => Effect.Effect<Readonly<Record<string, unknown>>, McpError>
  /**
   * All pages of a list, each entry as the server sent it; `cut` says why there may be more. Ends after `requestTimeout`.
   * Fails with `NotSupported` when the server has no such list.
   */
  readonly list: (kind: ListKind) => Effect.Effect<Pages, McpError>
  /**
   * Any other request, e.g. `resources/read`. The result is passed on unmodified. Ends after `requestTimeout`. What a
   * server did not announce is not asked of it: that fails with `NotSupported`.
   */
  readonly request: (
    method: string,
    params?: Readonly<Record<string, unknown>>
  ) => Effect.Effect<Readonly<Record<string, unknown>>, McpError>
  /** From which level on the server should send its log, e.g. `warning`. Its log goes to ours. */
  readonly setLogLevel: (level: string) => Effect.Effect<void, McpError>
  /**
   * All notifications but progress and cancellation. What arrived before anybody listened (the newest 256) is delivered
   * to the stream that is started first; a stream started later begins with what arrives then. Each stream keeps the
   * newest 256 that it has not yet taken, and ends with the connection. Where an HTTP server could not be heard for a
   * while, the changes of its lists are notified that there may have been.
   */
  readonly notifications: Stream.Stream<McpNotification>
  /** Succeeds with the reason when the connection is lost or closed. */
  readonly closed: Effect.Effect<McpError>
  readonly diagnostics: Effect.Effect<Diagnostics>
}

/** Options of every connection. */
export interface ConnectOptions {
  /** The name we give ourselves in `initialize`. Default: `a2c-smcp`. */
  readonly clientName?: string | undefined
  /** The version we give ourselves in `initialize`. Default: `0.1.0`. */
  readonly clientVersion?: string | undefined
  /** How long start and handshake may take. Default: 30 seconds. */
  readonly startTimeout?: Duration.Input | undefined
  /** How long `listTools` and `request` may take. Default: 30 seconds. */
  readonly requestTimeout?: Duration.Input | undefined
  /** Texts that are hidden in errors and diagnostics. Default: none but those that each transport names. */
  readonly secrets?: ReadonlyArray<string> | undefined
  /** What the server is called in logs and by `handlers`. Default: its command or host. */
  readonly serverName?: string | undefined
  /** Directories that the server is told of, as `file:` URIs. Default: none, and it is not told that it could ask. */
  readonly roots?: ReadonlyArray<string> | undefined
  /** From which level on the server should send its log, if it has one. Default: as it likes. */
  readonly logLevel?: string | undefined
  /** Answers what the server asks. Default: nothing is answered, and announced. */
  readonly handlers?: Handlers | undefined
}

/** How to start an MCP server. */
export interface StdioOptions {
  readonly command: string
  readonly args?: ReadonlyArray<string> | undefined
  /**
   * Added to the safe part of our own environment (`PATH`, `HOME`, locale, …), which is all a server sees of it. The
   * values are taken for secrets: they are hidden in errors and diagnostics.
   */
  readonly env?: Readonly<Record<string, string>> | undefined
  readonly cwd?: string | undefined
  /** What the server sees of our environment, in the place of its safe part. */
  readonly environment?: Readonly<Record<string, string>> | undefined
  /** The longest frame that is read, in bytes. Default: 64 MiB. */
  readonly maxFrameBytes?: number | undefined
  /** How long the server may take to end after its stdin was closed, before SIGTERM. Default: 1.5 seconds. */
  readonly eofGrace?: Duration.Input | undefined
  /** How long it may take after SIGTERM, before SIGKILL. Default: 1.5 seconds. */
  readonly termGrace?: Duration.Input | undefined
}

/** How to reach an MCP server over HTTP. */
export interface HttpOptions {
  /** `http:` or `https:`. What it holds in its query is taken for secret. */
  readonly url: string
  /** Sent with every request. The values are taken for secrets: they are hidden in errors and diagnostics. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Authorizes the requests. Default: nothing but the headers. */
  readonly authorization?: HttpAuthorization | undefined
  /** How long connecting may take, and any message that needs no answer. Default: 30 seconds. */
  readonly timeout?: Duration.Input | undefined
  /**
   * How long the server may say nothing of its own accord. Then Streamable HTTP listens anew, and SSE takes it for dead.
   * Default: for ever.
   */
  readonly readTimeout?: Duration.Input | undefined
  /** The largest message that is read, in bytes. Default: 64 MiB. */
  readonly maxMessageBytes?: number | undefined
}

/** How to reach an MCP server over Streamable HTTP. */
export interface StreamableHttpOptions extends HttpOptions {
  /** Whether the session is ended at the server when the connection ends. Default: true. */
  readonly terminateOnClose?: boolean | undefined
}

/** An MCP server in this process, such as an SDK `Server` or `McpServer`. */
export interface InMemoryServer {
  connect(transport: MemoryTransport): Promise<void>
}

// =============================================================================
// Constructors
// =============================================================================

/**
 * Starts an MCP server as a child process and connects to it.
 *
 * When the scope closes, the whole process group is ended: stdin is closed, then SIGTERM, then SIGKILL. A connect that
 * fails leaves no process either. Fails with the reasons `Spawn`, `Handshake`, `Exit` (the server
 * ended, with its exit code and last stderr lines), `Closed`, `Decode`, `UnsupportedProtocolVersion` or `Rpc`.
 */
export const connectStdio = (
  options: StdioOptions & ConnectOptions
): Effect.Effect<McpClient, McpError, Scope.Scope> =>
  Effect.suspend(() => {
    const clean = makeRedactor([...Object.values(options.env ?? {}), ...options.secrets ?? []])
    const stderr = makeLineRing({ clean })
    const transport = new StdioTransport({
      command: options.command,
      args: options.args ?? [],
      env: childEnvironment(options.env, options.environment),
      cwd: options.cwd,
      maxFrameBytes: options.maxFrameBytes,
      eofGraceMillis: toMillis(options.eofGrace),
      termGraceMillis: toMillis(options.termGrace),
      stderr,
      clean
    })
    return connect({ transport, stderr, clean, label: options.command, options })
  })

/**
 * Connects to an MCP server over Streamable HTTP.
 *
 * A call that the server refuses, drops or cannot answer fails at once and leaves the session alone. When the server
 * no longer knows the session, or nobody listens at its address any more, the connection ends. Fails with `Http`,
 * `AuthRequired`, `AuthFailed`, `Closed` (it cannot be reached), `Handshake`, `Decode`, `TooLarge`,
 * `UnsupportedProtocolVersion` or `Rpc`.
 */
export const connectHttp = (
  options: StreamableHttpOptions & ConnectOptions
): Effect.Effect<McpClient, McpError, Scope.Scope> =>
  connectRemote(options, ["http:", "https:"], (channel) =>
    new HttpTransport({
      ...channel,
      terminateOnClose: options.terminateOnClose ?? true,
      readTimeoutMillis: toMillis(options.readTimeout)
    }))

/**
 * Connects to an MCP server over the older HTTP+SSE transport. The connection ends with the stream of events. Fails as
 * {@link connectHttp} does.
 */
export const connectSse = (
  options: HttpOptions & ConnectOptions
): Effect.Effect<McpClient, McpError, Scope.Scope> =>
  connectRemote(
    options,
    ["http:", "https:"],
    (channel) => new SseTransport({ ...channel, readTimeoutMillis: toMillis(options.readTimeout) })
  )

/**
 * Connects to an MCP server over a WebSocket (`ws:` or `wss:`) with the subprotocol `mcp`, which is no part of MCP but
 * spoken by some servers. What refuses the connection is told as `Closed`, a refused login too.
 */
export const connectWebSocket = (
  options: Omit<HttpOptions, "readTimeout"> & ConnectOptions
): Effect.Effect<McpClient, McpError, Scope.Scope> =>
  connectRemote(options, ["ws:", "wss:"], (channel) => new WebSocketTransport(channel))

/** Connects over a transport of your own, which is closed with the scope. What its `start` rejects with becomes `Closed`. */
export const connectWith = (
  transport: McpTransport,
  options: ConnectOptions = {}
): Effect.Effect<McpClient, McpError, Scope.Scope> =>
  Effect.suspend(() => {
    const clean = makeRedactor(options.secrets ?? [])
    return connect({ transport: new CustomTransport(transport, clean), clean, label: "custom transport", options })
  })

/**
 * Connects to an MCP server in this process. Frames go through JSON, so that the two sides never share an object.
 *
 * The connection ends with the scope, or when the server closes it.
 */
export const connectInMemory = (
  server: InMemoryServer,
  options: ConnectOptions = {}
): Effect.Effect<McpClient, McpError, Scope.Scope> =>
  Effect.suspend(() => {
    const [transport, serverSide] = MemoryTransport.pair()
    const prepare = () =>
      server.connect(serverSide).catch((error: unknown) => {
        throw new SpawnError(describeUnknown(error))
      })
    return connect({
      transport,
      prepare,
      clean: makeRedactor(options.secrets ?? []),
      label: "in-memory server",
      options
    })
  })

// =============================================================================
// Internal
// =============================================================================

const DEFAULT_HTTP_TIMEOUT_MILLIS = 30_000
const DEFAULT_MAX_MESSAGE_BYTES = 64 * 1024 * 1024

/** The longest that a timer can wait. */
const LONGEST_TIMER_MILLIS = 2_147_483_647

const toMillis = (duration: Duration.Input | undefined): number | undefined =>
  duration === undefined ? undefined : Math.min(Duration.toMillis(duration), LONGEST_TIMER_MILLIS)

const connectRemote = Effect.fnUntraced(function*(
  options: HttpOptions & ConnectOptions,
  protocols: ReadonlyArray<string>,
  make: (channel: HttpChannelOptions) => WireTransport
): Effect.fn.Return<McpClient, McpError, Scope.Scope> {
  const target = httpTarget(options.url, options.headers ?? {}, protocols)
  if (typeof target === "string") {
    return yield* new McpError({ reason: new Handshake({ detail: target, stderrTail: [] }) })
  }
  const { clean, hide } = makeLearningRedactor([...target.secrets, ...options.secrets ?? []])
  const transport = make({
    url: target.url,
    headers: target.headers,
    authorization: options.authorization,
    timeoutMillis: toMillis(options.timeout) ?? DEFAULT_HTTP_TIMEOUT_MILLIS,
    maxMessageBytes: options.maxMessageBytes ?? DEFAULT_MAX_MESSAGE_BYTES,
    clean,
    hide,
    run: Effect.runPromiseWith(yield* Effect.context<never>())
  })
  return yield* connect({ transport, clean, label: target.url.host, options })
})
