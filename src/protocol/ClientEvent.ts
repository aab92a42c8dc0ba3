/**
 * `client:*` events: what an Agent asks of a Computer, relayed by the Server
 * (specification, events). Each event is one value; adding an event is adding a
 * value here and a handler.
 */
import type * as Schema from "effect/Schema"
import * as Blob from "./Blob.ts"
import * as Desktop from "./Desktop.ts"
import * as Resource from "./Resource.ts"
import type { Feature, Revision } from "./Revision.ts"
import * as ServerConfig from "./ServerConfig.ts"
import * as Skill from "./Skill.ts"
import * as Tool from "./Tool.ts"

/** The shape of a `client:*` event. */
export interface ClientEvent<
  Name extends `client:${string}` = `client:${string}`,
  Payload extends Schema.Codec<any, any> = Schema.Codec<any, any>,
  Success extends Schema.Codec<any, any> = Schema.Codec<any, any>
> {
  readonly _tag: "ClientEvent"
  readonly name: Name
  readonly payload: Payload
  /** What the acknowledgement carries when it is not a flat error. */
  readonly success: Success
  /** The feature of a revision this event belongs to; absent when every revision has it. */
  readonly feature: Feature | undefined
  /** How acknowledgements are read: one value. */
  readonly ack: "value"
}

/** Defines a `client:*` event. */
export const make = <
  const Name extends `client:${string}`,
  Payload extends Schema.Codec<any, any>,
  Success extends Schema.Codec<any, any>
>(
  name: Name,
  options: { readonly payload: Payload; readonly success: Success; readonly feature?: Feature }
): ClientEvent<Name, Payload, Success> => ({
  _tag: "ClientEvent",
  name,
  payload: options.payload,
  success: options.success,
  feature: options.feature,
  ack: "value"
})

export const ToolCall = make("client:tool_call", { payload: Tool.ToolCallReq, success: Tool.CallToolResult })
export const GetTools = make("client:get_tools", { payload: Tool.GetToolsReq, success: Tool.GetToolsRet })
export const GetDesktop = make("client:get_desktop", { payload: Desktop.GetDesktopReq, success: Desktop.GetDesktopRet })
export const GetConfig = make("client:get_config", {
  payload: ServerConfig.GetConfigReq,
  success: ServerConfig.GetConfigRet,
  feature: "hasGetConfigRelay"
})
export const GetResources = make("client:get_resources", {
  payload: Resource.GetResourcesReq,
  success: Resource.GetResourcesRet,
  feature: "hasGetResources"
})
export const GetSkills = make("client:get_skills", {
  payload: Skill.GetSkillsReq,
  success: Skill.GetSkillsRet,
  feature: "hasSkills"
})
export const GetSkill = make("client:get_skill", {
  payload: Skill.GetSkillReq,
  success: Skill.GetSkillRet,
  feature: "hasSkills"
})
export const GetBlob = make("client:get_blob", {
  payload: Blob.GetBlobReq,
  success: Blob.GetBlobRet,
  feature: "hasGetBlob"
})
export const PutBlob = make("client:put_blob", {
  payload: Blob.PutBlobReq,
  success: Blob.PutBlobRet,
  feature: "hasPutBlob"
})

/** Every `client:*` event. */
export const all = [
  ToolCall,
  GetTools,
  GetDesktop,
  GetConfig,
  GetResources,
  GetSkills,
  GetSkill,
  GetBlob,
  PutBlob
] as const

/** The `client:*` events that exist in a revision. */
export const inRevision = (revision: Revision): ReadonlyArray<ClientEvent> =>
  all.filter((event) => event.feature === undefined || revision[event.feature])
