/**
 * Who is connected, and who sits in which office. Every change is one atomic
 * step: checks come before effects, and a refused change leaves everything as
 * it was (specification, room model).
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { EnterOfficeReq, Role } from "../protocol/Office.ts"
import type { Revision } from "../protocol/Revision.ts"
import * as SmcpError from "../protocol/SmcpError.ts"
import * as admission from "./internal/admission.ts"

/** One connection as the Server knows it. Immutable; a change makes a new one. */
export interface Session {
  readonly sid: string
  /** What its peer speaks. */
  readonly revision: Revision
  /** `a2c_version` of the handshake; undefined when it carried none. */
  readonly version: string | undefined
  /** Fixed by the first join for as long as the connection lasts. */
  readonly role: Role | undefined
  /** Fixed while the session sits in an office. */
  readonly name: string | undefined
  readonly officeId: string | undefined
}

/** A session that sits in an office. */
export type Member = Session & { readonly role: Role; readonly name: string; readonly officeId: string }

/** What a join did. */
export type Entered =
  /** The session sat there already: nothing changed and nobody needs to hear of it. */
  | { readonly _tag: "AlreadyThere" }
  /** The session took a seat; `left` is the office it gave up for it. */
  | { readonly _tag: "Entered"; readonly member: Member; readonly left: Member | undefined }

/** How many there are. */
export interface Counts {
  readonly sessions: number
  readonly offices: number
  readonly agents: number
  readonly computers: number
}

/** The sessions and offices of one Server. */
export class SessionStore extends Context.Service<SessionStore, {
  /** A peer connected. */
  readonly open: (sid: string, revision: Revision, version: string | undefined) => Effect.Effect<void>
  /** A peer is gone: gives up its seat and forgets it. Returns the seat it had. */
  readonly close: (sid: string) => Effect.Effect<Member | undefined>
  readonly get: (sid: string) => Effect.Effect<Session | undefined>
  /**
   * Takes a seat by the rules of the session's revision. An office is of the revision of the first who sits down in it,
   * until nobody sits there any more; sessions of other revisions are refused with `Forbidden`.
   */
  readonly enter: (sid: string, request: EnterOfficeReq) => Effect.Effect<Entered, SmcpError.SmcpError>
  /** Gives up the seat, if there is one. Returns it. */
  readonly leave: (sid: string) => Effect.Effect<Member | undefined>
  /** The session with this name in this role in this office. */
  readonly find: (officeId: string, role: Role, name: string) => Effect.Effect<string | undefined>
  /** Everyone in an office: the Agent first, then the Computers in the order they came. */
  readonly members: (officeId: string) => Effect.Effect<ReadonlyArray<Member>>
  readonly counts: Effect.Effect<Counts>
}>()("a2c-smcp/server/SessionStore") {}

/** Keeps everything in this process. */
export const layerMemory: Layer.Layer<SessionStore> = Layer.sync(SessionStore, () => {
  const sessions = new Map<string, Session>()
  const offices = new Map<string, admission.Office>()

  const vacate = (session: Session): Member | undefined => {
    if (!isMember(session)) return undefined
    const office = offices.get(session.officeId)!
    office[session.role].delete(session.name)
    if (office.agent.size + office.computer.size === 0) offices.delete(session.officeId)
    return session
  }

  const seat = (session: Session, request: EnterOfficeReq): Member => {
    const member: Member = { ...session, role: request.role, name: request.name, officeId: request.office_id }
    const office = offices.get(member.officeId) ?? admission.emptyOffice(member.revision)
    offices.set(member.officeId, office)
    office[member.role].set(member.name, member.sid)
    sessions.set(member.sid, member)
    return member
  }

  return SessionStore.of({
    open: (sid, revision, version) =>
      Effect.sync(() => {
        sessions.set(sid, { sid, revision, version, role: undefined, name: undefined, officeId: undefined })
      }),
    close: (sid) =>
      Effect.sync(() => {
        const session = sessions.get(sid)
        sessions.delete(sid)
        return session && vacate(session)
      }),
    get: (sid) => Effect.sync(() => sessions.get(sid)),
    enter: (sid, request) =>
      Effect.suspend((): Effect.Effect<Entered, SmcpError.SmcpError> => {
        const session = sessions.get(sid)
        if (session === undefined) return gone
        if (admission.isSeated(session, request)) return alreadyThere
        const refusal = admission.refusal(session, request, offices.get(request.office_id))
        if (refusal !== undefined) return Effect.fail(SmcpError.make(refusal))
        const left = vacate(session)
        return Effect.succeed({ _tag: "Entered", member: seat(session, request), left })
      }),
    leave: (sid) =>
      Effect.sync(() => {
        const session = sessions.get(sid)
        const left = session && vacate(session)
        if (left !== undefined) sessions.set(sid, { ...left, name: undefined, officeId: undefined })
        return left
      }),
    find: (officeId, role, name) => Effect.sync(() => offices.get(officeId)?.[role].get(name)),
    members: (officeId) =>
      Effect.sync(() => {
        const office = offices.get(officeId)
        if (office === undefined) return []
        return [...office.agent.values(), ...office.computer.values()].map((sid) => sessions.get(sid) as Member)
      }),
    counts: Effect.sync(() => {
      const seats = (role: Role) => Array.from(offices.values()).reduce((total, office) => total + office[role].size, 0)
      return {
        sessions: sessions.size,
        offices: offices.size,
        agents: seats("agent"),
        computers: seats("computer")
      }
    })
  })
})

const isMember = (session: Session): session is Member => session.officeId !== undefined

const alreadyThere = Effect.succeed<Entered>({ _tag: "AlreadyThere" })

const gone = Effect.fail(SmcpError.make(new SmcpError.NotConnected({ message: "The session is gone" })))
