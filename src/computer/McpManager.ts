/**
 * The MCP servers of a Computer: starts them, watches them, ends them.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberMap from "effect/FiberMap"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import { availableParallelism } from "node:os"
import type { ServerConfig } from "../protocol/ServerConfig.ts"
import * as SmcpError from "../protocol/SmcpError.ts"
import * as WireError from "../protocol/WireError.ts"
import * as Background from "../transport/Background.ts"
import type { ServerEntry } from "./ConfigFile.ts"
import { makePaced, type Paced } from "./internal/paced.ts"
import * as Placeholders from "./internal/placeholders.ts"
import { REMOTE_UNSUPPORTED } from "./internal/serverEntry.ts"
import { makeStartGate, type StartGate } from "./internal/startGate.ts"
import * as McpClient from "./McpClient.ts"
import type { McpError } from "./McpError.ts"

// -----------------------------------------------------------------------------
// Models
// -----------------------------------------------------------------------------

/** What a server is doing. */
export type ServerState =
  /** Switched off in its configuration; `start` starts it all the same. */
  | { readonly _tag: "Disabled" }
  | { readonly _tag: "Starting" }
  /** Connected, with the tools it listed last and those that were left out of the list. */
  | {
    readonly _tag: "Ready"
    readonly client: McpClient.McpClient
    readonly tools: McpClient.ToolList["tools"]
    readonly skipped: McpClient.ToolList["skipped"]
  }
  /** It could not be started, or it ended by itself. `reason` is for the operator and may hold several lines. */
  | { readonly _tag: "Failed"; readonly reason: string }
  /** Ended by `stop`. */
  | { readonly _tag: "Stopped" }

/** A server and what it is doing. */
export interface ServerStatus {
  readonly entry: ServerEntry
  readonly state: ServerState
}

/** Options of {@link layer}. */
export interface McpManagerOptions {
  /** The servers, as `ConfigFile` reads them. */
  readonly servers: ReadonlyArray<ServerEntry>
  /**
   * Connects to a server, given its rendered configuration. The connection ends with the scope. Default: stdio, which
   * cannot start a remote server.
   */
  readonly connect?:
    | ((config: ServerConfig) => Effect.Effect<McpClient.McpClient, McpError, Scope.Scope>)
    | undefined
  /** How many servers start at a time; one that takes longer than 5 seconds no longer counts. Default: the number of cores, at least 2. */
  readonly concurrency?: number | undefined
  /** How long a server may take from its start to the answer of its handshake. Default: 30 seconds. Only without `connect`. */
  readonly startTimeout?: Duration.Input | undefined
  /** Where `${env:NAME}` looks. Default: the environment of this process. */
  readonly environment?: Placeholders.Environment | undefined
}

// -----------------------------------------------------------------------------
// Service
// -----------------------------------------------------------------------------

/** The MCP servers of a Computer. They all end with the layer. */
export class McpManager extends Context.Service<McpManager, {
  /** In the order of the configuration. */
  readonly servers: ReadonlyArray<ServerEntry>
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
}>()("a2c-smcp/computer/McpManager") {}

/**
 * Starts all servers that are not disabled, in the background: building the layer waits for none of them. A server that
 * fails stays `Failed`, with the reason, until somebody starts it again; it never keeps the others from starting.
 */
export const layer = (options: McpManagerOptions): Layer.Layer<McpManager> => Layer.effect(McpManager, make(options))

