/**
 * Runs commands against the real Server and compares what it shows with what
 * the model of the rules expects, after every step.
 */
import { Arbitrary, Array as Arr, Cause, Deferred, Effect, Exit, type Fiber } from "effect"
import { isDeepStrictEqual } from "node:util"
import { revisions } from "../../../src/protocol/Revision.ts"
import * as officeCommands from "./officeCommands.ts"
import * as rules from "./officeRules.ts"
import { clientPayload, type Heard, type OfficeServer, type Options, type Peer, start } from "./officeServer.ts"

/** How the Server differs from the model. */
export interface Mismatch {
  readonly command: officeCommands.Command
  readonly state: rules.State
  readonly expected: ReadonlyArray<unknown>
  readonly actual: unknown
}

/** Sequences of commands; shrinks to fewer and simpler ones. */
export const commands: Arbitrary.Arbitrary<ReadonlyArray<officeCommands.Command>> = Arbitrary.array(
  Arbitrary.schema(officeCommands.Command),
  { maxLength: 60 }
)

/** What was seen over all runs: steps and, by label, how often each thing happened. */
export interface Tally {
  steps: number
  readonly labels: Map<string, number>
}

export const newTally = (): Tally => ({ steps: 0, labels: new Map() })

/** The revisions of the Server, and with them those of its peers; the newest first. */
export type Spoken = readonly [rules.Speaks, ...ReadonlyArray<rules.Speaks>]

/** Fails with the first difference between the Server and the model. */
export const follow = Effect.fnUntraced(function*(
  spoken: Spoken,
  sequence: ReadonlyArray<officeCommands.Command>,
  options: Options = {},
  tally: Tally = newTally()
) {
  const office = yield* start({ ...options, revisions: Arr.map(spoken, (id) => revisions[id]) })
  const peers: Array<Peer | undefined> = []
  const sessions: Array<rules.Session> = []
  for (let slot = 0; slot < officeCommands.SLOTS; slot++) {
    // in pairs, so that there are peers that can meet
    const speaks = rules.speaksOf(spoken, Math.floor(slot / 2))
    const peer = yield* connect(office, slot, speaks)
    peers.push(peer)
    sessions.push({ sid: peer.sid, speaks })
  }
  let state = rules.initial(sessions)
  for (const given of sequence) {
    const command = rules.aim(state, given)
    const before = [...peers]
    const acks = yield* perform(office, peers, state, command, spoken)
    yield* office.hub.settled
    const actual = { ...show(peers, before, acks), members: yield* seated(office, state, peers) }
    const outcomes = rules.step(state, command, spoken)
      .map((outcome) => ({ outcome, after: withSids(outcome.state, peers) }))
    const expected = outcomes.map(({ after, outcome }) => ({ ...shown(outcome), members: expectedSeats(after) }))
    const index = expected.findIndex((one) => isDeepStrictEqual(one, actual))
    if (index < 0) return yield* Effect.fail<Mismatch>({ command, state, expected, actual })
    state = outcomes[index]!.after
    const { label } = outcomes[index]!.outcome
    tally.steps++
    tally.labels.set(label, (tally.labels.get(label) ?? 0) + 1)
  }
  return true
})

/** {@link follow} as a property: every failure is one that shrinks. */
export const property = (spoken: Spoken, options?: Options, tally?: Tally) =>
(
  sequence: ReadonlyArray<officeCommands.Command>
) =>
  Effect.scoped(follow(spoken, sequence, options, tally)).pipe(
    Effect.catchDefect((defect) => Effect.fail(Cause.pretty(Cause.die(defect))))
  )

// -----------------------------------------------------------------------------
// Internal
// -----------------------------------------------------------------------------

const connect = (office: OfficeServer, slot: number, speaks: rules.Speaks) =>
  Effect.map(office.connect({ version: (rules.rulesOf[speaks] as rules.Rules).version ?? "" }), (peer) => {
    peer.answer = (event) => Effect.succeed(rules.echo(slot, event))
    return peer
  })

type Pending = Map<number, Fiber.Fiber<rules.Ack, unknown>>

