import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import * as ServerEvent from "../../src/protocol/ServerEvent.ts"
import * as Authenticator from "../../src/server/Authenticator.ts"
import { HttpServer } from "../../src/server/HttpServer.ts"
import * as SocketIoServer from "../../src/server/SocketIoServer.ts"
import * as SocketIoTransport from "../../src/transport/SocketIoTransport.ts"
import { answering, left, textOf } from "./support/officeMessages.ts"
import { clientPayload, codeOf, start } from "./support/officeServer.ts"

describe("who a notification is about comes from the session", () => {
  it.effect("in updates, cancellations and departures", () =>
    Effect.gen(function*() {
      const { seated } = yield* start()
      const agent = yield* seated("agent", "A", "R1")
      const computer = yield* seated("computer", "C", "R1")
      const other = yield* seated("computer", "D", "R1")
      yield* agent.news
      yield* computer.news
      for (const event of ["config", "tool_list", "desktop", "skills"]) {
        assert.deepStrictEqual(yield* computer.ack(`server:update_${event}`, { computer: "D", office_id: "R2" }), [])
        const expected = [{ event: `notify:update_${event}`, payload: { computer: "C" } }]
        assert.deepStrictEqual(yield* agent.news, expected)
        assert.deepStrictEqual(yield* other.news, expected)
      }
      assert.deepStrictEqual(yield* agent.ack("server:tool_call_cancel", { agent: "B", req_id: "q", extra: 1 }), [])
      const cancelled = [{ event: "notify:tool_call_cancel", payload: { agent: "A", req_id: "q" } }]
      assert.deepStrictEqual([yield* computer.news, yield* other.news], [cancelled, cancelled])
      yield* computer.leave("R9")
      assert.deepStrictEqual(yield* agent.news, [left("R1", { computer: "C" })])
    }))

  it.effect("and nobody speaks for the other role", () =>
    Effect.gen(function*() {
      const { connect, seated } = yield* start()
      const agent = yield* seated("agent", "A", "R1")
      const computer = yield* seated("computer", "C", "R1")
      const roomless = yield* connect()
      yield* agent.news
      assert.deepStrictEqual(yield* agent.ack("server:update_tool_list", { computer: "C" }), [])
      assert.deepStrictEqual(yield* computer.ack("server:tool_call_cancel", { agent: "A", req_id: "q" }), [])
      assert.deepStrictEqual(yield* roomless.ack("server:update_desktop", { computer: "C" }), [])
      assert.deepStrictEqual(yield* roomless.ack("server:tool_call_cancel", { agent: "A", req_id: "q" }), [])
      assert.deepStrictEqual([...yield* agent.news, ...yield* computer.news], [])
    }))
})

