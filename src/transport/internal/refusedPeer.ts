/**
 * What a peer is told that the Server's authentication refused, and what it
 * makes of it. A refusal travels as a flat error.
 */
import type * as Cause from "effect/Cause"
import * as ErrorPayload from "../../protocol/ErrorPayload.ts"
import * as SmcpError from "../../protocol/SmcpError.ts"
import * as WireError from "../../protocol/WireError.ts"

/** Something failed inside; the peer is not told what. */
export const internalError = SmcpError.make(new WireError.InternalError({}))

/** The flat error for a refused peer; what is not meant for it becomes 500. */
export const payloadOf = (cause: Cause.Cause<SmcpError.SmcpError>): ErrorPayload.ErrorPayload =>
  SmcpError.toPayload(SmcpError.findOr(cause, internalError))

/** The error behind a refusal; `message` is its text in case `data` is no flat error. */
export const errorOf = (data: unknown, message: string): SmcpError.SmcpError =>
  ErrorPayload.is(data) && data.code !== 401 && data.code !== 403
    ? SmcpError.fromPayload(data)
    : SmcpError.make(new SmcpError.AuthenticationRejected({ message }))
