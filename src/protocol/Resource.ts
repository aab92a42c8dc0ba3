/**
 * Resources of one MCP server, page by page, unfiltered (specification, data structures).
 */
import * as Schema from "effect/Schema"
import { computerCallFields } from "./AgentCall.ts"
import { maybe, OpenRecord, rest } from "./internal/fields.ts"

/** A resource of an MCP server, with the protocol's snake_case keys; unknown keys are kept. */
export const Resource = Schema.StructWithRest(
  Schema.Struct({
    uri: Schema.String,
    name: maybe(Schema.String),
    description: maybe(Schema.String),
    mime_type: maybe(Schema.String),
    /** Bytes. */
    size: maybe(Schema.Finite),
    annotations: maybe(OpenRecord),
    _meta: maybe(OpenRecord)
  }),
  rest
)
export type Resource = typeof Resource.Type

/** Payload of `client:get_resources`. */
export const GetResourcesReq = Schema.Struct({
  ...computerCallFields,
  /** The bundle id of the server. */
  mcp_server: Schema.String,
  /** Where the next page begins; absent for the first. */
  cursor: maybe(Schema.String)
})
export type GetResourcesReq = typeof GetResourcesReq.Type

/** Answer to `client:get_resources`. */
export const GetResourcesRet = Schema.Struct({
  resources: maybe(Schema.Array(Resource)),
  next_cursor: maybe(Schema.String),
  req_id: maybe(Schema.String)
})
export type GetResourcesRet = typeof GetResourcesRet.Type
