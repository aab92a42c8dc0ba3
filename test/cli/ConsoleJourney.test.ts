import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { childrenOf, eventually, guardsOf, isAlive } from "../computer/support/processes.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"
import { builtMain } from "./support/build.ts"
import { promptIs, startConsole } from "./support/console.ts"
import { KEY, startServer } from "./support/office.ts"
import { configFile, listing, marked, mcpServerEntry, noneMarked, slowServerEntry, startSmcp } from "./support/smcp.ts"
import { startInPty } from "./support/terminal.ts"

const raw = (mark: string) => mcpServerEntry(listing("echo", "never", "pids"), mark)

describe("a session at the console", () => {
  it.live("adds a server, calls it with consent once, always and not, and sees it killed and come back", () =>
    Effect.gen(function*() {
      const { mark, terminal } = yield* startConsole(() => ({}))
      yield* terminal.shows(/no servers · no office/)
      // longer than a row, so that the line that is typed wraps
      yield* terminal.enter(`server add ${JSON.stringify({ raw: raw(mark) })}`)
      yield* terminal.shows(/raw added: ready, 3 tools/)
      yield* terminal.screenIs("a status with the server", (rows) => rows.some((row) => /1\/1 server/.test(row)))
      yield* terminal.enter("tools")
      yield* terminal.shows(/raw__never +raw/)

      yield* terminal.enter("call raw__echo n=1")
      yield* terminal.shows(/console wants to call raw__echo[^]*"n": 1[^]*Run it\?/)
      yield* terminal.enter("y")
      yield* terminal.shows(/^\{"n":1\}$/m)
      yield* terminal.enter("call raw__echo n=2")
      yield* terminal.shows(/"n": 2[^]*Run it\?/)
      yield* terminal.enter("n")
      yield* terminal.screenIs("the prompt", promptIs(""))
      assert.notMatch(yield* terminal.text, /^\{"n":2\}$/m)
      yield* terminal.enter("call raw__echo n=3")
      yield* terminal.shows(/"n": 3[^]*Run it\?/)
      yield* terminal.enter("always")
      yield* terminal.shows(/^\{"n":3\}$/m)
      yield* terminal.enter("call raw__echo n=4")
      yield* terminal.shows(/^\{"n":4\}$/m)
      assert.notMatch(yield* terminal.text, /"n": 4/)
      yield* terminal.enter("approvals")
      yield* terminal.shows(/echo[^]*raw|raw[^]*echo/)

      const [pid = 0] = marked(mark)
      process.kill(pid, "SIGKILL")
      yield* terminal.shows(/"raw" is ready[^]*WARN [^\n]*"raw"[^]*"raw" is ready/)
      yield* terminal.screenIs(
        "a status that is well again",
        (rows) => rows.some((row) => row.startsWith("1/1 server ·"))
      )
      yield* terminal.enter("status")
      yield* terminal.shows(/servers +1 of 1 ready/)
      const [next = 0] = marked(mark)
      assert.notStrictEqual(next, pid)
      yield* terminal.enter("call raw__echo n=5")
      yield* terminal.shows(/^\{"n":5\}$/m)

      yield* terminal.enter("server rm raw")
      yield* terminal.shows(/raw is gone/)
      yield* noneMarked(mark)
      yield* terminal.enter("quit")
      assert.strictEqual((yield* terminal.ended).exitCode, 0)
    }))

  it.live("asks the person when an Agent calls, and tells the Agent what the answer was", () =>
    Effect.gen(function*() {
      const { env, url } = yield* startServer
      const { mark, terminal } = yield* startConsole((mark) => ({ raw: raw(mark) }), ["--url", url], {
        env: { SMCP_API_KEY: KEY }
      })
      const call = (tool: string, params: string) =>
        startSmcp(["agent", "call", "--computer", "pc", "--tool", tool, "--params", params, "--json"], {
          ...env,
          SMCP_NAME: "robot"
        })
      yield* terminal.shows(/1\/1 server/)
      yield* terminal.enter("socket join office pc")
      yield* terminal.shows(/Joined office office as pc/)
      yield* terminal.screenIs("a status with the seat", (rows) => rows.some((row) => /office as pc/.test(row)))

      // what is being typed is not taken for an answer, and comes back
      yield* terminal.type("history")
      const allowed = yield* call("raw__echo", "{\"n\":1}")
      yield* terminal.shows(/robot wants to call raw__echo[^]*"n": 1[^]*Run it\?/)
      yield* terminal.enter("y")
      const answered = yield* allowed.ended
      assert.strictEqual(answered.exitCode, 0, answered.stderr)
      assert.include(answered.stdout, "{\\\"n\\\":1}")
      yield* terminal.screenIs("the line that was typed", promptIs("history"))
      yield* terminal.press("enter")
      yield* terminal.shows(/robot +raw +echo +ok/)

      const refused = yield* call("raw__echo", "{\"n\":2}")
      yield* terminal.shows(/"n": 2[^]*Run it\?/)
      yield* terminal.enter("n")
      const { exitCode, stdout } = yield* refused.ended
      assert.strictEqual(exitCode, 3)
      assert.match(stdout, /"error_code":4005/)

      const given = yield* call("raw__echo", "{\"n\":3}")
      yield* terminal.shows(/"n": 3[^]*Run it\?/)
      yield* given.kill("SIGINT")
      yield* given.ended
      yield* terminal.shows(/no longer asked/)
      yield* terminal.screenIs("the prompt", promptIs(""))

      const running = yield* call("raw__never", "{}")
      yield* terminal.shows(/robot wants to call raw__never[^]*Run it\?/)
      yield* terminal.enter("y")
      yield* terminal.screenIs("the call", (rows) => rows.some((row) => /raw__never for robot/.test(row)))
      yield* terminal.enter("cancel")
      yield* terminal.shows(/Cancelled raw__never/)
      assert.strictEqual((yield* running.ended).exitCode, 5)
      yield* terminal.screenIs("no call", (rows) => !rows.some((row) => /for robot/.test(row)) && promptIs("")(rows))

      yield* terminal.enter("quit")
      assert.strictEqual((yield* terminal.ended).exitCode, 0)
      yield* noneMarked(mark)
    }))

  const ends: ReadonlyArray<readonly [what: string, end: "SIGTERM" | "SIGHUP" | "close", during: "call" | "question"]> =
    [
      ["SIGTERM during a call", "SIGTERM", "call"],
      ["SIGHUP during a call", "SIGHUP", "call"],
      ["SIGHUP during a question", "SIGHUP", "question"],
      ["a terminal that is closed during a call", "close", "call"],
      ["a terminal that is closed during a question", "close", "question"]
    ]
  it.live.each(ends)("ends with everything it started at %s", ([, end, during]) =>
    Effect.gen(function*() {
      const { mark, terminal } = yield* startConsole((mark) => ({
        raw: raw(mark),
        slow: { ...slowServerEntry, env: { SMCP_TEST_MARK: mark }, auto_apply: true }
      }))
      yield* terminal.shows(/2\/2 servers/)
      const started = [...marked(mark), ...guardsOf(terminal.pid)]
      assert.lengthOf(started, 3)
      if (during === "call") {
        yield* terminal.enter("call slow__slow")
        yield* terminal.shows(/slow__slow for console/)
      } else {
        yield* terminal.enter("call raw__never")
        yield* terminal.shows(/Run it\?/)
      }
      // waits behind it, and nobody is there any more to see it
      yield* terminal.enter("call slow__slow")
      yield* end === "close" ? terminal.close : terminal.kill(end)
      yield* eventually("all of it has ended", () => ![terminal.pid, ...started].some(isAlive))
      yield* noneMarked(mark)
    }))

  it.live("leaves a sane terminal when SIGTERM ends it in the middle of a call", () =>
    Effect.gen(function*() {
      const state = yield* temporaryFolder
      const config = yield* configFile({ slow: slowServerEntry })
      const script = "stty -a > before; \"$@\"; echo \"code $?\"; stty -a > after; cmp before after && echo same"
      const terminal = yield* startInPty(
        [
          ...["sh", "-c", script, "sh", process.execPath, builtMain, "computer"],
          ...["--config", config, "--state-dir", state, "--approve", "all"]
        ],
        { cwd: state }
      )
      yield* terminal.shows(/1\/1 server/)
      yield* terminal.enter("call slow__slow")
      yield* terminal.shows(/slow__slow for console/)
      yield* terminal.type("half a li")
      yield* terminal.shows(/half a li$/)
      const [console = 0] = childrenOf(terminal.pid)
      process.kill(console, "SIGTERM")
      yield* terminal.shows(/^code 0\r?\nsame$/m)
      // whoever hides the cursor shows it again
      const written = yield* terminal.written
      assert.isAtMost(written.lastIndexOf("\u001b[?25l"), written.lastIndexOf("\u001b[?25h"))
    }))
})
