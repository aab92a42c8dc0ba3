/**
 * The login of one MCP server: what its requests carry, when it is renewed, and when a person is needed. Nothing here waits
 * for a person.
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type { Challenge, HttpAuthorization } from "../HttpAuthorization.ts"
import { AuthFailed, AuthRequired, Handshake, McpError } from "../McpError.ts"
import type { OAuthSettings } from "../ServerEntry.ts"
import type { TokenStoreError } from "../TokenStore.ts"
import type { GuardedFetch } from "./guardedFetch.ts"
import { type BearerChallenge, parseChallenge } from "./oauthChallenge.ts"
import type { Login, Records } from "./oauthRecords.ts"
import type { OAuthFailure } from "./oauthRequest.ts"
import { refresh } from "./oauthTokens.ts"

/** Why a person is needed. */
export type NeedReason =
  /** The server wants a login, and there was none. */
  | "login"
  /** The login there was is refused, or cannot be renewed. */
  | "lost"
  /** The login there is permits too little. */
  | "permissions"

/** What a server needs a person for. */
export interface Need {
  readonly why: NeedReason
  /** The scopes that are wanted besides. */
  readonly scopes: ReadonlyArray<string>
}

/** What a server's login is made with. */
export interface ServerOptions {
  readonly bundleId: string
  readonly url: URL
  readonly settings: OAuthSettings
  readonly fetch: GuardedFetch
  readonly records: Records
  /** Renewals go on here when their callers give up: a token that was asked for has to be kept. */
  readonly scope: Scope.Scope
  /** Called after every change. */
  readonly changed: Effect.Effect<void>
}

/** The login of one server. */
export interface ServerLogin {
  readonly options: ServerOptions
  readonly http: HttpAuthorization
  /** The login there is, and what a person is needed for. */
  readonly current: Effect.Effect<{ readonly login: Login | undefined; readonly need: Need | undefined }>
  /** What the server said when it refused last. */
  readonly challenge: () => BearerChallenge | undefined
  /** Takes a new login. */
  readonly accept: (login: Login) => Effect.Effect<void, TokenStoreError>
  /** Forgets the login. */
  readonly forget: Effect.Effect<Login | undefined, TokenStoreError>
}

/** So long before its end a token is renewed, but never before half of its life. */
const AHEAD_MILLIS = 60_000
/** A request waits for a renewal no longer than this when it could do without. */
const PATIENCE = "2 seconds"
/** After trouble with an authorization server it is left alone for so long. */
const TROUBLE_MILLIS = 15_000
/** A token that is refused so soon after it was issued is not the reason for the refusal. */
const FRESH_MILLIS = 10_000
const MOST_STEP_UPS = 20

