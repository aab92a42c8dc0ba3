/**
 * `ServerTransport` over Socket.IO: namespace `/smcp`, polling and WebSocket,
 * attached to an `http.Server` that may serve other things too.
 */
import type * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import type * as Http from "node:http"
import { type DefaultEventsMap, Server, type Socket as AnySocket } from "socket.io"
import * as Ack from "../protocol/Ack.ts"
import * as Revision from "../protocol/Revision.ts"
import * as SmcpError from "../protocol/SmcpError.ts"
import * as carriedParser from "./internal/carriedParser.ts"
import * as httpAttachment from "./internal/httpAttachment.ts"
import * as refusedPeer from "./internal/refusedPeer.ts"
import * as serverFarewell from "./internal/serverFarewell.ts"
import * as serverWrites from "./internal/serverWrites.ts"
import type { Run } from "./internal/trackedFiber.ts"
import * as versionGate from "./internal/versionGate.ts"
import { type AckFunction, DEFAULT_PATH, NAMESPACE, takeAck } from "./internal/wire.ts"
import type { CallFailure, Carried, Connection, Handlers, Handshake, Reply } from "./ServerTransport.ts"
import { ServerTransport } from "./ServerTransport.ts"

/** Options of {@link layer}. */
export interface Options {
  /** The HTTP server to attach to; it is neither started nor closed here. */
  readonly server: Http.Server
  /**
   * The revisions that peers may speak. `a2c_version` of a handshake chooses the one with its MAJOR.MINOR; a version that
   * none has is refused with 4008. A handshake without a version is one of 0.1 and refused with 400 unless 0.1 is listed.
   * A listener of 0.1 alone looks at no version, as the Servers of that time: whoever comes speaks 0.1. Default: 0.4.
   */
  readonly revisions?: Arr.NonEmptyReadonlyArray<Revision.Revision> | undefined
  /** Where Socket.IO listens. Default: `/socket.io`. */
  readonly path?: string | undefined
  /** Largest message a peer may send, in bytes; told to peers at the handshake. Default: 1 000 000. */
  readonly maxPayload?: number | undefined
  /** The most bytes, about, that may wait for a peer that does not read; beyond it the peer is dropped. Default: 64 MiB. */
  readonly maxBacklog?: number | undefined
  /** Milliseconds between heartbeats. Default: 25 000. */
  readonly pingInterval?: number | undefined
  /** Milliseconds without an answer to a heartbeat until a peer counts as gone. Default: 20 000. */
  readonly pingTimeout?: number | undefined
}

type Events = DefaultEventsMap
/** A socket knows what its peer speaks once it is admitted. */
interface Facts {
  revision: Revision.Revision
}
type Socket = AnySocket<Events, Events, Events, Facts>

/** Attaches to an HTTP server; peers are let in once `serve` is called. */
export const layer = (options: Options): Layer.Layer<ServerTransport> => Layer.effect(ServerTransport, make(options))

