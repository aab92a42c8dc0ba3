import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import * as Words from "../../src/cli/console/Words.ts"

const texts = (line: string): ReadonlyArray<string> | Words.WordError => {
  const words = Words.parse(line)
  return Result.isSuccess(words) ? words.success.map(({ text }) => text) : words.failure
}

describe("the words of a line", () => {
  const good: ReadonlyArray<readonly [line: string, words: ReadonlyArray<string>]> = [
    ["", []],
    ["   ", []],
    ["# all of it", []],
    ["status # rest", ["status"]],
    ["a#b", ["a#b"]],
    ["  server   rm\tx ", ["server", "rm", "x"]],
    [`socket join "my office" 'a "b"'`, ["socket", "join", "my office", "a \"b\""]],
    [String.raw`a\ b \"c C:\dir "x\"y\\z\n"`, ["a b", "\"c", String.raw`C:\dir`, String.raw`x"y\z\n`]],
    [`tc {"a": "} \\" {", "b": [1, 2]} next`, ["tc", `{"a": "} \\" {", "b": [1, 2]}`, "next"]],
    [`call t list=[1, 2] o={"x": 1}`, ["call", "t", "list=[1, 2]", `o={"x": 1}`]],
    ["a{b c}d", ["a{b", "c}d"]],
    ["\"\"", [""]]
  ]
  it.each(good)("parts %j", (line, words) => {
    assert.deepStrictEqual(texts(line), words)
  })

  const bad: ReadonlyArray<readonly [line: string, at: number, said: RegExp]> = [
    ["a 'b", 2, /' has no other/],
    ["a \"b", 2, /" has no other/],
    ["tc {\"a\": [1}", 11, /} does not close the \[/],
    ["tc {\"a\": 1", 3, /\{ is not closed/]
  ]
  it.each(bad)("says where %j is wrong", (line, at, said) => {
    const parsed = Words.parse(line)
    assert.isTrue(Result.isFailure(parsed))
    if (Result.isFailure(parsed)) {
      assert.strictEqual(parsed.failure.at, at)
      assert.match(parsed.failure.message, said)
    }
  })

  it.effect.prop(
    "a quoted text is one word again",
    { text: Schema.String },
    ({ text }) => Effect.sync(() => assert.deepStrictEqual(texts(`x ${Words.quote(text)} y`), ["x", text, "y"]))
  )

  const Noise = Schema.Array(
    Schema.Literals("{ } [ ] \" ' \\ # = \t a b é 😀 : , \u0000 \u001b @ -".split(" ").concat(" "))
  )
  it.effect.prop(
    "whatever is typed, it is parted or refused with a place in it",
    { noise: Noise },
    ({ noise }) =>
      Effect.sync(() => {
        const line = noise.join("")
        const parsed = Words.parse(line)
        const places = Result.isSuccess(parsed) ? parsed.success.map(({ at }) => at) : [parsed.failure.at]
        assert.isTrue(places.every((at) => at >= 0 && at < line.length))
        const { last } = Words.atEnd(line)
        assert.isAtMost(last.at, line.length)
      })
  )
})
