import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as ConfigFile from "../../src/computer/ConfigFile.ts"
import type { McpClient, McpTool } from "../../src/computer/McpClient.ts"
import type { ServerState, ServerStatus } from "../../src/computer/McpManager.ts"
import { project } from "../../src/computer/ToolRegistry.ts"
import * as Revision from "../../src/protocol/Revision.ts"

const { revisions } = Revision
// the projection hands the connection on and never uses it
const client = {} as McpClient

const tool = (name: string, rest: Partial<McpTool> = {}): McpTool => ({
  name,
  inputSchema: { type: "object" },
  ...rest
})

const ready = (
  tools: ReadonlyArray<McpTool>,
  skipped: ReadonlyArray<{ name: string | undefined; why: string }> = []
): ServerState => ({
  _tag: "Ready",
  since: 0,
  client,
  tools,
  skipped
})

/** Servers in the form of a config file, each with its state. */
const statuses = (servers: Readonly<Record<string, readonly [config: object, state: ServerState]>>) =>
  ConfigFile.fromValue({
    servers: Object.fromEntries(Object.entries(servers).map(([key, [config]]) => [key, { command: "x", ...config }]))
  }, "test").pipe(
    Effect.map((file): ReadonlyArray<ServerStatus> => {
      assert.deepStrictEqual(file.diagnostics, [])
      return file.servers.map((entry) => ({ entry, state: servers[entry.key]![1] }))
    })
  )

const projected = (
  servers: Parameters<typeof statuses>[0],
  revision: Revision.Revision = Revision.defaultRevision
) => Effect.map(statuses(servers), (all) => project(all, revision))

/** The wire metadata of one tool of one server. */
const metaOf = (config: object, described: McpTool, revision = Revision.defaultRevision) =>
  Effect.map(projected({ s: [config, ready([described])] }, revision), ({ tools }) => {
    const meta = tools[0]!.meta as Record<string, string>
    const own = meta["a2c_tool_meta"]
    return { meta, own: own === undefined ? undefined : JSON.parse(own) as Record<string, unknown> }
  })

const messages = (diagnostics: ReadonlyArray<{ readonly message: string }>) => diagnostics.map(({ message }) => message)

