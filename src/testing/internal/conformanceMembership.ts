/**
 * Conformance rules: how joins and leaves are acknowledged and refused, and who is listed.
 */
import * as Effect from "effect/Effect"
import * as actors from "./conformanceActors.ts"
import * as kit from "./conformanceKit.ts"
import type { Rule } from "./conformanceKit.ts"

const JOIN = "events.md, server:join_office"
const LEAVE = "events.md, server:leave_office"
const LIST = "events.md, server:list_room"

/** Arguments that fit no event: no object, no payload at all, an object without anything. */
const nonsense: ReadonlyArray<ReadonlyArray<unknown>> = [[{}], ["text"], [42], [null], [[]], []]

const joins: ReadonlyArray<Rule> = [
  kit.rule({
    id: "join.ack",
    title: "a join is acknowledged in the form of the revision, for an Agent and for a Computer",
    section: JOIN,
    run: Effect.fnUntraced(function*(stage) {
      const { agent, computer, office } = yield* actors.pair(stage)
      yield* actors.expectMembers(agent, office, [agent, computer])
    })
  }),
  kit.rule({
    id: "join.no-ack-id",
    title: "a join that wants no acknowledgement seats the peer and is not acknowledged",
    section: JOIN,
    run: Effect.fnUntraced(function*(stage) {
      const actor = yield* actors.connected(stage)
      const office = stage.fresh("office")
      const name = stage.fresh("agent")
      yield* actors.tell(actor, "server:join_office", { role: "agent", name, office_id: office })
      yield* actors.expectMembers(actor, office, [{ ...actor, name, role: "agent" }])
      const [unasked] = actor.drain(({ type }) => type === "43")
      yield* kit.ensure(unasked === undefined, "An acknowledgement nobody asked for", "nothing", unasked?.text)
    })
  }),
  kit.rule({
    id: "join.malformed",
    title: "a malformed join is answered with a refusal, seats nobody, and the connection lives on",
    section: JOIN,
    level: kit.mustInStrictRooms,
    run: Effect.fnUntraced(function*(stage) {
      const actor = yield* actors.connected(stage)
      const office_id = stage.fresh("office")
      const name = stage.fresh("agent")
      const wrong: ReadonlyArray<ReadonlyArray<unknown>> = [
        ...nonsense,
        [{ role: "agent" }],
        [{ role: "boss", name, office_id }],
        [{ role: "agent", name, office_id: null }],
        [{ role: "agent", name: 7, office_id }]
      ]
      for (const args of wrong) {
        const answer = yield* actors.ask(actor, "server:join_office", ...args)
        yield* actors.expectRefused(stage, `A join with ${kit.show(args)}`, answer, 400)
      }
      yield* actors.expectOk(stage, "A join after that", yield* actors.join(actor, "agent", name, office_id))
    })
  }),
  kit.rule({
    id: "join.other-role",
    title: "a session that was an Agent cannot become a Computer",
    section: JOIN,
    run: Effect.fnUntraced(function*(stage) {
      const { agent, computer, office } = yield* actors.pair(stage)
      const answer = yield* actors.join(agent, "computer", agent.name, office)
      yield* actors.expectRefused(stage, "A join in another role", answer, 403)
      yield* actors.expectMembers(computer, office, [agent, computer])
    })
  }),
  kit.rule({
    id: "join.other-name",
    title: "a member cannot take another name where it sits",
    section: "room-model.md, identity",
    appliesTo: kit.hasStrictRooms,
    run: Effect.fnUntraced(function*(stage) {
      const { agent, computer, office } = yield* actors.pair(stage)
      const answer = yield* actors.join(computer, "computer", stage.fresh("other"), office)
      yield* actors.expectRefused(stage, "A join under another name", answer, 403)
      yield* actors.expectMembers(agent, office, [agent, computer])
    })
  }),
  kit.rule({
    id: "join.no-sid-in-refusal",
    title: "a refused join does not learn the session id of another peer",
    section: "room-model.md, refusals",
    level: kit.mustInStrictRooms,
    run: Effect.fnUntraced(function*(stage) {
      const { agent, computer, office } = yield* actors.pair(stage)
      const stranger = yield* actors.connected(stage)
      const asAgent = yield* actors.join(stranger, "agent", stage.fresh("agent"), office)
      const other = yield* actors.connected(stage)
      const asComputer = yield* actors.join(other, "computer", computer.name, office)
      const said = JSON.stringify([asAgent, asComputer])
      yield* kit.ensure(
        !said.includes(agent.session) && !said.includes(computer.session),
        "The refusal names a session",
        "no session id of another peer",
        said
      )
    })
  })
]

