/**
 * What `smcp computer` runs.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { join } from "node:path"
import * as Computer from "../../computer/Computer.ts"
import * as ConfigFile from "../../computer/ConfigFile.ts"
import * as McpManager from "../../computer/McpManager.ts"
import * as ToolRegistry from "../../computer/ToolRegistry.ts"
import type { Revision } from "../../protocol/Revision.ts"
import * as Membership from "../../transport/Membership.ts"
import * as SocketIoTransport from "../../transport/SocketIoTransport.ts"
import { logState, stateEnd } from "./connection.ts"
import { exitCodes } from "./exitCodes.ts"
import { print, printJson } from "./output.ts"
import { signalMeans } from "./signals.ts"
import { defaultStateDirectory, seatDirectory, usable } from "./stateDirectory.ts"
import { untilStdinEnds } from "./stdin.ts"

export interface Options {
  readonly config: string
  readonly url: string
  readonly office: string
  readonly name: string
  readonly apiKey: Option.Option<Redacted.Redacted>
  readonly landingRoot: Option.Option<string>
  readonly stateDir: Option.Option<string>
  readonly revision: Revision
  readonly json: boolean
  readonly exitWithStdin: boolean
}

/** How long the line on stdout waits for MCP servers that are still starting. */
const START_PATIENCE = "5 seconds"

/** Joins, prints one line, and hosts until a signal comes or the Server ends it for good. */
export const host = Effect.fnUntraced(function*(options: Options) {
  const file = yield* ConfigFile.load(options.config)
  for (const { message } of file.diagnostics) yield* Effect.logWarning(message)
  if (file.servers.length === 0) yield* Effect.logWarning(`${options.config} has no MCP server that can be used`)
  yield* signalMeans(exitCodes.ok)
  const state = Option.isSome(options.stateDir) ? yield* usable(options.stateDir.value) : defaultStateDirectory()
  yield* run(options).pipe(Effect.provide(layerOf(options, file, state)), Effect.scoped)
})

const layerOf = (
  { apiKey, landingRoot, name, office, revision, url }: Options,
  { inputs, servers }: ConfigFile.ConfigFile,
  state: string
) =>
  Computer.layerOnTransport({
    name,
    office,
    servers,
    inputs,
    landingRoot: Option.getOrUndefined(landingRoot),
    blobs: { spoolDirectory: join(seatDirectory(state, { office, name }), "spool") }
  }).pipe(
    Layer.provide(SocketIoTransport.layer({ url, revision, apiKey: Option.getOrUndefined(apiKey) }))
  )

const run = Effect.fnUntraced(function*({ exitWithStdin, json, name, office }: Options) {
  const manager = yield* McpManager.McpManager
  const registry = yield* ToolRegistry.ToolRegistry
  const { changes } = yield* Membership.Membership
  yield* Effect.forkScoped(logState(changes), { startImmediately: true })
  yield* Effect.timeoutOption(manager.ready, START_PATIENCE)
  const states = yield* manager.states
  const ready = states.filter(({ state }) => state._tag === "Ready").length
  const tools = (yield* registry.list).length
  yield* json
    ? printJson({ office, name, servers: states.length, ready, tools })
    : print(`Joined office ${office} as ${name}: ${ready} of ${states.length} MCP servers ready, ${tools} tools`)
  yield* Effect.forkScoped(logDiagnostics(registry), { startImmediately: true })
  const end = stateEnd(changes)
  yield* exitWithStdin ? Effect.raceFirst(end, untilStdinEnds) : end
})

/** Says each remark on the tools once. */
const logDiagnostics = (registry: ToolRegistry.ToolRegistry["Service"]) => {
  const said = new Set<string>()
  return registry.changes.pipe(
    Stream.mapEffect(() => registry.diagnostics),
    Stream.runForEach(Effect.forEach(({ message, server }) => {
      const text = server === undefined ? message : `${server}: ${message}`
      if (said.has(text)) return Effect.void
      said.add(text)
      return Effect.logWarning(text)
    }, { discard: true }))
  )
}
