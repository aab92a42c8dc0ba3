/**
 * The real Server over the in-memory transport, and peers that say exactly what
 * a test tells them to: any arguments, any event, and they keep what they hear.
 */
import { Context, Deferred, Effect, type Fiber, Layer, type Scope } from "effect"
import type * as Ack from "../../../src/protocol/Ack.ts"
import type * as ClientEvent from "../../../src/protocol/ClientEvent.ts"
import * as Revision from "../../../src/protocol/Revision.ts"
import type * as SmcpError from "../../../src/protocol/SmcpError.ts"
import * as Authenticator from "../../../src/server/Authenticator.ts"
import * as Server from "../../../src/server/Server.ts"
import * as SessionStore from "../../../src/server/SessionStore.ts"
import { type Endpoint, throughJson } from "../../../src/transport/internal/memoryEndpoint.ts"
import { MemoryHub } from "../../../src/transport/internal/memoryHub.ts"
import * as MemoryTransport from "../../../src/transport/MemoryTransport.ts"
import type { CallFailure, Handshake } from "../../../src/transport/ServerTransport.ts"
import { ServerTransport } from "../../../src/transport/ServerTransport.ts"

/** The two revisions whose rules of offices differ. */
export const v0_4 = Revision.revisions["0.4"]
export const v0_5 = Revision.revisions["0.5"]
export const bothRevisions = [v0_4, v0_5] as const

export interface Options {
  /** Default: 0.4. */
  readonly revisions?: MemoryTransport.HubOptions["revisions"]
  readonly server?: Server.Options
  readonly authenticator?: Layer.Layer<Authenticator.Authenticator, SmcpError.SmcpError>
  /** Wraps the store or the transport that the Server gets. */
  readonly wrapStore?: (store: SessionStore.SessionStore["Service"]) => SessionStore.SessionStore["Service"]
  readonly wrapTransport?: (transport: ServerTransport["Service"]) => ServerTransport["Service"]
}

/** A running Server. */
export interface OfficeServer {
  readonly hub: MemoryTransport.Hub
  readonly server: Server.Server["Service"]
  readonly connect: (options?: ConnectOptions) => Effect.Effect<Peer, SmcpError.SmcpError>
  /** A peer that sits in an office already; what that caused is forgotten by it. */
  readonly seated: (
    role: "agent" | "computer",
    name: string,
    officeId: string,
    options?: ConnectOptions
  ) => Effect.Effect<Peer, SmcpError.SmcpError>
}

export const start = Effect.fnUntraced(function*(options: Options = {}): Effect.fn.Return<
  OfficeServer,
  SmcpError.SmcpError,
  Scope.Scope
> {
  const { wrapStore, wrapTransport } = options
  const hub = yield* MemoryTransport.makeHub({ revisions: options.revisions })
  const transport = MemoryTransport.layerServer(hub)
  const store = SessionStore.layerMemory
  const context = yield* Layer.build(
    Server.layer(options.server).pipe(
      Layer.provide([
        wrapTransport === undefined ? transport : wrapped(ServerTransport, transport, wrapTransport),
        wrapStore === undefined ? store : wrapped(SessionStore.SessionStore, store, wrapStore),
        options.authenticator ?? Authenticator.layerAllowAll
      ])
    )
  )
  const server = Context.get(context, Server.Server)
  const connect = (connectOptions: ConnectOptions = {}) => Peer.connect(hub, connectOptions)
  return {
    hub,
    server,
    connect,
    seated: Effect.fnUntraced(function*(role, name, officeId, connectOptions) {
      const peer = yield* connect(connectOptions)
      yield* peer.join(role, name, officeId)
      yield* hub.settled
      peer.heard.length = 0
      return peer
    })
  }
})

const wrapped = <I, S>(
  tag: Context.Key<I, S>,
  layer: Layer.Layer<I>,
  wrap: (service: S) => S
): Layer.Layer<I> => Layer.effect(tag, Effect.map(tag, wrap)).pipe(Layer.provide(layer))

export interface ConnectOptions {
  readonly auth?: Readonly<Record<string, unknown>>
  readonly headers?: Handshake["headers"]
  /** Announced as `a2c_version`. Default: the Server's newest; an empty text announces none. */
  readonly version?: string
}

/** An event as it came in. */
export interface Heard {
  readonly event: string
  readonly payload: unknown
}

/** How a peer answers a `client:*` event: with the arguments of its acknowledgement. */
export type Answer = (event: string, args: Ack.Args) => Effect.Effect<Ack.Args>

/** One raw connection. */
export class Peer {
  /** Notifications, the oldest first. */
  readonly heard: Array<Heard> = []
  /** Requests, with all their arguments. */
  readonly asked: Array<{ readonly event: string; readonly args: Ack.Args }> = []
  answer: Answer = () => Effect.succeed([])
  readonly #end: Endpoint
  #request = Deferred.makeUnsafe<void>()
  readonly #hub: MemoryTransport.Hub

