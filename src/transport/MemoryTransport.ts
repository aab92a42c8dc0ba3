/**
 * `Transport` and `ServerTransport` in one process, without sockets. It does
 * what Socket.IO does where it matters: payloads are JSON, order is kept per
 * connection and direction, nothing arrives after a disconnect. Its clock is
 * Effect's, so that tests decide about time, and its faults are theirs too:
 *
 * ```ts
 * const hub = yield* MemoryTransport.makeHub()
 * const server = MyServer.layer.pipe(Layer.provide(MemoryTransport.layerServer(hub)))
 * const agent = MyAgent.layer.pipe(Layer.provide(MemoryTransport.layerClient(hub, { auth })))
 * yield* hub.setFaults({ delay: ({ direction }) => direction === "to-server" ? "20 millis" : "1 second" })
 * ```
 */
import type * as Arr from "effect/Array"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Revision from "../protocol/Revision.ts"
import type { SmcpError } from "../protocol/SmcpError.ts"
import * as memoryClient from "./internal/memoryClient.ts"
import { throughJson } from "./internal/memoryEndpoint.ts"
import { MemoryHub } from "./internal/memoryHub.ts"
import { MemoryServer } from "./internal/memoryServer.ts"
import { DEFAULT_MAX_PAYLOAD } from "./internal/payloadLimit.ts"
import { ServerTransport } from "./ServerTransport.ts"
import { type Credentials, Transport } from "./Transport.ts"

/** Where a packet goes. */
export type Direction = "to-server" | "to-client"

/** What a fault can look at to decide about one packet. */
export interface PacketInfo {
  readonly direction: Direction
  /** The connection it travels on. */
  readonly sid: string
  readonly kind: "event" | "ack"
  /** The event's name; for an acknowledgement, that of the event it answers. */
  readonly event: string
}

/** What goes wrong. Asked when a packet is sent; packets on their way are not touched by a change. */
export interface Faults {
  /** How long the packet travels. Default: no time. */
  readonly delay: (packet: PacketInfo) => Duration.Input
  /** Whether it may overtake packets sent before it, and be overtaken. Default: never. */
  readonly reorder: (packet: PacketInfo) => boolean
  /** Whether it vanishes. `({ direction, sid }) => …` makes one direction of one peer a black hole. Default: never. */
  readonly drop: (packet: PacketInfo) => boolean
  /** Whether connecting fails as with an unreachable server; connections that stand are not touched. Default: no. */
  readonly refuseConnections: boolean
}

/** Nothing goes wrong. */
export const noFaults: Faults = {
  delay: () => Duration.zero,
  reorder: () => false,
  drop: () => false,
  refuseConnections: false
}

/** Options of {@link makeHub}. */
export interface HubOptions {
  /** The revisions of the server side, chosen by the handshake as over Socket.IO. Default: 0.4. */
  readonly revisions?: Arr.NonEmptyReadonlyArray<Revision.Revision> | undefined
  /** The most bytes one message to the server side may have. Default: 1 000 000. */
  readonly maxPayload?: number | undefined
  /** How long a client waits before each attempt to reconnect. Default: 1 second. */
  readonly reconnectDelay?: Duration.Input | undefined
  /** What goes wrong from the start. Default: nothing. */
  readonly faults?: Partial<Faults> | undefined
}

/** The place where any number of clients meet one server side. */
export interface Hub {
  /** Changes what goes wrong; what is left out stays as it is. */
  readonly setFaults: (faults: Partial<Faults>) => Effect.Effect<void>
  /**
   * A connection breaks: both sides see it end, and what is on its way is lost.
   * The client reconnects under a new session id. Nothing happens when the
   * session is gone already. Reason as both sides see it; default: `transport close`.
   */
  readonly disconnect: (sid: string, reason?: string) => Effect.Effect<void>
  /** The session ids of all connections, the oldest first. */
  readonly connections: Effect.Effect<ReadonlyArray<string>>
  /**
   * Waits until nothing is on its way and no request, handshake or disconnect is
   * being handled on either side. A handler that never ends keeps it waiting.
   */
  readonly settled: Effect.Effect<void>
}

/** Options of {@link connect}. */
export interface ConnectOptions {
  /** The `auth` object of the handshake, asked again at every reconnect. Default: empty. */
  readonly auth?: Credentials | undefined
  /** Headers of the handshake; names arrive in lower case. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Query parameters of the handshake beside `a2c_version`. */
  readonly query?: Readonly<Record<string, string>> | undefined
  /** The version announced as `a2c_version`. Default: the revision's; an empty text announces none. */
  readonly version?: string | undefined
  /** The revision to speak. Default: 0.4. */
  readonly revision?: Revision.Revision | undefined
}

/** A hub without a server and without clients. */
export const makeHub = (options: HubOptions = {}): Effect.Effect<Hub> =>
  Effect.map(Clock.clockWith(Effect.succeed), (clock) =>
    new MemoryHub({
      clock,
      revisions: Revision.newestFirst(options.revisions ?? [Revision.defaultRevision]),
      maxPayload: options.maxPayload ?? DEFAULT_MAX_PAYLOAD,
      reconnectDelay: Duration.fromInputUnsafe(options.reconnectDelay ?? "1 second"),
      faults: { ...noFaults, ...options.faults }
    }))

/** The server side of a hub. Clients are let in while a `serve` runs; a hub has one at a time. */
export const layerServer = (hub: Hub): Layer.Layer<ServerTransport> => Layer.effect(ServerTransport, makeServer(hub))

/** {@link layerServer} as an effect. */
export const makeServer = (hub: Hub): Effect.Effect<ServerTransport["Service"]> => {
  const inner = MemoryHub.of(hub)
  return Effect.contextWith((context) =>
    Effect.succeed(ServerTransport.of({
      revisions: inner.revisions,
      serve: (handlers) =>
        Effect.acquireRelease(
          Effect.sync(() =>
            inner.serve(new MemoryServer(inner, inner.revisions, handlers, Effect.runForkWith(context)))
          ),
          (server) => inner.unserve(server)
        ).pipe(Effect.asVoid),
      broadcast: (room, event, payload, broadcastOptions) =>
        Effect.sync(() => inner.server?.broadcast(room, event.name, throughJson([payload]), broadcastOptions?.except))
    }))
  )
}

/** One client of a hub. Building the layer ends when the connection stands or with the reason why it does not. */
export const layerClient = (hub: Hub, options?: ConnectOptions): Layer.Layer<Transport, SmcpError> =>
  Layer.effect(Transport, connect(hub, options))

/** {@link layerClient} as a scoped effect. */
export const connect = Effect.fnUntraced(function*(
  hub: Hub,
  options: ConnectOptions = {}
): Effect.fn.Return<Transport["Service"], SmcpError, Scope.Scope> {
  const inner = MemoryHub.of(hub)
  const revision = options.revision ?? Revision.defaultRevision
  const version = options.version ?? revision.version
  return yield* memoryClient.connect({
    revision,
    credentials: options.auth ?? Effect.succeed({}),
    handshake: {
      headers: Object.fromEntries(
        Object.entries(options.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value])
      ),
      query: { ...options.query, ...(version === "" ? {} : { a2c_version: version }) },
      address: "memory",
      version: version === "" ? undefined : version
    },
    maxPayload: inner.maxPayload,
    reconnectDelay: inner.reconnectDelay,
    run: Effect.runForkWith(yield* Effect.context<never>()),
    open: (handshake, client, adopt) => inner.open(handshake, client, adopt)
  })
})
