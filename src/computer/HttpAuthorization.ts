/**
 * How the requests to one remote MCP server are authorized: asked before each request and told of each refusal.
 */
import type * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type { McpError } from "./McpError.ts"

/** A refusal of the server. */
export interface Challenge {
  readonly status: 401 | 403
  /** The URL that was asked for. */
  readonly url: string
  readonly wwwAuthenticate: string | undefined
  /** The `Authorization` header that was refused; undefined when none was sent. */
  readonly sent: Redacted.Redacted | undefined
}

/** Authorizes the requests to one server. Shared by all of them, however many run at a time. */
export interface HttpAuthorization {
  /** The `Authorization` header of the next request; undefined for none. Renews a token that is about to expire, once for all. */
  readonly header: Effect.Effect<Redacted.Redacted | undefined, McpError>
  /**
   * The server refused. Succeeds when the request is worth repeating, once, with a new header; fails with `AuthRequired`
   * or `AuthFailed` when it is not. Never waits for a person.
   */
  readonly refused: (challenge: Challenge) => Effect.Effect<void, McpError>
}
