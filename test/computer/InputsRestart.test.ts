import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import * as ConfigFile from "../../src/computer/ConfigFile.ts"
import * as Consent from "../../src/computer/Consent.ts"
import * as Host from "../../src/computer/Host.ts"
import * as Inputs from "../../src/computer/Inputs.ts"
import * as McpConnector from "../../src/computer/McpConnector.ts"
import * as McpManager from "../../src/computer/McpManager.ts"
import { inputs, local, password, port, remote } from "./support/inputs.ts"
import { textOf } from "./support/mcpClients.ts"
import { quiet, raw } from "./support/office.ts"

/** Builds a host of raw servers and gives what `A` is in the environment of one of them. */
const hostOf = Effect.fnUntraced(function*(servers: object, definitions: object, options: Inputs.Options) {
  const config = yield* ConfigFile.fromValue({ mcpServers: servers, inputs: definitions }, "test")
  const host = yield* Layer.build(
    Host.layer({ ...options, servers: config.servers, inputs: config.inputs, consent: Consent.layerAllowAll }).pipe(
      Layer.provide(quiet)
    )
  )
  const manager = Context.get(host, McpManager.McpManager)
  yield* manager.ready
  const seenBy = (server: string) =>
    manager.withClient(server, (client) => client.callTool("environment", {})).pipe(
      Effect.map((result) => {
        const { env }: { readonly env: Readonly<Record<string, string>> } = JSON.parse(textOf(result))
        return env["A"]
      })
    )
  return { manager, inputs: Context.get(host, Inputs.Inputs), seenBy }
})

const stateOf = Effect.fnUntraced(function*(manager: McpManager.McpManager["Service"], server: string) {
  return (yield* manager.states).find(({ entry }) => entry.bundleId === server)?.state
})

describe("Inputs: real servers", () => {
  it.live("see what is in the environment when they start, and go on as they are when that is missing", () =>
    Effect.gen(function*() {
      const environment: Record<string, string> = { VALUE: "one", A2C_SMCP_x: "from input" }
      const { manager, seenBy } = yield* hostOf(
        { s: raw({}, { env: { A: "${VALUE} ${input:x}" } }) },
        [{ id: "x", type: "promptString" }],
        { environment }
      )
      assert.strictEqual(yield* seenBy("s"), "one from input")
      environment["VALUE"] = "two"
      assert.strictEqual(yield* seenBy("s"), "one from input")
      yield* manager.restart("s")
      assert.strictEqual(yield* seenBy("s"), "two from input")
      delete environment["VALUE"]
      yield* manager.restart("s")
      assert.strictEqual(yield* seenBy("s"), "two from input")
    }))

  it.live("are asked for once together, and one whose input is missing fails alone", () =>
    Effect.gen(function*() {
      const asked: Array<string> = []
      const entry = (text: string) => raw({}, { env: { A: text } })
      const { inputs: service, manager, seenBy } = yield* hostOf(
        {
          a: entry("${input:city}"),
          b: entry("in ${input:city}"),
          c: entry("${input:port}"),
          d: entry("${input:nobody}")
        },
        [{ id: "city", type: "promptString" }, { id: "port", type: "number" }],
        {
          environment: {},
          concurrency: 4,
          prompt: ({ id }) => {
            asked.push(id)
            return id === "city" ? Effect.succeed("Oslo") : Effect.fail(new Inputs.PromptUnavailable())
          }
        } as Inputs.Options
      )
      assert.deepStrictEqual([yield* seenBy("a"), yield* seenBy("b")], ["Oslo", "in Oslo"])
      assert.deepStrictEqual([...asked].sort(), ["city", "port"])
      const reason = (state: McpManager.ServerState | undefined) =>
        state?._tag === "Failed" ? state.reason : state?._tag
      assert.match(String(reason(yield* stateOf(manager, "c"))), /\$\{input:port\} in env\.A: .*A2C_SMCP_port/)
      assert.include(reason(yield* stateOf(manager, "d")), "Nothing to put in place of ${input:nobody} in env.A")
      // the way out of it: give it a value, and start it again
      yield* service.values.set("port", 8080)
      assert.strictEqual((yield* manager.restart("c"))._tag, "Ready")
      assert.strictEqual(yield* seenBy("c"), "8080")
    }))

  it.effect("are reached with settings whose placeholders are rendered", () =>
    Effect.gen(function*() {
      const given: Array<unknown> = []
      const connector = McpConnector.layerWith({
        transports: {
          mine: ({ settings }) => {
            given.push(settings.custom?.source)
            throw new Error("not here")
          }
        },
        authorizationOf: ({ settings }) => {
          given.push(settings.oauth?.clientSecret)
          return undefined
        }
      })
      yield* Effect.gen(function*() {
        const { connect } = yield* McpConnector.McpConnector
        const { render } = yield* Inputs.Inputs
        for (
          const entry of [
            { ...local({}), settings: { custom: { transport: "mine", source: { key: "${input:port}" } } } },
            { ...remote("http://127.0.0.1:1/mcp"), settings: { oauth: { clientSecret: "${input:password}" } } }
          ]
        ) yield* Effect.exit(Effect.scoped(Effect.flatMap(render(entry), (rendered) => connect(entry, rendered))))
        assert.deepStrictEqual(given, [{ key: 80 }, "s3cret"])
      }).pipe(Effect.provide([
        connector,
        inputs({ inputs: [port, password], environment: { A2C_SMCP_port: "80", A2C_SMCP_password: "s3cret" } })
      ]))
    }))
})
