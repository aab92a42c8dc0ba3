import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as ConfigFile from "../../src/computer/ConfigFile.ts"
import type { Dialect } from "../../src/computer/ServerEntry.ts"

const parse = (value: unknown, name = "some.json") =>
  ConfigFile.parse(typeof value === "string" ? value : JSON.stringify(value), name)

const entryOf = (fields: object) =>
  Effect.map(parse({ mcpServers: { a: { command: "x", ...fields } } }), ({ diagnostics, servers }) => ({
    entry: servers[0],
    messages: diagnostics.map(({ message }) => message),
    severities: diagnostics.map(({ severity }) => severity)
  }))

const one = { a: { command: "x" } }

/** A file of another shape, and the keys, commands or addresses of its servers. */
const shapes: ReadonlyArray<readonly [what: string, name: string, content: unknown, servers: Record<string, string>]> =
  [
    ["Zed", "zed/settings.json", {
      theme: "x",
      context_servers: { a: { source: "custom", command: { path: "x", args: ["y"] } } }
    }, {
      a: "x y"
    }],
    ["Zed, flat", "f.json", { context_servers: { a: { command: "x", args: [] } } }, { a: "x" }],
    ["OpenCode", "opencode.json", {
      $schema: "s",
      mcp: {
        a: { type: "local", command: ["x", "y"], environment: { A: "b" } },
        b: { type: "remote", url: "https://b" }
      }
    }, { a: "x y", b: "https://b" }],
    ["Crush", "crush.json", { mcp: { a: { type: "stdio", command: "x" }, b: { type: "http", url: "https://b" } } }, {
      a: "x",
      b: "https://b"
    }],
    ["the settings of VS Code", "f.json", { mcp: { servers: one, inputs: [] } }, { a: "x" }],
    ["Gemini", "/h/.gemini/settings.json", { mcp: { allowed: ["a"] }, mcpServers: { a: { httpUrl: "https://a" } } }, {
      a: "https://a"
    }],
    ["Codex", "/h/.codex/config.toml", "model = \"m\"\n[mcp_servers.a]\ncommand = \"x\"\nargs = [\"y\"]\n", {
      a: "x y"
    }],
    [
      "Goose",
      "/h/.config/goose/config.yaml",
      "GOOSE_MODE: auto\nextensions:\n  a: { type: stdio, cmd: x, args: [y] }\n",
      {
        a: "x y"
      }
    ],
    [
      "Continue",
      "/h/.continue/config.yaml",
      "schema: v1\nmcpServers:\n  - name: a\n    command: x\n    args:\n      - y\n",
      {
        a: "x y"
      }
    ],
    ["ours in YAML", "f.yml", "# mine\nmcpServers:\n  a: { command: x, args: [&y y, *y] }\n", { a: "x y y" }],
    ["a bare map", "f.json", { $schema: "s", ...one, b: { url: "https://b" } }, { a: "x", b: "https://b" }],
    ["a list", "f.json", {
      servers: [{ name: "n", type: "stdio", server_parameters: { command: "x" } }, { command: "y" }]
    }, {
      n: "x",
      "servers[1]": "y"
    }],
    ["a list of servers alone", "f.json", [{ name: "n", command: "x" }, { bundle_id: "b", command: "y" }], {
      n: "x",
      b: "y"
    }],
    ["one server", "f.json", { name: "n", type: "http", server_parameters: { url: "https://a" } }, { n: "https://a" }]
  ]

const addressOf = ({ config }: ConfigFile.ServerEntry): string =>
  config.type === "stdio"
    ? [config.server_parameters.command, ...config.server_parameters.args].join(" ")
    : config.server_parameters.url

