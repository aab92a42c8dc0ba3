/**
 * What `smcp desktop` runs.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as AgentWindow from "../../agent/AgentWindow.ts"
import * as ConfigFile from "../../computer/ConfigFile.ts"
import * as Desktop from "../../computer/Desktop.ts"
import * as Host from "../../computer/Host.ts"
import * as McpManager from "../../computer/McpManager.ts"
import type { Revision } from "../../protocol/Revision.ts"
import { lineWidth, print, printJson, say, table } from "./output.ts"
import { whileWaiting } from "./waiting.ts"
import { printWindows } from "./windows.ts"

export interface Options {
  readonly config: string
  readonly size: Option.Option<number>
  readonly window: Option.Option<string>
  readonly explain: boolean
  readonly revision: Revision
  readonly json: boolean
}

/** Starts the servers, prints, ends the servers. */
export const show = Effect.fnUntraced(function*(options: Options) {
  const { diagnostics, inputs, servers } = yield* ConfigFile.load(options.config)
  for (const { message } of diagnostics) yield* Effect.logWarning(message)
  // what does not start has no windows now; nobody waits here for it to come back
  const layer = Host.layer({ servers, inputs, reconnect: false }, options.revision)
  yield* (options.explain ? explain(options) : render(options)).pipe(Effect.provide(layer), Effect.scoped)
})

/** Waits for the servers and says which of them cannot show anything. */
const ready = Effect.gen(function*() {
  const manager = yield* McpManager.McpManager
  yield* whileWaiting("Starting the MCP servers")(manager.ready)
  for (const { entry, state } of yield* manager.states) {
    if (state._tag === "Failed") yield* Effect.logWarning(`The MCP server "${entry.bundleId}" failed: ${state.reason}`)
  }
})

const wanted = ({ size, window }: Options): Desktop.DesktopOptions => ({
  size: Option.getOrUndefined(size),
  window: Option.getOrUndefined(window)
})

const NO_WINDOWS = "No windows: the MCP servers show none, or not this one"

const render = Effect.fnUntraced(function*(options: Options) {
  yield* ready
  const desktop = yield* Desktop.Desktop
  const windows = yield* whileWaiting("Reading the windows")(desktop.render(wanted(options)))
  yield* printWindows(windows.map(AgentWindow.fromWire), { json: options.json, none: NO_WINDOWS })
})

const explain = Effect.fnUntraced(function*(options: Options) {
  yield* ready
  const desktop = yield* Desktop.Desktop
  const reports = yield* whileWaiting("Reading the windows")(desktop.explain(wanted(options)))
  if (options.json) return yield* printJson(reports)
  if (reports.length === 0) return yield* say(NO_WINDOWS)
  yield* print(table(
    ["SHOWN", "SERVER", "PRIORITY", "WINDOW", "WHY NOT"],
    reports.map(({ fullscreen, priority, server, shown, uri, why }) => [
      shown ? "yes" : "no",
      server,
      fullscreen ? `${priority}, full` : `${priority}`,
      uri,
      why ?? ""
    ]),
    lineWidth()
  ))
})
