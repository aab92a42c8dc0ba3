/**
 * `Transport` over Socket.IO: namespace `/smcp`, polling first, reconnecting by
 * itself until it is closed or refused.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as SubscriptionRef from "effect/SubscriptionRef"
import { io, type Socket } from "socket.io-client"
import * as Ack from "../protocol/Ack.ts"
import * as Revision from "../protocol/Revision.ts"
import * as SmcpError from "../protocol/SmcpError.ts"
import * as WireError from "../protocol/WireError.ts"
import * as carriedParser from "./internal/carriedParser.ts"
import * as clientCore from "./internal/clientCore.ts"
import { refusalOf } from "./internal/connectRefusal.ts"
import * as openSockets from "./internal/openSockets.ts"
import * as payloadLimit from "./internal/payloadLimit.ts"
import type { Run } from "./internal/trackedFiber.ts"
import { type AckFunction, DEFAULT_PATH, NAMESPACE, takeAck } from "./internal/wire.ts"
import { type ConnectionState, type Credentials, Transport } from "./Transport.ts"

/** Options of {@link layer}. */
export interface Options {
  /**
   * Where the Server is, `http://host:port`. A path other than `/` and `/smcp`
   * is taken as Socket.IO's path; query parameters are sent along.
   */
  readonly url: string
  /** The revision to speak; its version is announced as `a2c_version`. Default: 0.4. */
  readonly revision?: Revision.Revision | undefined
  /** Socket.IO's path. Default: `/socket.io`. */
  readonly path?: string | undefined
  /** The Server's key, sent as `auth.token`. Shorthand for `credentials`. */
  readonly apiKey?: Redacted.Redacted | undefined
  /** The whole `auth` object of the handshake, asked again at every reconnect. Default: made of `apiKey`, if any. */
  readonly credentials?: Credentials | undefined
  /** Additional HTTP headers of the handshake. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** How long the first connection may take, and each attempt to have it again. Default: 10 seconds. */
  readonly connectTimeout?: Duration.Input | undefined
}

/** Connects; building the layer ends when the connection stands or with the reason why it does not. */
export const layer = (options: Options): Layer.Layer<Transport, SmcpError.SmcpError> =>
  Layer.effect(Transport, make(options))

/** {@link layer} as a scoped effect. */
export const make = Effect.fnUntraced(function*(
  options: Options
): Effect.fn.Return<Transport["Service"], SmcpError.SmcpError, Scope.Scope> {
  const context = yield* Effect.context<never>()
  const run = Effect.runForkWith(context)
  const socket = yield* createSocket(options, yield* parseUrl(options.url), run)
  const link = linkOf(socket)
  const core = yield* clientCore.make({ revision: options.revision ?? Revision.defaultRevision, link })
  const setState = (state: ConnectionState) => void run(SubscriptionRef.set(core.state, state))

  yield* Effect.acquireRelease(
    Effect.sync(() => {
      const requests = answerRequests(socket, run, core)
      superviseConnection(socket, options.url, setState)
      socket.on("disconnect", () => {
        // A packet still queued here would be sent after the reconnect, long after its caller gave up.
        socket.sendBuffer.length = 0
        for (const fiber of requests) fiber.interruptUnsafe()
      })
      return requests
    }),
    (requests) =>
      Effect.gen(function*() {
        socket.disconnect()
        socket.off().io.off()
        yield* Fiber.interruptAll([...requests])
        yield* SubscriptionRef.set(core.state, { _tag: "Closed", error: undefined })
      })
  )
  yield* connect(socket, options)
  return core.service
})

const parseUrl = (text: string): Effect.Effect<URL, SmcpError.SmcpError> =>
  Effect.try({
    try: () => new URL(text),
    catch: () =>
      SmcpError.make(
        new SmcpError.ConfigInvalid({ message: `Not a URL: "${text}". Expected something like http://host:port` })
      )
  })

