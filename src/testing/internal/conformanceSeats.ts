/**
 * Conformance rules: who may sit where, and under which name.
 */
import * as Effect from "effect/Effect"
import type { Role } from "../../protocol/Office.ts"
import * as actors from "./conformanceActors.ts"
import * as kit from "./conformanceKit.ts"
import type { Rule, Stage } from "./conformanceKit.ts"

const RULES = "room-model.md, rules of joining"

const enter = (office_id: string, computer: string): actors.Notification => ["notify:enter_office", {
  office_id,
  computer
}]

const left = (office_id: string, computer: string): actors.Notification => ["notify:leave_office", {
  office_id,
  computer
}]

/** Two peers ask for the same seat at once; exactly one gets it. */
const expectOneOfTwo = Effect.fnUntraced(function*(stage: Stage, role: Role) {
  const office = stage.fresh("office")
  const rivals = [yield* actors.connected(stage), yield* actors.connected(stage)]
  const names = rivals.map(() => stage.fresh(role))
  const answers = yield* Effect.forEach(
    rivals,
    (actor, index) => actors.join(actor, role, names[index]!, office),
    { concurrency: "unbounded" }
  )
  const won = answers.filter(([first]) => first === undefined || first === null || first === true)
  yield* kit.ensure(won.length === 1, "Not exactly one gets the seat", "one of two", kit.show(answers))
  const winner = answers.indexOf(won[0]!)
  yield* actors.expectRefused(stage, "The other join", answers[1 - winner]!, 4101, { office_id: office, role })
  yield* actors.expectMembers(rivals[winner]!, office, [{ ...rivals[winner]!, name: names[winner]!, role }])
})

const seats: ReadonlyArray<Rule> = [
  kit.rule({
    id: "seats.one-agent",
    title: "an office has one seat for an Agent; a second one is refused and nobody hears of it",
    section: RULES,
    run: Effect.fnUntraced(function*(stage) {
      const { agent, computer, office } = yield* actors.pair(stage)
      const second = yield* actors.connected(stage)
      const answer = yield* actors.join(second, "agent", stage.fresh("agent"), office)
      yield* actors.expectRefused(stage, "A second Agent", answer, 4101, { office_id: office, role: "agent" })
      yield* actors.expectSilence("The office", agent, computer)
      yield* actors.expectMembers(computer, office, [agent, computer])
    })
  }),
  kit.rule({
    id: "seats.agent-race",
    title: "of two Agents that join at once exactly one gets the seat",
    section: "room-model.md, atomic seats",
    level: kit.mustInStrictRooms,
    run: (stage) => expectOneOfTwo(stage, "agent")
  }),
  kit.rule({
    id: "seats.agent-stays",
    title: "an Agent that sits in an office has to leave it before it joins another",
    section: RULES,
    run: Effect.fnUntraced(function*(stage) {
      const { agent, computer, office } = yield* actors.pair(stage)
      const answer = yield* actors.join(agent, "agent", agent.name, stage.fresh("office"))
      yield* actors.expectRefused(stage, "A join of a second office", answer, 4106, { office_id: office })
      yield* actors.expectMembers(computer, office, [agent, computer])
    })
  }),
  kit.rule({
    id: "seats.rejoin",
    title: "joining again where one sits succeeds and is not announced again",
    section: RULES,
    run: Effect.fnUntraced(function*(stage) {
      const { agent, computer, office } = yield* actors.pair(stage)
      for (const { name, role, ...actor } of [agent, computer]) {
        yield* actors.expectOk(stage, "A join again", yield* actors.join(actor, role, name, office))
      }
      yield* actors.expectSilence("The office", agent, computer)
    })
  }),
  kit.rule({
    id: "seats.several-computers",
    title: "several Computers sit in one office",
    section: RULES,
    appliesTo: kit.hasSeveralComputers,
    run: Effect.fnUntraced(function*(stage) {
      const { agent, computer, office } = yield* actors.pair(stage)
      const second = yield* actors.seated(stage, "computer", office)
      yield* actors.expectMembers(agent, office, [agent, computer, second])
    })
  }),
  kit.rule({
    id: "seats.computer-moves",
    title: "a Computer that joins another office leaves its own, and both hear of it",
    section: RULES,
    run: Effect.fnUntraced(function*(stage) {
      const { agent, computer, office } = yield* actors.pair(stage)
      const other = stage.fresh("office")
      const witness = yield* actors.seated(stage, "agent", other)
      const answer = yield* actors.join(computer, "computer", computer.name, other)
      yield* actors.expectOk(stage, "The move", answer)
      yield* actors.expectHeard(agent, "The old office", left(office, computer.name))
      yield* actors.expectHeard(witness, "The new office", enter(other, computer.name))
      yield* actors.expectMembers(agent, office, [agent])
      yield* actors.expectMembers(witness, other, [witness, computer])
      yield* actors.expectSilence("The Computer that moved", { ...computer, office: other })
    })
  }),
  kit.rule({
    id: "seats.freed-by-disconnect",
    title: "a peer that disconnects frees its seat, and its office hears of it",
    section: "room-model.md, disconnect",
    run: Effect.fnUntraced(function*(stage) {
      const { agent, computer, office } = yield* actors.pair(stage)
      yield* computer.close
      yield* actors.expectHeard(agent, "The office", left(office, computer.name))
      const next = yield* actors.seated(stage, "computer", office, computer.name)
      yield* actors.expectMembers(agent, office, [agent, next])
    })
  })
]

