/**
 * Where the values of a server's placeholders would come from.
 */
import * as Effect from "effect/Effect"
import type { InputDefinition } from "../../InputDefinition.ts"
import type { ServerEntry } from "../../ServerEntry.ts"
import { isSecretVariable } from "../secrets/secretNames.ts"
import type { InputResolver } from "./inputResolver.ts"
import type { ValueSource } from "./inputSources.ts"
import { defaultOf, isSecret } from "./inputValues.ts"
import type { Placeholder } from "./placeholders.ts"
import { constantValue, variableValue } from "./placeholderValues.ts"
import { templateOf } from "./renderEntry.ts"

/** A placeholder and where its value would come from. Never holds a value. */
export interface Explanation {
  /** The field it stands in, such as `env.TOKEN` or `args[1]`. */
  readonly field: string
  /** As it is written, without its default. */
  readonly placeholder: string
  readonly kind: "input" | "variable" | "constant" | "unsupported"
  /** The id of the input, or the name of the variable or constant. */
  readonly name: string
  /** `missing`: the server cannot start. */
  readonly from: ValueSource | "constant" | "missing"
  readonly secret: boolean
}

interface Known {
  readonly definitions: ReadonlyMap<string, InputDefinition>
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly peek: InputResolver["peek"]
  /** Whether there is somebody to ask. */
  readonly asks: boolean
}

export const explainEntry = (entry: ServerEntry, known: Known): Effect.Effect<ReadonlyArray<Explanation>> =>
  Effect.forEach(
    templateOf(entry).sites,
    ({ field, placeholder }) =>
      Effect.map(explain(placeholder, entry.origin.directory, known), (rest) => ({
        field,
        placeholder: placeholder.text,
        ...rest
      }))
  )

type Explained = Omit<Explanation, "field" | "placeholder">

const explain = (
  placeholder: Placeholder,
  directory: string | undefined,
  known: Known
): Effect.Effect<Explained> => {
  switch (placeholder._tag) {
    case "Input":
      return explainInput(placeholder.id, known)
    case "Variable": {
      const { fallback, name } = placeholder
      const isSet = variableValue(placeholder, known.environment) !== undefined
      const from = isSet ? "environment" : fallback === undefined ? "missing" : "default"
      return Effect.succeed({ kind: "variable", name, from, secret: isSecretVariable(name) })
    }
    case "Constant": {
      const { name } = placeholder
      const from = constantValue(name, directory) === undefined ? "missing" : "constant"
      return Effect.succeed({ kind: "constant", name, from, secret: false })
    }
    case "Unsupported":
      return Effect.succeed({ kind: "unsupported", name: placeholder.text, from: "missing", secret: false })
  }
}

const explainInput = Effect.fnUntraced(function*(
  id: string,
  { asks, definitions, peek }: Known
): Effect.fn.Return<Explained> {
  const input = definitions.get(id)
  if (input === undefined) return { kind: "input", name: id, from: "missing", secret: false }
  const explained = (from: Explanation["from"]): Explained => ({
    kind: "input",
    name: id,
    from,
    secret: isSecret(input)
  })
  const found = yield* Effect.result(peek(input))
  // a value that is there and cannot be used is not replaced by another one
  if (found._tag === "Failure") return explained("missing")
  if (found.success !== undefined) return explained(found.success.from)
  if (input.type === "command") return explained("command")
  if (asks) return explained("prompt")
  return explained(defaultOf(input) === undefined ? "missing" : "default")
})
