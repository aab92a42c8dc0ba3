/**
 * The values of inputs as the person at the Computer sees and changes them.
 */
import * as Effect from "effect/Effect"
import type { InputDefinition } from "../../InputDefinition.ts"
import { InputError } from "../../InputError.ts"
import type { Inputs, KnownValue } from "../../Inputs.ts"
import type { SecretStore } from "../../SecretStore.ts"
import type { InputResolver } from "./inputResolver.ts"
import { isPassword, isSecret } from "./inputValues.ts"
import type { ValueStore } from "./valueStore.ts"

interface Parts {
  readonly definitions: ReadonlyMap<string, InputDefinition>
  readonly known: <A, E>(
    id: string,
    use: (input: InputDefinition) => Effect.Effect<A, E>
  ) => Effect.Effect<A, E | InputError>
  readonly resolver: InputResolver
  readonly secrets: SecretStore["Service"]
  readonly values: ValueStore
  readonly changed: Effect.Effect<void>
  readonly masked: string
}

export const makeKnownValues = (
  { changed, definitions, known, masked, resolver, secrets, values }: Parts
): Inputs["Service"]["values"] => {
  const show = (input: InputDefinition, reveal: boolean): Effect.Effect<KnownValue | undefined, InputError> =>
    Effect.map(resolver.peek(input), (found) => {
      if (found === undefined) return undefined
      const { id, type } = input
      const secret = isSecret(input)
      return { id, type, value: secret && !reveal ? masked : found.value, secret, from: found.from }
    })
  /** Whether there was anything to forget. */
  const forget = Effect.fnUntraced(function*(inputs: ReadonlyArray<InputDefinition>) {
    const ids = inputs.map(({ id }) => id)
    let found = false
    for (const id of ids) found = (yield* resolver.forget(id)) || found
    found = (yield* values.remove(ids)) || found
    for (const input of inputs) {
      if (!isPassword(input)) continue
      found = (yield* Effect.mapError(
        secrets.remove(input.id),
        ({ message }) => new InputError({ reason: "store", message })
      )) || found
    }
    return found
  }, Effect.ensuring(changed))
  return {
    list: Effect.suspend(() =>
      Effect.forEach(definitions.values(), (input) => Effect.orElseSucceed(show(input, false), () => undefined))
    ).pipe(Effect.map((all) => all.filter((each) => each !== undefined))),
    get: (id, { reveal = false } = {}) => known(id, (input) => show(input, reveal)),
    set: (id, value) => known(id, (input) => resolver.set(input, value)),
    remove: (id) =>
      known(id, (input) =>
        Effect.flatMap(forget([input]), (found) =>
          found
            ? Effect.void
            : Effect.fail(
              new InputError({ reason: "missing", message: `The input "${id}" has no value that is kept.` })
            ))),
    clear: (id) =>
      Effect.asVoid(
        id === undefined
          ? Effect.suspend(() => forget([...definitions.values()]))
          : known(id, (input) => forget([input]))
      )
  }
}
