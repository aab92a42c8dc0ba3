import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Logger } from "effect"
import type * as Ack from "../../src/protocol/Ack.ts"
import * as ClientEvent from "../../src/protocol/ClientEvent.ts"
import { type Revision, revisions } from "../../src/protocol/Revision.ts"
import * as ServerEvent from "../../src/protocol/ServerEvent.ts"
import { answering, enter, left, textOf } from "./support/officeMessages.ts"
import { clientPayload, codeOf, type Peer, start } from "./support/officeServer.ts"

const { "0.1": v0_1, "0.2": v0_2, "0.3": v0_3, "0.4": v0_4, "0.5": v0_5 } = revisions
const all = [v0_1, v0_2, v0_3, v0_4, v0_5] as const

/** How a peer of the revision says so: those of 0.1 say nothing. */
const as = ({ handshake, version }: Revision) => ({ version: handshake === "none" ? "" : version })

/** One Server for every revision. */
const everyone = start({ revisions: all })

const taken = (revision: Revision, officeId: string, role: string) => (args: Ack.Args) =>
  revision === v0_5
    ? assert.deepInclude(args[0], { code: 4101, details: { office_id: officeId, role } })
    : assert.include(textOf(args), role === "agent" ? "already has an agent" : "already exists")

/** The flat error, or the result that stands for it, as the Agent of a refused tool call gets it. */
const assertToolCallRefused = (revision: Revision, code: number, args: Ack.Args) => {
  assert.strictEqual(args.length, 1)
  if (revision !== v0_1) return assert.strictEqual(codeOf(args), code)
  const { content, ...rest } = args[0] as {
    readonly content: ReadonlyArray<{ readonly text: string }>
    [key: string]: unknown
  }
  assert.deepStrictEqual(rest, { meta: { error_code: code }, structuredContent: null, isError: true })
  assert.isNotEmpty(content[0]?.text)
}

