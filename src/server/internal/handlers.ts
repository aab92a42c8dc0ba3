/**
 * What the Server does with each event (specification, events).
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Ack from "../../protocol/Ack.ts"
import * as ClientEvent from "../../protocol/ClientEvent.ts"
import * as NotifyEvent from "../../protocol/NotifyEvent.ts"
import type { ListRoomRet, OfficeNotification } from "../../protocol/Office.ts"
import type { Revision } from "../../protocol/Revision.ts"
import * as ServerEvent from "../../protocol/ServerEvent.ts"
import * as SmcpError from "../../protocol/SmcpError.ts"
import * as WireError from "../../protocol/WireError.ts"
import type { Carried, Connection, Reply, ServerTransport } from "../../transport/ServerTransport.ts"
import type { Member, Session, SessionStore } from "../SessionStore.ts"
import * as relay from "./relay.ts"

type Handler = (connection: Connection, payload: Carried) => Effect.Effect<Reply>
/** A change of who sits where; how it is acknowledged depends on the revision. */
type Change = (connection: Connection, payload: Carried) => Effect.Effect<void, SmcpError.SmcpError>

const emptyReply: Reply = { args: Ack.empty }
const nothing = Effect.succeed(emptyReply)

// Prefixed, so that no office can be confused with a session's own room.
const roomOf = (officeId: string): string => `office:${officeId}`

/** Makes the handlers over a transport and a store. */
export const make = (options: {
  readonly transport: ServerTransport["Service"]
  readonly store: SessionStore["Service"]
  readonly connections: ReadonlyMap<string, Connection>
  readonly deadlines: relay.Deadlines
}) => {
  const { store, transport } = options
  const sayRevision = transport.revisions.length > 1

  const announce = (event: typeof NotifyEvent.EnterOffice | typeof NotifyEvent.LeaveOffice, member: Member) => {
    const verb = event === NotifyEvent.EnterOffice ? "entered" : "left"
    // Names are the peers' own texts: quoted, they cannot pass for lines of this log.
    const [name, office] = [JSON.stringify(member.name), JSON.stringify(member.officeId)]
    const speaks = sayRevision ? `, protocol ${member.revision.id}` : ""
    return Effect.andThen(
      Effect.logInfo(`The ${member.role} ${name} ${verb} office ${office}${speaks}`),
      transport.broadcast(roomOf(member.officeId), event, notificationOf(member), { except: member.sid })
    )
  }

  const depart = (connection: Connection, left: Member | undefined): Effect.Effect<void> =>
    left === undefined
      ? Effect.void
      : announce(NotifyEvent.LeaveOffice, left).pipe(
        Effect.andThen(connection.leave(roomOf(left.officeId))),
        // Whoever waits for an answer of this member shares no office with it any more.
        Effect.andThen(connection.dropCalls)
      )

  const join: Change = (connection, payload) =>
    decodeJoin(payload.value).pipe(
      Effect.mapError((error) => badRequest(ServerEvent.JoinOffice, error)),
      Effect.flatMap((request) => store.enter(connection.sid, request)),
      Effect.flatMap((entered) =>
        entered._tag === "AlreadyThere" ? Effect.void : depart(connection, entered.left).pipe(
          Effect.andThen(connection.join(roomOf(entered.member.officeId))),
          Effect.andThen(announce(NotifyEvent.EnterOffice, entered.member))
        )
      )
    )

  const leave: Change = (connection, payload) =>
    decodeLeave(payload.value).pipe(
      Effect.mapError((error) => badRequest(ServerEvent.LeaveOffice, error)),
      Effect.flatMap(() => store.leave(connection.sid)),
      Effect.flatMap((left) => depart(connection, left))
    )

  const listRoom: Handler = Effect.fnUntraced(
    function*(connection, payload) {
      const request = yield* decodeListRoom(payload.value)
      const session = yield* store.get(connection.sid)
      if (session?.officeId === undefined) return relay.refuse(new WireError.NotInRoom({}))
      if (session.officeId !== request.office_id) {
        return relay.refuse(new WireError.CrossRoomAccess({ officeId: request.office_id }))
      }
      const members = yield* store.members(session.officeId)
      const answer: ListRoomRet = { sessions: members.map(infoOf), req_id: request.req_id }
      return { args: Ack.value(answer) }
    },
    (effect) =>
      Effect.catch(effect, (error) => Effect.succeed(relay.refuse(relay.badRequest(ServerEvent.ListRoom.name, error))))
  )

  /**
   * Passes an event on to the sender's office as a notification. Whoever sends it comes from the session, never from
   * the payload. Nobody waits for these events, so what is malformed or not the sender's to say is dropped with a log
   * line; a peer that asked for an acknowledgement gets the empty one.
   */
  const passOn = <E extends ServerEvent.ServerEvent, N extends NotifyEvent.NotifyEvent>(
    event: E,
    notification: N,
    payloadOf: (member: Member, payload: E["payload"]["Type"]) => N["payload"]["Type"]
  ): Handler => {
    const decode = Schema.decodeUnknownEffect(event.payload)
    const handle = Effect.fnUntraced(function*(connection: Connection, payload: Carried) {
      const decoded: E["payload"]["Type"] = yield* decode(payload.value) as Effect.Effect<unknown, Schema.SchemaError>
      const session = yield* store.get(connection.sid)
      if (session === undefined || !isSender(session, event)) {
        yield* Effect.logDebug(`Dropped ${event.name} of session ${connection.sid}: not sent by a member that may`)
        return
      }
      const room = roomOf(session.officeId)
      yield* transport.broadcast(room, notification, payloadOf(session, decoded), { except: session.sid })
    })
    return (connection, payload) =>
      handle(connection, payload).pipe(
        Effect.catch((error: Schema.SchemaError) =>
          Effect.logDebug(`Dropped a malformed ${event.name}: ${error.message}`)
        ),
        Effect.as(emptyReply)
      )
  }

  const cancel = passOn(
    ServerEvent.ToolCallCancel,
    NotifyEvent.ToolCallCancel,
    (member, { req_id }) => ({ agent: member.name, req_id })
  )

  /** What the Server does in one revision: its events, and its forms of acknowledgements. */
  const tableOf = (revision: Revision): ReadonlyMap<string, Handler> => {
    const membershipOk: Reply = { args: Ack.membershipOk(revision) }
    const membershipRefused = (error: SmcpError.SmcpError): Reply => ({ args: Ack.membershipRefused(revision, error) })

    // A peer that goes in the middle must not take half of a change with it: the store and the office would disagree.
    const wholly = (change: Change): Handler => (connection, payload) =>
      Effect.uninterruptible(
        Effect.match(change(connection, payload), { onFailure: membershipRefused, onSuccess: () => membershipOk })
      )

    const failedReply = (event: Ack.AckedEvent): Reply => {
      if (event === ClientEvent.ToolCall) return { args: Ack.toolCallRefused(revision, internalError) }
      if (event.ack === "membership") return membershipRefused(internalError)
      return event.ack === "value" ? { args: Ack.failure(internalError) } : emptyReply
    }

    /** An entry of the table: whatever goes wrong inside, the peer is answered and learns nothing of it. */
    const entry = (event: Ack.AckedEvent, handler: Handler): readonly [name: string, handler: Handler] => {
      const failed = failedReply(event)
      return [
        event.name,
        (connection, payload) =>
          Effect.catchDefect(
            handler(connection, payload),
            (defect) => Effect.as(Effect.logError(`${event.name} failed`, Cause.die(defect)), failed)
          )
      ]
    }

    const relayed = relay.make({ ...options, revision })
    return new Map<string, Handler>([
      entry(ServerEvent.JoinOffice, wholly(join)),
      entry(ServerEvent.LeaveOffice, wholly(leave)),
      entry(ServerEvent.ListRoom, listRoom),
      entry(ServerEvent.ToolCallCancel, cancel),
      ...ServerEvent.inRevision(revision).filter(isUpdate).map((event) =>
        entry(event, passOn(event, NotifyEvent.ofUpdate[event.name], (member) => ({ computer: member.name })))
      ),
      ...ClientEvent.inRevision(revision).map((event) =>
        entry(event, (connection, payload) => relayed(event.name, connection, payload))
      )
    ])
  }
  const tables = new Map(transport.revisions.map((revision) => [revision.id, tableOf(revision)]))

  return {
    /** One received event; an unknown one is answered with nothing. */
    receive: (connection: Connection, event: string, payload: Carried): Effect.Effect<Reply> =>
      tables.get(connection.revision.id)!.get(event)?.(connection, payload) ?? nothing,
    /** The peer is gone. */
    vacate: (connection: Connection): Effect.Effect<void> =>
      Effect.flatMap(store.close(connection.sid), (left) => depart(connection, left))
  }
}

