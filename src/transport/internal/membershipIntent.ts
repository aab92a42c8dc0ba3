/**
 * What a client means to sit in, and how that and its connection look as one
 * state. Pure: whatever comes late, the state follows from what holds now.
 */
import type { EnterOfficeReq } from "../../protocol/Office.ts"
import type { SmcpError } from "../../protocol/SmcpError.ts"
import type { MembershipState, Seat } from "../Membership.ts"
import type { ConnectionState } from "../Transport.ts"

/** What the client means. A request is the same one as long as it is the same object. */
export type Intent =
  | { readonly _tag: "None" }
  /** A join was confirmed and the seat is to be kept. */
  | {
    readonly _tag: "Kept"
    readonly request: EnterOfficeReq
    /** The session that holds the seat; undefined when none is known to. */
    readonly holder: string | undefined
    /** The last attempt to take it again, and the session that made it. */
    readonly tried: { readonly sid: string; readonly attempt: number } | undefined
  }
  /** This session could not take the seat again; if that is not `final`, the next one tries. */
  | {
    readonly _tag: "GivenUp"
    readonly request: EnterOfficeReq
    readonly sid: string
    readonly why: SmcpError
    readonly final: boolean
  }

export const none: Intent = { _tag: "None" }

export const kept = (request: EnterOfficeReq, holder: string | undefined): Intent => ({
  _tag: "Kept",
  request,
  holder,
  tried: undefined
})

/** What is known of the connection and of the seat. */
export interface Model {
  readonly connection: ConnectionState
  readonly intent: Intent
}

/** A seat that a session has to take again. */
export interface Target {
  readonly sid: string
  readonly request: EnterOfficeReq
}

export const targetOf = ({ connection, intent }: Model): Target | undefined =>
  connection._tag === "Connected" && intent._tag !== "None" && isOpenTo(connection.sid, intent)
    ? { sid: connection.sid, request: intent.request }
    : undefined

const isOpenTo = (sid: string, intent: Exclude<Intent, { readonly _tag: "None" }>): boolean =>
  intent._tag === "Kept" ? intent.holder !== sid : !intent.final && intent.sid !== sid

/** The one state that users see. */
export const view = ({ connection, intent }: Model): MembershipState => {
  switch (connection._tag) {
    case "Connecting":
      return connection
    case "Disconnected":
      return { _tag: "Disconnected", reason: connection.reason, final: false, error: undefined }
    case "Closed": {
      const { error } = connection
      return { _tag: "Disconnected", reason: error?.message ?? "closed from this side", final: true, error }
    }
    case "Connected":
      return viewOf(connection.sid, intent)
  }
}

const viewOf = (sid: string, intent: Intent): MembershipState => {
  if (intent._tag === "None") return { _tag: "Connected", sid }
  const seat = seatOf(intent.request)
  // What another session had or tried says nothing about this one.
  if (intent._tag === "GivenUp") {
    if (intent.sid === sid) return { _tag: "Lost", ...seat, sid, why: intent.why, final: intent.final }
    return intent.final ? { _tag: "Connected", sid } : { _tag: "Rejoining", ...seat, sid, attempt: 1 }
  }
  if (intent.holder === sid) return { _tag: "Joined", ...seat, sid }
  return { _tag: "Rejoining", ...seat, sid, attempt: intent.tried?.sid === sid ? intent.tried.attempt : 1 }
}

const seatOf = ({ name, office_id, role }: EnterOfficeReq): Seat => ({ office: office_id, role, name })
