import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Schema } from "effect"
import { TestClock } from "effect/testing"
import type * as Ack from "../../src/protocol/Ack.ts"
import * as ClientEvent from "../../src/protocol/ClientEvent.ts"
import { CallToolResult } from "../../src/protocol/Tool.ts"
import * as ToolResult from "../../src/protocol/ToolResult.ts"
import { bothRevisions, clientPayload, codeOf, type Options, type Peer, start } from "./support/officeServer.ts"

/** An Agent A and a Computer C in one office. */
const pair = Effect.fnUntraced(function*(options?: Options) {
  const office = yield* start(options)
  const agent = yield* office.seated("agent", "A", "R1")
  const computer = yield* office.seated("computer", "C", "R1")
  yield* agent.news
  return { ...office, agent, computer }
})

const answerWith = (peer: Peer, ...args: Ack.Args) => {
  peer.answer = () => Effect.succeed(args)
}

/** A request that the Computer has got and does not answer until it is told to. */
const unanswered = Effect.fnUntraced(function*(
  { agent, computer }: { readonly agent: Peer; readonly computer: Peer },
  event: string,
  extra: Readonly<Record<string, unknown>> = {}
) {
  const answer = yield* Deferred.make<Ack.Args>()
  computer.answer = () => Deferred.await(answer)
  const arrived = yield* Effect.forkChild(computer.nextRequest, { startImmediately: true })
  const call = yield* agent.asking(event, clientPayload("C", extra))
  yield* Fiber.join(arrived)
  return { call, answer: (...args: Ack.Args) => Deferred.succeed(answer, args) }
})

const done = (call: Fiber.Fiber<Ack.Args, unknown>): Ack.Args | undefined => {
  const exit = call.pollUnsafe()
  return exit !== undefined && Exit.isSuccess(exit) ? exit.value : undefined
}

const cancelOf = (req_id: string) => ({ event: "notify:tool_call_cancel", payload: { agent: "A", req_id } })

const notFound = [{ code: 404, message: "Computer with name 'C' not found", details: { computer_name: "C" } }]
const names = ClientEvent.all.map(({ name }) => name)
const others = names.filter((name) => name !== "client:tool_call")

const odd = {
  nothing: null,
  zero: 0,
  negative: -1.5e-7,
  big: 2 ** 53,
  empty: "",
  text: "ünï \u{1f9d1}‍\u{1f680} \u0000 \u2028 \" \\ \ud800",
  list: [[], {}, [null, [1, "2", false]]],
  deep: JSON.parse(`${"[".repeat(500)}${"]".repeat(500)}`),
  proto: JSON.parse(`{"__proto__": {"polluted": true}, "constructor": 1, "toString": 2}`),
  placeholder: { _placeholder: true, num: 0 },
  keys: { "": 1, " ": 2, "a.b": 3, "\n": 4 }
}

