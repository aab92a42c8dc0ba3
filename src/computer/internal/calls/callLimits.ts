/**
 * What calls are held to by the settings of their server: how often, how many at a time, and whether a result is asked for
 * at all when it was given a moment ago.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import type * as Scope from "effect/Scope"
import { canonicalJson } from "../../../protocol/Json.ts"
import type { CallToolResult } from "../../../protocol/Tool.ts"
import type { Progress } from "../../McpClient.ts"
import type { McpManager } from "../../McpManager.ts"
import type { ServerEntry } from "../../ServerEntry.ts"
import type { Route } from "../../ToolRegistry.ts"
import { type Generation, makeResultCache, type ResultCache } from "./resultCache.ts"
import { type Gate, makeGate, makeTurnstile, type RateLimited } from "./turnstile.ts"

/** A call that may be held back. */
export interface LimitedCall<E> {
  readonly route: Route
  readonly args: Readonly<Record<string, unknown>>
  /** How long the caller waits, in milliseconds. */
  readonly patience: number
  readonly onProgress: (progress: Progress) => Effect.Effect<void>
  /** The call of the server; `connected` is to be run when its connection is there. */
  readonly request: (
    onProgress: (progress: Progress) => Effect.Effect<void>,
    connected: Effect.Effect<void>
  ) => Effect.Effect<Readonly<Record<string, unknown>>, E>
  /** What becomes of its result. */
  readonly transform: (result: Readonly<Record<string, unknown>>) => Effect.Effect<CallToolResult>
}

export interface CallLimiter<E> {
  readonly run: (call: LimitedCall<E>) => Effect.Effect<CallToolResult, E | RateLimited>
}

/** Whether anything at all is limited for a server. */
export const hasLimits = ({ settings }: ServerEntry): boolean =>
  settings.limits !== undefined || settings.toolLimits !== undefined

/**
 * The limits of all servers. Those of one are kept as long as its entry: with another configuration it begins anew. What is
 * under way ends with the scope.
 */
export const makeCallLimiter = Effect.fnUntraced(
  function*<E>(manager: McpManager["Service"]): Effect.fn.Return<CallLimiter<E>, never, Scope.Scope> {
    const clock = yield* Clock.Clock
    const fork = yield* FiberSet.makeRuntime<never, void, never>()
    const servers = new WeakMap<ServerEntry, CallLimiter<E>>()
    return {
      run: (call) => {
        const { entry } = call.route
        let server = servers.get(entry)
        if (server === undefined) servers.set(entry, server = makeServerLimiter({ entry, manager, clock, fork }))
        return server.run(call)
      }
    }
  }
)

interface Owner {
  readonly entry: ServerEntry
  readonly manager: McpManager["Service"]
  readonly clock: Clock.Clock
  readonly fork: Parameters<typeof makeTurnstile>[1]
}

const makeServerLimiter = <E>({ clock, entry, fork, manager }: Owner): CallLimiter<E> => {
  const { limits = {}, toolLimits = {} } = entry.settings
  const turnstile = makeTurnstile(clock, fork)
  const shared = makeGate(limits)
  const ofTools = new Map(Object.entries(toolLimits).map(([tool, own]) => [tool, makeGate(own)]))
  const gatesOf = (tool: string): ReadonlyArray<Gate> =>
    [ofTools.get(tool), shared].filter((gate) => gate !== undefined)
  let cache: ResultCache<E | RateLimited> | undefined

  const perform = (
    { request, route, transform }: LimitedCall<E>,
    patience: number,
    ...hooks: Parameters<LimitedCall<E>["request"]>
  ) => {
    const gates = gatesOf(route.tool)
    const requested = request(...hooks)
    return Effect.flatMap(gates.length === 0 ? requested : turnstile.pass(gates, patience, requested), transform)
  }

  return {
    run: (call) => {
      const { args, onProgress, patience, route } = call
      const ttl = ttlOf(route)
      if (ttl === 0) return perform(call, patience, onProgress, Effect.void)
      cache ??= makeResultCache({ clock, fork, generation: generationOf(manager, entry) })
      return cache.get({
        key: `${route.tool}\n${canonicalJson(args)}`,
        ttlMillis: ttl * 1000,
        onProgress,
        // others may join who have more patience
        perform: (...hooks) => perform(call, Infinity, ...hooks)
      })
    }
  }
}

/** How long results of a tool are kept, in seconds: as it says itself, or as its server does for tools that only read. */
const ttlOf = ({ definition, entry: { settings }, tool }: Route): number => {
  const own = Object.hasOwn(settings.toolLimits ?? {}, tool) ? settings.toolLimits?.[tool]?.cacheTtl : undefined
  return own ?? (definition.annotations?.["readOnlyHint"] === true ? settings.limits?.cacheTtl : undefined) ?? 0
}

/** A refresh of the tools and a new connection each make another. */
const generationOf = (manager: McpManager["Service"], entry: ServerEntry): Effect.Effect<Generation | undefined> =>
  Effect.map(manager.states, (states) => {
    const state = states.find((status) => status.entry === entry)?.state
    return state?._tag === "Ready" ? { client: state.client, tools: state.tools } : undefined
  })