/** {@link layer} as a scoped effect. */
export const make = Effect.fnUntraced(function*(options: Options) {
  const context = yield* Effect.context<never>()
  const run = Effect.runForkWith(context)
  const revisions = Revision.newestFirst(options.revisions ?? [Revision.defaultRevision])
  const path = options.path ?? DEFAULT_PATH
  const io = new Server<Events, Events, Events, Facts>({
    path,
    serveClient: false,
    parser: carriedParser,
    maxHttpBufferSize: options.maxPayload ?? 1e6,
    pingInterval: options.pingInterval ?? 25_000,
    pingTimeout: options.pingTimeout ?? 20_000
  })
  // Everyone may open the root namespace unless told otherwise, past any authentication.
  io.use((_, next) => next(new Error(`Connect to the namespace ${NAMESPACE}`)))
  const nsp = io.of(NAMESPACE)

  return ServerTransport.of({
    revisions,
    serve: Effect.fnUntraced(function*(handlers) {
      const peers = new Set<Peer>()
      nsp.use((socket, next) => admit(run, revisions, handlers, socket, next))
      nsp.on("connection", (socket) => {
        const peer = new Peer(socket, handlers, run)
        peers.add(peer)
        socket.once("disconnect", (reason) => void peer.end(reason).addObserver(() => peers.delete(peer)))
      })
      yield* Effect.acquireRelease(
        Effect.sync(() => {
          const { detach, gateway } = httpAttachment.attach({
            server: options.server,
            path,
            revisions,
            onRefused: (refused) => void run(refusedPeer.logRefused(refused))
          })
          io.attach(gateway)
          io.engine.on("connection", (connection: Socket["conn"]) => {
            serverFarewell.onlyForTheLiving(connection)
            serverWrites.gather(connection, {
              limit: options.maxBacklog ?? DEFAULT_MAX_BACKLOG,
              exceeded: (waiting) => {
                run(logDropped(connection, waiting))
                serverFarewell.drop(connection)
              }
            })
          })
          return detach
        }),
        (detach) =>
          Effect.gen(function*() {
            detach()
            yield* Fiber.awaitAll([...peers].map((peer) => peer.end("server shutting down")))
            // io.close() would close the HTTP server as well, which belongs to somebody else.
            yield* Effect.sync(() => io.engine.close())
          })
      )
    }),
    broadcast: (room, event, payload, broadcastOptions) =>
      Effect.sync(() => {
        const target = nsp.to(room)
        const except = broadcastOptions?.except
        ;(except === undefined ? target : target.except(except)).emit(event.name, payload)
      })
  })
})

const DEFAULT_MAX_BACKLOG = 64 * 1024 * 1024

const logDropped = ({ remoteAddress }: Socket["conn"], waiting: number): Effect.Effect<void> =>
  Effect.logWarning(`Dropped a peer at ${remoteAddress} that does not read: ${waiting} bytes waited for it`)

const handshakeOf = (socket: Socket): Handshake => {
  const { address, auth, headers, query } = socket.handshake
  const version = query["a2c_version"]
  return { headers, query, auth: auth ?? {}, address, version: typeof version === "string" ? version : undefined }
}

const admit = (
  run: Run,
  revisions: Arr.NonEmptyReadonlyArray<Revision.Revision>,
  handlers: Handlers,
  socket: Socket,
  next: (error?: Error) => void
): void => {
  const handshake = handshakeOf(socket)
  run(
    Result.match(versionGate.choose(revisions, handshake.version), {
      onFailure: (wrong) => Effect.fail(SmcpError.make(wrong)),
      onSuccess: (revision) => {
        socket.data.revision = revision
        return handlers.authenticate(handshake)
      }
    }).pipe(
      Effect.tapError(({ message }) => refusedPeer.logRefused({ address: handshake.address, message }))
    )
  ).addObserver((exit) => {
    if (Exit.isSuccess(exit)) return next()
    const payload = refusedPeer.payloadOf(exit.cause)
    next(Object.assign(new Error(payload.message), { data: payload }))
  })
}

const lost: Effect.Effect<never, CallFailure> = Effect.fail("disconnected")
const late: Effect.Effect<never, CallFailure> = Effect.fail("timeout")
const failed: Reply = { args: Ack.failure(refusedPeer.internalError) }

/** One Socket.IO socket as a {@link Connection}. Plain state and callbacks: this is the relay's hot path. */
class Peer {
  readonly connection: Connection
  readonly #socket: Socket
  readonly #handlers: Handlers
  readonly #run: Run
  /** How to end each call to this peer, by the id of its acknowledgement. */
  readonly #calls = new Map<number, (result: Effect.Effect<Reply, CallFailure>) => void>()
  readonly #requests = new Set<Fiber.Fiber<Reply>>()
  readonly #opening: Fiber.Fiber<void>
  #closed = false
  #ending: Fiber.Fiber<void> | undefined

