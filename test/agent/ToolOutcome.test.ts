import { assert, describe, it } from "@effect/vitest"
import { CallToolResultSchema } from "@modelcontextprotocol/sdk/types.js"
import { Effect, Schema } from "effect"
import * as ToolOutcome from "../../src/agent/ToolOutcome.ts"
import type { CallToolResult } from "../../src/protocol/Tool.ts"
import * as ToolResult from "../../src/protocol/ToolResult.ts"

const nothing = { annotations: null, meta: null }

/** A result as it travels, and as MCP has it. */
const results: ReadonlyArray<readonly [what: string, wire: CallToolResult, mcp: object]> = [
  ["with nothing in it", { content: null, structuredContent: null, isError: null, meta: null }, { content: [] }],
  [
    "of the official Python SDK",
    {
      meta: { a2c_timeout: true },
      content: [
        { type: "text", text: "hi", ...nothing },
        { type: "image", data: "AAAA", mimeType: "image/png", ...nothing, _meta: { own: 1 } },
        { type: "resource", resource: { uri: "f://a", mimeType: null, meta: { of: "it" }, text: "a" }, ...nothing }
      ],
      structuredContent: { empty: null, list: [null] },
      isError: true
    },
    {
      _meta: { a2c_timeout: true },
      content: [
        { type: "text", text: "hi" },
        { type: "image", data: "AAAA", mimeType: "image/png", _meta: { own: 1 } },
        { type: "resource", resource: { uri: "f://a", text: "a", _meta: { of: "it" } } }
      ],
      structuredContent: { empty: null, list: [null] },
      isError: true
    }
  ]
]

describe("ToolOutcome.toMcp", () => {
  it.each(results)("gives a result %s in the form that MCP's own schema takes", (_, wire, mcp) => {
    const result = ToolOutcome.toMcp(ToolOutcome.fromResult(wire))
    assert.deepStrictEqual(result, mcp)
    assert.isTrue(CallToolResultSchema.safeParse(result).success)
  })
})

const Weather = Schema.Struct({ at: Schema.DateFromString, celsius: Schema.Finite })

const structured = (structuredContent: CallToolResult["structuredContent"]) =>
  ToolOutcome.fromResult({ content: [], structuredContent, isError: false, meta: null })

/** A result without structured content that fits, and what becomes of it. */
const undecodable: ReadonlyArray<readonly [what: string, outcome: ToolOutcome.ToolOutcome, error: RegExp]> = [
  ["of another form", structured({ at: "2026-01-01", celsius: "warm" }), /^SchemaError: .*celsius/s],
  ["that is missing", structured(null), /^SchemaError: /],
  [
    "of a tool that failed",
    ToolOutcome.fromResult({
      ...ToolResult.executionFailed("no"),
      structuredContent: { at: "2026-01-01", celsius: 1 }
    }),
    /^ToolExecutionFailed: Tool execution failed: no$/
  ],
  ["of no tool", ToolOutcome.fromResult(ToolResult.unknownTool("x")), /^ToolNotFound: /],
  ["that came too late", ToolOutcome.fromResult(ToolResult.timedOut(5)), /^ToolTimeout: .*5 s/],
  ["of a call that was cancelled", ToolOutcome.fromResult(ToolResult.cancelled), /^ToolExecutionFailed: .*cancelled/],
  [
    "of a server that wants a login",
    ToolOutcome.fromResult(ToolResult.unauthorized(4006, "mail", { action: "login", message: "log in" })),
    /^ToolAuthorizationRequired: log in mail$/
  ],
  ["with a strange code", structuredError("not a code"), /^ToolExecutionFailed: Tool execution failed$/]
]

function structuredError(error_code: string): ToolOutcome.ToolOutcome {
  return ToolOutcome.fromResult({ content: null, structuredContent: null, isError: true, meta: { error_code } })
}

describe("ToolOutcome.decode", () => {
  it.effect("decodes the structured content of a result", () =>
    Effect.gen(function*() {
      const outcome = structured({ at: "2026-01-01T00:00:00.000Z", celsius: -3, more: 1 })
      assert.deepStrictEqual(yield* ToolOutcome.decode(outcome, Weather), {
        at: new Date("2026-01-01T00:00:00.000Z"),
        celsius: -3
      })
    }))

  it.effect.each(undecodable)("fails for one %s", ([, outcome, error]) =>
    Effect.gen(function*() {
      const failed = yield* Effect.flip(ToolOutcome.decode(outcome, Weather))
      const told = failed._tag === "SchemaError"
        ? `SchemaError: ${failed.message}`
        : `${failed.reason._tag}: ${failed.message}${"mcpServer" in failed.reason ? ` ${failed.reason.mcpServer}` : ""}`
      assert.match(told, error)
    }))
})
