import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { programNames } from "../../src/computer/ConfigFile.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"
import { errorLine, smcp } from "./support/smcp.ts"

const CANARY = "canary-5ecret"

const write = (path: string, content: unknown): string => {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content))
  return path
}

/** Two files, of which the second one counts more, with a secret in every place where people write them. */
const twoFiles = Effect.map(temporaryFolder, (folder) => ({
  folder,
  first: write(join(folder, "first.json"), {
    mcpServers: {
      fs: {
        command: "npx",
        args: ["--api-key", CANARY, "--dir=${FILES_DIR}"],
        env: { A: CANARY, B: "${input:token}" }
      },
      old: { command: "old" }
    },
    inputs: [{ id: "token", type: "promptString", password: true }]
  }),
  second: write(join(folder, ".vscode", "mcp.json"), {
    servers: {
      old: { command: "new", args: ["${workspaceFolder}"], disabled: true },
      web: {
        type: "http",
        url: `https://u:${CANARY}@h/mcp?api_key=${CANARY}`,
        headers: { Authorization: `Bearer ${CANARY}` },
        rate_limit: "5/s"
      }
    }
  })
}))

const linesOf = (stdout: string): ReadonlyArray<Record<string, unknown>> =>
  stdout.trimEnd().split("\n").filter((line) => line !== "").map((line) => JSON.parse(line))

describe("smcp config show", () => {
  it.live("tells what the files come to and what each value is made of, without secrets", () =>
    Effect.gen(function*() {
      const { first, second } = yield* twoFiles
      const args = ["config", "show", "--config", first, "--config", second, "--resolved"]
      const { exitCode, stderr, stdout } = yield* smcp(args, { COLUMNS: "200", FILES_DIR: `/x/${CANARY}` })
      assert.strictEqual(exitCode, 0)
      assert.notInclude(stdout + stderr, CANARY)
      assert.match(stderr, /"old" of .*\.vscode\/mcp\.json replaces "old" of .*first\.json/)
      const rows = stdout.trimEnd().split("\n").map((row) => row.replace(/ {2,}/g, " | "))
      assert.deepStrictEqual(rows[0], "SERVER | KEY | FROM | RESOLVED | VALUE")
      for (
        const row of [
          "fs | args[1] | literal | ***",
          "fs | args[2] | literal env:FILES_DIR | environment | --dir=${FILES_DIR}",
          "fs | env.B | input:token | missing | ${input:token}",
          "old | command | literal | new",
          "old | args[0] | workspaceFolder | constant | ${workspaceFolder}",
          "web | type | literal | streamable or sse",
          "web | url | literal | https://***@h/mcp?api_key=***",
          "web | rate_limit.calls | literal | 5"
        ]
      ) assert.include(rows, row)
      const json = yield* smcp([...args, "--json"])
      assert.notInclude(json.stdout, CANARY)
      assert.deepStrictEqual(
        linesOf(json.stdout).map(({ dialect, disabled, server, source }) => [server, dialect, disabled, source]),
        [["fs", "a2c", false, first], ["old", "vscode", true, second], ["web", "vscode", false, second]]
      )
      const environment = yield* smcp(["config", "show", "--json"], { SMCP_CONFIG: first })
      assert.deepStrictEqual(linesOf(environment.stdout).map(({ server }) => server), ["fs", "old"])
    }))
})

describe("smcp config validate", () => {
  it.live("says everything that is wrong with every file", () =>
    Effect.gen(function*() {
      const { first, folder } = yield* twoFiles
      const fine = yield* smcp(["config", "validate", "--config", first])
      assert.deepStrictEqual([fine.exitCode, fine.stdout], [0, ""])
      assert.match(fine.stderr, /No error: 2 servers, 1 input/)
      const bad = write(join(folder, "bad.json"), {
        mcpServers: { a: { command: 3 }, b: { command: "x", lazy: CANARY, comand: 1 } },
        inputs: [{ id: "i", type: "pickString", options: [] }]
      })
      const broken = write(join(folder, "broken.json"), "{")
      const missing = join(folder, "missing.json")
      const args = ["config", "validate", ...[bad, broken, missing].flatMap((path) => ["--config", path])]
      const told = yield* smcp(args)
      assert.strictEqual(told.exitCode, 2)
      assert.strictEqual(errorLine(told), "smcp: 5 errors in 3 config files")
      const json = yield* smcp([...args, "--json"])
      assert.strictEqual(json.exitCode, 2)
      assert.deepStrictEqual(linesOf(json.stdout).map(({ server, severity, source }) => [source, server, severity]), [
        [broken, null, "error"],
        [missing, null, "error"],
        [bad, "a", "error"],
        [bad, "b", "error"],
        [bad, null, "warning"],
        [bad, null, "error"]
      ])
      assert.strictEqual(told.stdout.trimEnd().split("\n").length, 6)
      assert.notInclude(told.stdout + json.stdout, CANARY)
    }))
})

