import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { homedir } from "node:os"
import { mask, render } from "../../../src/computer/internal/placeholders.ts"

const environment = { TOKEN: "t0ken", EMPTY: "", "ProgramFiles(x86)": "C:\\P" }

/** A text, and what it becomes. */
const rendered: ReadonlyArray<readonly [text: string, expected: string]> = [
  ["plain", "plain"],
  ["${env:TOKEN}", "t0ken"],
  ["Bearer ${TOKEN}!", "Bearer t0ken!"],
  ["${env:ProgramFiles(x86)}", "C:\\P"],
  ["${EMPTY}", ""],
  ["${EMPTY:-x}", "x"],
  ["${NOPE:-a:-b}", "a:-b"],
  ["${env:NOPE:-d}", "d"],
  ["${NOPE:-}", ""],
  ["${TOKEN:-x}", "t0ken"],
  ["${userHome}/x", `${homedir()}/x`],
  ["$${TOKEN}", "${TOKEN}"],
  ["${1} ${#list} ${} $HOME $(x)", "${1} ${#list} ${} $HOME $(x)"]
]

/** A text, and the placeholder in it that has no value. */
const unresolved: ReadonlyArray<readonly [text: string, named: string]> = [
  ["${input:token}", "${input:token}"],
  ["a ${input:token} b", "${input:token}"],
  ["${env:NOPE}", "${env:NOPE}"],
  ["${NOPE}", "${NOPE}"],
  ["${workspaceFolder}/x", "${workspaceFolder}"],
  ["${command:pick}", "${command:pick}"],
  ["${__proto__}", "${__proto__}"],
  ["${constructor}", "${constructor}"]
]

/** A value, and what may be shown of it. */
const masked: ReadonlyArray<readonly [value: string, shown: string]> = [
  ["", ""],
  ["sk-123", "***"],
  ["${input:token}", "${input:token}"],
  ["${env:A}${B}", "${env:A}${B}"],
  ["Bearer ${input:token}", "***${input:token}"],
  ["${A:-s3cret}x", "${A:-***}***"],
  ["$${s3cret}", "***"],
  ["${s3 cret}", "***"]
]

describe("placeholders", () => {
  it.each(rendered)("renders %j as %j", (text, expected) => {
    assert.deepStrictEqual(render({ a: [text, 1, null] }, environment), Result.succeed({ a: [expected, 1, null] }))
  })

  it.each(unresolved)("refuses %j, naming %j and its place", (text, named) => {
    const result = render({ env: { KEY: text }, args: ["${TOKEN}"] }, environment)
    assert.isTrue(Result.isFailure(result))
    if (Result.isFailure(result)) {
      assert.include(result.failure, `${named} in env.KEY`)
      assert.notInclude(result.failure, "t0ken")
      assert.notInclude(result.failure, "\n")
    }
  })

  it("names everything that has no value at once", () => {
    const result = render({ args: ["${A}", "${input:b}"] }, environment)
    assert.match(
      Result.isFailure(result) ? result.failure : "",
      /\$\{A\} in args\[0\], \$\{input:b\} in args\[1\]\. Inputs/
    )
  })

  it("does not render what comes out of a variable", () => {
    assert.deepStrictEqual(render(["${A}"], { A: "${B}", B: "x" }), Result.succeed(["${B}"]))
  })

  it.each(masked)("shows %j as %j", (value, shown) => {
    assert.strictEqual(mask(value), shown)
  })
})
