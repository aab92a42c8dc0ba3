/**
 * The Server's side of the wire: connections with their handshake facts, rooms,
 * and calls that end when the peer goes. Two layers provide it,
 * `SocketIoServerTransport` and `MemoryTransport`.
 */
import type * as Arr from "effect/Array"
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Ack from "../protocol/Ack.ts"
import type { NotifyEvent } from "../protocol/NotifyEvent.ts"
import type { Revision } from "../protocol/Revision.ts"
import type { SmcpError } from "../protocol/SmcpError.ts"

/** What a peer said when it connected. */
export interface Handshake {
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
  readonly query: Readonly<Record<string, unknown>>
  readonly auth: Readonly<Record<string, unknown>>
  /** The peer's network address, for logs. */
  readonly address: string
  /** `a2c_version`, undefined when the handshake carried none. */
  readonly version: string | undefined
}

/**
 * A payload that is only carried: `value` is its parsed form for reading the
 * envelope, and passing the object itself on forwards it as it came.
 */
export interface Carried {
  readonly value: unknown
}

/**
 * The arguments of an acknowledgement that are only carried. Passing the object
 * itself on forwards them as they came; `args` reads them.
 */
export interface Reply {
  readonly args: Ack.Args
}

/** Why a call to a peer ended without a reply. */
export type CallFailure = "timeout" | "disconnected"

/** One connected peer. */
export interface Connection {
  readonly sid: string
  readonly handshake: Handshake
  /** What this peer speaks: the listener's revision that its handshake asked for. */
  readonly revision: Revision
  /**
   * Forwards an event and waits for its acknowledgement. Fails with
   * `"disconnected"` as soon as the peer goes and with `"timeout"` after
   * `millis`. Interrupting it forgets the call.
   */
  readonly call: (event: string, payload: Carried, millis: number) => Effect.Effect<Reply, CallFailure>
  /** Sends a notification to this peer alone; nothing happens when it is gone. */
  readonly notify: <E extends NotifyEvent>(event: E, payload: E["payload"]["Type"]) => Effect.Effect<void>
  readonly join: (room: string) => Effect.Effect<void>
  readonly leave: (room: string) => Effect.Effect<void>
  /** Ends every call to this peer with `"disconnected"`, as if it were gone; answers that still come are dropped. */
  readonly dropCalls: Effect.Effect<void>
  /** Drops the connection. */
  readonly close: Effect.Effect<void>
}

/** What the Server does with connections. Events are dispatched in order and handled concurrently. */
export interface Handlers {
  /** Decides whether the peer may come in; the error's message reaches the peer. */
  readonly authenticate: (handshake: Handshake) => Effect.Effect<void, SmcpError>
  /** A peer was let in. Runs before any of its events. */
  readonly connected: (connection: Connection) => Effect.Effect<void>
  /**
   * One received event. The reply is acknowledged when the peer asked for it,
   * and dropped otherwise. The fiber is interrupted when the peer goes.
   */
  readonly receive: (connection: Connection, event: string, payload: Carried) => Effect.Effect<Reply>
  /** The peer is gone. Runs once per connection that was let in, after its running requests were interrupted. */
  readonly disconnected: (connection: Connection, reason: string) => Effect.Effect<void>
}

/** Where connections come from. */
export class ServerTransport extends Context.Service<ServerTransport, {
  /** The revisions that peers may speak, the newest first. */
  readonly revisions: Arr.NonEmptyReadonlyArray<Revision>
  /** Lets peers in for as long as the scope lives; closing it drops them all. May be called once. */
  readonly serve: (handlers: Handlers) => Effect.Effect<void, never, Scope.Scope>
  /** Sends a notification to everyone in a room, except one session. */
  readonly broadcast: <E extends NotifyEvent>(
    room: string,
    event: E,
    payload: E["payload"]["Type"],
    options?: { readonly except?: string | undefined }
  ) => Effect.Effect<void>
}>()("a2c-smcp/transport/ServerTransport") {}
