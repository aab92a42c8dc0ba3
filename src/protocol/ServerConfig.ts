/**
 * The configuration of MCP servers and their inputs, as `client:get_config`
 * carries it: raw, with placeholders unrendered (specification, data structures).
 */
import * as Schema from "effect/Schema"
import { computerCallFields } from "./AgentCall.ts"
import { maybe, OpenRecord } from "./internal/fields.ts"
import { ToolMeta } from "./Tool.ts"

const common = {
  /** For people; may collide, never an address. */
  name: Schema.String,
  /** The server's identity. */
  bundle_id: maybe(Schema.String),
  disabled: Schema.Boolean,
  /** Original or exposed names of tools that are neither listed nor callable. */
  forbidden_tools: Schema.Array(Schema.String),
  /** Metadata by original tool name. */
  tool_meta: Schema.Record(Schema.String, ToolMeta),
  default_tool_meta: maybe(ToolMeta),
  /** A VRL program that transforms results. */
  vrl: maybe(Schema.String)
} as const

/** An MCP server reached over the standard streams of a child process. */
export const StdioServerConfig = Schema.Struct({
  ...common,
  type: Schema.tag("stdio"),
  server_parameters: Schema.Struct({
    command: Schema.String,
    args: Schema.Array(Schema.String),
    env: Schema.NullOr(Schema.Record(Schema.String, Schema.String)),
    cwd: Schema.NullOr(Schema.String),
    encoding: Schema.String,
    encoding_error_handler: Schema.Literals(["strict", "ignore", "replace"])
  })
})
export type StdioServerConfig = typeof StdioServerConfig.Type

/** An MCP server reached over Streamable HTTP. Durations are ISO 8601. */
export const StreamableServerConfig = Schema.Struct({
  ...common,
  type: Schema.tag("streamable"),
  server_parameters: Schema.Struct({
    url: Schema.String,
    headers: Schema.NullOr(OpenRecord),
    timeout: Schema.String,
    sse_read_timeout: Schema.String,
    terminate_on_close: Schema.Boolean
  })
})
export type StreamableServerConfig = typeof StreamableServerConfig.Type

/** An MCP server reached over the older HTTP+SSE transport. Durations are seconds. */
export const SseServerConfig = Schema.Struct({
  ...common,
  type: Schema.tag("sse"),
  server_parameters: Schema.Struct({
    url: Schema.String,
    headers: Schema.NullOr(OpenRecord),
    timeout: Schema.Finite,
    sse_read_timeout: Schema.Finite
  })
})
export type SseServerConfig = typeof SseServerConfig.Type

/** One entry of `servers`. */
export const ServerConfig = Schema.Union([StdioServerConfig, StreamableServerConfig, SseServerConfig]).pipe(
  Schema.toTaggedUnion("type")
)
export type ServerConfig = typeof ServerConfig.Type

/** One choice of a `pickString` input: shown by its label, injected as its value. */
export const PickOption = Schema.Struct({ label: Schema.NonEmptyString, value: Schema.NonEmptyString })
export type PickOption = typeof PickOption.Type

const inputBase = { id: Schema.String, description: maybe(Schema.String) } as const

/** A definition behind `${input:id}`. Older peers send pick options as plain strings; both are read. */
export const ServerInput = Schema.Union([
  Schema.Struct({
    ...inputBase,
    type: Schema.tag("promptString"),
    default: maybe(Schema.String),
    password: maybe(Schema.Boolean)
  }),
  Schema.Struct({
    ...inputBase,
    type: Schema.tag("pickString"),
    options: Schema.Array(Schema.Union([PickOption, Schema.String])),
    default: maybe(Schema.String)
  }),
  Schema.Struct({
    ...inputBase,
    type: Schema.tag("command"),
    command: Schema.String,
    args: maybe(Schema.Record(Schema.String, Schema.String))
  })
]).pipe(Schema.toTaggedUnion("type"))
export type ServerInput = typeof ServerInput.Type

/** Payload of `client:get_config`. */
export const GetConfigReq = Schema.Struct(computerCallFields)
export type GetConfigReq = typeof GetConfigReq.Type

/** Answer to `client:get_config`: no `req_id`. `servers` is keyed as the revision says; entries are passed as they came. */
export const GetConfigRet = Schema.Struct({
  servers: Schema.Record(Schema.String, OpenRecord),
  inputs: maybe(Schema.Array(OpenRecord))
})
export type GetConfigRet = typeof GetConfigRet.Type
