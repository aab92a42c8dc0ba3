/**
 * MCP servers as the console shows them.
 */
import * as Effect from "effect/Effect"
import { McpManager, type ServerState, type ServerStatus } from "../../../computer/McpManager.ts"
import type { ServerEntry } from "../../../computer/ServerEntry.ts"
import { exitCodes } from "../../internal/exitCodes.ts"
import { Failure, oneLine } from "../../internal/failure.ts"
import type { Tone } from "../View.ts"
import { didYouMean } from "./nearest.ts"

/** The server that a name means: a bundle id, a name, or the key of its entry. Fails with the names there are. */
export const serverOf = Effect.fnUntraced(function*(name: string): Effect.fn.Return<ServerEntry, Failure, McpManager> {
  const resolved = yield* (yield* McpManager).resolve(name)
  if (resolved._tag === "Found") return resolved.entry
  const ids = resolved._tag === "Ambiguous" ? resolved.candidates.map(({ bundleId }) => bundleId) : resolved.known
  const there = ids.length === 0 ? "; there is none at all" : `; there are ${ids.join(", ")}`
  const message = resolved._tag === "Ambiguous"
    ? `"${name}" may be ${ids.join(" or ")}`
    : `There is no MCP server "${name}"${didYouMean(name, ids) || there}`
  return yield* new Failure({ message, exitCode: exitCodes.usage })
})

/** A state in a word. */
export const wordOf = (state: ServerState): string => {
  switch (state._tag) {
    case "AuthorizationRequired":
      return "login required"
    case "Waiting":
      return "reconnecting"
    default:
      return state._tag.toLowerCase()
  }
}

/** What there is to say about a state beside its word, in short: the last words of a server are for "server info". */
export const detailOf = (state: ServerState): string => oneLine(allOf(state).split("\n", 1).join(""))

const allOf = (state: ServerState): string => {
  switch (state._tag) {
    case "Failed":
    case "AuthorizationRequired":
      return state.reason
    case "Waiting":
      return `try ${state.attempt}: ${state.reason}`
    case "Starting":
      return state.hint ?? ""
    case "Ready":
      return state.outdated === undefined ? "" : `with its earlier configuration: ${state.outdated}`
    case "Idle":
      return state.problem ?? ""
    default:
      return ""
  }
}

/** How good a state is. */
export const toneOf = ({ _tag }: ServerState): Tone => {
  switch (_tag) {
    case "Ready":
      return "good"
    case "Failed":
      return "bad"
    case "Starting":
    case "Waiting":
    case "AuthorizationRequired":
      return "waiting"
    default:
      return "quiet"
  }
}

/** How many tools a server has; undefined when that is not known. */
export const toolCount = (state: ServerState): number | undefined =>
  state._tag === "Ready" || state._tag === "Idle" ? state.tools.length : undefined

/** A server for programs. */
export const statusJson = ({ entry, state }: ServerStatus) => ({
  server: entry.bundleId,
  name: entry.config.name,
  type: entry.config.type,
  ...stateJson(state)
})

/** A state for programs. */
export const stateJson = (state: ServerState) => ({
  state: wordOf(state),
  tools: toolCount(state) ?? null,
  detail: oneLine(allOf(state)) || null
})

/** How long ago or how long something takes, for people. */
export const duration = (millis: number): string => {
  const seconds = Math.floor(millis / 1000)
  if (seconds < 1) return `${Math.round(millis)} ms`
  if (seconds < 60) return `${(millis / 1000).toFixed(1)} s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`
}
