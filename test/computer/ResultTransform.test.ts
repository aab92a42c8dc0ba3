import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Logger, References } from "effect"
import { TestClock } from "effect/testing"
import * as ConfigFile from "../../src/computer/ConfigFile.ts"
import * as Consent from "../../src/computer/Consent.ts"
import * as Host from "../../src/computer/Host.ts"
import * as McpManager from "../../src/computer/McpManager.ts"
import * as ResultTransform from "../../src/computer/ResultTransform.ts"
import type { ServerSettings } from "../../src/computer/ServerEntry.ts"
import * as ToolCalls from "../../src/computer/ToolCalls.ts"
import type { CallToolResult } from "../../src/protocol/Tool.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"
import { atOnce } from "./support/mcpClients.ts"
import { connectTo, ToolServer } from "./support/memoryServers.ts"
import { call, withServers } from "./support/office.ts"
import { eventually } from "./support/processes.ts"

const entryOf = Effect.fnUntraced(function*(vrl: string | null, transform?: ServerSettings["transform"]) {
  const { servers } = yield* ConfigFile.fromValue({ servers: { s: { command: "-", vrl } } }, "test")
  return { ...servers[0]!, settings: { transform } }
})

const jsonata = (script: string) => entryOf(null, { language: "jsonata", script })

const result: CallToolResult = {
  content: [{ type: "text", text: "see https://example.com/a?b=1 for more" }],
  structuredContent: { n: 2 ** 53 - 1 },
  isError: false,
  meta: { kept: true }
}
const event: ResultTransform.TransformEvent = { result, tool: "search", args: { q: "ü", deep: { n: 1 } } }

/** What was logged as a warning. */
const warnings = () => {
  const lines: Array<string> = []
  const layer = Layer.mergeAll(
    Logger.layer([Logger.make(({ logLevel, message }) => void (logLevel === "Warn" && lines.push(String(message))))]),
    Layer.succeed(References.MinimumLogLevel, "Info")
  )
  return { lines, layer }
}

const make = (options?: ResultTransform.EngineOptions) =>
  ResultTransform.make({
    engines: { vrl: ResultTransform.vrl(options), jsonata: ResultTransform.jsonata(options) }
  })

const threads = () => process.getActiveResourcesInfo().filter((kind) => kind === "MessagePort").length

