/**
 * The peers of a conformance case: they connect, sit in offices, ask, answer,
 * and tell what they heard.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { Role } from "../../protocol/Office.ts"
import type { Revision } from "../../protocol/Revision.ts"
import * as kit from "./conformanceKit.ts"
import type { Harness, Stage } from "./conformanceKit.ts"
import * as RawFrame from "./rawFrame.ts"
import * as RawPeer from "./rawPeer.ts"

/** A peer in the namespace. */
export interface Actor extends RawPeer.RawPeer {
  /** The id of its Socket.IO session. */
  readonly session: string
  readonly stage: Stage
}

/** A peer that sits in an office. */
export interface Member extends Actor {
  readonly role: Role
  readonly name: string
  readonly office: string
}

/** A request that reached a Computer. */
export interface Request {
  readonly id: number | undefined
  readonly args: ReadonlyArray<unknown>
  readonly text: string
}

// -----------------------------------------------------------------------------
// Connecting
// -----------------------------------------------------------------------------

/** The query that a handshake of this revision carries. */
export const versionQuery = ({ handshake, version }: Revision): Readonly<Record<string, string>> =>
  handshake === "query" ? { a2c_version: version } : {}

/** The `auth` object of the harness. */
export const authOf = ({ apiKey, auth }: Harness): Readonly<Record<string, unknown>> => ({
  ...auth,
  ...(apiKey === undefined ? {} : { token: Redacted.value(apiKey) })
})

/** An Engine.IO session without a namespace. */
export const engine = ({ harness, revision }: Stage, query = versionQuery(revision)) => RawPeer.make(harness, query)

const isOneOf = (...types: ReadonlyArray<string>) => (frame: RawFrame.RawFrame): boolean => types.includes(frame.type)

/** Sends CONNECT and gives the Server's answer. */
export const openNamespace = Effect.fnUntraced(function*(
  peer: RawPeer.RawPeer,
  stage: Stage,
  connect: string = RawFrame.connect(authOf(stage.harness))
) {
  yield* peer.send(connect)
  return yield* peer.take(isOneOf("40", "44"), stage.patience)
})

/** A peer in the namespace for as long as the case lives. */
export const connected = Effect.fnUntraced(function*(stage: Stage) {
  const peer = yield* engine(stage)
  const answer = yield* openNamespace(peer, stage)
  const { sid } = (answer?.data ?? {}) as { readonly sid?: unknown }
  if (answer?.type !== "40" || answer.namespace !== "/smcp" || typeof sid !== "string") {
    return yield* kit.fail("CONNECT is not accepted", "40/smcp,{\"sid\":\"…\"}", answer?.text ?? "nothing")
  }
  const actor: Actor = { ...peer, session: sid, stage }
  return actor
})

// -----------------------------------------------------------------------------
// Asking
// -----------------------------------------------------------------------------

/** Sends an event that wants an acknowledgement; what comes is to be had by the id. */
const send = (actor: Actor, event: string, args: ReadonlyArray<unknown>) => {
  const id = actor.nextId()
  return Effect.as(actor.send(RawFrame.event(id, [event, ...args])), id)
}

/** The arguments of an acknowledgement, or undefined when none comes in so many milliseconds. */
const acknowledgement = (actor: Actor, id: number, millis: number) =>
  Effect.flatMap(
    actor.take((frame) => frame.id === id && (frame.type === "43" || frame.type === "46"), millis),
    (frame) =>
      frame?.type === "46"
        ? kit.fail("The acknowledgement is a binary packet", "43/smcp,…", frame.text)
        : Effect.succeed(frame === undefined ? undefined : RawFrame.argsOf(frame))
  )

/** Sends an event with any arguments; gives those of its acknowledgement, or undefined when none comes. */
export const maybeAsk = Effect.fnUntraced(
  function*(actor: Actor, millis: number, event: string, ...args: ReadonlyArray<unknown>) {
    return yield* acknowledgement(actor, yield* send(actor, event, args), millis)
  }
)

const answered = (event: string, millis: number, args: ReadonlyArray<unknown> | undefined) =>
  args === undefined
    ? kit.fail(`No acknowledgement of ${event} within ${millis / 1000} s`, "43/smcp,…", "nothing")
    : Effect.succeed(args)

