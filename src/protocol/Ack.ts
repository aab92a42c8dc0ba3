/**
 * Reading and writing acknowledgements. Socket.IO acks carry any number of
 * arguments and peers differ in how they use them (specification, events and
 * room model); everything that knows about it stands here.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { ClientEvent } from "./ClientEvent.ts"
import * as ErrorPayload from "./ErrorPayload.ts"
import { isRecord } from "./Json.ts"
import type { Revision } from "./Revision.ts"
import type { ServerEvent } from "./ServerEvent.ts"
import * as SmcpError from "./SmcpError.ts"
import * as ToolResult from "./ToolResult.ts"

/** The arguments of one acknowledgement. */
export type Args = ReadonlyArray<unknown>

/** An event whose acknowledgement says something. */
export type AckedEvent = ClientEvent | ServerEvent

/** An acknowledgement without arguments: an unknown event, or nothing to say. */
export const empty: Args = []

/** An acknowledgement that carries one value. */
export const value = (content: unknown): Args => [content]

/** The acknowledgement of a failed request: one flat error. */
export const failure = (error: SmcpError.SmcpError): Args => [SmcpError.toPayload(error)]

/** The acknowledgement of a join or leave that succeeded, in the revision's form. */
export const membershipOk = (revision: Revision): Args => revision.joinAck === "tuple" ? [true, null] : empty

/** The acknowledgement of a join or leave that was refused, in the revision's form. */
export const membershipRefused = (revision: Revision, error: SmcpError.SmcpError): Args =>
  revision.joinAck === "tuple" ? [false, SmcpError.toPayload(error).message] : failure(error)

/** The acknowledgement of a `client:tool_call` that the Server refused, in the revision's form. */
export const toolCallRefused = (revision: Revision, error: SmcpError.SmcpError): Args =>
  revision.toolCallErrors === "flat" ? failure(error) : value(ToolResult.refused(SmcpError.toPayload(error)))

/** Reads an acknowledgement as the event promises it, whichever revision wrote it. */
export const read = <E extends AckedEvent>(
  event: E,
  args: Args
): Effect.Effect<E["success"]["Type"], SmcpError.SmcpError> => {
  switch (event.ack) {
    case "none":
      return Effect.void
    case "membership":
      return readMembership(event.name, args)
    case "value":
      return readValue(event, args)
  }
}

const readValue = (event: AckedEvent, args: Args): Effect.Effect<any, SmcpError.SmcpError> => {
  if (args.length === 0) return Effect.fail(SmcpError.make(new SmcpError.UnsupportedByPeer({ event: event.name })))
  const first = args[0]
  if (ErrorPayload.is(first)) return Effect.fail(SmcpError.fromPayload(first))
  return Effect.mapError(
    decoder(event)(first),
    (error) => SmcpError.make(new SmcpError.InvalidResponse({ event: event.name, issue: error.message }))
  )
}

// Revision 0.5 acks success with nothing; up to 0.4 it is `true, null`, which some stacks nest in one array.
const readMembership = (event: string, args: Args): Effect.Effect<void, SmcpError.SmcpError> => {
  const [first, second]: Args = Array.isArray(args[0]) ? args[0] : args
  if (first === undefined || first === null || first === true) return Effect.void
  if (first === false) {
    const message = typeof second === "string" ? second : "The Server refused without a reason"
    return Effect.fail(SmcpError.make(new SmcpError.JoinRefused({ message })))
  }
  if (ErrorPayload.is(first)) return Effect.fail(SmcpError.fromPayload(first))
  return Effect.fail(SmcpError.make(
    new SmcpError.InvalidResponse({ event, issue: `expected true, false or an error, got ${describe(first)}` })
  ))
}

const describe = (input: unknown): string =>
  isRecord(input) ? "an object" : Array.isArray(input) ? "a list" : typeof input

type Decoder = (input: unknown) => Effect.Effect<any, Schema.SchemaError>
const decoders = new WeakMap<object, Decoder>()

const decoder = (event: AckedEvent): Decoder => {
  const known = decoders.get(event)
  if (known !== undefined) return known
  const made = Schema.decodeUnknownEffect(event.success) as Decoder
  decoders.set(event, made)
  return made
}
