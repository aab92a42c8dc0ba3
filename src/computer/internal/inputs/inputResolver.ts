/**
 * Where the value of an input comes from: what is known already, its environment variable, the secret store or the file with
 * values, its command or a person, and its default, in this order.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as RcMap from "effect/RcMap"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { InputDefinition } from "../../InputDefinition.ts"
import { InputError } from "../../InputError.ts"
import { monotonicNow } from "../monotonic.ts"
import { type Asking, askPerson } from "./askInput.ts"
import { chainProblem } from "./inputChain.ts"
import { collidingId, collision, variableOf } from "./inputNames.ts"
import {
  type InputSources,
  makeInputSources,
  type Needed,
  type SourceOptions,
  type ValueSource
} from "./inputSources.ts"
import { type InputValue, isPassword, isSecret, type Resolved } from "./inputValues.ts"

export interface ResolverOptions extends SourceOptions {
  readonly definitions: ReadonlyMap<string, InputDefinition>
  readonly asking: Asking
  /** Something is known that was not, or no longer. */
  readonly changed: Effect.Effect<void>
}

export interface InputResolver {
  /** The value of an input. However many need it at the same time, it is looked for once. */
  readonly resolve: (id: string, needed: Needed) => Effect.Effect<Resolved, InputError>
  /** What is known without asking anybody and without running anything. */
  readonly peek: (
    input: InputDefinition
  ) => Effect.Effect<{ readonly value: InputValue; readonly from: ValueSource } | undefined, InputError>
  /** Takes this value from now on, or the default without one, and keeps it where its kind is kept. */
  readonly set: (input: InputDefinition, raw: unknown) => Effect.Effect<void, InputError>
  /** Forgets what is known, and whether there was anything. Whoever has asked for it by now gets what was asked for. */
  readonly forget: (id: string) => Effect.Effect<boolean>
}

/** What a command printed is good for the servers that start together, and not for ever: it may be a token that expires. */
const COMMAND_OUTPUT_KEPT = Duration.toMillis("1 minute")

export const makeInputResolver = Effect.fnUntraced(function*(
  options: ResolverOptions
): Effect.fn.Return<InputResolver, never, Scope.Scope> {
  const { changed, definitions } = options
  const sources = makeInputSources(options)
  const cache = makeCache()
  const neededFor = new Map<string, Needed>()
  /** The search whose value counts, by id: of one that began before its value was set or cleared it does not. */
  const searches = new Map<string, object>()
  const flights = yield* RcMap.make({
    lookup: Effect.fnUntraced(function*(id: string) {
      const input = definitions.get(id)
      if (input === undefined) return yield* Effect.fail(undefinedInput(id))
      const search = {}
      searches.set(id, search)
      const { from, value } = yield* find(input, sources, options.asking, neededFor.get(id))
      if (from !== undefined && searches.get(id) === search) {
        if (from === "prompt") yield* sources.keep(input, value)
        yield* remember(input, value, from === "prompt" ? Infinity : COMMAND_OUTPUT_KEPT)
      }
      return { value: Redacted.make(value), secret: isSecret(input) }
    })
  })
  const remember = (input: InputDefinition, value: InputValue, millis: number) =>
    Effect.andThen(cache.set(input.id, value, millis), changed)
  const forget = (id: string) =>
    Effect.suspend(() => {
      searches.delete(id)
      return Effect.as(RcMap.invalidate(flights, id), cache.delete(id))
    })
  return {
    resolve: Effect.fnUntraced(function*(id, needed) {
      const input = definitions.get(id)
      if (input === undefined) return yield* Effect.fail(undefinedInput(id))
      const problem = problemOf(id, definitions)
      if (problem !== undefined) return yield* Effect.fail(new InputError({ reason: "undefined", message: problem }))
      const value = yield* cache.get(id)
      if (value !== undefined) return { value, secret: isSecret(input) }
      if (!neededFor.has(id)) neededFor.set(id, needed)
      return yield* Effect.scoped(RcMap.get(flights, id)).pipe(
        Effect.ensuring(Effect.sync(() => neededFor.delete(id)))
      )
    }),
    peek: Effect.fnUntraced(function*(input) {
      const value = yield* cache.get(input.id)
      if (value !== undefined) return { value: Redacted.value(value), from: "cache" as const }
      const inEnvironment = yield* sources.environment(input)
      if (inEnvironment !== undefined) return { value: inEnvironment, from: "environment" as const }
      const kept = yield* sources.stores(input)
      return kept === undefined ? undefined : { value: kept, from: isPassword(input) ? "keychain" : "store" }
    }),
    set: Effect.fnUntraced(function*(input, raw) {
      const value = raw === undefined
        ? yield* sources.fallback(input)
        : yield* sources.checked(input, raw, "that is to be set")
      if (value === undefined) return yield* Effect.fail(nothingToSet(input))
      // whatever is being looked for meanwhile is neither kept before nor remembered after
      yield* forget(input.id)
      yield* sources.keep(input, value)
      yield* forget(input.id)
      yield* remember(input, value, Infinity)
    }),
    forget
  }
})

