/**
 * The servers of one manager: which there are, in which order, and what they do.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { availableParallelism } from "node:os"
import { Inputs } from "../../Inputs.ts"
import { McpConnector } from "../../McpConnector.ts"
import type { McpManagerOptions, ReconnectOptions, ServerStatus } from "../../McpManager.ts"
import type { ServerEntry } from "../../ServerEntry.ts"
import { makeSignal } from "../signal.ts"
import { Supervised } from "./serverSupervisor.ts"
import { type Shared, surroundings } from "./serverSurroundings.ts"
import { makeStartGate } from "./startGate.ts"
import { makeToolCache, noToolCache } from "./toolCache.ts"

interface StartPace {
  readonly permits: number
  /** A server that has not answered after this long no longer keeps others from starting. */
  readonly patience: Duration.Input
}

/** Most of a start is spent waiting for others, a disk or a network: where nobody sets a limit, it is only spread a little. */
const startPace = (concurrency: number | undefined): StartPace =>
  concurrency === undefined
    ? { permits: Math.max(4, availableParallelism()), patience: "200 millis" }
    : { permits: Math.max(1, concurrency), patience: "5 seconds" }

const DEFAULT_TRIES = 5
const MOST_TRIES = 10_000

const delaysOf = (options: ReconnectOptions | false = {}): ReadonlyArray<number> => {
  if (options === false) return []
  const { delay = "1 second", maxDelay = "30 seconds", tries = DEFAULT_TRIES } = options
  const first = Duration.toMillis(Duration.fromInputUnsafe(delay))
  const most = Duration.toMillis(Duration.fromInputUnsafe(maxDelay))
  return Array.from(
    { length: Math.min(Math.max(0, tries), MOST_TRIES) },
    (_, index) => Math.min(first * 2 ** index, most)
  )
}

/** What all servers of these options have in common. */
const sharedBy = Effect.fnUntraced(function*(options: McpManagerOptions, changed: () => void) {
  const shared: Shared = {
    inputs: yield* Inputs,
    connect: (yield* McpConnector).connect,
    gate: yield* makeStartGate(startPace(options.concurrency)),
    cache: options.toolCache === undefined ? noToolCache : makeToolCache(options.toolCache),
    delays: delaysOf(options.reconnect),
    jitter: options.reconnect === false || options.reconnect?.jitter !== false,
    health: options.health ?? {},
    changed
  }
  return shared
})

const withDisabled = (entry: ServerEntry, disabled: boolean): ServerEntry =>
  entry.config.disabled === disabled ? entry : { ...entry, config: { ...entry.config, disabled } }

/** Remembers what was switched off or on, and what the configuration said then. */
const makeSwitches = () => {
  const switched = new Map<string, { readonly configured: boolean; readonly disabled: boolean }>()
  return {
    set: (entry: ServerEntry, disabled: boolean): ServerEntry => {
      const configured = switched.get(entry.bundleId)?.configured ?? entry.config.disabled
      switched.set(entry.bundleId, { configured, disabled })
      return withDisabled(entry, disabled)
    },
    /** The entry as it was switched, unless its configuration says something else than it did. */
    apply: (entry: ServerEntry): ServerEntry => {
      const found = switched.get(entry.bundleId)
      if (found?.configured === entry.config.disabled) return withDisabled(entry, found.disabled)
      switched.delete(entry.bundleId)
      return entry
    },
    forget: (bundleId: string) => switched.delete(bundleId)
  }
}

/** What everybody sees of the servers: one value for all of them, and a new one after every change. */
const makePublication = (servers: () => Iterable<Supervised>) => {
  const { stream: changed, tell } = makeSignal()
  let states: ReadonlyArray<ServerStatus> = []
  let isHeld = false
  const publish = () => {
    if (isHeld) return
    states = Array.from(servers(), ({ entry, shown }) => ({ entry, state: shown }))
    tell()
  }
  return {
    states: () => states,
    changes: Stream.map(changed, () => states),
    publish,
    /** Publishes once what changes together. */
    together: <A>(change: () => A): A => {
      isHeld = true
      try {
        return change()
      } finally {
        isHeld = false
        publish()
      }
    }
  }
}

/** The servers by bundle id, in the order of the configuration. */
export const makeServers = Effect.fnUntraced(function*(options: McpManagerOptions) {
  const around = yield* surroundings
  let servers = new Map<string, Supervised>()
  /** Removed, but not gone yet. One that is put back meanwhile must not start beside itself. */
  const leaving = new Map<string, Supervised>()
  const switches = makeSwitches()
  const { changes, publish, states, together } = makePublication(() => servers.values())
  const shared = yield* sharedBy(options, publish)
  yield* Effect.addFinalizer(() =>
    Effect.sync(() =>
      // also whoever watches hears of it
      together(() => {
        for (const server of [...servers.values(), ...leaving.values()]) server.close()
      })
    )
  )

  const put = (entry: ServerEntry): void => {
    const { bundleId } = entry
    const present = servers.get(bundleId)
    if (present !== undefined) return present.configure(entry)
    const back = leaving.get(bundleId)
    leaving.delete(bundleId)
    back?.replace(entry)
    const server = back ?? new Supervised(entry, shared, around)
    servers.set(bundleId, server)
    server.switchTo(!entry.config.disabled)
    publish()
  }
  const remove = (bundleId: string): Effect.Effect<void> => {
    const server = servers.get(bundleId)
    if (server === undefined) return Effect.void
    servers.delete(bundleId)
    switches.forget(bundleId)
    leaving.set(bundleId, server)
    server.dispatch({ _tag: "Stop", why: "Stopped" })
    publish()
    // also when nobody waits for it
    around.run(Effect.flatMap(server.gone, () => {
      // it may have been put back meanwhile
      if (leaving.get(bundleId) !== server) return Effect.void
      leaving.delete(bundleId)
      return shared.cache.forget(server.entry)
    }))
    return server.gone
  }
  const setEnabled = (server: Supervised, enabled: boolean): void => {
    server.configure(switches.set(server.entry, !enabled))
    // also what was started or stopped by hand
    server.switchTo(enabled)
  }
  const reconcile = (entries: ReadonlyArray<ServerEntry>, keep: (entry: ServerEntry) => boolean) => {
    const wanted = new Set(entries.map(({ bundleId }) => bundleId))
    const removing = together(() => {
      const others = [...servers.values()].map(({ entry }) => entry).filter(({ bundleId }) => !wanted.has(bundleId))
      const removing = others.filter((entry) => !keep(entry)).map(({ bundleId }) => remove(bundleId))
      for (const entry of entries) put(switches.apply(entry))
      const ordered = [...wanted].flatMap((bundleId) => servers.get(bundleId) ?? [])
      servers = new Map([...ordered, ...servers.values()].map((server) => [server.entry.bundleId, server]))
      return removing
    })
    return Effect.all(removing, { concurrency: "unbounded", discard: true })
  }

  together(() => options.servers.forEach(put))
  return {
    get: (bundleId: string) => servers.get(bundleId),
    states,
    changes,
    ready: changes.pipe(
      Stream.filter((all) => all.every(({ state }) => state._tag !== "Starting")),
      Stream.runHead,
      Effect.asVoid
    ),
    put,
    remove,
    setEnabled,
    reconcile
  }
})
