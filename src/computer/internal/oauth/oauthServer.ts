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
import type { Challenge, HttpAuthorization } from "../../HttpAuthorization.ts"
import { AuthFailed, AuthRequired, Handshake, McpError } from "../../McpError.ts"
import type { OAuthSettings } from "../../ServerEntry.ts"
import type { TokenStoreError } from "../../TokenStore.ts"
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

/** So long before its end a token is renewed, but never before half of its life. */
const AHEAD_MILLIS = 60_000
/** A request waits for a renewal no longer than this when it could do without. */
const PATIENCE = "2 seconds"
/** After trouble with an authorization server it is left alone for so long. */
const TROUBLE_MILLIS = 15_000
/** A token that is refused so soon after it was issued is not the reason for the refusal. */
const FRESH_MILLIS = 10_000
const MOST_STEP_UPS = 20

/** The login of one server. */
export class ServerLogin {
  readonly options: ServerOptions
  readonly http: HttpAuthorization
  /** The login there is, and what a person is needed for. */
  readonly current: Effect.Effect<{ readonly login: Login | undefined; readonly need: Need | undefined }>
  readonly #loading = Semaphore.makeUnsafe(1)
  readonly #steppedUp = new Set<string>()
  #isLoaded = false
  #login: Login | undefined = undefined
  #need: Need | undefined = undefined
  /** Whether the login is known to be worth nothing, so that it is not even tried. */
  #isDead = false
  #challenge: BearerChallenge | undefined = undefined
  #renewing: Deferred.Deferred<Login, McpError> | undefined = undefined
  #trouble: { readonly until: number; readonly error: McpError } | undefined = undefined

  constructor(options: ServerOptions) {
    this.options = options
    this.http = {
      header: Effect.andThen(this.#load, Effect.suspend(() => this.#header())),
      refused: (refusal) => Effect.andThen(this.#load, Effect.suspend(() => this.#refused(refusal)))
    }
    this.current = Effect.map(this.#load, () => ({ login: this.#login, need: this.#need }))
  }

  /** What the server said when it refused last. */
  get challenge(): BearerChallenge | undefined {
    return this.#challenge
  }

  /** Takes a new login. */
  accept(next: Login): Effect.Effect<void, TokenStoreError> {
    return Effect.suspend(() => {
      this.#isLoaded = true
      this.#need = undefined
      return Effect.andThen(this.#adopt(next), this.options.records.saveLogin(next))
    })
  }

  /** Forgets the login. */
  forget(): Effect.Effect<Login | undefined, TokenStoreError> {
    const { changed, records } = this.options
    const forgotten = Effect.suspend(() => {
      const gone = this.#login
      this.#login = undefined
      this.#isDead = false
      this.#need = undefined
      this.#challenge = undefined
      this.#trouble = undefined
      this.#steppedUp.clear()
      const removed = gone === undefined ? Effect.void : records.removeLogin(gone)
      return Effect.as(Effect.ensuring(removed, changed), gone)
    })
    return Effect.andThen(this.#load, forgotten)
  }

  // ---------------------------------------------------------------------------
  // The login there is
  // ---------------------------------------------------------------------------

  /** What the store has for this server now. */
  get #stored(): Effect.Effect<Login | undefined> {
    const { records, settings: { clientId }, url } = this.options
    return records.login(url.href).pipe(
      Effect.map((found) =>
        found?.server === url.href && (clientId === undefined || clientId === found.client.id) ? found : undefined
      ),
      Effect.catch(({ message }) => Effect.as(Effect.logWarning(message), undefined))
    )
  }

  get #load(): Effect.Effect<void> {
    const once = Effect.suspend(() =>
      this.#isLoaded ? Effect.void : Effect.map(this.#stored, (found) => {
        this.#isLoaded = true
        this.#login ??= found
      })
    )
    return Effect.suspend(() => this.#isLoaded ? Effect.void : this.#loading.withPermit(once))
  }

  #adopt(next: Login): Effect.Effect<Login> {
    return Effect.suspend(() => {
      this.#login = next
      this.#isDead = false
      this.#trouble = undefined
      // new tokens permit no more than the old ones
      if (this.#need?.why !== "permissions") this.#need = undefined
      return Effect.as(this.options.changed, next)
    })
  }

  /** Another program with the same store may have renewed the login, or logged in; then ours is worth nothing any more. */
  #newerThan(used: Login | undefined): Effect.Effect<Login | undefined> {
    return Effect.map(this.#stored, (found) => {
      if (found === undefined || used === undefined) return found
      return found.obtainedAt >= used.obtainedAt && !isSameToken(found, used) ? found : undefined
    })
  }

