/**
 * Asks a person for the value of an input, until the answer can be used.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Semaphore from "effect/Semaphore"
import { type InputDefinition, labelled } from "../../InputDefinition.ts"
import { InputError } from "../../InputError.ts"
import type { Prompt, PromptRequest } from "../../InputPrompt.ts"
import { variableOf } from "./inputNames.ts"
import { defaultOf, expected, type InputValue, isSecret } from "./inputValues.ts"

export interface Asking {
  readonly prompt: Prompt | undefined
  /** How long a person has, tries included. */
  readonly timeout: Duration.Input | undefined
  /** One question at a time. */
  readonly turn: Semaphore.Semaphore
}

const DEFAULT_TIMEOUT = Duration.seconds(300)
const MAX_TRIES = 10

/** The answer, or undefined when nobody answers or the answer is empty where there is a default. */
export const askPerson = (
  { prompt, timeout, turn }: Asking,
  input: InputDefinition,
  needed: { readonly server: string | undefined; readonly field: string | undefined } | undefined,
  check: (raw: string) => Effect.Effect<InputValue, string>
): Effect.Effect<InputValue | undefined, InputError> => {
  if (prompt === undefined) return Effect.undefined
  const limit = Duration.fromInputUnsafe(timeout ?? DEFAULT_TIMEOUT)
  const ask = Effect.fnUntraced(function*() {
    let problem: string | undefined
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const answer = yield* prompt(requestOf(input, needed, problem))
      if (answer === "" && defaultOf(input) !== undefined) return undefined
      const checked = yield* Effect.result(check(answer))
      if (checked._tag === "Success") return checked.success
      problem = checked.failure
    }
    return yield* Effect.fail(
      new InputError({
        reason: "invalid",
        message: `None of ${MAX_TRIES} answers could be used for the input "${input.id}": the value ${problem}.`
      })
    )
  })
  return ask().pipe(
    Effect.catchTag("PromptUnavailable", () => Effect.undefined),
    Effect.timeoutOrElse({
      duration: limit,
      orElse: () =>
        Effect.fail(
          new InputError({
            reason: "timeout",
            message: `Nobody gave the input "${input.id}" a value within ${Duration.toSeconds(limit)} s: ` +
              `start the server again to be asked again, or set the environment variable ${variableOf(input.id)}.`
          })
        )
    }),
    turn.withPermit
  )
}

const requestOf = (
  input: InputDefinition,
  needed: { readonly server: string | undefined; readonly field: string | undefined } | undefined,
  problem: string | undefined
): PromptRequest => {
  const hidden = isSecret(input)
  const fallback = defaultOf(input)
  return {
    id: input.id,
    type: input.type,
    description: input.description ?? input.id,
    expects: expected(input),
    hidden,
    options: optionsOf(input),
    default: hidden || fallback === undefined ? undefined : String(fallback),
    problem,
    server: needed?.server,
    field: needed?.field
  }
}

const optionsOf = (input: InputDefinition): PromptRequest["options"] => {
  switch (input.type) {
    case "pickString":
      return input.options.map(labelled)
    case "boolean":
      return [{ label: input.trueLabel ?? "yes", value: "true" }, { label: input.falseLabel ?? "no", value: "false" }]
    default:
      return []
  }
}
