/**
 * Logins to remote MCP servers, by OAuth as MCP has it. They are made, kept and renewed at the Computer alone: neither the
 * Server nor an Agent ever sees more than that one is needed (specification, security: MCP upstream authorization).
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberMap from "effect/FiberMap"
import * as Layer from "effect/Layer"
import * as PubSub from "effect/PubSub"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { AuthorizationError } from "./AuthorizationError.ts"
import type { HttpAuthorization } from "./HttpAuthorization.ts"
import { makeGuardedFetch } from "./internal/oauth/guardedFetch.ts"
import { runFlow, type Waiting } from "./internal/oauth/oauthFlow.ts"
import { type Login, makeRecords } from "./internal/oauth/oauthRecords.ts"
import { type Need, ServerLogin } from "./internal/oauth/oauthServer.ts"
import { revoke } from "./internal/oauth/oauthTokens.ts"
import { makeSignal } from "./internal/signal.ts"
import type { ServerEntry } from "./ServerEntry.ts"
import * as TokenStore from "./TokenStore.ts"

// -----------------------------------------------------------------------------
// Models
// -----------------------------------------------------------------------------

export type { Need, NeedReason } from "./internal/oauth/oauthServer.ts"

/** How a server's login stands. Holds no token. */
export interface ServerAuthorization {
  readonly bundleId: string
  /**
   * - `none`: there is no login, and none was asked for.
   * - `authorized`: there is one.
   * - `expired`: it is over its time; the next request renews it.
   * - `login-needed`: a person has to log in.
   */
  readonly state: "none" | "authorized" | "expired" | "login-needed"
  /** What a person is needed for; a login that permits too little is `authorized` and still has it. */
  readonly need?: Need | undefined
  /** When the login has to be renewed, in milliseconds since 1970. */
  readonly expiresAt?: number | undefined
  readonly scopes?: ReadonlyArray<string> | undefined
  /** Who authorized. */
  readonly issuer?: string | undefined
  /** The page to log in at, while a login is under way. */
  readonly loginUrl?: string | undefined
}

/** A login that is under way. It goes on in the background, for at most 5 minutes. */
export interface LoginFlow {
  readonly bundleId: string
  /** The page to open in a browser. For the person at this Computer only. */
  readonly url: string
  /** Where the browser is sent at the end: an address of this machine. */
  readonly redirectUri: string
  /**
   * For a browser on another machine: takes the address where it ended, or the code in it, and waits for the outcome. What
   * does not belong to this login is refused and does not end it.
   */
  readonly complete: (text: string) => Effect.Effect<void, AuthorizationError>
  /** Waits for the end of the login. */
  readonly outcome: Effect.Effect<void, AuthorizationError>
}

// -----------------------------------------------------------------------------
// Service
// -----------------------------------------------------------------------------

/** The logins to remote MCP servers. Servers are known from when they are connected to first. */
export class Authorization extends Context.Service<Authorization, {
  /** Authorizes the requests to a server at a URL whose placeholders are rendered. The same for the same server. */
  readonly forServer: (entry: ServerEntry, url: URL) => HttpAuthorization
  /** How the login of a server stands. */
  readonly status: (bundleId: string) => Effect.Effect<ServerAuthorization>
  /** How all logins stand. */
  readonly statuses: Effect.Effect<ReadonlyArray<ServerAuthorization>>
  /** The statuses now, and again after every change; who is slow gets the newest. */
  readonly changes: Stream.Stream<ReadonlyArray<ServerAuthorization>>
  /** The servers that somebody has to log in to. */
  readonly pending: Effect.Effect<ReadonlyArray<ServerAuthorization>>
  /** The bundle ids of servers that somebody has logged in to, from now on. */
  readonly logins: Stream.Stream<string>
  /**
   * Begins a login and returns as soon as there is a page to log in at; one that is under way is returned as it is. Nothing
   * is opened: that is for whoever shows the page.
   */
  readonly login: (bundleId: string) => Effect.Effect<LoginFlow, AuthorizationError>
  /** {@link LoginFlow.complete} of the login that is under way. */
  readonly complete: (bundleId: string, text: string) => Effect.Effect<void, AuthorizationError>
  /** Gives up the login that is under way; nothing happens when there is none. */
  readonly cancel: (bundleId: string) => Effect.Effect<void>
  /** Forgets a login, and tells the authorization server that it is over, where it takes that. */
  readonly logout: (bundleId: string) => Effect.Effect<void, AuthorizationError>
}>()("a2c-smcp/computer/Authorization") {}

