import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { randomUUID } from "node:crypto"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { temporaryFolder } from "../support/temporaryFolder.ts"
import { startServer } from "./support/office.ts"
import {
  configFile,
  errorLine,
  listing,
  marked,
  mcpServerEntry,
  noneMarked,
  smcp,
  startSmcp,
  temporaryFile
} from "./support/smcp.ts"

/** Runs a script on standard input to its end. */
const piped = (lines: ReadonlyArray<string>, args: ReadonlyArray<string>, env?: Readonly<Record<string, string>>) =>
  Effect.scoped(Effect.gen(function*() {
    const computer = yield* startSmcp(["computer", ...args], env)
    computer.stdin.end(lines.join("\n"))
    return yield* computer.ended
  }))

/** An answer is an object or a list of them; a test says which it expects. */
type Answer = Readonly<Record<string, unknown>> & ReadonlyArray<Readonly<Record<string, unknown>>>

const valuesOf = (stdout: string) => stdout.trim().split("\n").map((line) => JSON.parse(line) as Answer)

describe("a command line that cannot be meant", () => {
  const wrong: ReadonlyArray<readonly [what: string, args: ReadonlyArray<string>, said: RegExp]> = [
    ["a script that is not there", ["--script", "no-such-script"], /There is no file no-such-script/],
    ["an argument of a wrong kind", ["logs", "raw", "many"], /\[n\] is a number, not "many"/]
  ]
  it.live.each(wrong)("is refused before any server is started: %s", ([, args, said]) =>
    Effect.gen(function*() {
      const trace = yield* temporaryFile("trace", "")
      const config = yield* configFile({
        raw: { command: process.execPath, args: ["-e", `require("fs").writeFileSync(${JSON.stringify(trace)}, "x")`] }
      })
      const ended = yield* smcp(["computer", ...args, "--config", config])
      assert.match(errorLine(ended), said)
      assert.deepStrictEqual([ended.exitCode, ended.stderr.trimEnd().split("\n").length], [2, 1])
      assert.strictEqual(readFileSync(trace, "utf8"), "")
    }))
})

describe("a script on standard input", () => {
  it.live("adds, calls, restarts with the new configuration, removes, and leaves no MCP server", () =>
    Effect.gen(function*() {
      const [first, second] = [randomUUID(), randomUUID()]
      const entry = (mark: string) =>
        JSON.stringify({ name: "raw", ...mcpServerEntry(listing("echo", "result"), mark) })
      const state = yield* temporaryFolder
      const ended = yield* piped(
        [
          "# a script",
          "",
          `server add ${entry(first)}`,
          "tools",
          "tc {\"tool_name\": \"raw__echo\", \"params\": {\"text\": \"two words\"}}",
          "call raw__echo text=\"two words\" n=3",
          `server add ${entry(second)}`,
          "server restart raw",
          "status",
          "history",
          "server rm raw",
          "tools"
        ],
        ["--json", "--approve", "all", "--state-dir", state]
      )
      assert.deepStrictEqual([ended.exitCode, marked(first), marked(second)], [0, [], []])
      const [added, tools, , called, , restarted, status, history, , none] = valuesOf(ended.stdout)
      assert.deepInclude(added?.[0], {
        server: "raw",
        done: "added",
        state: "ready",
        tools: 2
      })
      assert.deepStrictEqual(tools?.map(({ name }) => name), [
        "raw__echo",
        "raw__result"
      ])
      assert.include(JSON.stringify(called), "two words")
      assert.deepInclude(restarted?.[0], { done: "restarted", state: "ready" })
      assert.deepInclude(status, { connection: "none", office: null, ready: 1, tools: 2, calls: 0 })
      assert.deepInclude(history?.[0], {
        server: "raw",
        tool: "echo",
        agent: "console",
        outcome: "ok"
      })
      assert.strictEqual(none?.length, 0)
    }))

  it.live("ends at the first command that fails, or with --keep-going goes on, and exits as that one did", () =>
    Effect.gen(function*() {
      const lines = ["tc {\"tool_name\": \"nothing\", \"params\": {}}", "no such command", "status"]
      const stopped = yield* piped(lines, [])
      assert.deepStrictEqual([stopped.exitCode, stopped.stdout], [3, "Tool 'nothing' not found in any active server\n"])
      const went = yield* piped([...lines, "quit", "tools"], ["--keep-going"])
      assert.strictEqual(went.exitCode, 3)
      assert.match(went.stderr, /smcp: line 2: There is no command "no"/)
      assert.match(went.stdout, /^connection +none$/m)
      assert.notMatch(went.stdout, /No tools/)
    }))

  it.live("takes and gives up a seat, while its servers run on", () =>
    Effect.gen(function*() {
      const { env, url } = yield* startServer
      const mark = randomUUID()
      const config = yield* configFile({ raw: mcpServerEntry(listing("echo"), mark) })
      const { SMCP_API_KEY } = env
      const ended = yield* piped(
        [
          "notify update",
          `socket connect ${url}`,
          "socket join \"my office\" \"my computer\"",
          "status",
          "notify update",
          "socket leave",
          "socket join other again",
          "status",
          "socket disconnect",
          "status",
          "server list"
        ],
        ["--json", "--keep-going", "--config", config, "--state-dir", yield* temporaryFolder],
        { SMCP_API_KEY }
      )
      const [refused, , joined, first, notified, left, , second, , third, servers] = valuesOf(ended.stdout)
      assert.match(JSON.stringify(refused), /sits in no office/)
      assert.deepInclude(joined, { office: "my office", name: "my computer" })
      assert.deepInclude(first, {
        url,
        connection: "connected",
        office: "my office",
        name: "my computer",
        seat: "joined"
      })
      assert.deepStrictEqual([notified, left], [{ notified: true }, { left: true }])
      assert.deepInclude(second, { office: "other", name: "again", seat: "joined" })
      assert.deepInclude(third, { url: null, connection: "none", office: null, seat: "none", ready: 1 })
      assert.deepInclude(servers?.[0], { server: "raw", state: "ready" })
      assert.strictEqual(ended.exitCode, 6)
      yield* noneMarked(mark)
    }))

  it.live("is not read from a pipe that only tells how long to run", () =>
    Effect.gen(function*() {
      const ended = yield* piped(["status"], ["--exit-with-stdin"])
      assert.match(errorLine(ended), /Missing required flags: --url \(or set SMCP_URL\), --office .*, --name/)
      assert.deepStrictEqual([ended.exitCode, ended.stdout], [2, ""])
    }))

  it.live("may be a file, and saves what it configured, placeholders as they are", () =>
    Effect.gen(function*() {
      const folder = yield* temporaryFolder
      const saved = join(folder, "saved.json")
      const entry = { name: "later", command: "some-server", disabled: true, env: { TOKEN: "${input:token}" } }
      const script = yield* temporaryFile(
        "script.smcp",
        [
          "inputs add {\"id\": \"token\", \"type\": \"promptString\", \"password\": true}",
          "inputs value set token hunter2-secret",
          `server add ${JSON.stringify(entry)}`,
          `config save ${saved}`,
          "mcp"
        ].join("\n")
      )
      const ended = yield* smcp(["computer", "--script", script, "--state-dir", folder])
      assert.deepStrictEqual(ended.exitCode, 0)
      assert.include(readFileSync(saved, "utf8"), "${input:token}")
      assert.notInclude(ended.stdout + ended.stderr + readFileSync(saved, "utf8"), "hunter2")
    }))
})

