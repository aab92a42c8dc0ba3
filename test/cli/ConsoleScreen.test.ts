import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { promptIs, startConsole } from "./support/console.ts"
import { listing, marked, mcpServerEntry, noneMarked } from "./support/smcp.ts"
import type { Terminal } from "./support/terminal.ts"

const TEN_MEGABYTES = 10 * 1024 * 1024

/** The rows that are not empty. */
const filled = (rows: ReadonlyArray<string>) => rows.map((row) => row.trimEnd()).filter((row) => row !== "")

/** Waits until the screen ends with one status line and the prompt, and neither is anywhere else on it. */
const isWhole = (terminal: Terminal, status: RegExp, draft: string) =>
  terminal.screenIs(`one status and one prompt with "${draft}"`, (rows) => {
    const [above = "", last] = filled(rows).slice(-2)
    return promptIs(draft)(rows) && last !== undefined && status.test(above) &&
      rows.filter((row) => status.test(row)).length === 1 &&
      rows.filter((row) => row.trimEnd() === `smcp> ${draft}`.trimEnd()).length === 1
  })

/** Changes the width, and waits until the console has drawn for it. Nothing else may be about to be drawn. */
const resized = Effect.fnUntraced(function*(terminal: Terminal, columns: number) {
  const { length } = yield* terminal.written
  yield* terminal.resize(columns, 24)
  yield* terminal.becomes("a drawing", Effect.map(terminal.written, (written) => written.length > length))
})

