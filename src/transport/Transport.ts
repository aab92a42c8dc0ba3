/**
 * The client side of the wire: one connection of an Agent or a Computer to a
 * Server. Two layers provide it, `SocketIoTransport` and `MemoryTransport`; both
 * pass the suite of `testing/TransportCompliance`.
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type * as Ack from "../protocol/Ack.ts"
import type * as ClientEvent from "../protocol/ClientEvent.ts"
import type { Notification } from "../protocol/NotifyEvent.ts"
import type { Revision } from "../protocol/Revision.ts"
import type * as ServerEvent from "../protocol/ServerEvent.ts"
import type { SmcpError } from "../protocol/SmcpError.ts"

/** What the connection is doing. */
export type ConnectionState =
  /** Not connected yet, or lost and being sought again; `attempt` counts from 1. */
  | { readonly _tag: "Connecting"; readonly attempt: number }
  /** In the namespace under this session id, which is new after every reconnect. */
  | { readonly _tag: "Connected"; readonly sid: string }
  /** Lost; a reconnect follows by itself. */
  | { readonly _tag: "Disconnected"; readonly reason: string }
  /** Ended for good: closed from this side (`error` is undefined) or refused by the Server. */
  | { readonly _tag: "Closed"; readonly error: SmcpError | undefined }

/** Options of one call. */
export interface CallOptions {
  /** How long to wait for the acknowledgement. Default: 30 seconds. */
  readonly timeout?: Duration.Input | undefined
}

/** Credentials for the handshake, asked again at every reconnect. */
export type Credentials = Effect.Effect<Readonly<Record<string, unknown>>, SmcpError>

/** How a Computer answers one `client:*` event: with its success value, passed on as it is. */
export type Handler<E extends ClientEvent.ClientEvent> = (
  payload: E["payload"]["Type"]
) => Effect.Effect<E["success"]["Type"], SmcpError>

/** One connection to a Server. */
export class Transport extends Context.Service<Transport, {
  /** The revision announced at the handshake. */
  readonly revision: Revision

  /** The most bytes one message to the Server may have, as it told at the last handshake; 1 000 000 when it told nothing. */
  readonly maxPayload: Effect.Effect<number>

  /**
   * Sends an event and reads its acknowledgement as the event promises it.
   *
   * Ends with exactly one of: the value; the peer's refusal with its code;
   * `UnsupportedByPeer` (acknowledged with nothing); `InvalidResponse`;
   * `CallTimeout`; `NotConnected` when offline, at once and without buffering;
   * `ConnectionLost` when the connection goes during the call; `BadRequest` when
   * the payload does not fit the event's own schema; `PayloadTooLarge`.
   */
  readonly call: <E extends Ack.AckedEvent>(
    event: E,
    payload: E["payload"]["Type"],
    options?: CallOptions
  ) => Effect.Effect<E["success"]["Type"], SmcpError>

  /** Sends an event without waiting for an answer. Fails with `NotConnected` when offline. */
  readonly send: <E extends ServerEvent.ServerEvent>(
    event: E,
    payload: E["payload"]["Type"]
  ) => Effect.Effect<void, SmcpError>

  /**
   * Answers a `client:*` event for as long as the scope lives. Every request is
   * acknowledged: with the handler's value, its error as a flat payload, 400 for
   * a malformed payload, 500 for a defect. A request whose connection goes away
   * is interrupted. An answer that is too large for the connection is replaced by
   * an error that says so.
   */
  readonly handle: <E extends ClientEvent.ClientEvent>(
    event: E,
    handler: Handler<E>
  ) => Effect.Effect<void, never, Scope.Scope>

  /**
   * `notify:*` events, decoded, from the moment the stream starts. Malformed
   * ones are dropped with a log line. A slow reader loses the oldest beyond 4096.
   */
  readonly notifications: Stream.Stream<Notification>

  /** The connection's state now. */
  readonly state: Effect.Effect<ConnectionState>

  /** The state now and every change. */
  readonly changes: Stream.Stream<ConnectionState>
}>()("a2c-smcp/transport/Transport") {}

/** How long a call waits for its acknowledgement when nothing else is said. */
export const DEFAULT_CALL_TIMEOUT: Duration.Input = "30 seconds"
