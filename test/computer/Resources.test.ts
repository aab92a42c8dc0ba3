import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { GetResources } from "../../src/protocol/ClientEvent.ts"
import * as Revision from "../../src/protocol/Revision.ts"
import { atOnce } from "./support/mcpClients.ts"
import { connectTo, ToolServer } from "./support/memoryServers.ts"
import { build, envelope, makeOffice, type Office, withServers } from "./support/office.ts"
import { ResourceServer } from "./support/resourceServers.ts"

interface Page {
  readonly resources: ReadonlyArray<Readonly<Record<string, unknown>>>
  readonly next_cursor?: string
  readonly req_id: string
}

const ask = (office: Office, mcp_server: string, rest: object = {}) =>
  Effect.map(atOnce(office.ask(GetResources, envelope({ mcp_server, ...rest }))), (answer) => answer as Page)

describe("Computer", () => {
  describe("the resources of a server", () => {
    it.live("are told in the protocol's form, whatever their scheme", () =>
      Effect.gen(function*() {
        const server = new ResourceServer([
          {
            uri: "file:///a",
            name: "a",
            title: "dropped",
            icons: [],
            description: "A file",
            mimeType: "text/plain",
            size: 12,
            annotations: { audience: ["user"], priority: 0.5, lastModified: "2026-01-15T08:30:00Z", extra: 1 },
            _meta: { fullscreen: true, deep: { mimeType: "kept" } }
          },
          {
            uri: "window://h/1",
            name: "w",
            description: null,
            mimeType: null,
            annotations: null,
            _meta: null,
            size: "1"
          },
          { uri: "skill://s", name: 7 },
          { uri: 7 as unknown as string }
        ])
        const { office } = yield* withServers({ a: server })
        assert.deepStrictEqual<unknown>(yield* ask(office, "a", { req_id: "r1", cursor: null }), {
          resources: [
            {
              uri: "file:///a",
              name: "a",
              description: "A file",
              mime_type: "text/plain",
              size: 12,
              annotations: { audience: ["user"], priority: 0.5, extra: 1, last_modified: "2026-01-15T08:30:00Z" },
              _meta: { fullscreen: true, deep: { mimeType: "kept" } }
            },
            { uri: "window://h/1", name: "w" },
            { uri: "skill://s" }
          ],
          req_id: "r1"
        })
      }))

    it.live("are told page by page, with the server's own cursor even if it repeats", () =>
      Effect.gen(function*() {
        const server = new ResourceServer(Array.from({ length: 250 }, (_, index) => ({ uri: `x://${index}` })))
        server.pageSize = 100
        const { office } = yield* withServers({ a: server })
        const first = yield* ask(office, "a")
        const second = yield* ask(office, "a", { cursor: first.next_cursor })
        const third = yield* ask(office, "a", { cursor: second.next_cursor })
        assert.deepStrictEqual(
          [first, second, third].map(({ next_cursor, resources }) => [
            resources[0]!["uri"],
            resources.length,
            next_cursor
          ]),
          [["x://0", 100, "100"], ["x://100", 100, "200"], ["x://200", 50, undefined]]
        )
        assert.notProperty(third, "next_cursor")
        server.repeats = true
        assert.strictEqual((yield* ask(office, "a", { cursor: "200" })).next_cursor, "0")
      }))

    it.live("are refused with a code that says why", () =>
      Effect.gen(function*() {
        const office = yield* makeOffice()
        const config = { servers: { a: { command: "-" }, plain: { command: "-" }, off: { command: "-" } } }
        const plain = new ToolServer({ one: () => "1" })
        const a = new ResourceServer([{ uri: "x://1" }])
        const { manager } = yield* build(office, config, { connector: connectTo({ a, plain, off: a }) })
        yield* manager.stop("off")
        const cases: ReadonlyArray<readonly [server: string, rest: object, error: object]> = [
          ["none", {}, { code: 4014, message: "MCP Server not registered", mcp_server: "none" }],
          ["off", {}, { code: 4014, message: "MCP Server is registered but not running", mcp_server: "off" }],
          ["plain", {}, {
            code: 4015,
            message: "MCP Server does not support 'resources' capability",
            mcp_server: "plain",
            capability: "resources"
          }],
          ["a", { cursor: "bad" }, {
            code: 4014,
            message: "MCP Server did not list its resources: Unknown cursor",
            mcp_server: "a"
          }]
        ]
        for (const [server, rest, error] of cases) {
          assert.deepStrictEqual<unknown>(yield* ask(office, server, rest), error)
        }
        assert.strictEqual((yield* ask(office, "a")).resources.length, 1)
      }))

    it.live("fail with the server's own words and never hang", () =>
      Effect.gen(function*() {
        const server = new ResourceServer([])
        const { manager, office } = yield* withServers({ a: server })
        const answers: ReadonlyArray<readonly [answer: () => unknown, error: { readonly message: RegExp }]> = [
          [() => ({ resources: "none" }), { message: /not an array but a string/ }],
          [() => ({}), { message: /not an array but missing/ }],
          [() => {
            throw new Error("The disk is gone\n    at Server.list (/home/canary/index.js:1:2)")
          }, { message: /: The disk is gone$/ }]
        ]
        for (const [answer, error] of answers) {
          server.answersList = answer
          const { message, ...rest } = (yield* ask(office, "a")) as unknown as { message: string }
          assert.match(message, error.message)
          assert.deepStrictEqual<unknown>(rest, { code: 4014, mcp_server: "a" })
        }
        server.answersList = () => server.close()
        const gone = (yield* ask(office, "a")) as unknown as { code: number }
        assert.strictEqual(gone.code, 4014)
        while ((yield* manager.states)[0]?.state._tag === "Ready") yield* Effect.sleep("5 millis")
        assert.strictEqual(((yield* ask(office, "a")) as unknown as { code: number }).code, 4014)
      }))

    it.live("are asked for by name where the revision knows servers by name", () =>
      Effect.gen(function*() {
        const revision = Revision.revisions["0.2"]
        const office = yield* makeOffice(revision)
        const config = { servers: { "my server": { command: "-" } } }
        yield* build(
          office,
          config,
          { connector: connectTo({ my_server: new ResourceServer([{ uri: "x://1" }]) }) },
          revision
        )
        assert.strictEqual((yield* ask(office, "my server")).resources.length, 1)
        assert.strictEqual((yield* ask(office, "my_server") as unknown as Effect.Effect<{ code: number }>).code, 4014)
      }))
  })
})