/** Sends an event with any arguments and waits for those of its acknowledgement. */
export const ask = Effect.fnUntraced(function*(actor: Actor, event: string, ...args: ReadonlyArray<unknown>) {
  const { patience } = actor.stage
  return yield* answered(event, patience, yield* maybeAsk(actor, patience, event, ...args))
})

/** Sends an event now and waits for its acknowledgement later. */
export const asking = Effect.fnUntraced(function*(actor: Actor, event: string, ...args: ReadonlyArray<unknown>) {
  const id = yield* send(actor, event, args)
  return (millis = actor.stage.patience) =>
    Effect.flatMap(acknowledgement(actor, id, millis), (given) => answered(event, millis, given))
})

/** Sends an event that wants no acknowledgement. */
export const tell = (actor: Actor, event: string, ...args: ReadonlyArray<unknown>) =>
  actor.send(RawFrame.event(undefined, [event, ...args]))

// -----------------------------------------------------------------------------
// Answering
// -----------------------------------------------------------------------------

const isRequest = (event: string) => (frame: RawFrame.RawFrame): boolean =>
  frame.type === "42" && Array.isArray(frame.data) && frame.data[0] === event

/** The next request of this event that reaches a Computer. */
export const nextRequest = Effect.fnUntraced(function*(computer: Actor, event: string) {
  const frame = yield* computer.take(isRequest(event), computer.stage.patience)
  if (frame === undefined) {
    return yield* kit.fail(`${event} does not reach the Computer`, `42/smcp,<id>["${event}",{…}]`, "nothing")
  }
  const request: Request = { id: frame.id, args: RawFrame.argsOf(frame).slice(1), text: frame.text }
  return request
})

/** Acknowledges a request with these arguments. */
export const acknowledge = (computer: Actor, request: Request, ...args: ReadonlyArray<unknown>) =>
  request.id === undefined
    ? kit.fail("The request wants no acknowledgement", "42/smcp,<id>[…]", request.text)
    : computer.send(RawFrame.ack(request.id, args))

// -----------------------------------------------------------------------------
// Offices
// -----------------------------------------------------------------------------

/** Asks for a seat; gives the arguments of the acknowledgement. */
export const join = (actor: Actor, role: Role, name: string, office: string) =>
  ask(actor, "server:join_office", { office_id: office, role, name })

/** Asks to leave; gives the arguments of the acknowledgement. */
export const leave = (actor: Actor, office: string) => ask(actor, "server:leave_office", { office_id: office })

/** Fails unless the acknowledgement says that a join or a leave succeeded, in the form of the revision. */
export const expectOk = ({ revision }: Stage, what: string, args: ReadonlyArray<unknown>) =>
  kit.hasStrictRooms(revision) && args.length === 1 && args[0] === null
    ? Effect.void
    : kit.expectAck(what, args, kit.hasStrictRooms(revision) ? [] : [true, null])

/** Fails unless the acknowledgement refuses a join or a leave, in the form of the revision. */
export const expectRefused = Effect.fnUntraced(function*(
  { revision }: Stage,
  what: string,
  args: ReadonlyArray<unknown>,
  code: number,
  details?: Readonly<Record<string, unknown>>
) {
  if (kit.hasStrictRooms(revision)) return yield* kit.expectFlatError(what, args, code, details)
  const isRefusal = args.length === 2 && args[0] === false && typeof args[1] === "string"
  yield* kit.ensure(
    isRefusal,
    `${what} is not refused`,
    RawFrame.ack(0, [false, "<text>"]),
    RawFrame.ack(0, args)
  )
  return { message: args[1] }
})

/** A new peer that sits in an office. */
export const seated = Effect.fnUntraced(function*(
  stage: Stage,
  role: Role,
  office: string,
  name: string = stage.fresh(role)
) {
  const actor = yield* connected(stage)
  yield* expectOk(stage, `A join as ${role}`, yield* join(actor, role, name, office))
  const member: Member = { ...actor, role, name, office }
  return member
})

/** An Agent and a Computer in an office of their own; neither has anything unread. */
export const pair = Effect.fnUntraced(function*(stage: Stage, office: string = stage.fresh("office")) {
  const agent = yield* seated(stage, "agent", office)
  const computer = yield* seated(stage, "computer", office)
  yield* forget(agent, computer)
  return { agent, computer, office }
})

