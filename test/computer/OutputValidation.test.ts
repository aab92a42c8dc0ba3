import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Logger, Schedule } from "effect"
import * as ConfigFile from "../../src/computer/ConfigFile.ts"
import * as Consent from "../../src/computer/Consent.ts"
import * as Host from "../../src/computer/Host.ts"
import * as McpManager from "../../src/computer/McpManager.ts"
import * as ToolCalls from "../../src/computer/ToolCalls.ts"
import { atOnce } from "./support/mcpClients.ts"
import { connectTo, ToolServer } from "./support/memoryServers.ts"
import type { Result } from "./support/office.ts"

const outputSchema = {
  $id: "result",
  $schema: "https://json-schema.org/draft/2020-12/schema",
  type: "object",
  properties: { items: { type: "array", items: { type: "object", required: ["id", "name"] } } },
  required: ["items"]
}

const structured = (structuredContent: unknown) => () => ({ content: [], structuredContent })

/** A host with one server, and the lines of its log about validation. */
const host = Effect.fnUntraced(function*(server: ToolServer, settings: object) {
  const lines: Array<string> = []
  const { diagnostics, servers } = yield* ConfigFile.fromValue(
    { servers: { s: { command: "-", ...settings } } },
    "test"
  )
  assert.deepStrictEqual(diagnostics, [])
  const logger = Logger.layer([
    Logger.make(({ logLevel, message }) => {
      const line = [message].flat().join(" ")
      if (/schema/.test(line)) lines.push(`${logLevel}: ${line}`)
    })
  ])
  const context = yield* Layer.build(
    Host.layer({ servers, inputs: [], consent: Consent.layerAllowAll, connector: connectTo({ s: server }) }).pipe(
      Layer.provide(logger)
    )
  )
  const manager = Context.get(context, McpManager.McpManager)
  const calls = Context.get(context, ToolCalls.ToolCalls)
  yield* manager.ready
  let ids = 0
  const call = (tool: string) =>
    Effect.map(
      calls.run({ agent: "A", req_id: `r${ids++}`, tool_name: `s__${tool}`, params: {}, timeout: 10 }),
      (result) => result as unknown as Result
    ).pipe(Effect.provide(logger))
  return { call, lines }
})

const server = (): ToolServer => {
  const tools = new ToolServer({
    good: structured({ items: [{ id: 1, name: "a" }] }),
    bad: structured({ items: [{ id: 1, name: "a" }, { id: "secret" }, {}] }),
    other: structured({ id: "secret" }),
    none: () => "only text",
    failing: () => ({ content: [{ type: "text", text: "no" }], isError: true }),
    free: structured({ anything: 1 }),
    broken: structured({ anything: 1 }),
    tuple: structured({ pair: ["a", 1] })
  })
  tools.described = {
    good: { outputSchema },
    bad: { outputSchema },
    // another schema of the same $id
    other: { outputSchema: { $id: "result", type: "object", properties: { id: { type: "number" } } } },
    none: { outputSchema },
    failing: { outputSchema },
    broken: { outputSchema: { type: "object", properties: { a: { $ref: "#/nowhere" } } } },
    tuple: {
      outputSchema: { type: "object", properties: { pair: { prefixItems: [{ type: "string" }], items: false } } }
    }
  }
  return tools
}

const tools = ["good", "bad", "other", "none", "failing", "free", "broken", "tuple"]

describe("the structured content of results", () => {
  it.live("that does not fit the output schema is told once for a tool, and passed on", () =>
    Effect.gen(function*() {
      const memory = server()
      const { call, lines } = yield* host(memory, { validate_output: "warn" })
      const results = yield* Effect.forEach([...tools, ...tools], call)
      assert.deepStrictEqual(results.slice(0, 2).map((result) => [result.isError, result.structuredContent]), [
        [undefined, { items: [{ id: 1, name: "a" }] }],
        [undefined, { items: [{ id: 1, name: "a" }, { id: "secret" }, {}] }]
      ])
      const told = [
        "Warn: A result of \"bad\" of \"s\" does not fit the tool's output schema: " +
        "structuredContent/items/1 must have required property 'name'",
        "Warn: A result of \"other\" of \"s\" does not fit the tool's output schema: structuredContent/id must be number",
        "Warn: A result of \"none\" of \"s\" does not fit the tool's output schema: structuredContent is missing",
        "Warn: The results of \"broken\" of \"s\" are not validated: its output schema cannot be used: " +
        "can't resolve reference #/nowhere from id #",
        "Warn: The results of \"tuple\" of \"s\" are not validated: its output schema has prefixItems"
      ]
      assert.deepStrictEqual(lines, told)
      // listed again, the tools are the same; one that has changed is looked at anew
      memory.described["free"] = { outputSchema }
      yield* Effect.promise(() => memory.announce())
      yield* atOnce(
        Effect.repeat(call("free"), { until: () => lines.length > told.length, schedule: Schedule.spaced("20 millis") })
      )
      yield* Effect.forEach(tools, call)
      assert.deepStrictEqual(lines.slice(told.length), [
        "Warn: A result of \"free\" of \"s\" does not fit the tool's output schema: " +
        "structuredContent must have required property 'items'"
      ])
    }))

  it.live("makes an error of a result that does not fit, where the settings say so", () =>
    Effect.gen(function*() {
      const { call } = yield* host(server(), { validate_output: "error" })
      assert.deepStrictEqual(yield* call("bad"), {
        meta: { error_code: 4003 },
        content: [{
          type: "text",
          text: "The tool ran, but its result does not fit the tool's output schema: " +
            "structuredContent/items/1 must have required property 'name'"
        }],
        structuredContent: null,
        isError: true
      })
      const results = yield* Effect.forEach(tools, call)
      assert.deepStrictEqual(
        tools.filter((_, index) => results[index]!.isError),
        ["bad", "other", "none", "failing"]
      )
      assert.strictEqual(results[4]!.content[0]!.text, "no")
    }))

  it.live("is passed on as it is without the setting", () =>
    Effect.gen(function*() {
      const { call, lines } = yield* host(server(), {})
      const results = yield* Effect.forEach(tools, call)
      assert.deepStrictEqual(tools.filter((_, index) => results[index]!.isError), ["failing"])
      assert.deepStrictEqual(lines, [])
    }))
})
