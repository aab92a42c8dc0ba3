import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Path, Schema } from "effect"
import * as ConfigFile from "../../src/computer/ConfigFile.ts"
import { ServerConfig } from "../../src/protocol/ServerConfig.ts"

const stdio = (overrides: object = {}) => ({
  command: "npx",
  args: [],
  env: null,
  cwd: null,
  encoding: "utf-8",
  encoding_error_handler: "strict",
  ...overrides
})

const parse = (value: unknown) => ConfigFile.parse(JSON.stringify(value), "mcp.json")
const only = (value: unknown) =>
  Effect.map(ConfigFile.parse(typeof value === "string" ? value : JSON.stringify(value), "mcp.json"), (file) => {
    assert.strictEqual(file.servers.length, 1)
    return file.servers[0]!
  })
const refusal = (text: string) =>
  Effect.map(Effect.flip(ConfigFile.parse(text, "mcp.json")), ({ reason }) => {
    assert.strictEqual(reason._tag, "ConfigInvalid")
    return reason.message
  })

/** A file somebody has, and the parameters of its one server. */
const inTheWild: ReadonlyArray<readonly [program: string, text: string, parameters: object]> = [
  [
    "Claude Desktop",
    `{"globalShortcut":"","mcpServers":{"filesystem":{"command":"npx","args":["-y","@modelcontextprotocol/server-filesystem","/tmp"]}}}`,
    stdio({ args: ["-y", "@modelcontextprotocol/server-filesystem", "/tmp"] })
  ],
  [
    "Claude Code",
    `{"mcpServers":{"github":{"type":"stdio","command":"npx","args":["x"],"env":{"TOKEN":"\${TOKEN:-none}"}}}}`,
    stdio({ args: ["x"], env: { TOKEN: "${TOKEN:-none}" } })
  ],
  [
    "Cursor",
    `{"mcpServers":{"git":{"command":"npx","env":{"K":"\${env:K}"},"envFile":".env"}}}`,
    stdio({ env: { K: "${env:K}" } })
  ],
  [
    "VS Code",
    `{
      // the servers of this workspace
      "inputs": [{ "type": "promptString", "id": "key", "description": "The key", "password": true }],
      "servers": {
        "maps": { "type": "stdio", "command": "npx", "args": ["\${input:key}"], "cwd": "\${workspaceFolder}", "dev": {}, },
      },
    }`,
    stdio({ args: ["${input:key}"], cwd: "${workspaceFolder}" })
  ],
  [
    "Cline",
    `{"mcpServers":{"a":{"command":"npx","args":[],"disabled":false,"autoApprove":["x"],"timeout":60}}}`,
    stdio()
  ],
  [
    "Kiro and Roo",
    `{"mcpServers":{"a":{"command":"npx","cwd":"/srv","alwaysAllow":["x"],"disabledTools":[]}}}`,
    stdio({ cwd: "/srv" })
  ],
  [
    "A2C, short",
    `{"servers":{"a":{"type":"stdio","server_parameters":{"command":"npx","args":["-y"]}}}}`,
    stdio({ args: ["-y"] })
  ],
  [
    "A2C, as the Python SDK writes it",
    JSON.stringify({
      inputs: [],
      servers: {
        a: {
          name: "a",
          disabled: false,
          forbidden_tools: [],
          tool_meta: {},
          default_tool_meta: null,
          vrl: null,
          type: "stdio",
          server_parameters: stdio({ env: { A: "b" }, encoding_error_handler: "replace" })
        }
      }
    }),
    stdio({ env: { A: "b" }, encoding_error_handler: "replace" })
  ]
]

/** Spellings of a remote server, and the type and address that come of them. */
const remote: ReadonlyArray<readonly [entry: object, type: string, url: string]> = [
  [{ url: "https://a/mcp" }, "streamable", "https://a/mcp"],
  [{ type: "http", url: "https://a/mcp" }, "streamable", "https://a/mcp"],
  [{ type: "streamable-http", url: "https://a/mcp" }, "streamable", "https://a/mcp"],
  [{ type: "streamableHttp", url: "https://a/mcp", headers: { a: "b" } }, "streamable", "https://a/mcp"],
  [{ httpUrl: "https://a/mcp", timeout: 600000 }, "streamable", "https://a/mcp"],
  [{ serverUrl: "https://a/sse" }, "streamable", "https://a/sse"],
  [{ type: "sse", url: "https://a/sse" }, "sse", "https://a/sse"],
  [{ type: "http", server_parameters: { url: "https://a" } }, "streamable", "https://a"],
  [{ type: "streamable", server_parameters: { url: "https://a", timeout: 7 } }, "streamable", "https://a"],
  [{ type: "sse", server_parameters: { url: "https://a", timeout: "2.5" } }, "sse", "https://a"]
]