const names: ReadonlyArray<Rule> = [
  kit.rule({
    id: "names.taken",
    title: "a name that a Computer has in the office is refused with a text that contains \"already exists\"",
    section: RULES,
    appliesTo: kit.hasSeveralComputers,
    run: Effect.fnUntraced(function*(stage) {
      const { agent, computer, office } = yield* actors.pair(stage)
      const second = yield* actors.connected(stage)
      const answer = yield* actors.join(second, "computer", computer.name, office)
      const { message } = yield* actors.expectRefused(stage, "A taken name", answer, 4101)
      yield* actors.expectSilence("The office", agent, computer)
      yield* actors.expectMembers(agent, office, [agent, computer])
      // The official SDK's own tests look for it; no text of the protocol does.
      if (!String(message).includes("already exists")) yield* stage.remark(`the text is ${kit.show(message)}`)
    })
  }),
  kit.rule({
    id: "names.refused-move",
    title: "a Computer whose move is refused keeps its seat, and its office hears nothing",
    section: "room-model.md, checks first",
    level: kit.mustInStrictRooms,
    appliesTo: kit.hasSeveralComputers,
    run: Effect.fnUntraced(function*(stage) {
      const own = yield* actors.pair(stage)
      const other = stage.fresh("office")
      const twin = yield* actors.seated(stage, "computer", other, own.computer.name)
      const answer = yield* actors.join(own.computer, "computer", own.computer.name, other)
      yield* actors.expectRefused(stage, "A move to a taken name", answer, 4101)
      yield* actors.expectSilence("The old office", own.agent, own.computer)
      yield* actors.expectMembers(own.agent, own.office, [own.agent, own.computer])
      yield* actors.expectMembers(twin, other, [twin])
    })
  }),
  kit.rule({
    id: "names.per-office",
    title: "Computers of two offices may have the same name, and each Agent reaches its own",
    section: "room-model.md, names",
    level: kit.mustInStrictRooms,
    run: Effect.fnUntraced(function*(stage) {
      const name = stage.fresh("computer")
      const office = stage.fresh("office")
      const agent = yield* actors.seated(stage, "agent", office)
      const decoy = yield* actors.seated(stage, "computer", stage.fresh("office"), name)
      const computer = yield* actors.seated(stage, "computer", office, name)
      const answer = yield* actors.asking(agent, "client:get_tools", { agent: agent.name, req_id: "r", computer: name })
      const request = yield* actors.nextRequest(computer, "client:get_tools")
      yield* actors.acknowledge(computer, request, { tools: [], req_id: "r" })
      yield* kit.expectAck("client:get_tools", yield* answer(), [{ tools: [], req_id: "r" }])
      yield* actors.expectSilence("The Computer of the other office", decoy)
    })
  }),
  kit.rule({
    id: "names.per-role",
    title: "an Agent and a Computer of one office may have the same name",
    section: "room-model.md, names",
    level: kit.mustInStrictRooms,
    run: Effect.fnUntraced(function*(stage) {
      const office = stage.fresh("office")
      const name = stage.fresh("peer")
      const agent = yield* actors.seated(stage, "agent", office, name)
      const computer = yield* actors.seated(stage, "computer", office, name)
      yield* actors.expectMembers(agent, office, [agent, computer])
    })
  })
]

const isFull = { role: "computer" } as const

