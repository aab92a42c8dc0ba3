import { Effect } from "effect"

/** How many lines a server may log at once, and how many more each second. */
const BURST = 50
const PER_SECOND = 10
const LONGEST_LINE = 2_000

/**
 * Takes the parameters of a `notifications/message` and gives what is to be logged for it: nothing for a server that logs
 * too much, which is told once it logs less.
 */
export const makeServerLog = (options: {
  readonly server: string
  readonly clean: (text: string) => string
  readonly now: () => number
}): (params: Readonly<Record<string, unknown>>) => Effect.Effect<void> | undefined => {
  let tokens = BURST
  let filled = options.now()
  let dropped = 0

  const take = (): boolean => {
    const now = options.now()
    tokens = Math.min(BURST, tokens + Math.max(0, now - filled) / 1000 * PER_SECOND)
    filled = now
    if (tokens < 1) return false
    tokens -= 1
    return true
  }
  const write = (level: unknown, line: string) =>
    Effect.annotateLogs(logAt(level)(line), { mcp_server: options.server })

  return ({ data, level, logger }) => {
    if (!take()) {
      dropped += 1
      return undefined
    }
    const from = typeof logger === "string" && logger !== "" ? `${logger}: ` : ""
    const line = write(level, options.clean(`${from}${textOf(data)}`).slice(0, LONGEST_LINE))
    if (dropped === 0) return line
    const missing = write("warning", `${dropped} more lines of its log were left out`)
    dropped = 0
    return Effect.andThen(missing, line)
  }
}

const textOf = (data: unknown): string => typeof data === "string" ? data : String(JSON.stringify(data))

/** Our level for one of MCP, which has those of syslog. */
const logAt = (level: unknown): (line: string) => Effect.Effect<void> => {
  switch (level) {
    case "debug":
      return Effect.logDebug
    case "warning":
      return Effect.logWarning
    case "error":
    case "critical":
    case "alert":
    case "emergency":
      return Effect.logError
    default:
      return Effect.logInfo
  }
}
