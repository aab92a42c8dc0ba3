/**
 * The MCP servers of a Computer: starts them, watches them, ends them.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberMap from "effect/FiberMap"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import { availableParallelism } from "node:os"
import * as SmcpError from "../protocol/SmcpError.ts"
import * as WireError from "../protocol/WireError.ts"
import * as Background from "../transport/Background.ts"
import { Inputs } from "./Inputs.ts"
import { makePaced, type Paced } from "./internal/paced.ts"
import { makeStartGate, type StartGate } from "./internal/startGate.ts"
import type * as McpClient from "./McpClient.ts"
import { McpConnector } from "./McpConnector.ts"
import { Closed, McpError } from "./McpError.ts"
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
  /** It wants a login; it is connected to again when there is one. */
  | { readonly _tag: "AuthorizationRequired"; readonly reason: string }
  /** It could not be started, or not again. `reason` is for the operator and may hold several lines. */
  | { readonly _tag: "Failed"; readonly reason: string }

/** A server and what it is doing. */
export interface ServerStatus {
  readonly entry: ServerEntry
  readonly state: ServerState
}

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

/** Options of {@link layer}. */
export interface McpManagerOptions {
  /** The servers, as `ConfigFile` reads them. */
  readonly servers: ReadonlyArray<ServerEntry>
  /** How many servers start at a time; one that takes longer than 5 seconds no longer counts. Default: the number of cores, at least 2. */
  readonly concurrency?: number | undefined
}

// -----------------------------------------------------------------------------
// Service
// -----------------------------------------------------------------------------

