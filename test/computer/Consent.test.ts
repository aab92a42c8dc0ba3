import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Schema, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { join } from "node:path"
import * as Consent from "../../src/computer/Consent.ts"
import type { ServerEntry } from "../../src/computer/ServerEntry.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"
import { call, described, entry, open, person, readOnly, said, settled, start } from "./support/consent.ts"

describe("Consent", () => {
  describe("decides without asking", () => {
    const deny: Consent.Options["policy"] = [{ action: "deny", tool: "write" }]
    const allow: Consent.Options["policy"] = [{ action: "allow", server: "files" }]
    const asks: Consent.Options["policy"] = [{ action: "ask", annotation: "readOnly" }]
    type Given = Partial<Consent.PendingCall>
    const table: ReadonlyArray<readonly [string, Consent.Options, Given, expected: RegExp]> = [
      [
        "a tool that is denied, whatever else is said",
        { mode: "all", policy: deny },
        { autoApply: true },
        /^policy: .*denies/
      ],
      ["a tool that applies itself", { mode: "ask" }, { autoApply: true }, /^auto_apply$/],
      ["a tool that applies itself although it should ask", { mode: "ask", policy: asks }, {
        ...readOnly,
        autoApply: true
      }, /^auto_apply$/],
      ["a tool that is allowed", { mode: "read-only", policy: allow }, { autoApply: false }, /^policy$/],
      ["every tool", { mode: "all" }, {}, /^all$/],
      ["every tool, also one that does not apply itself", { mode: "all" }, { autoApply: false }, /^all$/],
      ["a tool that reads only", { mode: "read-only" }, readOnly, /^read-only$/],
      ["a tool that reads only, as its server says and its owner does not", { mode: "read-only" }, {
        ...readOnly,
        autoApply: false
      }, /^read-only: .*"auto_apply": false/],
      ["a tool that says nothing", { mode: "read-only" }, {}, /^read-only: .*does not declare it to be read-only/],
      [
        "a tool that contradicts itself",
        { mode: "read-only" },
        { definition: described({ annotations: { readOnlyHint: true, destructiveHint: true } }) },
        /^read-only: /
      ],
      [
        "a tool that asks where nobody is",
        { mode: "ask" },
        readOnly,
        /^nobody: .*needs confirmation, but there is nobody to ask/
      ],
      ["a tool that has to ask where nobody is", { mode: "all", policy: asks }, readOnly, /^nobody: /]
    ]
    it.effect.each(table)("%s", ([, options, given, expected]) =>
      Effect.gen(function*() {
        const { check } = yield* open(options)
        assert.match(said(yield* check(call(given))), expected)
      }))
  })

  it.effect("tells with a refusal how to allow the call", () =>
    Effect.gen(function*() {
      for (const mode of ["read-only", "ask"] as const) {
        const { check } = yield* open({ mode })
        const text = said(yield* check(call({ tool: "odd \"name\"" })))
        for (const way of ["--approve all", "SMCP_APPROVE=all", "--approve ask", "\"files\""]) assert.include(text, way)
        // what it says goes into the configuration as it is
        const snippet = /("tool_meta": \{.*\}) of the server/.exec(text)?.[1]
        assert.deepStrictEqual(JSON.parse(`{${snippet}}`), { tool_meta: { "odd \"name\"": { auto_apply: true } } })
        assert.notInclude(text, "t0ps3cret")
      }
    }))

  it.effect("holds to a never in every mode, until the tool is another one", () =>
    Effect.gen(function*() {
      const memoryFile = join(yield* temporaryFolder, "approvals.json")
      const { check: ask } = yield* open({ mode: "ask", ask: () => Effect.succeed("never"), memoryFile })
      yield* ask(call(readOnly))
      for (const [mode, otherwise] of [["all", "all"], ["read-only", "read-only"]] as const) {
        const { check } = yield* open({ mode, memoryFile })
        assert.match(said(yield* check(call(readOnly))), /^remembered: .*are refused by the person/)
        assert.strictEqual(said(yield* check(call({ ...readOnly, tool: "other" }))), otherwise)
        assert.strictEqual(said(yield* check(call({ ...readOnly, server: "others" }))), otherwise)
        const changed = described({ annotations: { readOnlyHint: true }, description: "Writes two files" })
        assert.strictEqual(said(yield* check(call({ definition: changed }))), otherwise)
        assert.strictEqual(said(yield* check(call({ ...readOnly, autoApply: true }))), "auto_apply")
      }
    }))

  it.effect("refuses what would be the hundred and first question", () =>
    Effect.gen(function*() {
      const { ask, asked } = person()
      const { check, pending } = yield* open({ mode: "ask", ask })
      const calls = yield* Effect.forEach(
        Array.from({ length: 100 }, (_, index) => index),
        (index) => start(check(call({ requestId: String(index) })))
      )
      assert.match(said(yield* check(call())), /^failure: .*too many calls wait for an answer/)
      yield* Fiber.interrupt(calls[50]!)
      yield* start(check(call({ requestId: "later" })))
      assert.strictEqual((yield* pending).at(-1)?.requestId, "later")
      assert.strictEqual(asked.length, 1)
    }))

  it("knows its modes by name, and the one where none is chosen", () => {
    assert.deepStrictEqual(["ask", " all ", "read-only", "ALL", ""].map(Consent.modeFromText), [
      "ask",
      "all",
      "read-only",
      undefined,
      undefined
    ])
    assert.strictEqual(Consent.defaultMode({ canAsk: true }), "ask")
    assert.strictEqual(Consent.defaultMode({ canAsk: false }), "read-only")
  })

  describe("asks a person", () => {
    it.effect("showing the call without its secrets, and does as they say", () =>
      Effect.gen(function*() {
        const { answer, ask, asked } = person()
        const consent = yield* open({ mode: "ask", ask })
        const table = [["once", /^person$/], ["refuse", /^person: .*refused by the person at the Computer/]] as const
        for (const [given, expected] of table) {
          const verdict = yield* start(
            consent.check(call({ definition: described({ annotations: { title: "Write!" } }) }))
          )
          assert.deepStrictEqual(yield* consent.pending, asked.slice(-1))
          yield* answer(given)
          assert.match(said(yield* Fiber.join(verdict)), expected)
          assert.deepStrictEqual(yield* consent.pending, [])
        }
        // neither answer is remembered
        assert.strictEqual(asked.length, 2)
        assert.deepStrictEqual(yield* consent.remembered, [])
        const { hash, ...question } = asked[0]!
        assert.match(hash!, /^[0-9a-f]{64}$/)
        assert.deepStrictEqual(question, {
          requestId: "r1",
          agent: "A",
          server: "files",
          tool: "write",
          exposedName: "files__write",
          title: "Write!",
          description: "Writes a file",
          args: { path: "/x", code: "***", token: "***" },
          annotations: { title: "Write!" },
          changed: false
        })
      }))

    it.effect("once for good, until they want to be asked again", () =>
      Effect.gen(function*() {
        const { answer, ask, asked } = person()
        const { check, forget, remembered } = yield* open({ mode: "ask", ask })
        for (const [given, later] of [["always", /^remembered$/], ["never", /^remembered: .*are refused/]] as const) {
          const before = asked.length
          const verdict = yield* start(check(call()))
          yield* answer(given)
          assert.match(said(yield* Fiber.join(verdict)), /^person/)
          assert.match(said(yield* check(call({ args: { other: 1 } }))), later)
          assert.strictEqual(asked.length, before + 1)
          const [approval] = yield* remembered
          assert.deepInclude(approval, { server: "files", tool: "write", decision: given, hash: asked.at(-1)!.hash! })
          assert.strictEqual(yield* forget({ server: "other" }), 0)
          assert.strictEqual(yield* forget({ server: "files", tool: "other" }), 0)
          assert.strictEqual(yield* forget(given === "always" ? { tool: "write" } : undefined), 1)
        }
        const other = yield* start(check(call()))
        assert.deepInclude(asked.at(-1), { changed: false })
        yield* Fiber.interrupt(other)
      }))

    const changes: Record<string, Partial<Consent.PendingCall>> = {
      "its description": { definition: described({ description: "Writes a file and sends it away" }) },
      "its title": { definition: described({ title: "Other" }) },
      "its input": { definition: described({ inputSchema: { type: "object" } }) },
      "its output": { definition: described({ outputSchema: {} }) },
      "its annotations": { definition: described({ annotations: { readOnlyHint: true } }) }
    }
    it.effect.each(Object.entries(changes))(
      "again when the tool has changed %s, and says so",
      ([, changed]) =>
        Effect.gen(function*() {
          const { answer, ask, asked } = person()
          const { check, remembered } = yield* open({ mode: "ask", ask })
          const first = yield* start(check(call()))
          yield* answer("always")
          yield* Fiber.join(first)
          const second = yield* start(check(call(changed)))
          assert.deepStrictEqual(asked.map((question) => question.changed), [false, true])
          yield* answer("always")
          assert.strictEqual(said(yield* Fiber.join(second)), "person")
          // the new one took the place of the old one
          assert.deepStrictEqual((yield* remembered).map(({ hash }) => hash), [asked[1]!.hash])
          const third = yield* start(check(call()))
          assert.strictEqual(asked.length, 3)
          yield* Fiber.interrupt(third)
        })
    )

    it.effect("again for the same tool of another server, whose order of keys does not matter", () =>
      Effect.gen(function*() {
        const { answer, ask, asked } = person()
        const { check } = yield* open({ mode: "ask", ask })
        const first = yield* start(check(call({ definition: described({ annotations: { a: 1, b: 2 } }) })))
        yield* answer("always")
        yield* Fiber.join(first)
        assert.strictEqual(
          said(yield* check(call({ definition: described({ annotations: { b: 2, a: 1 } }) }))),
          "remembered"
        )
        const other = yield* start(check(call({ server: "more files" })))
        assert.deepInclude(asked.at(-1), { server: "more files", changed: false })
        yield* Fiber.interrupt(other)
      }))

    const custom = (image: string): ServerEntry => ({
      ...entry("files"),
      settings: { custom: { transport: "container", source: { type: "container", image } } },
      extra: { image }
    })
    it.effect("about the same tool of a transport of somebody's own that runs something else", () =>
      Effect.gen(function*() {
        const { answer, ask, asked } = person()
        const { check } = yield* open({ mode: "ask", ask })
        const verdict = yield* start(check(call({ entry: custom("one") })))
        yield* answer("always")
        assert.strictEqual(said(yield* Fiber.join(verdict)), "person")
        assert.strictEqual(said(yield* check(call({ entry: custom("one") }))), "remembered")
        const other = yield* start(check(call({ entry: custom("two") })))
        yield* settled
        assert.strictEqual(asked.length, 2)
        yield* Fiber.interrupt(other)
      }))

    const programs: Record<string, ServerEntry> = {
      "with other arguments": entry("files", ["--root", "/"]),
      "in another folder": entry("files", [], "/elsewhere")
    }
    it.effect.each(Object.entries(programs))(
      "about the same tool of a program %s, and forgets neither",
      ([, other]) =>
        Effect.gen(function*() {
          const { answer, ask, asked } = person()
          const { check, remembered } = yield* open({ mode: "ask", ask })
          for (const given of [call(), call({ entry: other })]) {
            const verdict = yield* start(check(given))
            yield* answer("always")
            assert.strictEqual(said(yield* Fiber.join(verdict)), "person")
          }
          assert.deepStrictEqual(asked.map(({ changed }) => changed), [false, false])
          assert.deepStrictEqual(
            said(yield* check(call())) + said(yield* check(call({ entry: other }))),
            "rememberedremembered"
          )
          assert.strictEqual((yield* remembered).length, 2)
        })
    )

    it.effect("one question at a time, and an answer for good settles those that wait for the same", () =>
      Effect.gen(function*() {
        const { answer, ask, asked } = person()
        const consent = yield* open({ mode: "ask", ask })
        const seen: Array<number> = []
        yield* Effect.forkScoped(
          Stream.runForEach(consent.changes, (all) => Effect.sync(() => seen.push(all.length))),
          {
            startImmediately: true
          }
        )
        const same = yield* Effect.forEach(["a", "b", "c"], (requestId) => start(consent.check(call({ requestId }))))
        const other = yield* start(consent.check(call({ requestId: "d", tool: "other", exposedName: "files__other" })))
        const last = yield* start(consent.check(call({ requestId: "e" })))
        assert.deepStrictEqual((yield* consent.pending).map(({ requestId }) => requestId), ["a", "b", "c", "d", "e"])
        assert.deepStrictEqual(asked.map(({ requestId }) => requestId), ["a"])
        yield* answer("once")
        assert.strictEqual(said(yield* Fiber.join(same[0]!)), "person")
        yield* answer("always")
        const verdicts = yield* Fiber.joinAll([...same.slice(1), last])
        assert.deepStrictEqual(verdicts.map(said), ["person", "remembered", "remembered"])
        yield* settled
        assert.deepStrictEqual(asked.map(({ requestId }) => requestId), ["a", "b", "d"])
        yield* answer("refuse")
        assert.match(said(yield* Fiber.join(other)), /^person: .*"files__other"/)
        assert.include(seen, 5)
        assert.strictEqual(seen.at(-1), 0)
      }))

    it.effect("as long as the call waits, asked already or not", () =>
      Effect.gen(function*() {
        const { answer, ask, asked, withdrawn } = person()
        const consent = yield* open({ mode: "ask", ask })
        const [first, second, third] = yield* Effect.forEach(
          ["a", "b", "c"],
          (requestId) => start(consent.check(call({ requestId })))
        )
        yield* Fiber.interrupt(second!)
        yield* Fiber.interrupt(first!)
        assert.deepStrictEqual(withdrawn, ["a"])
        assert.deepStrictEqual((yield* consent.pending).map(({ requestId }) => requestId), ["c"])
        yield* answer("once")
        assert.strictEqual(said(yield* Fiber.join(third!)), "person")
        assert.deepStrictEqual(asked.map(({ requestId }) => requestId), ["a", "c"])
      }))

    it.effect("for a while, from when the question has its turn", () =>
      Effect.gen(function*() {
        const { ask, asked, withdrawn } = person()
        const { check } = yield* open({ mode: "ask", ask, patience: "1 minute" })
        const fibers = yield* Effect.forEach(["a", "b"], (requestId) => start(check(call({ requestId }))))
        yield* TestClock.adjust("59 seconds")
        assert.deepStrictEqual([asked.length, withdrawn.length], [1, 0])
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual([asked.length, withdrawn.length], [2, 1])
        assert.match(
          said(yield* Fiber.join(fibers[0]!)),
          /^timeout: .*needs confirmation, but the confirmation timed out/
        )
        yield* TestClock.adjust("1 minute")
        assert.match(said(yield* Fiber.join(fibers[1]!)), /^timeout: /)
      }))

    const failing: Record<string, readonly [Effect.Effect<Consent.Answer, unknown>, RegExp]> = {
      fails: [Effect.fail(new Error("the terminal is gone\n  at x")), /: the terminal is gone$/],
      dies: [Effect.die("odd"), /: odd$/],
      "gives up": [Effect.interrupt, /taken back$/]
    }
    it.effect.each(Object.entries(failing))(
      "who %s, which refuses the call and not the next",
      ([, [asking, expected]]) =>
        Effect.gen(function*() {
          let times = 0
          const ask = () => Effect.suspend(() => ++times === 1 ? asking : Effect.succeed("once" as const))
          const { check, pending } = yield* open({ mode: "ask", ask })
          const text = said(yield* check(call()))
          assert.match(text, /^failure: .*needs confirmation, but the confirmation failed: /)
          assert.match(text, expected)
          assert.deepStrictEqual(yield* pending, [])
          assert.strictEqual(said(yield* check(call())), "person")
        })
    )
  })

  describe("whatever the answers and interruptions", () => {
    const Step = Schema.Union([
      Schema.Struct({ _tag: Schema.tag("Call"), tool: Schema.Literals(["x", "y"]), version: Schema.Literals([1, 2]) }),
      Schema.Struct({ _tag: Schema.tag("Answer"), answer: Schema.Literals(["once", "always", "refuse", "never"]) }),
      Schema.Struct({
        _tag: Schema.tag("Cancel"),
        which: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 5 }))
      })
    ])

    it.effect.prop(
      "never asks two questions at once, none about what is decided, and leaves none behind",
      [Schema.Array(Step)],
      ([steps]) =>
        Effect.gen(function*() {
          const scope = yield* Scope.make()
          const open = new Map<string, Deferred.Deferred<Consent.Answer>>()
          const decided = new Map<string, Consent.Answer>()
          const hashes: Record<string, string> = {}
          let wrong = false
          const ask = (question: Consent.Question) =>
            Effect.suspend(() => {
              wrong ||= open.size > 0 || decided.has(question.hash!)
              const answer = Deferred.makeUnsafe<Consent.Answer>()
              open.set(question.hash!, answer)
              hashes[`${question.tool}${question.description}`] = question.hash!
              return Effect.ensuring(Deferred.await(answer), Effect.sync(() => open.delete(question.hash!)))
            })
          const built = yield* Layer.buildWithScope(Consent.layer({ mode: "ask", ask }), scope)
          const { check, pending } = Context.get(built, Consent.Consent)
          const fibers: Array<Fiber.Fiber<Consent.Verdict>> = []
          for (const step of steps) {
            if (step._tag === "Call") {
              const definition = described({ name: step.tool, description: String(step.version) })
              fibers.push(yield* start(check(call({ tool: step.tool, definition }))))
            } else if (step._tag === "Answer") {
              for (const [hash, answer] of open) {
                const { answer: given } = step
                // a decision on a tool takes the place of one on what it was before
                if (given === "always" || given === "never") {
                  const tool = (yield* pending).find((question) => question.hash === hash)!.tool
                  for (const version of [1, 2]) decided.delete(hashes[`${tool}${version}`] ?? "")
                  decided.set(hash, given)
                }
                yield* Deferred.succeed(answer, given)
              }
            } else if (fibers[step.which] !== undefined) yield* Fiber.interrupt(fibers[step.which]!)
            yield* settled
          }
          yield* Fiber.interruptAll(fibers)
          const left = (yield* pending).length
          yield* Scope.close(scope, Exit.void)
          return !wrong && left === 0 && open.size === 0
        })
    )
  })
})
