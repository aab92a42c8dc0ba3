import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { fileURLToPath } from "node:url"
import { configFile, errorLine, marked, smcp } from "./support/smcp.ts"

const server = fileURLToPath(new URL("support/windowsMcpServer.mjs", import.meta.url))
const MARK = "smcp-desktop-test"
const windows = { command: process.execPath, args: [server, MARK] }

describe("smcp desktop", () => {
  it.live("prints the windows as an Agent gets them, and leaves no server behind", () =>
    Effect.gen(function*() {
      const config = yield* configFile({ editor: windows })
      const { exitCode, stdout } = yield* smcp(["desktop", "--config", config])
      assert.deepStrictEqual([exitCode, stdout], [0, "window://w/high\n\nhigh\n\nwindow://w/low\n\nlow\n"])
      const json = yield* smcp(["desktop", "--config", config, "--size", "1", "--json"])
      assert.deepStrictEqual(JSON.parse(json.stdout), [{ uri: "window://w/high", text: "high" }])
      assert.deepStrictEqual(marked(MARK), [])
    }))

  it.live("says of every window why it is not shown", () =>
    Effect.gen(function*() {
      const config = yield* configFile({ editor: windows })
      const table = yield* smcp(["desktop", "--config", config, "--size", "1", "--explain"], { COLUMNS: "200" })
      const rows = table.stdout.trimEnd().split("\n").map((row) => row.split(/ {2,}/))
      assert.deepStrictEqual(rows.map((row) => row.slice(0, 4)), [
        ["SHOWN", "SERVER", "PRIORITY", "WINDOW"],
        ["yes", "editor", "0.9", "window://w/high"],
        ["no", "editor", "0.1", "window://w/low"],
        ["no", "editor", "0.1", "window://w/picture"]
      ])
      assert.isTrue(rows.slice(2).every((row) => (row[4] ?? "") !== ""))
      const json = yield* smcp(["desktop", "--config", config, "--explain", "--json"])
      const reports = JSON.parse(json.stdout) as ReadonlyArray<{ readonly uri: string; readonly shown: boolean }>
      assert.deepStrictEqual(reports.map(({ shown }) => shown), [true, true, false])
    }))

  it.live("says when there is nothing to see, and when there is no file", () =>
    Effect.gen(function*() {
      const broken = { command: process.execPath, args: ["-e", "process.exit(3)"] }
      const none = yield* smcp(["desktop", "--config", yield* configFile({ broken })])
      assert.deepStrictEqual([none.exitCode, none.stdout], [0, ""])
      assert.match(none.stderr, /"broken" failed: .*\n?[^]*No windows/)
      const missing = yield* smcp(["desktop", "--config", "/nowhere/mcp.json"])
      assert.strictEqual(missing.exitCode, 2)
      assert.match(errorLine(missing), /There is no config file/)
    }))
})
