/**
 * The desktop: `window://` resources of a Computer, rendered (specification, desktop).
 */
import * as Schema from "effect/Schema"
import { computerCallFields } from "./AgentCall.ts"
import { maybe } from "./internal/fields.ts"

/** Payload of `client:get_desktop`. */
export const GetDesktopReq = Schema.Struct({
  ...computerCallFields,
  /** At most this many windows; none when 0 or less. */
  desktop_size: maybe(Schema.Int),
  /** Only the window with exactly this URI. */
  window: maybe(Schema.String)
})
export type GetDesktopReq = typeof GetDesktopReq.Type

/** Answer to `client:get_desktop`: each entry is a window's URI, and its text after an empty line. */
export const GetDesktopRet = Schema.Struct({
  desktops: maybe(Schema.Array(Schema.String)),
  req_id: maybe(Schema.String)
})
export type GetDesktopRet = typeof GetDesktopRet.Type
