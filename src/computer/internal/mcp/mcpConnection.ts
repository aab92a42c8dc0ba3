/**
 * One connection to one MCP server over any transport.
 *
 * The SDK is used for the handshake and for what the server asks of us. It never sees an answer to a request of ours,
 * because it strips, rejects or loses whatever deviates from its schemas.
 */
import { Clock, Deferred, Duration, Effect, Exit, Scope } from "effect"
import { isRecord, text } from "../../../protocol/Json.ts"
import { messageOf } from "../../../protocol/Thrown.ts"
import * as Background from "../../../transport/Background.ts"
import type { ConnectOptions, McpClient, McpNotification } from "../../McpClient.ts"
import {
  Decode,
  Handshake,
  McpError,
  type McpErrorReason,
  NotSupported,
  Rpc,
  Spawn,
  Timeout,
  UnsupportedProtocolVersion
} from "../../McpError.ts"
import { SpawnError } from "../process/childProcess.ts"
import { type LineRing, makeLineRing } from "../process/lineRing.ts"
import { withCallDeadline } from "./callDeadline.ts"
import { missingCapability } from "./capabilityGate.ts"
import type { Frame } from "./jsonRpcFrame.ts"
import { LIST_METHODS, listPages, type Send } from "./listPages.ts"
import { lossReason, wireReason } from "./mcpReason.ts"
import { Client, type JsonSchemaCompiler, type JsonSchemaValidator, SdkError } from "./mcpSdk.ts"
import { makeNotificationHub } from "./notificationHub.ts"
import { makePendingRequests, type PendingRequests } from "./pendingRequests.ts"
import { makeProgressListeners } from "./progressListeners.ts"
import { makeServerLog } from "./serverLog.ts"
import { makeServerRequests } from "./serverRequests.ts"
import { listTools } from "./toolList.ts"
import { TransportFailure, type WireTransport } from "./wireTransport.ts"

const DEFAULT_CLIENT_NAME = "a2c-smcp"
const DEFAULT_CLIENT_VERSION = "0.1.0"
const DEFAULT_TIMEOUT = Duration.seconds(30)
/** The longest timeout there is: deadlines are not left to the SDK, which cannot tell them from cancellation. */
const SDK_TIMEOUT_MILLIS = 2_147_483_647
const SDK_CONNECTION_CLOSED = -32000
/** The id of the first request, which is the only one of the SDK. */
const INITIALIZE_ID = 0
const NOTIFICATIONS_BUFFERED = 256
const MAX_PAGES = 1_000
const LONGEST_DETAIL = 500

export interface Connecting {
  readonly transport: WireTransport
  /** What has to happen before we connect. */
  readonly prepare?: () => Promise<void>
  readonly stderr?: LineRing
  readonly clean: (text: string) => string
  readonly label: string
  readonly options: ConnectOptions
}

/** Connects; a failed attempt is released at once, and not only when the scope of the caller closes. */
export const connect = (self: Connecting): Effect.Effect<McpClient, McpError, Scope.Scope> =>
  Effect.scope.pipe(
    Effect.flatMap((parent) => Scope.fork(parent)),
    Effect.flatMap((scope) =>
      connectOnce({ stderr: makeLineRing(), ...self }).pipe(
        Scope.provide(scope),
        Effect.onExit((exit) => Exit.isFailure(exit) ? Scope.close(scope, exit) : Effect.void)
      )
    )
  )

export const describeUnknown = (error: unknown): string => messageOf(error).slice(0, LONGEST_DETAIL)

type Connected = Required<Omit<Connecting, "prepare">> & Pick<Connecting, "prepare">

