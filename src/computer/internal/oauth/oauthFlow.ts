/**
 * One login of a person, from finding out who authorizes to the tokens.
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { randomBytes } from "node:crypto"
import { AuthorizationError, type AuthorizationErrorReason } from "../../AuthorizationError.ts"
import type { OAuthSettings } from "../../ServerEntry.ts"
import type { TokenStoreError } from "../../TokenStore.ts"
import { startAuthorization } from "../mcp/mcpSdk.ts"
import type { GuardedFetch } from "./guardedFetch.ts"
import { listenForCallback, type LoopbackCallback } from "./loopbackCallback.ts"
import { type BearerChallenge, scopesIn } from "./oauthChallenge.ts"
import { discover, type Discovered, isSameIssuer } from "./oauthDiscovery.ts"
import type { Client, Login, Records } from "./oauthRecords.ts"
import { toAuthorizationError } from "./oauthRequest.ts"
import { exchange, register } from "./oauthTokens.ts"

/** What a login is for. */
export interface Wanted {
  readonly url: URL
  readonly settings: OAuthSettings
  /** What the server said when it refused last. */
  readonly challenge: BearerChallenge | undefined
  /** Scopes that are asked for in any case. */
  readonly scopes: ReadonlyArray<string>
}

/** A login that waits for its person. */
export interface Waiting {
  /** The page to open in a browser. */
  readonly url: string
  readonly redirectUri: string
  /** Takes what the person copied: the address they were sent to, or the code alone. Fails, without ending the login, for anything else. */
  readonly offer: (text: string) => Effect.Effect<void, AuthorizationError>
}

/** What a flow needs. */
export interface FlowOptions {
  readonly wanted: Wanted
  readonly fetch: GuardedFetch
  readonly records: Records
}

const DEADLINE = "5 minutes"
const DEADLINE_MINUTES = 5

/** Runs a login; `waiting` is told as soon as a person can go on with it. */
export const runFlow = Effect.fnUntraced(function*(
  options: FlowOptions,
  waiting: (flow: Waiting) => Effect.Effect<void>
): Effect.fn.Return<Login, AuthorizationError, Scope.Scope> {
  const { fetch, wanted } = options
  const discovered = yield* discover(wanted.url, wanted.challenge, fetch)
  const state = randomBytes(32).toString("base64url")
  const scopes = scopesOf(wanted, discovered)
  const { callback, client } = yield* prepareClient(
    options,
    discovered,
    scopes,
    (answer) => answer.get("state") === state
  )
  const { authorizationUrl, codeVerifier } = yield* Effect.promise(() =>
    startAuthorization(discovered.metadata.issuer, {
      metadata: discovered.metadata,
      clientInformation: { client_id: client.id },
      redirectUrl: client.redirectUri,
      ...(scopes.length === 0 ? {} : { scope: scopes.join(" ") }),
      state,
      resource: discovered.resource
    })
  )
  const pasted = yield* Deferred.make<URLSearchParams>()
  yield* waiting({
    url: authorizationUrl.href,
    redirectUri: client.redirectUri,
    offer: (text) =>
      Effect.flatMap(
        readPasted(text, client.redirectUri, state),
        (answer) => Effect.sync(() => Deferred.doneUnsafe(pasted, Exit.succeed(answer)))
      )
  })
  const answer = yield* Effect.raceFirst(callback.received, Deferred.await(pasted)).pipe(
    Effect.timeoutOrElse({
      duration: DEADLINE,
      orElse: () => fail("Timeout", `Nobody logged in within ${DEADLINE_MINUTES} minutes. Start the login again.`)
    })
  )
  const code = yield* readAnswer(answer, discovered)
  return yield* exchange({
    code,
    verifier: codeVerifier,
    server: wanted.url.href,
    discovered,
    client,
    scopes
  }, fetch).pipe(
    Effect.tapError(({ code }) => code === "invalid_client" ? forgetClient(options, discovered) : Effect.void),
    Effect.mapError(toAuthorizationError("The authorization server gave no token", "Refused"))
  )
})

// -----------------------------------------------------------------------------
// Internal
// -----------------------------------------------------------------------------

const fail = (reason: AuthorizationErrorReason, detail: string) =>
  Effect.fail(new AuthorizationError({ reason, detail }))

/** What the server asks for, else what the configuration says, else all that there is; and what is wanted besides. */
const scopesOf = ({ challenge, scopes, settings }: Wanted, discovered: Discovered): ReadonlyArray<string> => {
  const asked = challenge?.scopes ?? []
  const base = asked.length > 0 ? asked : settings.scopes ?? discovered.scopes
  return [...new Set([...base, ...scopes])]
}