describe("the relay passes on what it carries", () => {
  for (const revision of bothRevisions) {
    for (const event of names) {
      it.effect(`${revision.id}: ${event}, untouched in both directions`, () =>
        Effect.gen(function*() {
          const { agent, computer } = yield* pair({ revisions: [revision] })
          const request = clientPayload("C", { unknown_key: 1, odd, params: odd })
          const reply: Ack.Args = [{ odd, content: [odd], req_id: "another" }, odd, null, "text", []]
          answerWith(computer, ...reply)
          assert.deepStrictEqual(yield* agent.ack(event, request), reply)
          assert.deepStrictEqual(computer.asked, [{ event, args: [request] }])
          assert.deepStrictEqual([...yield* agent.news, ...yield* computer.news], [])
        }))
    }
  }

  for (
    const args of [
      [],
      [null],
      [true, null],
      [false, "text"],
      [0],
      [""],
      [[]],
      [{}],
      [[[true, null]]],
      [{ code: 4242, message: "own", details: { a: 1 } }],
      [{ code: 404, content: [] }],
      ["x".repeat(100_000)]
    ]
  ) {
    it.effect(`an acknowledgement of ${JSON.stringify(args).slice(0, 50)}`, () =>
      Effect.gen(function*() {
        const { agent, computer } = yield* pair()
        answerWith(computer, ...args)
        for (const event of ["client:tool_call", "client:get_desktop"]) {
          assert.deepStrictEqual(yield* agent.ack(event, clientPayload("C")), args)
        }
      }))
  }

  it.effect("a request without an acknowledgement gets through as well", () =>
    Effect.gen(function*() {
      const { agent, computer, hub } = yield* pair()
      yield* agent.tell("client:get_tools", clientPayload("C"))
      yield* hub.settled
      assert.strictEqual(computer.asked.length, 1)
    }))

  it.effect("any number of requests at once, each to its own asker", () =>
    Effect.gen(function*() {
      const office = yield* pair()
      const { agent, computer } = office
      computer.answer = (_event, [payload]) =>
        Effect.as(Effect.yieldNow, [(payload as { readonly params: unknown }).params])
      const second = yield* office.seated("agent", "B", "R2")
      const elsewhere = yield* office.seated("computer", "C", "R2")
      elsewhere.answer = () => Effect.succeed(["elsewhere"])
      const ids = Array.from({ length: 200 }, (_, index) => index)
      const acks = yield* Effect.forEach(
        ids,
        (id) =>
          Effect.all([
            agent.ack("client:tool_call", clientPayload("C", { params: { id } })),
            second.ack("client:tool_call", clientPayload("C"))
          ], { concurrency: 2 }),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(acks, ids.map((id) => [[{ id }], ["elsewhere"]]))
    }))

  it.effect("two calls with one request id are two calls", () =>
    Effect.gen(function*() {
      const { agent, computer } = yield* pair()
      let count = 0
      computer.answer = () => Effect.sync(() => [++count])
      const acks = yield* Effect.all([1, 2].map(() => agent.ack("client:tool_call", clientPayload("C"))), {
        concurrency: 2
      })
      assert.deepStrictEqual(acks, [[1], [2]])
    }))
})

describe("the relay refuses", () => {
  for (const event of names) {
    it.effect(`${event}: 400, then 4103, then 403, then 404`, () =>
      Effect.gen(function*() {
        const { agent, computer, connect } = yield* pair()
        const roomless = yield* connect()
        const malformed = { ...clientPayload("nobody"), agent: 5 }
        for (const peer of [roomless, computer, agent]) {
          assert.strictEqual(codeOf(yield* peer.ack(event, malformed)), 400)
        }
        assert.deepStrictEqual(yield* roomless.ack(event, clientPayload("nobody")), [
          { code: 4103, message: "Not in any room" }
        ])
        for (const target of ["nobody", "C"]) {
          assert.deepStrictEqual(yield* computer.ack(event, clientPayload(target)), [
            { code: 403, message: "Only agents may issue client:* calls" }
          ])
        }
        assert.strictEqual(codeOf(yield* agent.ack(event, clientPayload("nobody"))), 404)
        assert.deepStrictEqual(computer.asked, [])
      }))

    it.effect(`${event}: a Computer of another office, an Agent's name and an unknown one are all the same`, () =>
      Effect.gen(function*() {
        const { agent, seated } = yield* pair()
        const elsewhere = yield* seated("computer", "Z", "R2")
        const answers = yield* Effect.forEach(
          ["Z", "A", "unknown"],
          (name) =>
            Effect.map(
              agent.ack(event, clientPayload(name)),
              (args) => JSON.stringify(args).replaceAll(`"${name}"`, `"?"`).replaceAll(`'${name}'`, "'?'")
            )
        )
        assert.deepStrictEqual(new Set(answers).size, 1)
        assert.include(answers[0], `"code":404`)
        assert.deepStrictEqual(elsewhere.asked, [])
      }))
  }
})

describe("a call ends when one of the two goes", () => {
  for (const event of names) {
    for (const how of ["is lost", "closes", "leaves the office", "moves to another office"] as const) {
      it.effect(`${event}: the Computer ${how}: 404 at once, and its late answer is ignored`, () =>
        Effect.gen(function*() {
          const office = yield* pair()
          const { agent, computer, hub } = office
          const { answer, call } = yield* unanswered(office, event)
          if (how === "is lost") yield* computer.lose
          else if (how === "closes") yield* computer.close
          else if (how === "leaves the office") yield* computer.leave("R1")
          else yield* computer.join("computer", "C", "R2")
          yield* Effect.yieldNow
          assert.deepStrictEqual(yield* Fiber.join(call), notFound)
          yield* answer({ late: true })
          yield* hub.settled
          const hears = event === "client:tool_call" && computer.isOpen ? [cancelOf("r1")] : []
          assert.deepStrictEqual(computer.takeHeard(), hears)
          assert.deepStrictEqual(yield* agent.news, [
            { event: "notify:leave_office", payload: { office_id: "R1", computer: "C" } }
          ])
        }))
    }
  }

  for (const how of ["lose", "close"] as const) {
    it.effect(`tool_call: the Agent goes (${how}): the Computer is told to cancel, then that it left`, () =>
      Effect.gen(function*() {
        const office = yield* pair()
        const { answer } = yield* unanswered(office, "client:tool_call", { req_id: "q7", agent: "somebody else" })
        yield* office.agent[how]
        while (office.computer.heard.length < 2) yield* Effect.yieldNow
        yield* answer({ late: true })
        assert.deepStrictEqual(yield* office.computer.news, [
          cancelOf("q7"),
          { event: "notify:leave_office", payload: { office_id: "R1", agent: "A" } }
        ])
      }))
  }

  it.effect("the answer to an Agent that left its office still arrives", () =>
    Effect.gen(function*() {
      const office = yield* pair()
      const { answer, call } = yield* unanswered(office, "client:get_tools")
      yield* office.agent.leave("R1")
      yield* answer({ tools: [] })
      assert.deepStrictEqual(yield* Fiber.join(call), [{ tools: [] }])
    }))

  it.effect("other calls of the Computer's office go on", () =>
    Effect.gen(function*() {
      const office = yield* pair()
      const second = yield* office.seated("computer", "D", "R1")
      const { answer, call } = yield* unanswered(office, "client:tool_call")
      const leaving = yield* unanswered({ ...office, computer: second }, "client:tool_call", { computer: "D" })
      yield* second.lose
      assert.strictEqual(codeOf(yield* Fiber.join(leaving.call)), 404)
      assert.isUndefined(done(call))
      yield* answer("here")
      assert.deepStrictEqual(yield* Fiber.join(call), ["here"])
    }))
})

describe("deadlines", () => {
  for (const timeout of [1, 7, "7", 0.5, 86_400]) {
    it.effect(`tool_call with timeout ${JSON.stringify(timeout)}: five seconds later the Server ends it`, () =>
      Effect.gen(function*() {
        const office = yield* pair()
        const { answer, call } = yield* unanswered(office, "client:tool_call", { timeout, req_id: "q1" })
        yield* TestClock.adjust(Number(timeout) * 1000 + 4999)
        assert.isUndefined(done(call))
        assert.deepStrictEqual(office.computer.takeHeard(), [])
        yield* TestClock.adjust(1)
        const args = yield* Fiber.join(call)
        assert.strictEqual(args.length, 1)
        const result = yield* Schema.decodeUnknownEffect(CallToolResult)(args[0])
        assert.strictEqual(result.isError, true)
        assert.strictEqual(ToolResult.mark(result, "a2c_timeout"), true)
        assert.strictEqual((result.content as ReadonlyArray<{ readonly type: string }>)[0]!.type, "text")
        while (office.computer.heard.length === 0) yield* Effect.yieldNow
        assert.deepStrictEqual(office.computer.takeHeard(), [cancelOf("q1")])
        yield* answer({ late: true })
        assert.deepStrictEqual([...yield* office.agent.news, ...yield* office.computer.news], [])
        answerWith(office.computer, "next")
        assert.deepStrictEqual(yield* office.agent.ack("client:tool_call", clientPayload("C")), ["next"])
      }))
  }

  for (const timeout of [1e15, 1e300, "9007199254740993"]) {
    it.effect(`a timeout of ${timeout} is no deadline of the past`, () =>
      Effect.gen(function*() {
        const office = yield* pair()
        const { answer, call } = yield* unanswered(office, "client:tool_call", { timeout })
        yield* TestClock.adjust("20 days")
        assert.isUndefined(done(call))
        yield* answer("at last")
        assert.deepStrictEqual(yield* Fiber.join(call), ["at last"])
      }))
  }

  for (const timeout of [0, -1, -1e300, "0", "-3", "", " ", "soon", "1e400", "NaN", null, true, [], [5], {}]) {
    it.effect(`a timeout of ${JSON.stringify(timeout)} is refused with 400`, () =>
      Effect.gen(function*() {
        const { agent, computer } = yield* pair()
        assert.strictEqual(codeOf(yield* agent.ack("client:tool_call", clientPayload("C", { timeout }))), 400)
        assert.deepStrictEqual(computer.asked, [])
      }))
  }

  for (const event of others) {
    it.effect(`${event}: 408 after 30 seconds, whatever timeout it carries`, () =>
      Effect.gen(function*() {
        const office = yield* pair()
        const { answer, call } = yield* unanswered(office, event, { timeout: 1 })
        yield* TestClock.adjust(29_999)
        assert.isUndefined(done(call))
        yield* TestClock.adjust(1)
        assert.deepStrictEqual(yield* Fiber.join(call), [
          { code: 408, message: `The computer did not answer ${event} in time` }
        ])
        yield* answer({ late: true })
        assert.deepStrictEqual([...yield* office.agent.news, ...yield* office.computer.news], [])
      }))
  }

  it.effect("can be chosen", () =>
    Effect.gen(function*() {
      const office = yield* pair({ server: { toolCallGrace: "1 second", requestTimeout: "2 seconds" } })
      const tool = yield* unanswered(office, "client:tool_call", { timeout: 1 })
      yield* TestClock.adjust(2000)
      assert.include(JSON.stringify(yield* Fiber.join(tool.call)), "a2c_timeout")
      const other = yield* unanswered(office, "client:get_skills")
      yield* TestClock.adjust(2000)
      assert.strictEqual(codeOf(yield* Fiber.join(other.call)), 408)
      yield* tool.answer()
      yield* other.answer()
    }))
})
