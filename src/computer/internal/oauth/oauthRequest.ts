/**
 * The MCP SDK's OAuth functions over requests that are guarded, with failures told apart by our own flags.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { AuthorizationError, type AuthorizationErrorReason } from "../../AuthorizationError.ts"
import { OAuthError } from "../mcp/mcpSdk.ts"
import { FetchRefused, type GuardedFetch } from "./guardedFetch.ts"

/** What the SDK's functions call to make a request. */
export type FetchLike = (url: string | URL, init?: RequestInit) => Promise<Response>

/** Why an OAuth request came to nothing. Holds none of the other side's words but an error code that OAuth knows. */
export class OAuthFailure extends Schema.TaggedError<OAuthFailure>()("OAuthFailure", {
  /**
   * - `refused`: the answer was no, and will be again.
   * - `trouble`: no answer, or that of a server in trouble; may differ the next time.
   * - `malformed`: an answer that is not OAuth.
   * - `unsafe`: the request was not made.
   */
  kind: Schema.Literals(["refused", "trouble", "malformed", "unsafe"]),
  /** Completes a sentence that begins with who was asked. */
  detail: Schema.String,
  /** OAuth's code, such as `invalid_grant`. */
  code: Schema.optionalKey(Schema.String)
}) {}

/** Runs a function of the SDK. Interrupting it ends its requests. */
export const ask = Effect.fnUntraced(function*<A>(
  guarded: GuardedFetch,
  call: (fetch: FetchLike) => Promise<A>
): Effect.fn.Return<A, OAuthFailure> {
  const run = Effect.runPromiseWith(yield* Effect.context<never>())
  let status: number | undefined
  return yield* Effect.tryPromise({
    try: (signal) =>
      call((url, init) => {
        const request = guarded(new URL(url), {
          method: init?.method,
          headers: new Headers(init?.headers),
          body: textOf(init?.body)
        })
        return run(Effect.tap(request, (response) => Effect.sync(() => status = response.status)), { signal })
      }),
    catch: (error) => failureOf(error, status)
  })
})

/** The failure as an error of a login. `who` begins the sentence; `refused` is what a refusal means there. */
export const toAuthorizationError = (who: string, refused: AuthorizationErrorReason) => (failure: OAuthFailure) =>
  new AuthorizationError({
    reason: {
      refused,
      malformed: "Discovery",
      trouble: "Unreachable",
      unsafe: "Unsafe"
    }[failure.kind] as AuthorizationErrorReason,
    detail: `${who}: ${failure.detail}.`
  })

// -----------------------------------------------------------------------------
// Internal
// -----------------------------------------------------------------------------

const BUSY = 429
const SERVER_TROUBLE = 500
const CLIENT_ERROR = 400
/** OAuth's codes for what may be over the next time. */
const TROUBLES: ReadonlySet<string> = new Set(["server_error", "temporarily_unavailable", "too_many_requests"])

const textOf = (body: RequestInit["body"]): string | undefined =>
  typeof body === "string" || body instanceof URLSearchParams ? String(body) : undefined

const failureOf = (error: unknown, status: number | undefined): OAuthFailure => {
  if (error instanceof FetchRefused) {
    const kind = { unsafe: "unsafe", "too-large": "malformed", unreachable: "trouble", timeout: "trouble" } as const
    return new OAuthFailure({ kind: kind[error.kind], detail: error.message })
  }
  if (status !== undefined && (status >= SERVER_TROUBLE || status === BUSY)) {
    return new OAuthFailure({ kind: "trouble", detail: `it answers with HTTP ${status}` })
  }
  // the SDK takes every answer that it does not understand for a `server_error`
  if (error instanceof OAuthError && !(TROUBLES.has(error.errorCode))) {
    return new OAuthFailure({ kind: "refused", code: error.errorCode, detail: `it says ${error.errorCode}` })
  }
  return status !== undefined && status >= CLIENT_ERROR
    ? new OAuthFailure({ kind: "refused", detail: `it answers with HTTP ${status}` })
    : new OAuthFailure({ kind: "malformed", detail: "its answer is not as OAuth has it" })
}
