/**
 * The desktop: the `window://` resources of all MCP servers, ordered and rendered (specification, desktop).
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FiberMap from "effect/FiberMap"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import * as Revision from "../protocol/Revision.ts"
import * as Background from "../transport/Background.ts"
import { Transport } from "../transport/Transport.ts"
import type { Diagnostic } from "./Diagnostic.ts"
import { compose, explain, hostDiagnostics, tell } from "./internal/desktop/desktopView.ts"
import { makeContentCache } from "./internal/desktop/windowContent.ts"
import { makeWindowServer, type Window, type WindowServer } from "./internal/desktop/windowServer.ts"
import { makeSignal } from "./internal/signal.ts"
import { McpManager, type ServerStatus } from "./McpManager.ts"
import { hasResources } from "./Resources.ts"

// -----------------------------------------------------------------------------
// Models
// -----------------------------------------------------------------------------

/** Which part of the desktop. */
export interface DesktopOptions {
  /** At most this many windows; none when 0 or less. Default: all. */
  readonly size?: number | undefined
  /** Only windows with exactly this URI, as their servers list it. Default: all. */
  readonly window?: string | undefined
}

/** A window that was found, and what became of it. */
export interface WindowReport {
  /** The bundle id of its server. */
  readonly server: string
  /** As its server lists it. */
  readonly uri: string
  /** The larger, the further in front among the windows of its server; 0 when it is no valid window. */
  readonly priority: number
  readonly fullscreen: boolean
  readonly shown: boolean
  /** Why it is not shown, for the operator; `undefined` when it is. */
  readonly why: string | undefined
}

// -----------------------------------------------------------------------------
// Service
// -----------------------------------------------------------------------------

/** The windows of the MCP servers that are ready. */
export class Desktop extends Context.Service<Desktop, {
  /**
   * The windows as `client:get_desktop` tells them: the servers used last first, the rest by bundle id; the windows of one
   * server by priority, or its first fullscreen one alone. Never fails: a window that cannot be read within 5 seconds is
   * left out. Reads only what is shown. A render takes at most 20 seconds.
   */
  readonly render: (options?: DesktopOptions) => Effect.Effect<ReadonlyArray<string>>
  /** Every window, and why it is or is not shown: those that are, in their order, then the others. */
  readonly explain: (options?: DesktopOptions) => Effect.Effect<ReadonlyArray<WindowReport>>
  /** A tool of this server was called: it comes first from now on, and what is known of its windows may be out of date. */
  readonly used: (bundleId: string) => Effect.Effect<void>
  /** What the operator should know about windows. */
  readonly diagnostics: Effect.Effect<ReadonlyArray<Diagnostic>>
  /** A text that stays the same for as long as no window came, went, changed its place or, when subscribed to, its content. */
  readonly fingerprint: Effect.Effect<string>
  /** Now, and again whenever a server reported or brought something that the Agent would see. */
  readonly changes: Stream.Stream<void>
}>()("a2c-smcp/computer/Desktop") {}

/** The windows of the `McpManager`, with metadata as the revision that the `Transport` speaks has it. */
export const layer: Layer.Layer<Desktop, never, McpManager | Transport> = Layer.unwrap(
  Effect.map(Transport, ({ revision }) => layerOf(revision))
)

/**
 * The windows of the `McpManager`, with metadata as a revision has it. Building it waits for no server. Windows are
 * subscribed to where their server offers it; text that is subscribed to is kept for 60 seconds.
 */
export const layerOf = (
  revision: Revision.Revision = Revision.defaultRevision
): Layer.Layer<Desktop, never, McpManager> => Layer.effect(Desktop, make(revision))

// -----------------------------------------------------------------------------
// Internal
// -----------------------------------------------------------------------------