const createSocket = Effect.fnUntraced(function*(options: Options, url: URL, run: Run) {
  // Socket.IO would wait for ever for the answer of a mute server; through its own agent it can be made to let go.
  const { agent, cut } = yield* Effect.acquireRelease(
    Effect.sync(() => openSockets.make(url.protocol === "https:")),
    ({ letGo }) => letGo
  )
  const ownPath = url.pathname === "/" || url.pathname === NAMESPACE ? DEFAULT_PATH : url.pathname
  const { apiKey } = options
  const credentials = options.credentials ??
    (apiKey === undefined ? undefined : Effect.sync(() => ({ token: Redacted.value(apiKey) })))
  const socket: Socket = io(url.origin + NAMESPACE, {
    autoConnect: false,
    forceNew: true,
    // Node's form of the option, which the types of the browser's client leave out.
    agent: agent as unknown as string,
    path: options.path ?? ownPath,
    transports: ["polling", "websocket"],
    // The first connection has a deadline of its own, which says more.
    timeout: Duration.toMillis(connectTimeoutOf(options)) + 500,
    parser: { ...carriedParser, Decoder: carriedParser.PlainDecoder },
    query: {
      ...Object.fromEntries(url.searchParams),
      a2c_version: (options.revision ?? Revision.defaultRevision).version
    },
    ...(options.headers === undefined ? {} : { extraHeaders: { ...options.headers } }),
    ...(credentials === undefined ? {} : {
      auth: (send: (auth: object) => void) => {
        run(credentials).addObserver((exit) => {
          if (Exit.isSuccess(exit)) send(exit.value)
          else endWith(socket, SmcpError.findOr(exit.cause, credentialsFailed))
        })
      }
    })
  })
  // Who missed the heartbeats does not answer a goodbye either, and a WebSocket would wait half a minute for that.
  socket.on("disconnect", (reason) => reason === "ping timeout" ? cut() : undefined)
  return socket
})

const credentialsFailed = SmcpError.make(
  new SmcpError.AuthenticationRejected({ message: "The credentials for the handshake could not be obtained" })
)

/** Ends the connection for good, telling whoever supervises it why. */
const endWith = (socket: Socket, error: SmcpError.SmcpError): void => {
  socket.io.reconnection(false)
  socket.disconnect()
  const cause = Object.assign(new Error(error.message), { smcp: error })
  for (const listener of socket.listeners("connect_error")) listener.call(socket, cause)
}

const connectTimeoutOf = ({ connectTimeout }: Options): Duration.Duration =>
  Duration.fromInputUnsafe(connectTimeout ?? "10 seconds")

const connect = (socket: Socket, options: Options): Effect.Effect<void, SmcpError.SmcpError> => {
  const timeout = connectTimeoutOf(options)
  return Effect.callback<void, SmcpError.SmcpError>((resume) => {
    const onConnect = () => done(Effect.void)
    const onError = (error: Error) => done(Effect.fail(refusalOf(socket, options.url, error).error))
    const done = (result: Effect.Effect<void, SmcpError.SmcpError>) => {
      socket.off("connect", onConnect).off("connect_error", onError)
      resume(result)
    }
    socket.once("connect", onConnect).once("connect_error", onError).connect()
    return Effect.sync(() => void socket.off("connect", onConnect).off("connect_error", onError))
  }).pipe(Effect.timeoutOrElse({
    duration: timeout,
    orElse: () =>
      Effect.fail(SmcpError.make(
        new SmcpError.NotConnected({
          message: `No connection to ${options.url} within ${Duration.toSeconds(timeout)} s`
        })
      ))
  }))
}

const SERVER_DISCONNECT_DELAY = 1000

/** Keeps the state current and decides when the connection is over for good. */
const superviseConnection = (socket: Socket, url: string, setState: (state: ConnectionState) => void): void => {
  let retry: NodeJS.Timeout | undefined
  const close = (error: SmcpError.SmcpError | undefined) => {
    clearTimeout(retry)
    setState({ _tag: "Closed", error })
  }
  socket.on("connect", () => setState({ _tag: "Connected", sid: socket.id ?? "" }))
  socket.on("connect_error", (cause) => {
    const { error, final } = refusalOf(socket, url, cause)
    if (!final) return
    socket.io.reconnection(false)
    socket.disconnect()
    close(error)
  })
  socket.on("disconnect", (reason) => {
    if (reason === "io client disconnect") return close(undefined)
    setState({ _tag: "Disconnected", reason })
    // Socket.IO does not come back by itself after the Server dropped it, as a restarting Server does.
    if (reason === "io server disconnect") {
      retry = setTimeout(() => {
        setState({ _tag: "Connecting", attempt: 1 })
        socket.connect()
      }, SERVER_DISCONNECT_DELAY * (0.5 + Math.random()))
    }
  })
  socket.io.on("reconnect_attempt", (attempt) => setState({ _tag: "Connecting", attempt }))
}

/** Answers incoming events; returns the fibers at work. */
const answerRequests = (socket: Socket, run: Run, core: clientCore.ClientCore): Set<Fiber.Fiber<Ack.Args>> => {
  const requests = new Set<Fiber.Fiber<Ack.Args>>()
  socket.onAny((event: string, ...args: Array<unknown>) => {
    const ack = takeAck(args)
    const fiber = run(core.receive(event, args))
    requests.add(fiber)
    fiber.addObserver((exit) => {
      requests.delete(fiber)
      if (ack !== undefined && socket.connected && Exit.isSuccess(exit)) acknowledge(socket, event, ack, exit.value)
    })
  })
  return requests
}

