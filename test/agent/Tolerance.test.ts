import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import type { Agent } from "../../src/agent/Agent.ts"
import * as NotifyEvent from "../../src/protocol/NotifyEvent.ts"
import type { SmcpError } from "../../src/protocol/SmcpError.ts"
import { openAgent } from "../support/memoryOffice.ts"
import { type Args, failure, playedOffice, playServer, type Script } from "./support/playedServer.ts"

const answering = (event: string, answer: Args): Script => (heard) => heard.event === event ? answer : undefined

const result = { content: [{ type: "text", text: "a" }] }

/** Every question that one Computer is asked. */
const questions: ReadonlyArray<
  readonly [event: string, ask: (agent: Agent["Service"]) => Effect.Effect<unknown, SmcpError>]
> = [
  ["client:get_tools", (agent) => agent.tools("C")],
  ["client:tool_call", (agent) => agent.callTool({ computer: "C", tool: "t" })],
  ["client:get_config", (agent) => agent.config("C")],
  ["client:get_desktop", (agent) => agent.desktop("C")],
  ["client:get_resources", (agent) => agent.resources("C", "b")],
  ["client:get_blob", (agent) => agent.download("C", "h")],
  ["client:put_blob", (agent) => agent.upload("C", new Uint8Array(3))]
]