/** Logins that are kept in the `TokenStore`. */
export const layer: Layer.Layer<Authorization, never, TokenStore.TokenStore> = Layer.effect(
  Authorization,
  Effect.suspend(() => make())
)

/** Logins that end with the program. Every use of the layer has its own. */
export const layerMemory: Layer.Layer<Authorization> = Layer.fresh(layer.pipe(Layer.provide(TokenStore.layerMemory)))

/** Logins that are kept in a directory (`TokenStore.layerDirectory`). */
export const layerDirectory = (directory: string): Layer.Layer<Authorization> =>
  Layer.fresh(layer.pipe(Layer.provide(TokenStore.layerDirectory(directory))))

// -----------------------------------------------------------------------------
// Internal
// -----------------------------------------------------------------------------

interface Running {
  readonly waiting: Deferred.Deferred<Waiting, AuthorizationError>
  readonly outcome: Deferred.Deferred<void, AuthorizationError>
  /** Set when there is a page. */
  url: string | undefined
}

const LOGINS_BUFFERED = 64

const make = Effect.fnUntraced(
  function*(): Effect.fn.Return<Authorization["Service"], never, TokenStore.TokenStore | Scope.Scope> {
    const records = yield* makeRecords
    const scope = yield* Effect.scope
    const { stream: changes, tell } = makeSignal()
    const changed = Effect.sync(tell)
    const servers = new Map<string, ServerLogin>()
    const flows = yield* makeFlows(servers, changed)

    const serverOf = (bundleId: string): Effect.Effect<ServerLogin, AuthorizationError> =>
      Effect.suspend(() => {
        const server = servers.get(bundleId)
        const detail = `"${bundleId}" is no server that was connected to over HTTP. Start it first.`
        return server === undefined
          ? Effect.fail(new AuthorizationError({ reason: "UnknownServer", detail }))
          : Effect.succeed(server)
      })
    const forServer: Authorization["Service"]["forServer"] = ({ bundleId, settings: { oauth = {} } }, url) => {
      const known = servers.get(bundleId)
      if (known !== undefined && isSame(known, url, oauth)) return known.http
      const fetch = makeGuardedFetch(url)
      const server = new ServerLogin({ bundleId, url, settings: oauth, fetch, records, scope, changed })
      servers.set(bundleId, server)
      return server.http
    }
    const statuses = Effect.suspend(() =>
      Effect.forEach([...servers], ([bundleId, server]) => statusOf(server, flows.running.get(bundleId)?.url))
    )
    return Authorization.of({
      forServer,
      statuses,
      status: (bundleId) =>
        Effect.catch(
          Effect.flatMap(serverOf(bundleId), (server) => statusOf(server, flows.running.get(bundleId)?.url)),
          () => Effect.succeed<ServerAuthorization>({ bundleId, state: "none" })
        ),
      changes: Stream.mapEffect(changes, () => statuses),
      pending: Effect.map(statuses, (all) => all.filter(({ need }) => need !== undefined)),
      logins: flows.logins,
      login: (bundleId) => Effect.flatMap(serverOf(bundleId), flows.begin),
      complete: (bundleId, text) =>
        Effect.suspend(() => {
          const running = flows.running.get(bundleId)
          return running === undefined
            ? Effect.fail(
              new AuthorizationError({ reason: "NoLogin", detail: `No login to "${bundleId}" is under way.` })
            )
            : Effect.flatMap(handleOf(bundleId, running), (flow) => flow.complete(text))
        }),
      cancel: flows.cancel,
      logout: Effect.fnUntraced(function*(bundleId) {
        const server = yield* serverOf(bundleId)
        yield* flows.cancel(bundleId)
        const gone = yield* Effect.mapError(
          server.forget(),
          ({ message }) => new AuthorizationError({ reason: "Store", detail: message })
        )
        if (gone === undefined) return
        yield* Effect.catch(
          revoke(gone, server.options.fetch),
          ({ detail }) => Effect.logWarning(`The authorization server could not be told of the logout: ${detail}`)
        )
      })
    })
  }
)

const isSame = ({ options }: ServerLogin, url: URL, settings: object): boolean =>
  options.url.href === url.href && JSON.stringify(options.settings) === JSON.stringify(settings)

