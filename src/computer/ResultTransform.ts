/**
 * What a Computer makes of the results of a server whose configuration has a script (specification, data structures: `vrl`).
 *
 * A script sees the result as it is sent, with the original `tool_name` and the `parameters` of the call next to its
 * fields. What it makes of that is added to the metadata of the result as JSON text, under `a2c_<language>_transformed`;
 * the result itself stays as it is, whatever becomes of the script.
 *
 * - `vrl`, the protocol's own: `vrl` of a server's configuration. Its engine is the optional package `@bpinternal/verel`,
 *   which has the functions of VRL as of about 0.25 but for those that reach outside. Integers beyond 2^53 lose digits.
 * - `jsonata`: `jsonata` of a server's configuration. A query that finds one thing gives that thing, and not a list of one:
 *   write `[…]` where a list is meant. What it finds nothing for is `null`.
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type { CallToolResult } from "../protocol/Tool.ts"
import { monotonicNow } from "./internal/monotonic.ts"
import * as engines from "./internal/transform/transformEngines.ts"
import { TransformError } from "./internal/transform/transformThread.ts"
import type { ServerEntry } from "./ServerEntry.ts"

// -----------------------------------------------------------------------------
// Models
// -----------------------------------------------------------------------------

/** A result with what it belongs to. */
export interface TransformEvent {
  readonly result: CallToolResult
  /** The original name of the tool. */
  readonly tool: string
  readonly args: Readonly<Record<string, unknown>>
}

/** Runs the scripts of one language. */
export interface Engine {
  /** What is wrong with a script, with line and column; undefined when it can be run. */
  readonly check: (script: string) => Effect.Effect<string | undefined, TransformError>
  /** What the script makes of the event, as JSON text. */
  readonly run: (
    script: string,
    event: Readonly<Record<string, unknown>>
  ) => Effect.Effect<string, TransformError>
}

/** How to get an engine. It is not asked for before a configuration has a script for it, and ends with the scope. */
export type MakeEngine = Effect.Effect<Engine, TransformError, Scope.Scope>

export {
  /** A script, or its engine, could not be run; the message says why. */
  TransformError
}

// -----------------------------------------------------------------------------
// Service
// -----------------------------------------------------------------------------

/** Transforms results. */
export class ResultTransform extends Context.Service<ResultTransform, {
  /**
   * What is wrong with the scripts of a server, with line and column; undefined when they can be used or there is none.
   * The first time it is a warning in the log as well.
   */
  readonly check: (entry: ServerEntry) => Effect.Effect<string | undefined>
  /** The result with what the scripts made of it in its `meta`. Never fails: what goes wrong is a warning. */
  readonly apply: (entry: ServerEntry, event: TransformEvent) => Effect.Effect<CallToolResult>
}>()("a2c-smcp/computer/ResultTransform") {}

/** Results stay as they are. */
export const layerNone: Layer.Layer<ResultTransform> = Layer.succeed(ResultTransform, {
  check: () => Effect.succeed(undefined),
  apply: (_entry, { result }) => Effect.succeed(result)
})

/** VRL and JSONata. Nothing is loaded for a configuration without scripts. */
export const layer: Layer.Layer<ResultTransform> = Layer.effect(
  ResultTransform,
  Effect.suspend(() => make({ engines: { vrl: vrl(), jsonata: jsonata() } }))
)

/**
 * A transform with these engines, by the name of their language: `vrl` runs what the configuration has under `vrl`, all
 * others what it has in `settings.transform`. They end with the scope.
 */
