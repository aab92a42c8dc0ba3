/**
 * What the commands for tools, calls and windows do.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { randomUUID } from "node:crypto"
import * as ToolOutcome from "../../../agent/ToolOutcome.ts"
import { CallHistory } from "../../../computer/CallHistory.ts"
import type { CallRecord } from "../../../computer/CallRecord.ts"
import { Desktop } from "../../../computer/Desktop.ts"
import { type ToolCall, ToolCalls } from "../../../computer/ToolCalls.ts"
import { ToolRegistry } from "../../../computer/ToolRegistry.ts"
import { isRecord } from "../../../protocol/Json.ts"
import type { CallToolResult } from "../../../protocol/Tool.ts"
import { type ExitCode, exitCodes } from "../../internal/exitCodes.ts"
import { type Failure, oneLine, usage } from "../../internal/failure.ts"
import { printable } from "../../internal/output.ts"
import { resultText } from "../../internal/resultText.ts"
import type { Run } from "../Session.ts"
import { type Page, said, tableView, type Tone, toned, type View } from "../View.ts"
import { parseJson, readJson } from "./jsonArgument.ts"
import { didYouMean } from "./nearest.ts"
import { duration } from "./serverView.ts"

export const tools: Run = () =>
  Effect.map(ToolRegistry.use(({ list }) => list), (tools) =>
    tableView({
      json: tools,
      headings: ["TOOL", "SERVER", "DESCRIPTION"],
      rows: tools.map(({ bundle_id, description, name }) => ({ cells: [name, bundle_id ?? "", description ?? ""] })),
      // no failure: servers may have no tools, or none yet, and a script goes on
      none: "No tools: no MCP server is ready that has any"
    }))

// -----------------------------------------------------------------------------
// Calls
// -----------------------------------------------------------------------------

/** Seconds. */
const TIMEOUT = 60

export const tc: Run = Effect.fnUntraced(function*({ values: [argument = ""] }) {
  const value = yield* readJson(argument)
  if (!isRecord(value)) return yield* usage("A call is an object: { \"tool_name\": …, \"params\": { … } }")
  const { params = {}, req_id = randomUUID(), timeout = TIMEOUT, tool_name } = value
  if (typeof tool_name !== "string") return yield* usage("\"tool_name\" is missing, or no text")
  if (!isRecord(params)) return yield* usage("\"params\" is not an object")
  if (typeof req_id !== "string") return yield* usage("\"req_id\" is no text")
  const seconds = Number(timeout)
  if (!(seconds > 0)) return yield* usage("\"timeout\" is not a number of seconds above 0")
  return yield* run({ tool_name, params, req_id, timeout: seconds })
})

export const call: Run = Effect.fnUntraced(function*({ rest, values: [tool = ""] }) {
  const registry = yield* ToolRegistry
  const route = yield* registry.resolve(tool)
  const params = yield* argumentsOf(rest, route?.definition.inputSchema ?? {})
  const view = yield* run({ tool_name: tool, params, req_id: randomUUID(), timeout: TIMEOUT })
  if (route !== undefined) return view
  const hint = didYouMean(tool, (yield* registry.list).map(({ name }) => name))
  return { ...view, text: (page: Page) => `${view.text(page)}${hint}` }
})

/** One JSON object, or arguments one by one, read as their schema has them. */
const argumentsOf = Effect.fnUntraced(function*(
  words: ReadonlyArray<string>,
  schema: Readonly<Record<string, unknown>>
): Effect.fn.Return<Readonly<Record<string, unknown>>, Failure> {
  const [first = ""] = words
  if (words.length === 1 && first.startsWith("{")) {
    const value = yield* parseJson(first)
    return isRecord(value) ? value : {}
  }
  const properties = isRecord(schema["properties"]) ? schema["properties"] : {}
  const read = yield* Effect.forEach(words, (word) => {
    const split = word.indexOf("=")
    if (split < 1) {
      return Effect.fail(usage(`"${word}" is no argument; write key=value, or all of them as one JSON object`))
    }
    const key = word.slice(0, split)
    return Effect.succeed([key, valueOf(word.slice(split + 1), properties[key])] as const)
  })
  return Object.fromEntries(read)
})