const make = Effect.fnUntraced(
  function*(revision: Revision.Revision): Effect.fn.Return<Desktop["Service"], never, McpManager | Scope.Scope> {
    const manager = yield* McpManager
    const servers = new Map<string, WindowServer>()
    /** Bundle ids, the one used last first. */
    let recent: ReadonlyArray<string> = []
    const fingerprint = Effect.sync(() => fingerprintOf(servers))
    const { stream: changes, tell: announce } = makeSignal()
    let announced = fingerprintOf(servers)
    const warnOfHosts = makeHostWarning(servers)
    const publish = Effect.suspend(() => {
      const now = fingerprintOf(servers)
      if (now === announced) return Effect.void
      announced = now
      announce()
      return warnOfHosts
    })
    const attend = yield* makeAttendance({ servers, revision, changed: publish })
    const attendAll = Effect.flatMap(manager.states, attend)
    yield* manager.changes.pipe(
      Stream.runForEach((states) => {
        const present = new Set(states.map(({ entry }) => entry.bundleId))
        recent = recent.filter((bundleId) => present.has(bundleId))
        return Effect.andThen(attendAll, publish)
      }),
      Background.fork("Watching for windows")
    )

    const composed = (options: DesktopOptions) =>
      Effect.andThen(attendAll, Effect.suspend(() => compose(servers, recent, options)))

    return Desktop.of({
      render: (options = {}) => Effect.map(composed(options), tell),
      explain: (options = {}) => Effect.map(composed(options), explain),
      used: (bundleId) =>
        Effect.sync(() => {
          if (recent[0] !== bundleId) recent = [bundleId, ...recent.filter((each) => each !== bundleId)]
          servers.get(bundleId)?.used()
        }),
      diagnostics: Effect.sync(() => [
        ...[...servers].flatMap(([server, { remarks }]) => remarks().map((message) => ({ server, message }))),
        ...hostDiagnostics(servers)
      ]),
      fingerprint,
      changes
    })
  }
)

/**
 * Says each remark on shared hosts once for as long as it holds; those on a server's own windows are said when it lists
 * them.
 */
const makeHostWarning = (servers: ReadonlyMap<string, WindowServer>): Effect.Effect<void> => {
  let said: ReadonlySet<string> = new Set()
  return Effect.suspend(() => {
    const texts = new Set(hostDiagnostics(servers).map(({ message, server }) => `Windows of "${server}": ${message}`))
    const news = [...texts].filter((text) => !said.has(text))
    said = texts
    return Effect.forEach(news, (text) => Effect.logWarning(text), { discard: true })
  })
}

interface AttendanceOptions {
  readonly servers: Map<string, WindowServer>
  readonly revision: Revision.Revision
  readonly changed: Effect.Effect<void>
}

/** Keeps `servers` to the running servers that have resources, each connection anew. */
const makeAttendance = Effect.fnUntraced(function*({ changed, revision, servers }: AttendanceOptions) {
  const following = yield* FiberMap.make<string>()
  const lock = yield* Semaphore.make(1)
  const cache = makeContentCache<Window>()
  let versions = 0

  const leave = (bundleId: string) => {
    servers.delete(bundleId)
    return FiberMap.remove(following, bundleId)
  }
  const attend = Effect.fnUntraced(function*({ entry: { bundleId }, state }: ServerStatus) {
    const client = state._tag === "Ready" && hasResources(state.client) ? state.client : undefined
    if (servers.get(bundleId)?.client === client) return
    yield* leave(bundleId)
    if (client === undefined) return
    const server = yield* makeWindowServer({
      server: bundleId,
      client,
      source: revision.windowMetadata,
      cache,
      nextVersion: () => ++versions,
      changed
    })
    // an answer that is given up in between must not leave a server that nobody follows
    yield* Effect.uninterruptible(Effect.suspend(() => {
      servers.set(bundleId, server)
      return FiberMap.run(following, bundleId, Effect.scoped(Effect.andThen(server.follow, Effect.never)), {
        startImmediately: true
      })
    }))
  })
  return (states: ReadonlyArray<ServerStatus>): Effect.Effect<void> =>
    lock.withPermit(Effect.suspend(() => {
      const present = new Set(states.map(({ entry }) => entry.bundleId))
      const removed = [...servers.keys()].filter((bundleId) => !present.has(bundleId))
      return Effect.andThen(
        Effect.forEach(removed, leave, { discard: true }),
        Effect.forEach(states, attend, { discard: true })
      )
    }))
})

const fingerprintOf = (servers: ReadonlyMap<string, WindowServer>): string =>
  [...servers].map(([bundleId, { fingerprint }]) => [bundleId, fingerprint()] as const)
    // neither a server without windows nor the order in which they came makes a difference
    .filter(([, fingerprint]) => fingerprint !== "")
    .map((pair) => pair.join(" "))
    .sort()
    .join("\n")