for (const revision of all) {
  const ok = revision === v0_5 ? [] : [true, null]

  describe(`a session of ${revision.id} on a Server for all revisions`, () => {
    it.effect("joins and leaves with the acknowledgements of its revision", () =>
      Effect.gen(function*() {
        const { connect } = yield* everyone
        const [agent, other] = [yield* connect(as(revision)), yield* connect(as(revision))]
        assert.deepStrictEqual(yield* agent.join("agent", "A", "R1"), ok)
        taken(revision, "R1", "agent")(yield* other.join("agent", "B", "R1"))
        const malformed = yield* other.ack("server:join_office", { role: "agent" })
        if (revision === v0_5) assert.strictEqual(codeOf(malformed), 400)
        else assert.include(textOf(malformed), "server:join_office")
        assert.deepStrictEqual(yield* agent.leave("R1"), ok)
        assert.deepStrictEqual(yield* other.join("agent", "B", "R1"), ok)
      }))

    it.effect("finds the seats for Computers of its revision", () =>
      Effect.gen(function*() {
        const { connect, seated } = yield* everyone
        yield* seated("computer", "C", "R1", as(revision))
        const join = Effect.fnUntraced(function*(name: string, office: string) {
          return yield* (yield* connect(as(revision))).join("computer", name, office)
        })
        const another = yield* join("D", "R1")
        if (revision === v0_5) taken(revision, "R1", "computer")(another)
        else assert.deepStrictEqual(another, ok)
        taken(revision, "R1", "computer")(yield* join("C", "R1"))
        assert.deepStrictEqual(yield* join("C", "R2"), ok)
        assert.deepStrictEqual(yield* (yield* connect(as(revision))).join("agent", "C", "R1"), ok)
      }))

    it.effect("has the events of its revision; of the others it hears nothing", () =>
      Effect.gen(function*() {
        const { seated } = yield* everyone
        const agent = yield* seated("agent", "A", "R1", as(revision))
        const computer = answering(yield* seated("computer", "C", "R1", as(revision)), "C")
        yield* agent.news
        const relayed = ClientEvent.inRevision(revision).map(({ name }) => name)
        for (const { name } of ClientEvent.all) {
          const expected = relayed.some((event) => event === name) ? [{ from: "C" }] : []
          assert.deepStrictEqual(yield* agent.ack(name, clientPayload("C")), expected, name)
        }
        assert.deepStrictEqual(computer.asked.map(({ event }) => event), relayed)
        for (const { name } of ServerEvent.all.filter(({ name }) => name.startsWith("server:update_"))) {
          assert.deepStrictEqual(yield* computer.ack(name, { computer: "C" }), [])
          const exists = ServerEvent.inRevision(revision).some((event) => event.name === name)
          const expected = exists ? [{ event: name.replace("server", "notify"), payload: { computer: "C" } }] : []
          assert.deepStrictEqual(yield* agent.news, expected, name)
        }
      }))

    it.effect("learns of a refused tool call in the form of its revision, and of the rest in flat errors", () =>
      Effect.gen(function*() {
        const { connect, seated } = yield* everyone
        const agent = yield* connect(as(revision))
        const refused = Effect.fnUntraced(function*(code: number, peer: Peer, payload: unknown) {
          assertToolCallRefused(revision, code, yield* peer.ack("client:tool_call", payload))
          assert.strictEqual(codeOf(yield* peer.ack("client:get_tools", payload)), code)
        })
        yield* refused(4103, agent, clientPayload("C"))
        yield* agent.join("agent", "A", "R1")
        yield* refused(404, agent, clientPayload("C"))
        yield* refused(400, agent, { agent: "A", req_id: "r1" })
        const computer = yield* seated("computer", "C", "R1", as(revision))
        yield* refused(403, computer, clientPayload("C"))
        computer.answer = () => Effect.never
        const goesDuring = Effect.fnUntraced(function*(event: string, goes: Effect.Effect<unknown>) {
          const arrived = yield* Effect.forkChild(computer.nextRequest, { startImmediately: true })
          const call = yield* agent.asking(event, clientPayload("C"))
          yield* Fiber.join(arrived)
          yield* goes
          return yield* Fiber.join(call)
        })
        assertToolCallRefused(revision, 404, yield* goesDuring("client:tool_call", computer.leave("R1")))
        yield* computer.join("computer", "C", "R1")
        assert.strictEqual(codeOf(yield* goesDuring("client:get_tools", computer.lose)), 404)
      }))

    it.effect("is listed with the version that it announced, if it did", () =>
      Effect.gen(function*() {
        const { seated } = yield* everyone
        const agent = yield* seated("agent", "A", "R1", as(revision))
        const patched = { version: `${revision.id}.99` }
        const computer = yield* seated("computer", "C", "R1", patched)
        const announced = revision === v0_1 ? {} : { a2c_version: revision.version }
        assert.deepStrictEqual(yield* agent.list("R1"), [{
          sessions: [
            { sid: agent.sid, name: "A", role: "agent", office_id: "R1", ...announced },
            { sid: computer.sid, name: "C", role: "computer", office_id: "R1", a2c_version: patched.version }
          ],
          req_id: "list"
        }])
      }))

    it.effect("hears of a failure inside the Server in the form of its revision", () =>
      Effect.gen(function*() {
        const broken = () => Effect.die(new Error("hunter2"))
        const { connect } = yield* start({
          revisions: all,
          wrapStore: (store) => ({ ...store, get: broken, enter: broken })
        })
        const peer = yield* connect(as(revision))
        const flat = { code: 500, message: "Internal error" }
        assert.deepStrictEqual(
          yield* peer.join("agent", "A", "R1"),
          revision === v0_5 ? [flat] : [false, "Internal error"]
        )
        assertToolCallRefused(revision, 500, yield* peer.ack("client:tool_call", clientPayload("C")))
        assert.deepStrictEqual(yield* peer.ack("client:get_tools", clientPayload("C")), [flat])
      }))

    for (const other of all.filter((candidate) => candidate !== revision)) {
      it.effect(`is refused by an office of ${other.id} until nobody sits there any more`, () =>
        Effect.gen(function*() {
          const { connect, hub, seated, server } = yield* everyone
          const [agent, computer] = [
            yield* seated("agent", "A", "R1", as(other)),
            yield* seated("computer", "C", "R1", as(other))
          ]
          yield* agent.news
          const assertRefused = (args: Ack.Args) => {
            const { code, message } = revision === v0_5
              ? args[0] as { readonly code: number; readonly message: string }
              : { code: 403, message: textOf(args) }
            assert.strictEqual(code, 403)
            assert.include(message, `protocol ${other.id}`)
            assert.include(message, `this session ${revision.id}`)
          }
          const peer = answering(yield* seated("computer", "P", "R2", as(revision)), "P")
          assertRefused(yield* peer.join("computer", "P", "R1"))
          // it stays where it was
          const caller = yield* seated("agent", "B", "R2", as(revision))
          assert.deepStrictEqual(yield* caller.ack("client:get_tools", clientPayload("P")), [{ from: "P" }])
          const second = yield* connect(as(revision))
          assertRefused(yield* second.join("agent", "B", "R1"))
          yield* computer.leave("R1")
          assertRefused(yield* second.join("agent", "B", "R1"))
          assert.deepStrictEqual(yield* agent.news, [left("R1", { computer: "C" })])
          yield* agent.lose
          yield* hub.settled
          assert.deepStrictEqual(yield* peer.join("computer", "P", "R1"), ok)
          assert.deepStrictEqual((yield* server.members("R1")).map(({ revision: { id } }) => id), [revision.id])
          // whoever moves out frees the office as well
          assert.deepStrictEqual(yield* peer.join("computer", "P", "R3"), ok)
          const again = yield* seated("computer", "C", "R1", as(other))
          assert.deepStrictEqual((yield* server.members("R1")).map(({ sid }) => sid), [again.sid])
        }))
    }
  })
}

