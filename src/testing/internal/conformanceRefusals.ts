/**
 * Conformance rules: calls that reach nobody, end early, or make no sense, and peers that misbehave.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as ClientEvent from "../../protocol/ClientEvent.ts"
import type { Revision } from "../../protocol/Revision.ts"
import * as actors from "./conformanceActors.ts"
import * as kit from "./conformanceKit.ts"
import type { Rule, Stage } from "./conformanceKit.ts"
import { type ClientEventName, eventsOf, requestOf } from "./conformanceRelay.ts"
import * as RawFrame from "./rawFrame.ts"

/** Whether `client:*` events are refused with flat errors; before that official Servers did not answer at all. */
const hasFlatErrors = ({ toolCallErrors }: Revision): boolean => toolCallErrors === "flat"

const mustWithFlatErrors = (revision: Revision): kit.Level => hasFlatErrors(revision) ? "must" : "should"

/** Fails unless a request is refused: with this flat code, or where old Agents could not read it in the form they can. */
const expectRefusal = (stage: Stage, what: string, args: ReadonlyArray<unknown>, code: number) =>
  hasFlatErrors(stage.revision) ? kit.expectFlatError(what, args, code) : kit.expectError(what, args)

const call = (agent: actors.Member, event: ClientEventName, computer: string) =>
  actors.ask(agent, event, requestOf(agent.stage, event, agent.name, computer))

/** The answers to two calls without what is theirs alone. */
const withoutNames = (args: ReadonlyArray<unknown>, name: string): string =>
  RawFrame.canonicalJson(args).replaceAll(name, "<name>")

const targets: ReadonlyArray<Rule> = [
  kit.rule({
    id: "refuse.unknown-computer",
    title: "every client:* event to a name that nobody has is refused with 404",
    section: "error-handling.md, 404",
    level: mustWithFlatErrors,
    run: Effect.fnUntraced(function*(stage) {
      const { agent } = yield* actors.pair(stage)
      for (const event of eventsOf(stage.revision)) {
        yield* expectRefusal(stage, event, yield* call(agent, event, stage.fresh("nobody")), 404)
      }
    })
  }),
  kit.rule({
    id: "isolation.calls",
    title: "no client:* event reaches a Computer of another office",
    section: "room-model.md, isolation",
    run: Effect.fnUntraced(function*(stage) {
      const own = yield* actors.pair(stage)
      const other = yield* actors.pair(stage)
      for (const event of eventsOf(stage.revision)) {
        yield* actors.tell(own.agent, event, requestOf(stage, event, own.agent.name, other.computer.name))
      }
      yield* actors.forget(own.agent)
      yield* expectUnasked(other.computer, "A Computer of another office is asked")
    })
  }),
  kit.rule({
    id: "refuse.elsewhere",
    title: "a Computer of another office is refused with 404, no other than an unknown one",
    section: "room-model.md, isolation",
    level: kit.mustInStrictRooms,
    run: Effect.fnUntraced(function*(stage) {
      const own = yield* actors.pair(stage)
      const other = yield* actors.pair(stage)
      const nobody = stage.fresh("nobody")
      const { name } = other.computer
      for (const event of eventsOf(stage.revision)) {
        const elsewhere = yield* call(own.agent, event, name)
        yield* expectRefusal(stage, event, elsewhere, 404)
        const unknown = yield* call(own.agent, event, nobody)
        yield* kit.ensure(
          withoutNames(elsewhere, name) === withoutNames(unknown, nobody),
          `${event} tells whether the name exists elsewhere`,
          RawFrame.ack(0, unknown),
          RawFrame.ack(0, elsewhere)
        )
      }
    })
  }),
  kit.rule({
    id: "refuse.in-no-office",
    title: "a client:* event of a peer in no office is refused with 4103",
    section: "error-handling.md, 4103",
    level: kit.mustInStrictRooms,
    run: Effect.fnUntraced(function*(stage) {
      const { agent, computer } = yield* actors.pair(stage)
      yield* actors.leave(agent, agent.office)
      for (const event of eventsOf(stage.revision)) {
        yield* expectRefusal(stage, event, yield* call(agent, event, computer.name), 4103)
      }
    })
  }),
  kit.rule({
    id: "refuse.computer-asks",
    title: "a client:* event of a Computer is refused and reaches nobody",
    section: "python-sdk; no text says it",
    level: "should",
    run: Effect.fnUntraced(function*(stage) {
      const { agent, computer, office } = yield* actors.pair(stage)
      const target = kit.hasSeveralComputers(stage.revision)
        ? yield* actors.seated(stage, "computer", office)
        : computer
      for (const event of eventsOf(stage.revision)) {
        yield* kit.expectError(event, yield* call(computer, event, target.name))
      }
      yield* actors.forget(agent)
      yield* expectUnasked(target, "A Computer is asked by a Computer")
    })
  })
]

