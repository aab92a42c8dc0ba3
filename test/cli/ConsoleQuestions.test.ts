import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Option, Result } from "effect"
import { askForm } from "../../src/cli/console/internal/form.ts"
import { askConsent, askInput } from "../../src/cli/console/internal/person.ts"
import * as Questions from "../../src/cli/console/Questions.ts"
import type { PromptRequest } from "../../src/computer/Inputs.ts"

/** A person who gives these answers, one after the other, and what they were asked. */
const person = (...answers: ReadonlyArray<string | undefined>) => {
  const asked: Array<string> = []
  const left = [...answers]
  const questions = Effect.provide(
    Questions.Questions,
    Questions.layer(({ about, hidden, prompt }) =>
      Effect.sync(() => {
        asked.push(`${about}\n${prompt}${hidden ? "(hidden)" : ""}`)
        return left.shift()
      })
    )
  )
  return { asked, questions }
}

const call = {
  requestId: "1",
  agent: "agent\u001b[31m",
  server: "fs",
  tool: "delete",
  exposedName: "fs__delete",
  title: undefined,
  description: "Deletes\u0007 \u202ea file",
  args: { path: "/x\u001b]0;title\u0007", text: "txt.\u202efdp\u2066" },
  annotations: { destructiveHint: true },
  hash: "h",
  changed: true
}

const input: PromptRequest = {
  id: "region",
  type: "pickString",
  description: "Where",
  expects: undefined,
  hidden: false,
  options: [{ label: "Europe", value: "eu" }, { label: "America", value: "us" }],
  default: "us",
  problem: undefined,
  server: "s",
  field: "env.REGION"
}

describe("the questions to the person at the terminal", () => {
  it.effect("never interleave, and one that is not wanted any more makes room", () =>
    Effect.gen(function*() {
      const open: Array<string> = []
      const answer = yield* Deferred.make<string>()
      const questions = yield* Effect.provide(
        Questions.Questions,
        Questions.layer(({ prompt }) =>
          Effect.sync(() => open.push(prompt)).pipe(
            Effect.andThen(Deferred.await(answer)),
            Effect.ensuring(Effect.sync(() => open.splice(open.indexOf(prompt), 1)))
          )
        )
      )
      const ask = (prompt: string) => questions.ask({ about: "", prompt, read: Result.succeed })
      const first = yield* Effect.forkChild(ask("first"), { startImmediately: true })
      const second = yield* Effect.forkChild(ask("second"), { startImmediately: true })
      assert.deepStrictEqual(open, ["first"])
      yield* Fiber.interrupt(first)
      yield* Effect.yieldNow
      assert.deepStrictEqual(open, ["second"])
      yield* Deferred.succeed(answer, "yes")
      assert.deepStrictEqual(yield* Fiber.join(second), Option.some("yes"))
    }))

  const verdicts: ReadonlyArray<readonly [typed: ReadonlyArray<string | undefined>, answer: string]> = [
    [["y"], "once"],
    [[" YES "], "once"],
    [[""], "refuse"],
    [["n"], "refuse"],
    [["a"], "always"],
    [["never"], "never"],
    [["what?", "yes"], "once"],
    [[undefined], "refuse"]
  ]
  it.effect.each(verdicts)("%j means %s for a call", ([typed, answer]) =>
    Effect.gen(function*() {
      const { asked, questions } = person(...typed)
      const page = { width: 80, colours: false }
      assert.strictEqual(yield* askConsent(yield* questions, () => page)(call), answer)
      assert.lengthOf(asked, typed.length)
      for (const part of ["agent", "fs__delete", "delete", "may destroy", "/x", "no longer what it was"]) {
        assert.include(asked[0], part)
      }
      // oxlint-disable-next-line no-control-regex -- nothing of an Agent or a server commands the terminal
      assert.notMatch(asked.join(""), /[\u0000-\u0009\u000b-\u001f]|\p{Bidi_Control}/u)
    }))

  it.effect("a tool that cannot be told apart is not decided on for good", () =>
    Effect.gen(function*() {
      const { asked, questions } = person("always", "y")
      const page = { width: 80, colours: false }
      assert.strictEqual(yield* askConsent(yield* questions, () => page)({ ...call, hash: undefined }), "once")
      assert.lengthOf(asked, 2)
    }))

  it.effect("an option is named by its number, its label or its value", () =>
    Effect.gen(function*() {
      for (const [typed, value] of [["1", "eu"], ["us", "us"], ["Europe", "Europe"], ["7", "7"], ["", ""]] as const) {
        const { questions } = person(typed)
        assert.strictEqual(yield* askInput(yield* questions)(input), value)
      }
      const { asked, questions } = person(undefined)
      assert.isTrue(Exit.isFailure(yield* Effect.exit(askInput(yield* questions)({ ...input, hidden: true }))))
      assert.match(asked.join(""), /Where \(for s\)[^]*1 +Europe[^]*\(hidden\)/)
    }))

  it.effect("a form is asked field by field, again where the answer does not fit", () =>
    Effect.gen(function*() {
      const requestedSchema = {
        type: "object",
        required: ["name"],
        properties: {
          name: { type: "string", title: "Your name" },
          age: { type: "integer", minimum: 1 },
          tall: { type: "boolean", default: false },
          pet: { type: "string", oneOf: [{ const: "c", title: "Cat" }, { const: "d", title: "Dog" }] },
          tags: { type: "array", items: { type: "string", enum: ["x", "y", "z"] } },
          left: { type: "string" }
        }
      }
      const request = { server: "s", message: "Who are you?", mode: "form", requestedSchema } as const
      const { asked, questions } = person("y", "", "Ann", "many", "0", "41", "", "2", "1, z, 9", "1, z", "")
      assert.deepStrictEqual(yield* askForm(yield* questions)(request), {
        action: "accept",
        content: { name: "Ann", age: 41, tall: false, pet: "d", tags: ["x", "z"] }
      })
      assert.lengthOf(asked, 11)
      assert.deepStrictEqual(yield* askForm(yield* person("n").questions)(request), { action: "decline" })
      assert.deepStrictEqual(yield* askForm(yield* person("y", undefined).questions)(request), { action: "cancel" })
    }))
})