/** Text stays text where the schema says so; otherwise what is JSON is taken as JSON. */
const valueOf = (text: string, schema: unknown): unknown => {
  if (isRecord(schema) && schema["type"] === "string") return text
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

const run = Effect.fnUntraced(function*(request: Omit<ToolCall, "agent">) {
  const result = yield* (yield* ToolCalls).run({ ...request, agent: "console" })
  return resultView(result)
})

const exitCodeOf = (result: CallToolResult): ExitCode => {
  switch (ToolOutcome.fromResult(result)._tag) {
    case "Ok":
      return exitCodes.ok
    case "TimedOut":
      return exitCodes.timedOut
    case "Cancelled":
      return exitCodes.cancelled
    default:
      return exitCodes.toolFailed
  }
}

const resultView = (result: CallToolResult): View => {
  const exitCode = exitCodeOf(result)
  return {
    json: result,
    text: (page) => {
      const text = printable(resultText(result))
      return exitCode === exitCodes.ok
        ? text || "The tool gave no result"
        : toned(text || "The call failed", "bad", page)
    },
    exitCode
  }
}

export const calls: Run = Effect.fnUntraced(function*() {
  const running = yield* (yield* ToolCalls).running
  const now = yield* Clock.currentTimeMillis
  return tableView({
    json: running,
    headings: ["REQUEST", "AGENT", "TOOL", "FOR", "PROGRESS"],
    rows: running.map(({ agent, exposedName, progress, requestId, since }) => ({
      cells: [
        requestId,
        agent,
        exposedName,
        duration(now - since),
        progress === undefined ? "" : progressText(progress)
      ]
    })),
    none: "No call is running"
  })
})

/** How far a call has come. */
export const progressText = (
  { message, progress, total }: {
    readonly progress: number
    readonly total?: number | undefined
    readonly message?: string | undefined
  }
): string =>
  oneLine(`${progress}${total === undefined ? "" : `/${total}`}${message === undefined ? "" : ` ${message}`}`)

export const cancel: Run = Effect.fnUntraced(function*({ values: [wanted] }) {
  const service = yield* ToolCalls
  const running = yield* service.running
  const found = wanted === undefined ? running : running.filter(({ requestId }) => requestId.startsWith(wanted))
  const [first] = found
  if (first === undefined) {
    return yield* usage(wanted === undefined ? "No call is running" : `No call ${wanted} is running`)
  }
  if (found.length > 1) return yield* usage(`Which one? ${found.map(({ requestId }) => requestId).join(", ")}`)
  yield* service.cancel(first.requestId)
  return said(`Cancelled ${first.exposedName} (${first.requestId})`, { cancelled: first.requestId })
})

// -----------------------------------------------------------------------------
// History
// -----------------------------------------------------------------------------

const HISTORY = 10

export const history: Run = Effect.fnUntraced(function*({ values: [count] }) {
  const recent = yield* (yield* CallHistory).recent
  const records = recent.slice(0, count === undefined ? HISTORY : Number(count))
  return tableView({
    json: records.map((record) => ({ ...record, time: new Date(record.time).toISOString() })),
    headings: ["TIME", "AGENT", "SERVER", "TOOL", "OUTCOME", "TOOK", "WHY"],
    rows: records.map((record) => ({
      cells: [
        clock(record.time),
        record.agent,
        record.server ?? "",
        record.server === undefined ? record.exposedName : record.tool,
        record.outcome,
        duration(record.durationMillis),
        record.error ?? ""
      ],
      tone: toneOf(record)
    })),
    none: recent.length === 0 ? "No calls yet" : ""
  })
})

const clock = (millis: number): string => new Date(millis).toTimeString().slice(0, 8)

const toneOf = ({ outcome }: CallRecord): Tone =>
  outcome === "ok" ? "plain" : outcome === "cancelled" ? "waiting" : "bad"

// -----------------------------------------------------------------------------
// Windows
// -----------------------------------------------------------------------------

export const desktop: Run = Effect.fnUntraced(function*({ values: [size, window] }) {
  const windows = yield* (yield* Desktop).render({ size: size === undefined ? undefined : Number(size), window })
  return {
    json: windows,
    text: () => windows.length === 0 ? "No windows: the MCP servers show none" : printable(windows.join("\n\n"))
  }
})

export const windows: Run = () =>
  Effect.map(Desktop.use((service) => service.explain()), (reports) =>
    tableView({
      json: reports,
      headings: ["SHOWN", "SERVER", "PRIORITY", "WINDOW", "WHY NOT"],
      rows: reports.map(({ fullscreen, priority, server, shown, uri, why }) => ({
        cells: [shown ? "yes" : "no", server, fullscreen ? `${priority}, full` : `${priority}`, uri, why ?? ""],
        tone: shown ? "plain" : "quiet"
      })),
      none: "No windows: the MCP servers show none"
    }))
