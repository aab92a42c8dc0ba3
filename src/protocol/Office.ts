/**
 * Offices and who sits in them (specification, room model).
 */
import * as Schema from "effect/Schema"
import { agentCallFields } from "./AgentCall.ts"
import { maybe } from "./internal/fields.ts"

/** The two roles that can sit in an office. */
export const Role = Schema.Literals(["agent", "computer"])
export type Role = typeof Role.Type

/** Payload of `server:join_office`. */
export const EnterOfficeReq = Schema.Struct({
  role: Role,
  name: Schema.NonEmptyString,
  office_id: Schema.NonEmptyString
})
export type EnterOfficeReq = typeof EnterOfficeReq.Type

/** Payload of `server:leave_office`. The session decides which office is left, not this field. */
export const LeaveOfficeReq = Schema.Struct({ office_id: Schema.String })
export type LeaveOfficeReq = typeof LeaveOfficeReq.Type

/** Payload of `notify:enter_office` and `notify:leave_office`: exactly one of the names is sent. */
export const OfficeNotification = Schema.Struct({
  office_id: Schema.String,
  computer: maybe(Schema.String),
  agent: maybe(Schema.String)
})
export type OfficeNotification = typeof OfficeNotification.Type

/** One member of an office, as `server:list_room` tells it. */
export const SessionInfo = Schema.Struct({
  sid: Schema.String,
  name: Schema.String,
  role: Role,
  office_id: Schema.String,
  /** Absent when the member's handshake carried no version. */
  a2c_version: maybe(Schema.String)
})
export type SessionInfo = typeof SessionInfo.Type

/** Payload of `server:list_room`. */
export const ListRoomReq = Schema.Struct({ ...agentCallFields, office_id: Schema.String })
export type ListRoomReq = typeof ListRoomReq.Type

/** Answer to `server:list_room`. */
export const ListRoomRet = Schema.Struct({ sessions: Schema.Array(SessionInfo), req_id: maybe(Schema.String) })
export type ListRoomRet = typeof ListRoomRet.Type
