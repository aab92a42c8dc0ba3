import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger } from "effect"
import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type * as Consent from "../../src/computer/Consent.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"
import { call, open, readOnly, said } from "./support/consent.ts"

describe("Consent that is remembered in a file", () => {
  const always = () => Effect.succeed("always" as const)
  const logged = (lines: Array<string>) =>
    Logger.layer([Logger.map(Logger.formatSimple, (line) => void lines.push(line))])

  /** Opens it, uses it, and closes it. */
  const session = <A>(
    file: string,
    ask: Consent.Options["ask"],
    use: (it: Consent.Consent["Service"]) => Effect.Effect<A>
  ) => Effect.scoped(Effect.flatMap(open({ mode: "ask", ask, memoryFile: file }), use))

  it.live("holds in the next session, for its owner only, and says nothing of the call", () =>
    Effect.gen(function*() {
      const folder = yield* temporaryFolder
      const file = join(folder, "deep", "state", "approvals.json")
      const names = Array.from({ length: 20 }, (_, index) => `tool ${index}`)
      yield* session(
        file,
        always,
        ({ check }) => Effect.forEach(names, (tool) => check(call({ tool })), { concurrency: "unbounded" })
      )
      assert.deepStrictEqual(readdirSync(join(file, "..")), ["approvals.json"])
      assert.strictEqual(statSync(file).mode & 0o777, 0o600)
      const text = readFileSync(file, "utf8")
      for (const secret of ["t0ps3cret", "1234\"", "/x", "r1"]) assert.notInclude(text, secret)
      yield* session(file, undefined, ({ check, forget, remembered }) =>
        Effect.gen(function*() {
          assert.deepStrictEqual((yield* remembered).map(({ tool }) => tool).toSorted(), names.toSorted())
          assert.strictEqual(said(yield* check(call({ tool: "tool 7" }))), "remembered")
          assert.strictEqual(yield* forget({ tool: "tool 7" }), 1)
        }))
      yield* session(file, undefined, ({ check }) =>
        Effect.gen(function*() {
          assert.match(said(yield* check(call({ tool: "tool 7" }))), /^nobody: /)
          assert.strictEqual(said(yield* check(call({ tool: "tool 8" }))), "remembered")
        }))
    }))

  it.live("is shared by Computers, each with what the others add and forget", () =>
    Effect.gen(function*() {
      const memoryFile = join(yield* temporaryFolder, "approvals.json")
      const [one, two] = yield* Effect.all([
        open({ mode: "ask", ask: always, memoryFile }),
        open({ mode: "ask", memoryFile })
      ])
      yield* one.check(call())
      yield* one.check(call({ tool: "other" }))
      assert.strictEqual(said(yield* two.check(call())), "remembered")
      assert.strictEqual(yield* two.forget({ tool: "write" }), 1)
      assert.strictEqual(said(yield* one.check(call())), "person")
      assert.strictEqual((yield* two.remembered).length, 2)
    }))

  it.live("loses nothing that Computers write at one moment", () =>
    Effect.gen(function*() {
      const folder = yield* temporaryFolder
      const memoryFile = join(folder, "approvals.json")
      const computers = yield* Effect.all(
        Array.from({ length: 3 }, () => open({ mode: "ask", ask: always, memoryFile }))
      )
      yield* Effect.forEach(
        computers,
        ({ check }, one) =>
          Effect.forEach(Array.from({ length: 8 }), (_, index) => check(call({ tool: `tool ${one} ${index}` }))),
        { concurrency: "unbounded" }
      )
      assert.strictEqual((yield* computers[0]!.remembered).length, 24)
      assert.deepStrictEqual(readdirSync(folder), ["approvals.json"])
    }))

  it.live.skipIf(process.platform === "win32")(
    "is not believed when others may have written it",
    () =>
      Effect.gen(function*() {
        const file = join(yield* temporaryFolder, "approvals.json")
        const lines: Array<string> = []
        yield* session(file, always, ({ check }) => check(call()))
        for (const [mode, expected] of [[0o602, /^nobody/], [0o620, /^nobody/], [0o644, /^remembered$/]] as const) {
          chmodSync(file, mode)
          const verdict = yield* session(file, undefined, ({ check }) => check(call())).pipe(
            Effect.provide(logged(lines))
          )
          assert.match(said(verdict), expected)
        }
        assert.strictEqual(lines.filter((line) => line.includes("others could have written it")).length, 2)
      })
  )

  it.live("fails no call when the file is broken or cannot be written", () =>
    Effect.gen(function*() {
      const folder = yield* temporaryFolder
      const lines: Array<string> = []
      const broken = join(folder, "broken.json")
      const contents = [
        "{",
        "[]",
        "{\"version\":2,\"approvals\":[]}",
        "{\"version\":1,\"approvals\":[{\"tool\":\"write\"}]}"
      ]
      for (const content of contents) {
        writeFileSync(broken, content)
        const verdict = yield* session(broken, undefined, ({ check }) => check(call())).pipe(
          Effect.provide(logged(lines))
        )
        assert.match(said(verdict), /^nobody: /)
      }
      assert.strictEqual(lines.filter((line) => line.includes("cannot be used")).length, contents.length)
      assert.strictEqual(readFileSync(broken, "utf8"), contents.at(-1))
      writeFileSync(join(folder, "file"), "")
      for (const file of [broken, join(folder, "file", "x.json"), "/proc/no-such-folder/x.json"]) {
        lines.length = 0
        const verdicts = yield* session(file, always, ({ check }) => Effect.all([check(call()), check(call())])).pipe(
          Effect.provide(logged(lines))
        )
        assert.deepStrictEqual(verdicts.map(said), ["person", "remembered"])
        assert.deepStrictEqual(lines.map((line) => line.includes("forgotten when the Computer ends")), [true])
      }
    }))

  it.live("that cannot be read may say never: nothing runs unasked", () =>
    Effect.gen(function*() {
      const memoryFile = join(yield* temporaryFolder, "approvals.json")
      writeFileSync(memoryFile, "{")
      for (const mode of ["all", "read-only"] as const) {
        const { check } = yield* open({ mode, memoryFile })
        assert.match(said(yield* check(call(readOnly))), /^failure: .*remembered approvals cannot be read/)
        assert.strictEqual(said(yield* check(call({ autoApply: true }))), "auto_apply")
        const asking = yield* open({ mode, memoryFile, ask: always })
        assert.deepStrictEqual(
          (yield* Effect.all([asking.check(call(readOnly)), asking.check(call(readOnly))])).map(said),
          [
            "person",
            "remembered"
          ]
        )
      }
      // what was read before holds, whatever becomes of the file
      writeFileSync(memoryFile, "{\"version\":1,\"approvals\":[]}")
      const { check } = yield* open({ mode: "all", memoryFile })
      assert.strictEqual(said(yield* check(call())), "all")
      writeFileSync(memoryFile, "{ broken")
      assert.strictEqual(said(yield* check(call())), "all")
    }))
})