/** Entries that cannot be used, and what has to be said about them. */
const bad: ReadonlyArray<readonly [what: string, entry: unknown, complaint: RegExp]> = [
  ["a number", 3, /it is a number, not an object/],
  ["null", null, /it is null, not an object/],
  ["a list", [], /it is a list, not an object/],
  ["nothing to start", {}, /neither a command .* nor a url/],
  ["a command that is no string", { command: ["npx", "x"] }, /command: expected string/],
  ["an empty command", { command: "" }, /command: expected/],
  ["arguments that are no list", { command: "x", args: "-y" }, /args: expected array/],
  ["an argument that is a number", { command: "x", args: ["a", 8080] }, /args\[1\]: expected string/],
  ["an environment of numbers", { command: "x", env: { PORT: 1, B: true } }, /env\.PORT: .*; env\.B: /],
  ["a flag that is a text", { command: "x", disabled: "no" }, /disabled: expected boolean/],
  [
    "metadata of the wrong type",
    { command: "x", tool_meta: { t: { tags: "a" } } },
    /tool_meta\.t\.tags: expected array/
  ],
  ["a type that is no text", { type: 3, url: "https://x" }, /has a type that is a number/],
  ["a sandbox that is none", { command: "x", sandbox: "yes" }, /sandbox: expected object/],
  ["a sandbox with a misspelt key", { command: "x", sandbox: { requird: true } }, /sandbox\.requird is not known/],
  ["a sandbox with a wrong part", { command: "x", sandbox: { writable: "/p" } }, /sandbox: writable: expected array/],
  ["a rate that is none", { command: "x", rate_limit: "fast" }, /rate_limit: expected "10\/s"/],
  ["limits of a tool that are none", { command: "x", tools: { t: { concurrency: 0 } } }, /tools\.t\.concurrency: /],
  ["a stdio server without command", { type: "stdio", url: "https://x" }, /"stdio" but has no command/],
  ["a bundle id with the separator", { command: "x", bundle_id: "a__b" }, /bundle_id "a__b".*or leave it out/],
  ["an empty bundle id", { command: "x", bundle_id: "" }, /bundle_id ""/],
  ["parameters that are no object", { type: "stdio", server_parameters: "x" }, /server_parameters that are a string/]
]