describe("what other servers got wrong", () => {
  it.effect("an update by a Computer without office reaches nobody", () =>
    Effect.gen(function*() {
      const { connect, seated } = yield* start()
      const members = [yield* seated("agent", "A", "R1"), yield* seated("computer", "C", "R2"), yield* connect()]
      const computer = yield* seated("computer", "X", "R3")
      yield* computer.leave("R3")
      for (const event of ["config", "tool_list", "desktop", "skills"]) {
        yield* computer.tell(`server:update_${event}`, { computer: "X" })
      }
      for (const member of members) assert.deepStrictEqual(yield* member.news, [])
    }))

  it.effect("a call cannot cross offices, and nothing shows that the Computer exists", () =>
    Effect.gen(function*() {
      const { seated } = yield* start()
      const agent = yield* seated("agent", "A", "R1")
      const elsewhere = answering(yield* seated("computer", "C", "R2"), "C")
      const there = yield* agent.ack("client:tool_call", clientPayload("C"))
      yield* elsewhere.close
      const gone = yield* agent.ack("client:tool_call", clientPayload("C"))
      assert.deepStrictEqual(there, gone)
      assert.deepStrictEqual(there, [{
        code: 404,
        message: "Computer with name 'C' not found",
        details: { computer_name: "C" }
      }])
      assert.deepStrictEqual(elsewhere.asked, [])
    }))

  it.effect("a refused peer is no member: it hears nothing of the office", () =>
    Effect.gen(function*() {
      const { connect, seated } = yield* start()
      yield* seated("agent", "A", "R1")
      const computer = yield* seated("computer", "C", "R1")
      const refused = yield* connect()
      textOf(yield* refused.join("computer", "C", "R1"))
      yield* computer.ack("server:update_config", { computer: "C" })
      yield* computer.leave("R1")
      assert.deepStrictEqual(yield* refused.news, [])
    }))

  it.effect("leaving under the id of a foreign office leaves the own one and tells nobody there", () =>
    Effect.gen(function*() {
      const { seated } = yield* start()
      const foreign = yield* seated("agent", "B", "R2")
      const agent = yield* seated("agent", "A", "R1")
      const computer = yield* seated("computer", "C", "R1")
      yield* agent.news
      assert.deepStrictEqual(yield* computer.leave("R2"), [true, null])
      assert.deepStrictEqual(yield* agent.news, [left("R1", { computer: "C" })])
      assert.deepStrictEqual(yield* foreign.news, [])
      assert.strictEqual(codeOf(yield* computer.list("R1")), 4103)
    }))

  it.effect("a name is not taken by its use in another office", () =>
    Effect.gen(function*() {
      const { seated, server } = yield* start()
      for (const office of ["R1", "R2", "R3"]) yield* seated("computer", "PC", office)
      assert.deepStrictEqual(yield* server.counts, { sessions: 3, offices: 3, agents: 0, computers: 3 })
    }))

  it.effect("a member that joins again under another name stays reachable under its own", () =>
    Effect.gen(function*() {
      const { seated } = yield* start()
      const agent = yield* seated("agent", "A", "R1")
      const computer = answering(yield* seated("computer", "C", "R1"), "C")
      textOf(yield* computer.join("computer", "D", "R1"))
      assert.deepStrictEqual(yield* agent.ack("client:get_tools", clientPayload("C")), [{ from: "C" }])
      assert.strictEqual(codeOf(yield* agent.ack("client:get_tools", clientPayload("D"))), 404)
    }))

  it.effect("a join without an ack function works", () =>
    Effect.gen(function*() {
      const { connect, hub, server } = yield* start()
      yield* (yield* connect()).tell("server:join_office", { role: "agent", name: "A", office_id: "R1" })
      yield* hub.settled
      assert.strictEqual((yield* server.members("R1")).length, 1)
    }))

  it.effect("an unknown event is acknowledged with nothing", () =>
    Effect.gen(function*() {
      const { connect } = yield* start()
      const peer = yield* connect()
      for (const event of ["server:no_such", "client:no_such", "notify:enter_office", "__proto__", "x"]) {
        assert.deepStrictEqual(yield* peer.ack(event, { any: 1 }), [])
      }
    }))

  it.live("an office named like a session does not reach that session", () =>
    Effect.gen(function*() {
      const { url } = yield* HttpServer
      const connect = SocketIoTransport.make({ url })
      const victim = yield* connect
      const state = yield* victim.state
      assert(state._tag === "Connected")
      const heard: Array<unknown> = []
      yield* victim.notifications.pipe(
        Stream.runForEach((notification) => Effect.sync(() => heard.push(notification))),
        Effect.forkChild({ startImmediately: true })
      )
      const [computer, agent] = [yield* connect, yield* connect]
      const witness: Array<unknown> = []
      yield* agent.notifications.pipe(
        Stream.runForEach((notification) => Effect.sync(() => witness.push(notification))),
        Effect.forkChild({ startImmediately: true })
      )
      yield* agent.call(ServerEvent.JoinOffice, { role: "agent", name: "A", office_id: state.sid })
      yield* computer.call(ServerEvent.JoinOffice, { role: "computer", name: "C", office_id: state.sid })
      yield* computer.call(ServerEvent.UpdateConfig, { computer: "C" })
      yield* computer.call(ServerEvent.LeaveOffice, { office_id: state.sid })
      // what was sent to the victim before would be here by now
      yield* victim.call(ServerEvent.JoinOffice, { role: "agent", name: "V", office_id: "R1" })
      yield* agent.call(ServerEvent.LeaveOffice, { office_id: state.sid })
      assert.strictEqual(witness.length, 3)
      assert.deepStrictEqual(heard, [])
    }).pipe(Effect.provide(SocketIoServer.layer().pipe(Layer.provide(Authenticator.layerAllowAll)))))
})