/** Does what a command says; the acknowledgements may still be on their way. */
const perform = Effect.fnUntraced(function*(
  office: OfficeServer,
  peers: Array<Peer | undefined>,
  state: rules.State,
  command: officeCommands.Command,
  spoken: Spoken
) {
  const acks: Pending = new Map()
  const { slot } = command
  const peer = peers[slot]
  if (command._tag === "Connect") {
    if (peer !== undefined) yield* peer.lose
    yield* office.hub.settled
    peers[slot] = yield* connect(office, slot, rules.speaksOf(spoken, command.speaks))
    return acks
  }
  if (peer === undefined) return acks
  const send = Effect.fnUntraced(function*(event: string, payload: unknown, acked: boolean, from = slot) {
    if (acked) acks.set(from, yield* peers[from]!.asking(event, payload))
    else yield* peers[from]!.tell(event, payload)
  })
  const idOf = (id: string) => (id === "sid" ? state.sessions[0]?.sid ?? "sid" : id)
  const join = (role: string, name: string, id: string) => ({ role, name, office_id: idOf(id) })
  switch (command._tag) {
    case "Join":
      yield* send("server:join_office", join(command.role, command.name, command.office), command.acked)
      break
    case "JoinAgain": {
      const { name = "x", office: id = "R1", role = "computer" } = state.sessions[slot]!
      yield* send("server:join_office", join(role, name, id), command.acked)
      break
    }
    case "JoinBoth": {
      const { name, office: id, other, otherName, role } = command
      yield* send("server:join_office", join(role, name, id), true)
      if (other !== slot && peers[other] !== undefined) {
        yield* send("server:join_office", join(role, otherName, id), true, other)
      }
      break
    }
    case "JoinMalformed": {
      const { [command.missing]: _missing, ...rest } = join("agent", "x", "R1")
      yield* send("server:join_office", rest, true)
      break
    }
    case "Leave":
      yield* send("server:leave_office", { office_id: idOf(command.office) }, command.acked)
      break
    case "Disconnect":
      yield* command.how === "closes" ? peer.close : peer.lose
      peers[slot] = undefined
      break
    case "List":
      yield* send("server:list_room", { agent: "who", req_id: "list", office_id: idOf(command.office) }, true)
      break
    case "Call":
      yield* send(command.event, clientPayload(command.computer), true)
      break
    case "CallOfOneThatGoes":
    case "CallByOneThatGoes":
      yield* callAndGo(office, peers, command, send(command.event, clientPayload(command.computer), true))
      if (command._tag === "CallByOneThatGoes" && peers[slot] === undefined) acks.delete(slot)
      break
    case "Update":
      yield* send(`server:update_${command.what}`, { computer: command.name }, command.acked)
      break
    case "Cancel":
      yield* send("server:tool_call_cancel", { agent: command.name, req_id: "c1" }, command.acked)
      break
  }
  return acks
})

/** A call during which one of the two goes away; the Computer's answer comes too late. */
const callAndGo = Effect.fnUntraced(function*(
  office: OfficeServer,
  peers: Array<Peer | undefined>,
  command: officeCommands.Command & { readonly _tag: "CallOfOneThatGoes" | "CallByOneThatGoes" },
  call: Effect.Effect<void>
) {
  const arrived = yield* Deferred.make<number>()
  const release = yield* Deferred.make<void>()
  peers.forEach((peer, slot) => {
    if (peer === undefined) return
    peer.answer = (event) =>
      Deferred.succeed(arrived, slot).pipe(
        Effect.andThen(Deferred.await(release)),
        Effect.as(rules.echo(slot, event))
      )
  })
  yield* call
  const target = yield* Effect.raceFirst(Deferred.await(arrived), Effect.as(office.hub.settled, undefined))
  if (target !== undefined) {
    const goes = command._tag === "CallByOneThatGoes" ? command.slot : target
    const peer = peers[goes]!
    const how = command._tag === "CallByOneThatGoes" ? "is lost" : command.how
    if (how === "leaves") yield* peer.tell("server:leave_office", { office_id: "R1" })
    else {
      yield* how === "closes" ? peer.close : peer.lose
      peers[goes] = undefined
    }
  }
  yield* Deferred.succeed(release, undefined)
  peers.forEach((peer, slot) => {
    if (peer !== undefined) peer.answer = (event) => Effect.succeed(rules.echo(slot, event))
  })
})