const statusOf = (server: ServerLogin, loginUrl: string | undefined): Effect.Effect<ServerAuthorization> =>
  Effect.map(Effect.all([server.current, Clock.currentTimeMillis]), ([{ login, need }, now]): ServerAuthorization => {
    const { bundleId } = server.options
    const isNeeded = need !== undefined && need.why !== "permissions"
    const shared = {
      bundleId,
      ...(need === undefined ? {} : { need }),
      ...(loginUrl === undefined ? {} : { loginUrl })
    }
    if (login === undefined) return { ...shared, state: isNeeded ? "login-needed" : "none" }
    const { endpoints: { issuer }, expiresAt, scopes } = login
    const isOver = expiresAt !== undefined && now >= expiresAt
    const state = isNeeded ? "login-needed" : isOver ? "expired" : "authorized"
    return { ...shared, state, issuer, scopes, ...(expiresAt === undefined ? {} : { expiresAt }) }
  })

const handleOf = (bundleId: string, { outcome, waiting }: Running): Effect.Effect<LoginFlow, AuthorizationError> =>
  Effect.map(Deferred.await(waiting), ({ offer, redirectUri, url }) => ({
    bundleId,
    url,
    redirectUri,
    complete: (text) => Effect.andThen(offer(text), Deferred.await(outcome)),
    outcome: Deferred.await(outcome)
  }))

/** The logins that are under way, one a server. */
const makeFlows = Effect.fnUntraced(
  function*(servers: ReadonlyMap<string, ServerLogin>, changed: Effect.Effect<void>) {
    const fibers = yield* FiberMap.make<string, void, never>()
    const finished = yield* PubSub.sliding<string>(LOGINS_BUFFERED)
    const running = new Map<string, Running>()

    const flow = Effect.fnUntraced(function*(server: ServerLogin, mine: Running) {
      const { fetch, records, settings, url } = server.options
      const { login, need } = yield* server.current
      const challenge = server.challenge
      const scopes = need?.why === "permissions" ? need.scopes : need === undefined ? login?.scopes ?? [] : need.scopes
      return yield* runFlow(
        { wanted: { url, settings, challenge, scopes }, fetch, records },
        (waiting) =>
          Effect.suspend(() => {
            mine.url = waiting.url
            Deferred.doneUnsafe(mine.waiting, Exit.succeed(waiting))
            return changed
          })
      )
    }, Effect.scoped)

    const run = (server: ServerLogin, mine: Running): Effect.Effect<void> => {
      const { bundleId } = server.options
      const end = (exit: Exit.Exit<void, AuthorizationError>) =>
        Effect.suspend(() => {
          if (running.get(bundleId) === mine) running.delete(bundleId)
          if (Exit.isFailure(exit)) Deferred.doneUnsafe(mine.waiting, Exit.failCause(exit.cause))
          Deferred.doneUnsafe(mine.outcome, exit)
          return changed
        })
      // from the tokens on it is a login, whoever gives up
      const accepted = (login: Login) =>
        Effect.catch(server.accept(login), ({ message }) => Effect.logWarning(`${message}. The login is not kept.`))
          .pipe(
            Effect.andThen(PubSub.publish(finished, bundleId)),
            Effect.asVoid,
            Effect.uninterruptible
          )
      return Effect.flatMap(flow(server, mine), accepted).pipe(
        Effect.onExit((exit) => end(Exit.isFailure(exit) ? Exit.failCause(asFailure(exit.cause)) : exit)),
        Effect.catchCause((cause) =>
          Cause.hasDies(cause) ? Effect.logError(`The login to "${bundleId}" died`, cause) : Effect.void
        )
      )
    }
    const cancel = (bundleId: string): Effect.Effect<void> => FiberMap.remove(fibers, bundleId)
    const begin = (server: ServerLogin): Effect.Effect<LoginFlow, AuthorizationError> =>
      Effect.suspend(() => {
        const { bundleId } = server.options
        const known = running.get(bundleId)
        if (known !== undefined && servers.get(bundleId) === server) return handleOf(bundleId, known)
        const mine: Running = { waiting: Deferred.makeUnsafe(), outcome: Deferred.makeUnsafe(), url: undefined }
        running.set(bundleId, mine)
        return Effect.andThen(
          FiberMap.run(fibers, bundleId, run(server, mine), { startImmediately: true }),
          Effect.onInterrupt(handleOf(bundleId, mine), () => cancel(bundleId))
        )
      })
    return { running, begin, cancel, logins: Stream.fromPubSub(finished) }
  }
)

/** How a flow that ended is told: one that was interrupted was given up. */
const asFailure = (cause: Cause.Cause<AuthorizationError>): Cause.Cause<AuthorizationError> => {
  if (Cause.hasDies(cause)) {
    return Cause.fail(
      new AuthorizationError({ reason: "Discovery", detail: "The login failed for an internal error." })
    )
  }
  return Cause.hasInterruptsOnly(cause)
    ? Cause.fail(new AuthorizationError({ reason: "Cancelled", detail: "The login was given up." }))
    : cause
}
