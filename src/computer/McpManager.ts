/**
 * The MCP servers of a Computer: starts them, watches them, ends them.
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import * as SmcpError from "../protocol/SmcpError.ts"
import * as WireError from "../protocol/WireError.ts"
import type { Inputs } from "./Inputs.ts"
import { makeServers } from "./internal/supervision/managedServers.ts"
import { claim } from "./internal/supervision/serverClaim.ts"
import { type HealthOptions, ping } from "./internal/supervision/serverConnection.ts"
import { notRunning } from "./internal/supervision/serverLoss.ts"
import type { Supervised } from "./internal/supervision/serverSupervisor.ts"
import type * as McpClient from "./McpClient.ts"
import type { McpConnector } from "./McpConnector.ts"
import type { McpError } from "./McpError.ts"
import type { ServerEntry } from "./ServerEntry.ts"

// -----------------------------------------------------------------------------
// Models
// -----------------------------------------------------------------------------

/** What a server is doing. Times are milliseconds since 1970. */
export type ServerState =
  /** Switched off in its configuration; `start` starts it all the same. */
  | { readonly _tag: "Disabled" }
  /** Ended by `stop`. */
  | { readonly _tag: "Stopped" }
  /** Not started before a call needs it, or ended because none did; with the tools it had last. */
  | {
    readonly _tag: "Idle"
    readonly tools: McpClient.ToolList["tools"]
    readonly skipped: McpClient.ToolList["skipped"]
    /** Why its last start failed; it is tried again by the next call. */
    readonly problem?: string | undefined
  }
  /** `hint` says what it may be busy with when it takes long, `known` which tools it had when it ran last. */
  | {
    readonly _tag: "Starting"
    readonly since: number
    readonly hint?: string | undefined
    readonly known?: McpClient.ToolList | undefined
  }
  /**
   * Connected, with the tools it listed last and those that were left out of the list. `outdated` says why it still runs
   * with an earlier configuration: the present one could not be rendered.
   */
  | {
    readonly _tag: "Ready"
    readonly since: number
    readonly client: McpClient.McpClient
    readonly tools: McpClient.ToolList["tools"]
    readonly skipped: McpClient.ToolList["skipped"]
    readonly outdated?: string | undefined
  }
  /** It was lost and is started again at `retryAt`, for the `attempt`th time (from 1). `known` are the tools it had. */
  | {
    readonly _tag: "Waiting"
    readonly attempt: number
    readonly retryAt: number
    readonly reason: string
    readonly known?: McpClient.ToolList | undefined
  }
  /**
   * It wants a login; it is connected to again when one is made in this program. One that another program has made counts
   * from the next `start` or `restart`. `known` are the tools it had: calls of them tell that a login is needed.
   */
  | { readonly _tag: "AuthorizationRequired"; readonly reason: string; readonly known?: McpClient.ToolList | undefined }
  /** It could not be started, or not again. `reason` is for the operator and may hold several lines. */
  | { readonly _tag: "Failed"; readonly reason: string }

/** A server and what it is doing. */
export interface ServerStatus {
  readonly entry: ServerEntry
  readonly state: ServerState
}

export type { HealthOptions }

/** The outcome of one health check. */
export interface Health {
  /** In milliseconds since 1970. */
  readonly checkedAt: number
  readonly responseTimeMillis: number
  /** Why the server counts as unhealthy; undefined when it is healthy. */
  readonly error: string | undefined
}

/** Everything that is known of one server, for its operator. Nothing in it is for an Agent. */
export interface Inspection extends ServerStatus {
  /** The process id (and process group) of a local server that runs. */
  readonly pid: number | undefined
  /** What holds its process in, and what does not; undefined when it has no sandbox or was never started. */
  readonly sandbox: string | undefined
  /** What it said of itself when it was connected to last. */
  readonly serverInfo: { readonly name: string; readonly version: string } | undefined
  readonly instructions: string | undefined
  readonly capabilities: Readonly<Record<string, unknown>> | undefined
  /** How often it was connected to, less the first time. */
  readonly restarts: number
  readonly lastHealth: Health | undefined
  /** Why it was lost, or could not be started, the last time; also when it runs again. */
  readonly lastFailure: string | undefined
  /** The last lines on stderr, of earlier processes too; the oldest first. */
  readonly stderrTail: ReadonlyArray<string>
  /** How many lines on stdout were not MCP and were skipped, and the last of them. */
  readonly strayLines: number
  readonly lastStrayLines: ReadonlyArray<string>
  /** How long it has been connected, in milliseconds; undefined when it is not. */
  readonly uptimeMillis: number | undefined
  /** How many calls use it now. */
  readonly users: number
}

