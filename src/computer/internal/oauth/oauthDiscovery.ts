/**
 * Finding out who authorizes for an MCP server: its protected resource metadata (RFC 9728), and from there the metadata of
 * the authorization server (RFC 8414, OpenID Connect Discovery). Nothing is guessed when a document is missing.
 */
import * as Effect from "effect/Effect"
import { AuthorizationError, type AuthorizationErrorReason } from "../../AuthorizationError.ts"
import {
  type AuthorizationServerMetadata,
  checkResourceAllowed,
  discoverAuthorizationServerMetadata,
  discoverOAuthProtectedResourceMetadata,
  type OAuthProtectedResourceMetadata
} from "../mcp/mcpSdk.ts"
import { reachOf } from "./guardedAddress.ts"
import type { GuardedFetch } from "./guardedFetch.ts"
import { type BearerChallenge, cleanScopes } from "./oauthChallenge.ts"
import { ask, toAuthorizationError } from "./oauthRequest.ts"

/** Who authorizes, and for what. */
export interface Discovered {
  readonly metadata: AuthorizationServerMetadata
  /** What tokens are asked for (RFC 8707): as the server names itself. */
  readonly resource: string
  /** The scopes that the server says it knows. */
  readonly scopes: ReadonlyArray<string>
}

/** Asks the server, and then the authorization server that it names. */
export const discover = Effect.fnUntraced(function*(
  server: URL,
  challenge: BearerChallenge | undefined,
  fetch: GuardedFetch
): Effect.fn.Return<Discovered, AuthorizationError> {
  const resource = yield* resourceMetadata(server, challenge?.resourceMetadata, fetch)
  if (
    resource !== undefined &&
    !checkResourceAllowed({ requestedResource: server, configuredResource: resource.resource })
  ) {
    return yield* fail("Discovery", "The server's metadata is for another resource than the server.")
  }
  // without metadata of its own, a server of the first revision authorizes for itself
  const issuer = resource?.authorization_servers?.[0] ?? `${server.origin}/`
  const metadata = yield* ask(fetch, (fetchFn) => discoverAuthorizationServerMetadata(issuer, { fetchFn })).pipe(
    Effect.mapError(toAuthorizationError("The metadata of the authorization server cannot be had", "Discovery"))
  )
  if (metadata === undefined) {
    return yield* fail(
      "Discovery",
      "The server does not say who authorizes for it: there is no metadata of an authorization server."
    )
  }
  yield* check(metadata, issuer)
  const named = new URL(server)
  named.hash = ""
  // a key may be in there, and the browser is shown it
  named.search = ""
  return {
    metadata,
    resource: resource?.resource ?? named.href,
    scopes: cleanScopes(resource?.scopes_supported ?? [])
  }
})

/** Whether two issuers are the same; a slash at the end makes no difference. */
export const isSameIssuer = (one: string, other: string): boolean => one.replace(/\/$/, "") === other.replace(/\/$/, "")

/** Whether something may be opened or asked there: https, or http on this machine. */
const isSafeUrl = (text: string): boolean => {
  if (!URL.canParse(text)) return false
  const { hostname, password, protocol, username } = new URL(text)
  if (username !== "" || password !== "") return false
  if (protocol === "https:") return true
  const host = hostname.replace(/^\[(.*)\]$/, "$1")
  return protocol === "http:" && (host === "localhost" || reachOf(host) === "loopback")
}

// -----------------------------------------------------------------------------
// Internal
// -----------------------------------------------------------------------------

const fail = (reason: AuthorizationErrorReason, detail: string) =>
  Effect.fail(new AuthorizationError({ reason, detail }))

const resourceMetadata = (
  server: URL,
  named: URL | undefined,
  fetch: GuardedFetch
): Effect.Effect<OAuthProtectedResourceMetadata | undefined, AuthorizationError> =>
  ask(
    fetch,
    (fetchFn) =>
      discoverOAuthProtectedResourceMetadata(server, named === undefined ? {} : { resourceMetadataUrl: named }, fetchFn)
  ).pipe(
    Effect.catchIf(
      ({ kind }) => named === undefined && (kind === "refused" || kind === "malformed"),
      () => Effect.undefined
    ),
    Effect.mapError(toAuthorizationError("The server's metadata cannot be had", "Discovery"))
  )

const check = (metadata: AuthorizationServerMetadata, issuer: string): Effect.Effect<void, AuthorizationError> => {
  if (!isSameIssuer(metadata.issuer, issuer)) {
    return fail("Issuer", "The metadata of the authorization server is that of another issuer.")
  }
  if (!isSafeUrl(metadata.authorization_endpoint)) {
    return fail("Unsafe", "The page to log in at is not reached over https.")
  }
  if (metadata.code_challenge_methods_supported?.includes("S256") !== true) {
    return fail("Discovery", "The authorization server does not say that it protects logins with PKCE (S256).")
  }
  return metadata.response_types_supported.includes("code")
    ? Effect.void
    : fail("Discovery", "The authorization server gives no authorization codes.")
}
