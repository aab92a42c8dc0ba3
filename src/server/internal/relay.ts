/**
 * The relay of `client:*` events: reads the envelope, forwards the payload as
 * it came, returns the acknowledgement as it came. The hot path of the Server.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Ack from "../../protocol/Ack.ts"
import { computerCallFields } from "../../protocol/AgentCall.ts"
import * as ClientEvent from "../../protocol/ClientEvent.ts"
import * as NotifyEvent from "../../protocol/NotifyEvent.ts"
import * as SmcpError from "../../protocol/SmcpError.ts"
import { ToolCallReq } from "../../protocol/Tool.ts"
import * as ToolResult from "../../protocol/ToolResult.ts"
import * as WireError from "../../protocol/WireError.ts"
import type { CallFailure, Carried, Connection, Reply } from "../../transport/ServerTransport.ts"
import type { SessionStore } from "../SessionStore.ts"

/** How long a Computer may take, in milliseconds. */
export interface Deadlines {
  /** Added to a tool call's own timeout, so that the Computer's answer about its timeout still gets through. */
  readonly toolCallGrace: number
  /** For every other `client:*` event. */
  readonly other: number
}

/** A reply that carries a flat error. */
export const refuse = (reason: SmcpError.Reason): Reply => ({ args: Ack.failure(SmcpError.make(reason)) })

const Envelope = Schema.Struct(computerCallFields)
const ToolCallEnvelope = Schema.Struct({ ...computerCallFields, timeout: ToolCallReq.fields.timeout })
const decodeEnvelope = Schema.decodeUnknownEffect(Envelope)
const decodeToolCall = Schema.decodeUnknownEffect(ToolCallEnvelope)

// setTimeout takes no more; a longer delay would fire at once.
const MAX_MILLIS = 2 ** 31 - 1

/** Makes the handler of all `client:*` events. `connections` finds a peer by session id. */
export const make = (options: {
  readonly store: SessionStore["Service"]
  readonly connections: ReadonlyMap<string, Connection>
  readonly deadlines: Deadlines
}) => {
  const { connections, deadlines, store } = options

  const target = Effect.fnUntraced(function*(sid: string, computer: string) {
    const session = yield* store.get(sid)
    if (session?.officeId === undefined) return refuse(new WireError.NotInRoom({}))
    if (session.role !== "agent") return refuse(onlyAgents)
    const found = yield* store.find(session.officeId, "computer", computer)
    const connection = found === undefined ? undefined : connections.get(found)
    return connection === undefined ? noSuchComputer(computer) : { connection, agent: session.name! }
  })

  const toolCall = Effect.fnUntraced(function*(origin: Connection, payload: Carried) {
    const envelope = yield* decodeToolCall(payload.value)
    const found = yield* target(origin.sid, envelope.computer)
    if ("args" in found) return found
    const { agent, connection } = found
    const cancel = connection.notify(NotifyEvent.ToolCallCancel, { agent, req_id: envelope.req_id })
    const millis = Math.min(envelope.timeout * 1000 + deadlines.toolCallGrace, MAX_MILLIS)
    return yield* connection.call(ClientEvent.ToolCall.name, payload, millis).pipe(
      Effect.onInterrupt(() => cancel),
      // The Computer may still be there when it is out of reach: it can have left the office.
      Effect.catch((failure: CallFailure) =>
        Effect.as(
          cancel,
          failure === "disconnected"
            ? noSuchComputer(envelope.computer)
            : { args: Ack.value(ToolResult.timedOut(envelope.timeout)) }
        )
      )
    )
  })

  const other = Effect.fnUntraced(function*(event: string, origin: Connection, payload: Carried) {
    const envelope = yield* decodeEnvelope(payload.value)
    const found = yield* target(origin.sid, envelope.computer)
    if ("args" in found) return found
    return yield* Effect.catch(
      found.connection.call(event, payload, deadlines.other),
      (failure) => Effect.succeed(failure === "disconnected" ? noSuchComputer(envelope.computer) : timedOut(event))
    )
  })

  return (event: string, origin: Connection, payload: Carried): Effect.Effect<Reply> =>
    Effect.catchTag(
      event === ClientEvent.ToolCall.name ? toolCall(origin, payload) : other(event, origin, payload),
      "SchemaError",
      (error) => Effect.succeed(malformed(event, error))
    )
}

const onlyAgents = new WireError.Forbidden({ message: "Only agents may issue client:* calls" })

const noSuchComputer = (computerName: string): Reply =>
  refuse(new WireError.NotFound({ message: `Computer with name '${computerName}' not found`, computerName }))

const timedOut = (event: string): Reply =>
  refuse(new WireError.RequestTimeout({ message: `The computer did not answer ${event} in time` }))

/** The reply to a payload that does not fit its event. */
export const malformed = (event: string, error: Schema.SchemaError): Reply =>
  refuse(new WireError.BadRequest({ message: `Invalid ${event} payload: ${error.message}` }))
