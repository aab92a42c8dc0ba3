import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { exitCodeTable } from "../../src/cli/internal/exitCodes.ts"
import { builtMain } from "./support/build.ts"
import { errorLine, smcp, temporaryFile } from "./support/smcp.ts"

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8")

describe("the command line of smcp", () => {
  it.live("tells the version of the package", () =>
    Effect.gen(function*() {
      const { version } = JSON.parse(read("package.json"))
      const ended = yield* smcp(["--version"])
      assert.include(ended.stdout, version)
      assert.deepStrictEqual([ended.exitCode, ended.stderr], [0, ""])
    }))

  it.live("explains the commands and the exit codes in its help", () =>
    Effect.gen(function*() {
      const { exitCode, stderr, stdout } = yield* smcp(["--help"])
      assert.deepStrictEqual([exitCode, stderr], [0, ""])
      for (const command of ["server", "computer", "agent", "conformance", "demo"]) {
        assert.match(stdout, new RegExp(`^ +${command} `, "m"))
      }
      for (const [code, meaning] of exitCodeTable) {
        assert.match(stdout, new RegExp(` ${code} +${meaning.slice(0, 20)}`))
      }
      assert.notInclude(stdout, "\u001b")
    }))

  it.live("names the environment variables and gives examples in the help of a command", () =>
    Effect.gen(function*() {
      const { exitCode, stdout } = yield* smcp(["agent", "call", "--help"])
      assert.strictEqual(exitCode, 0)
      for (const variable of ["SMCP_URL", "SMCP_OFFICE", "SMCP_NAME", "SMCP_API_KEY"]) assert.include(stdout, variable)
      assert.include(stdout, "EXAMPLES")
    }))

  const wrong: ReadonlyArray<readonly [what: string, args: ReadonlyArray<string>, said: RegExp]> = [
    ["an unknown command", ["serve"], /Unknown subcommand "serve".*Did you mean this\? server.*smcp --help/],
    ["an unknown flag", ["demo", "--fast"], /^smcp: There is no flag --fast\. See "smcp demo --help"$/],
    [
      "a misspelt flag with a value",
      ["computer", "--confgi", "mcp.json"],
      /^smcp: There is no flag --confgi; did you mean --config\? See "smcp computer --help"$/
    ],
    ["a missing flag", ["agent", "tools"], /--url \(or set SMCP_URL\).*smcp agent tools --help/],
    [
      "an address without http",
      ["agent", "tools", "--url", "localhost:80", "--office", "o"],
      /--url.*http:\/\/host:port/
    ],
    ["a port out of range", ["server", "--allow-anonymous", "--port", "70000"], /--port.*65535/],
    [
      "an unknown revision",
      ["agent", "tools", "--url", "http://x", "--office", "o", "--revision", "0.9"],
      /--revision.*"0\.4"/
    ],
    [
      "an unknown one of several revisions",
      ["server", "--allow-anonymous", "--revisions", "0.4, 0.9"],
      /--revisions.*0\.1, 0\.2, 0\.3, 0\.4, 0\.5.*"0\.4, 0\.9"/
    ],
    ["no revision", ["server", "--allow-anonymous", "--revisions", ""], /--revisions.*0\.1, 0\.2, 0\.3/]
  ]
  it.live.each(wrong)("%s is one line on stderr and exit code 2", ([, args, said]) =>
    Effect.gen(function*() {
      const ended = yield* smcp(args)
      assert.match(errorLine(ended), said)
      assert.strictEqual(ended.stderr.trimEnd().split("\n").length, 1)
      assert.deepStrictEqual([ended.exitCode, ended.stdout], [2, ""])
    }))

  it.live("a wrong environment variable is one line on stderr and exit code 2 as well", () =>
    Effect.gen(function*() {
      const ended = yield* smcp(["computer", "status"], { SMCP_APPROVE: "everything" })
      assert.match(ended.stderr, /^smcp: The environment variable for --approve.*SMCP_APPROVE.*--help"\n$/)
      assert.strictEqual(ended.exitCode, 2)
    }))

  it.live("ends without a word when nobody reads what it prints", () =>
    Effect.gen(function*() {
      const path = yield* temporaryFile("mcp.json", JSON.stringify({ mcpServers: { raw: { command: "x" } } }))
      const line = `"$0" "$1" config show --config "$2" | true; echo "\${PIPESTATUS[0]}"`
      const { stderr, stdout } = spawnSync("bash", ["-c", line, process.execPath, builtMain, path], {
        encoding: "utf8"
      })
      assert.deepStrictEqual([stderr, stdout], ["", "0\n"])
    }))

  it("README has the table of exit codes", () => {
    const readme = read("README.md")
    for (const [code, meaning] of exitCodeTable) assert.include(readme, `| ${code} | ${meaning} |`)
  })
})
