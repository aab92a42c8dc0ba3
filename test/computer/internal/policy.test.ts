import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as Policy from "../../../src/computer/internal/consent/policy.ts"

const call = (annotations: Readonly<Record<string, unknown>> = {}): Policy.Subject => ({
  server: "files",
  tool: "delete_file",
  exposedName: "files__rm",
  definition: { annotations }
})

describe("a pattern", () => {
  const Letters = Schema.Array(Schema.Literals(["a", "b", "*"])).check(Schema.isMaxLength(8))
  /** What a pattern means, said the slow way. */
  const means = (pattern: string, text: string): boolean =>
    pattern === ""
      ? text === ""
      : pattern.startsWith("*")
      ? means(pattern.slice(1), text) || (text !== "" && means(pattern, text.slice(1)))
      : text.startsWith(pattern[0]!) && means(pattern.slice(1), text.slice(1))

  it.prop("matches what it says", [Letters, Letters], ([pattern, text]) => {
    const [left, right] = [pattern.join(""), text.join("").replaceAll("*", "")]
    return Policy.matches(left, right) === means(left, right)
  })

  it("takes no longer for many stars", () => {
    // trying every way to fill the stars would outlast the test
    assert.isFalse(Policy.matches("a*".repeat(5000) + "b", "a".repeat(100_000)))
  })
})

describe("a policy", () => {
  const table: ReadonlyArray<
    readonly [
      what: string,
      rules: ReadonlyArray<Policy.Rule>,
      subject: Policy.Subject,
      action: Policy.Action | undefined
    ]
  > = [
    ["says nothing without rules", [], call(), undefined],
    [
      "takes the first rule that holds",
      [{ action: "allow", tool: "x" }, { action: "ask" }, { action: "deny" }],
      call(),
      "ask"
    ],
    ["knows a tool by its own name", [{ action: "deny", tool: "delete_*" }], call(), "deny"],
    ["knows a tool by the name it was called by", [{ action: "deny", tool: "*__rm" }], call(), "deny"],
    ["knows another tool", [{ action: "deny", tool: "delete" }], call(), undefined],
    ["knows a server", [{ action: "deny", server: "f*s" }], call(), "deny"],
    ["allows a tool by its own name", [{ action: "allow", tool: "delete_file" }], call(), "allow"],
    [
      "allows no tool that a server gave the name under which another is called",
      [{ action: "allow", tool: "notes__read" }],
      { ...call(), tool: "notes__read", exposedName: "files__notes__read" },
      undefined
    ],
    [
      "knows the server that may have such a tool",
      [{ action: "allow", tool: "notes__read", server: "files" }],
      { ...call(), tool: "notes__read", exposedName: "files__notes__read" },
      "allow"
    ],
    ["wants all conditions met", [{ action: "deny", server: "files", tool: "read" }], call(), undefined]
  ]
  it.for(table)("%s", ([, rules, subject, action]) => {
    assert.strictEqual(Policy.decide(rules, subject), action)
  })

  const traits: ReadonlyArray<
    readonly [hints: Readonly<Record<string, unknown>>, traits: ReadonlyArray<Policy.Trait>]
  > = [
    [{}, ["destructive", "openWorld"]],
    [{ readOnlyHint: true }, ["readOnly", "openWorld"]],
    [{ readOnlyHint: true, destructiveHint: true }, ["destructive", "openWorld"]],
    [{ readOnlyHint: "true", destructiveHint: false }, ["openWorld"]],
    [{ destructiveHint: false, idempotentHint: true, openWorldHint: false }, ["idempotent"]],
    [{ readOnlyHint: true, destructiveHint: false, openWorldHint: true }, ["readOnly", "openWorld"]]
  ]
  it.for(traits)("of a tool with %j holds for %j", ([hints, expected]) => {
    const all = ["readOnly", "destructive", "idempotent", "openWorld"] as const
    assert.deepStrictEqual(
      all.filter((annotation) => Policy.decide([{ action: "deny", annotation }], call(hints)) === "deny"),
      [...expected]
    )
  })
})

describe("a policy in JSON", () => {
  const rules: ReadonlyArray<Policy.Rule> = [{ action: "deny", tool: "*delete*" }, {
    action: "allow",
    server: "a",
    annotation: "readOnly"
  }]
  it.effect("is a list of rules, or has one", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* Policy.rulesFromJson(rules), rules)
      assert.deepStrictEqual(yield* Policy.rulesFromJson({ rules }), rules)
    }))

  const wrong: ReadonlyArray<readonly [value: unknown, problem: string]> = [
    ["deny", "expected a list of rules"],
    [{ rules, rule: 1 }, "the key \"rule\" is unknown"],
    [[{ action: "deny" }, 3], "rule 2: expected an object"],
    [[{ action: "alow" }], "rule 1: \"action\" is \"alow\"; expected one of allow, ask, deny"],
    [[{ tool: "x" }], "rule 1: \"action\" is missing"],
    [[{ action: "allow", tols: "x" }], "rule 1: the key \"tols\" is unknown"],
    [[{ action: "allow", tool: "" }], "rule 1: \"tool\" is \"\""],
    [[{ action: "allow", server: ["a"] }], "rule 1: \"server\" is [\"a\"]"],
    [[{ action: "allow", annotation: "readonly" }], "rule 1: \"annotation\" is \"readonly\"; expected one of readOnly"]
  ]
  it.effect.each(wrong)("is refused: %j", ([value, problem]) =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Policy.rulesFromJson(value))
      assert.include(error.message, problem)
    }))
})