/** The MCP servers of a Computer. They all end with the layer. */
export class McpManager extends Context.Service<McpManager, {
  /** Every server and what it is doing now, in the order of the configuration. The same array until something changes. */
  readonly states: Effect.Effect<ReadonlyArray<ServerStatus>>
  /** The states now, and again after every change. */
  readonly changes: Stream.Stream<ReadonlyArray<ServerStatus>>
  /** Waits until no server is starting any more. */
  readonly ready: Effect.Effect<void>
  /**
   * Starts a server that is not running, from its raw configuration, and waits for the outcome. A server that runs or
   * starts is left alone. Fails with `McpServerNotFound`.
   */
  readonly start: (bundleId: string) => Effect.Effect<ServerState, SmcpError.SmcpError>
  /** Ends a server and waits until it is gone. Fails with `McpServerNotFound`. */
  readonly stop: (bundleId: string) => Effect.Effect<void, SmcpError.SmcpError>
  /** Ends a server and starts it anew from its current configuration, whatever became of it before. Waits for the outcome. */
  readonly restart: (bundleId: string) => Effect.Effect<ServerState, SmcpError.SmcpError>
  /**
   * Adds a server, or takes another configuration for the one with this bundle id: it is restarted when it runs and
   * something changed that it would see. Does not wait for it.
   */
  readonly put: (entry: ServerEntry) => Effect.Effect<void>
  /** Ends a server and forgets it. Fails with `McpServerNotFound`. */
  readonly remove: (bundleId: string) => Effect.Effect<void, SmcpError.SmcpError>
  /** Makes these the servers: adds, changes and removes what differs, and leaves the others alone. */
  readonly reconcile: (servers: ReadonlyArray<ServerEntry>) => Effect.Effect<void>
  /** Switches a server on (and starts it) or off (and ends it). Fails with `McpServerNotFound`. */
  readonly setEnabled: (bundleId: string, enabled: boolean) => Effect.Effect<void, SmcpError.SmcpError>
  /** Which server is meant by a bundle id, a display name or the key of its entry. */
  readonly resolve: (nameOrBundleId: string) => Effect.Effect<Resolved>
  /** What is known of a server. Fails with `McpServerNotFound`. */
  readonly inspect: (bundleId: string) => Effect.Effect<Inspection, SmcpError.SmcpError>
  /** The last lines that a server wrote to stderr, also when it is gone. Fails with `McpServerNotFound`. */
  readonly logs: (bundleId: string) => Effect.Effect<ReadonlyArray<string>, SmcpError.SmcpError>
  /**
   * Uses the connection to a server, starting one that is idle. As long as it is used the server counts as busy. Fails with
   * `Closed` when the server does not run.
   */
  readonly withClient: <A, E, R>(
    bundleId: string,
    use: (client: McpClient.McpClient) => Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | McpError, R>
}>()("a2c-smcp/computer/McpManager") {}

/**
 * Starts all servers that are not disabled, in the background: building the layer waits for none of them. A server that
 * fails stays `Failed`, with the reason, until somebody starts it again; it never keeps the others from starting.
 */
export const layer = (options: McpManagerOptions): Layer.Layer<McpManager, never, Inputs | McpConnector> =>
  Layer.effect(McpManager, make(options))

const make = Effect.fnUntraced(
  function*(
    options: McpManagerOptions
  ): Effect.fn.Return<McpManager["Service"], never, Inputs | McpConnector | Scope.Scope> {
    const inputs = yield* Inputs
    const { connect } = yield* McpConnector
    const since = yield* Clock.currentTimeMillis
    const states = yield* SubscriptionRef.make<ReadonlyArray<ServerStatus>>(
      options.servers.map((entry) => ({
        entry,
        state: entry.config.disabled ? { _tag: "Disabled" } : { _tag: "Starting", since }
      }))
    )
    const gate = yield* makeStartGate({
      permits: Math.max(1, options.concurrency ?? Math.max(2, availableParallelism())),
      patience: START_PATIENCE
    })
    const running = yield* FiberMap.make<string>()
    const lock = yield* Semaphore.make(1)

    const setState = (bundleId: string, state: ServerState): Effect.Effect<void> =>
      SubscriptionRef.update(
        states,
        (all) => all.map((status) => status.entry.bundleId === bundleId ? { entry: status.entry, state } : status)
      )
    const statusOf = (bundleId: string): ServerStatus | undefined =>
      SubscriptionRef.getUnsafe(states).find(({ entry }) => entry.bundleId === bundleId)

    const launch = (entry: ServerEntry): Effect.Effect<unknown> =>
      FiberMap.run(
        running,
        entry.bundleId,
        supervise({
          entry,
          connect: Effect.flatMap(inputs.render(entry), (rendered) => connect(entry, rendered)),
          gate,
          setState
        }),
        { startImmediately: false }
      )

    const known = <A, E>(bundleId: string, self: (entry: ServerStatus) => Effect.Effect<A, E>) =>
      Effect.suspend((): Effect.Effect<A, E | SmcpError.SmcpError> => {
        const status = statusOf(bundleId)
        return status === undefined
          ? Effect.fail(SmcpError.make(new WireError.McpServerNotFound({ mcpServer: bundleId })))
          : self(status)
      })
    const end = (bundleId: string, state: ServerState) =>
      Effect.andThen(FiberMap.remove(running, bundleId), setState(bundleId, state))
    const begin = Effect.fnUntraced(function*({ entry }: ServerStatus) {
      yield* end(entry.bundleId, { _tag: "Starting", since: yield* Clock.currentTimeMillis })
      yield* launch(entry)
    })
    const outcome = (bundleId: string) =>
      SubscriptionRef.changes(states).pipe(
        Stream.map((all) => all.find(({ entry }) => entry.bundleId === bundleId)?.state),
        Stream.filter((state) => state?._tag !== "Starting"),
        Stream.runHead,
        Effect.map((state): ServerState => Option.getOrUndefined(state) ?? { _tag: "Stopped" })
      )
    const start: McpManager["Service"]["start"] = (bundleId) =>
      known(
        bundleId,
        (status) => status.state._tag === "Ready" || status.state._tag === "Starting" ? Effect.void : begin(status)
      ).pipe(
        lock.withPermit,
        Effect.andThen(outcome(bundleId))
      )
    const put: McpManager["Service"]["put"] = Effect.fnUntraced(function*(entry) {
      const { bundleId } = entry
      const before = statusOf(bundleId)
      yield* FiberMap.remove(running, bundleId)
      yield* SubscriptionRef.update(states, (all) => [
        ...all.filter((status) => status !== before),
        { entry, state: { _tag: "Disabled" as const } }
      ])
      if (!entry.config.disabled) yield* begin({ entry, state: { _tag: "Disabled" } })
    }, lock.withPermit)
    const remove: McpManager["Service"]["remove"] = (bundleId) =>
      lock.withPermit(known(bundleId, () =>
        Effect.andThen(
          FiberMap.remove(running, bundleId),
          SubscriptionRef.update(states, (all) => all.filter(({ entry }) => entry.bundleId !== bundleId))
        )))

    for (const entry of options.servers) if (!entry.config.disabled) yield* launch(entry)

    return McpManager.of({
      states: SubscriptionRef.get(states),
      changes: SubscriptionRef.changes(states),
      ready: SubscriptionRef.changes(states).pipe(
        Stream.filter((all) => all.every(({ state }) => state._tag !== "Starting")),
        Stream.runHead,
        Effect.asVoid
      ),
      start,
      stop: (bundleId) => lock.withPermit(known(bundleId, () => end(bundleId, { _tag: "Stopped" }))),
      restart: (bundleId) => Effect.andThen(lock.withPermit(known(bundleId, begin)), outcome(bundleId)),
      put,
      remove,
      reconcile: Effect.fnUntraced(function*(servers) {
        const gone = SubscriptionRef.getUnsafe(states).filter(({ entry }) =>
          servers.every(({ bundleId }) => bundleId !== entry.bundleId)
        )
        for (const { entry } of gone) yield* Effect.ignore(remove(entry.bundleId))
        for (const entry of servers) yield* put(entry)
      }),
      setEnabled: (bundleId, enabled) =>
        known(bundleId, ({ entry }) => put({ ...entry, config: { ...entry.config, disabled: !enabled } })),
      resolve: (name) =>
        Effect.map(SubscriptionRef.get(states), (all) => resolveName(all.map(({ entry }) => entry), name)),
      inspect: (bundleId) =>
        known(bundleId, ({ entry, state }) => {
          const client = state._tag === "Ready" ? state.client : undefined
          return Effect.succeed({
            entry,
            state,
            pid: client?.pid,
            serverInfo: client?.serverInfo,
            instructions: client?.instructions,
            capabilities: client?.capabilities,
            restarts: 0,
            lastHealth: undefined,
            lastFailure: undefined,
            stderrTail: [],
            strayLines: 0,
            lastStrayLines: [],
            uptimeMillis: undefined,
            users: 0
          })
        }),
      logs: (bundleId) =>
        known(bundleId, ({ state }) =>
          state._tag === "Ready"
            ? Effect.map(state.client.diagnostics, ({ stderrTail }) => stderrTail)
            : Effect.succeed([])),
      withClient: <A, E, R>(bundleId: string, use: (client: McpClient.McpClient) => Effect.Effect<A, E, R>) =>
        Effect.suspend((): Effect.Effect<A, E | McpError, R> => {
          const state = statusOf(bundleId)?.state
          return state?._tag === "Ready"
            ? use(state.client)
            : Effect.fail(new McpError({ reason: new Closed({ detail: "it does not run", stderrTail: [] }) }))
        })
    })
  }
)

/** A bundle id means its server, whatever others are called; a name or a key that several have means none. */
const resolveName = (entries: ReadonlyArray<ServerEntry>, name: string): Resolved => {
  const exact = entries.find(({ bundleId }) => bundleId === name)
  if (exact !== undefined) return { _tag: "Found", entry: exact }
  const candidates = entries.filter(({ config, key }) => config.name === name || key === name)
  const [entry, ...more] = candidates
  if (entry === undefined) return { _tag: "Unknown", known: entries.map(({ bundleId }) => bundleId) }
  return more.length === 0 ? { _tag: "Found", entry } : { _tag: "Ambiguous", candidates }
}

// -----------------------------------------------------------------------------
// One server
// -----------------------------------------------------------------------------

/** A server that has not answered after this long no longer keeps others from starting. */
const START_PATIENCE: Duration.Input = "5 seconds"

type Connect = Effect.Effect<McpClient.McpClient, { readonly message: string }, Scope.Scope>

interface Supervised {
  readonly entry: ServerEntry
  readonly connect: Connect
  readonly gate: StartGate
  readonly setState: (bundleId: string, state: ServerState) => Effect.Effect<void>
}

/** The life of one server, from its start to its end. Interrupting it ends the server. */
const supervise = ({ connect, entry, gate, setState }: Supervised): Effect.Effect<void> => {
  const { bundleId } = entry
  const ready = ({ skipped, tools }: McpClient.ToolList, client: McpClient.McpClient) =>
    Effect.flatMap(
      Clock.currentTimeMillis,
      (since) => setState(bundleId, { _tag: "Ready", since, client, tools, skipped })
    )
  const failed = (reason: string) =>
    Effect.andThen(
      setState(bundleId, { _tag: "Failed", reason }),
      Effect.logWarning(`The MCP server "${bundleId}" failed: ${reason}`)
    )
  return Effect.gen(function*() {
    const { client, list } = yield* gate(
      Effect.flatMap(connect, (client) => Effect.map(client.listTools, (list) => ({ client, list })))
    )
    // listens before anybody else can: what the server has said by now is for the first who does
    const refreshing = yield* refreshTools(client, (list) => ready(list, client))
    yield* ready(list, client)
    yield* Effect.logInfo(`The MCP server "${bundleId}" is ready, with ${list.tools.length} tools`)
    return yield* Effect.raceFirst(Effect.flatMap(client.closed, Effect.fail), refreshing.run)
  }).pipe(
    // inside the scope: everybody sees at once that it failed, and not only when its process is gone
    Effect.catch(({ message }) => failed(message)),
    Effect.catchCauseIf(
      (cause) => !Cause.hasInterruptsOnly(cause),
      (cause) =>
        Effect.andThen(failed("internal error"), Effect.logError("The supervision of an MCP server died", cause))
    ),
    Effect.scoped
  )
}

/** Listens from now on, and lists the tools again, once it runs, whenever the server says that they changed. */
const refreshTools = Effect.fnUntraced(function*(
  client: McpClient.McpClient,
  use: (list: McpClient.ToolList) => Effect.Effect<void>
): Effect.fn.Return<Paced, never, Scope.Scope> {
  const refreshing = yield* makePaced(
    client.listTools.pipe(
      Effect.flatMap(use),
      Effect.catch(({ message }) => Effect.logWarning(`The tools could not be listed again: ${message}`))
    )
  )
  yield* client.notifications.pipe(
    Stream.runForEach(({ method }) =>
      Effect.sync(() => method === "notifications/tools/list_changed" && refreshing.ask())
    ),
    Background.fork("Listening to an MCP server")
  )
  return refreshing
})