// -----------------------------------------------------------------------------
// Internal
// -----------------------------------------------------------------------------

/** Values for as long as they are good. */
const makeCache = () => {
  const known = new Map<string, { readonly value: Redacted.Redacted<InputValue>; readonly until: number }>()
  return {
    get: (id: string): Effect.Effect<Redacted.Redacted<InputValue> | undefined> =>
      Effect.map(monotonicNow, (now) => {
        const found = known.get(id)
        if (found === undefined || now < found.until) return found?.value
        known.delete(id)
        return undefined
      }),
    set: (id: string, value: InputValue, millis: number): Effect.Effect<void> =>
      Effect.map(monotonicNow, (now) => {
        known.set(id, { value: Redacted.make(value), until: now + millis })
      }),
    delete: (id: string): boolean => known.delete(id)
  }
}

/** Looks in one place after the other. A store that cannot be read does not keep a person from being asked. */
const find = Effect.fnUntraced(function*(
  input: InputDefinition,
  sources: InputSources,
  asking: Asking,
  needed: Needed | undefined
): Effect.fn.Return<{ readonly value: InputValue; readonly from?: "prompt" | "command" }, InputError> {
  const inEnvironment = yield* sources.environment(input)
  if (inEnvironment !== undefined) return { value: inEnvironment }
  const kept = yield* Effect.result(sources.stores(input))
  if (kept._tag === "Failure") yield* Effect.logWarning(kept.failure.message)
  else if (kept.success !== undefined) return { value: kept.success }
  if (input.type === "command") return { value: yield* sources.command(input), from: "command" }
  const answer = yield* askPerson(asking, input, needed, (raw) => sources.check(input, raw))
  if (answer !== undefined) return { value: answer, from: "prompt" }
  const fallback = yield* sources.fallback(input)
  if (fallback !== undefined) return { value: fallback }
  const { message } = missing(input, asking.prompt !== undefined)
  return yield* Effect.fail(
    kept._tag === "Failure"
      ? new InputError({ reason: "store", message: `${message} ${kept.failure.message}` })
      : new InputError({ reason: "missing", message })
  )
})

/** Why an input cannot be used, whatever its value. */
const problemOf = (id: string, definitions: ReadonlyMap<string, InputDefinition>): string | undefined => {
  const other = collidingId(id, definitions.keys())
  return other === undefined ? chainProblem(id, definitions) : `${collision(id, other)}.`
}

// -----------------------------------------------------------------------------
// Errors
// -----------------------------------------------------------------------------

export const undefinedInput = (id: string): InputError =>
  new InputError({
    reason: "undefined",
    message: `There is no input "${id}": add it to "inputs" of the configuration.`
  })

const nothingToSet = (input: InputDefinition): InputError => {
  const why = input.type === "command" ? "it is what its command prints" : "it has no default"
  return new InputError({ reason: "missing", message: `Give the input "${input.id}" a value: ${why}.` })
}

const missing = (input: InputDefinition, asked: boolean): { readonly message: string } => ({
  message: `The input "${input.id}" has no value${
    asked ? ", and nobody gave it one: restart the server to be asked again, or " : ": "
  }set the environment variable ${variableOf(input.id)}${asked ? "" : ", or start it at a terminal to be asked"}.`
})
