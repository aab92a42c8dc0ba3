/**
 * How a tool call ended. A tool that fails is not a failure of the channel: it
 * is an outcome, and only the channel's own troubles are `SmcpError`s
 * (specification, error handling).
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as SmcpError from "../protocol/SmcpError.ts"
import type { CallToolResult } from "../protocol/Tool.ts"
import * as ToolResult from "../protocol/ToolResult.ts"
import { mcpResult } from "./internal/mcpResult.ts"

/** The closed set of outcomes. */
export type ToolOutcome =
  | Outcome<"Ok">
  /** The tool said that it failed, or it does not exist. */
  | Outcome<"Failed">
  /** The call was cancelled and really stopped; see {@link cancelReason}. */
  | Outcome<"Cancelled">
  /** The deadline passed, here, at the Server or at the Computer. */
  | Outcome<"TimedOut">
  /** The MCP server wants an authorization that the Computer does not have yet (4006). */
  | Outcome<"AuthorizationRequired">
  /** The MCP server refused the Computer's authorization (4007). */
  | Outcome<"AuthorizationFailed">

/** What every outcome carries. */
export interface Outcome<Tag extends string> {
  readonly _tag: Tag
  /** As it came, with the parts in place that were left out for their size. */
  readonly result: CallToolResult
  /** The parts that could not be had, and stay handles in the result; absent when there are none. */
  readonly unrestored?: ReadonlyArray<UnrestoredBlob>
}

/** A part of a result that stayed at the Computer. The tool ran; only these bytes are missing. */
export interface UnrestoredBlob {
  /** Its place in the result's `content`. */
  readonly index: number
  /** To try again with `download` or `blob`. */
  readonly handle: string
  /** Bytes, as the Computer announced them. */
  readonly totalSize: number | undefined
  readonly error: SmcpError.SmcpError
}

/** Names the outcome by the marks in the result's metadata. */
export const fromResult = (result: CallToolResult): ToolOutcome => ({ _tag: tagOf(result), result })

const tagOf = (result: CallToolResult): ToolOutcome["_tag"] => {
  if (isMarked(result, "a2c_cancelled")) return "Cancelled"
  if (isMarked(result, "a2c_timeout")) return "TimedOut"
  if (result.isError !== true) return "Ok"
  switch (Number(ToolResult.mark(result, "error_code"))) {
    case 4006:
      return "AuthorizationRequired"
    case 4007:
      return "AuthorizationFailed"
    default:
      return "Failed"
  }
}

/** Some stacks write metadata values as JSON texts. */
const isMarked = (result: CallToolResult, key: string): boolean => {
  const mark = ToolResult.mark(result, key)
  return mark === true || mark === "true"
}

/** Why the call was cancelled, in the Computer's words: for logs, not for decisions. */
export const cancelReason = ({ result }: ToolOutcome): string | undefined => {
  const reason = ToolResult.mark(result, "a2c_cancel_reason")
  return typeof reason === "string" ? reason : undefined
}

/**
 * The result as MCP has it, for whoever passes it on to a strict reader: metadata under `_meta`, always a list of content,
 * no nulls in place of absent parts.
 */
export const toMcp = ({ result }: ToolOutcome): Readonly<Record<string, unknown>> => mcpResult(result)

/** The text parts of a result, joined by newlines. */
export const text = (outcome: ToolOutcome): string =>
  (outcome.result.content ?? []).map((part) => part["text"]).filter((part) => typeof part === "string").join("\n")

/**
 * The structured content of a result that is `Ok`, decoded with a schema. Fails with a `SchemaError` when it does not fit,
 * or when there is none, and with the error that the result stands for when the call ended in another way: the one of its
 * `error_code` (4003 without one), `ToolTimeout`, or `ToolExecutionFailed` for a call that was cancelled.
 *
 * @example
 * const Weather = Schema.Struct({ celsius: Schema.Number })
 * const { celsius } = yield* ToolOutcome.decode(outcome, Weather)
 */
export const decode = <S extends Schema.Constraint>(
  outcome: ToolOutcome,
  schema: S
): Effect.Effect<S["Type"], SmcpError.SmcpError | Schema.SchemaError, S["DecodingServices"]> =>
  outcome._tag === "Ok"
    ? Schema.decodeUnknownEffect(schema)(outcome.result.structuredContent)
    : Effect.fail(errorOf(outcome))

const errorOf = (outcome: ToolOutcome): SmcpError.SmcpError => {
  const { result } = outcome
  const code = outcome._tag === "TimedOut" ? 4004 : Number(ToolResult.mark(result, "error_code") ?? 4003)
  const message = text(outcome)
  const server = ToolResult.mark(result, "mcp_server")
  return SmcpError.fromPayload({
    code: Number.isSafeInteger(code) ? code : 4003,
    ...(message === "" ? {} : { message }),
    ...(typeof server === "string" ? { mcp_server: server } : {})
  })
}
