/**
 * Joins and leaves on the wire, and what the Server may believe because of them.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { EnterOfficeReq } from "../../protocol/Office.ts"
import * as ServerEvent from "../../protocol/ServerEvent.ts"
import * as SmcpError from "../../protocol/SmcpError.ts"
import type { Transport } from "../Transport.ts"

/** The calls of one client; to be made one after another. */
export interface SeatCalls {
  /** Asks for a seat under this session. */
  readonly join: (sid: string, request: EnterOfficeReq) => Effect.Effect<void, SmcpError.SmcpError>
  /** Gives up what this session may hold; nothing is sent when it holds nothing. */
  readonly vacate: (sid: string) => Effect.Effect<void, SmcpError.SmcpError>
  /** As `vacate`, without waiting for an answer. */
  readonly release: (sid: string) => Effect.Effect<void>
}

export const make = (transport: Transport["Service"], timeout: Duration.Input): SeatCalls => {
  /** The seat that the Server may hold for a session, as far as its answers tell. */
  let claim: { readonly sid: string; readonly office_id: string } | undefined

  const giveUp = <E>(
    sid: string,
    send: (payload: { readonly office_id: string }) => Effect.Effect<void, E>
  ): Effect.Effect<void, E> =>
    Effect.flatMap(transport.state, (connection) => {
      // A session that is gone has lost its seat with it.
      if (claim?.sid !== sid || connection._tag !== "Connected" || connection.sid !== sid) return Effect.void
      return Effect.tap(send({ office_id: claim.office_id }), () => Effect.sync(() => claim = undefined))
    })

  return {
    join: (sid, request) =>
      Effect.suspend(() => {
        const before = claim
        claim = { sid, office_id: request.office_id }
        return transport.call(ServerEvent.JoinOffice, request, { timeout }).pipe(
          Effect.andThen(transport.state),
          // What an older session was told says nothing about the one that has followed it.
          Effect.flatMap((connection) =>
            connection._tag === "Connected" && connection.sid !== sid ? Effect.fail(tooLate) : Effect.void
          ),
          Effect.tapError((error) =>
            Effect.sync(() => {
              if (isSettled(error)) claim = before
            })
          )
        )
      }),
    vacate: (sid) => giveUp(sid, (payload) => transport.call(ServerEvent.LeaveOffice, payload, { timeout })),
    release: (sid) => giveUp(sid, (payload) => Effect.ignore(transport.send(ServerEvent.LeaveOffice, payload)))
  }
}

const tooLate = SmcpError.make(
  new SmcpError.ConnectionLost({ outcome: "unknown", message: "The connection was lost during the join" })
)

/** Whether a failed join certainly took no seat: the Server refused it, or nothing was sent. */
export const isSettled = ({ reason }: SmcpError.SmcpError): boolean =>
  SmcpError.isWireError(reason) || reason._tag === "JoinRefused" || reason._tag === "NotConnected" ||
  reason._tag === "PayloadTooLarge"

/** Whether the connection went away, which a new session mends. */
export const isOffline = ({ reason }: SmcpError.SmcpError): boolean =>
  reason._tag === "NotConnected" || reason._tag === "ConnectionLost"

/** Whether the Server said nothing at all. */
export const isSilence = ({ reason }: SmcpError.SmcpError): boolean => reason._tag === "CallTimeout"

/** Whether somebody has the seat or the name, who may be one's own lost session. */
export const isTaken = ({ reason }: SmcpError.SmcpError): boolean =>
  reason._tag === "RoomFull" || reason._tag === "NameConflict" ||
  (reason._tag === "JoinRefused" && takenTexts.some((text) => text.test(reason.message)))

// Up to revision 0.4 a refusal is a text, and each implementation has its own. Close by are texts that say that this
// very session sits elsewhere, which waiting does not mend: "Agent sid already in room", "Agent already in room: R9".
const takenTexts = [
  /\balready (?:exists|registered)\b/i,
  /\broom already has an? (?:agent|computer)\b/i,
  /\bagent already in room$/i
]
