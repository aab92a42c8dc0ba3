/**
 * The one error of the public functions. Its `reason` is a closed union: the
 * errors of the protocol with their codes, and what can go wrong on this side.
 * Match with `Effect.catchReason("SmcpError", "NotFound", …)` or unwrap with
 * `Effect.unwrapReason("SmcpError")`.
 */
import * as Cause from "effect/Cause"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as ErrorPayload from "./ErrorPayload.ts"
import * as WireError from "./WireError.ts"

/** There is no connection, so nothing was sent. */
export class NotConnected extends Schema.TaggedError<NotConnected>()("NotConnected", {
  message: Schema.String
}) {}

/**
 * The connection went away during a call. `not-sent`: it ended before the call's
 * turn to be sent, so the peer never saw it. `unknown`: it may have run, so repeating it is the caller's decision.
 */
export class ConnectionLost extends Schema.TaggedError<ConnectionLost>()("ConnectionLost", {
  outcome: Schema.Literals(["not-sent", "unknown"]),
  message: Schema.String
}) {}

/** No acknowledgement came within the caller's own deadline. */
export class CallTimeout extends Schema.TaggedError<CallTimeout>()("CallTimeout", {
  event: Schema.String,
  millis: Schema.Finite
}) {
  override get message(): string {
    return `No answer to ${this.event} within ${this.millis / 1000} s`
  }
}

/** The peer does not know the event: it acknowledged with nothing. */
export class UnsupportedByPeer extends Schema.TaggedError<UnsupportedByPeer>()("UnsupportedByPeer", {
  event: Schema.String
}) {
  override get message(): string {
    return `The peer does not support ${this.event}`
  }
}

/** The peer answered with something that is not what the event promises. */
export class InvalidResponse extends Schema.TaggedError<InvalidResponse>()("InvalidResponse", {
  event: Schema.String,
  issue: Schema.String
}) {
  override get message(): string {
    return `Unexpected answer to ${this.event}: ${this.issue}`
  }
}

/** The payload is larger than the connection takes; it was not sent, so the connection lives. Sizes in bytes. */
export class PayloadTooLarge extends Schema.TaggedError<PayloadTooLarge>()("PayloadTooLarge", {
  event: Schema.String,
  size: Schema.Finite,
  limit: Schema.Finite
}) {
  override get message(): string {
    return `${this.event} would send ${this.size} bytes; the peer accepts at most ${this.limit}`
  }
}

/**
 * Bytes could not be carried whole, as this side found out. `changed`: the
 * Computer's source was another one at every attempt to read it. `corrupt`: the
 * bytes do not have the hash that the Computer promised. `too-large`: more than
 * the caller takes. `empty`: there is nothing to upload. `source`: what is to be
 * uploaded is not what was declared.
 */
export class BlobTransferFailed extends Schema.TaggedError<BlobTransferFailed>()("BlobTransferFailed", {
  problem: Schema.Literals(["changed", "corrupt", "too-large", "empty", "source"]),
  message: Schema.String
}) {}

/** The Server refused the credentials at the handshake. */
export class AuthenticationRejected extends Schema.TaggedError<AuthenticationRejected>()("AuthenticationRejected", {
  message: Schema.String
}) {}

/** The Server refused to let this session into (or out of) an office and gave only a text. */
export class JoinRefused extends Schema.TaggedError<JoinRefused>()("JoinRefused", {
  message: Schema.String
}) {}

/** The address cannot be listened on. */
export class ListenFailed extends Schema.TaggedError<ListenFailed>()("ListenFailed", {
  host: Schema.String,
  port: Schema.Finite,
  message: Schema.String
}) {}

/** A setting is missing or wrong; the message says which and how to mend it. */
export class ConfigInvalid extends Schema.TaggedError<ConfigInvalid>()("ConfigInvalid", {
  message: Schema.String
}) {}

const reasons = [
  ...WireError.classes,
  WireError.UnknownCode,
  NotConnected,
  ConnectionLost,
  CallTimeout,
  UnsupportedByPeer,
  InvalidResponse,
  PayloadTooLarge,
  BlobTransferFailed,
  AuthenticationRejected,
  JoinRefused,
  ListenFailed,
  ConfigInvalid
] as const

/** Everything that can be the reason of an {@link SmcpError}. */
export type Reason = InstanceType<(typeof reasons)[number]>

/** What every public function of this package fails with. */
export class SmcpError extends Schema.TaggedError<SmcpError>()("SmcpError", {
  reason: Schema.Union(reasons)
}) {
  override get message(): string {
    return this.reason.message
  }
}

/** Wraps a reason. */
export const make = (reason: Reason): SmcpError => new SmcpError({ reason })

/** The typed failure in a cause, or `fallback` when it holds only defects and interrupts. */
export const findOr = (cause: Cause.Cause<SmcpError>, fallback: SmcpError): SmcpError =>
  Option.getOrElse(Cause.findErrorOption(cause), () => fallback)

/** Whether a reason has a code and so a place on the wire. */
export const isWireError = (reason: Reason): reason is WireError.WireError =>
  reason._tag === "UnknownCode" || reason._tag in WireError.placement

/**
 * The flat payload a peer sees for an error. Refused credentials are 401; any
 * other reason without a code stays inside: the peer learns that something
 * failed, never what or where.
 */
export const toPayload = (error: SmcpError): ErrorPayload.ErrorPayload => ErrorPayload.encode(toWireError(error.reason))

const toWireError = (reason: Reason): WireError.WireError => {
  if (isWireError(reason)) return reason
  return reason._tag === "AuthenticationRejected"
    ? new WireError.Unauthorized({ message: reason.message })
    : new WireError.InternalError({})
}

/** The error behind a received flat payload. */
export const fromPayload = (payload: Parameters<typeof ErrorPayload.decode>[0]): SmcpError =>
  make(ErrorPayload.decode(payload))
