import { assert, describe, it } from "@effect/vitest"
import { InputError } from "../../../src/computer/InputError.ts"
import { summaryOf } from "../../../src/computer/internal/supervision/serverLoss.ts"

describe("what callers are told of an input without a value", () => {
  it.each(["command", "store"] as const)("is nothing of this machine when its %s fails", (reason) => {
    const message = "The command ended with exit code 1; its last stderr lines:\n  /home/me/secret"
    assert.match(summaryOf(new InputError({ reason, message })), /^a value .* cannot be found out/)
  })

  it("names what is missing otherwise", () => {
    const message = "${input:id} in env.ID: The input \"id\" has no value"
    assert.strictEqual(summaryOf(new InputError({ reason: "missing", message })), message)
  })
})
