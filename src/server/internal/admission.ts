/**
 * Who may take which seat: the rules of offices, pure (specification, room
 * model; what differs between revisions comes from the revision).
 */
import type { EnterOfficeReq, Role } from "../../protocol/Office.ts"
import type { Revision } from "../../protocol/Revision.ts"
import type { Reason } from "../../protocol/SmcpError.ts"
import * as WireError from "../../protocol/WireError.ts"
import type { Session } from "../SessionStore.ts"

/** The taken seats of an office: session id by name, for each role. Everyone in it speaks its revision. */
export interface Office extends Readonly<Record<Role, Map<string, string>>> {
  readonly revision: Revision
}

/** An office nobody sits in yet; its first member speaks this revision. */
export const emptyOffice = (revision: Revision): Office => ({ revision, agent: new Map(), computer: new Map() })

/** Whether the session already sits exactly where it asks to sit. */
export const isSeated = (session: Session, request: EnterOfficeReq): boolean =>
  session.officeId === request.office_id && session.role === request.role && session.name === request.name

/** Why the session may not take the seat; undefined when it may. */
export const refusal = (
  session: Session,
  request: EnterOfficeReq,
  office: Office | undefined
): Reason | undefined => {
  const { name, office_id: officeId, role } = request
  if (session.role !== undefined && session.role !== role) {
    return new WireError.Forbidden({ message: `Role mismatch: this session is ${article(session.role)}` })
  }
  if (session.officeId !== undefined && session.name !== name) {
    return new WireError.Forbidden({ message: "Name mismatch: leave the office before joining under another name" })
  }
  if (role === "agent" && session.officeId !== undefined) {
    return new WireError.AlreadyInRoom({ officeId: session.officeId })
  }
  if (office === undefined) return undefined
  if (office.revision.id !== session.revision.id) return otherRevision(office.revision, session.revision)
  if (role === "agent") {
    return office.agent.size > 0
      ? new WireError.RoomFull({ message: "Room already has an agent", officeId, role })
      : undefined
  }
  if (office.computer.size >= office.revision.computersPerOffice) {
    return new WireError.RoomFull({ message: "Room already has a computer", officeId, role })
  }
  return office.computer.has(name)
    ? new WireError.RoomFull({
      message: `A computer with the name '${name}' already exists in this office`,
      officeId,
      role
    })
    : undefined
}

const otherRevision = (office: Revision, own: Revision) =>
  new WireError.Forbidden({
    message: `This office speaks protocol ${office.id} for as long as anyone sits in it, and this session ${own.id}`
  })

const article = (role: Role): string => role === "agent" ? "an agent" : "a computer"