/** What was shown, texts replaced; a text that gives away a session id stays. */
const show = (
  peers: ReadonlyArray<Peer | undefined>,
  before: ReadonlyArray<Peer | undefined>,
  acks: Pending
) => {
  const sids = peers.flatMap((peer) => peer === undefined ? [] : [peer.sid])
  const result: Record<number, unknown> = {}
  for (const [slot, fiber] of acks) result[slot] = ackOf(fiber, sids)
  // one that went during the command was asked all the same
  const routed = before.flatMap((peer, slot) => peer?.asked.splice(0).map(({ args }) => ({ slot, args })) ?? [])
  return {
    acks: result,
    heard: Object.fromEntries(peers.flatMap((peer, slot) => {
      const news = peer?.takeHeard() ?? []
      return news.length === 0 ? [] : [[slot, news.map(({ event, payload }: Heard) => [event, payload])]]
    })),
    routed: routed.length === 1 && isDeepStrictEqual(routed[0]!.args, [clientPayload(nameOf(routed[0]!.args))])
      ? routed[0]!.slot
      : routed.length === 0
      ? undefined
      : routed
  }
}

const nameOf = (args: rules.Ack): string => (args[0] as { readonly computer: string }).computer

const ackOf = (fiber: Fiber.Fiber<rules.Ack, unknown>, sids: ReadonlyArray<string>): unknown => {
  const exit = fiber.pollUnsafe()
  if (exit === undefined) return "no acknowledgement"
  if (Exit.isFailure(exit)) return Cause.pretty(exit.cause)
  const text = (value: unknown) =>
    typeof value === "string" && value !== "" && !sids.some((sid) => value.includes(sid)) ? rules.TEXT : value
  const [first, second] = exit.value
  if (first === false) return [false, text(second), ...exit.value.slice(2)]
  if (typeof first === "object" && first !== null && "code" in first && "message" in first) {
    return [{ ...first, message: text(first.message) }, ...exit.value.slice(1)]
  }
  if (typeof first === "object" && first !== null && "content" in first) {
    const content = (first.content as ReadonlyArray<{ readonly text: string }>).map((part) => ({
      ...part,
      text: text(part.text)
    }))
    return [{ ...first, content }, ...exit.value.slice(1)]
  }
  return exit.value
}

const shown = ({ acks, heard, routed }: rules.Outcome) => ({ acks, heard, routed })

const withSids = (state: rules.State, peers: ReadonlyArray<Peer | undefined>): rules.State => ({
  ...state,
  sessions: state.sessions.map((session, slot) =>
    session === undefined ? undefined : { ...session, sid: peers[slot]?.sid ?? "gone" }
  )
})

const officesOf = (state: rules.State): ReadonlyArray<string> => [
  ...new Set(["R1", "R2", ...state.sessions.flatMap((session) => session?.office ?? [])])
]

const expectedSeats = (state: rules.State) =>
  Object.fromEntries(
    officesOf(state).map((office) => [office, rules.members(state, office).map((slot) => state.sessions[slot]!.sid)])
      .filter(([, list]) => list!.length > 0)
  )

/** Who sits where by the Server's own account. */
const seated = Effect.fnUntraced(function*(
  { server }: OfficeServer,
  state: rules.State,
  peers: ReadonlyArray<Peer | undefined>
) {
  const offices = new Set([...officesOf(state), "sid", ...peers.flatMap((peer) => peer?.sid ?? [])])
  const result: Record<string, ReadonlyArray<string>> = {}
  for (const office of offices) {
    const members = yield* server.members(office)
    if (members.length > 0) result[office] = members.map(({ sid }) => sid)
  }
  return result
})