describe("an Agent among peers of other makes", () => {
  const joins: ReadonlyArray<readonly [ack: Args, end: string]> = [
    [[true, null], "joined"],
    [[true], "joined"],
    [[[true, null]], "joined"],
    [[], "joined"],
    [[null], "joined"],
    [[false, "Internal server error: Agent already in room"], "JoinRefused"],
    [[[false, "no"]], "JoinRefused"],
    [[false], "JoinRefused"],
    [[false, null], "JoinRefused"],
    [[{ code: 4101, message: "Room already has an agent", details: { office_id: "R", role: "agent" } }], "RoomFull"],
    [[{ code: 4106, message: "Agent already in another room" }], "AlreadyInRoom"],
    [[{ code: 403 }], "Forbidden"],
    [[{ code: 9999, message: "?" }], "UnknownCode"],
    [["yes"], "InvalidResponse"],
    [[{}], "InvalidResponse"]
  ]
  it.effect.each(joins)("takes %j for the answer to a join", ([ack, end]) =>
    Effect.gen(function*() {
      const { hub } = yield* playServer(answering("server:join_office", ack))
      const joining = failure(Effect.as(openAgent(hub), "joined"))
      assert.strictEqual(yield* joining, end === "joined" ? "succeeded with \"joined\"" : end)
    }))

  it.effect.each(questions)(
    "takes no arguments in the answer to %s for a peer that does not know it",
    ([event, ask]) =>
      Effect.gen(function*() {
        const { agent, all } = yield* playedOffice(() => undefined)
        const { reason } = yield* Effect.flip(ask(agent))
        assert.deepStrictEqual([reason._tag, reason._tag === "UnsupportedByPeer" && reason.event], [
          "UnsupportedByPeer",
          event
        ])
        assert.strictEqual(all(event).length, 1)
      })
  )

  const codes: ReadonlyArray<readonly [payload: object, reason: string]> = [
    [{ code: 400, message: "bad" }, "BadRequest"],
    [{ code: 403, message: "no" }, "Forbidden"],
    [{ code: 404, message: "Computer with name 'C' not found", details: { computer_name: "C" } }, "NotFound"],
    [{ code: 408, message: "late", details: null }, "RequestTimeout"],
    [{ code: 500 }, "InternalError"],
    [{ code: 4001, message: "no tool" }, "ToolNotFound"],
    [{ code: 4004, message: "slow" }, "ToolTimeout"],
    [{ code: 4006, message: "sign in", mcp_server: "b", auth_hint: { action: "login" } }, "ToolAuthorizationRequired"],
    [{ code: 4014, message: "none", mcp_server: "b" }, "McpServerNotFound"],
    [{ code: 4018, message: "gone", details: { reason: "gone" } }, "BlobNotAccessible gone"],
    [{ code: 4103, message: "Not in any room" }, "NotInRoom"],
    [{ code: 4104, message: "elsewhere", details: { office_id: "X" } }, "CrossRoomAccess"],
    [{ code: 4999, message: "new", details: { own: 1 } }, "UnknownCode"]
  ]
  it.effect.each(codes)(
    "takes %j for the error it is, whatever was asked",
    ([payload, reason]) =>
      Effect.gen(function*() {
        const { agent } = yield* playedOffice(({ event }) => event.startsWith("client:") ? [payload] : undefined)
        for (const [event, ask] of questions) assert.strictEqual(yield* failure(ask(agent)), reason, event)
      })
  )

  const tools: ReadonlyArray<readonly [what: string, sent: object, seen: object]> = [
    ["nothing but a name", { name: "t" }, {}],
    [
      "nulls",
      { name: "t", bundle_id: null, description: null, params_schema: null, return_schema: null, meta: null },
      {}
    ],
    ["no text but None", { name: "t", description: "None" }, {}],
    ["keys that nobody knows", { name: "t", title: "T", more: { a: 1 } }, {}],
    ["metadata as text", { name: "t", meta: { a2c_tool_meta: "{\"auto_apply\": true, \"alias\": null}" } }, {
      toolMeta: { auto_apply: true, alias: null },
      meta: { a2c_tool_meta: "{\"auto_apply\": true, \"alias\": null}" }
    }],
    ["metadata as an object", { name: "t", meta: { a2c_tool_meta: { tags: ["x"] } } }, {
      toolMeta: { tags: ["x"] },
      meta: { a2c_tool_meta: { tags: ["x"] } }
    }],
    ["metadata that is none", { name: "t", meta: { a2c_tool_meta: "{", n: null, l: [1, "x"] } }, {
      meta: { a2c_tool_meta: "{", n: null, l: [1, "x"] }
    }],
    [
      "everything",
      { name: "b__t", bundle_id: "b", description: "D", params_schema: { a: 1 }, return_schema: { type: "object" } },
      { name: "b__t", bundleId: "b", description: "D", inputSchema: { a: 1 }, outputSchema: { type: "object" } }
    ]
  ]
  it.effect.each(tools)("reads a tool with %s", ([, sent, seen]) =>
    Effect.gen(function*() {
      const { agent } = yield* playedOffice(answering("client:get_tools", [{ tools: [sent], req_id: "another" }]))
      assert.deepStrictEqual<unknown>(yield* agent.tools("C"), [{
        computer: "C",
        name: "t",
        bundleId: undefined,
        description: "",
        inputSchema: { type: "object" },
        outputSchema: undefined,
        toolMeta: {},
        meta: {},
        ...seen
      }])
    }))

  const entry = { name: "s", type: "stdio", server_parameters: { command: "py", env: null } }
  const configs: ReadonlyArray<readonly [what: string, sent: { readonly servers: object }]> = [
    ["keyed by names, without bundle ids and inputs", { servers: { "my server": entry } }],
    [
      "keyed by bundle ids, with a req_id",
      { servers: { b: { ...entry, bundle_id: "b" } }, req_id: "another" } as never
    ],
    ["with nulls", { servers: {}, inputs: null } as never]
  ]
  it.effect.each(configs)("reads a configuration %s", ([, sent]) =>
    Effect.gen(function*() {
      const { agent } = yield* playedOffice(answering("client:get_config", [sent]))
      assert.deepStrictEqual<unknown>((yield* agent.config("C")).servers, sent.servers)
    }))

  const results: ReadonlyArray<readonly [what: string, sent: object, tag: string]> = [
    ["is empty", {}, "Ok"],
    ["is no result of MCP", { ok: true, echo: { a: [1] } }, "Ok"],
    [
      "has null wherever it can",
      {
        meta: null,
        content: [
          { type: "text", text: "a", annotations: null, meta: null },
          { type: "resource", resource: { uri: "f://a", mimeType: null, text: "b", meta: null }, annotations: null }
        ],
        structuredContent: null,
        isError: null
      },
      "Ok"
    ],
    ["has no content", { content: null, isError: true }, "Failed"],
    ["has an integer code beside its content", { code: 4001, message: "m", content: [] }, "Ok"],
    [
      "says in the structured content that there is no such tool",
      {
        meta: null,
        content: [],
        structuredContent: { error: "Tool 'x' not found", error_type: "ValueError" },
        isError: true
      },
      "Failed"
    ],
    ["is cancelled", { ...result, isError: true, meta: { a2c_cancelled: true } }, "Cancelled"],
    [
      "is cancelled, under _meta",
      { ...result, isError: true, meta: null, _meta: { a2c_cancelled: true } },
      "Cancelled"
    ],
    ["is cancelled, as text", { ...result, isError: true, meta: { a2c_cancelled: "true" } }, "Cancelled"],
    ["is not cancelled", { ...result, meta: { a2c_cancelled: false, a2c_timeout: null } }, "Ok"],
    [
      "is not cancelled, by meta that goes before _meta",
      { ...result, meta: { a2c_cancelled: false }, _meta: { a2c_cancelled: true } },
      "Ok"
    ],
    ["timed out", { ...result, isError: true, meta: { a2c_timeout: true } }, "TimedOut"],
    ["timed out, under _meta", { ...result, isError: true, _meta: { a2c_timeout: true } }, "TimedOut"],
    ["needs an authorization", { ...result, isError: true, meta: { error_code: 4006 } }, "AuthorizationRequired"],
    ["needs one, as text", { ...result, isError: true, _meta: { error_code: "4006" } }, "AuthorizationRequired"],
    ["was refused one", { ...result, isError: true, meta: { error_code: 4007 } }, "AuthorizationFailed"]
  ]
  it.effect.each(results)("passes a result on as it came that %s", ([, sent, tag]) =>
    Effect.gen(function*() {
      const { agent } = yield* playedOffice(answering("client:tool_call", [sent]))
      assert.deepStrictEqual<unknown>(yield* agent.callTool({ computer: "C", tool: "t" }), { _tag: tag, result: sent })
    }))

  it.effect("reads notifications with nulls and with keys that nobody knows, and no others", () =>
    Effect.gen(function*() {
      const { agent, tell } = yield* playedOffice(answering("client:get_tools", [{ tools: [] }]))
      const events = yield* agent.events.pipe(
        Stream.take(4),
        Stream.runCollect,
        Effect.forkChild({ startImmediately: true })
      )
      yield* tell(NotifyEvent.EnterOffice, { office_id: "R", computer: null, agent: "B" })
      yield* tell(NotifyEvent.EnterOffice, { office_id: "R", agent: "B" })
      yield* tell(NotifyEvent.EnterOffice, { office_id: "another", computer: "X" })
      yield* tell(NotifyEvent.EnterOffice, { computer: "X" })
      yield* tell(NotifyEvent.UpdateToolList, { computer: null })
      yield* tell(NotifyEvent.EnterOffice, { office_id: "R", computer: "C", agent: null, extra: 1 })
      yield* tell(NotifyEvent.UpdateConfig, { computer: "C", extra: 1 })
      yield* tell({ ...NotifyEvent.UpdateConfig, name: "notify:something_new" }, { computer: "C" })
      yield* tell(NotifyEvent.UpdateDesktop, { computer: "C" })
      yield* tell(NotifyEvent.LeaveOffice, { office_id: "R", computer: "C", agent: null })
      assert.deepStrictEqual((yield* Fiber.join(events)).map(({ _tag, computer }) => `${_tag} ${computer}`), [
        "ComputerEntered C",
        "ConfigChanged C",
        "DesktopChanged C",
        "ComputerLeft C"
      ])
    }))
})
