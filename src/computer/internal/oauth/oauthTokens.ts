/**
 * What is asked of an authorization server: a client, tokens for a code, new tokens for old ones, and their end.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { AuthorizationError } from "../../AuthorizationError.ts"
import {
  exchangeAuthorization,
  type OAuthClientInformationMixed,
  type OAuthTokens,
  refreshAuthorization,
  registerClient
} from "../mcp/mcpSdk.ts"
import type { GuardedFetch } from "./guardedFetch.ts"
import { scopesIn } from "./oauthChallenge.ts"
import type { Discovered } from "./oauthDiscovery.ts"
import type { Client, Endpoints, Login } from "./oauthRecords.ts"
import { ask, OAuthFailure, toAuthorizationError } from "./oauthRequest.ts"

const CLIENT_NAME = "a2c-smcp"
/** Any later moment is as good as never: the numbers are somebody else's, and times are computed with and shown. */
const LATEST_MILLIS = Date.UTC(9999, 0)

/** Registers a client for this redirect address (RFC 7591). */
export const register = (
  metadata: Discovered["metadata"],
  redirectUri: string,
  scope: string | undefined,
  fetch: GuardedFetch
): Effect.Effect<Client, AuthorizationError> =>
  ask(fetch, (fetchFn) =>
    registerClient(metadata.issuer, {
      metadata,
      clientMetadata: {
        client_name: CLIENT_NAME,
        redirect_uris: [redirectUri],
        grant_types: ["authorization_code", "refresh_token"],
        response_types: ["code"],
        token_endpoint_auth_method: "none"
      },
      ...(scope === undefined ? {} : { scope }),
      fetchFn
    })).pipe(
      Effect.map((registered): Client => {
        const { client_id, client_secret, client_secret_expires_at = 0, token_endpoint_auth_method } = registered
        return {
          id: client_id,
          redirectUri,
          isRegistered: true,
          ...(client_secret === undefined ? {} : { secret: Redacted.make(client_secret) }),
          ...(token_endpoint_auth_method === undefined ? {} : { authMethod: token_endpoint_auth_method }),
          // 0 is never
          ...(client_secret_expires_at === 0
            ? {}
            : { secretExpiresAt: Math.min(client_secret_expires_at * 1000, LATEST_MILLIS) })
        }
      }),
      Effect.mapError(
        toAuthorizationError(
          "The authorization server registers no client; give the id of one in the server's \"oauth\" settings",
          "Registration"
        )
      )
    )

/** A code that a login ended with. */
export interface Code {
  readonly code: string
  readonly verifier: string
  readonly server: string
  readonly discovered: Discovered
  readonly client: Client
  /** What was asked for. */
  readonly scopes: ReadonlyArray<string>
}

/** Tokens for a code. */
export const exchange = (
  { client, code, discovered, scopes, server, verifier }: Code,
  fetch: GuardedFetch
): Effect.Effect<Login, OAuthFailure> => {
  const { metadata, resource } = discovered
  return ask(fetch, (fetchFn) =>
    exchangeAuthorization(metadata.issuer, {
      metadata,
      clientInformation: informationOf(client),
      authorizationCode: code,
      codeVerifier: verifier,
      redirectUri: client.redirectUri,
      resource,
      fetchFn
    })).pipe(
      Effect.flatMap((tokens) =>
        loginOf(tokens, { server, resource, endpoints: endpointsOf(metadata), client, scopes })
      )
    )
}

/** New tokens for those of a login. One that brings no new refresh token keeps the old one. */
export const refresh = (login: Login, fetch: GuardedFetch): Effect.Effect<Login, OAuthFailure> => {
  const { client, endpoints, refreshToken, resource } = login
  if (refreshToken === undefined) {
    return Effect.fail(new OAuthFailure({ kind: "refused", detail: "it gave nothing to renew the login with" }))
  }
  return ask(fetch, (fetchFn) =>
    refreshAuthorization(endpoints.issuer, {
      metadata: mutable(endpoints),
      clientInformation: informationOf(client),
      refreshToken: Redacted.value(refreshToken),
      resource,
      fetchFn
    })).pipe(Effect.flatMap((tokens) => loginOf(tokens, login)))
}

/** Tells the authorization server that a login is over (RFC 7009), where it takes that. */
export const revoke = (login: Login, fetch: GuardedFetch): Effect.Effect<void, OAuthFailure> => {
  const { client, endpoints } = login
  const endpoint = endpoints.revocation_endpoint
  if (endpoint === undefined || !URL.canParse(endpoint)) return Effect.void
  const token = login.refreshToken ?? login.accessToken
  const body = new URLSearchParams({ token: Redacted.value(token), client_id: client.id })
  body.set("token_type_hint", login.refreshToken === undefined ? "access_token" : "refresh_token")
  if (client.secret !== undefined) body.set("client_secret", Redacted.value(client.secret))
  return Effect.asVoid(ask(fetch, (fetchFn) =>
    fetchFn(endpoint, {
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded" },
      body
    })))
}

// -----------------------------------------------------------------------------
// Internal
// -----------------------------------------------------------------------------

const informationOf = ({ authMethod, id, secret }: Client): OAuthClientInformationMixed => ({
  client_id: id,
  ...(secret === undefined ? {} : { client_secret: Redacted.value(secret) }),
  ...(authMethod === undefined ? {} : { token_endpoint_auth_method: authMethod })
})

const endpointsOf = (metadata: Discovered["metadata"]): Endpoints => {
  const methods = metadata.token_endpoint_auth_methods_supported
  const revocation = "revocation_endpoint" in metadata ? metadata.revocation_endpoint : undefined
  return {
    issuer: metadata.issuer,
    authorization_endpoint: metadata.authorization_endpoint,
    token_endpoint: metadata.token_endpoint,
    response_types_supported: metadata.response_types_supported,
    ...(typeof revocation === "string" ? { revocation_endpoint: revocation } : {}),
    ...(methods === undefined ? {} : { token_endpoint_auth_methods_supported: methods })
  }
}

const mutable = (endpoints: Endpoints) => {
  const methods = endpoints.token_endpoint_auth_methods_supported
  return {
    ...endpoints,
    response_types_supported: [...endpoints.response_types_supported],
    token_endpoint_auth_methods_supported: methods === undefined ? undefined : [...methods]
  }
}

/** A login with these tokens. Only bearer tokens that fit into a header are taken. */
const loginOf = Effect.fnUntraced(function*(
  tokens: OAuthTokens,
  base: Pick<Login, "server" | "resource" | "endpoints" | "client" | "scopes">
): Effect.fn.Return<Login, OAuthFailure> {
  const { access_token, expires_in, refresh_token, scope, token_type } = tokens
  if (token_type.toLowerCase() !== "bearer" || !/^[\x21-\x7e]+$/.test(access_token)) {
    return yield* Effect.fail(new OAuthFailure({ kind: "malformed", detail: "it gave no bearer token" }))
  }
  const now = yield* Clock.currentTimeMillis
  const { client, endpoints, resource, scopes, server } = base
  return {
    server,
    resource,
    endpoints,
    client,
    accessToken: Redacted.make(access_token),
    ...(refresh_token === undefined ? {} : { refreshToken: Redacted.make(refresh_token) }),
    obtainedAt: now,
    ...(expires_in === undefined || expires_in <= 0
      ? {}
      : { expiresAt: Math.min(now + expires_in * 1000, LATEST_MILLIS) }),
    scopes: scope === undefined ? scopes : scopesIn(scope)
  }
})
