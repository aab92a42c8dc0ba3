/**
 * Conformance rules: what an office hears, and of whom.
 */
import * as Effect from "effect/Effect"
import * as NotifyEvent from "../../protocol/NotifyEvent.ts"
import type { Revision } from "../../protocol/Revision.ts"
import * as ServerEvent from "../../protocol/ServerEvent.ts"
import * as actors from "./conformanceActors.ts"
import * as kit from "./conformanceKit.ts"
import type { Rule, Stage } from "./conformanceKit.ts"

/** A third peer in an office of its own, which has to hear nothing. */
const outsider = Effect.fnUntraced(function*(stage: Stage) {
  const { agent, computer } = yield* actors.pair(stage)
  return [agent, computer] as const
})

const membership: ReadonlyArray<Rule> = [
  kit.rule({
    id: "notify.enter",
    title:
      "whoever sits in the office hears who enters, with one of the keys computer and agent; who enters hears nothing",
    section: "events.md, notify:enter_office",
    run: Effect.fnUntraced(function*(stage) {
      const strangers = yield* outsider(stage)
      const office = stage.fresh("office")
      const agent = yield* actors.seated(stage, "agent", office)
      const computer = yield* actors.seated(stage, "computer", office)
      const expected = { office_id: office, computer: computer.name }
      yield* actors.expectHeard(agent, "The Agent", ["notify:enter_office", expected])
      yield* actors.expectSilence("The one that entered", computer)
      yield* actors.leave(agent, office)
      yield* actors.forget(computer)
      const next = yield* actors.seated(stage, "agent", office)
      const nextEntered = { office_id: office, agent: next.name }
      yield* actors.expectHeard(computer, "The Computer", ["notify:enter_office", nextEntered])
      yield* actors.expectSilence("The one that entered", next)
      yield* actors.expectSilence("Another office", ...strangers)
    })
  }),
  kit.rule({
    id: "notify.leave",
    title: "whoever stays hears who leaves; who left hears nothing, then or later",
    section: "events.md, notify:leave_office",
    run: Effect.fnUntraced(function*(stage) {
      const { agent, computer: { name, office, role: _, ...computer } } = yield* actors.pair(stage)
      yield* actors.leave(computer, office)
      yield* actors.expectHeard(agent, "The Agent", ["notify:leave_office", { office_id: office, computer: name }])
      const next = yield* actors.seated(stage, "computer", office)
      yield* actors.leave(agent, office)
      const agentLeft = { office_id: office, agent: agent.name }
      yield* actors.expectHeard(next, "The Computer that stays", ["notify:leave_office", agentLeft])
      yield* actors.expectSilence("The one that left", computer)
    })
  })
]

/** Sends an event that nobody waits for, with an id all the same: whatever comes back says nothing. */
const expectNothingSaid = Effect.fnUntraced(
  function*(actor: actors.Actor, event: string, ...args: ReadonlyArray<unknown>) {
    const answer = yield* actors.maybeAsk(actor, Math.min(actor.stage.patience, 1500), event, ...args)
    if (answer === undefined) return yield* actor.stage.remark(`${event} with an id is not acknowledged`)
    yield* kit.expectAck(event, answer, [])
  }
)

type UpdateName = keyof typeof NotifyEvent.ofUpdate

const updateRules = (event: UpdateName, exists: (revision: Revision) => boolean): ReadonlyArray<Rule> => {
  const { name: notification } = NotifyEvent.ofUpdate[event]
  const [, short = ""] = event.split(":")
  const section = `events.md, ${event}`
  return [
    kit.rule({
      id: `notify.${short}`,
      title:
        `${event} is passed on to the office as ${notification} with the Computer's name alone; [] if an id is given`,
      section,
      appliesTo: exists,
      run: Effect.fnUntraced(function*(stage) {
        const strangers = yield* outsider(stage)
        const { agent, computer } = yield* actors.pair(stage)
        yield* actors.tell(computer, event, { computer: computer.name, extra: 1 })
        yield* actors.expectHeard(agent, "The Agent", [notification, { computer: computer.name }])
        yield* expectNothingSaid(computer, event, { computer: computer.name })
        yield* actors.expectHeard(agent, "The Agent", [notification, { computer: computer.name }])
        yield* actors.expectSilence("The sender or another office", computer, ...strangers)
      })
    }),
    kit.rule({
      id: `notify.${short}.identity`,
      title: `${notification} names the Computer of the session, whatever the payload of ${event} says`,
      section: "room-model.md, identity",
      level: kit.mustInStrictRooms,
      appliesTo: exists,
      run: Effect.fnUntraced(function*(stage) {
        const { agent, computer } = yield* actors.pair(stage)
        yield* actors.tell(computer, event, { computer: stage.fresh("somebody-else") })
        yield* actors.expectHeard(agent, "The Agent", [notification, { computer: computer.name }])
      })
    }),
    kit.rule({
      id: `notify.${short}.dropped`,
      title: `${event} of an Agent, of a Computer in no office, or malformed is passed on to nobody`,
      section: "room-model.md, isolation",
      appliesTo: exists,
      run: Effect.fnUntraced(function*(stage) {
        const { agent, computer } = yield* actors.pair(stage)
        const strangers = yield* outsider(stage)
        const roomless = yield* actors.connected(stage)
        yield* actors.tell(agent, event, { computer: computer.name })
        yield* actors.tell(roomless, event, { computer: computer.name })
        yield* actors.expectSilence("Somebody", roomless, agent, computer, ...strangers)
        const { name, office, role: _, ...gone } = computer
        yield* actors.leave(gone, office)
        yield* actors.forget(agent)
        yield* actors.tell(gone, event, { computer: name })
        yield* actors.expectSilence("Somebody", gone, agent, ...strangers)
      })
    }),
    kit.rule({
      id: `notify.${short}.malformed`,
      title: `a malformed ${event} is dropped without a word of error, and the connection lives on`,
      section,
      level: kit.mustInStrictRooms,
      appliesTo: exists,
      run: Effect.fnUntraced(function*(stage) {
        const { agent, computer } = yield* actors.pair(stage)
        for (const args of [["text"], [null], [{ computer: 7 }], []]) {
          yield* expectNothingSaid(computer, event, ...args)
        }
        yield* actors.expectSilence("The office", agent, computer)
      })
    })
  ]
}