describe("ToolRegistry.project", () => {
  it.effect("lists a tool with every key", () =>
    Effect.gen(function*() {
      const schema = { type: "object", properties: { a: { type: "string" } } }
      const { tools } = yield* projected({
        "my fs": [
          {},
          ready([
            tool("read", { description: "Reads", inputSchema: schema, outputSchema: { type: "object" } }),
            tool("ls")
          ])
        ]
      })
      assert.deepStrictEqual<unknown>(tools, [
        {
          name: "my_fs__read",
          bundle_id: "my_fs",
          description: "Reads",
          params_schema: schema,
          return_schema: { type: "object" },
          meta: {}
        },
        {
          name: "my_fs__ls",
          bundle_id: "my_fs",
          description: "ls",
          params_schema: { type: "object" },
          return_schema: null,
          meta: {}
        }
      ])
      assert.deepStrictEqual(Object.keys(tools[1]!), [
        "name",
        "bundle_id",
        "description",
        "params_schema",
        "return_schema",
        "meta"
      ])
    }))

  it.effect("never has an empty description", () =>
    Effect.gen(function*() {
      const { tools } = yield* projected({
        s: [
          {},
          ready([
            tool("a", { description: " " }),
            tool("b", { title: "Bee" }),
            tool("c", { description: "", annotations: { title: "Sea" } }),
            tool("d", { description: "Dee", title: "no" })
          ])
        ]
      })
      assert.deepStrictEqual(tools.map(({ description }) => description), ["a", "Bee", "Sea", "Dee"])
    }))

  it.effect("lists what calls may reach: servers that are ready, idle or being started again, in their order", () =>
    Effect.gen(function*() {
      const known = { tools: [tool("one")], skipped: [{ name: "two", why: "it is broken" }] }
      const { diagnostics, routes, tools } = yield* projected({
        idle: [{}, { _tag: "Idle", ...known }],
        again: [{ forbidden_tools: ["x"] }, { _tag: "Starting", since: 0, known }],
        waiting: [{}, { _tag: "Waiting", attempt: 1, retryAt: 0, reason: "no", known }],
        new: [{}, { _tag: "Waiting", attempt: 1, retryAt: 0, reason: "no" }],
        failed: [{}, { _tag: "Failed", reason: "no" }]
      })
      assert.deepStrictEqual(tools.map(({ name }) => name), ["idle__one", "again__one", "waiting__one"])
      assert.strictEqual(routes.get("waiting__one")?.tool, "one")
      assert.lengthOf(diagnostics.filter(({ message }) => message.includes("it is broken")), 3)
    }))

  it.effect("lists no other server, in the order of the configuration", () =>
    Effect.gen(function*() {
      const { routes, tools } = yield* projected({
        z: [{}, ready([tool("one"), tool("two")])],
        starting: [{}, { _tag: "Starting", since: 0 }],
        failed: [{}, { _tag: "Failed", reason: "no" }],
        off: [{ disabled: true }, { _tag: "Disabled" }],
        stopped: [{}, { _tag: "Stopped" }],
        login: [{}, { _tag: "AuthorizationRequired", reason: "no" }],
        a: [{}, ready([tool("one")])]
      })
      assert.deepStrictEqual(tools.map(({ name }) => name), ["z__one", "z__two", "a__one"])
      assert.deepStrictEqual([...routes.keys()], ["z__one", "z__two", "a__one"])
    }))

  it.effect("exposes an alias and routes it to the tool's own name", () =>
    Effect.gen(function*() {
      const config = { tool_meta: { ls: { alias: "list__all" } }, default_tool_meta: { alias: "never" } }
      const { routes, tools } = yield* projected({ s: [config, ready([tool("ls"), tool("rm")])] })
      assert.deepStrictEqual(tools.map(({ name }) => name), ["s__list__all", "s__rm"])
      assert.deepInclude(routes.get("s__list__all"), { bundleId: "s", tool: "ls" })
      assert.isUndefined(routes.get("s__ls"))
      assert.isUndefined(routes.get("ls"))
    }))

  it.effect("uses bare names in the revisions that have them", () =>
    Effect.gen(function*() {
      const servers = {
        a: [{ tool_meta: { ls: { alias: "list" } } }, ready([tool("ls"), tool("rm")])],
        b: [{}, ready([tool("rm")])]
      } as const
      for (const revision of [revisions["0.1"], revisions["0.2"]]) {
        const { diagnostics, routes, tools } = yield* projected(servers, revision)
        assert.deepStrictEqual(tools.map(({ bundle_id, name }) => [name, bundle_id]), [["list", "a"], ["rm", "a"]])
        assert.strictEqual(routes.get("rm")?.bundleId, "a")
        assert.match(messages(diagnostics).join(), /"rm" is already the tool "rm" of "a"; give one of them an alias/)
      }
      for (const revision of [revisions["0.3"], revisions["0.4"], revisions["0.5"]]) {
        const { tools } = yield* projected(servers, revision)
        assert.deepStrictEqual(tools.map(({ name }) => name), ["a__list", "a__rm", "b__rm"])
      }
    }))

  it.effect("neither lists nor routes a forbidden tool, by whichever name it is forbidden", () =>
    Effect.gen(function*() {
      const { diagnostics, routes, tools } = yield* projected({
        s: [
          { forbidden_tools: ["rm", "s__mv", "list", "typo"], tool_meta: { ls: { alias: "list" } } },
          ready([tool("rm"), tool("mv"), tool("ls"), tool("cat")])
        ]
      })
      assert.deepStrictEqual(tools.map(({ name }) => name), ["s__cat"])
      assert.deepStrictEqual([...routes.keys()], ["s__cat"])
      assert.deepStrictEqual(messages(diagnostics), ["forbidden_tools names \"typo\", which is no tool of this server"])
    }))

  it.effect("keeps the first of two tools with one name and says so", () =>
    Effect.gen(function*() {
      const { diagnostics, routes, tools } = yield* projected({
        // the exposed name is ambiguous when a bundle id ends with an underscore
        a: [{}, ready([tool("x"), tool("x"), tool("_b")])],
        "a_": [{ bundle_id: "a_" }, ready([tool("b"), tool("c")])]
      })
      assert.deepStrictEqual(tools.map(({ name }) => name), ["a__x", "a___b", "a___c"])
      assert.strictEqual(routes.get("a___b")?.tool, "_b")
      assert.deepStrictEqual(diagnostics.map(({ server }) => server), ["a", "a_"])
    }))

  it.effect("tells what a server's list left out", () =>
    Effect.gen(function*() {
      const { diagnostics } = yield* projected({
        s: [
          {},
          ready([], [{ name: "bad", why: "its inputSchema is missing" }, { name: undefined, why: "it is no object" }])
        ]
      })
      assert.deepStrictEqual(messages(diagnostics), [
        "The tool \"bad\" is left out: its inputSchema is missing",
        "A tool is left out: it is no object"
      ])
    }))

  it.effect("sends simple metadata as it is and everything else as JSON text", () =>
    Effect.gen(function*() {
      const _meta = {
        text: "x",
        number: 1.5,
        flag: false,
        list: ["a", "b"],
        empty: [],
        mixed: ["a", 1],
        nested: [["a"]],
        nulls: [null],
        nothing: null,
        object: { a: [1] }
      }
      const { meta } = yield* metaOf({}, tool("t", { _meta }))
      assert.deepStrictEqual<unknown>(meta, {
        text: "x",
        number: 1.5,
        flag: false,
        list: ["a", "b"],
        empty: [],
        mixed: "[\"a\",1]",
        nested: "[[\"a\"]]",
        nulls: "[null]",
        nothing: "null",
        object: "{\"a\":[1]}"
      })
    }))

  it.effect("sends annotations as JSON text with every hint", () =>
    Effect.gen(function*() {
      const { meta } = yield* metaOf({}, tool("t", { annotations: { readOnlyHint: true } }))
      assert.deepStrictEqual(JSON.parse(meta["MCP_TOOL_ANNOTATION"]!), {
        title: null,
        readOnlyHint: true,
        destructiveHint: null,
        idempotentHint: null,
        openWorldHint: null
      })
    }))

  const fields = { auto_apply: null, alias: null, tags: null, ret_object_mapper: null }
  const declared = { custom_key: "v", a2c_tool_meta: { tags: ["read"], auto_apply: true, color: "red" } }

  /**
   * The conformance scenarios of server-declared tool tags, by their number, and what lies next to them: configuration,
   * declaration, result. That other metadata is kept (1, 8) is checked for each.
   */
  const layers: ReadonlyArray<
    readonly [what: string, config: object, declaration: unknown, expected: object | undefined]
  > = [
    ["1: a declaration alone", {}, declared.a2c_tool_meta, { ...fields, tags: ["read"] }],
    ["2: defaults over a declaration", { default_tool_meta: { tags: ["default"] } }, declared.a2c_tool_meta, {
      ...fields,
      tags: ["default"]
    }],
    [
      "3: a tool's own over defaults",
      { default_tool_meta: { tags: ["default"] }, tool_meta: { t: { tags: ["specific"] } } },
      declared.a2c_tool_meta,
      { ...fields, tags: ["specific"] }
    ],
    ["4: an explicit empty list", { tool_meta: { t: { tags: [] } } }, declared.a2c_tool_meta, { ...fields, tags: [] }],
    ["5: approval beside declared tags", { tool_meta: { t: { auto_apply: true } } }, declared.a2c_tool_meta, {
      ...fields,
      tags: ["read"],
      auto_apply: true
    }],
    ["6: declared approval never counts", { tool_meta: { t: { alias: "u" } } }, declared.a2c_tool_meta, {
      ...fields,
      tags: ["read"],
      alias: "u"
    }],
    [
      "6: declared approval does not outdo a refusal",
      { default_tool_meta: { auto_apply: false } },
      declared.a2c_tool_meta,
      { ...fields, tags: ["read"], auto_apply: false }
    ],
    ["7: a malformed declaration and a configuration", { tool_meta: { t: { auto_apply: false } } }, { tags: "read" }, {
      ...fields,
      auto_apply: false
    }],
    ["7: a malformed declaration alone", {}, "read", undefined],
    ["7: a declaration with a wrong list alone", {}, { tags: ["a", 1] }, undefined],
    [
      "8: an override of the whole value",
      { tool_meta: { t: { tags: ["x"], auto_apply: true, alias: "u", ret_object_mapper: { a: "b" } } } },
      { tags: ["read"], alias: "no", ret_object_mapper: { c: "d" }, color: "red" },
      { tags: ["x"], auto_apply: true, alias: "u", ret_object_mapper: { a: "b" } }
    ],
    ["9: the same fields, whatever their order", { tool_meta: { t: { alias: "u", tags: null } } }, {
      auto_apply: true,
      tags: ["b", "a"]
    }, { alias: "u", auto_apply: null, ret_object_mapper: null, tags: ["b", "a"] }],
    [
      "10: a null that means nothing",
      { default_tool_meta: { tags: ["default"] }, tool_meta: { t: { tags: null } } },
      declared.a2c_tool_meta,
      { ...fields, tags: ["default"] }
    ],
    ["a declaration without tags", {}, { auto_apply: true }, fields],
    ["nothing at all", {}, undefined, undefined],
    ["an empty configuration", { tool_meta: { t: {} } }, undefined, fields],
    [
      "fields of the user's own",
      { default_tool_meta: { color: "red", auto_apply: true }, tool_meta: { t: { alias: "u", size: 1 } } },
      undefined,
      { ...fields, auto_apply: true, alias: "u", color: "red", size: 1 }
    ]
  ]

  it.effect.each(layers)("merges metadata: %s", ([, config, declaration, expected]) =>
    Effect.gen(function*() {
      const _meta = declaration === undefined ? { custom_key: "v" } : { custom_key: "v", a2c_tool_meta: declaration }
      const { meta, own } = yield* metaOf(config, tool("t", { _meta }))
      assert.deepStrictEqual(own, expected as typeof own)
      assert.strictEqual(meta["custom_key"], "v")
    }))

  it.effect("says that a declaration is not understood and lists the tool all the same", () =>
    Effect.gen(function*() {
      const { diagnostics, tools } = yield* projected({ s: [{}, ready([tool("t", { _meta: { a2c_tool_meta: [] } })])] })
      assert.strictEqual(tools.length, 1)
      assert.match(messages(diagnostics).join(), /"t" declares metadata that is not understood/)
    }))

  it.effect("lets only the configuration speak in the revisions before declared tags", () =>
    Effect.gen(function*() {
      const described = tool("t", { _meta: declared })
      assert.isUndefined((yield* metaOf({}, described, revisions["0.3"])).own)
      const { own } = yield* metaOf({ tool_meta: { t: { auto_apply: true } } }, described, revisions["0.3"])
      assert.deepStrictEqual(own, { ...fields, auto_apply: true })
    }))

  const Name = Schema.Literals(["a", "b", "_b", "a__b", "b_", "t", "s__t", "constructor", "__proto__"])
  const Servers = Schema.Array(Schema.Struct({
    id: Schema.Literals(["a", "a_", "b", "_", "s", "constructor"]),
    tools: Schema.Array(Name),
    forbidden: Schema.Array(Name),
    aliases: Schema.Array(Schema.Tuple([Name, Name])),
    up: Schema.Boolean
  }))

  it.effect.prop(
    "routes exactly what it lists, to the tool that it describes",
    [Servers],
    Effect.fnUntraced(function*([servers]) {
      const unique = [...new Map(servers.map((server) => [server.id, server])).values()]
      const given = Object.fromEntries(unique.map(({ aliases, forbidden, id, tools, up }) => [
        id,
        [
          {
            bundle_id: id,
            forbidden_tools: forbidden,
            tool_meta: Object.fromEntries(aliases.map(([name, alias]) => [name, { alias }]))
          },
          up
            ? ready(tools.map((name) => tool(name, { description: `${id}/${name}` })))
            : { _tag: "Failed", reason: "" } as const
        ] as const
      ]))
      for (const revision of [revisions["0.2"], revisions["0.4"]]) {
        const { routes, tools } = yield* projected(given, revision)
        assert.deepStrictEqual(tools.map(({ name }) => name), [...routes.keys()])
        for (const { bundle_id, description, name } of tools) {
          const route = routes.get(name)!
          assert.strictEqual(route.bundleId, bundle_id)
          assert.strictEqual(description, `${route.bundleId}/${route.tool}`)
          const server = unique.find(({ id }) => id === bundle_id)!
          assert.isTrue(server.up && server.tools.includes(route.tool as typeof Name.Type))
          assert.isFalse(server.forbidden.some((forbidden) => [name, route.tool].includes(forbidden)))
        }
      }
    })
  )
})
