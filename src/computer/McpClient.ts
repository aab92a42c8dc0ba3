/**
 * One connection to one MCP server.
 *
 * The SDK is used for what it does well (the handshake, request ids, cancellation) and kept away from the rest: it never
 * sees a result, because it strips, rejects or loses whatever deviates from its schemas.
 */
import { Deferred, Duration, Effect, Exit, Scope, type Stream } from "effect"
import { isRecord } from "../protocol/Json.ts"
import { BoxedError, boxResponse, unboxResult } from "./internal/boxedResponse.ts"
import { childEnvironment, SpawnError } from "./internal/childProcess.ts"
import type { Frame } from "./internal/jsonRpcFrame.ts"
import { type LineRing, makeLineRing } from "./internal/lineRing.ts"
import type { Send } from "./internal/listPages.ts"
import { lossReason, wireReason } from "./internal/mcpReason.ts"
import { Client, ResultSchema, SdkError } from "./internal/mcpSdk.ts"
import { MemoryTransport } from "./internal/memoryTransport.ts"
import { makeNotificationHub } from "./internal/notificationHub.ts"
import { makeProgressListeners } from "./internal/progressListeners.ts"
import { makeRedactor } from "./internal/redact.ts"
import { StdioTransport } from "./internal/stdioTransport.ts"
import { listTools } from "./internal/toolList.ts"
import {
  Decode,
  Handshake,
  McpError,
  type McpErrorReason,
  Spawn,
  Timeout,
  UnsupportedProtocolVersion
} from "./McpError.ts"

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

/** What a server wrote where it should not, for its operator to look at. Values of its configured `env` are hidden. */
export interface Diagnostics {
  /** How many lines on stdout were not MCP and were skipped. */
  readonly strayLines: number
  /** The last of them, shortened. */
  readonly lastStrayLines: ReadonlyArray<string>
  /** The last lines on stderr, shortened. */
  readonly stderrTail: ReadonlyArray<string>
}

/** One connection to one MCP server. It ends with the scope it was made in. */
export interface McpClient {
  readonly serverInfo: { readonly name: string; readonly version: string }
  /** As the server sent them, unknown ones included. */
  readonly capabilities: Readonly<Record<string, unknown>>
  readonly instructions: string | undefined
  /** The process id of the server (and of its process group), `undefined` when it is no process of ours. */
  readonly pid: number | undefined
  /**
   * All pages of `tools/list`. A tool that cannot be used is skipped with a reason and never hides the others; so is the
   * rest of a list that never ends. A server without tools has an empty list.
   */
  readonly listTools: Effect.Effect<ToolList, McpError>
  /**
   * Calls a tool and passes its result on unmodified, failed tools (`isError`) included.
   *
   * There is no deadline but the caller's. Interrupting the call sends `notifications/cancelled` with its request id; a
   * dead server ends it at once. `onProgress` is run for one progress after the other, all of them before the result is
   * returned; of more than 256 that wait for a slow `onProgress` the oldest are dropped, and when the result is there
   * they get 2 seconds. What it dies of is logged and does not fail the call.
   */
  readonly callTool: (
    name: string,
    args: Readonly<Record<string, unknown>>,
    options?: { readonly onProgress?: ((progress: Progress) => Effect.Effect<void>) | undefined }
  ) => Effect.Effect<Readonly<Record<string, unknown>>, McpError>
  /** Any other request, e.g. `resources/read`. The result is passed on unmodified. Ends after `requestTimeout`. */
  readonly request: (
    method: string,
    params?: Readonly<Record<string, unknown>>
  ) => Effect.Effect<Readonly<Record<string, unknown>>, McpError>
  /**
   * All notifications but progress and cancellation. What arrived before anybody listened (the newest 256) is delivered
   * to the stream that is started first; a stream started later begins with what arrives then. Each stream keeps the
   * newest 256 that it has not yet taken, and ends with the connection.
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
  /** The longest frame that is read, in bytes. Default: 64 MiB. */
  readonly maxFrameBytes?: number | undefined
  /** How long the server may take to end after its stdin was closed, before SIGTERM. Default: 1.5 seconds. */
  readonly eofGrace?: Duration.Input | undefined
  /** How long it may take after SIGTERM, before SIGKILL. Default: 1.5 seconds. */
  readonly termGrace?: Duration.Input | undefined
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
      env: childEnvironment(options.env),
      cwd: options.cwd,
      maxFrameBytes: options.maxFrameBytes,
      eofGraceMillis: toMillis(options.eofGrace),
      termGraceMillis: toMillis(options.termGrace),
      stderr,
      clean
    })
    return connect({ transport, stderr, label: options.command, options })
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
    return connect({ transport, prepare, stderr: makeLineRing(), label: "in-memory server", options })
  })

