import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type * as Ack from "../../src/protocol/Ack.ts"
import * as ClientEvent from "../../src/protocol/ClientEvent.ts"
import type { Revision } from "../../src/protocol/Revision.ts"
import * as ServerEvent from "../../src/protocol/ServerEvent.ts"
import { bothRevisions, clientPayload, codeOf, start } from "./support/officeServer.ts"

type Fields = Readonly<Record<string, unknown>>

const deep: unknown = JSON.parse(`${"[".repeat(2000)}${"]".repeat(2000)}`)
const deepObject: unknown = JSON.parse(`${`{"a":`.repeat(2000)}1${"}".repeat(2000)}`)
const huge = "x".repeat(300_000)

/** A well-formed payload and the fields of it that the Server reads. */
const wellFormed: Readonly<Record<string, { readonly payload: Fields; readonly reads: ReadonlyArray<string> }>> = {
  "server:join_office": {
    payload: { role: "agent", name: "N", office_id: "R3" },
    reads: ["role", "name", "office_id"]
  },
  "server:leave_office": { payload: { office_id: "R1" }, reads: ["office_id"] },
  "server:list_room": {
    payload: { agent: "A", req_id: "list", office_id: "R1" },
    reads: ["agent", "req_id", "office_id"]
  },
  "server:tool_call_cancel": { payload: { agent: "A", req_id: "r1" }, reads: ["agent", "req_id"] },
  ...Object.fromEntries(
    ["config", "tool_list", "desktop", "skills"].map((what) => [
      `server:update_${what}`,
      { payload: { computer: "C" }, reads: ["computer"] }
    ])
  ),
  ...Object.fromEntries(ClientEvent.all.map(({ name }) => [
    name,
    {
      payload: clientPayload("C"),
      reads: ["agent", "req_id", "computer", ...(name === "client:tool_call" ? ["timeout"] : [])]
    }
  ]))
}

const notText: ReadonlyArray<unknown> = [null, 5, -0.5, true, [], {}, ["C"], { $ne: "" }, deep, deepObject]
const wrong: Readonly<Record<string, ReadonlyArray<unknown>>> = {
  role: [...notText, "", "boss", "Agent", "agent ", "__proto__", "toString", huge],
  timeout: [null, true, [], {}, [5], 0, -1, "", "soon", "-1", "1e999", "\ud800", huge, deep]
}
/** Only a join names something that has to have a name. */
const mayNotBeEmpty = (event: string, field: string) => event === "server:join_office" && field !== "role"

/** What may come instead of a payload: a label and all arguments. */
const malformed = (event: string): ReadonlyArray<readonly [label: string, args: Ack.Args]> => {
  const { payload, reads } = wellFormed[event]!
  const whole: ReadonlyArray<unknown> = [
    null,
    true,
    0,
    5,
    "",
    "text",
    "\ud800",
    huge,
    JSON.stringify(payload),
    [],
    [payload],
    deep,
    {},
    { payload },
    deepObject,
    JSON.parse(`{"__proto__": ${JSON.stringify(payload)}}`)
  ]
  return [
    ["no payload", []],
    ...whole.map((value) => [JSON.stringify(value).slice(0, 40), [value]] as const),
    ...reads.flatMap((field) => {
      const { [field]: _dropped, ...rest } = payload
      const values = [...wrong[field] ?? notText, ...(mayNotBeEmpty(event, field) ? [""] : [])]
      return [
        [`without ${field}`, [rest]] as const,
        ...values.map((value) =>
          [`${field} ${JSON.stringify(value).slice(0, 40)}`, [{ ...payload, [field]: value }]] as const
        )
      ]
    })
  ]
}

/** The acknowledgement that says so, in the form of event and revision. */
const assertRefused = (
  event: ClientEvent.ClientEvent | ServerEvent.ServerEvent,
  revision: Revision,
  args: Ack.Args,
  label: string
) => {
  if (event.ack === "none") return assert.deepStrictEqual(args, [], label)
  if (event.ack === "membership" && revision.joinAck === "tuple") {
    assert.strictEqual(args.length, 2, label)
    assert.strictEqual(args[0], false, label)
    assert.isString(args[1], label)
  } else {
    assert.strictEqual(args.length, 1, label)
    assert.hasAllKeys(args[0], ["code", "message"], label)
    assert.strictEqual(codeOf(args), 400, label)
  }
  const text = JSON.stringify(args)
  assert.include(text, event.name, label)
  assert.isBelow(text.length, 400, label)
}

/** Every role in one office, and two that have nothing to do with it. */
const cast = Effect.fnUntraced(function*(revision: Revision) {
  const office = yield* start({ revisions: [revision] })
  const agent = yield* office.seated("agent", "A", "R1")
  const computer = yield* office.seated("computer", "C", "R1")
  computer.answer = (event) => Effect.succeed([{ answered: event }])
  const elsewhere = yield* office.seated("agent", "B", "R2")
  const roomless = yield* office.connect()
  yield* agent.news
  return { ...office, agent, computer, elsewhere, roomless, all: [agent, computer, elsewhere, roomless] }
})

for (const revision of bothRevisions) {
  describe(`malformed payloads, revision ${revision.id}`, () => {
    for (const event of [...ServerEvent.all, ...ClientEvent.all]) {
      it.effect(`${event.name}: each is answered, changes nothing and reaches nobody`, () =>
        Effect.gen(function*() {
          const { agent, all, computer, hub, roomless, server } = yield* cast(revision)
          const isUpdate = event.name.startsWith("server:update_")
          const sender = event.name === "server:join_office" ? roomless : isUpdate ? computer : agent
          const before = yield* server.members("R1")
          for (const [label, args] of malformed(event.name)) {
            assertRefused(event, revision, yield* sender.ack(event.name, ...args), label)
            yield* sender.tell(event.name, ...args)
            yield* hub.settled
            for (const peer of all) {
              assert.deepStrictEqual([...peer.takeHeard(), ...peer.asked], [], label)
              assert.isTrue(peer.isOpen, label)
            }
          }
          assert.deepStrictEqual(yield* server.members("R1"), before)
          assert.deepStrictEqual(yield* server.counts, { sessions: 4, offices: 2, agents: 2, computers: 1 })
          assert.deepStrictEqual(yield* agent.ack("client:get_tools", clientPayload("C")), [
            { answered: "client:get_tools" }
          ])
          yield* computer.ack("server:update_config", { computer: "C" })
          assert.strictEqual((yield* agent.news).length, 1)
        }))

      it.effect(`${event.name}: what a payload carries beside its fields is no reason to refuse it`, () =>
        Effect.gen(function*() {
          const { payload } = wellFormed[event.name]!
          const extras: ReadonlyArray<Fields> = [
            { extra: null },
            { huge },
            { deep, deepObject },
            { "\ud800": "\udc00" },
            JSON.parse(`{"__proto__": {"role": "agent", "office_id": "R2"}, "constructor": {"prototype": 1}}`)
          ]
          for (const extra of extras) {
            const { agent, computer, roomless } = yield* cast(revision)
            const isUpdate = event.name.startsWith("server:update_")
            const sender = event.name === "server:join_office" ? roomless : isUpdate ? computer : agent
            // own keys, __proto__ included
            const odd = JSON.parse(`{${JSON.stringify(extra).slice(1, -1)},${JSON.stringify(payload).slice(1)}`)
            const args = yield* sender.ack(event.name, odd, "another argument")
            assert.isUndefined(codeOf(args))
            assert.notStrictEqual(args[0], false)
          }
          assert.isUndefined(({} as Fields)["office_id"])
        }))
    }

    for (const name of ["__proto__", "constructor", "\ud800", " ", "\u0000\n", "ü\u0308", "x".repeat(50_000)]) {
      it.effect(`${JSON.stringify(name).slice(0, 20)} is a name like any other`, () =>
        Effect.gen(function*() {
          const { connect, hub } = yield* start({ revisions: [revision] })
          const [agent, computer] = [yield* connect(), yield* connect()]
          yield* agent.join("agent", name, name)
          yield* computer.join("computer", name, name)
          computer.answer = () => Effect.succeed(["reached"])
          assert.deepStrictEqual(yield* agent.news, [
            { event: "notify:enter_office", payload: { office_id: name, computer: name } }
          ])
          assert.deepStrictEqual(yield* agent.ack("client:tool_call", clientPayload(name)), ["reached"])
          assert.strictEqual(JSON.stringify(yield* agent.list(name)).split(JSON.stringify(name)).length, 5)
          yield* computer.lose
          yield* hub.settled
          assert.strictEqual(codeOf(yield* agent.ack("client:tool_call", clientPayload(name))), 404)
        }))
    }
  })
}

it("the table covers every event of the contract", () => {
  assert.deepStrictEqual(
    Object.keys(wellFormed).sort(),
    [...ServerEvent.all, ...ClientEvent.all].map(({ name }) => name as string).sort()
  )
})