describe("smcp config save", () => {
  it.live("writes what comes to the same, with its placeholders, and no file that exists", () =>
    Effect.gen(function*() {
      const { first, folder, second } = yield* twoFiles
      const output = join(folder, "out", "all.json")
      const sources = ["--config", first, "--config", second]
      const saved = yield* smcp(["config", "save", ...sources, "--output", output])
      assert.deepStrictEqual([saved.exitCode, saved.stdout], [0, ""])
      assert.match(saved.stderr, /Wrote 3 servers and 1 input to /)
      assert.strictEqual(statSync(output).mode & 0o777, 0o600)
      assert.deepStrictEqual(readdirSync(dirname(output)), ["all.json"])
      const text = readFileSync(output, "utf8")
      assert.include(text, "${input:token}")
      assert.include(text, "--dir=${FILES_DIR}")
      // the folder of the project is another one there
      assert.include(text, JSON.stringify(folder))
      const state = Effect.fnUntraced(function*(...args: ReadonlyArray<string>) {
        const { stdout } = yield* smcp(["config", "show", "--json", ...args])
        return linesOf(stdout).map(({ disabled, name, server, values }) => ({ disabled, name, server, values }))
      })
      const [before, after] = [yield* state(...sources), yield* state("--config", output)]
      const folderless = (servers: typeof before) =>
        JSON.parse(
          JSON.stringify(servers).replaceAll(folder, "${workspaceFolder}").replaceAll(
            "[\"workspaceFolder\"]",
            "[\"literal\"]"
          )
        )
      assert.deepStrictEqual(folderless(after), folderless(before))

      const again = yield* smcp(["config", "save", ...sources, "--output", output])
      assert.strictEqual(again.exitCode, 2)
      assert.match(errorLine(again), /exists; --force replaces it/)
      const own = yield* smcp(["config", "save", "--config", output, "--output", output])
      assert.match(errorLine(own), /is one of the files that are read; --force replaces it/)
      assert.strictEqual(readFileSync(output, "utf8"), text)
      const forced = yield* smcp(["config", "save", "--config", output, "--output", output, "--force"])
      assert.deepStrictEqual([forced.exitCode, readFileSync(output, "utf8")], [0, text])
    }))
})

