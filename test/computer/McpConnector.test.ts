import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { ClientHandlers } from "../../src/computer/ClientHandlers.ts"
import * as McpConnector from "../../src/computer/McpConnector.ts"
import type { ServerEntry, ServerSettings } from "../../src/computer/ServerEntry.ts"
import type { ServerConfig } from "../../src/protocol/ServerConfig.ts"
import { makeContractServer } from "./support/contractServer.mjs"
import { atOnce, expectReason, failure } from "./support/mcpClients.ts"
import { PipeTransport, type Served, type Wire, wires } from "./support/mcpContract.ts"
import { raw, rawHttpServer } from "./support/rawHttpServer.ts"

const common = { name: "mine", disabled: false, forbidden_tools: [], tool_meta: {} }

const streamable = (url: string): ServerConfig => ({
  ...common,
  type: "streamable",
  server_parameters: {
    url,
    headers: { "x-number": 5 },
    timeout: "PT5S",
    sse_read_timeout: "PT5M",
    terminate_on_close: true
  }
})

const sse = (url: string): ServerConfig => ({
  ...common,
  type: "sse",
  server_parameters: { url, headers: null, timeout: 5, sse_read_timeout: 300 }
})

const entryOf = (config: ServerConfig, settings: ServerSettings): ServerEntry => ({
  key: "mine",
  bundleId: "com.example.mine",
  config,
  settings,
  origin: { source: "a test", dialect: "a2c" }
})

const connect = (config: ServerConfig, settings: ServerSettings = {}, options: McpConnector.Options = {}) =>
  McpConnector.McpConnector.use(({ connect }) =>
    connect(entryOf(config, settings), Redacted.make({ config, settings, secrets: [] }))
  ).pipe(Effect.provide(McpConnector.layerWith(options)))

/** The server of the contract behind a transport. */
const serve = (name: Wire["name"]): Wire["serve"] => wires.find((wire) => wire.name === name)!.serve

const remote: ReadonlyArray<
  readonly [what: string, wire: string, config: (served: Served) => ServerConfig, settings?: ServerSettings]
> = [
  ["streamable", "Streamable HTTP, answers as events", ({ url }) => streamable(url)],
  ["sse", "SSE", ({ url }) => sse(url)],
  ["streamable with the URL of a WebSocket", "WebSocket", ({ url }) => streamable(url)],
  [
    "streamable that may fall back, with a new server",
    "Streamable HTTP, answers as JSON",
    ({ url }) => streamable(url),
    {
      fallBackToSse: true
    }
  ],
  ["streamable that may fall back, with an old server", "SSE", ({ url }) => streamable(url), { fallBackToSse: true }]
]

describe("McpConnector", () => {
  for (const [what, wire, config, settings] of remote) {
    it.live(`reaches a server by its configuration: ${what}`, () =>
      Effect.gen(function*() {
        const client = yield* connect(config(yield* serve(wire)), settings)
        assert.strictEqual(client.serverInfo.name, "contract")
        assert.strictEqual((yield* client.listTools).tools.length, 13)
      }))
  }

  it.live("does not fall back when a login is wanted, nor without being told to", () =>
    Effect.gen(function*() {
      const server = yield* rawHttpServer
      for (const [status, tag] of [[401, "AuthRequired"], [403, "AuthFailed"], [503, "Http"]] as const) {
        server.answers["initialize"] = raw(status, {})
        const { reason } = yield* failure(atOnce(connect(streamable(server.url), { fallBackToSse: true })))
        expectReason(reason, tag)
      }
      server.answers["initialize"] = raw(404, {})
      expectReason((yield* failure(atOnce(connect(streamable(server.url))))).reason, "Http")
      assert.strictEqual(server.arrived.filter(({ method }) => method === "GET").length, 0)
      // where neither works, the newer one tells why
      const { reason } = yield* failure(atOnce(connect(streamable(server.url), { fallBackToSse: true })))
      assert.strictEqual(expectReason(reason, "Http").status, 404)
      assert.strictEqual(server.arrived[0]?.headers["x-number"], "5")
    }))

  it.live("takes a transport of the program by its name, and says so when there is none of that name", () =>
    Effect.gen(function*() {
      const made: Array<string> = []
      const transports = {
        pipe: ({ bundleId, settings }: ServerEntry) => {
          made.push(bundleId, String(settings.custom?.source["where"]))
          const [mine, its] = PipeTransport.pair()
          void makeContractServer({ crash: () => {}, garbage: () => {} }).connect(its)
          return mine
        },
        broken: () => {
          throw new Error("no pipe left")
        }
      }
      const custom = (transport: string) => ({ custom: { transport, source: { where: "here" } } })
      const client = yield* connect(streamable("http://unused"), custom("pipe"), { transports })
      assert.strictEqual((yield* client.listTools).tools.length, 13)
      assert.deepStrictEqual(made, ["com.example.mine", "here"])
      for (const [name, word] of [["other", "does not know"], ["broken", "no pipe left"]] as const) {
        const { message, reason } = yield* failure(connect(streamable("http://unused"), custom(name), { transports }))
        expectReason(reason, "Handshake")
        assert.include(message, word)
      }
    }))

  it.live("gives a server its settings, the program's handlers, and its authorization", () =>
    Effect.gen(function*() {
      const asked: Array<string> = []
      const handlers = Layer.succeed(ClientHandlers, {
        elicitation: ({ server }) =>
          Effect.sync(() => void asked.push(server)).pipe(Effect.as({ action: "decline" as const }))
      })
      const served = yield* serve("Streamable HTTP, answers as events")
      const client = yield* connect(streamable(served.url), { roots: ["file:///w"] }, {
        authorizationOf: (entry, url) => {
          asked.push(`${entry.bundleId} ${url.pathname}`)
          return undefined
        }
      }).pipe(Effect.provide(handlers))
      const ask = (method: string, params: object) =>
        Effect.map(client.callTool("ask", { method, params }), (result) => result["structuredContent"])
      assert.deepStrictEqual(yield* ask("roots/list", {}), { result: { roots: [{ uri: "file:///w" }] } })
      const form = { message: "?", requestedSchema: { type: "object", properties: {} } }
      assert.deepStrictEqual(yield* ask("elicitation/create", form), { result: { action: "decline" } })
      assert.deepStrictEqual(asked, ["com.example.mine /mcp", "com.example.mine"])
    }))
})
