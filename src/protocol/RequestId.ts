/**
 * Identifiers of requests (`req_id`): what ties a call, its answer and its
 * cancellation together.
 */
import * as Schema from "effect/Schema"

/** A request id as peers send it: any text. Our own are 32 lower-case hex digits. */
export const RequestId = Schema.String

const canonical = /^[0-9a-f]{32}$/

/** Whether the text has the form of our own request ids. */
export const isCanonical = (text: string): boolean => canonical.test(text)

/** A fresh random request id: 32 lower-case hex digits. */
export const make = (): string => crypto.randomUUID().replaceAll("-", "")

/** The request id an Agent uses for `server:list_room` (specification, events). */
export const forListRoom = (agent: string, officeId: string): string => `list_computers_${agent}_${officeId}`