/** The login of a server, as the store has it. */
export const makeServerLogin = (options: ServerOptions): ServerLogin => {
  const { bundleId, changed, fetch, records, scope, settings, url } = options
  const loading = Semaphore.makeUnsafe(1)
  let isLoaded = false
  let login: Login | undefined
  let need: Need | undefined
  /** Whether the login is known to be worth nothing, so that it is not even tried. */
  let isDead = false
  let challenge: BearerChallenge | undefined
  let renewing: Deferred.Deferred<Login, McpError> | undefined
  let trouble: { readonly until: number; readonly error: McpError } | undefined
  const steppedUp = new Set<string>()

  const fits = (stored: Login | undefined): stored is Login =>
    stored?.server === url.href && (settings.clientId === undefined || settings.clientId === stored.client.id)
  const stored = Effect.catch(
    records.login(url.href),
    ({ message }) => Effect.as(Effect.logWarning(message), undefined)
  )
  const loadOnce = loading.withPermits(1)(Effect.suspend(() =>
    isLoaded ? Effect.void : Effect.map(stored, (found) => {
      isLoaded = true
      login ??= fits(found) ? found : undefined
    })
  ))
  const load = Effect.suspend(() => isLoaded ? Effect.void : loadOnce)
  const needs = (next: Need): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (need?.why === next.why && need.scopes.join(" ") === next.scopes.join(" ")) return Effect.void
      need = next
      return Effect.andThen(changed, Effect.logInfo(`The MCP server "${bundleId}" needs somebody to log in`))
    })
  const adopt = (next: Login): Effect.Effect<Login> =>
    Effect.suspend(() => {
      login = next
      isDead = false
      trouble = undefined
      return Effect.as(changed, next)
    })

  /** Another program with the same store may have renewed the login; then ours is worth nothing any more. */
  const renewedElsewhere = (used: Login) =>
    Effect.map(
      stored,
      (found) => fits(found) && found.obtainedAt >= used.obtainedAt && !isSameToken(found, used) ? found : undefined
    )
  const lose = (used: Login): Effect.Effect<never, McpError> =>
    Effect.suspend(() => {
      if (login !== used) return Effect.void
      isDead = true
      return needs({ why: "lost", scopes: [] })
    }).pipe(Effect.andThen(Effect.fail(lost(bundleId))))
  const failRenewal = Effect.fnUntraced(function*(
    used: Login,
    failure: OAuthFailure
  ): Effect.fn.Return<Login, McpError> {
    if (failure.kind === "refused") {
      const other = yield* renewedElsewhere(used)
      return other === undefined ? yield* lose(used) : yield* adopt(other)
    }
    const detail = `cannot be used: its authorization could not be renewed, because ${failure.detail}. Try again later.`
    const error = new McpError({ reason: new Handshake({ detail, stderrTail: [] }) })
    trouble = { until: (yield* Clock.currentTimeMillis) + TROUBLE_MILLIS, error }
    yield* Effect.logWarning(`The login of the MCP server "${bundleId}" could not be renewed: ${failure.detail}`)
    return yield* Effect.fail(error)
  })
  const renewal = Effect.fnUntraced(function*(mine: Login): Effect.fn.Return<Login, McpError> {
    const other = yield* renewedElsewhere(mine)
    const used = other ?? mine
    if (other !== undefined) {
      yield* adopt(other)
      if (renewsAt(other) > (yield* Clock.currentTimeMillis)) return other
    }
    return yield* Effect.matchEffect(refresh(used, fetch), {
      onFailure: (failure) => failRenewal(used, failure),
      onSuccess: (next) =>
        // somebody may have logged in or out meanwhile
        login === used
          ? Effect.andThen(keep(next), adopt(next))
          : login === undefined
          ? Effect.fail(new McpError({ reason: new AuthRequired({ detail: again(bundleId) }) }))
          : Effect.succeed(login)
    })
  })
  const keep = (next: Login) =>
    Effect.catch(records.saveLogin(next), ({ message }) => Effect.logWarning(`${message}. The login is not kept.`))
  /** One renewal for all who ask; it ends by itself, whoever gives up. */
  const renew = (used: Login): Effect.Effect<Login, McpError> =>
    Effect.uninterruptibleMask((restore) =>
      Effect.suspend(() => {
        if (renewing !== undefined) return restore(Deferred.await(renewing))
        if (login !== undefined && login !== used) return Effect.succeed(login)
        const mine = Deferred.makeUnsafe<Login, McpError>()
        renewing = mine
        return Effect.exit(records.renewing(url.href, renewal(used))).pipe(
          Effect.tap((exit) =>
            Effect.sync(() => {
              renewing = undefined
              Deferred.doneUnsafe(mine, exit)
            })
          ),
          Effect.uninterruptible,
          Effect.forkIn(scope),
          Effect.andThen(restore(Deferred.await(mine)))
        )
      })
    )

  const header: HttpAuthorization["header"] = Effect.gen(function*() {
    yield* load
    if (login === undefined) return undefined
    if (isDead) return yield* Effect.fail(lost(bundleId))
    const now = yield* Clock.currentTimeMillis
    if (now < renewsAt(login) || login.refreshToken === undefined) return bearerOf(login)
    const isOver = now >= (login.expiresAt ?? Infinity)
    if (trouble !== undefined && now < trouble.until) {
      return isOver
        ? yield* Effect.fail(trouble.error)
        : bearerOf(login)
    }
    const renewed = renew(login)
    const usable = login
    if (isOver) return bearerOf(yield* renewed)
    // what is still good is used when it cannot be renewed right now, or not at once
    return yield* renewed.pipe(
      Effect.catch((error) => isRefusal(error) ? Effect.fail(error) : Effect.succeed(usable)),
      Effect.timeoutOrElse({ duration: PATIENCE, orElse: () => Effect.succeed(usable) }),
      Effect.map(bearerOf)
    )
  })

  const unauthorized = Effect.fnUntraced(function*({ sent, wwwAuthenticate }: Challenge) {
    if (login === undefined) {
      yield* needs({ why: "login", scopes: [] })
      const detail = again(bundleId)
      return yield* Effect.fail(new McpError({ reason: new AuthRequired({ detail, ...challengeOf(wwwAuthenticate) }) }))
    }
    const used = login
    if (sent === undefined || Redacted.value(sent) !== Redacted.value(bearerOf(used))) return
    if (isDead) return yield* Effect.fail(lost(bundleId))
    const now = yield* Clock.currentTimeMillis
    if (used.refreshToken === undefined) return yield* lose(used)
    if (now - used.obtainedAt < FRESH_MILLIS) {
      yield* needs({ why: "lost", scopes: [] })
      const detail = `it does not take the login it has just been given. ${again(bundleId)}`
      return yield* Effect.fail(new McpError({ reason: new AuthFailed({ detail, ...challengeOf(wwwAuthenticate) }) }))
    }
    if (trouble !== undefined && now < trouble.until) return yield* Effect.fail(trouble.error)
    yield* renew(used)
  })

  const forbidden = Effect.fnUntraced(function*({ sent, wwwAuthenticate }: Challenge) {
    if (login !== undefined && sent !== undefined && Redacted.value(sent) !== Redacted.value(bearerOf(login))) return
    const { error, scopes } = parseChallenge(wwwAuthenticate)
    const isScope = error === "insufficient_scope"
    if (isScope) {
      const union = [...new Set([...login?.scopes ?? [], ...scopes])].sort()
      const key = union.join(" ")
      // a set of scopes is asked for once: a server that wants it again after it was granted is not to be satisfied
      if (!steppedUp.has(key) && steppedUp.size < MOST_STEP_UPS) {
        steppedUp.add(key)
        yield* needs({ why: login === undefined ? "login" : "permissions", scopes: union })
      }
    }
    const detail = isScope
      ? `the login does not permit this. Log in again with more permissions, for example with "login ${bundleId}".`
      : "it permits this to nobody, or not to the account that is logged in. Check its permissions."
    return yield* Effect.fail(new McpError({ reason: new AuthFailed({ detail, ...challengeOf(wwwAuthenticate) }) }))
  })

  return {
    options,
    http: {
      header,
      refused: (refusal) =>
        Effect.andThen(
          load,
          Effect.suspend(() => {
            challenge = parseChallenge(refusal.wwwAuthenticate)
            return refusal.status === 403 ? forbidden(refusal) : unauthorized(refusal)
          })
        )
    },
    current: Effect.map(load, () => ({ login, need })),
    challenge: () => challenge,
    accept: (next) =>
      Effect.suspend(() => {
        isLoaded = true
        need = undefined
        return Effect.andThen(adopt(next), records.saveLogin(next))
      }),
    forget: Effect.andThen(
      load,
      Effect.suspend(() => {
        const gone = login
        login = undefined
        isDead = false
        need = undefined
        challenge = undefined
        trouble = undefined
        steppedUp.clear()
        return gone === undefined
          ? Effect.undefined
          : Effect.as(Effect.andThen(records.removeLogin(gone), changed), gone)
      })
    )
  }
}

// -----------------------------------------------------------------------------
// Internal
// -----------------------------------------------------------------------------

const again = (bundleId: string): string => `Log in at this Computer, for example with "login ${bundleId}".`

const lost = (bundleId: string): McpError =>
  new McpError({
    reason: new AuthFailed({ detail: `the login is no longer good and cannot be renewed. ${again(bundleId)}` })
  })

const isRefusal = ({ reason }: McpError): boolean => reason._tag === "AuthFailed" || reason._tag === "AuthRequired"

const challengeOf = (challenge: string | undefined) => challenge === undefined ? {} : { challenge }

const bearerOf = ({ accessToken }: Login): Redacted.Redacted => Redacted.make(`Bearer ${Redacted.value(accessToken)}`)

const renewsAt = ({ expiresAt, obtainedAt }: Login): number =>
  expiresAt === undefined ? Infinity : expiresAt - Math.min(AHEAD_MILLIS, (expiresAt - obtainedAt) / 2)

const isSameToken = (one: Login, other: Login): boolean =>
  Redacted.value(one.accessToken) === Redacted.value(other.accessToken)