interface Prepared {
  readonly client: Client
  readonly callback: LoopbackCallback
}

const ignoring = <A>(self: Effect.Effect<A, TokenStoreError>): Effect.Effect<A | undefined> =>
  Effect.catch(self, ({ message }) => Effect.as(Effect.logWarning(message), undefined))

const forgetClient = ({ records }: FlowOptions, { metadata }: Discovered): Effect.Effect<void> =>
  ignoring(records.removeClient(metadata.issuer))

/** The client and the address it is sent back to, which belong together: a client is registered for one address. */
const prepareClient = Effect.fnUntraced(function*(
  options: FlowOptions,
  { metadata }: Discovered,
  scopes: ReadonlyArray<string>,
  accepts: (answer: URLSearchParams) => boolean
): Effect.fn.Return<Prepared, AuthorizationError, Scope.Scope> {
  const { fetch, records, wanted: { settings } } = options
  const { callbackPort, clientId, clientSecret } = settings
  if (clientId !== undefined) {
    const callback = yield* listenForCallback(callbackPort ?? 0, accepts)
    const secret = clientSecret === undefined ? {} : { secret: Redacted.make(clientSecret) }
    return { callback, client: { id: clientId, ...secret, redirectUri: callback.redirectUri, isRegistered: false } }
  }
  const now = yield* Clock.currentTimeMillis
  const known = yield* ignoring(records.client(metadata.issuer))
  const usable = known !== undefined && (known.secretExpiresAt ?? Infinity) > now ? known : undefined
  const callback = yield* listenAgain(callbackPort, usable, accepts)
  if (usable?.redirectUri === callback.redirectUri) return { callback, client: usable }
  const client = yield* register(
    metadata,
    callback.redirectUri,
    scopes.length === 0 ? undefined : scopes.join(" "),
    fetch
  )
  yield* ignoring(records.saveClient(metadata.issuer, client))
  return { callback, client }
})

/** At the address that the client is registered for when it is free, else at any. */
const listenAgain = (
  port: number | undefined,
  known: Client | undefined,
  accepts: (answer: URLSearchParams) => boolean
): Effect.Effect<LoopbackCallback, AuthorizationError, Scope.Scope> => {
  if (port !== undefined || known === undefined) return listenForCallback(port ?? 0, accepts)
  return Effect.catch(
    listenForCallback(Number(new URL(known.redirectUri).port), accepts),
    () => listenForCallback(0, accepts)
  )
}

/** What a person copied out of their browser. */
const readPasted = (
  text: string,
  redirectUri: string,
  state: string
): Effect.Effect<URLSearchParams, AuthorizationError> => {
  const written = text.trim()
  if (/^[\x21-\x7e]+$/.test(written) && !/[?&=#]|:\/\//.test(written)) {
    return Effect.succeed(new URLSearchParams({ code: written }))
  }
  const url = URL.canParse(written) ? new URL(written) : undefined
  const expected = new URL(redirectUri)
  if (url?.origin !== expected.origin || url.pathname !== expected.pathname) {
    return fail("State", "Paste the whole address that the browser was sent to, or the code in it.")
  }
  return url.searchParams.get("state") === state
    ? Effect.succeed(url.searchParams)
    : fail("State", "This address belongs to another login. Open the page again and paste where that one ends.")
}

/** The code in an answer from the right authorization server (RFC 9207). */
const readAnswer = (answer: URLSearchParams, { metadata }: Discovered): Effect.Effect<string, AuthorizationError> => {
  const issuer = answer.get("iss")
  const names =
    (metadata as Readonly<Record<string, unknown>>)["authorization_response_iss_parameter_supported"] === true
  if (issuer === null ? names : !isSameIssuer(issuer, metadata.issuer)) {
    return fail(
      "Issuer",
      issuer === null
        ? "The answer does not say which authorization server it is from. Log in again, and paste the whole address if you paste."
        : "The answer is from another authorization server than the one that was asked."
    )
  }
  const [error] = scopesIn(answer.get("error") ?? undefined)
  if (error !== undefined) {
    const known = /^[a-z_]{1,40}$/.test(error) ? ` (${error})` : ""
    return fail("Refused", `The login was refused${known}.`)
  }
  const code = answer.get("code")
  return code === null ? fail("Refused", "The answer holds no code.") : Effect.succeed(code)
}