const make = Effect.fnUntraced(
  function*(options: McpManagerOptions): Effect.fn.Return<McpManager["Service"], never, Scope.Scope> {
    const { servers } = options
    const states = yield* SubscriptionRef.make<ReadonlyArray<ServerStatus>>(
      servers.map((entry) => ({ entry, state: entry.config.disabled ? { _tag: "Disabled" } : { _tag: "Starting" } }))
    )
    const gate = yield* makeStartGate({
      permits: Math.max(1, options.concurrency ?? Math.max(2, availableParallelism())),
      patience: START_PATIENCE
    })
    const running = yield* FiberMap.make<string>()
    const locks = new Map<string, Semaphore.Semaphore>()
    for (const { bundleId } of servers) locks.set(bundleId, yield* Semaphore.make(1))

    const setState = (bundleId: string, state: ServerState): Effect.Effect<void> =>
      SubscriptionRef.update(
        states,
        (all) => all.map((status) => status.entry.bundleId === bundleId ? { entry: status.entry, state } : status)
      )

    const stateOf = (all: ReadonlyArray<ServerStatus>, bundleId: string): ServerState | undefined =>
      all.find(({ entry }) => entry.bundleId === bundleId)?.state

    const launch = (entry: ServerEntry): Effect.Effect<unknown> =>
      FiberMap.run(
        running,
        entry.bundleId,
        supervise({ entry, connect: connection(options, entry.config), gate, setState }),
        { startImmediately: false }
      )

    const locked = <A>(bundleId: string, self: (entry: ServerEntry) => Effect.Effect<A>) =>
      Effect.suspend((): Effect.Effect<A, SmcpError.SmcpError> => {
        const entry = servers.find((server) => server.bundleId === bundleId)
        const lock = locks.get(bundleId)
        if (entry === undefined || lock === undefined) {
          return Effect.fail(SmcpError.make(new WireError.McpServerNotFound({ mcpServer: bundleId })))
        }
        return lock.withPermit(self(entry))
      })

    for (const entry of servers) if (!entry.config.disabled) yield* launch(entry)

    return McpManager.of({
      servers,
      states: SubscriptionRef.get(states),
      changes: SubscriptionRef.changes(states),
      ready: SubscriptionRef.changes(states).pipe(
        Stream.filter((all) => all.every(({ state }) => state._tag !== "Starting")),
        Stream.runHead,
        Effect.asVoid
      ),
      start: Effect.fnUntraced(function*(bundleId) {
        yield* locked(bundleId, (entry) =>
          Effect.gen(function*() {
            const state = stateOf(SubscriptionRef.getUnsafe(states), bundleId)
            if (state?._tag === "Ready" || state?._tag === "Starting") return
            // the remains of a server that has just failed
            yield* FiberMap.remove(running, bundleId)
            yield* setState(bundleId, { _tag: "Starting" })
            yield* launch(entry)
          }))
        const outcome = SubscriptionRef.changes(states).pipe(
          Stream.map((all) => stateOf(all, bundleId)),
          Stream.filter((state) => state !== undefined && state._tag !== "Starting"),
          Stream.runHead
        )
        const state = yield* Effect.flatMap(outcome, Effect.fromOption).pipe(Effect.orDie)
        return state ?? { _tag: "Stopped" }
      }),
      stop: (bundleId) =>
        locked(
          bundleId,
          () => FiberMap.remove(running, bundleId).pipe(Effect.andThen(setState(bundleId, { _tag: "Stopped" })))
        )
    })
  }
)

// -----------------------------------------------------------------------------
// One server
// -----------------------------------------------------------------------------

/** A server that has not answered after this long no longer keeps others from starting. */
const START_PATIENCE: Duration.Input = "5 seconds"

type Connect = Effect.Effect<McpClient.McpClient, { readonly message: string }, Scope.Scope>

const connection = (options: McpManagerOptions, raw: ServerConfig): Connect =>
  Effect.suspend((): Connect => {
    // rendered at every start, so that a changed environment counts
    const rendered = Placeholders.render(raw.server_parameters, options.environment ?? process.env)
    if (Result.isFailure(rendered)) return Effect.fail({ message: rendered.failure })
    const config = { ...raw, server_parameters: rendered.success } as ServerConfig
    if (options.connect !== undefined) return options.connect(config)
    if (config.type !== "stdio") return Effect.fail({ message: REMOTE_UNSUPPORTED })
    const { args, command, cwd, env } = config.server_parameters
    return McpClient.connectStdio({
      command,
      args,
      env: env ?? undefined,
      cwd: cwd ?? undefined,
      startTimeout: options.startTimeout
    })
  })

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
    setState(bundleId, { _tag: "Ready", client, tools, skipped })
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