  #needs(next: Need): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { bundleId, changed } = this.options
      if (this.#need?.why === next.why && this.#need.scopes.join(" ") === next.scopes.join(" ")) return Effect.void
      this.#need = next
      return Effect.andThen(changed, Effect.logInfo(`The MCP server "${bundleId}" needs somebody to log in`))
    })
  }

  #lose(used: Login): Effect.Effect<never, McpError> {
    const marked = Effect.suspend(() => {
      if (this.#login !== used) return Effect.void
      this.#isDead = true
      return this.#needs({ why: "lost", scopes: [] })
    })
    return Effect.andThen(marked, Effect.fail(lost(this.options.bundleId)))
  }

  // ---------------------------------------------------------------------------
  // Renewing
  // ---------------------------------------------------------------------------

  /** One renewal for all who ask; it ends by itself, whoever gives up. */
  #renew(used: Login): Effect.Effect<Login, McpError> {
    const { records, scope, url } = this.options
    return Effect.uninterruptibleMask((restore) =>
      Effect.suspend(() => {
        if (this.#renewing !== undefined) return restore(Deferred.await(this.#renewing))
        if (this.#login !== undefined && this.#login !== used) return Effect.succeed(this.#login)
        const mine = Deferred.makeUnsafe<Login, McpError>()
        this.#renewing = mine
        return Effect.exit(records.renewing(url.href, this.#renewal(used))).pipe(
          Effect.tap((exit) =>
            Effect.sync(() => {
              this.#renewing = undefined
              Deferred.doneUnsafe(mine, exit)
            })
          ),
          Effect.uninterruptible,
          Effect.forkIn(scope),
          Effect.andThen(restore(Deferred.await(mine)))
        )
      })
    )
  }

  readonly #renewal = Effect.fnUntraced(
    function*(this: ServerLogin, mine: Login): Effect.fn.Return<Login, McpError> {
      const { bundleId, fetch } = this.options
      const other = yield* this.#newerThan(mine)
      const used = other ?? mine
      if (other !== undefined) {
        yield* this.#adopt(other)
        if (renewsAt(other) > (yield* Clock.currentTimeMillis)) return other
      }
      return yield* Effect.matchEffect(refresh(used, fetch), {
        onFailure: (failure) => this.#failRenewal(used, failure),
        onSuccess: (next) =>
          // somebody may have logged in or out meanwhile
          this.#login === used
            ? Effect.andThen(this.#keep(next), this.#adopt(next))
            : this.#login === undefined
            ? Effect.fail(new McpError({ reason: new AuthRequired({ detail: again(bundleId) }) }))
            : Effect.succeed(this.#login)
      })
    }
  ).bind(this)

  readonly #failRenewal = Effect.fnUntraced(
    function*(this: ServerLogin, used: Login, failure: OAuthFailure): Effect.fn.Return<Login, McpError> {
      if (failure.kind === "refused") {
        const other = yield* this.#newerThan(used)
        return other === undefined ? yield* this.#lose(used) : yield* this.#adopt(other)
      }
      const detail =
        `cannot be used: its authorization could not be renewed, because ${failure.detail}. Try again later.`
      const error = new McpError({ reason: new Handshake({ detail, stderrTail: [] }) })
      this.#trouble = { until: (yield* Clock.currentTimeMillis) + TROUBLE_MILLIS, error }
      yield* Effect.logWarning(
        `The login of the MCP server "${this.options.bundleId}" could not be renewed: ${failure.detail}`
      )
      return yield* Effect.fail(error)
    }
  ).bind(this)

  #keep(next: Login): Effect.Effect<void> {
    const { records } = this.options
    return Effect.catch(
      records.saveLogin(next),
      ({ message }) => Effect.logWarning(`${message}. The login is not kept.`)
    )
  }

  // ---------------------------------------------------------------------------
  // Requests and refusals
  // ---------------------------------------------------------------------------

  readonly #header = Effect.fnUntraced(
    function*(this: ServerLogin): Effect.fn.Return<Redacted.Redacted | undefined, McpError> {
      if (this.#isDead) {
        const newer = yield* this.#newerThan(this.#login)
        if (newer === undefined) return yield* Effect.fail(lost(this.options.bundleId))
        yield* this.#adopt(newer)
      }
      const login = this.#login
      if (login === undefined) return undefined
      const now = yield* Clock.currentTimeMillis
      if (now < renewsAt(login) || login.refreshToken === undefined) return bearerOf(login)
      const isOver = now >= (login.expiresAt ?? Infinity)
      if (this.#trouble !== undefined && now < this.#trouble.until) {
        return isOver ? yield* Effect.fail(this.#trouble.error) : bearerOf(login)
      }
      const renewed = this.#renew(login)
      if (isOver) return bearerOf(yield* renewed)
      // what is still good is used when it cannot be renewed right now, or not at once
      return yield* renewed.pipe(
        Effect.catch((error) => isRefusal(error) ? Effect.fail(error) : Effect.succeed(login)),
        Effect.timeoutOrElse({ duration: PATIENCE, orElse: () => Effect.succeed(login) }),
        Effect.map(bearerOf)
      )
    }
  ).bind(this)

  #refused(refusal: Challenge): Effect.Effect<void, McpError> {
    const challenge = parseChallenge(refusal.wwwAuthenticate)
    // not every refusal repeats where the metadata is
    this.#challenge = {
      ...challenge,
      resourceMetadata: challenge.resourceMetadata ?? this.#challenge?.resourceMetadata
    }
    const { sent } = refusal
    const isOld = this.#login !== undefined && sent !== undefined &&
      Redacted.value(sent) !== Redacted.value(bearerOf(this.#login))
    if (isOld) return Effect.void
    return refusal.status === 403 ? this.#forbidden(refusal, challenge) : this.#unauthorized(refusal)
  }

  readonly #unauthorized = Effect.fnUntraced(
    function*(this: ServerLogin, { sent, wwwAuthenticate }: Challenge): Effect.fn.Return<void, McpError> {
      const { bundleId } = this.options
      const used = this.#login
      if (used === undefined) {
        const other = yield* this.#newerThan(undefined)
        if (other !== undefined) return yield* Effect.asVoid(this.#adopt(other))
        yield* this.#needs({ why: "login", scopes: [] })
        const reason = new AuthRequired({ detail: again(bundleId), ...challengeOf(wwwAuthenticate) })
        return yield* Effect.fail(new McpError({ reason }))
      }
      if (sent === undefined) return
      if (this.#isDead) return yield* Effect.fail(lost(bundleId))
      if (used.refreshToken === undefined) return yield* this.#lose(used)
      const now = yield* Clock.currentTimeMillis
      if (now - used.obtainedAt < FRESH_MILLIS) {
        yield* this.#needs({ why: "lost", scopes: [] })
        const detail = `it does not take the login it has just been given. ${again(bundleId)}`
        const reason = new AuthFailed({ detail, ...challengeOf(wwwAuthenticate) })
        return yield* Effect.fail(new McpError({ reason }))
      }
      if (this.#trouble !== undefined && now < this.#trouble.until) return yield* Effect.fail(this.#trouble.error)
      yield* this.#renew(used)
    }
  ).bind(this)

  readonly #forbidden = Effect.fnUntraced(
    function*(
      this: ServerLogin,
      { wwwAuthenticate }: Challenge,
      { error, scopes }: BearerChallenge
    ): Effect.fn.Return<never, McpError> {
      const isScope = error === "insufficient_scope"
      const login = this.#login
      if (isScope) {
        const union = [...new Set([...login?.scopes ?? [], ...scopes])].sort()
        const key = union.join(" ")
        // a set of scopes is asked for once: a server that wants it again after it was granted is not to be satisfied
        if (!this.#steppedUp.has(key) && this.#steppedUp.size < MOST_STEP_UPS) {
          this.#steppedUp.add(key)
          yield* this.#needs({ why: login === undefined ? "login" : "permissions", scopes: union })
        }
      }
      const detail = isScope
        ? `the login does not permit this. Log in again with more permissions, for example with "login ${this.options.bundleId}".`
        : "it permits this to nobody, or not to the account that is logged in. Check its permissions."
      return yield* Effect.fail(new McpError({ reason: new AuthFailed({ detail, ...challengeOf(wwwAuthenticate) }) }))
    }
  ).bind(this)
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
