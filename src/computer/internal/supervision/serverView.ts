/**
 * What everybody sees of one MCP server, and what its operator should know.
 */
import * as Effect from "effect/Effect"
import type { McpClient, ToolList } from "../../McpClient.ts"
import type { Health, Inspection, ServerState } from "../../McpManager.ts"
import type { ServerEntry } from "../../ServerEntry.ts"
import type { Connection } from "./serverConnection.ts"
import type { Phase } from "./supervision.ts"

/** What is known beside what a server does. */
export interface Known {
  readonly connection: Connection | undefined
  /** The tools it listed last. */
  readonly known: ToolList | undefined
  readonly since: number
  readonly hint: string | undefined
  readonly retryAt: number
}

const none: ToolList = { tools: [], skipped: [] }

/** What a server does. While a connection ends it is what comes after. */
export const viewOf = (phase: Phase, { connection, hint, known, retryAt, since }: Known): ServerState => {
  const effective = phase._tag === "Ending" ? phase.next : phase
  switch (effective._tag) {
    case "Off":
      return { _tag: effective.why }
    case "Idle":
      return { _tag: "Idle", ...known ?? none, problem: effective.problem }
    case "Connected":
      return connection === undefined
        ? { _tag: "Starting", since, hint: undefined, known }
        : {
          _tag: "Ready",
          since: connection.since,
          client: connection.client,
          ...known ?? none,
          outdated: effective.outdated
        }
    case "Connect":
    case "Connecting":
      return { _tag: "Starting", since, hint, known }
    case "Waiting":
      return { _tag: "Waiting", attempt: effective.attempt, retryAt, reason: effective.reason, known }
    case "AuthorizationRequired":
      return { ...effective, known }
    default:
      return effective
  }
}

/** Whether two views show the same. */
export const isSame = (one: ServerState, other: ServerState): boolean => {
  const entries = Object.entries(other)
  return Object.keys(one).length === entries.length &&
    entries.every(([key, value]) => one[key as keyof ServerState] === value)
}

/** What is looked at of a server. */
interface Inspected {
  readonly entry: ServerEntry
  readonly shown: ServerState
  readonly connection: Connection | undefined
  readonly lastHealth: Health | undefined
  readonly lastError: Error | undefined
  readonly logs: Effect.Effect<ReadonlyArray<string>>
}

/** Everything that is known of a server. `last` is the client of its last connection. */
export const inspectionOf = Effect.fnUntraced(function*(
  { connection, entry, lastError, lastHealth, logs, shown }: Inspected,
  { last, now, restarts }: { readonly last: McpClient | undefined; readonly now: number; readonly restarts: number }
): Effect.fn.Return<Inspection> {
  const stderrTail = yield* logs
  const diagnostics = last === undefined ? undefined : yield* last.diagnostics
  return {
    entry,
    state: shown,
    pid: connection?.client.pid,
    sandbox: last?.sandbox,
    serverInfo: last?.serverInfo,
    instructions: last?.instructions,
    capabilities: last?.capabilities,
    restarts,
    lastHealth,
    lastFailure: lastError?.message,
    stderrTail,
    strayLines: diagnostics?.strayLines ?? 0,
    lastStrayLines: diagnostics?.lastStrayLines ?? [],
    uptimeMillis: connection === undefined ? undefined : now - connection.since,
    users: connection?.users ?? 0
  }
})

/** Something to write down. */
interface Remark {
  /** Goes on after the server's name. */
  readonly text: string
  /** Whether it is the first word of it. */
  readonly isNews: boolean
}

/** What is to be said about a step from one phase to the next. */
export const remarkOn = (before: Phase, phase: Phase, tries: number): Remark | undefined => {
  if (phase._tag === "Connected" && before._tag === "Connected") {
    return phase.outdated === undefined || phase.outdated === before.outdated
      ? undefined
      : { text: `goes on with its earlier configuration: ${phase.outdated}`, isNews: true }
  }
  if (phase._tag !== "Ending" || before._tag === "Ending") return undefined
  const { next } = phase
  switch (next._tag) {
    case "Failed":
      return { text: `failed: ${next.reason}`, isNews: true }
    case "AuthorizationRequired":
      return { text: `cannot be used yet: ${next.reason}`, isNews: true }
    case "Idle":
      return next.problem === undefined
        ? undefined
        : { text: `is not running, until a call needs it: ${next.problem}`, isNews: true }
    case "Waiting": {
      const isNews = next.attempt === 1
      // its last words are mostly the same each time
      const reason = isNews ? next.reason : next.reason.split("\n", 1).join("")
      return { text: `is tried again (${next.attempt} of ${tries}): ${reason}`, isNews }
    }
    default:
      return undefined
  }
}
