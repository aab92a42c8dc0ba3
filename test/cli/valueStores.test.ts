import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { temporaryFolder } from "../support/temporaryFolder.ts"
import { smcp } from "./support/smcp.ts"

describe("the values of inputs", () => {
  it.live("are kept for the project whose files ask for them, and for no other one", () =>
    Effect.gen(function*() {
      const folder = yield* temporaryFolder
      const config = (project: string, name = "mcp.json") => {
        mkdirSync(join(folder, project), { recursive: true })
        const path = join(folder, project, name)
        writeFileSync(path, JSON.stringify({ mcpServers: {}, inputs: [{ id: "zone", type: "promptString" }] }))
        return path
      }
      const state = join(folder, "state")
      const run = (path: string, ...words: ReadonlyArray<string>) =>
        smcp(["computer", ...words, "--config", path, "--state-dir", state, "--json"])
      const set = yield* run(config("one"), "inputs", "value", "set", "zone", "eu")
      assert.strictEqual(set.exitCode, 0, set.stderr)
      const value = (path: string) => Effect.map(run(path, "inputs", "value", "get", "zone"), ({ stdout }) => stdout)
      assert.include(yield* value(config("one", "other.json")), "\"eu\"")
      assert.strictEqual((yield* value(config("two"))).trim(), "null")
      const [file = ""] = readdirSync(join(state, "values"))
      assert.match(file, /^one-[0-9a-f]{16}\.json$/)
      assert.strictEqual(statSync(join(state, "values", file)).mode & 0o777, 0o600)
    }))
})