/** Every `client:*` event, in flight when something happens to its Computer, ends with 404. */
const endsInFlight = (
  id: string,
  title: string,
  section: string,
  happen: (computer: actors.Member) => Effect.Effect<unknown, kit.RuleError>
): Rule =>
  kit.rule({
    id,
    title,
    section,
    level: "should",
    run: Effect.fnUntraced(function*(stage) {
      const { agent, computer } = yield* actors.pair(stage)
      const events = eventsOf(stage.revision)
      const waits = yield* Effect.forEach(events, (event) =>
        actors.asking(agent, event, requestOf(stage, event, agent.name, computer.name)))
      yield* Effect.forEach(events, (event) =>
        actors.nextRequest(computer, event))
      yield* happen(computer)
      for (const [index, event] of events.entries()) {
        yield* expectRefusal(stage, event, yield* waits[index]!(), 404)
      }
    })
  })

const endings: ReadonlyArray<Rule> = [
  endsInFlight(
    "flight.computer-disconnects",
    "a call in flight ends with 404 when its Computer disconnects",
    "error-handling.md, in-flight disconnect",
    ({ close }) => close
  ),
  endsInFlight(
    "flight.computer-leaves",
    "a call in flight ends with 404 when its Computer leaves the office",
    "room-model.md, leaving",
    (computer) => actors.leave(computer, computer.office)
  ),
  kit.rule({
    id: "flight.agent-disconnects",
    title: "an answer to an Agent that is gone harms nobody",
    section: "error-handling.md, in-flight disconnect",
    run: Effect.fnUntraced(function*(stage) {
      const { agent, computer, office } = yield* actors.pair(stage)
      const event = "client:get_tools"
      yield* actors.asking(agent, event, requestOf(stage, event, agent.name, computer.name))
      const request = yield* actors.nextRequest(computer, event)
      yield* agent.close
      yield* actors.acknowledge(computer, request, { tools: [], req_id: "r" })
      const next = yield* actors.seated(stage, "agent", office)
      yield* actors.expectMembers(computer, office, [next, computer])
    })
  }),
  kit.rule({
    id: "flight.tool-call-deadline",
    title:
      "a tool call that the Computer never answers is answered by the Server after timeout and about 5 s, with meta.a2c_timeout",
    section: "error-handling.md, Server timeout",
    level: "should",
    run: Effect.fnUntraced(function*(stage) {
      const { agent, computer } = yield* actors.pair(stage)
      const event = "client:tool_call"
      const start = yield* Clock.currentTimeMillis
      const wait = yield* actors.asking(
        agent,
        event,
        requestOf(stage, event, agent.name, computer.name, { timeout: 1 })
      )
      yield* actors.nextRequest(computer, event)
      const result = yield* kit.expectObject(event, yield* wait(TOOL_CALL_PATIENCE))
      const seconds = ((yield* Clock.currentTimeMillis) - start) / 1000
      const { a2c_timeout } = (result["meta"] ?? {}) as { readonly a2c_timeout?: unknown }
      yield* kit.ensure(
        result["isError"] === true && a2c_timeout === true,
        "The call does not say that it timed out",
        RawFrame.ack(0, [{ isError: true, meta: { a2c_timeout: true } }]),
        RawFrame.ack(0, [result])
      )
      yield* kit.ensure(seconds >= 0.9, "The call ends before its timeout", "1 s or more", `${seconds} s`)
    })
  })
]

