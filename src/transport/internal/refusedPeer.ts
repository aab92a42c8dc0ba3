/**
 * What a peer is told that the Server's authentication refused, and what it
 * makes of it. A refusal travels as a flat error.
 */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as ErrorPayload from "../../protocol/ErrorPayload.ts"
import * as SmcpError from "../../protocol/SmcpError.ts"
import * as WireError from "../../protocol/WireError.ts"

/** A connection that did not come about; `final` when trying again cannot help. */
export interface Refusal {
  readonly error: SmcpError.SmcpError
  readonly final: boolean
}

/** Logs a refused handshake with the reason. */
export const logRefused = (
  facts: { readonly address: string; readonly message: string; readonly transport?: string }
): Effect.Effect<void> => Effect.annotateLogs(Effect.logWarning("Refused a handshake"), { ...facts })

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
