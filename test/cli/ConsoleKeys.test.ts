import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { temporaryFolder } from "../support/temporaryFolder.ts"
import { builtMain } from "./support/build.ts"
import { promptIs, startConsole } from "./support/console.ts"
import { configFile, mcpServerEntry, noneMarked, slowServerEntry } from "./support/smcp.ts"
import { startInPty } from "./support/terminal.ts"

describe("the keys of a console", () => {
  it.live("Ctrl-Z gives the terminal to the shell, and fg takes it back with what was typed", () =>
    Effect.gen(function*() {
      const config = yield* configFile({})
      const state = yield* temporaryFolder
      const shell = yield* startInPty(["bash", "--norc", "--noprofile", "-i"], { cwd: state, env: { PS1: "sh> " } })
      yield* shell.shows(/sh>/)
      yield* shell.enter(`'${process.execPath}' '${builtMain}' computer --config '${config}' --state-dir '${state}'`)
      yield* shell.shows(/^no servers · no office\n+smcp>/m)
      yield* shell.type("sta")
      yield* shell.shows(/smcp> sta$/)
      yield* shell.type("\u001a")
      yield* shell.shows(/Stopped/)
      yield* shell.enter("stty -a | grep -ow -- '-*icanon'")
      yield* shell.shows(/^icanon/m)
      yield* shell.enter("fg")
      yield* shell.screenIs("the line", promptIs("sta"))
      yield* shell.enter("tus")
      yield* shell.shows(/servers +0 of 0 ready/)
      yield* shell.press("ctrlD")
      yield* shell.shows(/calls +none running\n[^]*sh>$/)
      yield* shell.enter("echo code $?")
      yield* shell.shows(/^code 0/m)
      yield* shell.enter("exit")
      assert.strictEqual((yield* shell.ended).exitCode, 0)
    }))

  it.live("Ctrl-D ends it at once, also while something runs", () =>
    Effect.gen(function*() {
      const { mark, terminal } = yield* startConsole(
        (mark) => ({ slow: { ...slowServerEntry, env: { SMCP_TEST_MARK: mark } } }),
        ["--approve", "all"]
      )
      yield* terminal.shows(/1\/1 server/)
      yield* terminal.enter("call slow__slow")
      yield* terminal.shows(/slow__slow for console/)
      yield* terminal.press("ctrlD")
      assert.strictEqual((yield* terminal.ended).exitCode, 0)
      yield* noneMarked(mark)
    }))

  it.live("work while a server starts, of which the status tells", () =>
    Effect.gen(function*() {
      const { mark, terminal } = yield* startConsole((mark) => ({ mute: mcpServerEntry({ silent: true }, mark) }))
      yield* terminal.shows(/0\/1 server · no office · . starting mute \d/)
      yield* terminal.enter("restart mute")
      yield* terminal.shows(/restart mute .*Ctrl-C cancels/)
      yield* terminal.press("ctrlC")
      yield* terminal.shows(/Cancelled/)
      yield* terminal.enter("quit")
      assert.strictEqual((yield* terminal.ended).exitCode, 0)
      yield* noneMarked(mark)
    }))
})
