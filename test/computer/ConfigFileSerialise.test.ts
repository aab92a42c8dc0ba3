import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as ConfigFile from "../../src/computer/ConfigFile.ts"
import { translated } from "../../src/computer/internal/config/translate.ts"
import { parse, type Segment } from "../../src/computer/internal/inputs/placeholders.ts"
import type { Dialect } from "../../src/computer/ServerEntry.ts"

/** Pieces of texts that mean something in one grammar or another. */
const Parts = Schema.Array(Schema.Literals([
  "a",
  " ",
  "\"",
  "${input:i}",
  "${env:A}",
  "${B}",
  "$B",
  "${A:-d}",
  "${env:UNSET:-x ${env:B}}",
  "${userHome}",
  "${workspaceFolder}",
  "${workspaceFolderBasename}",
  "${/}",
  "{env:A}",
  "%A%",
  "${1}",
  "${",
  "$${"
])).check(Schema.isMaxLength(4))

const dialects: ReadonlyArray<Dialect> = [
  "a2c",
  "claude-desktop",
  "claude-code",
  "vscode",
  "cursor",
  "gemini",
  "opencode"
]

const environment: Readonly<Record<string, string>> = { A: "va", B: "vb" }

/** What a text stands for, when the file belongs to this folder. */
const meaning = (text: string, dialect: Dialect, folder: string): string => {
  const valueOf = (segment: Segment): string => {
    if (typeof segment === "string") return segment
    switch (segment._tag) {
      case "Input":
        return `<input ${segment.id}>`
      case "Variable":
        return environment[segment.name] ?? segment.fallback?.map(valueOf).join("") ?? `<unset ${segment.name}>`
      case "Constant":
        return segment.name === "workspaceFolder" ? `/p/${folder}` : segment.name === "workspaceFolderBasename"
          ? folder
          : `<${segment.name}>`
      case "Unsupported":
        return segment.text
    }
  }
  return parse(text, dialect).map(valueOf).join("")
}

const Limits = Schema.Struct({
  rate_limit: Schema.optionalKey(Schema.Literals(["10/s", "3/5min"])),
  concurrency: Schema.optionalKey(Schema.Literals([1, 7])),
  cache_ttl: Schema.optionalKey(Schema.Literals([0.5, 60])),
  max_waiting: Schema.optionalKey(Schema.Literals([0, 3]))
})

const Tools = Schema.optionalKey(Schema.Array(Schema.Literals(["a", "b"])))

const Common = {
  ...Limits.fields,
  name: Schema.optionalKey(Schema.Literals(["n 1", "日本", "x"])),
  bundle_id: Schema.optionalKey(Schema.Literals(["id-1", "id_2"])),
  disabled: Schema.optionalKey(Schema.Boolean),
  forbidden_tools: Tools,
  tool_meta: Schema.optionalKey(
    Schema.Literals([{ t: { auto_apply: true, color: "red" } }].map((each) => JSON.stringify(each)))
  ),
  vrl: Schema.optionalKey(Schema.Literals([".a = 1"])),
  jsonata: Schema.optionalKey(Schema.Literals(["$ ~> |a|{\"b\": \"${c}\"}|"])),
  lazy: Schema.optionalKey(Schema.Boolean),
  idle_timeout: Schema.optionalKey(Schema.Literals([1.5, 60])),
  start_timeout: Schema.optionalKey(Schema.Literals([2])),
  call_timeout: Schema.optionalKey(Schema.Literals([3])),
  tools: Schema.optionalKey(Schema.Struct({ t: Limits })),
  roots: Tools,
  log_level: Schema.optionalKey(Schema.Literals(["debug"])),
  sandbox: Schema.optionalKey(Schema.Union([
    Schema.Boolean,
    Schema.Struct({
      required: Schema.optionalKey(Schema.Boolean),
      network: Schema.optionalKey(Schema.Boolean),
      writable: Schema.optionalKey(Schema.Array(Schema.Literals(["/p", "~/q", "${env:P}/r"])))
    })
  ])),
  validate_output: Schema.optionalKey(Schema.Literals(["warn", "error"])),
  unheardOf: Schema.optionalKey(Schema.Literals(["kept"])),
  dev: Schema.optionalKey(Schema.Literals(["kept"]))
} as const