// =============================================================================
// Internal
// =============================================================================

const DEFAULT_CLIENT_NAME = "a2c-smcp"
const DEFAULT_CLIENT_VERSION = "0.1.0"
const DEFAULT_TIMEOUT = Duration.seconds(30)
/** The longest timeout there is: deadlines are not left to the SDK, which cannot tell them from cancellation. */
const SDK_TIMEOUT_MILLIS = 2_147_483_647
const SDK_CONNECTION_CLOSED = -32000
const NOTIFICATIONS_BUFFERED = 256

const toMillis = (duration: Duration.Input | undefined): number | undefined =>
  duration === undefined ? undefined : Duration.toMillis(duration)

const describeUnknown = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).slice(0, 500)

interface Connecting {
  readonly transport: StdioTransport | MemoryTransport
  /** What has to happen before we connect. */
  readonly prepare?: () => Promise<void>
  readonly stderr: LineRing
  readonly label: string
  readonly options: ConnectOptions
}

/** A failed attempt is released at once, and not only when the scope of the caller closes. */
const closeOnFailure = <A, E, R>(self: Effect.Effect<A, E, R | Scope.Scope>) =>
  Effect.scope.pipe(
    Effect.flatMap((parent) => Scope.fork(parent)),
    Effect.flatMap((scope) =>
      self.pipe(
        Scope.provide(scope),
        Effect.onExit((exit) => Exit.isFailure(exit) ? Scope.close(scope, exit) : Effect.void)
      )
    )
  )

/** Every error of the SDK becomes one of ours here, and nowhere else. */
const makeToTyped = (self: Connecting) => (error: unknown): McpError => {
  const reason = (): McpErrorReason => {
    if (error instanceof SpawnError) return new Spawn({ command: self.label, detail: error.message })
    if (error instanceof SdkError && error.data instanceof BoxedError) return wireReason(error.data.error)
    const message = describeUnknown(error)
    if ((error instanceof SdkError && error.code === SDK_CONNECTION_CLOSED) || message === "Not connected") {
      return lossReason(self.transport.loss, self.stderr)
    }
    const version = /^Server's protocol version is not supported: (.*)$/s.exec(message)?.[1]
    if (version !== undefined) return new UnsupportedProtocolVersion({ supported: [version] })
    return new Decode({ detail: message })
  }
  return new McpError({ reason: reason() })
}

/** The connection before the handshake: what arrives is sorted here, ahead of the SDK. */
const open = Effect.fnUntraced(function*(self: Connecting) {
  const { options, stderr, transport } = self
  const closed = yield* Deferred.make<McpError>()
  const notifications = makeNotificationHub<McpNotification>(NOTIFICATIONS_BUFFERED)
  const progress = makeProgressListeners()
  let initialized: Readonly<Record<string, unknown>> | undefined

  const receiveNotification = (method: string, params: Readonly<Record<string, unknown>>): void => {
    if (method === "notifications/progress") progress.deliver(params)
    else if (method !== "notifications/cancelled") notifications.publish({ method, params })
  }
  // the SDK calls what it finds here first, and then goes on with the same frame
  transport.onmessage = (frame: Frame) => {
    const { id, method, params, result } = frame
    if (typeof method === "string") {
      if (id === undefined) receiveNotification(method, isRecord(params) ? params : {})
      return
    }
    // `initialize` is always request 0; its result is for the SDK as well, which knows fewer capabilities than there are
    if (initialized === undefined && String(id) === "0" && isRecord(result)) initialized = result
    else boxResponse(frame)
  }
  transport.onclose = () => {
    Deferred.doneUnsafe(closed, Exit.succeed(new McpError({ reason: lossReason(transport.loss, stderr) })))
    notifications.close()
  }
  const client = new Client({
    name: options.clientName ?? DEFAULT_CLIENT_NAME,
    version: options.clientVersion ?? DEFAULT_CLIENT_VERSION
  })
  return {
    client,
    closed: Deferred.await(closed),
    notifications: notifications.stream,
    progress,
    capabilities: () => isRecord(initialized?.["capabilities"]) ? initialized["capabilities"] : {}
  }
})