  private constructor(hub: MemoryTransport.Hub, end: Endpoint) {
    this.#hub = hub
    this.#end = end
  }

  static readonly connect = Effect.fnUntraced(function*(
    hub: MemoryTransport.Hub,
    options: ConnectOptions
  ): Effect.fn.Return<Peer, SmcpError.SmcpError> {
    const inner = MemoryHub.of(hub)
    const version = options.version ?? inner.revisions[0].version
    let peer: Peer | undefined
    yield* inner.open(
      {
        headers: options.headers ?? {},
        query: version === "" ? {} : { a2c_version: version },
        auth: throughJson(options.auth ?? {}),
        address: "test",
        version: version === "" ? undefined : version
      },
      {
        run: Effect.runForkWith(yield* Effect.context<never>()),
        receive: (event, args) => Effect.suspend(() => peer!.#receive(event, args)),
        lost: () => Effect.void,
        ended: () => Effect.void
      },
      (end) => {
        peer = new Peer(hub, end)
      }
    ).pipe(Effect.mapError(({ error }) => error))
    return peer!
  })

  get sid(): string {
    return this.#end.sid
  }

  get isOpen(): boolean {
    return this.#end.isOpen
  }

  #receive(event: string, args: Ack.Args): Effect.Effect<Ack.Args> {
    if (event.startsWith("notify:")) {
      this.heard.push({ event, payload: args[0] })
      return Effect.succeed([])
    }
    this.asked.push({ event, args })
    Deferred.doneUnsafe(this.#request, Effect.void)
    return this.answer(event, args)
  }

  /** Sends an event with any arguments and waits for the arguments of its acknowledgement. */
  ask(event: string, ...args: Ack.Args): Effect.Effect<Ack.Args, CallFailure> {
    return Effect.suspend(() => this.#end.request(event, throughJson(args), 2 ** 31 - 1))
  }

  /** As {@link ask}, but dies when the connection goes. */
  ack(event: string, ...args: Ack.Args): Effect.Effect<Ack.Args> {
    return Effect.orDie(this.ask(event, ...args))
  }

  /** {@link ask}, under way when this returns. */
  asking(event: string, ...args: Ack.Args): Effect.Effect<Fiber.Fiber<Ack.Args, CallFailure>> {
    return Effect.forkChild(this.ask(event, ...args), { startImmediately: true })
  }

  /** Sends an event that wants no acknowledgement. */
  tell(event: string, ...args: Ack.Args): Effect.Effect<void> {
    return Effect.sync(() => this.#end.emit(event, throughJson(args)))
  }

  join(role: string, name: string, officeId: string): Effect.Effect<Ack.Args> {
    return this.ack("server:join_office", { role, name, office_id: officeId })
  }

  leave(officeId: string): Effect.Effect<Ack.Args> {
    return this.ack("server:leave_office", { office_id: officeId })
  }

  list(officeId: string): Effect.Effect<Ack.Args> {
    return this.ack("server:list_room", { agent: "anyone", req_id: "list", office_id: officeId })
  }

  /** Ends once another request has come in. */
  readonly nextRequest: Effect.Effect<void> = Effect.suspend(() => {
    this.#request = Deferred.makeUnsafe<void>()
    return Deferred.await(this.#request)
  })

  /** What was heard since the last time, once everything is at rest. */
  readonly news: Effect.Effect<ReadonlyArray<Heard>> = Effect.suspend(() =>
    Effect.map(this.#hub.settled, () => this.heard.splice(0))
  )

  /** What was heard since the last time, without waiting. */
  takeHeard(): ReadonlyArray<Heard> {
    return this.heard.splice(0)
  }

  /** Closes the connection from this side. */
  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    this.#end.close("io client disconnect", "client namespace disconnect")
    return this.#end.ended
  })

  /** The connection breaks. */
  readonly lose: Effect.Effect<void> = Effect.suspend(() => this.#hub.disconnect(this.sid))
}

/** A `client:*` payload with every key of every event. */
export const clientPayload = (computer: string, extra: Readonly<Record<string, unknown>> = {}) => ({
  agent: "A",
  req_id: "r1",
  computer,
  tool_name: "t",
  params: {},
  timeout: 3,
  mcp_server: "m",
  name: "n",
  blob_handle: "h",
  chunk_offset: 0,
  eof: true,
  blob: "",
  ...extra
})

export type ClientEventName = (typeof ClientEvent.all)[number]["name"]

/** The code of a flat error. */
export const codeOf = (args: Ack.Args): number | undefined =>
  (args[0] as { readonly code?: number } | null | undefined)?.code