const acknowledge = (socket: Socket, event: string, ack: AckFunction, args: Ack.Args): void => {
  const text = encodeJson(args)
  if (text === undefined) return ack(...notJsonAnswer)
  const excess = payloadLimit.excess(event, text, maxPayloadOf(socket))
  if (excess === undefined) ack(new carriedParser.ReplyText(text))
  else ack(...payloadLimit.inPlaceOf(event, excess))
}

const notJsonAnswer = Ack.failure(SmcpError.make(new WireError.InternalError({ message: "The answer is not JSON" })))

const linkOf = (socket: Socket): clientCore.Link => {
  const offline = Effect.fail(SmcpError.make(new SmcpError.NotConnected({ message: "Not connected to the Server" })))
  const sendable = (event: string, payload: unknown) => {
    if (!socket.connected) return offline
    const text = encodeJson(payload)
    if (text === undefined) return notJson(event)
    const excess = payloadLimit.excess(event, text, maxPayloadOf(socket))
    return excess === undefined
      ? Effect.succeed(new carriedParser.CarriedText(text, payload))
      : Effect.fail(SmcpError.make(excess))
  }
  return {
    maxPayload: Effect.sync(() => maxPayloadOf(socket)),
    emit: (event, payload) =>
      Effect.suspend(() => Effect.map(sendable(event, payload), (text) => void socket.emit(event, text))),
    request: (event, payload, millis) =>
      Effect.suspend(() =>
        Effect.flatMap(sendable(event, payload), (text) =>
          Effect.callback<Ack.Args, SmcpError.SmcpError>((resume) => {
            const { acks, ids: id } = registryOf(socket)
            socket.timeout(millis).emit(event, text, (error: Error | null, ...args: Array<unknown>) => {
              resume(error === null ? Effect.succeed(args) : Effect.fail(unanswered(socket, event, text, millis)))
            })
            return Effect.sync(() => {
              const forget = acks[id]
              delete acks[id]
              // Nobody listens any more; it is called for its timer to end.
              forget?.(new Error("abandoned"))
            })
          }))
      )
  }
}

// Cycles and big integers have no JSON; Socket.IO would throw from a callback nobody catches.
const encodeJson = (value: unknown): string | undefined => {
  try {
    return JSON.stringify(value)
  } catch {
    return undefined
  }
}

const notJson = (event: string) =>
  Effect.fail(SmcpError.make(new WireError.BadRequest({ message: `Invalid ${event} payload: it has no JSON form` })))

const unanswered = (
  socket: Socket,
  event: string,
  { text }: carriedParser.CarriedText,
  millis: number
): SmcpError.SmcpError =>
  SmcpError.make(
    socket.connected
      ? new SmcpError.CallTimeout({ event, millis })
      : new SmcpError.ConnectionLost({
        outcome: neverLeft(socket, text) ? "not-sent" : "unknown",
        message: `The connection was lost during ${event}`
      })
  )

/** What Socket.IO has and does not tell in its types: who waits for an acknowledgement, and the id of the next. */
interface Registry {
  readonly ids: number
  readonly acks: Record<number, ((error: Error) => void) | undefined>
}

const registryOf = (socket: Socket) => socket as unknown as Registry

/** What Engine.IO has and does not tell in its types. */
interface Engine {
  /** Bytes. */
  readonly _maxPayload?: number
  readonly readyState: string
  /** Packets to be sent; the first so many are under way. Kept until everybody heard that the connection ended. */
  readonly writeBuffer: ReadonlyArray<{ readonly data?: unknown }>
  readonly _prevBufferLen: number
}

/** There is none before the first connection. */
const engineOf = (socket: Socket) => socket.io.engine as unknown as Engine | undefined

/** Whether a payload still waited to be sent when the connection ended, as while another request was under way. */
const neverLeft = (socket: Socket, text: string): boolean => {
  const engine = engineOf(socket)
  // An engine that is not closed yet may still send it.
  return engine?.readyState === "closed" &&
    engine.writeBuffer.slice(engine._prevBufferLen).some(({ data }) => typeof data === "string" && data.includes(text))
}

/** What the Server said at the handshake. Sizes in bytes. */
const maxPayloadOf = (socket: Socket): number => engineOf(socket)?._maxPayload ?? payloadLimit.DEFAULT_MAX_PAYLOAD