  constructor(socket: Socket, handlers: Handlers, run: Run) {
    this.#socket = socket
    this.#handlers = handlers
    this.#run = run
    this.connection = {
      sid: socket.id,
      handshake: handshakeOf(socket),
      revision: socket.data.revision,
      call: (event, payload, millis) => this.#call(event, payload, millis),
      notify: (event, payload) => Effect.sync(() => void socket.emit(event.name, payload)),
      join: (room) => Effect.sync(() => void socket.join(room)),
      leave: (room) => Effect.sync(() => void socket.leave(room)),
      dropCalls: Effect.sync(() => this.#dropCalls()),
      // A handler may close its own connection in the very step that starts it, before its fiber is known here.
      close: Effect.andThen(Effect.yieldNow, Effect.sync(() => void socket.disconnect(true)))
    }
    this.#opening = run(handlers.connected(this.connection))
    // A middleware that never goes on: nobody listens further down, so no tick and no emit is spent on it.
    socket.use((packet: Array<unknown>) => this.#receive(packet))
  }

  #receive(packet: Array<unknown>): void {
    const ack = takeAck(packet)
    const [event, data] = packet
    const payload: Carried = data instanceof carriedParser.CarriedText ? data : { value: data }
    const handled = this.#handlers.receive(this.connection, event as string, payload)
    const opened = this.#opening.pollUnsafe() !== undefined
    const fiber = this.#run(opened ? handled : Effect.andThen(Fiber.await(this.#opening), handled))
    this.#requests.add(fiber)
    fiber.addObserver((exit) => {
      this.#requests.delete(fiber)
      if (ack === undefined || this.#closed || !this.#socket.connected) return
      acknowledge(ack, Exit.isSuccess(exit) ? exit.value : failed)
    })
  }

  #call(event: string, payload: Carried, millis: number): Effect.Effect<Reply, CallFailure> {
    return Effect.callback((resume) => {
      const socket = this.#socket
      if (!socket.connected) return resume(lost)
      const id = socket.nsp._ids
      const end = (result: Effect.Effect<Reply, CallFailure>) => {
        clearTimeout(timer)
        this.#calls.delete(id)
        // Socket.IO keeps the callback of an unanswered call for as long as the peer stays.
        pendingAcks(socket).delete(id)
        resume(result)
      }
      // One fiber and one timer per call: Effect.sleep would cost another fiber on the hot path.
      // @effect-diagnostics-next-line globalTimersInEffect:off
      const timer = setTimeout(end, millis, late)
      this.#calls.set(id, end)
      const data = payload instanceof carriedParser.CarriedText ? payload : payload.value
      socket.emit(event, data, (...args: Array<unknown>) => {
        end(Effect.succeed(args[0] instanceof carriedParser.ReplyText ? args[0] : { args }))
      })
      return Effect.sync(() => end(lost))
    })
  }

  #dropCalls(): void {
    for (const end of [...this.#calls.values()]) end(lost)
  }

  /** Ends everything this peer has to do with, once. */
  end(reason: string): Fiber.Fiber<void> {
    return this.#ending ??= this.#run(
      Effect.suspend(() => {
        // Whoever still waits learns that the connection went, not that its interrupted request failed.
        this.#closed = true
        this.#dropCalls()
        return Fiber.interruptAll([...this.#requests])
      }).pipe(
        Effect.andThen(this.#handlers.disconnected(this.connection, reason)),
        Effect.catchCause((cause) => Effect.logError("A disconnect could not be handled", cause))
      )
    )
  }
}

const pendingAcks = (socket: Socket): Map<number, unknown> => (socket as unknown as { acks: Map<number, unknown> }).acks

const acknowledge = (ack: AckFunction, reply: Reply): void => {
  if (reply instanceof carriedParser.ReplyText) ack(reply)
  else ack(...reply.args)
}
