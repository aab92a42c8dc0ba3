/**
 * The relay of `client:*` events: reads the envelope, forwards the payload as
 * it came, returns the acknowledgement as it came. The hot path of the Server.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Ack from "../../protocol/Ack.ts"
import { computerCallFields } from "../../protocol/AgentCall.ts"
import * as ClientEvent from "../../protocol/ClientEvent.ts"
import * as NotifyEvent from "../../protocol/NotifyEvent.ts"
import type { Revision } from "../../protocol/Revision.ts"
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
const readEnvelope = Schema.decodeUnknownResult(Envelope)
const readToolCall = Schema.decodeUnknownResult(ToolCallEnvelope)

// setTimeout takes no more; a longer delay would fire at once.
const MAX_MILLIS = 2 ** 31 - 1

/** How the Server refuses a request: what happens, in the form that event and revision give it. */
interface Refusals {
  readonly notInRoom: Effect.Effect<Reply>
  readonly onlyAgents: Effect.Effect<Reply>
  readonly noSuchComputer: (name: string) => Reply
  readonly malformed: (event: string, error: Schema.SchemaError) => Reply
}

const refusalsBy = (refusal: (reason: SmcpError.Reason) => Reply): Refusals => ({
  notInRoom: Effect.succeed(refusal(new WireError.NotInRoom({}))),
  onlyAgents: Effect.succeed(refusal(new WireError.Forbidden({ message: "Only agents may issue client:* calls" }))),
  noSuchComputer: (computerName) =>
    refusal(new WireError.NotFound({ message: `Computer with name '${computerName}' not found`, computerName })),
  malformed: (event, error) => refusal(badRequest(event, error))
})

/** The payload does not fit its event. */
export const badRequest = (event: string, error: Schema.SchemaError): WireError.BadRequest =>
  new WireError.BadRequest({ message: `Invalid ${event} payload: ${error.message}` })

const flat = refusalsBy(refuse)

/** Makes the handler of all `client:*` events of a revision. `connections` finds a peer by session id. */
export const make = (options: {
  readonly revision: Revision
  readonly store: SessionStore["Service"]
  readonly connections: ReadonlyMap<string, Connection>
  readonly deadlines: Deadlines
}) => {
  const { connections, deadlines, revision, store } = options
  const ofToolCall = refusalsBy((reason) => ({ args: Ack.toolCallRefused(revision, SmcpError.make(reason)) }))

  /** The reply of the Computer that is named in the envelope, or why there is none. */
  const relayTo = (
    origin: Connection,
    computer: string,
    refusals: Refusals,
    call: (connection: Connection, agent: string) => Effect.Effect<Reply, CallFailure>
  ): Effect.Effect<Reply, CallFailure> =>
    Effect.flatMap(store.get(origin.sid), (session) => {
      if (session?.officeId === undefined) return refusals.notInRoom
      if (session.role !== "agent") return refusals.onlyAgents
      return Effect.flatMap(store.find(session.officeId, "computer", computer), (found) => {
        const connection = found === undefined ? undefined : connections.get(found)
        return connection === undefined
          ? Effect.succeed(refusals.noSuchComputer(computer))
          : call(connection, session.name!)
      })
    })

  const toolCall = (origin: Connection, payload: Carried): Effect.Effect<Reply> => {
    const read = readToolCall(payload.value)
    if (Result.isFailure(read)) return Effect.succeed(ofToolCall.malformed(ClientEvent.ToolCall.name, read.failure))
    const { computer, req_id, timeout } = read.success
    const millis = Math.min(timeout * 1000 + deadlines.toolCallGrace, MAX_MILLIS)
    return Effect.catch(
      relayTo(origin, computer, ofToolCall, (connection, agent) =>
        // However the wait ends without an answer, the Computer is told to stop: it may still be there, out of reach.
        Effect.onError(
          connection.call(ClientEvent.ToolCall.name, payload, millis),
          () => connection.notify(NotifyEvent.ToolCallCancel, { agent, req_id })
        )),
      (failure) =>
        Effect.succeed(
          failure === "disconnected"
            ? ofToolCall.noSuchComputer(computer)
            : { args: Ack.value(ToolResult.timedOut(timeout)) }
        )
    )
  }

  const other = (event: string, origin: Connection, payload: Carried): Effect.Effect<Reply> => {
    const read = readEnvelope(payload.value)
    if (Result.isFailure(read)) return Effect.succeed(flat.malformed(event, read.failure))
    const { computer } = read.success
    return Effect.catch(
      relayTo(origin, computer, flat, (connection) => connection.call(event, payload, deadlines.other)),
      (failure) => Effect.succeed(failure === "disconnected" ? flat.noSuchComputer(computer) : timedOut(event))
    )
  }

  return (event: string, origin: Connection, payload: Carried): Effect.Effect<Reply> =>
    Effect.suspend(() =>
      event === ClientEvent.ToolCall.name ? toolCall(origin, payload) : other(event, origin, payload)
    )
}

const timedOut = (event: string): Reply =>
  refuse(new WireError.RequestTimeout({ message: `The computer did not answer ${event} in time` }))