describe("a change that a running server cannot take", () => {
  it.live("is said, and is a failure, though the server goes on", () =>
    Effect.gen(function*() {
      const mark = randomUUID()
      const config = yield* configFile({ raw: mcpServerEntry(listing("echo"), mark) })
      const changed = { raw: { ...mcpServerEntry(listing("echo"), mark), env: { KEY: "${input:nobody}" } } }
      const script = yield* temporaryFile("script", `server add ${JSON.stringify(changed)}\nserver restart raw`)
      const state = yield* temporaryFolder
      const args = ["--config", config, "--script", script, "--keep-going", "--state-dir", state]
      const { exitCode, stdout } = yield* smcp(["computer", ...args])
      const lines = stdout.trimEnd().split("\n")
      for (const line of lines) assert.match(line, /ready, 1 tool, with its earlier configuration: .*input:nobody/)
      assert.deepStrictEqual([exitCode, lines.length], [1, 2])
      yield* noneMarked(mark)
    }))
})

describe("the console's config save", () => {
  it.live("leaves a file that exists alone, the one that is read above all, unless it is told to replace it", () =>
    Effect.gen(function*() {
      const state = yield* temporaryFolder
      const config = yield* temporaryFile("mcp.json", "{ /* mine */ \"mcpServers\": {} }")
      const save = (...words: ReadonlyArray<string>) =>
        smcp(["computer", "config", "save", config, ...words, "--config", config, "--state-dir", state])
      const refused = yield* save()
      assert.match(errorLine(refused), /mcp\.json exists; --force replaces it/)
      assert.strictEqual(refused.exitCode, 2)
      assert.include(readFileSync(config, "utf8"), "mine")
      assert.strictEqual((yield* save("--force")).exitCode, 0)
      assert.notInclude(readFileSync(config, "utf8"), "mine")
    }))
})

describe("a command of the console on the command line", () => {
  it.live("starts the servers, runs, and ends them", () =>
    Effect.gen(function*() {
      const mark = randomUUID()
      const state = yield* temporaryFolder
      const config = yield* configFile({
        raw: mcpServerEntry(listing("echo"), mark),
        bad: { command: "no-such-server" }
      })
      const run = (...args: ReadonlyArray<string>) =>
        smcp(["computer", ...args, "--config", config, "--state-dir", state])
      const list = yield* run("server", "list", "--json")
      assert.deepStrictEqual(
        (JSON.parse(list.stdout) as ReadonlyArray<{ server: string; state: string }>).map((
          { server, state }
        ) => [server, state]),
        [["raw", "ready"], ["bad", "failed"]]
      )
      const call = yield* run("call", "raw__echo", "text=hello", "--approve", "all")
      assert.deepStrictEqual([call.exitCode, call.stdout], [0, "{\"text\":\"hello\"}\n"])
      const refused = yield* run("call", "raw__echo", "text=hello")
      assert.strictEqual(refused.exitCode, 3)
      assert.match(refused.stdout, /--approve/)
      const unknown = yield* run("server", "info", "nothing")
      assert.deepStrictEqual([unknown.exitCode, unknown.stdout], [2, ""])
      assert.match(errorLine(unknown), /no MCP server "nothing"; there are raw, bad/)
      yield* noneMarked(mark)
    }))
})