const leaves: ReadonlyArray<Rule> = [
  kit.rule({
    id: "leave.ack",
    title: "a leave is acknowledged in the form of the revision and frees the seat",
    section: LEAVE,
    run: Effect.fnUntraced(function*(stage) {
      const { agent, computer, office } = yield* actors.pair(stage)
      yield* actors.expectOk(stage, "A leave", yield* actors.leave(agent, office))
      yield* actors.expectMembers(computer, office, [computer])
      const next = yield* actors.seated(stage, "agent", office)
      yield* actors.expectMembers(next, office, [next, computer])
    })
  }),
  kit.rule({
    id: "leave.idempotent",
    title: "a leave in no office succeeds",
    section: LEAVE,
    level: kit.mustInStrictRooms,
    run: Effect.fnUntraced(function*(stage) {
      const actor = yield* actors.connected(stage)
      for (const time of ["first", "second"]) {
        yield* actors.expectOk(stage, `The ${time} leave`, yield* actors.leave(actor, stage.fresh("office")))
      }
    })
  }),
  kit.rule({
    id: "leave.own-office",
    title: "a leave gives up the session's own office, whatever office the payload names, and no other hears of it",
    section: "room-model.md, broadcasts",
    level: kit.mustInStrictRooms,
    run: Effect.fnUntraced(function*(stage) {
      const own = yield* actors.pair(stage)
      const other = yield* actors.pair(stage)
      yield* actors.expectOk(stage, "A leave", yield* actors.leave(own.computer, other.office))
      yield* actors.expectHeard(own.agent, "The Agent of the own office", ["notify:leave_office", {
        office_id: own.office,
        computer: own.computer.name
      }])
      yield* actors.expectSilence("The other office", other.agent, other.computer)
    })
  }),
  kit.rule({
    id: "leave.malformed",
    title: "a malformed leave is answered with a refusal, and the connection lives on",
    section: LEAVE,
    level: kit.mustInStrictRooms,
    run: Effect.fnUntraced(function*(stage) {
      const { agent, office } = yield* actors.pair(stage)
      for (const args of nonsense) {
        const answer = yield* actors.ask(agent, "server:leave_office", ...args)
        yield* actors.expectRefused(stage, `A leave with ${kit.show(args)}`, answer, 400)
      }
      yield* actors.expectOk(stage, "A leave after that", yield* actors.leave(agent, office))
    })
  })
]

const lists: ReadonlyArray<Rule> = [
  kit.rule({
    id: "list.members",
    title: "list_room tells sid, name, role, office and the announced version of every member, and echoes req_id",
    section: LIST,
    run: Effect.fnUntraced(function*(stage) {
      const { agent, computer, office } = yield* actors.pair(stage)
      const payload = { agent: agent.name, req_id: "a request", office_id: office }
      const answer = yield* kit.expectObject("list_room", yield* actors.ask(agent, "server:list_room", payload))
      yield* kit.expectEqual("req_id", answer["req_id"], "a request")
      const { handshake, version } = stage.revision
      const infoOf = ({ name, role, session }: actors.Member) => ({ sid: session, name, role, office_id: office })
      const sessions = Array.isArray(answer["sessions"]) ? answer["sessions"] as ReadonlyArray<object> : []
      yield* actors.expectMembers(agent, office, [agent, computer])
      for (const member of [agent, computer]) {
        const listed = sessions.find((each) => "sid" in each && each.sid === member.session) ?? {}
        const { a2c_version, ...rest } = listed as { readonly a2c_version?: unknown }
        yield* kit.expectEqual("The entry of a member", rest, infoOf(member))
        if (a2c_version === undefined && handshake === "query") yield* stage.remark("a2c_version is not listed")
        else yield* kit.expectEqual("a2c_version", a2c_version, handshake === "query" ? version : undefined)
      }
    })
  }),
  kit.rule({
    id: "list.foreign-hidden",
    title: "list_room tells nothing of an office one does not sit in",
    section: LIST,
    run: Effect.fnUntraced(function*(stage) {
      const own = yield* actors.pair(stage)
      const other = yield* actors.pair(stage)
      const payload = { agent: own.agent.name, req_id: "r", office_id: other.office }
      const answer = yield* actors.maybeAsk(own.agent, 1500, "server:list_room", payload)
      const said = kit.show(answer)
      yield* kit.ensure(
        ![other.agent, other.computer].some(({ name, session }) => said.includes(name) || said.includes(session)),
        "Members of another office are listed",
        "nothing of them",
        said
      )
    })
  }),
  kit.rule({
    id: "list.foreign-refused",
    title: "list_room of another office is refused with 4104, in no office with 4103",
    section: "error-handling.md, 4103 and 4104",
    level: kit.mustInStrictRooms,
    run: Effect.fnUntraced(function*(stage) {
      const { agent } = yield* actors.pair(stage)
      const outsider = yield* actors.connected(stage)
      const office_id = stage.fresh("elsewhere")
      const list = (actor: actors.Actor) =>
        actors.ask(actor, "server:list_room", { agent: "a", req_id: "r", office_id })
      const foreign = yield* list(agent)
      const roomless = yield* list(outsider)
      if (!kit.hasStrictRooms(stage.revision)) {
        yield* kit.expectError("list_room of another office", foreign)
        return yield* kit.expectError("list_room in no office", roomless)
      }
      yield* kit.expectFlatError("list_room of another office", foreign, 4104, { office_id })
      yield* kit.expectFlatError("list_room in no office", roomless, 4103)
    })
  }),
  kit.rule({
    id: "list.malformed",
    title: "a malformed list_room is answered with a flat 400",
    section: LIST,
    level: kit.mustInStrictRooms,
    run: Effect.fnUntraced(function*(stage) {
      const { agent } = yield* actors.pair(stage)
      for (const args of nonsense) {
        const answer = yield* actors.ask(agent, "server:list_room", ...args)
        yield* kit.expectFlatError(`list_room with ${kit.show(args)}`, answer, 400)
      }
    })
  })
]

export const membershipRules: ReadonlyArray<Rule> = [...joins, ...leaves, ...lists]
