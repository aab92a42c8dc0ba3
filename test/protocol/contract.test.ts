import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as ClientEvent from "../../src/protocol/ClientEvent.ts"
import * as NotifyEvent from "../../src/protocol/NotifyEvent.ts"
import * as Revision from "../../src/protocol/Revision.ts"
import * as ServerEvent from "../../src/protocol/ServerEvent.ts"
import * as Tool from "../../src/protocol/Tool.ts"

const ids = ["0.1", "0.2", "0.3", "0.4", "0.5"] as const

/** Every event and the revision in which it appeared. */
const since: Readonly<Record<string, (typeof ids)[number]>> = {
  "client:tool_call": "0.1",
  "client:get_tools": "0.1",
  "client:get_desktop": "0.1",
  "client:get_config": "0.2",
  "client:get_resources": "0.2",
  "client:get_skills": "0.2",
  "client:get_skill": "0.2",
  "client:get_blob": "0.2",
  "client:put_blob": "0.4",
  "server:join_office": "0.1",
  "server:leave_office": "0.1",
  "server:list_room": "0.1",
  "server:tool_call_cancel": "0.1",
  "server:update_config": "0.1",
  "server:update_tool_list": "0.1",
  "server:update_desktop": "0.1",
  "server:update_skills": "0.2",
  "notify:enter_office": "0.1",
  "notify:leave_office": "0.1",
  "notify:tool_call_cancel": "0.1",
  "notify:update_config": "0.1",
  "notify:update_tool_list": "0.1",
  "notify:update_desktop": "0.1",
  "notify:update_skills": "0.2"
}

const named = (prefix: string) => Object.keys(since).filter((name) => name.startsWith(prefix))
const namesOf = (events: ReadonlyArray<{ readonly name: string }>) => events.map(({ name }) => name)
const existsIn = (id: (typeof ids)[number]) => (name: string) => ids.indexOf(since[name]!) <= ids.indexOf(id)

const senders: Readonly<Record<string, ReadonlyArray<string>>> = {
  "server:join_office": ["agent", "computer"],
  "server:leave_office": ["agent", "computer"],
  "server:list_room": ["agent", "computer"],
  "server:tool_call_cancel": ["agent"],
  "server:update_config": ["computer"],
  "server:update_tool_list": ["computer"],
  "server:update_desktop": ["computer"],
  "server:update_skills": ["computer"]
}

describe("The contract", () => {
  it("has 9 events to Computers, 8 to the Server and 7 notifications", () => {
    assert.deepStrictEqual(namesOf(ClientEvent.all), named("client:"))
    assert.deepStrictEqual(namesOf(ServerEvent.all), named("server:"))
    assert.deepStrictEqual(namesOf(NotifyEvent.all), named("notify:"))
    assert.deepStrictEqual([named("client:").length, named("server:").length, named("notify:").length], [9, 8, 7])
  })

  it.each(ids)("of %s has the events that it has", (id) => {
    const revision = Revision.revisions[id]
    const exists = existsIn(id)
    assert.deepStrictEqual(namesOf(ClientEvent.inRevision(revision)), named("client:").filter(exists))
    assert.deepStrictEqual(namesOf(ServerEvent.inRevision(revision)), named("server:").filter(exists))
    for (const { feature, name } of NotifyEvent.all) {
      assert.strictEqual(feature === undefined || revision[feature], exists(name), name)
    }
  })

  it("says who may send what to the Server, and how it is acknowledged", () => {
    assert.deepStrictEqual(Object.fromEntries(ServerEvent.all.map((event) => [event.name, event.senders])), senders)
    const acks = {
      "server:join_office": "membership",
      "server:leave_office": "membership",
      "server:list_room": "value"
    }
    for (const { ack, name } of ServerEvent.all) {
      assert.strictEqual(ack, (acks as Readonly<Record<string, string>>)[name] ?? "none", name)
    }
    for (const { ack } of ClientEvent.all) assert.strictEqual(ack, "value")
  })

  it("passes on each update as the notification of the same name", () => {
    const updates = named("server:update_")
    assert.sameMembers(Object.keys(NotifyEvent.ofUpdate), updates)
    for (const [name, event] of Object.entries(NotifyEvent.ofUpdate)) {
      assert.strictEqual(event.name, name.replace("server:", "notify:"))
    }
  })

  const envelope = { agent: "a", req_id: "1", computer: "c" }

  /** The least each event carries, exactly as peers send it. */
  const payloads: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
    "client:tool_call": { ...envelope, tool_name: "t", params: {}, timeout: 30 },
    "client:get_tools": envelope,
    "client:get_desktop": envelope,
    "client:get_config": envelope,
    "client:get_resources": { ...envelope, mcp_server: "git" },
    "client:get_skills": envelope,
    "client:get_skill": { ...envelope, name: "s" },
    "client:get_blob": { ...envelope, blob_handle: "h" },
    "client:put_blob": { ...envelope, chunk_offset: 0, eof: true, blob: "" },
    "server:join_office": { role: "agent", name: "a", office_id: "o" },
    "server:leave_office": { office_id: "o" },
    "server:list_room": { agent: "a", req_id: "1", office_id: "o" },
    "server:tool_call_cancel": { agent: "a", req_id: "1" },
    "server:update_config": { computer: "c" },
    "server:update_tool_list": { computer: "c" },
    "server:update_desktop": { computer: "c" },
    "server:update_skills": { computer: "c" },
    "notify:enter_office": { office_id: "o" },
    "notify:leave_office": { office_id: "o" },
    "notify:tool_call_cancel": { agent: "a", req_id: "1" },
    "notify:update_config": { computer: "c" },
    "notify:update_tool_list": { computer: "c" },
    "notify:update_desktop": { computer: "c" },
    "notify:update_skills": { computer: "c" }
  }

  for (const event of [...ClientEvent.all, ...ServerEvent.all, ...NotifyEvent.all]) {
    it.effect(`reads the payload of ${event.name}, needs every key, and ignores unknown ones`, () =>
      Effect.gen(function*() {
        const payload = payloads[event.name]!
        const decode = Schema.decodeUnknownEffect<Schema.Codec<unknown, unknown>>(event.payload)
        assert.deepStrictEqual(yield* decode({ ...payload, unknown: { deep: [1] } }), payload)
        for (const key of Object.keys(payload)) {
          const { [key]: _, ...rest } = payload
          yield* Effect.flip(decode(rest))
          yield* Effect.flip(decode({ ...payload, [key]: { not: "this" }, ...key === "params" && { params: "x" } }))
        }
        for (const other of [null, undefined, 7, "text", [], [payload]]) yield* Effect.flip(decode(other))
      }))
  }

  it.each([
    [30, 30],
    [1.5, 1.5],
    ["2", 2],
    ["0.5", 0.5]
  ])("reads the timeout %j of a tool call as %s seconds", (timeout, seconds) => {
    const payload = Schema.decodeUnknownSync(Tool.ToolCallReq)({ ...payloads["client:tool_call"], timeout })
    assert.strictEqual(payload.timeout, seconds)
  })

  it.each([0, -1, "0", "", "soon", null, true, [], NaN, Infinity])(
    "refuses the timeout %j of a tool call",
    (timeout) => {
      const payload = { ...payloads["client:tool_call"], timeout }
      assert.isTrue(Schema.decodeUnknownResult(Tool.ToolCallReq)(payload)._tag === "Failure")
    }
  )
})