describe("smcp config import", () => {
  const home = Effect.map(temporaryFolder, (folder) => {
    write(join(folder, ".claude.json"), {
      numStartups: 7,
      mcpServers: { both: { command: "user" }, mine: { command: "x", args: ["${HOME}"], env: { T: "${T:-d}" } } },
      projects: {
        [process.cwd()]: { mcpServers: { both: { command: "project" } } },
        "/other": { mcpServers: { no: {} } }
      }
    })
    write(join(folder, ".config", "Claude", "claude_desktop_config.json"), {
      mcpServers: { fs: { command: "npx", args: ["${LITERAL}"], alwaysAllow: ["rm"] } }
    })
    write(join(folder, ".codex", "config.toml"), "[mcp_servers.c]\ncommand = \"c\"\n")
    write(
      join(folder, ".config", "goose", "config.yaml"),
      "extensions:\n  developer: { type: builtin, name: developer }\n  g: { type: stdio, cmd: g, env_keys: [KEY], enabled: true }\n"
    )
    write(join(folder, ".config", "opencode", "opencode.jsonc"), {
      mcp: { o: { type: "local", command: ["o", "{env:KEY}"] } }
    })
    write(join(folder, ".cursor", "mcp.json"), "{ broken")
    return { folder, env: { HOME: folder, XDG_CONFIG_HOME: join(folder, ".config") } }
  })

  it.live("lists what was found where", () =>
    Effect.gen(function*() {
      const { env, folder } = yield* home
      const { exitCode, stdout } = yield* smcp(["config", "import", "--json"], env)
      assert.strictEqual(exitCode, 0)
      assert.deepStrictEqual(
        linesOf(stdout).map((
          { path, program, scope, servers }
        ) => [program, scope, servers, String(path).replace(folder, "~")]),
        [
          ["claude", "user", 1, "~/.config/Claude/claude_desktop_config.json"],
          ["claude-code", "user", 2, "~/.claude.json"],
          ["cursor", "user", null, "~/.cursor/mcp.json"],
          ["opencode", "user", 1, "~/.config/opencode/opencode.jsonc"],
          ["codex", "user", 1, "~/.codex/config.toml"],
          ["goose", "user", 1, "~/.config/goose/config.yaml"]
        ]
      )
      const help = yield* smcp(["config", "import", "--help"])
      for (const name of programNames) assert.include(help.stdout.replace(/\s+/g, " "), name)
      const table = yield* smcp(["config", "import"], env)
      assert.match(table.stdout, /^PROGRAM +SERVERS +SCOPE +FILE\nclaude +1 +user +/)
    }))

  it.live("takes over the servers of a program in our own words", () =>
    Effect.gen(function*() {
      const { env, folder } = yield* home
      const imported = Effect.fnUntraced(function*(...args: ReadonlyArray<string>) {
        const { exitCode, stderr, stdout } = yield* smcp(["config", "import", ...args], env)
        assert.strictEqual(exitCode, 0, stderr)
        return { stderr, servers: JSON.parse(stdout).servers as Record<string, unknown> }
      })
      const claude = yield* imported("claude")
      assert.deepStrictEqual(claude.servers, {
        fs: { type: "stdio", server_parameters: { command: "npx", args: ["$${LITERAL}"] } }
      })
      assert.match(claude.stderr, /alwaysAllow is not trusted/)
      assert.deepStrictEqual((yield* imported("claude-code")).servers, {
        both: { type: "stdio", server_parameters: { command: "project" } },
        mine: { type: "stdio", server_parameters: { command: "x", args: ["${HOME}"], env: { T: "${T:-d}" } } }
      })
      assert.deepStrictEqual((yield* imported("opencode")).servers, {
        o: { type: "stdio", server_parameters: { command: "o", args: ["${env:KEY}"] } }
      })
      const goose = yield* imported("goose")
      assert.deepStrictEqual(goose.servers, {
        g: { type: "stdio", server_parameters: { command: "g", env: { KEY: "${env:KEY}" } } }
      })
      assert.match(goose.stderr, /only Goose itself can run them: "developer"/)
      const from = write(join(folder, "elsewhere.json"), {
        context_servers: { z: { command: { path: "z", args: [] } } }
      })
      const output = join(folder, "own.json")
      const written = yield* smcp(["config", "import", "zed", "--from", from, "--output", output], env)
      assert.deepStrictEqual([written.exitCode, written.stdout], [0, ""])
      assert.deepStrictEqual(JSON.parse(readFileSync(output, "utf8")), {
        servers: { z: { type: "stdio", server_parameters: { command: "z" } } }
      })
      const again = yield* smcp(["config", "import", "zed", "--from", from, "--output", output], env)
      assert.match(errorLine(again), /exists; --force replaces it/)
    }))

  it.live("says what it does not know, find or understand", () =>
    Effect.gen(function*() {
      const { env } = yield* home
      const unknown = yield* smcp(["config", "import", "emacs"], env)
      assert.match(errorLine(unknown), /no "emacs" to import from; use one of claude, /)
      const nothing = yield* smcp(["config", "import", "windsurf"], env)
      assert.match(errorLine(nothing), /No config file of windsurf was found .*mcp_config\.json.*--from/)
      const broken = yield* smcp(["config", "import", "cursor"], env)
      assert.match(errorLine(broken), /\.cursor\/mcp\.json is not valid JSON/)
      assert.deepStrictEqual([unknown, nothing, broken].map(({ exitCode }) => exitCode), [2, 2, 2])
      const none = yield* smcp(["config", "show"])
      assert.deepStrictEqual([none.exitCode, errorLine(none)], [
        2,
        "smcp: Missing required flag: --config (or set SMCP_CONFIG)"
      ])
    }))
})
