/**
 * What the commands for MCP servers do.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as ConfigFile from "../../../computer/ConfigFile.ts"
import { type Inspection, McpManager, type ServerState } from "../../../computer/McpManager.ts"
import type { ServerEntry } from "../../../computer/ServerEntry.ts"
import { isRecord } from "../../../protocol/Json.ts"
import { exitCodes } from "../../internal/exitCodes.ts"
import { Failure, oneLine, usage } from "../../internal/failure.ts"
import { printable } from "../../internal/output.ts"
import type { Run } from "../Session.ts"
import { type Page, pairs, said, tableView, toned, type View } from "../View.ts"
import { readJson } from "./jsonArgument.ts"
import { detailOf, duration, serverOf, stateJson, statusJson, toneOf, toolCount, wordOf } from "./serverView.ts"

export const list: Run = () =>
  Effect.map(McpManager.use(({ states }) => states), (states) =>
    tableView({
      json: states.map(statusJson),
      headings: ["SERVER", "STATE", "TOOLS", "TYPE", "WHY"],
      rows: states.map(({ entry, state }) => ({
        cells: [entry.bundleId, wordOf(state), String(toolCount(state) ?? "-"), entry.config.type, detailOf(state)],
        tone: toneOf(state)
      })),
      none: "No MCP servers; \"server add\" adds one"
    }))

// -----------------------------------------------------------------------------
// One server
// -----------------------------------------------------------------------------

export const info: Run = Effect.fnUntraced(function*({ values: [name = ""] }) {
  const { bundleId } = yield* serverOf(name)
  const known = yield* (yield* McpManager).inspect(bundleId)
  return { json: infoJson(known), text: (page: Page) => infoText(known, page) }
})

const infoJson = (known: Inspection) => ({
  ...statusJson(known),
  source: known.entry.origin.source,
  pid: known.pid ?? null,
  sandbox: known.sandbox ?? null,
  serverInfo: known.serverInfo ?? null,
  instructions: known.instructions ?? null,
  capabilities: known.capabilities ?? null,
  restarts: known.restarts,
  uptimeMillis: known.uptimeMillis ?? null,
  lastHealth: known.lastHealth ?? null,
  lastFailure: known.lastFailure ?? null,
  stderrTail: known.stderrTail,
  strayLines: known.strayLines
})

const infoText = (known: Inspection, page: Page): string => {
  const { capabilities, entry, lastFailure, lastHealth, serverInfo, state, stderrTail } = known
  const rows = [
    ["server", entry.bundleId],
    ["name", entry.config.name],
    ["state", [wordOf(state), detailOf(state)].filter((part) => part !== "").join(": ")],
    ["from", entry.origin.source],
    ["type", entry.config.type],
    ["version", serverInfo === undefined ? "" : `${serverInfo.name} ${serverInfo.version}`],
    ["process", known.pid === undefined ? "" : String(known.pid)],
    ["sandbox", known.sandbox ?? ""],
    ["up", known.uptimeMillis === undefined ? "" : duration(known.uptimeMillis)],
    ["restarts", String(known.restarts)],
    ["tools", String(toolCount(state) ?? "")],
    ["offers", Object.keys(capabilities ?? {}).join(", ")],
    [
      "health",
      lastHealth === undefined ? "" : lastHealth.error ?? `answers in ${duration(lastHealth.responseTimeMillis)}`
    ],
    ["last failure", oneLine((lastFailure ?? "").split("\n", 1).join(""))],
    ["stray lines", known.strayLines === 0 ? "" : `${known.strayLines} lines on stdout were not MCP`],
    ["instructions", beginning(known.instructions ?? "")]
  ] as const
  const last = stderrTail.slice(-3).map((line) => toned(`  ${printable(line)}`, "quiet", page))
  return [pairs(rows.filter(([, value]) => value !== ""), page), ...last].join("\n")
}

const INSTRUCTION_LINES = 6

/** They are written for models, who read all of them. */
const beginning = (text: string): string => {
  const lines = text.trim().split("\n")
  return lines.length <= INSTRUCTION_LINES
    ? text.trim()
    : `${lines.slice(0, INSTRUCTION_LINES).join("\n")}\n… ${
      lines.length - INSTRUCTION_LINES
    } more lines (--json has all)`
}

const LOG_LINES = 20

export const logs: Run = Effect.fnUntraced(function*({ values: [name = "", count] }) {
  const { bundleId } = yield* serverOf(name)
  const lines = yield* (yield* McpManager).logs(bundleId)
  const shown = lines.slice(Math.max(0, lines.length - (count === undefined ? LOG_LINES : Number(count))))
  return {
    json: shown,
    text: () => lines.length === 0 ? `${bundleId} has written nothing on stderr` : shown.map(printable).join("\n")
  }
})

const LEVELS = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"]

export const log: Run = Effect.fnUntraced(function*({ values: [name = "", level = ""] }) {
  const { bundleId } = yield* serverOf(name)
  if (!LEVELS.includes(level)) return yield* usage(`"${level}" is no level; there are ${LEVELS.join(", ")}`)
  yield* (yield* McpManager).withClient(bundleId, (client) => client.request("logging/setLevel", { level })).pipe(
    Effect.mapError(({ message }) =>
      new Failure({ message: `${bundleId} did not take the level: ${message}`, exitCode: exitCodes.failed })
    )
  )
  return said(`${bundleId} sends its log from ${level} on`)
})

