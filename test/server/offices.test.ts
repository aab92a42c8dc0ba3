import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import * as Ack from "../../src/protocol/Ack.ts"
import { revisions } from "../../src/protocol/Revision.ts"
import * as ServerEvent from "../../src/protocol/ServerEvent.ts"
import { answering, enter, errorOf, left, namesIn, textOf } from "./support/officeMessages.ts"
import { bothRevisions, clientPayload, codeOf, start, v0_4, v0_5 } from "./support/officeServer.ts"

describe("the scenarios of the room model, revision 0.5", () => {
  const agentAndComputer = Effect.gen(function*() {
    const office = yield* start({ revisions: [v0_5] })
    const agent = yield* office.seated("agent", "A", "R1")
    const one = answering(yield* office.seated("computer", "C1", "R1"), "C1")
    yield* agent.news
    return { ...office, agent, one }
  })

  for (const name of ["C2", "C1"]) {
    it.effect(`1, 2: a second Computer named ${name} is refused with 4101 and nobody hears of it`, () =>
      Effect.gen(function*() {
        const { agent, connect, hub, one } = yield* agentAndComputer
        const two = yield* connect()
        assert.deepStrictEqual(errorOf(yield* two.join("computer", name, "R1")), {
          code: 4101,
          details: { office_id: "R1", role: "computer" }
        })
        yield* hub.settled
        assert.deepStrictEqual([agent.heard, one.heard, two.heard], [[], [], []])
        assert.deepStrictEqual(namesIn(yield* agent.list("R1")), ["A", "C1"])
      }))
  }

  it.effect("3: joining again is acknowledged with nothing and not announced again", () =>
    Effect.gen(function*() {
      const { agent, one } = yield* agentAndComputer
      assert.deepStrictEqual(yield* one.join("computer", "C1", "R1"), [])
      assert.deepStrictEqual(yield* agent.news, [])
    }))

  it.effect("4: a Computer that is refused elsewhere stays where it is, and its office hears nothing", () =>
    Effect.gen(function*() {
      const office = yield* start({ revisions: [v0_5] })
      yield* office.seated("computer", "C1", "R1")
      const witness = yield* office.seated("agent", "B", "R2")
      const two = answering(yield* office.seated("computer", "C2", "R2"), "C2")
      yield* witness.news
      assert.strictEqual(codeOf(yield* two.join("computer", "C2", "R1")), 4101)
      assert.deepStrictEqual(yield* witness.news, [])
      assert.deepStrictEqual(yield* witness.ack("client:get_tools", clientPayload("C2")), [{ from: "C2" }])
    }))

  it.effect("5: one Computer leaves, another takes the seat: told in order, and only the new one is reached", () =>
    Effect.gen(function*() {
      const { agent, connect, one } = yield* agentAndComputer
      const two = answering(yield* connect(), "C2")
      assert.deepStrictEqual(yield* one.leave("R1"), [])
      assert.deepStrictEqual(yield* two.join("computer", "C2", "R1"), [])
      assert.deepStrictEqual(yield* agent.news, [left("R1", { computer: "C1" }), enter("R1", { computer: "C2" })])
      assert.deepStrictEqual(yield* agent.ack("client:tool_call", clientPayload("C2")), [{ from: "C2" }])
      assert.strictEqual(codeOf(yield* agent.ack("client:tool_call", clientPayload("C1"))), 404)
    }))

  it.effect("6: a Computer cannot move to an office whose seat is taken", () =>
    Effect.gen(function*() {
      const { agent, one, seated } = yield* agentAndComputer
      const two = yield* seated("computer", "C2", "R2")
      assert.strictEqual(codeOf(yield* one.join("computer", "C1", "R2")), 4101)
      assert.deepStrictEqual([...yield* agent.news, ...yield* two.news], [])
      assert.deepStrictEqual(namesIn(yield* agent.list("R1")), ["A", "C1"])
    }))

  it.effect("7: a second Agent is refused with 4101", () =>
    Effect.gen(function*() {
      const { agent, connect } = yield* agentAndComputer
      const other = yield* connect()
      assert.deepStrictEqual(errorOf(yield* other.join("agent", "B", "R1")), {
        code: 4101,
        details: { office_id: "R1", role: "agent" }
      })
      assert.deepStrictEqual(yield* agent.news, [])
    }))

  it.effect("8: of two Computers that join at once exactly one gets the seat", () =>
    Effect.gen(function*() {
      const { connect, server } = yield* start({ revisions: [v0_5] })
      const peers = yield* Effect.all([connect(), connect(), connect()])
      const acks = yield* Effect.forEach(peers, (peer, index) => peer.join("computer", `C${index}`, "R1"), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(acks.map((args) => String(codeOf(args) ?? "in")).sort(), ["4101", "4101", "in"])
      assert.strictEqual((yield* server.members("R1")).length, 1)
    }))

  it.effect("9: a Computer moves to a free office: both offices are told", () =>
    Effect.gen(function*() {
      const { agent, one, seated } = yield* agentAndComputer
      const there = yield* seated("agent", "B", "R2")
      assert.deepStrictEqual(yield* one.join("computer", "C1", "R2"), [])
      assert.deepStrictEqual(yield* agent.news, [left("R1", { computer: "C1" })])
      assert.deepStrictEqual(yield* there.news, [enter("R2", { computer: "C1" })])
      assert.deepStrictEqual(one.heard, [])
    }))
})

describe("the same situations in revision 0.4", () => {
  it.effect("any number of Computers sit in one office; the Agent hears each of them come", () =>
    Effect.gen(function*() {
      const { connect, seated } = yield* start({ revisions: [v0_4] })
      const agent = yield* seated("agent", "A", "R1")
      const names = ["C1", "C2", "C3", "C4"]
      for (const name of names) {
        assert.deepStrictEqual(yield* (yield* connect()).join("computer", name, "R1"), [true, null])
      }
      assert.deepStrictEqual(yield* agent.news, names.map((computer) => enter("R1", { computer })))
      assert.deepStrictEqual(namesIn(yield* agent.list("R1")), ["A", ...names])
    }))

  it.effect("a taken name is refused with a text that says it already exists", () =>
    Effect.gen(function*() {
      const { connect, seated } = yield* start({ revisions: [v0_4] })
      const first = yield* seated("computer", "PC", "R1")
      const text = textOf(yield* (yield* connect()).join("computer", "PC", "R1"))
      assert.include(text, "already exists")
      assert.notInclude(text, first.sid)
      assert.deepStrictEqual(yield* first.news, [])
    }))

  it.effect("the same name is free in another office and for the other role", () =>
    Effect.gen(function*() {
      const { connect, seated } = yield* start({ revisions: [v0_4] })
      yield* seated("computer", "PC", "R1")
      assert.deepStrictEqual(yield* (yield* connect()).join("computer", "PC", "R2"), [true, null])
      assert.deepStrictEqual(yield* (yield* connect()).join("agent", "PC", "R1"), [true, null])
    }))

  it.effect("a refused Computer stays where it is and is still reached there", () =>
    Effect.gen(function*() {
      const { seated } = yield* start({ revisions: [v0_4] })
      const agent = yield* seated("agent", "A", "R2")
      const computer = answering(yield* seated("computer", "PC", "R2"), "PC")
      const rival = yield* seated("computer", "PC", "R1")
      yield* agent.news
      assert.include(textOf(yield* computer.join("computer", "PC", "R1")), "already exists")
      assert.deepStrictEqual([...yield* agent.news, ...yield* rival.news], [])
      assert.deepStrictEqual(yield* agent.ack("client:get_config", clientPayload("PC")), [{ from: "PC" }])
    }))

  it.effect("of two Computers that join at once under one name exactly one gets in", () =>
    Effect.gen(function*() {
      const { connect, server } = yield* start({ revisions: [v0_4] })
      const peers = yield* Effect.all([connect(), connect()])
      const acks = yield* Effect.forEach(peers, (peer) => peer.join("computer", "PC", "R1"), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(acks.map(([first]) => String(first)).sort(), ["false", "true"])
      assert.strictEqual((yield* server.members("R1")).length, 1)
    }))
})

describe("joining and leaving", () => {
  for (const revision of bothRevisions) {
    const ok = revision.joinAck === "tuple" ? [true, null] : []
    const refusal = (args: Ack.Args) => {
      if (revision.joinAck === "tuple") return { text: textOf(args) }
      return errorOf(args)
    }
    const expected = (code: number, details?: object) => (actual: object) => {
      if (revision.joinAck === "tuple") assert.hasAllKeys(actual, ["text"])
      else assert.deepStrictEqual(actual, details === undefined ? { code } : { code, details })
    }

    it.effect(`${revision.id}: success and refusal have the form of the revision`, () =>
      Effect.gen(function*() {
        const { connect } = yield* start({ revisions: [revision] })
        const peer = yield* connect()
        assert.deepStrictEqual(yield* peer.join("agent", "A", "R1"), ok)
        expected(4106, { office_id: "R1" })(refusal(yield* peer.join("agent", "A", "R2")))
        expected(403)(refusal(yield* peer.join("computer", "A", "R1")))
        expected(403)(refusal(yield* peer.join("agent", "B", "R1")))
        expected(400)(refusal(yield* peer.ack("server:join_office", {})))
        expected(400)(refusal(yield* peer.ack("server:leave_office", {})))
        assert.deepStrictEqual(yield* peer.leave("R1"), ok)
        assert.deepStrictEqual(yield* peer.leave("R1"), ok)
      }))

    it.effect(`${revision.id}: a role is for the whole connection, a name for one stay`, () =>
      Effect.gen(function*() {
        const { connect } = yield* start({ revisions: [revision] })
        const peer = yield* connect()
        yield* peer.join("agent", "A", "R1")
        yield* peer.leave("R1")
        expected(403)(refusal(yield* peer.join("computer", "A", "R1")))
        assert.deepStrictEqual(yield* peer.join("agent", "B", "R2"), ok)
        assert.deepStrictEqual(namesIn(yield* peer.list("R2")), ["B"])
      }))

    it.effect(`${revision.id}: a refused first join fixes neither role nor name`, () =>
      Effect.gen(function*() {
        const { connect, seated } = yield* start({ revisions: [revision] })
        yield* seated("agent", "A", "R1")
        const peer = yield* connect()
        refusal(yield* peer.join("agent", "B", "R1"))
        assert.deepStrictEqual(yield* peer.join("computer", "C", "R1"), ok)
      }))

    it.effect(`${revision.id}: whoever is there hears who comes and goes, under the key of the role only`, () =>
      Effect.gen(function*() {
        const { connect, seated } = yield* start({ revisions: [revision] })
        const agent = yield* seated("agent", "A", "R1")
        const computer = yield* connect()
        yield* computer.join("computer", "C", "R1")
        assert.deepStrictEqual(yield* agent.news, [enter("R1", { computer: "C" })])
        yield* agent.leave("R1")
        assert.deepStrictEqual(yield* computer.news, [left("R1", { agent: "A" })])
        yield* agent.join("agent", "A", "R1")
        const news = yield* computer.news
        assert.deepStrictEqual(news, [enter("R1", { agent: "A" })])
        assert.hasAllKeys(news[0]!.payload, ["office_id", "agent"])
        yield* computer.lose
        assert.deepStrictEqual(yield* agent.news, [left("R1", { computer: "C" })])
        assert.deepStrictEqual(yield* agent.news, [])
      }))

    it.effect(`${revision.id}: a seat is free again once its peer is gone`, () =>
      Effect.gen(function*() {
        const { connect, hub, seated, server } = yield* start({ revisions: [revision] })
        for (const go of ["lose", "close"] as const) {
          const first = yield* seated("agent", "A", "R1")
          const second = yield* connect()
          refusal(yield* second.join("agent", "A", "R1"))
          yield* first[go]
          yield* hub.settled
          assert.deepStrictEqual(yield* second.join("agent", "A", "R1"), ok)
          yield* second.close
          yield* hub.settled
        }
        assert.deepStrictEqual(yield* server.counts, { sessions: 0, offices: 0, agents: 0, computers: 0 })
      }))

    it.effect(`${revision.id}: a member is told to its office before its own join is acknowledged`, () =>
      Effect.gen(function*() {
        const { connect, seated } = yield* start({ revisions: [revision] })
        const agent = yield* seated("agent", "A", "R1")
        const computer = answering(yield* connect(), "C")
        // Agents of the official SDK ask for the tools as soon as they hear of the Computer.
        const joining = yield* computer.asking("server:join_office", { role: "computer", name: "C", office_id: "R1" })
        while (agent.heard.length === 0) yield* Effect.yieldNow
        assert.deepStrictEqual(yield* agent.ack("client:get_tools", clientPayload("C")), [{ from: "C" }])
        assert.deepStrictEqual(yield* Fiber.join(joining), ok)
      }))

    it.effect(`${revision.id}: a failure inside the Server is acknowledged in the right form and tells nothing`, () =>
      Effect.gen(function*() {
        const { connect } = yield* start({
          revisions: [revision],
          wrapStore: (store) => ({
            ...store,
            get: () => Effect.die(new Error("db password is hunter2")),
            enter: () => Effect.die(new Error("db password is hunter2"))
          })
        })
        const peer = yield* connect()
        const joined = yield* peer.join("agent", "A", "R1")
        assert.deepStrictEqual(
          joined,
          revision.joinAck === "tuple" ? [false, "Internal error"] : [{ code: 500, message: "Internal error" }]
        )
        const internal = [{ code: 500, message: "Internal error" }]
        assert.deepStrictEqual(yield* peer.list("R1"), internal)
        assert.deepStrictEqual(yield* peer.ack("client:get_tools", clientPayload("C")), internal)
        assert.deepStrictEqual(yield* peer.ack("server:update_config", { computer: "C" }), [])
      }))
  }
})

describe("list_room", () => {
  it.effect("tells every member with session id, name, role, office and version", () =>
    Effect.gen(function*() {
      const { seated } = yield* start()
      const computer = yield* seated("computer", "C", "R1")
      const agent = yield* seated("agent", "A", "R1")
      const common = { office_id: "R1", a2c_version: "0.4.0" }
      const expected = [{
        sessions: [
          { sid: agent.sid, name: "A", role: "agent", ...common },
          { sid: computer.sid, name: "C", role: "computer", ...common }
        ],
        req_id: "list"
      }]
      assert.deepStrictEqual(yield* agent.list("R1"), expected)
      assert.deepStrictEqual(yield* computer.list("R1"), expected)
      yield* Ack.read(ServerEvent.ListRoom, expected)
    }))

  it.effect("leaves the version out when the handshake carried none", () =>
    Effect.gen(function*() {
      const { connect } = yield* start({ revisions: [revisions["0.1"]] })
      const peer = yield* connect({ version: "" })
      yield* peer.join("agent", "A", "R1")
      const session = { sid: peer.sid, name: "A", role: "agent", office_id: "R1" }
      assert.deepStrictEqual(yield* peer.list("R1"), [{ sessions: [session], req_id: "list" }])
    }))

  it.effect("refuses another office with 4104 and a session without office with 4103", () =>
    Effect.gen(function*() {
      const { connect, seated } = yield* start()
      yield* seated("agent", "B", "R2")
      const agent = yield* seated("agent", "A", "R1")
      for (const office of ["R2", "nobody-there"]) {
        assert.deepStrictEqual(errorOf(yield* agent.list(office)), { code: 4104, details: { office_id: office } })
      }
      assert.deepStrictEqual(errorOf(yield* (yield* connect()).list("R1")), { code: 4103 })
    }))
})
