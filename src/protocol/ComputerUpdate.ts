/**
 * What a Computer says when something of it changed (specification, events).
 */
import * as Schema from "effect/Schema"

/** Payload of every `server:update_*` and `notify:update_*` event. */
export const ComputerUpdate = Schema.Struct({ computer: Schema.String })
export type ComputerUpdate = typeof ComputerUpdate.Type
