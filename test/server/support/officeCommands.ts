/**
 * What peers do in the model test.
 */
import * as Schema from "effect/Schema"

/** How many peers there are. */
export const SLOTS = 5

/** Which of the Server's revisions a peer speaks, counted from the newest and on from the first again. */
const Speaks = Schema.Literals([0, 1, 2])

const Slot = Schema.Literals([0, 1, 2, 3, 4])
const Role = Schema.Literals(["agent", "computer"])
const Name = Schema.Literals(["x", "y", "z"])
/** `sid` stands for the session id of the first peer. */
const OfficeId = Schema.Literals(["R1", "R2", "sid"])
const Acked = Schema.Boolean
/** Whether the command is turned to peers with whom it leads to something, see `aim` of the rules. */
const aimed = Schema.Boolean
const Join = { slot: Slot, aimed, role: Role, name: Name, office: OfficeId }

export const CLIENT_EVENTS = [
  "client:tool_call",
  "client:get_tools",
  "client:get_desktop",
  "client:get_config",
  "client:get_resources",
  "client:get_skills",
  "client:get_skill",
  "client:get_blob",
  "client:put_blob"
] as const
const Updates = ["config", "tool_list", "desktop", "skills"] as const
const Departures = ["closes", "is lost", "leaves"] as const

const Call = { slot: Slot, aimed, event: Schema.Literals(CLIENT_EVENTS), computer: Name }
const JoinCommand = Schema.TaggedStruct("Join", { ...Join, acked: Acked })
const CallCommand = Schema.TaggedStruct("Call", Call)
const UpdateCommand = Schema.TaggedStruct("Update", {
  slot: Slot,
  aimed,
  what: Schema.Literals(Updates),
  name: Name,
  acked: Acked
})

/** What peers do. Some are there more than once, so that offices fill up and something happens in them. */
export const Command = Schema.Union([
  JoinCommand,
  JoinCommand,
  JoinCommand,
  JoinCommand,
  Schema.TaggedStruct("JoinAgain", { slot: Slot, aimed, acked: Acked }),
  Schema.TaggedStruct("JoinBoth", { ...Join, other: Slot, otherName: Name }),
  Schema.TaggedStruct("JoinMalformed", { slot: Slot, aimed, missing: Schema.Literals(["role", "name", "office_id"]) }),
  Schema.TaggedStruct("Leave", { slot: Slot, aimed, office: OfficeId, acked: Acked }),
  Schema.TaggedStruct("Connect", { slot: Slot, aimed, speaks: Speaks }),
  Schema.TaggedStruct("Disconnect", { slot: Slot, aimed, how: Schema.Literals(["closes", "is lost"]) }),
  Schema.TaggedStruct("List", { slot: Slot, aimed, office: OfficeId }),
  CallCommand,
  CallCommand,
  CallCommand,
  Schema.TaggedStruct("CallOfOneThatGoes", { ...Call, how: Schema.Literals(Departures) }),
  Schema.TaggedStruct("CallByOneThatGoes", Call),
  UpdateCommand,
  UpdateCommand,
  Schema.TaggedStruct("Cancel", { slot: Slot, aimed, name: Name, acked: Acked })
])
export type Command = typeof Command.Type
export type Slot = typeof Slot.Type
export type Role = typeof Role.Type
export type Name = typeof Name.Type
export type OfficeId = typeof OfficeId.Type