/** Where a file lies, what it holds, and the grammar of its variables. */
const dialects: ReadonlyArray<readonly [name: string, content: object, dialect: Dialect]> = [
  ["/h/Library/Application Support/Claude/claude_desktop_config.json", { mcpServers: one }, "claude-desktop"],
  ["C:\\Users\\me\\AppData\\Roaming\\Claude\\claude_desktop_config.json", { mcpServers: one }, "claude-desktop"],
  ["/p/.mcp.json", { mcpServers: one }, "claude-code"],
  ["/h/.claude.json", { mcpServers: one }, "claude-code"],
  ["/p/.vscode/mcp.json", { servers: one }, "vscode"],
  ["/h/.config/Code/User/mcp.json", { servers: one }, "vscode"],
  ["/p/.cursor/mcp.json", { mcpServers: one }, "cursor"],
  ["C:\\p\\.cursor\\mcp.json", { mcpServers: one }, "cursor"],
  ["/h/.gemini/settings.json", { mcpServers: one }, "gemini"],
  ["/p/opencode.jsonc", { mcp: one }, "opencode"],
  ["f.json", { mcpServers: one }, "a2c"],
  ["mcp.json", one, "a2c"],
  ["f.json", { servers: one }, "vscode"],
  ["f.json", { servers: { a: { command: "x", tool_meta: {} } } }, "a2c"],
  ["f.json", { servers: { a: { server_parameters: { command: "x" } } } }, "a2c"],
  ["f.json", { context_servers: one }, "claude-desktop"],
  ["f.json", { mcp: { a: { type: "local", command: ["x"] } } }, "opencode"],
  ["f.json", { mcp: { a: { type: "stdio", command: "x" } } }, "gemini"]
]

/** Keys of an entry, and the settings that come of them. */
const settings: ReadonlyArray<readonly [fields: object, settings: object]> = [
  [{ lazy: true, idle_timeout: 60, start_timeout: 5.5, call_timeout: 9 }, {
    lazy: true,
    idleTimeout: 60,
    startTimeout: 5.5,
    callTimeout: 9
  }],
  [{ rate_limit: "10/s" }, { limits: { rateLimit: { calls: 10, seconds: 1 } } }],
  [{ rate_limit: "100 / minute" }, { limits: { rateLimit: { calls: 100, seconds: 60 } } }],
  [{ rate_limit: "5/30s" }, { limits: { rateLimit: { calls: 5, seconds: 30 } } }],
  [{ rate_limit: { calls: 3, seconds: 2, burst: 9 } }, { limits: { rateLimit: { calls: 3, seconds: 2, burst: 9 } } }],
  [{ concurrency: 2, cache_ttl: 30, max_waiting: 0 }, { limits: { concurrency: 2, cacheTtl: 30, maxWaiting: 0 } }],
  [{ tools: { t: { concurrency: 1 }, u: {} } }, { toolLimits: { t: { concurrency: 1 } } }],
  [{ roots: ["file:///p"], log_level: "warning" }, { roots: ["file:///p"], logLevel: "warning" }],
  [{ validate_output: "warn" }, { validateOutput: "warn" }],
  [{ sandbox: true }, { sandbox: {} }],
  [{ sandbox: false }, {}],
  [{ sandbox: { network: false, writable: ["/a"], readable: ["b"], required: true } }, {
    sandbox: { network: false, writable: ["/a"], readable: ["b"], required: true }
  }],
  [{ sandboxEnabled: false }, {}],
  [{ envFile: "${workspaceFolder}/.env" }, { envFile: "${workspaceFolder}/.env" }],
  [{ oauth: { client_id: "i", client_secret: "s", scopes: ["a"], callback_port: 9 } }, {
    oauth: { clientId: "i", clientSecret: "s", scopes: ["a"], callbackPort: 9 }
  }],
  [{ oauth: { clientId: "i", callbackPort: 9 } }, { oauth: { clientId: "i", callbackPort: 9 } }],
  [{ auth: { CLIENT_ID: "i", CLIENT_SECRET: "s", scopes: ["a", "b"] } }, {
    oauth: { clientId: "i", clientSecret: "s", scopes: ["a", "b"] }
  }],
  [{ oauth: { scope: "a b" } }, { oauth: { scopes: ["a", "b"] } }],
  [{ oauth: false }, {}],
  [{ timeout: 60 }, { callTimeout: 60 }],
  [{ timeout: 600_000 }, { callTimeout: 600 }],
  [{ timeout: 60, call_timeout: 5 }, { callTimeout: 5 }],
  [{ lazy: null, rate_limit: null, tools: null, oauth: null, timeout: null }, {}]
]

/** A setting that is wrong, and what is said about it. */
const wrong: ReadonlyArray<readonly [fields: object, message: RegExp]> = [
  [{ lazy: "yes" }, /lazy was ignored: expected boolean/],
  [{ idle_timeout: -1 }, /idle_timeout was ignored: /],
  [{ timeout: "1m" }, /timeout was ignored: expected a number/],
  [{ log_level: "loud" }, /log_level was ignored: /],
  [{ validate_output: true }, /validate_output was ignored: /],
  [{ roots: "here" }, /roots was ignored: expected array/],
  [{ oauth: { client_id: 7, callback_port: 70_000 } }, /oauth was ignored: .*clientId: .*callbackPort: /]
]