/** Every error of the SDK and of the transport becomes one of ours here, and nowhere else. */
const toTyped = (self: Connected, error: unknown): McpError => {
  const reason = (): McpErrorReason => {
    if (error instanceof TransportFailure) return error.reason
    if (error instanceof SpawnError) return new Spawn({ command: self.label, detail: error.message })
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

const shown = ({ clean }: Connected, text: string): string => clean(text).slice(0, LONGEST_DETAIL)

/** The error that a server answers with. It may repeat what it was given. */
const refusalOf = (self: Connected, error: Readonly<Record<string, unknown>>): McpError => {
  const reason = wireReason(error)
  if (reason._tag === "Decode") return new McpError({ reason: new Decode({ detail: shown(self, reason.detail) }) })
  if (reason._tag !== "Rpc") return new McpError({ reason })
  const message = self.clean(reason.message)
  const isClean = message === reason.message && (reason.data === undefined || isCleanData(self, reason.data))
  return new McpError({ reason: isClean ? reason : new Rpc({ code: reason.code, message }) })
}

const isCleanData = ({ clean }: Connected, data: unknown): boolean => {
  try {
    const json = JSON.stringify(data)
    return clean(json) === json
  } catch {
    // nested too deep for anybody
    return false
  }
}

/** The connection before the handshake: what arrives is sorted here, ahead of the SDK. */
const open = Effect.fnUntraced(function*(self: Connected) {
  const { options, stderr, transport } = self
  const server = options.serverName ?? self.label
  const closed = yield* Deferred.make<McpError>()
  const notifications = makeNotificationHub<McpNotification>(NOTIFICATIONS_BUFFERED)
  const progress = makeProgressListeners()
  const clock = yield* Clock.Clock
  const serverLog = makeServerLog({ server, clean: self.clean, now: () => clock.currentTimeMillisUnsafe() })
  const run = Effect.runForkWith(yield* Effect.context<never>())
  const requests = yield* makeServerRequests({
    server,
    roots: options.roots ?? [],
    handlers: options.handlers ?? {}
  })
  let initialized: Readonly<Record<string, unknown>> | undefined
  let uninitialized: McpError | undefined
  const pending = makePendingRequests(INITIALIZE_ID + 1, {
    transport,
    unsent: (error) => toTyped(self, error),
    refused: (error) => refusalOf(self, error)
  })

  const receiveNotification = (method: string, params: Readonly<Record<string, unknown>>): void => {
    if (method === "notifications/progress") return progress.deliver(params)
    if (method === "notifications/cancelled") return requests.takeBack(params["requestId"])
    if (method === "notifications/message") {
      const line = serverLog(params)
      if (line !== undefined) run(line)
    }
    notifications.publish({ method, params })
  }
  // the SDK calls what it finds here first, and then goes on with the same frame
  transport.onmessage = (frame: Frame) => {
    const { error, id, method, params, result } = frame
    if (typeof method === "string") {
      if (id === undefined) receiveNotification(method, isRecord(params) ? params : {})
    } else if (String(id) === `${INITIALIZE_ID}` && isRecord(result)) {
      // the SDK knows fewer capabilities than there are
      initialized ??= result
    } else if (String(id) === `${INITIALIZE_ID}` && isRecord(error)) uninitialized ??= refusalOf(self, error)
  }
  transport.onclose = () => {
    const error = new McpError({ reason: lossReason(transport.loss, stderr) })
    Deferred.doneUnsafe(closed, Exit.succeed(error))
    notifications.close()
    pending.end(error)
  }
  const client = new Client({
    name: options.clientName ?? DEFAULT_CLIENT_NAME,
    version: options.clientVersion ?? DEFAULT_CLIENT_VERSION
  }, { capabilities: requests.capabilities, jsonSchemaValidator: NO_VALIDATOR })
  client.fallbackRequestHandler = ({ method, params }, extra) => requests.answer(method, params, extra)
  return {
    client,
    closed: Deferred.await(closed),
    notifications: notifications.stream,
    progress,
    pending,
    requests,
    initialized: () => initialized ?? {},
    uninitialized: () => uninitialized
  }
})

/** From the end of the handshake on, answers are ours alone. */
const takeAnswers = ({ transport }: Connected, pending: PendingRequests): void => {
  const { onmessage } = transport
  transport.onmessage = (frame) => {
    if (!pending.receive(frame)) onmessage?.(frame)
  }
}

/** Nothing is left to the SDK to validate; the validator it would make otherwise is a large one. */
const NO_VALIDATOR: JsonSchemaCompiler = {
  getValidator: <T>(): JsonSchemaValidator<T> => (input) => ({ valid: true, data: input as T, errorMessage: undefined })
}

const handshake = (
  self: Connected,
  { client, uninitialized }: { readonly client: Client; readonly uninitialized: () => McpError | undefined }
): Effect.Effect<void, McpError> => {
  const timeout = Duration.fromInputUnsafe(self.options.startTimeout ?? DEFAULT_TIMEOUT)
  return Effect.tryPromise({
    // no signal: the SDK would cancel `initialize`, which MCP forbids; closing the transport ends it as well
    try: async () => {
      await self.prepare?.()
      await client.connect(self.transport, { timeout: SDK_TIMEOUT_MILLIS })
    },
    catch: (error) => error instanceof SdkError ? uninitialized() ?? toTyped(self, error) : toTyped(self, error)
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

/** How requests are sent: gated by what the server announced, each within its deadline. */
const makeSenders = (self: Connected, send: Send, capabilities: Readonly<Record<string, unknown>>) => {
  const requestTimeout = Duration.fromInputUnsafe(self.options.requestTimeout ?? DEFAULT_TIMEOUT)
  const withDeadline = <A>(method: string, effect: Effect.Effect<A, McpError>): Effect.Effect<A, McpError> =>
    Effect.timeoutOrElse(effect, {
      duration: requestTimeout,
      orElse: () => {
        const reason = new Timeout({ method, seconds: Duration.toSeconds(requestTimeout) })
        return Effect.fail(new McpError({ reason }))
      }
    })
  const gated = <A>(method: string, effect: Effect.Effect<A, McpError>): Effect.Effect<A, McpError> => {
    const capability = missingCapability(method, capabilities)
    return capability === undefined
      ? withDeadline(method, effect)
      : Effect.fail(new McpError({ reason: new NotSupported({ method, capability }) }))
  }
  return { withDeadline, gated }
}

const connectOnce = Effect.fnUntraced(
  function*(self: Connected): Effect.fn.Return<McpClient, McpError, Scope.Scope> {
    const { options, stderr, transport } = self
    const connection = yield* Effect.acquireRelease(open(self), () => Effect.promise(() => transport.close()))
    const { client, closed, notifications, pending, progress, requests } = connection
    yield* handshake(self, connection)
    takeAnswers(self, pending)

    const initialized = connection.initialized()
    const capabilities = isRecord(initialized["capabilities"]) ? initialized["capabilities"] : {}
    const { send } = pending
    const { gated, withDeadline } = makeSenders(self, send, capabilities)
    const request: McpClient["request"] = (method, params = {}) => gated(method, send(method, params))
    const callTool: McpClient["callTool"] = (name, args, { idleTimeout, maxTimeout, onProgress } = {}) =>
      withCallDeadline(
        "tools/call",
        { idle: idleTimeout, max: maxTimeout },
        requests.isAsking,
        (alive) =>
          onProgress === undefined && idleTimeout === undefined
            ? send("tools/call", { name, arguments: args })
            : progress.listen(
              (progressToken) => send("tools/call", { name, arguments: args, _meta: { progressToken } }),
              { progress: onProgress, alive }
            )
      )
    const setLogLevel = (level: string) => Effect.asVoid(request("logging/setLevel", { level }))

    const { name = "", version = "" } = client.getServerVersion() ?? {}
    const { logLevel, serverName = self.label } = options
    if (logLevel !== undefined && missingCapability("logging/setLevel", capabilities) === undefined) {
      yield* setLogLevel(logLevel).pipe(
        Effect.catch(({ message }) => Effect.logWarning(`The log level of "${serverName}" was not set: ${message}`)),
        Background.fork("Setting the log level of an MCP server")
      )
    }
    return {
      serverInfo: { name, version },
      protocolVersion: text(initialized["protocolVersion"]) ?? "",
      capabilities,
      instructions: client.getInstructions(),
      pid: transport.pid,
      listTools: withDeadline("tools/list", listTools(send, capabilities)),
      list: (kind) => gated(LIST_METHODS[kind], listPages(send, kind, MAX_PAGES)),
      callTool,
      request,
      setLogLevel,
      notifications,
      closed,
      diagnostics: Effect.sync(() => ({
        strayLines: transport.strayLines ?? 0,
        lastStrayLines: transport.lastStrayLines ?? [],
        stderrTail: stderr.last()
      }))
    }
  }
)
