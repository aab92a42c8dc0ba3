/**
 * What the result of a tool call says.
 */
import { isRecord } from "../../../protocol/Json.ts"
import type { CallToolResult } from "../../../protocol/Tool.ts"
import * as ToolResult from "../../../protocol/ToolResult.ts"
import type { CallOutcome } from "../../CallRecord.ts"

/** The result as the MCP server gave it, with its metadata under the protocol's name for it, and only under that. */
export const toWire = (result: Readonly<Record<string, unknown>>): CallToolResult => {
  if (!("_meta" in result)) return result
  const { _meta, ...rest } = result
  return { ...rest, meta: _meta } as CallToolResult
}

const LOGIN_NEEDED = 4006
const LOGIN_REFUSED = 4007

/** How the call of a result ended. */
export const outcomeOf = (result: CallToolResult): CallOutcome => {
  if (ToolResult.mark(result, "a2c_cancelled") === true) return "cancelled"
  if (ToolResult.mark(result, "a2c_timeout") === true) return "timed-out"
  const code = ToolResult.mark(result, "error_code")
  if (code === LOGIN_NEEDED || code === LOGIN_REFUSED) return "authorization"
  return result.isError === true ? "failed" : "ok"
}

const LONGEST_ERROR = 500

/** So much is looked at for secrets, before it is cut: half a secret is not found. */
const LONGEST_CLEANED = 20 * LONGEST_ERROR

/** The first text of a result, without what `clean` hides, and shortened. */
export const errorText = ({ content }: CallToolResult, clean: (text: string) => string): string | undefined => {
  const first: unknown = Array.isArray(content)
    ? content.find((item) => isRecord(item) && item["type"] === "text")
    : undefined
  const text = isRecord(first) ? first["text"] : undefined
  return typeof text === "string" ? clean(text.slice(0, LONGEST_CLEANED)).slice(0, LONGEST_ERROR) : undefined
}