/** Which server a name means. */
export type Resolved =
  | { readonly _tag: "Found"; readonly entry: ServerEntry }
  /** Several servers have this name; their bundle ids tell them apart. */
  | { readonly _tag: "Ambiguous"; readonly candidates: ReadonlyArray<ServerEntry> }
  | { readonly _tag: "Unknown"; readonly known: ReadonlyArray<string> }

/** When a server that was lost, or did not start, is tried again. */
export interface ReconnectOptions {
  /** How often in a row, at most 10,000. A server that was well for 30 seconds, or answered a health check, starts counting anew. Default: 5. */
  readonly tries?: number | undefined
  /** The delay before the first try; it doubles with each. Default: 1 second. */
  readonly delay?: Duration.Input | undefined
  /** The longest delay. Default: 30 seconds. */
  readonly maxDelay?: Duration.Input | undefined
  /** Whether delays differ by up to 20 %, so that many servers are not tried at one moment. Default: true. */
  readonly jitter?: boolean | undefined
}

/** Options of {@link layer}. */
export interface McpManagerOptions {
  /** The servers, as `ConfigFile` reads them. */
  readonly servers: ReadonlyArray<ServerEntry>
  /**
   * How many servers start at a time; one that takes longer than 5 seconds no longer counts. Default: the number of cores,
   * at least 4, and one that takes longer than 200 milliseconds no longer counts.
   */
  readonly concurrency?: number | undefined
  /** When servers that were lost are tried again; `false` for never. */
  readonly reconnect?: ReconnectOptions | false | undefined
  /**
   * How servers that run are asked (`ping`) whether they are well: when they were silent for the interval, and never while
   * they have something to do. One that does not answer is connected to anew. `false` for not at all.
   */
  readonly health?: HealthOptions | false | undefined
  /**
   * A directory for the tools of lazy servers, so that they can be listed after a start of the Computer without starting
   * the servers. Default: none; each is started once, then.
   */
  readonly toolCache?: string | undefined
}

// -----------------------------------------------------------------------------
// Service
// -----------------------------------------------------------------------------

