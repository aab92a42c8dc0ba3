import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { mask, parse, type Segment } from "../../../src/computer/internal/inputs/placeholders.ts"
import type { Dialect } from "../../../src/computer/ServerEntry.ts"

/** A parsed text in short: literals as they are, placeholders in brackets with their kind, name and default. */
const shape = (segments: ReadonlyArray<Segment>): ReadonlyArray<string> =>
  segments.map((segment) => {
    if (typeof segment === "string") return segment
    switch (segment._tag) {
      case "Input":
        return `<input ${segment.id}>`
      case "Constant":
        return `<constant ${segment.name}>`
      case "Unsupported":
        return `<unsupported ${segment.text}>`
      case "Variable": {
        const { fallback } = segment
        return `<variable ${segment.name}${fallback === undefined ? "" : `:-${shape(fallback).join("")}`}>`
      }
    }
  })

const nested = (depth: number): string => depth === 0 ? "x" : `\${A:-${nested(depth - 1)}}`

/** A text, and what it is made of in a dialect. */
const parsed: ReadonlyArray<readonly [dialect: Dialect, text: string, ...expected: ReadonlyArray<string>]> = [
  ["a2c", ""],
  ["a2c", "plain", "plain"],
  ["a2c", "${input:token}", "<input token>"],
  ["a2c", "${input:plugin@market:token}", "<input plugin@market:token>"],
  ["a2c", "Bearer ${input:token}!", "Bearer ", "<input token>", "!"],
  ["a2c", "${env:TOKEN}${B}", "<variable TOKEN>", "<variable B>"],
  ["a2c", "${env:ProgramFiles(x86)}", "<variable ProgramFiles(x86)>"],
  ["a2c", "${NOPE:-a:-b}", "<variable NOPE:-a:-b>"],
  ["a2c", "${env:NOPE:-}", "<variable NOPE:->"],
  ["a2c", "${A:-${B:-${input:c}}}/x", "<variable A:-<variable B:-<input c>>>", "/x"],
  ["a2c", "${A:-{\"b\":{}}}", "<variable A:-{\"b\":{}}>"],
  [
    "a2c",
    "${userHome}${pathSeparator}${/}",
    ...["userHome", "pathSeparator", "pathSeparator"].map((c) => `<constant ${c}>`)
  ],
  [
    "a2c",
    "${workspaceFolder} ${workspaceFolderBasename}",
    "<constant workspaceFolder>",
    " ",
    "<constant workspaceFolderBasename>"
  ],
  ["a2c", "$${TOKEN}", "${TOKEN}"],
  ["a2c", "$${${TOKEN}}", "${", "<variable TOKEN>", "}"],
  ["a2c", "$$${TOKEN}", "$${TOKEN}"],
  [
    "a2c",
    "${1} ${#list} ${} $HOME $(x) ${a{b} ${s3 cret} ${open",
    "${1} ${#list} ${} $HOME $(x) ${a{b} ${s3 cret} ${open"
  ],
  ["a2c", "${command:pick} ${config:a.b}", "<unsupported ${command:pick}>", " ", "<unsupported ${config:a.b}>"],
  ["a2c", "{env:X}", "{env:X}"],
  ["claude-code", "${A} ${A:-b} ${env:C}", "<variable A>", " ", "<variable A:-b>", " ", "<variable C>"],
  ["vscode", "${NAME} ${env:X} ${input:i}", "${NAME} ", "<variable X>", " ", "<input i>"],
  ["vscode", "sh -c 'echo ${NAME:-x} $${y}'", "sh -c 'echo ${NAME:-x} ${y}'"],
  ["cursor", "${workspaceFolder}/${NAME}", "<constant workspaceFolder>", "/${NAME}"],
  [
    "gemini",
    "$A/${B}/${C:-d}/$1/$/${input:x}",
    "<variable A>",
    "/",
    "<variable B>",
    "/",
    "<variable C:-d>",
    "/$1/$/${input:x}"
  ],
  ["gemini", "$${A}", "${A}"],
  ["opencode", "Bearer {env:X}", "Bearer ", "<variable X>"],
  ["opencode", "${X} {env:} {file:~/t}", "${X} {env:} ", "<unsupported {file:~/t}>"],
  ["claude-desktop", "${A} $B {env:C} $${d}", "${A} $B {env:C} $${d}"],
  ["a2c", nested(11), `<variable A:-${"<variable A:-".repeat(9)}<unsupported \${A:-***}>${">".repeat(10)}`]
]

/** A value, and what may be shown of it. */
const masked: ReadonlyArray<readonly [value: string, shown: string]> = [
  ["", ""],
  ["sk-123", "***"],
  ["${input:token}", "${input:token}"],
  ["${env:A}${B}", "${env:A}${B}"],
  ["Bearer ${input:token}", "***${input:token}"],
  ["${A:-s3cret}x", "${A:-***}***"],
  ["${A:-${input:token}}", "${A:-***}"],
  ["$${s3cret}", "***"],
  ["${s3 cret}", "***"]
]

/** Made of what matters here. */
const anyParts = Schema.Array(Schema.Literals(["$", "{", "}", ":-", "input:", "env:", "A", "b c", "/", "\n"]))

describe("placeholders", () => {
  it.each(parsed.map(([dialect, text, ...expected]) => ({ dialect, text, expected })))(
    "$dialect takes $text apart",
    ({ dialect, expected, text }) => {
      assert.deepStrictEqual(shape(parse(text, dialect)), expected)
    }
  )

  it.each(masked)("shows %j as %j", (value, shown) => {
    assert.strictEqual(mask(value), shown)
  })

  it.effect.prop("takes every text literally in which ${ is escaped", [anyParts], ([parts]) =>
    Effect.sync(() => {
      const text = parts.join("")
      for (const dialect of ["a2c", "claude-code", "vscode", "cursor"] as const) {
        assert.strictEqual(shape(parse(text.replaceAll("${", () => "$${"), dialect)).join(""), text)
      }
      assert.strictEqual(shape(parse(text, "claude-desktop")).join(""), text)
    }))

  it("takes no longer for text that is nested or never closed", () => {
    const many = 5000
    const open = ["${", "${a:-", "${{", "${#", "${env:", "${env:a:-", "${input:", "{env:", "$"]
    // steps that grow with the square of the length would outlast the test
    for (const each of open) {
      for (const text of [each.repeat(many), each.repeat(many) + "}".repeat(2 * many)]) {
        for (const dialect of ["a2c", "vscode", "gemini", "opencode"] as const) assert.isNotEmpty(parse(text, dialect))
      }
    }
  })

  it("hides what is literal in the dialect of its file", () => {
    assert.strictEqual(mask("${input:token}", "claude-desktop"), "***")
  })
})