export const make = Effect.fnUntraced(function*(options: {
  readonly engines: Readonly<Record<string, MakeEngine>>
}): Effect.fn.Return<ResultTransform["Service"], never, Scope.Scope> {
  const engineOf = yield* makeEngines(options.engines)
  const verdicts = new WeakMap<ServerEntry, ReadonlyArray<Checked>>()
  const warn = makeWarnings()

  const verdictOn = ({ language, script }: Script): Effect.Effect<Checked> =>
    engineOf(language).pipe(
      Effect.flatMap((engine) =>
        engine.check(script).pipe(
          // nothing is known against the script then
          Effect.catch(({ message }) =>
            Effect.as(Effect.logWarning(`A ${language} script could not be checked: ${message}`), undefined)
          ),
          Effect.map((wrong): Checked => ({ language, script, engine, wrong }))
        )
      ),
      Effect.catch(({ message }) => Effect.succeed<Checked>({ language, script, engine: undefined, wrong: message }))
    )
  const checked = (entry: ServerEntry): Effect.Effect<ReadonlyArray<Checked>> =>
    Effect.suspend(() => {
      const known = verdicts.get(entry)
      return known === undefined
        ? Effect.flatMap(Effect.forEach(scriptsOf(entry), verdictOn), settle(entry))
        : Effect.succeed(known)
    })
  const settle = (entry: ServerEntry) => (found: ReadonlyArray<Checked>): Effect.Effect<ReadonlyArray<Checked>> => {
    // several may have looked at once; one of them says so
    const known = verdicts.get(entry)
    if (known !== undefined) return Effect.succeed(known)
    verdicts.set(entry, found)
    return Effect.as(
      Effect.forEach(found, ({ language, wrong }) =>
        wrong === undefined
          ? Effect.void
          : Effect.logWarning(`The ${language} script of "${entry.bundleId}" is not used: ${wrong}`)),
      found
    )
  }

  const added =
    (entry: ServerEntry, event: TransformEvent) =>
    (result: CallToolResult, { engine, language, script, wrong }: Checked): Effect.Effect<CallToolResult> =>
      engine === undefined || wrong !== undefined
        ? Effect.succeed(result)
        : engine.run(script, { ...event.result, tool_name: event.tool, parameters: event.args }).pipe(
          Effect.map((output) => ({
            ...result,
            meta: { ...result.meta, [`a2c_${language}_transformed`]: output }
          })),
          Effect.catch(({ message }) =>
            Effect.as(
              warn(entry, `The ${language} script of "${entry.bundleId}" failed for ${event.tool}: ${message}`),
              result
            )
          )
        )

  return {
    check: (entry) =>
      scriptsOf(entry).length === 0 ? Effect.succeed(undefined) : Effect.map(checked(entry), (found) => {
        const wrong = found.flatMap(({ language, wrong }) => wrong === undefined ? [] : [`${language}: ${wrong}`])
        return wrong.length === 0 ? undefined : wrong.join("; ")
      }),
    apply: (entry, event) =>
      scriptsOf(entry).length === 0
        ? Effect.succeed(event.result)
        : Effect.flatMap(checked(entry), Effect.reduce(() => event.result, added(entry, event)))
  }
})

// -----------------------------------------------------------------------------
// Engines
// -----------------------------------------------------------------------------

/** Options of the engines that come along. */
export interface EngineOptions {
  /** How long a script may run for one result. One that takes longer is ended. Default: 1 second. */
  readonly timeBudget?: Duration.Input | undefined
}

const DEFAULT_BUDGET: Duration.Input = "1 second"

const packaged = (engine: engines.PackagedEngine, { timeBudget = DEFAULT_BUDGET }: EngineOptions = {}): MakeEngine =>
  engines.makePackagedEngine(engine, Duration.toMillis(Duration.fromInputUnsafe(timeBudget)))

/** VRL, in a thread of its own. Fails when the package `@bpinternal/verel` is not installed. */
export const vrl = (options?: EngineOptions): MakeEngine => packaged(engines.vrl, options)

/** JSONata, in a thread of its own. */
export const jsonata = (options?: EngineOptions): MakeEngine => packaged(engines.jsonata, options)

// -----------------------------------------------------------------------------
// Internal
// -----------------------------------------------------------------------------

interface Script {
  readonly language: string
  readonly script: string
}

interface Checked extends Script {
  readonly engine: Engine | undefined
  /** Why it cannot be used. */
  readonly wrong: string | undefined
}

const none: ReadonlyArray<Script> = []

const scriptsOf = ({ config, settings }: ServerEntry): ReadonlyArray<Script> => {
  const hasVrl = typeof config.vrl === "string" && config.vrl.trim() !== ""
  if (!hasVrl && settings.transform === undefined) return none
  return [
    ...(hasVrl ? [{ language: "vrl", script: config.vrl ?? "" }] : []),
    ...(settings.transform === undefined ? [] : [settings.transform])
  ]
}

/** Each engine once, from when it is needed. */
const makeEngines = Effect.fnUntraced(function*(
  recipes: Readonly<Record<string, MakeEngine>>
): Effect.fn.Return<(language: string) => Effect.Effect<Engine, TransformError>, never, Scope.Scope> {
  const scope = yield* Effect.scope
  const lock = yield* Semaphore.make(1)
  const made = new Map<string, Engine>()
  return (language) =>
    lock.withPermit(Effect.suspend(() => {
      const engine = made.get(language)
      if (engine !== undefined) return Effect.succeed(engine)
      const recipe = Object.hasOwn(recipes, language) ? recipes[language] : undefined
      return recipe === undefined
        ? Effect.fail(new TransformError({ message: `there is no engine for ${language}` }))
        : Effect.tap(Scope.provide(recipe, scope), (engine) => Effect.sync(() => made.set(language, engine)))
    }))
})

const SILENT_MILLIS = 60_000

/** A server whose script fails for every result is told of once a minute. */
const makeWarnings = () => {
  const servers = new WeakMap<ServerEntry, { since: number; more: number }>()
  return (entry: ServerEntry, message: string): Effect.Effect<void> =>
    Effect.flatMap(monotonicNow, (now) => {
      const last = servers.get(entry)
      if (last !== undefined && now - last.since < SILENT_MILLIS) {
        last.more++
        return Effect.void
      }
      servers.set(entry, { since: now, more: 0 })
      const more = last === undefined || last.more === 0 ? "" : ` (and ${last.more} times since the last warning)`
      return Effect.logWarning(message + more)
    })
}
