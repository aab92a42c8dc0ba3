/**
 * The values of inputs: read from text or JSON and held against their definitions.
 */
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { stat } from "node:fs/promises"
import { expectation, type InputDefinition, labelled } from "../../InputDefinition.ts"
import { isSecretVariable } from "../secrets/secretNames.ts"

/** A number or a boolean stays one where it stands alone. */
export type InputValue = string | number | boolean

/** What a placeholder stands for. */
export interface Resolved {
  readonly value: Redacted.Redacted<InputValue>
  readonly secret: boolean
}

/** Whether the value of an input is hidden wherever it is shown, and never written to a plain file. */
export const isSecret = (input: InputDefinition): boolean =>
  input.type === "command" || (input.type === "promptString" && (input.password === true || isSecretVariable(input.id)))

/** Whether it is a password, which may be kept in a secret store. */
export const isPassword = (input: InputDefinition): boolean => input.type === "promptString" && input.password === true

/** What a value has to be, in a few words; undefined for a text. */
export const expected = (input: InputDefinition): string | undefined => {
  switch (input.type) {
    case "promptString":
    case "command":
      return undefined
    case "pickString":
      return `one of ${input.options.map((option) => JSON.stringify(labelled(option).value)).join(", ")}`
    default:
      return expectation(input)
  }
}

/**
 * The value that a text or a JSON value stands for, or why it is none: a clause such as `must be a number`, which never
 * repeats the value.
 */
export const readValue = (input: InputDefinition, raw: unknown): Result.Result<InputValue, string> => {
  if (typeof raw !== "string" && typeof raw !== "number" && typeof raw !== "boolean") {
    return Result.fail("must be a text, a number or a boolean")
  }
  switch (input.type) {
    case "command":
      return Result.succeed(String(raw))
    case "promptString":
      return readText(input, String(raw))
    case "pickString": {
      const options = input.options.map(labelled)
      const found = options.find(({ value }) => value === String(raw)) ??
        options.find(({ label }) => label === String(raw))
      return found === undefined ? Result.fail(`must be ${expected(input)}`) : Result.succeed(found.value)
    }
    case "number": {
      const number = typeof raw === "string" && /^\s*[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?\s*$/i.test(raw)
        ? Number(raw)
        : raw
      const fits = typeof number === "number" && Number.isFinite(number) &&
        (input.integer !== true || Number.isInteger(number)) &&
        number >= (input.min ?? -Infinity) && number <= (input.max ?? Infinity)
      return fits ? Result.succeed(number) : Result.fail(`must be ${expectation(input)}`)
    }
    case "boolean": {
      const word = String(raw).trim().toLowerCase()
      if (yes.has(word) || word === input.trueLabel?.toLowerCase()) return Result.succeed(true)
      if (no.has(word) || word === input.falseLabel?.toLowerCase()) return Result.succeed(false)
      return Result.fail(`must be ${expectation(input)}`)
    }
    case "file": {
      const suffixes = input.suffixes ?? []
      const fits = raw !== "" && (suffixes.length === 0 || suffixes.some((suffix) => String(raw).endsWith(suffix)))
      return fits ? Result.succeed(String(raw)) : Result.fail(`must be ${expectation(input)}`)
    }
  }
}

/** As {@link readValue}, and the file has to be there where that is asked for. */
export const checkValue = (input: InputDefinition, raw: unknown): Effect.Effect<InputValue, string> =>
  Effect.tap(Effect.fromResult(readValue(input, raw)), (value) =>
    input.type === "file" && input.mustExist === true
      ? Effect.tryPromise({ try: () => stat(String(value)), catch: () => `must be ${expectation(input)}` })
      : Effect.void)

/** What an empty answer stands for, as it is written. */
export const defaultOf = (input: InputDefinition): InputValue | undefined =>
  input.type === "command" ? undefined : input.default ?? undefined

// -----------------------------------------------------------------------------
// Internal
// -----------------------------------------------------------------------------

const yes: ReadonlySet<string> = new Set(["true", "1", "yes", "y", "on", "是"])
const no: ReadonlySet<string> = new Set(["false", "0", "no", "n", "off", "否"])

const readText = (
  input: Extract<InputDefinition, { readonly type: "promptString" }>,
  text: string
): Result.Result<string, string> => {
  const least = input.minLength ?? (input.password === true ? 1 : 0)
  const { length } = Array.from(text)
  if (length < least) {
    return Result.fail(least === 1 ? "must not be empty" : `must have at least ${least} characters`)
  }
  if (length > (input.maxLength ?? Infinity)) return Result.fail(`must have at most ${input.maxLength} characters`)
  if (typeof input.pattern !== "string") return Result.succeed(text)
  let pattern: RegExp
  try {
    pattern = new RegExp(`^(?:${input.pattern})$`, "u")
  } catch {
    return Result.fail("cannot be checked: the pattern of its definition is no regular expression")
  }
  return pattern.test(text)
    ? Result.succeed(text)
    : Result.fail(input.patternMessage ?? `must match the pattern ${input.pattern}`)
}