/** The nine scenarios that the room model asks every implementation to compare. */
const scenarios: ReadonlyArray<Omit<Rule, "level" | "appliesTo" | "section">> = [
  {
    id: "room.1",
    title: "a second Computer is refused with 4101, and the office hears nothing",
    run: Effect.fnUntraced(function*(stage) {
      const { agent, computer, office } = yield* actors.pair(stage)
      const second = yield* actors.connected(stage)
      const answer = yield* actors.join(second, "computer", stage.fresh("computer"), office)
      yield* actors.expectRefused(stage, "A second Computer", answer, 4101, { office_id: office, ...isFull })
      yield* actors.expectSilence("Somebody", agent, computer, second)
      yield* actors.expectMembers(agent, office, [agent, computer])
    })
  },
  {
    id: "room.2",
    title: "a second Computer with the name of the first is refused with 4101 as well, never 4105",
    run: Effect.fnUntraced(function*(stage) {
      const { agent, computer, office } = yield* actors.pair(stage)
      const second = yield* actors.connected(stage)
      const answer = yield* actors.join(second, "computer", computer.name, office)
      yield* actors.expectRefused(stage, "A second Computer", answer, 4101, { office_id: office, ...isFull })
      yield* actors.expectSilence("Somebody", agent, computer, second)
      yield* actors.expectMembers(agent, office, [agent, computer])
    })
  },
  {
    id: "room.3",
    title: "a Computer that joins its office again is acknowledged with nothing and not announced",
    run: Effect.fnUntraced(function*(stage) {
      const { agent, computer, office } = yield* actors.pair(stage)
      const answer = yield* actors.join(computer, "computer", computer.name, office)
      yield* actors.expectOk(stage, "A join again", answer)
      yield* actors.expectSilence("The Agent", agent)
    })
  },
  {
    id: "room.4",
    title: "a Computer that is refused elsewhere keeps its seat, and its office hears nothing",
    run: Effect.fnUntraced(function*(stage) {
      const target = stage.fresh("office")
      const first = yield* actors.seated(stage, "computer", target)
      const own = yield* actors.pair(stage)
      const answer = yield* actors.join(own.computer, "computer", own.computer.name, target)
      yield* actors.expectRefused(stage, "The move", answer, 4101, { office_id: target, ...isFull })
      yield* actors.expectSilence("The office it did not leave", own.agent, own.computer)
      yield* actors.expectMembers(own.computer, own.office, [own.agent, own.computer])
      yield* actors.expectMembers(first, target, [first])
    })
  },
  {
    id: "room.5",
    title: "another Computer takes the place of one that left, and calls follow it",
    run: Effect.fnUntraced(function*(stage) {
      const { agent, computer, office } = yield* actors.pair(stage)
      yield* actors.expectOk(stage, "The leave", yield* actors.leave(computer, office))
      const second = yield* actors.seated(stage, "computer", office)
      yield* actors.expectHeard(agent, "The Agent", left(office, computer.name), enter(office, second.name))
      const call = (name: string) =>
        actors.asking(agent, "client:tool_call", {
          agent: agent.name,
          req_id: stage.fresh("r"),
          computer: name,
          tool_name: "t",
          params: {},
          timeout: 5
        })
      const answer = yield* call(second.name)
      const request = yield* actors.nextRequest(second, "client:tool_call")
      yield* actors.acknowledge(second, request, { content: [] })
      yield* kit.expectAck("The call of the new Computer", yield* answer(), [{ content: [] }])
      yield* kit.expectFlatError("The call of the old Computer", yield* (yield* call(computer.name))(), 404)
    })
  },
  {
    id: "room.6",
    title: "a Computer beside an Agent that is refused elsewhere keeps its seat",
    run: Effect.fnUntraced(function*(stage) {
      const { agent, computer, office } = yield* actors.pair(stage)
      const other = yield* actors.seated(stage, "computer", stage.fresh("office"))
      const answer = yield* actors.join(computer, "computer", computer.name, other.office)
      yield* actors.expectRefused(stage, "The move", answer, 4101, { office_id: other.office, ...isFull })
      yield* actors.expectSilence("Somebody", agent, computer, other)
      yield* actors.expectMembers(agent, office, [agent, computer])
    })
  },
  {
    id: "room.7",
    title: "a second Agent is refused with 4101",
    run: Effect.fnUntraced(function*(stage) {
      const agent = yield* actors.seated(stage, "agent", stage.fresh("office"))
      const second = yield* actors.connected(stage)
      const answer = yield* actors.join(second, "agent", stage.fresh("agent"), agent.office)
      yield* actors.expectRefused(stage, "A second Agent", answer, 4101, { office_id: agent.office, role: "agent" })
      yield* actors.expectMembers(agent, agent.office, [agent])
    })
  },
  {
    id: "room.8",
    title: "of two Computers that join an empty office at once exactly one gets the seat",
    run: (stage) => expectOneOfTwo(stage, "computer")
  },
  {
    id: "room.9",
    title: "a Computer moves to an office with a free seat: the old one hears it leave, the new one enter",
    run: Effect.fnUntraced(function*(stage) {
      const { agent, computer, office } = yield* actors.pair(stage)
      const witness = yield* actors.seated(stage, "agent", stage.fresh("office"))
      const answer = yield* actors.join(computer, "computer", computer.name, witness.office)
      yield* actors.expectOk(stage, "The move", answer)
      yield* actors.expectHeard(agent, "The old office", left(office, computer.name))
      yield* actors.expectHeard(witness, "The new office", enter(witness.office, computer.name))
    })
  }
]

export const seatRules: ReadonlyArray<Rule> = [
  ...seats,
  ...names,
  ...scenarios.map((scenario, index) =>
    kit.rule({ ...scenario, section: `room-model.md, scenario ${index + 1}`, appliesTo: kit.hasStrictRooms })
  )
]
