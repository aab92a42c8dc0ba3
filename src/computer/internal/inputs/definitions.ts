/**
 * The definitions of inputs, and what changes with them.
 */
import * as Effect from "effect/Effect"
import type { InputDefinition } from "../../InputDefinition.ts"
import { InputError } from "../../InputError.ts"
import type { Inputs } from "../../Inputs.ts"
import { collidingId, collision } from "./inputNames.ts"
import { type InputResolver, undefinedInput } from "./inputResolver.ts"
import { isSecret } from "./inputValues.ts"
import type { ValueStore } from "./valueStore.ts"

interface Parts {
  readonly definitions: Map<string, InputDefinition>
  readonly resolver: InputResolver
  readonly values: ValueStore
  readonly changed: Effect.Effect<void>
}

export interface Definitions extends Pick<Inputs["Service"], "put" | "remove" | "replace"> {
  /** Does something with a definition that there has to be. */
  readonly known: <A, E>(
    id: string,
    use: (input: InputDefinition) => Effect.Effect<A, E>
  ) => Effect.Effect<A, E | InputError>
  /** Takes out of the plain file what is a secret by now. */
  readonly tidy: Effect.Effect<void>
}

export const makeDefinitions = ({ changed, definitions, resolver, values }: Parts): Definitions => {
  const known = <A, E>(id: string, use: (input: InputDefinition) => Effect.Effect<A, E>) =>
    Effect.suspend((): Effect.Effect<A, E | InputError> => {
      const input = definitions.get(id)
      return input === undefined ? Effect.fail(undefinedInput(id)) : use(input)
    })
  const define = Effect.fnUntraced(function*(input: InputDefinition) {
    if (JSON.stringify(definitions.get(input.id)) === JSON.stringify(input)) return
    definitions.set(input.id, input)
    yield* resolver.forget(input.id)
    if (isSecret(input)) yield* values.remove([input.id])
  })
  const undefine = (id: string) => Effect.andThen(Effect.sync(() => definitions.delete(id)), resolver.forget(id))
  return {
    known,
    tidy: Effect.catch(
      Effect.suspend(() => values.remove([...definitions.values()].filter(isSecret).map(({ id }) => id))),
      ({ message }) => Effect.logWarning(message)
    ),
    put: Effect.fnUntraced(function*(input) {
      yield* refuseCollision(input, definitions.keys())
      yield* define(input)
      yield* changed
    }),
    remove: (id) => known(id, () => Effect.andThen(undefine(id), changed)),
    replace: Effect.fnUntraced(function*(inputs) {
      const ids = inputs.map(({ id }) => id)
      for (const input of inputs) yield* refuseCollision(input, ids)
      for (const id of [...definitions.keys()]) if (!ids.includes(id)) yield* undefine(id)
      for (const input of inputs) yield* define(input)
      yield* changed
    })
  }
}

const refuseCollision = ({ id }: InputDefinition, others: Iterable<string>): Effect.Effect<void, InputError> => {
  const other = collidingId(id, others)
  return other === undefined
    ? Effect.void
    : Effect.fail(new InputError({ reason: "undefined", message: `${collision(id, other)}.` }))
}
