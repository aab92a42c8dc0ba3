import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { randomUUID } from "node:crypto"
import { readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { temporaryFolder } from "../support/temporaryFolder.ts"
import { builtMain } from "./support/build.ts"
import { promptIs, startConsole } from "./support/console.ts"
import { KEY, startServer } from "./support/office.ts"
import {
  configFile,
  listing,
  marked,
  mcpServerEntry,
  noneMarked,
  slowServerEntry,
  startSmcp,
  temporaryFile
} from "./support/smcp.ts"
import { startInPty, startSmcpInPty } from "./support/terminal.ts"

const raw = (mark: string) => ({ raw: mcpServerEntry(listing("echo", "never"), mark) })

describe("the console at a terminal", () => {
  it.live("shows its servers, completes, asks before a call, keeps lines, and leaves a sane terminal", () =>
    Effect.gen(function*() {
      const { mark, state, terminal } = yield* startConsole(raw)
      yield* terminal.shows(/1\/1 server · no office/)
      yield* terminal.type("server in")
      yield* terminal.shows(/smcp> server in$/)
      yield* terminal.press("tab")
      yield* terminal.shows(/smcp> server info/)
      yield* terminal.press("tab")
      yield* terminal.shows(/smcp> server info raw/)
      yield* terminal.press("ctrlC")
      yield* terminal.type("too")
      yield* terminal.shows(/smcp> too/)
      yield* terminal.press("tab")
      yield* terminal.shows(/smcp> tools/)
      yield* terminal.press("enter")
      yield* terminal.shows(/raw__echo +raw +Does echo/)
      yield* terminal.enter("call raw__echo text=\"two words\"")
      yield* terminal.shows(/console wants to call raw__echo[^]*two words[^]*Run it\?/)
      yield* terminal.enter("y")
      yield* terminal.shows(/\{"text":"two words"\}/)
      yield* terminal.enter("call raw__echo n=2")
      yield* terminal.shows(/Run it\?[^]*Run it\?/)
      yield* terminal.enter("no")
      yield* terminal.shows(/refused|not allowed|denied|declined/i)
      yield* terminal.press("up")
      yield* terminal.shows(/smcp> call raw__echo n=2$/)
      yield* terminal.press("ctrlC")
      yield* terminal.screenIs("an empty line", (rows) => /^smcp> *$/.test(rows.findLast((row) => row !== "") ?? ""))
      yield* terminal.press("ctrlC")
      yield* terminal.shows(/"quit" or Ctrl-D ends it/)
      assert.lengthOf(marked(mark), 1)
      yield* terminal.enter("quit")
      assert.deepStrictEqual((yield* terminal.ended).exitCode, 0)
      yield* noneMarked(mark)
      const file = join(state, "console-history")
      assert.strictEqual(statSync(file).mode & 0o777, 0o600)
      assert.deepStrictEqual(readFileSync(file, "utf8").trim().split("\n"), [
        "tools",
        "call raw__echo text=\"two words\"",
        "call raw__echo n=2",
        "quit"
      ])
      // no status is left behind, and what follows begins on a line of its own
      assert.notMatch((yield* terminal.text).split("\n").slice(-2).join("\n"), /no office/)
    }))

  it.live("hides passwords, keeps them out of the history, and brings the line back that was being typed", () =>
    Effect.gen(function*() {
      const { state, terminal } = yield* startConsole(raw)
      yield* terminal.shows(/1\/1 server/)
      yield* terminal.enter("inputs add {\"id\": \"pw\", \"type\": \"promptString\", \"password\": true}")
      yield* terminal.shows(/Defined pw/)
      yield* terminal.enter("inputs value set pw")
      yield* terminal.shows(/^pw:/m)
      yield* terminal.type("hunter2")
      yield* terminal.resize(70, 20)
      yield* terminal.type("-secret\r")
      yield* terminal.shows(/pw has a value/)
      yield* terminal.enter("inputs value get pw")
      yield* terminal.shows(/••••/)
      yield* terminal.enter("inputs value set pw typed-in-the-open")
      yield* terminal.shows(/pw has a value[^]*pw has a value/)
      yield* terminal.press("up")
      yield* terminal.shows(/smcp> inputs value get pw$/)
      yield* terminal.press("ctrlC")
      yield* terminal.press("ctrlD")
      assert.strictEqual((yield* terminal.ended).exitCode, 0)
      assert.notInclude(yield* terminal.written, "hunter2")
      const history = readFileSync(join(state, "console-history"), "utf8")
      assert.notMatch(history, /hunter2|typed-in-the-open/)
    }))

  it.live("asks nothing in the middle of a line that is being typed", () =>
    Effect.gen(function*() {
      const { mark, terminal } = yield* startConsole(raw)
      yield* terminal.shows(/1\/1 server/)
      const began = performance.now()
      yield* terminal.type("call raw__echo\rhist")
      yield* terminal.type("ory")
      yield* terminal.shows(/Run it\?/)
      assert.isAtLeast(performance.now() - began, 1000)
      yield* terminal.enter("maybe")
      yield* terminal.shows(/Please answer[^]*Run it\?/)
      yield* terminal.enter("y")
      yield* terminal.screenIs("the line that was typed", promptIs("history"))
      yield* terminal.press("enter")
      yield* terminal.shows(/console +raw +echo +ok/)
      yield* terminal.enter("quit")
      assert.strictEqual((yield* terminal.ended).exitCode, 0)
      yield* noneMarked(mark)
    }))

  it.live("asks for inputs when a server starts, and takes a question back that nobody needs answered", () =>
    Effect.gen(function*() {
      const mark = randomUUID()
      const state = yield* temporaryFolder
      const entry = mcpServerEntry(listing("echo"), mark)
      const config = yield* temporaryFile(
        "mcp.json",
        JSON.stringify({
          mcpServers: { raw: { ...entry, env: { ...entry.env, KEY: "${input:key}", ZONE: "${input:zone}" } } },
          inputs: [
            { id: "key", type: "promptString", password: true, description: "The key" },
            { id: "zone", type: "pickString", options: ["eu", "us"], description: "The zone" }
          ]
        })
      )
      const terminal = yield* startSmcpInPty(["computer", "--config", config, "--state-dir", state])
      yield* terminal.shows(/The key \(for raw\)[^]*^key:/m)
      yield* terminal.enter("hunter2-secret")
      yield* terminal.shows(/1 +eu[^]*^zone:/m)
      yield* terminal.enter("1")
      yield* terminal.shows(/1\/1 server/)
      yield* terminal.enter("tc {\"tool_name\": \"raw__echo\", \"params\": {}, \"timeout\": 1}")
      yield* terminal.shows(/Run it\?/)
      yield* terminal.type("y")
      yield* terminal.shows(/no longer asked[^]*timed out/)
      yield* terminal.screenIs("an empty line", (rows) => /^smcp> *$/.test(rows.findLast((row) => row !== "") ?? ""))
      yield* terminal.enter("quit")
      assert.strictEqual((yield* terminal.ended).exitCode, 0)
      assert.notInclude(yield* terminal.written, "hunter2")
      yield* noneMarked(mark)
    }))

  it.live("shows how far a call is, and stops it on Ctrl-C without losing what is typed", () =>
    Effect.gen(function*() {
      const { terminal } = yield* startConsole(() => ({ slow: slowServerEntry }), ["--approve", "all"])
      yield* terminal.shows(/1\/1 server/)
      yield* terminal.enter("call slow__slow")
      yield* terminal.shows(/slow__slow for console, .* s +\d/)
      yield* terminal.shows(/1 call · . call slow__slow .*Ctrl-C cancels/)
      yield* terminal.type("histo")
      yield* terminal.shows(/smcp> histo$/)
      yield* terminal.press("ctrlC")
      yield* terminal.shows(/Cancelled/)
      yield* terminal.type("ry\r")
      yield* terminal.shows(/console +slow +slow +cancelled/)
      yield* terminal.enter("call slow__cancelled")
      yield* terminal.shows(/^1$/m)
      yield* terminal.kill("SIGTERM")
      assert.strictEqual((yield* terminal.ended).exitCode, 0)
    }))

  it.live("ends, starts and replaces servers, also those that a config file names later", () =>
    Effect.gen(function*() {
      const mark = randomUUID()
      const state = yield* temporaryFolder
      const config = yield* configFile(raw(mark))
      const terminal = yield* startSmcpInPty(["computer", "--config", config, "--state-dir", state, "--watch"])
      yield* terminal.shows(/1\/1 server/)
      yield* terminal.enter("stop raw")
      yield* terminal.shows(/raw stopped: stopped/)
      yield* noneMarked(mark)
      yield* terminal.enter("restart all")
      yield* terminal.shows(/raw restarted: ready, 2 tools/)
      const [pid = 0] = marked(mark)
      process.kill(pid, "SIGKILL")
      yield* terminal.shows(/WARN .*"raw"/)
      yield* terminal.shows(/"raw" is ready[^]*"raw" is ready[^]*"raw" is ready/)
      const servers = { ...raw(mark), more: mcpServerEntry(listing("other"), mark) }
      writeFileSync(config, JSON.stringify({ mcpServers: servers }))
      yield* terminal.shows(/2\/2 servers/)
      yield* terminal.enter("tools")
      yield* terminal.shows(/more__other +more/)
      yield* terminal.press("ctrlD")
      assert.strictEqual((yield* terminal.ended).exitCode, 0)
      yield* noneMarked(mark)
    }))

  it.live("joins, tells of a lost connection, and comes back by itself", () =>
    Effect.gen(function*() {
      const { server, url } = yield* startServer
      const { terminal } = yield* startConsole(raw, ["--url", url, "--office", "o", "--name", "pc"], {
        env: { SMCP_API_KEY: KEY }
      })
      yield* terminal.shows(/o as pc/)
      yield* server.kill("SIGKILL")
      yield* terminal.shows(/connection to the Server is lost/)
      yield* terminal.screenIs("a status that says so", (rows) => rows.some((row) => /o as pc \(.*\)/.test(row)))
      yield* startSmcp(["server", "--port", new URL(url).port, "--api-key", KEY])
      yield* terminal.shows(/back in office o/)
      yield* terminal.enter("socket leave")
      yield* terminal.shows(/Left the office/)
      yield* terminal.enter("quit")
      assert.strictEqual((yield* terminal.ended).exitCode, 0)
    }))

  it.live("gives the terminal back as it was, without colours when they are not wanted", () =>
    Effect.gen(function*() {
      const config = yield* configFile({})
      const state = yield* temporaryFolder
      const script = "stty -a | tr ';' '\\n' > before; \"$@\"; echo \"code $?\"; " +
        "stty -a | tr ';' '\\n' > after; cmp before after && echo same"
      const terminal = yield* startInPty(
        ["sh", "-c", script, "sh", process.execPath, builtMain, "computer", "--config", config, "--state-dir", state],
        { cwd: state, env: { NO_COLOR: "1" } }
      )
      yield* terminal.shows(/no servers · no office/)
      yield* terminal.enter("server list")
      yield* terminal.shows(/No MCP servers/)
      yield* terminal.press("ctrlD")
      yield* terminal.shows(/code 0[^]*same/)
      // oxlint-disable-next-line no-control-regex -- colours are what this is about
      assert.notMatch(yield* terminal.written, /\u001b\[[0-9;]*m/)
    }))
})
