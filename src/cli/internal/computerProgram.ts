/**
 * What `smcp computer` runs: a console, a script, one command of the console, or a host without any.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { fstatSync } from "node:fs"
import { McpManager } from "../../computer/McpManager.ts"
import { ToolRegistry } from "../../computer/ToolRegistry.ts"
import type { Settings } from "../ComputerCommand.ts"
import type { KnownCommand } from "../console/ConsoleCommand.ts"
import { isPossible } from "../console/Interactive.ts"
import { Office } from "../console/Office.ts"
import * as Questions from "../console/Questions.ts"
import * as Script from "../console/Script.ts"
import { Session } from "../console/Session.ts"
import { followConfig, hostLayer, loadConfig, logDiagnostics, officeLayer, stateOf } from "./computerHost.ts"
import { stateEnd } from "./connection.ts"
import { interactive } from "./consoleProgram.ts"
import { exitCodes } from "./exitCodes.ts"
import { usage } from "./failure.ts"
import { environmentOf } from "./flags.ts"
import * as logging from "./logging.ts"
import { print, printJson } from "./output.ts"
import { signalMeans } from "./signals.ts"
import { untilStdinEnds } from "./stdin.ts"
import { whileWaiting } from "./waiting.ts"

/** How long the line on stdout waits for MCP servers that are still starting. */
const START_PATIENCE = "5 seconds"

/** Does what the command line, and where it was typed, ask for. */
export const host = Effect.fnUntraced(function*(options: Settings) {
  const source = scriptOf(options)
  if (source !== undefined) return yield* script(options, source)
  if (!options.headless && !options.json && !options.exitWithStdin && isPossible()) return yield* interactive(options)
  yield* headless(options)
})

// -----------------------------------------------------------------------------
// Which way
// -----------------------------------------------------------------------------

/** Where the commands come from when they are not typed. */
const scriptOf = (options: Settings): string | undefined => {
  if (Option.isSome(options.script)) return options.script.value
  const isAsked = !options.headless && !options.exitWithStdin && Option.isNone(options.office)
  return isAsked && stdinHolds() ? "-" : undefined
}

/** Whether standard input is something that a program fills, as opposed to a terminal or `/dev/null`. */
const stdinHolds = (): boolean => {
  try {
    const stat = fstatSync(0)
    return stat.isFIFO() || stat.isFile() || stat.isSocket()
  } catch {
    return false
  }
}

// -----------------------------------------------------------------------------
// Scripts
// -----------------------------------------------------------------------------

/** With a host whose servers have started, and nobody to ask. */
const hosted = (options: Settings) => <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const config = yield* loadConfig(options)
    const state = yield* stateOf(options)
    const layer = Layer.mergeAll(
      yield* hostLayer(options, config, state, undefined),
      officeLayer(options, state, { logEnd: true }),
      Questions.layerNobody,
      Layer.succeed(Session, { beside: undefined, revision: options.revision })
    )
    return yield* Effect.gen(function*() {
      yield* followConfig(options, config)
      yield* whileWaiting("Starting the MCP servers")((yield* McpManager).ready)
      return yield* self
    }).pipe(Effect.provide(layer), Effect.scoped)
  })

// what is wrong with the command line is said before any server is started

const script = Effect.fnUntraced(function*(options: Settings, source: string) {
  const lines = yield* Script.linesOf(source)
  yield* Script.script(lines, options).pipe(hosted(options))
})

/** Runs one command of the console. */
export const oneShot = Effect.fnUntraced(
  function*(options: Settings, command: KnownCommand, words: ReadonlyArray<string>) {
    const args = yield* Script.argumentsOf(command, words)
    yield* Script.oneShot(command, args, options.json).pipe(hosted(options))
  }
)

// -----------------------------------------------------------------------------
// Headless
// -----------------------------------------------------------------------------

const ownLog = ({ logFormat }: Settings) =>
  logging.layerFormat(Option.getOrElse(logFormat, () => process.stderr.isTTY ? "text" as const : "json" as const))

/** Joins, prints one line, and hosts until a signal comes or the Server ends it for good. */
const headless = Effect.fnUntraced(function*(options: Settings) {
  const seat = yield* seatOf(options)
  const config = yield* loadConfig(options)
  if (config.paths.length === 0) return yield* missing("config")
  if (config.servers.length === 0) {
    yield* Effect.logWarning(`${config.paths.join(", ")} has no MCP server that can be used`)
  }
  yield* signalMeans(exitCodes.ok)
  const state = yield* stateOf(options)
  const layer = yield* hostLayer(options, config, state, undefined)
  yield* Effect.gen(function*() {
    yield* (yield* Office).connect(seat.url)
    yield* Effect.provide(Effect.andThen(followConfig(options, config), serve(options, seat)), layer)
  }).pipe(Effect.provide(officeLayer(options, state, { logEnd: false })), Effect.scoped)
}, (self, options) => Effect.provide(self, ownLog(options)))

const missing = (...names: ReadonlyArray<string>) => {
  const flags = names.map((flag) => `--${flag} (or set ${environmentOf[flag]})`)
  return usage(
    `Missing required ${flags.length === 1 ? "flag" : "flags"}: ${flags.join(", ")}. See "smcp computer --help"`
  )
}

interface Place {
  readonly url: string
  readonly office: string
  readonly name: string
}

const seatOf = Effect.fnUntraced(function*({ name, office, url }: Settings) {
  if (Option.isSome(url) && Option.isSome(office) && Option.isSome(name)) {
    return { url: url.value, office: office.value, name: name.value }
  }
  return yield* missing(
    ...Object.entries({ url, office, name }).flatMap(([flag, { _tag }]) => _tag === "None" ? [flag] : [])
  )
})

const serve = Effect.fnUntraced(function*({ exitWithStdin, json }: Settings, { name, office }: Place) {
  const manager = yield* McpManager
  const seat = yield* Office
  yield* seat.join(office, name)
  yield* Effect.timeoutOption(manager.ready, START_PATIENCE)
  const states = yield* manager.states
  const ready = states.filter(({ state }) => state._tag === "Ready").length
  const tools = (yield* (yield* ToolRegistry).list).length
  yield* json
    ? printJson({ office, name, servers: states.length, ready, tools })
    : print(`Joined office ${office} as ${name}: ${ready} of ${states.length} MCP servers ready, ${tools} tools`)
  yield* logDiagnostics
  const end = stateEnd(yield* seat.membership)
  yield* exitWithStdin ? Effect.raceFirst(end, untilStdinEnds) : end
})
