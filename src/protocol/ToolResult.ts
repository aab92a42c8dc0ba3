/**
 * The results of `client:tool_call` that this side makes itself: a tool call
 * always ends in a `CallToolResult`, and marks in its `meta` say how
 * (specification, error handling and data structures).
 */
import type { ErrorPayload } from "./ErrorPayload.ts"
import type { CallToolResult } from "./Tool.ts"

const failed = (text: string, meta: Readonly<Record<string, unknown>> | null): CallToolResult => ({
  meta,
  content: [{ type: "text", text }],
  structuredContent: null,
  isError: true
})

/** The deadline passed before the tool answered. `seconds` is what the caller allowed. */
export const timedOut = (seconds: number): CallToolResult =>
  failed(`Tool call timed out after ${seconds} s`, { a2c_timeout: true })

/** The Agent cancelled the call and the Computer really stopped it. */
export const cancelled: CallToolResult = failed("Tool call cancelled", {
  a2c_cancelled: true,
  a2c_cancel_reason: "agent_requested"
})

/** No exposed tool has this name: 4001, carried in the result because a flat error would not be understood. */
export const unknownTool = (name: string): CallToolResult => ({
  meta: { error_code: 4001 },
  content: [{ type: "text", text: `Tool '${name}' not found in any active server` }],
  structuredContent: { error: `Tool '${name}' not found in any active server`, error_type: "ToolNotFound" },
  isError: true
})

/** The call never reached a tool, told to an Agent that takes a flat error for a broken result; the code is in the metadata. */
export const refused = ({ code, message }: ErrorPayload): CallToolResult => failed(message, { error_code: code })

/** The MCP server could not run the tool: `message` says why. */
export const executionFailed = (message: string): CallToolResult =>
  failed(`Tool execution failed: ${message}`, { error_code: 4003 })

/**
 * The call was not made because there are too many: 4003, as the protocol has no code of its own for it, with the type
 * `RateLimited` and the seconds after which it may be tried again.
 */
export const rateLimited = (message: string, retryAfter: number): CallToolResult => {
  const error = `Tool execution failed: ${message}`
  return {
    meta: { error_code: 4003, retry_after: retryAfter },
    content: [{ type: "text", text: error }],
    structuredContent: { error, error_type: "RateLimited", retry_after: retryAfter },
    isError: true
  }
}

/** Nobody at the Computer has allowed the call: 4005. `message` says why, and how it can be allowed. */
export const notConfirmed = (message: string): CallToolResult => failed(message, { error_code: 4005 })

/**
 * The MCP server wants a login that the Computer does not have (4006), or refuses the one it has (4007). `hint` tells a
 * person what to do and holds no secret (specification, error handling: `auth_hint`).
 */
export const unauthorized = (
  code: 4006 | 4007,
  server: string,
  hint: { readonly action: string; readonly message: string }
): CallToolResult => failed(hint.message, { error_code: code, mcp_server: server, auth_hint: hint })

/** The tool ran, but what it returned cannot be given to the caller. */
export const undeliverable = (why: string): CallToolResult =>
  failed(`The tool ran, but its result ${why}`, { error_code: 4003 })

/** The tool ran, but a message to the Server cannot carry what it returned. Sizes in bytes. */
export const tooLarge = (size: number, limit: number): CallToolResult =>
  undeliverable(`is too large to be sent: ${size} bytes, and the Server accepts at most ${limit}`)

/** The value of a mark in the result's metadata, under `meta` first and `_meta` second. */
export const mark = (result: CallToolResult, key: string): unknown => result.meta?.[key] ?? result._meta?.[key]