describe("ConfigFile", () => {
  it.effect.each(inTheWild)("reads the file of %s", ([, text, parameters]) =>
    Effect.gen(function*() {
      const { config } = yield* only(text)
      assert.deepStrictEqual<object>(config.server_parameters, parameters)
      assert.strictEqual(config.type, "stdio")
      assert.isFalse(config.disabled)
      yield* Schema.decodeUnknownEffect(ServerConfig)(config)
    }))

  it.effect.each(remote)("knows a remote server: %j", ([entry, type, url]) =>
    Effect.gen(function*() {
      const file = yield* parse({ mcpServers: { a: entry } })
      const { config } = file.servers[0]!
      assert.strictEqual(config.type, type)
      assert.strictEqual((config.server_parameters as { url: string }).url, url)
      assert.deepStrictEqual(file.diagnostics, [])
      yield* Schema.decodeUnknownEffect(ServerConfig)(config)
    }))

  it.effect("gives the durations of remote servers the form of their type", () =>
    Effect.gen(function*() {
      const { servers } = yield* parse({
        servers: {
          plain: { type: "streamable", server_parameters: { url: "u" } },
          seconds: { type: "streamable", server_parameters: { url: "u", timeout: 7, terminate_on_close: false } },
          sse: { type: "sse", server_parameters: { url: "u", timeout: "2.5" } }
        }
      })
      assert.deepStrictEqual(servers.map(({ config }) => config.server_parameters as object), [
        { url: "u", headers: null, timeout: "PT30S", sse_read_timeout: "PT5M", terminate_on_close: true },
        { url: "u", headers: null, timeout: "PT7S", sse_read_timeout: "PT5M", terminate_on_close: false },
        { url: "u", headers: null, timeout: 2.5, sse_read_timeout: 300 }
      ])
    }))

  it.effect.each(bad)("leaves out %s and keeps the others", ([, entry, complaint]) =>
    Effect.gen(function*() {
      const file = yield* parse({
        mcpServers: { before: { command: "a" }, "the bad one": entry, after: { command: "b" } }
      })
      assert.deepStrictEqual(file.servers.map(({ key }) => key), ["before", "after"])
      assert.strictEqual(file.diagnostics.length, 1)
      const [{ message, server }] = file.diagnostics as [(typeof file.diagnostics)[number]]
      assert.strictEqual(server, "the bad one")
      assert.match(message, complaint)
      assert.include(message, "\"the bad one\"")
      assert.notInclude(message, "\n")
    }))

  it.effect("never shows a value in a complaint", () =>
    Effect.gen(function*() {
      const file = yield* parse({
        mcpServers: {
          a: { command: "x", env: { KEY: ["hunter2-secret"] } },
          b: { command: "x", args: [{ password: "hunter2-secret" }] },
          c: { type: "http", url: "u", headers: "hunter2-secret" }
        },
        inputs: [{ id: "i", type: "promptString", default: { secret: "hunter2-secret" } }]
      })
      assert.strictEqual(file.diagnostics.length, 4)
      assert.notInclude(JSON.stringify(file.diagnostics), "hunter2")
    }))

  it.effect("keeps the first of two servers with one bundle id", () =>
    Effect.gen(function*() {
      const file = yield* parse({
        servers: { "my fs": { command: "a" }, other: { command: "b", bundle_id: "my_fs" }, third: { command: "c" } },
        mcpServers: { third: { command: "d" } }
      })
      assert.deepStrictEqual(
        file.servers.map((
          { bundleId, config }
        ) => [bundleId, config.type === "stdio" && config.server_parameters.command]),
        [
          ["my_fs", "a"],
          ["third", "c"]
        ]
      )
      assert.deepStrictEqual(file.diagnostics.map(({ server }) => server), ["other", "third"])
      assert.match(file.diagnostics[0]!.message, /"my_fs" is that of "my fs"; rename/)
    }))

  it.effect("takes identity from bundle_id, then name, then key", () =>
    Effect.gen(function*() {
      const { servers } = yield* parse({
        servers: {
          a: { bundle_id: "explicit-1", name: "x", command: "c" },
          b: { name: "My Server!", command: "c" },
          "c d": { command: "c" },
          "日本": { command: "c" }
        }
      })
      assert.deepStrictEqual(
        servers.slice(0, 3).map(({ bundleId, config }) => [bundleId, config.name, config.bundle_id]),
        [
          ["explicit-1", "x", "explicit-1"],
          ["My_Server", "My Server!", "My_Server"],
          ["c_d", "c d", "c_d"]
        ]
      )
      assert.match(servers[3]!.bundleId, /^bundle_[0-9a-f]{16}$/)
    }))

  it.effect("switches a server off by disabled or enabled", () =>
    Effect.gen(function*() {
      const { servers } = yield* parse({
        mcpServers: {
          a: { command: "x", disabled: true },
          b: { command: "x", enabled: false },
          c: { command: "x", enabled: true },
          d: { url: "https://x", disabled: true }
        }
      })
      assert.deepStrictEqual(servers.map(({ config }) => config.disabled), [true, true, false, true])
    }))

  it.effect("does not trust approvals of other programs, and says so", () =>
    Effect.gen(function*() {
      const file = yield* parse({ mcpServers: { a: { command: "x", autoApprove: ["rm"] } } })
      assert.deepStrictEqual(file.servers[0]!.config.tool_meta, {})
      assert.strictEqual(file.servers[0]!.config.default_tool_meta, null)
      assert.deepStrictEqual(
        file.diagnostics.map(({ message }) => /autoApprove is not trusted/.test(message)),
        [true]
      )
    }))

  it.effect("keeps what A2C says about tools, unknown fields included", () =>
    Effect.gen(function*() {
      const { config } = yield* only({
        servers: {
          a: {
            type: "stdio",
            forbidden_tools: ["rm"],
            tool_meta: { ls: { auto_apply: true, alias: "list", color: "red" } },
            default_tool_meta: { tags: ["x"] },
            vrl: ".a = 1",
            server_parameters: { command: "x" },
            futureKey: 1
          }
        }
      })
      assert.deepInclude(config, {
        forbidden_tools: ["rm"],
        default_tool_meta: { tags: ["x"] },
        vrl: ".a = 1"
      })
      assert.deepStrictEqual<unknown>(config.tool_meta["ls"], { auto_apply: true, alias: "list", color: "red" })
    }))

  it.effect("reads inputs one by one", () =>
    Effect.gen(function*() {
      const { diagnostics, inputs } = yield* parse({
        servers: {},
        inputs: [
          { id: "p", type: "promptString", description: "d", password: true, extra: 1 },
          { id: "old", type: "pickString", options: ["a", "b"], default: "b" },
          { id: "new", type: "pickString", options: [{ label: "A", value: "a" }], default: null },
          { id: "cmd", type: "command", command: "date" },
          { id: "p", type: "promptString" },
          { id: "wrong", type: "pickString", options: ["a"], default: "z" },
          { id: "none", type: "pickString", options: [] },
          { id: "x", type: "telepathy" },
          { type: "promptString" },
          "text"
        ]
      })
      assert.deepStrictEqual(inputs.map(({ id }) => id), ["p", "old", "new", "cmd"])
      assert.deepStrictEqual(diagnostics.map(({ message }) => message.replace(/ was left out.*/, "")), [
        "inputs[4] (\"p\")",
        "inputs[5] (\"wrong\")",
        "inputs[6] (\"none\")",
        "inputs[7] (\"x\")",
        "inputs[8]",
        "inputs[9]"
      ])
      assert.match(diagnostics[1]!.message, /default that is none of its options/)
    }))

  it.effect("reads a byte order mark, comments and trailing commas", () =>
    Effect.gen(function*() {
      const { bundleId } = yield* only(
        "\uFEFF/* mine */ { \"mcpServers\": { \"a\": { \"command\": \"x\", }, }, // end\n}"
      )
      assert.strictEqual(bundleId, "a")
    }))

  it.effect("says where a file is no JSON", () =>
    Effect.gen(function*() {
      assert.match(
        yield* refusal("{\n  \"mcpServers\": {\r\n    \"a\": oops }\n}"),
        /^mcp\.json is not valid JSON at line 3, column 10: /
      )
      assert.match(yield* refusal("{\"mcpServers\": {"), /line 1, column 17: close brace expected/)
      assert.match(yield* refusal(" \n"), /is empty/)
      assert.match(yield* refusal("PK\u0003\u0004"), /line 1, column 1/)
    }))

  it.effect("reads every key as one like others", () =>
    Effect.gen(function*() {
      const text = `{"mcpServers":{"__proto__":{"command":"p"},"constructor":{"command":"c","env":{"__proto__":"x"}},
        "toString":{"url":"https://t","oauth":{"constructor":1,"client_id":"i"},"tools":{"__proto__":{"concurrency":2}}}},
        "inputs":[{"id":"__proto__","type":"promptString"}]}`
      const { diagnostics, inputs, servers } = yield* ConfigFile.parse(text, "mcp.json")
      assert.deepStrictEqual(servers.map(({ key }) => key), ["__proto__", "constructor", "toString"])
      assert.deepStrictEqual(inputs.map(({ id }) => id), ["__proto__"])
      assert.deepStrictEqual(servers[2]!.settings.oauth, { clientId: "i" })
      assert.deepStrictEqual(Object.keys(servers[2]!.settings.toolLimits ?? {}), ["__proto__"])
      assert.deepStrictEqual(diagnostics, [])
      const again = yield* ConfigFile.parse(ConfigFile.serialise(servers, inputs), "mcp.json")
      assert.deepStrictEqual(again.servers.map(({ key }) => key), ["__proto__", "constructor", "toString"])
      assert.isUndefined(({} as { readonly command?: unknown }).command)
    }))

  it.effect("says where a key is again, of which only the last counts", () =>
    Effect.gen(function*() {
      const file = yield* ConfigFile.parse(
        `{ "mcpServers": {
          "a": { "command": "x", "env": { "K": "s3cret", "K": "other" } },
          "b": { "command": "b" },
          "a": { "command": "y" }
        } }`,
        "mcp.json"
      )
      assert.deepStrictEqual(
        file.servers.map(({ config }) => config.type === "stdio" && config.server_parameters.command),
        ["y", "b"]
      )
      assert.deepStrictEqual(file.diagnostics.map(({ message, severity }) => [severity, message]), [
        [
          "error",
          "\"K\" stands there again at line 2, column 58: only the last one counts; rename or remove one of them"
        ],
        [
          "error",
          "\"a\" stands there again at line 4, column 11: only the last one counts; rename or remove one of them"
        ]
      ])
      const many = yield* ConfigFile.parse(
        `{"mcpServers":{${"\"a\":{\"command\":\"x\"},".repeat(20_000)}}}`,
        "mcp.json"
      )
      assert.strictEqual(many.diagnostics.length, 20)
    }))

  it.effect("refuses what is nested without end", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(ConfigFile.parse("[".repeat(200_000), "mcp.json"))
      assert.match(error.message, /^mcp\.json is (nested too deeply|not valid JSON)/)
    }))

  it.effect("says what to write in place of something else", () =>
    Effect.gen(function*() {
      assert.match(yield* refusal("[]"), /mcp\.json is not a JSON object; write \{ "mcpServers"/)
      assert.match(yield* refusal("{}"), /neither "mcpServers" nor "servers"; write/)
      assert.match(yield* refusal("{\"servers\": 3}"), /"servers" that is neither an object nor a list; write/)
    }))

  it.effect("keeps every good entry beside any bad ones", () => {
    const junk = [null, 1, "x", [], {}, { command: 1 }, { command: "x", env: [] }, { type: 1, url: "u" }]
    return Effect.forEach(junk, (one) =>
      Effect.gen(function*() {
        const keys = Array.from({ length: 9 }, (_, index) => `s${index}`)
        const { diagnostics, servers } = yield* parse({
          mcpServers: Object.fromEntries(keys.map((key, index) => [key, index % 2 === 0 ? { command: key } : one]))
        })
        assert.deepStrictEqual(servers.map(({ key }) => key), ["s0", "s2", "s4", "s6", "s8"])
        assert.strictEqual(diagnostics.length, 4)
      }), { discard: true })
  })
})