const updates = ServerEvent.all.flatMap(({ feature, name }) =>
  name in NotifyEvent.ofUpdate
    ? updateRules(name as UpdateName, (revision) => feature === undefined || revision[feature])
    : []
)

const CANCEL = "events.md, server:tool_call_cancel"

const cancels: ReadonlyArray<Rule> = [
  kit.rule({
    id: "notify.cancel",
    title:
      "server:tool_call_cancel is passed on to everyone else in the office with agent and req_id alone; [] if an id is given",
    section: CANCEL,
    run: Effect.fnUntraced(function*(stage) {
      const strangers = yield* outsider(stage)
      const { agent, computer, office } = yield* actors.pair(stage)
      const more = kit.hasSeveralComputers(stage.revision) ? [yield* actors.seated(stage, "computer", office)] : []
      yield* actors.forget(agent, computer)
      const payload = { agent: agent.name, req_id: stage.fresh("r") }
      yield* actors.tell(agent, "server:tool_call_cancel", { ...payload, extra: 1 })
      yield* expectNothingSaid(agent, "server:tool_call_cancel", payload)
      for (const each of [computer, ...more]) {
        const notification: actors.Notification = ["notify:tool_call_cancel", payload]
        yield* actors.expectHeard(each, "A Computer", notification, notification)
      }
      yield* actors.expectSilence("The sender or another office", agent, ...strangers)
    })
  }),
  kit.rule({
    id: "notify.cancel.identity",
    title: "notify:tool_call_cancel never names an Agent that did not send it",
    section: "room-model.md, identity",
    run: Effect.fnUntraced(function*(stage) {
      const { agent, computer } = yield* actors.pair(stage)
      const req_id = stage.fresh("r")
      yield* actors.tell(agent, "server:tool_call_cancel", { agent: stage.fresh("somebody-else"), req_id })
      yield* actors.forget(agent)
      // up to 0.4 such a cancel may be dropped as well
      if (!kit.hasStrictRooms(stage.revision) && (yield* actors.heard(computer)).length === 0) return
      if (!kit.hasStrictRooms(stage.revision)) {
        yield* actors.tell(agent, "server:tool_call_cancel", { agent: stage.fresh("somebody-else"), req_id })
      }
      yield* actors.expectHeard(computer, "The Computer", ["notify:tool_call_cancel", { agent: agent.name, req_id }])
    })
  }),
  kit.rule({
    id: "notify.cancel.dropped",
    title: "a cancel of a Computer, of a peer in no office, or malformed is passed on to nobody",
    section: CANCEL,
    run: Effect.fnUntraced(function*(stage) {
      const { agent, computer } = yield* actors.pair(stage)
      const strangers = yield* outsider(stage)
      const roomless = yield* actors.connected(stage)
      const payload = { agent: agent.name, req_id: "r" }
      yield* actors.tell(computer, "server:tool_call_cancel", payload)
      yield* actors.tell(roomless, "server:tool_call_cancel", payload)
      yield* actors.tell(agent, "server:tool_call_cancel", { agent: agent.name })
      yield* actors.tell(agent, "server:tool_call_cancel")
      yield* actors.expectSilence("Somebody", roomless, agent, computer, ...strangers)
    })
  })
]

export const notificationRules: ReadonlyArray<Rule> = [...membership, ...updates, ...cancels]