const internalError = SmcpError.make(new WireError.InternalError({}))

const decodeJoin = Schema.decodeUnknownEffect(ServerEvent.JoinOffice.payload)
const decodeLeave = Schema.decodeUnknownEffect(ServerEvent.LeaveOffice.payload)
const decodeListRoom = Schema.decodeUnknownEffect(ServerEvent.ListRoom.payload)

type UpdateEvent = Extract<(typeof ServerEvent.all)[number], { readonly name: `server:update_${string}` }>
const isUpdate = (event: ServerEvent.ServerEvent): event is UpdateEvent => event.name in NotifyEvent.ofUpdate

const isSender = (session: Session, event: ServerEvent.ServerEvent): session is Member =>
  session.officeId !== undefined && session.role !== undefined && event.senders.includes(session.role)

const badRequest = (event: ServerEvent.ServerEvent, error: Schema.SchemaError): SmcpError.SmcpError =>
  SmcpError.make(new WireError.BadRequest({ message: `Invalid ${event.name} payload: ${error.message}` }))

const notificationOf = ({ name, officeId, role }: Member): OfficeNotification =>
  role === "computer" ? { office_id: officeId, computer: name } : { office_id: officeId, agent: name }

const infoOf = ({ name, officeId, role, sid, version }: Member): ListRoomRet["sessions"][number] => ({
  sid,
  name,
  role,
  office_id: officeId,
  ...(version === undefined ? {} : { a2c_version: version })
})