const handshake = (self: Connecting, client: Client): Effect.Effect<void, McpError> => {
  const timeout = Duration.fromInputUnsafe(self.options.startTimeout ?? DEFAULT_TIMEOUT)
  return Effect.tryPromise({
    // no signal: the SDK would cancel `initialize`, which MCP forbids; closing the transport ends it as well
    try: async () => {
      await self.prepare?.()
      await client.connect(self.transport, { timeout: SDK_TIMEOUT_MILLIS })
    },
    catch: makeToTyped(self)
  }).pipe(
    Effect.timeoutOrElse({
      duration: timeout,
      orElse: () => {
        const detail = `did not answer within ${Duration.toSeconds(timeout)} s of its start. ` +
          "Check that it is an MCP server and has all it needs, or allow it more time."
        const reason = new Handshake({ detail, stderrTail: self.stderr.last() })
        return Effect.fail(new McpError({ reason }))
      }
    })
  )
}

const connectOnce = Effect.fnUntraced(
  function*(self: Connecting): Effect.fn.Return<McpClient, McpError, Scope.Scope> {
    const { stderr, transport } = self
    const connection = yield* Effect.acquireRelease(open(self), () => Effect.promise(() => transport.close()))
    const { client, closed, notifications, progress } = connection
    yield* handshake(self, client)

    const toTyped = makeToTyped(self)
    const send: Send = (method, params) =>
      Effect.tryPromise({
        // a signal of its own for every request: the SDK never takes its listener off it
        try: (signal) =>
          client.request({ method, params }, ResultSchema, { signal, timeout: SDK_TIMEOUT_MILLIS }).then(unboxResult),
        catch: toTyped
      })

    const requestTimeout = Duration.fromInputUnsafe(self.options.requestTimeout ?? DEFAULT_TIMEOUT)
    const withDeadline = <A>(method: string, effect: Effect.Effect<A, McpError>): Effect.Effect<A, McpError> =>
      Effect.timeoutOrElse(effect, {
        duration: requestTimeout,
        orElse: () => {
          const reason = new Timeout({ method, seconds: Duration.toSeconds(requestTimeout) })
          return Effect.fail(new McpError({ reason }))
        }
      })

    const capabilities = connection.capabilities()
    const { name = "", version = "" } = client.getServerVersion() ?? {}
    return {
      serverInfo: { name, version },
      capabilities,
      instructions: client.getInstructions(),
      pid: transport instanceof StdioTransport ? transport.pid : undefined,
      listTools: withDeadline("tools/list", listTools(send, capabilities)),
      callTool: (name, args, options) =>
        options?.onProgress === undefined
          ? send("tools/call", { name, arguments: args })
          : progress.listen(
            (progressToken) => send("tools/call", { name, arguments: args, _meta: { progressToken } }),
            options.onProgress
          ),
      request: (method, params = {}) => withDeadline(method, send(method, params)),
      notifications,
      closed,
      diagnostics: Effect.sync(() => ({
        strayLines: transport instanceof StdioTransport ? transport.strayLines : 0,
        lastStrayLines: transport instanceof StdioTransport ? transport.lastStrayLines : [],
        stderrTail: stderr.last()
      }))
    }
  }
)

const connect = (self: Connecting): Effect.Effect<McpClient, McpError, Scope.Scope> => closeOnFailure(connectOnce(self))
