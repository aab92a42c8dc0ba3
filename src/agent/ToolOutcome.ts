/**
 * How a tool call ended. A tool that fails is not a failure of the channel: it
 * is an outcome, and only the channel's own troubles are `SmcpError`s
 * (specification, error handling).
 */
import type { CallToolResult } from "../protocol/Tool.ts"
import * as ToolResult from "../protocol/ToolResult.ts"

/** The closed set of outcomes; each carries the result as it came. */
export type ToolOutcome =
  | { readonly _tag: "Ok"; readonly result: CallToolResult }
  /** The tool said that it failed, or it does not exist. */
  | { readonly _tag: "Failed"; readonly result: CallToolResult }
  /** The call was cancelled and really stopped. */
  | { readonly _tag: "Cancelled"; readonly result: CallToolResult }
  /** The deadline passed, here, at the Server or at the Computer. */
  | { readonly _tag: "TimedOut"; readonly result: CallToolResult }
  /** The MCP server wants an authorization that the Computer does not have yet (4006). */
  | { readonly _tag: "AuthorizationRequired"; readonly result: CallToolResult }
  /** The MCP server refused the Computer's authorization (4007). */
  | { readonly _tag: "AuthorizationFailed"; readonly result: CallToolResult }

/** Names the outcome by the marks in the result's metadata. */
export const fromResult = (result: CallToolResult): ToolOutcome => ({ _tag: tagOf(result), result })

const tagOf = (result: CallToolResult): ToolOutcome["_tag"] => {
  if (ToolResult.mark(result, "a2c_cancelled") === true) return "Cancelled"
  if (ToolResult.mark(result, "a2c_timeout") === true) return "TimedOut"
  if (result.isError !== true) return "Ok"
  switch (ToolResult.mark(result, "error_code")) {
    case 4006:
      return "AuthorizationRequired"
    case 4007:
      return "AuthorizationFailed"
    default:
      return "Failed"
  }
}

/** The text parts of a result, joined by newlines. */
export const text = (outcome: ToolOutcome): string =>
  (outcome.result.content ?? []).map((part) => part["text"]).filter((part) => typeof part === "string").join("\n")