/** Who sits in an office, as one of its members is told. */
export const membersOf = Effect.fnUntraced(function*(member: Actor, office: string) {
  const answer = yield* kit.expectObject(
    "server:list_room",
    yield* ask(member, "server:list_room", { agent: "conformance", req_id: "members", office_id: office })
  )
  const { sessions } = answer
  if (!Array.isArray(sessions)) {
    return yield* kit.fail("server:list_room has no list of sessions", "sessions: […]", kit.show(answer))
  }
  return sessions as ReadonlyArray<Readonly<Record<string, unknown>>>
})

/** Fails unless exactly these sit in the office. */
export const expectMembers = Effect.fnUntraced(function*(
  witness: Actor,
  office: string,
  expected: ReadonlyArray<{ readonly session: string; readonly name: string; readonly role: Role }>
) {
  const listed = (yield* membersOf(witness, office)).map(({ name, role, sid }) => ({ sid, name, role }))
  const wanted = expected.map(({ name, role, session }) => ({ sid: session, name, role }))
  const inOrder = (some: ReadonlyArray<unknown>) => some.map(RawFrame.canonicalJson).sort()
  yield* kit.ensure(
    RawFrame.canonicalJson(inOrder(listed)) === RawFrame.canonicalJson(inOrder(wanted)),
    "Other members sit in the office",
    kit.show(wanted),
    kit.show(listed)
  )
})

// -----------------------------------------------------------------------------
// Hearing
// -----------------------------------------------------------------------------

/** A notification as it is to be heard. */
export type Notification = readonly [event: `notify:${string}`, payload: Readonly<Record<string, unknown>>]

const isNotification = ({ data, type }: RawFrame.RawFrame): boolean =>
  type === "42" && Array.isArray(data) && String(data[0]).startsWith("notify:")

/** Whether a notification is about another case: where a Server tells too much, only the case that caused it says so. */
const isOfAnotherCase = ({ stage }: Actor, { text }: RawFrame.RawFrame): boolean =>
  kit.mentionsCase(text) && !text.includes(stage.prefix)

/**
 * Ends when everything that the Server said to the peer before has come in: it asks something that changes nothing, and
 * the answer comes last.
 */
const catchUp = (actor: Actor | Member) =>
  "office" in actor
    ? ask(actor, "server:list_room", { agent: "conformance", req_id: "catch-up", office_id: actor.office })
    : ask(actor, "server:leave_office", { office_id: actor.stage.fresh("nowhere") })

/** What a peer has heard and nobody has looked at, once everything has come in. */
export const heard = Effect.fnUntraced(function*(actor: Actor | Member) {
  yield* catchUp(actor)
  return actor.drain(isNotification).filter((frame) => !isOfAnotherCase(actor, frame))
})

/** Drops what the peers have heard so far. */
export const forget = (...actors: ReadonlyArray<Actor | Member>) => Effect.forEach(actors, heard, { discard: true })

/** Fails unless the peer has heard exactly these, in this order, since the last time. */
export const expectHeard = Effect.fnUntraced(function*(
  actor: Actor | Member,
  who: string,
  ...expected: ReadonlyArray<Notification>
) {
  const frames: Array<RawFrame.RawFrame> = []
  // A Server may acknowledge first and notify then: what has to come may take its time.
  for (const _ of expected) {
    const frame = yield* actor.take(
      (frame) => isNotification(frame) && !isOfAnotherCase(actor, frame),
      actor.stage.patience
    )
    if (frame !== undefined) frames.push(frame)
  }
  frames.push(...yield* heard(actor))
  const actual = frames.map(({ text }) => RawFrame.canonical(text))
  const wanted = expected.map((notification) => RawFrame.canonical(RawFrame.event(undefined, notification)))
  yield* kit.ensure(
    RawFrame.canonicalJson(actual) === RawFrame.canonicalJson(wanted),
    `${who} hears something else`,
    wanted.join(" ") || "nothing",
    actual.join(" ") || "nothing"
  )
})

/** Fails if one of the peers has heard anything since the last time. */
export const expectSilence = (who: string, ...actors: ReadonlyArray<Actor | Member>) =>
  Effect.forEach(actors, (actor) => expectHeard(actor, who), { discard: true })