describe("the screen of the console", () => {
  it.live("fits its width, whatever it becomes", () =>
    Effect.gen(function*() {
      const { terminal } = yield* startConsole(
        (mark) => ({
          "a-server-with-quite-a-long-name": mcpServerEntry(listing("a-tool-with-quite-a-long-name"), mark),
          broken: { command: "no-such-command-anywhere", args: ["--with", "arguments"] }
        }),
        [],
        { columns: 80, rows: 24 }
      )
      const status = /1\/2 servers/
      yield* terminal.shows(status)
      yield* terminal.type("server li")
      yield* isWhole(terminal, status, "server li")
      for (const columns of [40, 120, 80, 40, 80]) {
        yield* terminal.resize(columns, 24)
        yield* isWhole(terminal, status, "server li")
      }
      yield* terminal.type("st\r")
      yield* terminal.shows(/broken +failed/)
      const widths = [[40, /^a-serve… +ready/], [120, /^a-server-with-quite-a-long-name +ready/], [
        80,
        /^a-server-with\S+ +ready/
      ]] as const
      for (const [columns, server] of widths) {
        yield* terminal.resize(columns, 24)
        const fits = Effect.gen(function*() {
          yield* terminal.enter("clear")
          yield* terminal.screenIs("an empty screen", (rows) => filled(rows).length === 2 && promptIs("")(rows))
          yield* terminal.enter("server list")
          const isListed = (rows: ReadonlyArray<string>) =>
            rows.some((row) => row.startsWith("SERVER ")) && promptIs("")(rows)
          yield* terminal.screenIs(`a list in ${columns} columns`, isListed)
          const [, , first = "", second = "", below = "", ...more] = filled(yield* terminal.screen)
          return server.test(first) && /^broken +failed/.test(second) && status.test(below) && more.length === 1
        })
        // what is typed may come to the console before it hears of its new width
        for (let tries = 1; !(yield* fits); tries++) assert.isBelow(tries, 20, yield* terminal.text)
      }
      yield* terminal.enter("quit")
      assert.strictEqual((yield* terminal.ended).exitCode, 0)
    }))

  it.live("shows a line that is longer than a row once when it was pasted, and when the rows get shorter", () =>
    Effect.gen(function*() {
      const { terminal } = yield* startConsole(() => ({}), [], { columns: 80 })
      yield* terminal.shows(/no servers · no office/)
      const draft = `call raw__echo text="${"0123456789".repeat(7)}"`
      const isOnce = (line: string, columns: number) =>
        terminal.screenIs(`the line and the status in ${columns} columns, once each`, (rows) => {
          const shown = filled(rows)
          const from = shown.findIndex((row) => row.startsWith("smcp>"))
          return shown.slice(from).map((row) => row.padEnd(columns)).join("").trimEnd() === `smcp> ${line}` &&
            shown.filter((row) => row.startsWith("smcp>")).length === 1 &&
            shown.filter((row) => row.startsWith("no servers")).length === 1
        })
      yield* terminal.type(draft)
      yield* isOnce(draft, 80)
      for (const columns of [60, 50, 40]) {
        yield* resized(terminal, columns)
        yield* isOnce(draft, columns)
        yield* terminal.type("x")
        yield* isOnce(`${draft}x`, columns)
        yield* terminal.press("backspace")
        yield* isOnce(draft, columns)
      }
      // what a terminal makes of such a line when its rows get longer is not the same everywhere
      yield* resized(terminal, 120)
      yield* terminal.press("ctrlC")
      yield* terminal.enter("clear")
      yield* isWhole(terminal, /no servers/, "")
      yield* terminal.press("ctrlD")
      assert.strictEqual((yield* terminal.ended).exitCode, 0)
    }))

  it.live("keeps what stands above a line that fills its rows, typed or pasted, of narrow or wide characters", () =>
    Effect.gen(function*() {
      const { terminal } = yield* startConsole(() => ({}), [], { columns: 41 })
      yield* terminal.shows(/no servers/)
      // the prompt has 6 columns; of 41, wide characters leave one empty in every second row
      const lines = ["x".repeat(35), "x".repeat(76), "字".repeat(17), "字".repeat(38), "字".repeat(60)].map((rest) =>
        `#${rest.slice(1)}`
      )
      const often = (pattern: RegExp) =>
        Effect.map(terminal.text, (text) => [...text.replaceAll("\n", "").matchAll(pattern)].length)
      for (const [index, line] of lines.entries()) {
        yield* terminal.enter("calls")
        yield* terminal.becomes("an answer", Effect.map(often(/No call is running/g), (count) => count === index + 1))
        yield* terminal.enter(line)
        yield* terminal.type(line)
        yield* terminal.screenIs("the line", (rows) => rows.join("").includes(`smcp> ${line}`))
        yield* terminal.press("enter")
      }
      yield* terminal.enter("history")
      yield* terminal.shows(/No calls yet/)
      const shown = yield* Effect.forEach(lines, (line) => often(new RegExp(`smcp> ${line}(?=smcp> )`, "g")))
      assert.deepStrictEqual([shown, yield* often(/No call is running(?=smcp> )/g)], [[2, 2, 2, 2, 2], lines.length])
      yield* terminal.enter("quit")
      assert.strictEqual((yield* terminal.ended).exitCode, 0)
    }))

  it.live("keeps a question that was answered with Enter alone", () =>
    Effect.gen(function*() {
      const { terminal } = yield* startConsole((mark) => ({ raw: mcpServerEntry(listing("echo"), mark) }))
      yield* terminal.shows(/1\/1 server/)
      yield* terminal.enter("call raw__echo")
      yield* terminal.shows(/Run it\?.*\[n\]/)
      yield* terminal.press("enter")
      yield* terminal.shows(/Run it\?.*\[n\]\s*\n.*refused/)
      yield* terminal.enter("quit")
      assert.strictEqual((yield* terminal.ended).exitCode, 0)
    }))

  it.live("says hello before anything else, and plainly to a terminal that obeys no commands", () =>
    Effect.gen(function*() {
      const { terminal } = yield* startConsole((mark) => ({ raw: mcpServerEntry(listing("echo"), mark) }), [], {
        env: { TERM: "dumb" }
      })
      yield* terminal.shows(/is ready/)
      assert.match(yield* terminal.text, /^[^\n]*\n"help" lists the commands/)
      yield* terminal.enter("call raw__echo")
      yield* terminal.shows(/Run it\?/)
      yield* terminal.press("enter")
      yield* terminal.shows(/refused/)
      yield* terminal.enter("inputs add {\"id\":\"key\",\"type\":\"promptString\",\"password\":true}")
      yield* terminal.enter("inputs value set key")
      yield* terminal.shows(/\nkey:/)
      yield* terminal.enter("hidden-from-view")
      yield* terminal.shows(/key has a value/)
      yield* terminal.enter("call raw__echo")
      yield* terminal.shows(/Run it\?[^]*Run it\?/)
      yield* terminal.press("ctrlC")
      yield* terminal.enter("quit")
      assert.strictEqual((yield* terminal.ended).exitCode, 0)
      const written = yield* terminal.written
      assert.notInclude(written, "\u001b")
      assert.notInclude(written, "hidden-from-view")
    }))

  it.live("keeps what is typed, also over several rows, when log lines come in between", () =>
    Effect.gen(function*() {
      const { mark, terminal } = yield* startConsole((mark) => ({ raw: mcpServerEntry(listing("echo"), mark) }), [], {
        columns: 60
      })
      const status = /^1\/1 server ·/
      yield* terminal.shows(/1\/1 server/)
      const draft = `call raw__echo text="${"0123456789".repeat(9)}"`
      yield* terminal.type(draft)
      const [pid = 0] = marked(mark)
      process.kill(pid, "SIGKILL")
      yield* terminal.shows(/is ready[^]*WARN[^]*is ready/)
      yield* terminal.screenIs("the line and the status, once each", (rows) => {
        const text = filled(rows).slice(-2).map((row) => row.padEnd(60)).join("").trimEnd()
        return text === `smcp> ${draft}` && rows.filter((row) => status.test(row)).length === 1
      })
      assert.notMatch(yield* terminal.text, /\n\n/)
      yield* terminal.press("enter")
      yield* terminal.shows(/Run it\?/)
      yield* terminal.enter("y")
      yield* terminal.shows(/\{"text":"0123456789/)
      yield* terminal.press("up")
      yield* terminal.screenIs("the line again", (rows) => filled(rows).some((row) => row.startsWith("smcp> call raw")))
      yield* terminal.press("ctrlC")
      yield* isWhole(terminal, status, "")
      yield* terminal.enter("quit")
      assert.strictEqual((yield* terminal.ended).exitCode, 0)
    }))

  it.live("goes through what was typed before, up and down", () =>
    Effect.gen(function*() {
      const { terminal } = yield* startConsole(() => ({}))
      yield* terminal.enter("calls")
      yield* terminal.shows(/No call is running/)
      yield* terminal.enter("history")
      yield* terminal.shows(/No calls yet/)
      for (const [key, draft] of [["up", "history"], ["up", "calls"], ["down", "history"], ["down", ""]] as const) {
        yield* terminal.press(key)
        yield* terminal.screenIs(`"${draft}" after ${key}`, promptIs(draft))
      }
      yield* terminal.press("ctrlD")
      assert.strictEqual((yield* terminal.ended).exitCode, 0)
    }))

  it.live("cuts a result of 10 MB, says how much is left, and lives on", () =>
    Effect.gen(function*() {
      const { terminal } = yield* startConsole((mark) => ({ raw: mcpServerEntry(listing("big"), mark) }), [
        "--approve",
        "all"
      ])
      yield* terminal.shows(/1\/1 server/)
      yield* terminal.enter(`call raw__big bytes=${TEN_MEGABYTES}`)
      const [, left] = yield* terminal.shows(/… (\d+) more characters/)
      assert.isAbove(Number(left), TEN_MEGABYTES - 200_000)
      assert.isBelow((yield* terminal.written).length, 1_000_000)
      yield* terminal.enter("history")
      yield* terminal.shows(/console +raw +big +ok/)
      yield* isWhole(terminal, /1\/1 server/, "")
      yield* terminal.enter("quit")
      assert.strictEqual((yield* terminal.ended).exitCode, 0)
    }))

  it.live("answers while a server writes 10 MB to stderr, and keeps the last lines of it", () =>
    Effect.gen(function*() {
      const { mark, terminal } = yield* startConsole((mark) => ({
        calm: mcpServerEntry(listing("echo"), mark),
        loud: mcpServerEntry({ ...listing("echo"), stderr: TEN_MEGABYTES }, mark)
      }))
      yield* terminal.enter("calls")
      yield* terminal.shows(/No call is running/)
      yield* terminal.screenIs("both servers", (rows) => rows.some((row) => /2\/2 servers/.test(row)))
      yield* terminal.enter("logs loud 2")
      yield* terminal.shows(/e{80}/)
      assert.isBelow((yield* terminal.written).length, 200_000)
      yield* isWhole(terminal, /2\/2 servers/, "")
      yield* terminal.enter("quit")
      assert.strictEqual((yield* terminal.ended).exitCode, 0)
      yield* noneMarked(mark)
    }))
})
