/**
 * Why a login to an MCP server did not come about.
 */
import { Schema } from "effect"

/** Every reason of an {@link AuthorizationError}. */
export const AuthorizationErrorReason = Schema.Literals([
  /** No server with this bundle id has been connected to over HTTP. */
  "UnknownServer",
  /** There is no login under way. */
  "NoLogin",
  /** The server does not tell who authorizes for it, or in a way that cannot be used. */
  "Discovery",
  /** It names a place that must not be asked: an address in a network of ours, another origin, plain http. */
  "Unsafe",
  /** The authorization server does not answer, or says that it is in trouble. */
  "Unreachable",
  /** The authorization server knows no client of ours and registers none. */
  "Registration",
  /** The authorization server or the person said no. */
  "Refused",
  /** The answer does not belong to this login. */
  "State",
  /** The answer, or the metadata, comes from another authorization server. */
  "Issuer",
  /** Nothing can be listened for at the callback address. */
  "Callback",
  /** Nobody logged in in time. */
  "Timeout",
  /** The login was given up. */
  "Cancelled",
  /** The login could not be kept. */
  "Store"
])
export type AuthorizationErrorReason = typeof AuthorizationErrorReason.Type

/** A login failed. Its message is for the operator of the Computer, in our own words and without any secret. */
export class AuthorizationError
  extends Schema.TaggedError<AuthorizationError>("smcp/computer/AuthorizationError")("AuthorizationError", {
    reason: AuthorizationErrorReason,
    /** Why, and what to do. */
    detail: Schema.String
  })
{
  override get message(): string {
    return this.detail
  }
}
