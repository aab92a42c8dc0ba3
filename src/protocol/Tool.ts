/**
 * Tools: how they are listed and called (specification, data structures).
 */
import * as Schema from "effect/Schema"
import { computerCallFields } from "./AgentCall.ts"
import { maybe, OpenRecord, rest } from "./internal/fields.ts"

/** Metadata of a tool as it is configured; unknown keys are kept. */
export const ToolMeta = Schema.StructWithRest(
  Schema.Struct({
    /** Run without asking the person at the Computer. */
    auto_apply: maybe(Schema.Boolean),
    /** Replaces the tool part of the exposed name. */
    alias: maybe(Schema.String),
    tags: maybe(Schema.Array(Schema.String)),
    ret_object_mapper: maybe(OpenRecord)
  }),
  rest
)
export type ToolMeta = typeof ToolMeta.Type

/** One tool in the answer to `client:get_tools`. Peers of revision 0.1 omit `bundle_id`. */
export const SmcpTool = Schema.Struct({
  /** The exposed name: opaque to an Agent, never split to find the server. */
  name: Schema.String,
  bundle_id: maybe(Schema.String),
  description: maybe(Schema.String),
  /** JSON Schema of the parameters. */
  params_schema: maybe(OpenRecord),
  /** JSON Schema of `structuredContent`, null when the tool declares none. */
  return_schema: maybe(OpenRecord),
  /** Simple values; anything else is a JSON string. `a2c_tool_meta` holds {@link ToolMeta}. */
  meta: maybe(OpenRecord)
})
export type SmcpTool = typeof SmcpTool.Type

/** Payload of `client:get_tools`. */
export const GetToolsReq = Schema.Struct(computerCallFields)
export type GetToolsReq = typeof GetToolsReq.Type

/** Answer to `client:get_tools`. */
export const GetToolsRet = Schema.Struct({ tools: Schema.Array(SmcpTool), req_id: maybe(Schema.String) })
export type GetToolsRet = typeof GetToolsRet.Type

/** Seconds, at least 1. Peers may send it as a numeric string; we always send an integer. */
const TimeoutSeconds = Schema.Union([Schema.Finite, Schema.FiniteFromString]).check(Schema.isGreaterThan(0))

/** Payload of `client:tool_call`. */
export const ToolCallReq = Schema.Struct({
  ...computerCallFields,
  tool_name: Schema.String,
  params: OpenRecord,
  timeout: TimeoutSeconds
})
export type ToolCallReq = typeof ToolCallReq.Type

/**
 * A result of MCP's `tools/call`, as it travels: open and lenient, because it
 * is passed through untouched and peers send nulls for absent parts. Metadata
 * of the result itself is under `meta`, of its content items under `_meta`.
 */
export const CallToolResult = Schema.StructWithRest(
  Schema.Struct({
    content: maybe(Schema.Array(OpenRecord)),
    structuredContent: Schema.optionalKey(Schema.Unknown),
    isError: maybe(Schema.Boolean),
    meta: maybe(OpenRecord),
    _meta: maybe(OpenRecord)
  }),
  rest
)
export type CallToolResult = typeof CallToolResult.Type