/** Keys of other programs that they would apply, and what is said about them. */
const notApplied: ReadonlyArray<readonly [fields: object, message: RegExp]> = [
  [{ alwaysAllow: ["rm"] }, /alwaysAllow is not trusted/],
  [{ trust: true }, /trust is not trusted/],
  [{ headersHelper: "cmd" }, /headersHelper is not supported/],
  [{ dev: { watch: "x" } }, /dev is of VS Code alone/],
  [{ includeTools: ["a"] }, /includeTools is not applied: every tool of the server is offered/],
  [{ tools: ["a"] }, /tools is not applied/]
]

const withNetwork = { filesystem: { allowWrite: ["/a"], denyRead: ["/b"] }, network: { allowedDomains: ["x.org"] } }

/** What VS Code has in the place of `sandbox`, what it is read as, and what is said about it. */
const sandboxes: ReadonlyArray<readonly [fields: object, settings: object, messages: ReadonlyArray<RegExp>]> = [
  [{ sandboxEnabled: true }, { sandbox: {} }, [/sandboxEnabled was read as "sandbox": true/]],
  [{ sandbox: withNetwork }, {}, [/sandbox is not applied, as "sandboxEnabled" is not true/]],
  [{ sandboxEnabled: true, sandbox: withNetwork }, { sandbox: { network: true, writable: ["/a"] } }, [
    /was read as "sandbox": \{ "network": true/,
    /allowedDomains is not applied: the whole network is open/
  ]],
  [{ sandboxEnabled: true, sandbox: { filesystem: {} } }, { sandbox: { network: false } }, [/"network": false/]]
]

describe("ConfigFile", () => {
  it.effect.each(sandboxes)(
    "reads a sandbox of VS Code and says how: %j",
    ([fields, settings, expected]) =>
      Effect.gen(function*() {
        const { entry, messages, severities } = yield* entryOf(fields)
        assert.deepStrictEqual<object | undefined>(entry?.settings, settings)
        assert.deepStrictEqual(severities, expected.map(() => "warning"))
        for (const [index, message] of expected.entries()) assert.match(messages[index] ?? "", message)
      })
  )

  it.effect("says that only a server that is started here is held in", () =>
    Effect.gen(function*() {
      const { diagnostics, servers } = yield* parse({ mcpServers: { a: { url: "https://a", sandbox: true } } })
      assert.strictEqual(servers.length, 1)
      assert.match(diagnostics.map(({ message }) => message).join(), /sandbox is not applied: it is for servers that/)
    }))

  it.effect.each(shapes)(
    "finds the servers in the shape of %s",
    ([, name, content, servers]) =>
      Effect.gen(function*() {
        const file = yield* parse(content, name)
        assert.deepStrictEqual(Object.fromEntries(file.servers.map((entry) => [entry.key, addressOf(entry)])), servers)
        assert.deepStrictEqual(file.diagnostics, [])
      })
  )

  it.effect("takes no other JSON for a map of servers", () =>
    Effect.gen(function*() {
      for (const content of [{ name: "p", repository: { url: "https://r" } }, { a: { b: 1 } }, [], [1], [{}], {}]) {
        assert.match((yield* Effect.flip(parse(content))).message, /is not a JSON object|has neither/)
      }
    }))

  it.effect.each(dialects)("tells the grammar of %s with %j", ([name, content, dialect]) =>
    Effect.gen(function*() {
      const { servers } = yield* parse(content, name)
      assert.strictEqual(servers[0]?.origin.dialect, dialect)
      const told = yield* ConfigFile.fromValue(content, name, { dialect: "gemini", directory: "/d" })
      assert.deepStrictEqual(told.servers[0]?.origin, { source: name, dialect: "gemini", directory: "/d" })
    }))

  it.effect.each(settings)("reads the settings %j", ([fields, expected]) =>
    Effect.gen(function*() {
      const { entry, messages } = yield* entryOf(fields)
      assert.deepStrictEqual<object | undefined>(entry?.settings, expected)
      assert.deepStrictEqual(messages, [])
    }))

  it.effect.each(wrong)(
    "keeps a server without a setting that is wrong: %j",
    ([fields, message]) =>
      Effect.gen(function*() {
        const { entry, messages, severities } = yield* entryOf(fields)
        assert.deepStrictEqual<object | undefined>(entry?.settings, {})
        assert.deepStrictEqual(severities, ["error"])
        assert.match(messages.join(), message)
      })
  )

  it.effect.each(notApplied)("says that it does not apply %j", ([fields, message]) =>
    Effect.gen(function*() {
      const { entry, messages, severities } = yield* entryOf(fields)
      assert.deepStrictEqual(entry?.extra, fields)
      assert.deepStrictEqual(severities, ["warning"])
      assert.match(messages.join(), message)
    }))

  it.effect("reads the timeout of a program in its unit", () =>
    Effect.gen(function*() {
      const timeouts = Effect.fnUntraced(function*(name: string, timeout: number) {
        const { servers: [entry] } = yield* parse({ mcpServers: { a: { command: "x", timeout } } }, name)
        return [entry?.settings.callTimeout, entry?.settings.startTimeout]
      })
      assert.deepStrictEqual(yield* timeouts("/h/cline_mcp_settings.json", 7200), [7200, undefined])
      assert.deepStrictEqual(yield* timeouts("/h/.gemini/settings.json", 500), [0.5, undefined])
      const { servers } = yield* parse(
        { mcp: { a: { type: "local", command: ["x"], timeout: 5000 } } },
        "opencode.json"
      )
      assert.deepStrictEqual<object | undefined>(servers[0]?.settings, { startTimeout: 5 })
    }))

  it.effect("hides the tools that other programs hide", () =>
    Effect.gen(function*() {
      const { entry } = yield* entryOf({
        forbidden_tools: ["a"],
        excludeTools: ["b"],
        disabledTools: ["a", "c"],
        disabled_tools: ["d"]
      })
      assert.deepStrictEqual(entry?.config.forbidden_tools, ["a", "b", "c", "d"])
    }))

  it.effect("tries both transports where the file does not say which one it is", () =>
    Effect.gen(function*() {
      const { servers } = yield* parse({
        mcpServers: {
          open: { url: "https://a" },
          windsurf: { serverUrl: "https://a" },
          nested: { server_parameters: { url: "https://a" } },
          gemini: { httpUrl: "https://a" },
          http: { type: "HTTP", url: "https://a" },
          transport: { transport: "sse", url: "https://a" },
          ws: { type: "ws", url: "wss://a" }
        }
      })
      assert.deepStrictEqual(servers.map(({ config, key, settings }) => [key, config.type, settings.fallBackToSse]), [
        ["open", "streamable", true],
        ["windsurf", "streamable", true],
        ["nested", "streamable", true],
        ["gemini", "streamable", undefined],
        ["http", "streamable", undefined],
        ["transport", "sse", undefined],
        ["ws", "streamable", undefined]
      ])
      const vscode = yield* parse({ servers: { a: { type: "http", url: "https://a" } } })
      assert.isTrue(vscode.servers[0]?.settings.fallBackToSse)
    }))

  it.effect("takes variables as VS Code has them: numbers, and null for none", () =>
    Effect.gen(function*() {
      const { diagnostics, servers } = yield* parse({
        servers: { a: { command: "x", env: { PORT: 8080, NONE: null, KEY: "${env:KEY}" } } }
      })
      assert.deepStrictEqual(diagnostics, [])
      assert.deepInclude(servers[0]?.config.server_parameters, { env: { PORT: "8080", KEY: "${env:KEY}" } })
      const { servers: none } = yield* parse({ servers: { a: { command: "x", env: { FLAG: true } } } })
      assert.isEmpty(none)
    }))

  it.effect("keeps an entry for a transport of the program", () =>
    Effect.gen(function*() {
      const source = { type: "constructor", socket: "/run/x", level: 3 }
      const { diagnostics, servers } = yield* parse({
        mcpServers: { a: source, b: { type: "grpc", url: "grpc://b", headers: { A: "b" } }, c: { command: "c" } }
      })
      const [a, b, c] = servers
      assert.deepStrictEqual(a?.settings.custom, { transport: "constructor", source })
      assert.deepStrictEqual(b?.settings.custom?.transport, "grpc")
      assert.deepStrictEqual([a, b, c].map((entry) => entry === undefined ? "" : addressOf(entry)), [
        "constructor",
        "grpc://b",
        "c"
      ])
      assert.deepStrictEqual(diagnostics.map(({ severity }) => severity), ["warning", "warning"])
      assert.match(diagnostics[0]!.message, /"constructor" is not one of MCP's/)
    }))

  it.effect("keeps keys that nobody knows, and names each of them once", () =>
    Effect.gen(function*() {
      const { diagnostics, servers } = yield* parse({
        mcpServers: {
          a: { command: "x", comand: "hunter2", version: "1", description: "d" },
          b: { command: "x", comand: 1, server_parameters: { command: "x", shell: true } }
        }
      })
      assert.deepStrictEqual(servers.map(({ extra }) => extra), [
        { comand: "hunter2", version: "1", description: "d" },
        { comand: 1, server_parameters: { shell: true } }
      ])
      assert.deepStrictEqual(diagnostics.map(({ message, severity, source }) => [severity, source, message]), [
        ["warning", "some.json", "\"comand\" means nothing here and is ignored (\"a\", \"b\")"],
        ["warning", "some.json", "\"server_parameters.shell\" means nothing here and is ignored (\"b\")"]
      ])
    }))

  it.effect("reads the inputs of this Computer alone", () =>
    Effect.gen(function*() {
      const { diagnostics, inputs } = yield* parse({
        mcpServers: {},
        inputs: [
          { id: "t", type: "promptString", pattern: "^a+$", pattern_message: "only a", min_length: 1, max_length: 9 },
          { id: "n", type: "number", min: 1, max: 5, integer: true, default: 2 },
          { id: "b", type: "boolean", true_label: "on", default: false },
          { id: "f", type: "file", must_exist: true, suffixes: [".pem"] },
          { id: "bad pattern", type: "promptString", pattern: "(" },
          { id: "bad range", type: "number", min: 3, max: 1 },
          { id: "bad default", type: "number", min: 3, default: 1 },
          { id: "half", type: "number", integer: true, default: 1.5 },
          { id: "lengths", type: "promptString", min_length: 3, max_length: 1 }
        ]
      })
      assert.deepStrictEqual<ReadonlyArray<object>>(inputs, [
        { id: "t", type: "promptString", pattern: "^a+$", patternMessage: "only a", minLength: 1, maxLength: 9 },
        { id: "n", type: "number", min: 1, max: 5, integer: true, default: 2 },
        { id: "b", type: "boolean", trueLabel: "on", default: false },
        { id: "f", type: "file", mustExist: true, suffixes: [".pem"] }
      ])
      assert.strictEqual(diagnostics.length, 5)
      assert.isTrue(diagnostics.every(({ severity }) => severity === "error"))
    }))

  it.effect("says where YAML is wrong, and nothing of what stands there", () =>
    Effect.gen(function*() {
      const deep = "[".repeat(100_000)
      const aliases = [
        "a0: &a0 [x]",
        ...Array.from({ length: 9 }, (_, level) =>
          `a${level + 1}: &a${level + 1} [${Array.from({ length: 9 }, () => `*a${level}`).join(", ")}]`)
      ].join("\n")
      const table = [
        ["", /is empty; write/],
        ["# nothing\n", /is empty; write/],
        ["a: b: hunter2", /is not valid YAML at line 1, column \d+: /],
        [
          "mcpServers:\n  a: { command: x }\n  a: { command: hunter2 }",
          /is not valid YAML at line 3, column 3: duplicate key/
        ],
        ["a: hunter2\n---\nb: 1", /is not valid YAML at line 2, column 1: multiple docs/],
        ["a: *hunter2", /has YAML aliases that cannot be followed/],
        [deep, /is nested too deeply/],
        [aliases, /has YAML aliases that cannot be followed/],
        ["hunter2", /is not a JSON object/]
      ] as const
      for (const [text, expected] of table) {
        const { message } = yield* Effect.flip(parse(text, "f.yaml"))
        assert.match(message, expected)
        assert.notInclude(message, "hunter2")
      }
      const { servers } = yield* parse("mcpServers:\n  __proto__: { command: x }\n", "f.yaml")
      assert.deepStrictEqual(
        servers.map(({ key }) =>
          key
        ),
        ["__proto__"]
      )
    }))
})