// -----------------------------------------------------------------------------
// Changing what is configured
// -----------------------------------------------------------------------------

export const add: Run = Effect.fnUntraced(function*({ values: [argument = ""] }) {
  const value = yield* asConfig(yield* readJson(argument))
  const { diagnostics, servers } = yield* ConfigFile.fromValue(value, "console")
  const manager = yield* McpManager
  const known = (yield* manager.states).map(({ entry }) => entry.bundleId)
  for (const { message } of diagnostics) yield* Effect.logWarning(message)
  if (servers.length === 0) {
    return yield* usage(diagnostics[0]?.message ?? "There is no server in it; write { \"name\": { \"command\": … } }")
  }
  yield* Effect.forEach(servers, (entry) => manager.put(entry), { discard: true })
  const outcomes = yield* Effect.forEach(
    servers,
    (entry) =>
      outcome(
        known.includes(entry.bundleId) ? "changed" : "added",
        entry,
        entry.config.disabled ? Effect.succeed<ServerState>({ _tag: "Disabled" }) : manager.start(entry.bundleId)
      ),
    { concurrency: "unbounded" }
  )
  return outcomesView(outcomes)
})

/** One entry with its name in it, a map of entries, or a whole file. */
const asConfig = (value: unknown): Effect.Effect<unknown, Failure> => {
  if (!isRecord(value)) return Effect.fail(usage("A server is an object: { \"name\": { \"command\": … } }"))
  if (isRecord(value["mcpServers"]) || isRecord(value["servers"])) return Effect.succeed(value)
  const isEntry = ["command", "url", "server_parameters", "httpUrl", "serverUrl"].some((key) =>
    value[key] !== undefined
  )
  if (!isEntry) return Effect.succeed({ mcpServers: value })
  const { name } = value
  return typeof name === "string" && name !== ""
    ? Effect.succeed({ mcpServers: { [name]: value } })
    : Effect.fail(usage("The server has no name: write { \"name\": \"…\", … } or { \"<name>\": { … } }"))
}

export const remove: Run = Effect.fnUntraced(function*({ values: [name = ""] }) {
  const { bundleId } = yield* serverOf(name)
  yield* (yield* McpManager).remove(bundleId)
  return said(`${bundleId} is gone`, { server: bundleId, removed: true })
})

const setEnabled = (enabled: boolean): Run =>
  Effect.fnUntraced(function*({ values: [name = ""] }) {
    const { bundleId } = yield* serverOf(name)
    yield* (yield* McpManager).setEnabled(bundleId, enabled)
    return said(`${bundleId} is ${enabled ? "in" : "out of"} use`, { server: bundleId, enabled })
  })

export const enable = setEnabled(true)
export const disable = setEnabled(false)

// -----------------------------------------------------------------------------
// Starting and ending
// -----------------------------------------------------------------------------

interface Outcome {
  readonly server: string
  readonly done: string
  readonly state: ServerState
}

const outcome = <E extends { readonly message: string }>(
  done: string,
  { bundleId }: ServerEntry,
  doing: Effect.Effect<ServerState | void, E>
): Effect.Effect<Outcome> =>
  Effect.map(Effect.exit(doing), (exit) => ({
    server: bundleId,
    done,
    state: Exit.isSuccess(exit)
      ? exit.value ?? { _tag: "Stopped" }
      : {
        _tag: "Failed",
        reason: String(exit.cause.reasons.map((each) => "error" in each ? each.error.message : "it was interrupted"))
      }
  }))

const outcomesView = (outcomes: ReadonlyArray<Outcome>): View => ({
  json: outcomes.map(({ done, server, state }) => ({ server, done, ...stateJson(state) })),
  text: (page) =>
    outcomes.map(({ done, server, state }) => {
      const tools = toolCount(state)
      const details = [
        wordOf(state),
        tools === undefined ? "" : `${tools} ${tools === 1 ? "tool" : "tools"}`,
        detailOf(state)
      ]
      return toned(
        printable(`${server} ${done}: ${details.filter((part) => part !== "").join(", ")}`),
        toneOf(state),
        page
      )
    }).join("\n") || "There is no MCP server",
  exitCode:
    outcomes.some(({ state }) => state._tag === "Failed" || state._tag === "Ready" && state.outdated !== undefined)
      ? exitCodes.failed
      : exitCodes.ok
})

const each = (
  done: string,
  all: (state: ServerState) => boolean,
  doing: (
    manager: McpManager["Service"],
    bundleId: string
  ) => Effect.Effect<ServerState | void, { readonly message: string }>
): Run =>
  Effect.fnUntraced(function*({ values: [name = ""] }) {
    const manager = yield* McpManager
    const entries = name === "all"
      ? (yield* manager.states).filter(({ state }) => all(state)).map(({ entry }) => entry)
      : [yield* serverOf(name)]
    const outcomes = yield* Effect.forEach(
      entries,
      (entry) => outcome(done, entry, doing(manager, entry.bundleId)),
      { concurrency: "unbounded" }
    )
    return outcomesView(outcomes)
  })

/** Of all servers, those that are out of use stay so. */
const inUse = ({ _tag }: ServerState): boolean => _tag !== "Disabled"

export const start = each("started", inUse, (manager, bundleId) => manager.start(bundleId))
export const stop = each("stopped", inUse, (manager, bundleId) => manager.stop(bundleId))
export const restart = each("restarted", inUse, (manager, bundleId) => manager.restart(bundleId))
