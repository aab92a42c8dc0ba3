/**
 * The envelope of whatever an Agent asks (specification, AgentCallData).
 */
import * as Schema from "effect/Schema"
import { RequestId } from "./RequestId.ts"

/** Fields of every request an Agent makes. */
export const agentCallFields = {
  /** Name of the Agent that asks. */
  agent: Schema.String,
  req_id: RequestId
} as const

/** Fields of every request an Agent addresses to one Computer. */
export const computerCallFields = {
  ...agentCallFields,
  /** Name of the Computer in the Agent's own office. */
  computer: Schema.String
} as const

/** `AgentCallData`: also the payload of the cancel events. */
export const AgentCall = Schema.Struct(agentCallFields)

/** The least that an event addressed to a Computer carries. */
export const ComputerCall = Schema.Struct(computerCallFields)
