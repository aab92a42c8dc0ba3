/**
 * `server:*` events: what Agents and Computers say to the Server itself
 * (specification, events).
 */
import * as Schema from "effect/Schema"
import { AgentCall } from "./AgentCall.ts"
import { ComputerUpdate } from "./ComputerUpdate.ts"
import * as Office from "./Office.ts"
import type { Feature, Revision } from "./Revision.ts"

/**
 * How an event is acknowledged: `membership` in the form the revision gives to
 * joins and leaves, `value` with one value or a flat error, `none` not at all
 * (an empty acknowledgement when the sender asks for one).
 */
export type AckKind = "membership" | "value" | "none"

/** The shape of a `server:*` event. */
export interface ServerEvent<
  Name extends `server:${string}` = `server:${string}`,
  Payload extends Schema.Codec<any, any> = Schema.Codec<any, any>,
  Success extends Schema.Codec<any, any> = Schema.Codec<any, any>,
  Ack extends AckKind = AckKind
> {
  readonly _tag: "ServerEvent"
  readonly name: Name
  readonly payload: Payload
  readonly success: Success
  readonly ack: Ack
  /** Which roles may send it. */
  readonly senders: ReadonlyArray<Office.Role>
  readonly feature: Feature | undefined
}

/** Defines a `server:*` event. */
export const make = <
  const Name extends `server:${string}`,
  Payload extends Schema.Codec<any, any>,
  Success extends Schema.Codec<any, any>,
  const Ack extends AckKind
>(
  name: Name,
  options: {
    readonly payload: Payload
    readonly success: Success
    readonly ack: Ack
    readonly senders: ReadonlyArray<Office.Role>
    readonly feature?: Feature
  }
): ServerEvent<Name, Payload, Success, Ack> => ({ _tag: "ServerEvent", feature: undefined, name, ...options })

const update = <const Name extends `server:update_${string}`>(name: Name, feature?: Feature) =>
  make(name, {
    payload: ComputerUpdate,
    success: Schema.Void,
    ack: "none",
    senders: ["computer"],
    ...(feature === undefined ? {} : { feature })
  })

export const JoinOffice = make("server:join_office", {
  payload: Office.EnterOfficeReq,
  success: Schema.Void,
  ack: "membership",
  senders: ["agent", "computer"]
})
export const LeaveOffice = make("server:leave_office", {
  payload: Office.LeaveOfficeReq,
  success: Schema.Void,
  ack: "membership",
  senders: ["agent", "computer"]
})
export const ListRoom = make("server:list_room", {
  payload: Office.ListRoomReq,
  success: Office.ListRoomRet,
  ack: "value",
  senders: ["agent", "computer"]
})
export const ToolCallCancel = make("server:tool_call_cancel", {
  payload: AgentCall,
  success: Schema.Void,
  ack: "none",
  senders: ["agent"]
})
export const UpdateConfig = update("server:update_config")
export const UpdateToolList = update("server:update_tool_list")
export const UpdateDesktop = update("server:update_desktop")
export const UpdateSkills = update("server:update_skills", "hasSkills")

/** Every `server:*` event. */
export const all = [
  JoinOffice,
  LeaveOffice,
  ListRoom,
  ToolCallCancel,
  UpdateConfig,
  UpdateToolList,
  UpdateDesktop,
  UpdateSkills
] as const

/** The `server:*` events that exist in a revision. */
export const inRevision = (revision: Revision): ReadonlyArray<ServerEvent> =>
  all.filter((event) => event.feature === undefined || revision[event.feature])