/** The MCP servers of a Computer. They all end with the layer. */
export class McpManager extends Context.Service<McpManager, {
  /** Every server and what it is doing now, in the order of the configuration. The same array until something changes. */
  readonly states: Effect.Effect<ReadonlyArray<ServerStatus>>
  /** The states now, and again after every change; who is slow gets the newest. */
  readonly changes: Stream.Stream<ReadonlyArray<ServerStatus>>
  /** Waits until no server is starting any more. */
  readonly ready: Effect.Effect<void>
  /**
   * Starts a server that is not running, from its raw configuration, and waits for the outcome: `Waiting` when it failed
   * but is tried again. A server that runs or starts is left alone. Fails with `McpServerNotFound`.
   */
  readonly start: (bundleId: string) => Effect.Effect<ServerState, SmcpError.SmcpError>
  /** Ends a server and waits until it is gone. Fails with `McpServerNotFound`. */
  readonly stop: (bundleId: string) => Effect.Effect<void, SmcpError.SmcpError>
  /**
   * Ends a server and starts it anew from its current configuration, whatever became of it before. Waits for the outcome.
   * A configuration that cannot be rendered leaves the running server as it is: `Ready` and `outdated`.
   */
  readonly restart: (bundleId: string) => Effect.Effect<ServerState, SmcpError.SmcpError>
  /**
   * Adds a server, or takes another configuration for the one with this bundle id: it is restarted when it runs and
   * something changed that it would see. It keeps its place in the order. Does not wait for it.
   */
  readonly put: (entry: ServerEntry) => Effect.Effect<void>
  /** Ends a server and forgets it. Fails with `McpServerNotFound`. */
  readonly remove: (bundleId: string) => Effect.Effect<void, SmcpError.SmcpError>
  /**
   * Makes these the servers, in this order: adds, changes and removes what differs, and leaves the others alone. What was
   * switched off or on stays so until its configuration says something else than it did.
   */
  readonly reconcile: (servers: ReadonlyArray<ServerEntry>, options?: {
    /** Which servers stay although they are not among them, after them. Default: none. */
    readonly keep?: ((entry: ServerEntry) => boolean) | undefined
  }) => Effect.Effect<void>
  /** Switches a server on (and starts it) or off (and ends it). Fails with `McpServerNotFound`. */
  readonly setEnabled: (bundleId: string, enabled: boolean) => Effect.Effect<void, SmcpError.SmcpError>
  /** Which server is meant by a bundle id, a display name or the key of its entry. */
  readonly resolve: (nameOrBundleId: string) => Effect.Effect<Resolved>
  /** Asks a server now whether it is well; `undefined` when it does not run. Fails with `McpServerNotFound`. */
  readonly check: (bundleId: string) => Effect.Effect<Health | undefined, SmcpError.SmcpError>
  /** What is known of a server. Fails with `McpServerNotFound`. */
  readonly inspect: (bundleId: string) => Effect.Effect<Inspection, SmcpError.SmcpError>
  /** The last lines that a server wrote to stderr, also when it is gone. Fails with `McpServerNotFound`. */
  readonly logs: (bundleId: string) => Effect.Effect<ReadonlyArray<string>, SmcpError.SmcpError>
  /**
   * Uses the connection to a server, starting one that is idle and waiting for one that starts; for one that was lost at
   * most 10 seconds. As long as it is used the server counts as busy. Nothing is ever done twice: what fails when the
   * connection is lost stays failed. Fails with `Closed`, or with `AuthRequired` when the server wants a login first.
   */
  readonly withClient: <A, E, R>(
    bundleId: string,
    use: (client: McpClient.McpClient) => Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | McpError, R>
}>()("a2c-smcp/computer/McpManager") {}

/**
 * Starts all servers that are neither disabled nor lazy, in the background: building the layer waits for none of them. A
 * server that fails is tried again for a while and then stays `Failed`, with the reason, until somebody starts it again; it
 * never keeps the others from starting.
 */
export const layer = (options: McpManagerOptions): Layer.Layer<McpManager, never, Inputs | McpConnector> =>
  Layer.effect(McpManager, make(options))

// -----------------------------------------------------------------------------
// Internal
// -----------------------------------------------------------------------------

const make = Effect.fnUntraced(function*(
  options: McpManagerOptions
): Effect.fn.Return<McpManager["Service"], never, Inputs | McpConnector | Scope.Scope> {
  const servers = yield* makeServers(options)
  const known = <A, E>(bundleId: string, use: (server: Supervised) => Effect.Effect<A, E>) =>
    Effect.suspend((): Effect.Effect<A, E | SmcpError.SmcpError> => {
      const server = servers.get(bundleId)
      return server === undefined
        ? Effect.fail(SmcpError.make(new WireError.McpServerNotFound({ mcpServer: bundleId })))
        : use(server)
    })
  return McpManager.of({
    states: Effect.sync(servers.states),
    changes: servers.changes,
    ready: servers.ready,
    start: (bundleId) =>
      known(bundleId, (server) => {
        server.dispatch({ _tag: "Start" })
        return server.outcome
      }),
    stop: (bundleId) =>
      known(bundleId, (server) => {
        server.dispatch({ _tag: "Stop", why: "Stopped" })
        return server.gone
      }),
    restart: (bundleId) =>
      known(bundleId, (server) => {
        server.restart()
        return server.outcome
      }),
    put: (entry) => Effect.sync(() => servers.put(entry)),
    remove: (bundleId) => known(bundleId, () => servers.remove(bundleId)),
    reconcile: (entries, { keep = () => false } = {}) => Effect.suspend(() => servers.reconcile(entries, keep)),
    setEnabled: (bundleId, enabled) =>
      known(bundleId, (server) => Effect.sync(() => servers.setEnabled(server, enabled))),
    resolve: (name) => Effect.sync(() => resolveName(servers.states().map(({ entry }) => entry), name)),
    check: (bundleId) =>
      known(bundleId, (server) =>
        server.connection === undefined
          ? Effect.undefined
          : Effect.map(ping(server.connection, options.health === false ? {} : options.health ?? {}), ({ health }) => {
            server.lastHealth = health
            return health
          })),
    inspect: (bundleId) => known(bundleId, (server) => server.inspect),
    logs: (bundleId) => known(bundleId, (server) => server.logs),
    withClient: (bundleId, use) =>
      Effect.suspend(() => {
        const server = servers.get(bundleId)
        return server === undefined ? Effect.fail(notRunning("there is no such server any more")) : claim(server, use)
      })
  })
})

/** A bundle id means its server, whatever others are called; a name or a key that several have means none. */
const resolveName = (entries: ReadonlyArray<ServerEntry>, name: string): Resolved => {
  const exact = entries.find(({ bundleId }) => bundleId === name)
  if (exact !== undefined) return { _tag: "Found", entry: exact }
  const candidates = entries.filter(({ config, key }) => config.name === name || key === name)
  const [entry, ...more] = candidates
  if (entry === undefined) return { _tag: "Unknown", known: entries.map(({ bundleId }) => bundleId) }
  return more.length === 0 ? { _tag: "Found", entry } : { _tag: "Ambiguous", candidates }
}
