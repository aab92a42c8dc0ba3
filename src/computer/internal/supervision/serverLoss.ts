import type { InputError } from "../../Inputs.ts"
import { Closed, McpError } from "../../McpError.ts"
import type { ServerEntry } from "../../ServerEntry.ts"
import { adviceOn } from "./startAdvice.ts"
import type { Loss } from "./supervision.ts"

/** What became of a connection, and whether trying again can help. */
export const lossOf = (entry: ServerEntry, error: McpError | InputError): Loss => {
  const advice = adviceOn(entry, error.message)
  return { kind: kindOf(error), reason: advice === undefined ? error.message : `${error.message}\n${advice}` }
}

const kindOf = (error: McpError | InputError): Loss["kind"] => {
  if (!(error instanceof McpError)) return "permanent"
  switch (error.reason._tag) {
    case "AuthRequired":
    case "AuthFailed":
      return "authorization"
    case "Spawn":
    case "NotSupported":
    case "UnsupportedProtocolVersion":
      return "permanent"
    default:
      return "transient"
  }
}

/** The last lines on stderr that an error brought with it. */
export const stderrOf = (error: McpError | InputError): ReadonlyArray<string> =>
  error instanceof McpError && "stderrTail" in error.reason ? error.reason.stderrTail : []

/** What to tell a caller: without what anything wrote to stderr, and without paths of this machine. */
export const summaryOf = (error: McpError | InputError): string => {
  if (error instanceof McpError) return error.summary
  return error.reason === "command" || error.reason === "store"
    ? "a value that its configuration needs cannot be found out; the log of the Computer says why"
    : error.message
}

/** The error of a call that never came to its server. */
export const notRunning = (detail: string): McpError => new McpError({ reason: new Closed({ detail, stderrTail: [] }) })
