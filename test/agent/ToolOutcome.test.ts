import { assert, describe, it } from "@effect/vitest"
import { CallToolResultSchema } from "@modelcontextprotocol/sdk/types.js"
import * as ToolOutcome from "../../src/agent/ToolOutcome.ts"
import type { CallToolResult } from "../../src/protocol/Tool.ts"

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