describe("ResultTransform", () => {
  it.live("adds what a VRL script makes of result, tool and parameters as JSON text, and leaves the rest alone", () =>
    Effect.gen(function*() {
      const transform = yield* make()
      const entry = yield* entryOf([
        ".url = parse_regex!(string!(.content[0].text), r'(?P<url>https://\\S+)').url",
        ".call = .tool_name",
        "del(.content)"
      ].join("\n"))
      assert.isUndefined(yield* transform.check(entry))
      const { meta, ...rest } = yield* transform.apply(entry, event)
      const { a2c_vrl_transformed, ...others } = meta ?? {}
      assert.deepStrictEqual<unknown>({ ...rest, meta: others }, result)
      assert.deepStrictEqual(JSON.parse(String(a2c_vrl_transformed)), {
        call: "search",
        isError: false,
        meta: { kept: true },
        parameters: { q: "ü", deep: { n: 1 } },
        structuredContent: { n: 2 ** 53 - 1 },
        tool_name: "search",
        url: "https://example.com/a?b=1"
      })
      const bare = yield* transform.apply(entry, { ...event, result: { content: result.content!, meta: null } })
      assert.deepStrictEqual(Object.keys(bare.meta ?? {}), ["a2c_vrl_transformed"])
    }))

  it.live("takes the time zone of no machine, and shows scripts nothing of this one", () =>
    Effect.gen(function*() {
      const before = process.env["TZ"]
      process.env["TZ"] = "America/New_York"
      process.env["A2C_TEST_SECRET"] = "canary"
      yield* Effect.addFinalizer(() =>
        Effect.sync(() => {
          if (before === undefined) delete process.env["TZ"]
          else process.env["TZ"] = before
          delete process.env["A2C_TEST_SECRET"]
        })
      )
      const transform = yield* make()
      const entry = yield* entryOf(
        ". = { \"at\": format_timestamp!(parse_timestamp!(\"2024-01-01 00:00:00\", \"%F %T\"), \"%+\"), " +
          "\"secret\": get_env_var(\"A2C_TEST_SECRET\") ?? \"none\" }"
      )
      const { meta } = yield* transform.apply(entry, event)
      assert.deepStrictEqual(JSON.parse(String(meta?.["a2c_vrl_transformed"])), {
        at: "2024-01-01T00:00:00+00:00",
        secret: "none"
      })
    }))

  it.live("tells where a script is broken, once, and does without it", () =>
    Effect.gen(function*() {
      const { layer, lines } = warnings()
      yield* Effect.gen(function*() {
        const transform = yield* make()
        for (
          const [entry, complaint] of [
            [
              yield* entryOf("# é 😀\n  .b = parse_json(.x)"),
              /^vrl: line 2, column 8: unhandled fallible assignment \(103\)/
            ],
            [yield* entryOf(".a = "), /^vrl: line 1, column 5: syntax error/],
            [yield* jsonata("{\n \"a\": [1,\n }"), /^jsonata: line 3, column 3: .*unary operator/],
            [yield* entryOf(null, { language: "cobol", script: "x" }), /^cobol: there is no engine for cobol/]
          ] as const
        ) {
          const said = lines.length
          assert.match((yield* transform.check(entry)) ?? "", complaint)
          yield* transform.check(entry)
          assert.strictEqual(yield* transform.apply(entry, event), result)
          assert.strictEqual(lines.length, said + 1)
          assert.match(lines.at(-1)!, /^The \w+ script of "s" is not used: /)
        }
      }).pipe(Effect.provide(layer))
    }))

  it.live("keeps the result when a script fails, and warns of it once a minute", () =>
    Effect.gen(function*() {
      const { layer, lines } = warnings()
      yield* Effect.gen(function*() {
        const transform = yield* make()
        const entry = yield* entryOf(".a = parse_json!(string!(.content[0].text))")
        for (let count = 0; count < 3; count++) assert.strictEqual(yield* transform.apply(entry, event), result)
        assert.strictEqual(lines.length, 1)
        assert.match(lines[0]!, /^The vrl script of "s" failed for search: [^]*unable to parse json/)
        const other = yield* jsonata("$number(content[0].text)")
        assert.strictEqual(yield* transform.apply(other, event), result)
        assert.match(lines[1]!, /Unable to cast value to a number/)
      }).pipe(Effect.provide(layer))
    }))

  it.live("runs JSONata, next to VRL if there are both, and each on the result itself", () =>
    Effect.gen(function*() {
      const transform = yield* make()
      const both = yield* entryOf(". = .isError", {
        language: "jsonata",
        script: "{ \"n\": structuredContent.n, \"q\": parameters.q, \"meta\": $keys(meta) }"
      })
      const { meta } = yield* transform.apply(both, event)
      assert.deepStrictEqual(meta, {
        kept: true,
        a2c_vrl_transformed: "false",
        a2c_jsonata_transformed: `{"n":${2 ** 53 - 1},"q":"ü","meta":"kept"}`
      })
      const nothing = yield* transform.apply(yield* jsonata("missing"), event)
      assert.strictEqual(nothing.meta?.["a2c_jsonata_transformed"], "null")
    }))

  it.live("ends a script that runs over its budget, and goes on with another thread", () =>
    Effect.gen(function*() {
      const { layer, lines } = warnings()
      yield* Effect.gen(function*() {
        const transform = yield* make({ timeBudget: "300 millis" })
        const endless = yield* jsonata("($f := function($n) { $f($n + 1) }; $f(0))")
        const fine = yield* jsonata("tool_name")
        const [first, second, third] = yield* atOnce(Effect.all([
          transform.apply(fine, event),
          transform.apply(endless, event),
          transform.apply(fine, event)
        ], { concurrency: "unbounded" }))
        assert.strictEqual(second, result)
        for (const each of [first, third]) assert.strictEqual(each.meta?.["a2c_jsonata_transformed"], "\"search\"")
        assert.deepStrictEqual(lines, [
          "The jsonata script of \"s\" failed for search: it took longer than 0.3 s and was ended"
        ])
      }).pipe(Effect.provide(layer))
    }))

  it.live("lets a caller leave that does not want to wait for its script", () =>
    Effect.gen(function*() {
      const transform = yield* make({ timeBudget: "1 hour" })
      const endless = yield* jsonata("($f := function($n) { $f($n + 1) }; $f(0))")
      // the thread is there, so that the script runs at once
      assert.isUndefined(yield* transform.check(endless))
      const leaving = yield* Effect.forkChild(transform.apply(endless, event), { startImmediately: true })
      const waiting = yield* Effect.forkChild(transform.apply(endless, event), { startImmediately: true })
      yield* Effect.sleep("200 millis")
      yield* Fiber.interruptAll([leaving, waiting])
      assert.isTrue([leaving, waiting].every((fiber) => Exit.hasInterrupts(fiber.pollUnsafe()!)))
    }))

  it.live("starts no thread without a script, and leaves none behind", () =>
    Effect.gen(function*() {
      const before = threads()
      yield* Effect.scoped(Effect.gen(function*() {
        const transform = yield* make()
        const plain = yield* entryOf(null)
        assert.strictEqual(yield* transform.apply(plain, event), result)
        assert.isUndefined(yield* transform.check(plain))
        assert.strictEqual(threads(), before)
        yield* transform.apply(yield* jsonata("1"), event)
        yield* transform.check(yield* entryOf(".a = 1"))
        assert.isAbove(threads(), before)
      }))
      assert.strictEqual(threads(), before)
    }))

  it.effect("names the package to install when an engine is missing, and is open for others", () =>
    Effect.gen(function*() {
      let made = 0
      const transform = yield* ResultTransform.make({
        engines: {
          upper: Effect.sync(() => {
            made++
            return {
              check: (script) => Effect.succeed(script === "" ? "line 1, column 1: is empty" : undefined),
              run: (script, { tool_name }) => Effect.succeed(JSON.stringify(script + String(tool_name).toUpperCase()))
            } satisfies ResultTransform.Engine
          }),
          lost: Effect.fail(new ResultTransform.TransformError({ message: "install it with `npm install lost`" }))
        }
      })
      assert.strictEqual(made, 0)
      const upper = (script: string) => entryOf(null, { language: "upper", script })
      const { meta } = yield* transform.apply(yield* upper("> "), event)
      assert.strictEqual(meta?.["a2c_upper_transformed"], "\"> SEARCH\"")
      assert.strictEqual(yield* transform.check(yield* upper("")), "upper: line 1, column 1: is empty")
      assert.strictEqual(made, 1)
      const lost = yield* entryOf(null, { language: "lost", script: "x" })
      assert.strictEqual(yield* transform.check(lost), "lost: install it with `npm install lost`")
      assert.strictEqual(yield* transform.apply(lost, event), result)
      yield* TestClock.adjust("1 minute")
    }))

  it.live("sees what is sent: handles in the place of large bytes, which are not sent a second time", () =>
    Effect.gen(function*() {
      const spoolDirectory = yield* temporaryFolder
      const data = Buffer.alloc(2_000_000, 7).toString("base64")
      const server = new ToolServer({ t: () => ({ content: [{ type: "image", mimeType: "image/png", data }] }) })
      const { office } = yield* withServers({ s: server }, {
        config: { servers: { s: { command: "-", jsonata: "$" } } },
        computer: { blobs: { spoolDirectory } }
      })
      const answer = yield* call(office, "s__t")
      assert.isBelow(JSON.stringify(answer).length, 10_000)
      const { content, meta } = answer
      const seen = JSON.parse(String(meta?.["a2c_jsonata_transformed"]))
      assert.deepStrictEqual<unknown>(seen.content, content)
      assert.isString(seen.content[0]._meta.a2c_blob_handle)
    }))

  it.live("is told of a broken script when its server is configured, and works without being asked in every call", () =>
    Effect.gen(function*() {
      const { layer, lines } = warnings()
      const config = {
        servers: {
          good: { command: "-", vrl: ".said = .content[0].text\n.asked = .parameters.q" },
          query: { command: "-", jsonata: "content[0].text & parameters.q" },
          bad: { command: "-", vrl: "oops(" }
        }
      }
      const { inputs, servers } = yield* ConfigFile.fromValue(config, "test")
      const answers = () => new ToolServer({ t: () => "hello" })
      const context = yield* Layer.build(
        Host.layer({
          servers,
          inputs,
          consent: Consent.layerAllowAll,
          connector: connectTo({ good: answers(), query: answers(), bad: answers() })
        }).pipe(Layer.provide(layer))
      )
      yield* Context.get(context, McpManager.McpManager).ready
      yield* eventually("it is told", () => lines.length > 0)
      assert.match(lines[0]!, /^The vrl script of "bad" is not used: line 1, column 6: /)
      const { run } = Context.get(context, ToolCalls.ToolCalls)
      const call = (server: string) =>
        run({ agent: "A", req_id: server, tool_name: `${server}__t`, params: { q: 1 }, timeout: 20 })
      const { meta } = yield* call("good")
      const { asked, said } = JSON.parse(String(meta?.["a2c_vrl_transformed"]))
      assert.deepStrictEqual([asked, said], [1, "hello"])
      assert.deepStrictEqual((yield* call("query")).meta, { a2c_jsonata_transformed: "\"hello1\"" })
      assert.deepStrictEqual<unknown>(yield* call("bad"), { content: [{ type: "text", text: "hello" }] })
      assert.strictEqual(lines.length, 1)
    }))
})
