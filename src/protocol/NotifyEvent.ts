/**
 * `notify:*` events: what the Server tells the members of an office
 * (specification, events). They are never acknowledged.
 */
import type * as Schema from "effect/Schema"
import { AgentCall } from "./AgentCall.ts"
import { ComputerUpdate } from "./ComputerUpdate.ts"
import { OfficeNotification } from "./Office.ts"
import type { Feature } from "./Revision.ts"

/** The shape of a `notify:*` event. */
export interface NotifyEvent<
  Name extends `notify:${string}` = `notify:${string}`,
  Payload extends Schema.Codec<any, any> = Schema.Codec<any, any>
> {
  readonly _tag: "NotifyEvent"
  readonly name: Name
  readonly payload: Payload
  readonly feature: Feature | undefined
}

/** Defines a `notify:*` event. */
export const make = <const Name extends `notify:${string}`, Payload extends Schema.Codec<any, any>>(
  name: Name,
  options: { readonly payload: Payload; readonly feature?: Feature }
): NotifyEvent<Name, Payload> => ({
  _tag: "NotifyEvent",
  name,
  payload: options.payload,
  feature: options.feature
})

export const EnterOffice = make("notify:enter_office", { payload: OfficeNotification })
export const LeaveOffice = make("notify:leave_office", { payload: OfficeNotification })
export const ToolCallCancel = make("notify:tool_call_cancel", { payload: AgentCall })
export const UpdateConfig = make("notify:update_config", { payload: ComputerUpdate })
export const UpdateToolList = make("notify:update_tool_list", { payload: ComputerUpdate })
export const UpdateDesktop = make("notify:update_desktop", { payload: ComputerUpdate })
export const UpdateSkills = make("notify:update_skills", { payload: ComputerUpdate, feature: "hasSkills" })

/** Every `notify:*` event. */
export const all = [
  EnterOffice,
  LeaveOffice,
  ToolCallCancel,
  UpdateConfig,
  UpdateToolList,
  UpdateDesktop,
  UpdateSkills
] as const

/** A received notification: the event's name and its decoded payload. */
export type Notification = (typeof all)[number] extends infer E
  ? E extends NotifyEvent<infer Name, infer Payload> ? { readonly event: Name; readonly payload: Payload["Type"] }
  : never
  : never

/** The notification by which the Server passes on each `server:update_*` event. */
export const ofUpdate = {
  "server:update_config": UpdateConfig,
  "server:update_tool_list": UpdateToolList,
  "server:update_desktop": UpdateDesktop,
  "server:update_skills": UpdateSkills
} as const