/** Fails unless nothing was asked of the Computer once everything has come in. */
const expectUnasked = Effect.fnUntraced(function*(computer: actors.Member, otherwise: string) {
  yield* actors.forget(computer)
  const [request] = computer.drain(({ type }) => type === "42")
  yield* kit.ensure(request === undefined, otherwise, "nothing", request?.text)
})

/** The timeout of the call, the Server's grace, and some more. */
const TOOL_CALL_PATIENCE = 9000

const LARGEST_TESTED_BYTES = 16_000_000
const DEFAULT_LARGEST_BYTES = 1_000_000

const nonsense: ReadonlyArray<ReadonlyArray<unknown>> = [[{}], ["text"], [42], [null], [[]], []]

const robustness: ReadonlyArray<Rule> = [
  kit.rule({
    id: "refuse.malformed",
    title: "a malformed client:* event is refused with 400, and the connection lives on",
    section: "error-handling.md, 400",
    level: kit.mustInStrictRooms,
    run: Effect.fnUntraced(function*(stage) {
      const { agent, computer, office } = yield* actors.pair(stage)
      for (const event of eventsOf(stage.revision)) {
        const { computer: _, ...unaddressed } = requestOf(stage, event, agent.name, computer.name)
        const wrong = [...nonsense, [unaddressed], [{ ...unaddressed, computer: 7 }]]
        for (const args of wrong) {
          const answer = yield* actors.ask(agent, event, ...args)
          yield* expectRefusal(stage, `${event} with ${kit.show(args)}`, answer, 400)
        }
      }
      const untimed = requestOf(stage, "client:tool_call", agent.name, computer.name, { timeout: undefined })
      const answer = yield* actors.ask(agent, "client:tool_call", untimed)
      yield* expectRefusal(stage, "client:tool_call without a timeout", answer, 400)
      yield* actors.expectMembers(computer, office, [agent, computer])
    })
  }),
  kit.rule({
    id: "unknown-event",
    title: "an event that nobody knows is acknowledged with nothing, as the official Servers do",
    section: "python-sdk; no text says it",
    level: "should",
    run: Effect.fnUntraced(function*(stage) {
      const { agent, computer } = yield* actors.pair(stage)
      const payload = requestOf(stage, "client:get_tools", agent.name, computer.name)
      const later = ClientEvent.all.map(({ name }) => name).filter((name) => !eventsOf(stage.revision).includes(name))
      for (const event of ["client:nothing", "server:nothing", "nothing", ...later]) {
        yield* kit.expectAck(event, yield* actors.ask(agent, event, payload), [])
      }
      yield* expectUnasked(computer, "It is passed on")
    })
  }),
  kit.rule({
    id: "oversize",
    title: "a message beyond the limit hurts nobody but its sender",
    section: "blob-transfer.md, largest message",
    run: Effect.fnUntraced(function*(stage) {
      const own = yield* actors.pair(stage)
      const sender = yield* actors.connected(stage)
      const limit = Number(sender.open.maxPayload ?? DEFAULT_LARGEST_BYTES)
      if (limit > LARGEST_TESTED_BYTES) return yield* kit.skip(`the limit is ${limit} bytes`)
      const frame = RawFrame.event(undefined, ["server:update_config", { computer: "x".repeat(limit + 1000) }])
      yield* Effect.ignore(sender.post(frame))
      const event = "client:get_tools"
      const wait = yield* actors.asking(own.agent, event, requestOf(stage, event, own.agent.name, own.computer.name))
      const request = yield* actors.nextRequest(own.computer, event)
      yield* actors.acknowledge(own.computer, request, { tools: [], req_id: "r" })
      yield* kit.expectAck(event, yield* wait(), [{ tools: [], req_id: "r" }])
    })
  })
]

export const refusalRules: ReadonlyArray<Rule> = [...targets, ...endings, ...robustness]