/** Entries as people write them, but for their texts, which are {@link Parts}. */
const Entry = Schema.Union([
  Schema.Struct({
    ...Common,
    command: Parts,
    args: Schema.optionalKey(Schema.Array(Parts)),
    env: Schema.optionalKey(Parts)
  }),
  Schema.Struct({
    ...Common,
    url: Parts,
    type: Schema.optionalKey(Schema.Literals(["http", "sse", "ws"])),
    headers: Parts
  }),
  Schema.Struct({ ...Common, type: Schema.Literals(["carrier pigeon"]), loft: Parts })
])

const written = ({ tool_meta, ...fields }: typeof Entry.Type, index: number): object => {
  const text = (parts: ReadonlyArray<string>) => `t${index}${parts.join("")}`
  const texts = "command" in fields
    ? {
      command: text(fields.command),
      args: fields.args === undefined ? null : fields.args.map(text),
      env: fields.env === undefined ? null : { E: text(fields.env) }
    }
    : "url" in fields
    ? { url: text(fields.url), headers: { H: text(fields.headers) } }
    : { loft: text(fields.loft) }
  return { ...fields, ...texts, ...(tool_meta === undefined ? {} : { tool_meta: JSON.parse(tool_meta) }) }
}

describe("ConfigFile.serialise", () => {
  it.effect.prop(
    "writes what reads the same",
    [Schema.Array(Entry).check(Schema.isMaxLength(3)), Schema.Literals(["a2c", "claude-code"])],
    ([entries, dialect]) =>
      Effect.gen(function*() {
        const servers = Object.fromEntries(entries.map((entry, index) => [`key ${index}`, written(entry, index)]))
        const inputs = [
          { id: "n", type: "number", min: 1, default: 2 },
          { id: "p", type: "promptString", password: true, pattern_message: "x" },
          { id: "c", type: "pickString", options: ["a", { label: "B", value: "b" }] }
        ]
        const config = yield* ConfigFile.fromValue({ mcpServers: servers, inputs }, "one.json", { dialect })
        const again = yield* ConfigFile.parse(ConfigFile.serialise(config.servers, config.inputs), "one.json", {
          dialect
        })
        const comparable = ({ inputs, servers }: ConfigFile.ConfigFile) => ({
          inputs,
          servers: servers.map((entry) => {
            const custom = entry.settings.custom
            return {
              ...entry,
              settings: { ...entry.settings, ...(custom === undefined ? {} : { custom: custom.transport }) }
            }
          })
        })
        assert.deepStrictEqual(comparable(again), comparable(config))
        assert.deepStrictEqual(
          again.servers.map(({ settings }) => settings.custom?.source["loft"]),
          config.servers.map(({ settings }) => settings.custom?.source["loft"])
        )
        const twice = ConfigFile.serialise(again.servers, again.inputs)
        assert.strictEqual(twice, ConfigFile.serialise(config.servers, config.inputs))
      }),
    { arbitrary: { runs: 300 } }
  )

  it.prop(
    "means the same in our grammar, wherever the file lies",
    [Parts, Schema.Literals(dialects)],
    ([parts, dialect]) => {
      const text = parts.join("")
      // there is no way to write a dollar before a placeholder
      if (
        parse(text, dialect).some((part, index, all) =>
          typeof part === "string" && part.endsWith("$") && index < all.length - 1
        )
      ) return
      const origin = { source: "f", dialect, directory: "/p/one" }
      const moved = translated(text, origin, "/p/two") as string
      assert.strictEqual(meaning(moved, "a2c", "two"), meaning(text, dialect, "one"), `${text} became ${moved}`)
      const stayed = translated(text, origin, "/p/one") as string
      assert.strictEqual(meaning(stayed, "a2c", "one"), meaning(text, dialect, "one"))
      if (dialect === "a2c") assert.strictEqual(stayed, text)
    },
    { arbitrary: { runs: 1000 } }
  )

  it.effect("keeps two servers of one key apart", () =>
    Effect.gen(function*() {
      const files = yield* Effect.forEach(["a", "b"], (id) =>
        ConfigFile.fromValue({ servers: { key: { command: id, bundle_id: id } } }, `${id}.json`))
      const { inputs, servers } = ConfigFile.merge(files)
      const again = yield* ConfigFile.parse(ConfigFile.serialise(servers, inputs), "all.json")
      assert.deepStrictEqual(again.servers.map(({ bundleId, config }) => [bundleId, config.name]), [
        ["a", "key"],
        ["b", "key"]
      ])
      assert.deepStrictEqual(again.diagnostics, [])
    }))
})

