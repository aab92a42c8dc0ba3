import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { temporaryFolder } from "../support/temporaryFolder.ts"
import { startServer } from "./support/office.ts"
import { configFile, errorLine, listing, mcpServerEntry, smcp, startSmcp, temporaryFile } from "./support/smcp.ts"

const call = ["agent", "call", "--computer", "pc", "--tool", "raw__echo", "--params", "{\"token\":\"t0ps3cret\"}"]

describe("smcp computer --approve", () => {
  it.live("runs without a terminal what is read-only, says how to allow more, and allows it", () =>
    Effect.gen(function*() {
      const { env } = yield* startServer
      const folder = yield* temporaryFolder
      const config = yield* configFile({ raw: mcpServerEntry(listing("echo")) })
      const policy = yield* temporaryFile("policy.json", "[{\"action\":\"deny\",\"tool\":\"raw__*\"}]")
      const audit = join(folder, "audit.jsonl")
      const run = (flags: ReadonlyArray<string>, more: Readonly<Record<string, string>> = {}) =>
        Effect.gen(function*() {
          const args = ["computer", "--config", config, "--name", "pc", "--state-dir", folder, "--audit-log", audit]
          const computer = yield* startSmcp([...args, ...flags], { ...env, ...more })
          yield* computer.firstLine
          const ended = yield* smcp(call, env)
          yield* computer.kill("SIGTERM")
          assert.notInclude((yield* computer.ended).stderr, "t0ps3cret")
          return ended
        })
      const refused = yield* run([])
      assert.match(refused.stdout + refused.stderr, /does not declare it to be read-only.*SMCP_APPROVE=all/)
      assert.notStrictEqual(refused.exitCode, 0)
      const allowed = yield* run([], { SMCP_APPROVE: "all" })
      assert.deepStrictEqual([allowed.exitCode, /t0ps3cret/.test(allowed.stdout)], [0, true])
      const asked = yield* run(["--approve", "ask"], { SMCP_APPROVE: "all" })
      assert.match(asked.stdout + asked.stderr, /there is nobody to ask at this Computer/)
      const denied = yield* run(["--approve", "all", "--policy", policy])
      assert.match(denied.stdout + denied.stderr, /The policy of this Computer denies/)

      const lines = readFileSync(audit, "utf8").trimEnd().split("\n").map((line) => JSON.parse(line))
      assert.deepStrictEqual(lines.map((line) => [line.name, line.outcome, line.decided_by]), [
        ["raw__echo", "refused", "read-only"],
        ["raw__echo", "ok", "all"],
        ["raw__echo", "refused", "nobody"],
        ["raw__echo", "refused", "policy"]
      ])
      assert.notInclude(JSON.stringify(lines), "t0ps3cret")
      assert.strictEqual(statSync(audit).mode & 0o777, 0o600)
    }))

  it.live("says which modes there are, and which rule of a policy is wrong", () =>
    Effect.gen(function*() {
      const config = yield* configFile({})
      const args = ["computer", "--config", config, "--url", "http://127.0.0.1:9", "--office", "o", "--name", "n"]
      const ended = yield* smcp(args, { SMCP_APPROVE: "yes" })
      assert.match(ended.stderr, /ask.*read-only.*all/)
      assert.notStrictEqual(ended.exitCode, 0)
      const policy = yield* temporaryFile("policy.json", "[{\"action\":\"deny\",\"tols\":\"x\"}]")
      const wrong = yield* smcp([...args, "--policy", policy])
      assert.match(errorLine(wrong), /rule 1: the key "tols" is unknown/)
      assert.strictEqual(wrong.exitCode, 2)
    }))
})