describe("ConfigFile.load", () => {
  const inTemporaryDirectory = <A, E>(
    use: (directory: string) => Effect.Effect<A, E, FileSystem.FileSystem | Path.Path>
  ) =>
    FileSystem.FileSystem.use((fs) => Effect.flatMap(fs.makeTempDirectoryScoped(), use)).pipe(
      Effect.scoped,
      Effect.provide(NodeServices.layer)
    )

  it.live("reads a file", () =>
    inTemporaryDirectory(Effect.fnUntraced(function*(directory) {
      const fs = yield* FileSystem.FileSystem
      const path = (yield* Path.Path).join(directory, "mcp.json")
      yield* fs.writeFileString(path, "\uFEFF{\"mcpServers\":{\"a\":{\"command\":\"x\"}}}")
      assert.deepStrictEqual((yield* ConfigFile.load(path)).servers.map(({ bundleId }) => bundleId), ["a"])
    })))

  it.live("names the path of a file that is not there, not a file, or not JSON", () =>
    inTemporaryDirectory(Effect.fnUntraced(function*(directory) {
      const fs = yield* FileSystem.FileSystem
      const path = (yield* Path.Path).join(directory, "mcp.json")
      const missing = yield* Effect.flip(ConfigFile.load(path))
      assert.strictEqual(missing.message, `There is no config file ${path}; check the path or create it`)
      assert.strictEqual(missing.reason._tag, "ConfigInvalid")
      const folder = yield* Effect.flip(ConfigFile.load(directory))
      assert.match(folder.message, /cannot be read .*check that it is a file/)
      yield* fs.writeFileString(path, "{ nope")
      const broken = yield* Effect.flip(ConfigFile.load(path))
      assert.isTrue(broken.message.startsWith(`${path} is not valid JSON at line 1, column 3`), broken.message)
    })))
})