describe("ConfigFile.fields", () => {
  it.effect("tells what each value is made of, and no secret", () =>
    Effect.gen(function*() {
      const { servers } = yield* ConfigFile.fromValue(
        {
          mcpServers: {
            a: {
              command: "run",
              args: ["--token", "canary", "${env:PORT:-80}", "${input:x}-${userHome}"],
              env: { A: "Bearer canary ${TOKEN}" },
              envFile: "${workspaceFolder}/.env",
              oauth: { client_id: "me", client_secret: "canary" },
              lazy: true,
              secretOfSomebody: "canary"
            }
          }
        },
        "f.json",
        { directory: "/p" }
      )
      const fields = ConfigFile.fields(servers[0]!)
      assert.notInclude(JSON.stringify(fields), "canary")
      assert.deepStrictEqual(fields.map(({ from, path, value }) => [path, value, from.join(" ")]), [
        ["type", "stdio", "literal"],
        ["command", "run", "literal"],
        ["args[0]", "--token", "literal"],
        ["args[1]", "***", "literal"],
        ["args[2]", "${env:PORT:-80}", "env:PORT default"],
        ["args[3]", "${input:x}-${userHome}", "input:x literal userHome"],
        ["env.A", "***${TOKEN}", "literal env:TOKEN"],
        ["lazy", "true", "literal"],
        ["envFile", "${workspaceFolder}/.env", "workspaceFolder literal"],
        ["oauth.client_id", "me", "literal"],
        ["oauth.client_secret", "***", "literal"]
      ])
    }))
})

describe("ConfigFile.wellKnown", () => {
  const places = (platform: string, env: Readonly<Record<string, string>> = {}) => {
    const windows = platform === "win32"
    const machine = { platform, home: windows ? "C:\\Users\\me" : "/home/me", cwd: windows ? "C:\\p" : "/p", env }
    const found = ConfigFile.wellKnown(machine)
    assert.deepStrictEqual([...new Set(found.map(({ program }) => program))], [...ConfigFile.programNames])
    return (program: ConfigFile.ProgramName) =>
      found.filter((place) => place.program === program).map(({ path }) => path)
  }

  it("knows the places of each platform", () => {
    const linux = places("linux")
    assert.deepStrictEqual(linux("claude"), [
      "/home/me/.config/Claude/claude_desktop_config.json",
      "/home/me/.config/claude/claude_desktop_config.json"
    ])
    assert.deepStrictEqual(linux("claude-code"), ["/p/.mcp.json", "/home/me/.claude.json"])
    assert.deepStrictEqual(linux("vscode").slice(0, 2), ["/p/.vscode/mcp.json", "/home/me/.config/Code/User/mcp.json"])
    assert.deepStrictEqual(places("linux", { XDG_CONFIG_HOME: "/x" })("zed")[1], "/x/zed/settings.json")
    assert.deepStrictEqual(places("linux", { CODEX_HOME: "/c" })("codex")[1], "/c/config.toml")
    assert.deepStrictEqual(linux("goose"), ["/home/me/.config/goose/config.yaml"])
    assert.deepStrictEqual(linux("continue"), ["/home/me/.continue/config.yaml"])
    const mac = places("darwin")
    assert.deepStrictEqual(mac("claude"), ["/home/me/Library/Application Support/Claude/claude_desktop_config.json"])
    assert.deepStrictEqual(mac("zed")[1], "/home/me/.config/zed/settings.json")
    const windows = places("win32", { APPDATA: "D:\\Roaming" })
    assert.deepStrictEqual(windows("claude"), ["D:\\Roaming\\Claude\\claude_desktop_config.json"])
    assert.deepStrictEqual(windows("cursor"), ["C:\\p\\.cursor\\mcp.json", "C:\\Users\\me\\.cursor\\mcp.json"])
    assert.deepStrictEqual(windows("goose"), ["D:\\Roaming\\Block\\goose\\config\\config.yaml"])
    assert.deepStrictEqual(places("win32")("claude"), [
      "C:\\Users\\me\\AppData\\Roaming\\Claude\\claude_desktop_config.json"
    ])
  })

  it.effect("names files whose grammar is known", () =>
    Effect.gen(function*() {
      const grammars = { claude: "claude-desktop", "claude-code": "claude-code", vscode: "vscode", cursor: "cursor" }
      for (const { path, program } of ConfigFile.wellKnown({ platform: "linux", home: "/h", cwd: "/p", env: {} })) {
        const { servers } = yield* ConfigFile.fromValue({ mcpServers: { a: { command: "x" } } }, path)
        const expected = program in grammars ? grammars[program as keyof typeof grammars] : undefined
        if (expected !== undefined) assert.strictEqual(servers[0]?.origin.dialect, expected, path)
      }
    }))
})
