/**
 * What `smcp doctor` finds when it starts the MCP servers.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { Inputs } from "../../computer/Inputs.ts"
import { type Inspection, McpManager, type ServerState } from "../../computer/McpManager.ts"
import type { ServerEntry } from "../../computer/ServerEntry.ts"
import { about } from "./doctorConfig.ts"
import type { Finding } from "./doctorFinding.ts"
import { counted } from "./output.ts"

/** Longer than any server has by itself, for what belongs to its start beside its own time. In seconds. */
const SPARE_SECONDS = 35
const LONGEST_DEFAULT = 60

/**
 * Starts one server and tells what became of it. `seconds` is the time it has; without it that of its configuration. It runs
 * until the host ends.
 */
export const startUp = Effect.fnUntraced(function*(
  entry: ServerEntry,
  seconds: number | undefined
): Effect.fn.Return<ReadonlyArray<Finding>, never, McpManager | Inputs> {
  const manager = yield* McpManager
  const { settings } = entry
  const startTimeout = seconds ?? settings.startTimeout
  const before = yield* Clock.currentTimeMillis
  yield* manager.put({ ...entry, settings: { ...settings, lazy: false, idleTimeout: undefined, startTimeout } })
  const outcome = yield* Effect.timeoutOption(
    Effect.orDie(manager.start(entry.bundleId)),
    `${(startTimeout ?? LONGEST_DEFAULT) + SPARE_SECONDS} seconds`
  )
  const millis = (yield* Clock.currentTimeMillis) - before
  if (Option.isNone(outcome)) {
    const common = { ...about(entry, "start"), verdict: "problem" } as const
    return [{ ...common, seen: `nothing came of it in ${Math.round(millis / 1000)} s`, advice: adviceOn(entry) }]
  }
  return yield* ofState(entry, outcome.value, `ready after ${(millis / 1000).toFixed(1)} s`)
})

/** What the state of a server tells; `readiness` is how a server that runs is spoken of. */
export const ofState = Effect.fnUntraced(function*(
  entry: ServerEntry,
  state: ServerState,
  readiness: string
): Effect.fn.Return<ReadonlyArray<Finding>, never, McpManager | Inputs> {
  const { bundleId } = entry
  const inspection = yield* Effect.orDie(McpManager.use(({ inspect }) => inspect(bundleId)))
  const { hideSecrets } = yield* Inputs
  return findingsOf(entry, state, readiness, inspection).map((finding) => ({
    ...finding,
    seen: hideSecrets(bundleId, finding.seen)
  }))
})

const findingsOf = (
  entry: ServerEntry,
  state: ServerState,
  readiness: string,
  inspection: Inspection
): ReadonlyArray<Finding> => {
  const start = about(entry, "start")
  switch (state._tag) {
    case "Ready":
      return ofReady(entry, state, readiness, inspection)
    case "AuthorizationRequired":
      return [{
        ...start,
        verdict: "problem",
        seen: state.reason,
        advice: `Log in: "login ${entry.bundleId}" in the console of smcp computer`
      }]
    case "Disabled":
    case "Stopped":
      return [{ ...start, verdict: "ok", seen: "switched off, and not started" }]
    case "Starting":
      return [{
        ...start,
        verdict: "warning",
        seen: `it is still starting${state.hint === undefined ? "" : `: ${state.hint}`}`
      }]
    case "Idle":
      return [
        state.problem === undefined
          ? { ...start, verdict: "ok", seen: "not running before a call needs it" }
          : { ...start, verdict: "problem", seen: state.problem, advice: adviceOn(entry, state.problem) }
      ]
    case "Waiting":
    case "Failed":
      return [{ ...start, verdict: "problem", seen: state.reason, advice: adviceOn(entry, state.reason) }]
  }
}

const ofReady = (
  entry: ServerEntry,
  { outdated, skipped, tools }: Extract<ServerState, { readonly _tag: "Ready" }>,
  readiness: string,
  { serverInfo, strayLines }: Inspection
): ReadonlyArray<Finding> => {
  const who = serverInfo === undefined ? "" : ` (${serverInfo.name} ${serverInfo.version})`
  const warn = (check: string, seen: string, advice?: string): Finding => ({
    ...about(entry, check),
    verdict: "warning",
    seen,
    advice
  })
  return [
    { ...about(entry, "start"), verdict: "ok", seen: `${readiness}, ${counted(tools.length, "tool")}${who}` },
    ...outdated === undefined ? [] : [warn("configuration", `it runs with an earlier one: ${outdated}`)],
    ...skipped.map(({ name, why }) => warn("tools", `${name === undefined ? "one" : `"${name}"`} is left out: ${why}`)),
    ...strayLines === 0
      ? []
      : [warn(
        "output",
        `${counted(strayLines, "line")} on stdout that are not MCP and are skipped`,
        "Make the server write its log to stderr"
      )]
  ]
}

const adviceOn = ({ config, origin }: ServerEntry, reason = ""): string => {
  if (reason.includes("did not answer") && config.type === "stdio") {
    return `See that the command starts an MCP server on stdio; more time is given with "start_timeout" in ${origin.source}`
  }
  return config.type === "stdio"
    ? `Give it what it says it lacks: "args" and "env" in ${origin.source}, or what the program needs`
    : `Check that the server runs, and its URL and headers in ${origin.source}`
}