describe("a Server for all revisions", () => {
  it.effect("keeps offices of all of them side by side", () =>
    Effect.gen(function*() {
      const { seated, server } = yield* everyone
      const offices = yield* Effect.forEach(all, (revision) =>
        Effect.gen(function*() {
          const agent = yield* seated("agent", "A", revision.id, as(revision))
          const computer = answering(yield* seated("computer", "C", revision.id, as(revision)), revision.id)
          assert.deepStrictEqual(yield* agent.news, [enter(revision.id, { computer: "C" })])
          return { agent, computer, revision }
        }))
      assert.deepStrictEqual(yield* server.counts, { sessions: 10, offices: 5, agents: 5, computers: 5 })
      for (const { agent, computer, revision } of offices) {
        assert.deepStrictEqual(yield* agent.ack("client:tool_call", clientPayload("C")), [{ from: revision.id }])
        yield* agent.tell("server:tool_call_cancel", { agent: "A", req_id: "r" })
        assert.deepStrictEqual(yield* computer.news, [{
          event: "notify:tool_call_cancel",
          payload: { agent: "A", req_id: "r" }
        }])
        yield* computer.tell("server:update_tool_list", { computer: "C" })
      }
      for (const { agent } of offices) assert.strictEqual((yield* agent.news).length, 1)
    }))

  it.effect("names its revisions, the newest first and each once", () =>
    Effect.gen(function*() {
      const { server } = yield* start({ revisions: [v0_3, v0_5, v0_1, v0_3] })
      assert.deepStrictEqual(server.revisions, [v0_5, v0_3, v0_1])
      assert.deepStrictEqual((yield* start()).server.revisions, [v0_4])
    }))

  it.effect("logs who speaks what", () => {
    const lines: Array<string> = []
    const logger = Logger.make(({ message }) => void lines.push(String(message)))
    return Effect.gen(function*() {
      const { seated } = yield* everyone
      yield* seated("agent", "A", "R1", as(v0_1))
      yield* (yield* seated("computer", "C", "R2", as(v0_5))).leave("R2")
      assert.deepStrictEqual(lines, [
        `The agent "A" entered office "R1", protocol 0.1`,
        `The computer "C" entered office "R2", protocol 0.5`,
        `The computer "C" left office "R2", protocol 0.5`
      ])
    }).pipe(Effect.provide(Logger.layer([logger])))
  })
})
