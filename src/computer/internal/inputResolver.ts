/**
 * Where the value of an input comes from: what is known already, its environment variable, the secret store or the file with
 * values, its command or a person, and its default, in this order.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as RcMap from "effect/RcMap"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { InputDefinition } from "../InputDefinition.ts"
import { InputError } from "../InputError.ts"
import type { SecretStore } from "../SecretStore.ts"
import { type Asking, askPerson } from "./askInput.ts"
import { chainProblem } from "./inputChain.ts"
import { collidingId, collision, looksSecret, variableOf } from "./inputNames.ts"
import { checkValue, defaultOf, type InputValue, isPassword, isSecret, type Resolved } from "./inputValues.ts"
import { parse, type Segment } from "./placeholders.ts"
import { makeRedactor } from "./redact.ts"
import { runCommand } from "./runCommand.ts"
import type { ValueStore } from "./valueStore.ts"

/** Where a value comes from. */
export type ValueSource = "cache" | "environment" | "keychain" | "store" | "command" | "prompt" | "default"

/** For whom a value is needed. */
export interface Needed {
  readonly server: string | undefined
  readonly field: string | undefined
}

export interface ResolverOptions {
  readonly definitions: ReadonlyMap<string, InputDefinition>
  readonly environment: () => Readonly<Record<string, string | undefined>>
  readonly secrets: SecretStore["Service"]
  readonly values: ValueStore
  readonly asking: Asking
  readonly validate: ((id: string, value: InputValue) => Effect.Effect<string | undefined>) | undefined
  readonly commandTimeout: Duration.Input | undefined
  /** The values of placeholders in the defaults and arguments of definitions. */
  readonly join: (segments: ReadonlyArray<Segment>, needed: Needed) => Effect.Effect<Resolved, InputError>
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
  /** Takes this value from now on, and keeps it where its kind is kept. */
  readonly set: (input: InputDefinition, raw: unknown) => Effect.Effect<void, InputError>
  /** Forgets what is known, and whether there was anything; whoever is being asked is asked for nothing. */
  readonly forget: (id: string) => Effect.Effect<boolean>
  /** Holds a raw value against its definition. */
  readonly check: (input: InputDefinition, raw: unknown) => Effect.Effect<InputValue, string>
}

/** What a command printed is good for the servers that start together, and not for ever: it may be a token that expires. */
const COMMAND_OUTPUT_KEPT = Duration.toMillis("1 minute")
const VALIDATION_TIMEOUT = Duration.seconds(30)

interface Known {
  readonly value: Redacted.Redacted<InputValue>
  readonly until: number
}

export const makeInputResolver = Effect.fnUntraced(function*(
  options: ResolverOptions
): Effect.fn.Return<InputResolver, never, Scope.Scope> {
  const { asking, changed, definitions, environment, join, secrets, values } = options
  const known = new Map<string, Known>()
  const neededFor = new Map<string, Needed>()
  const flights = yield* RcMap.make({
    lookup: (id: string) =>
      Effect.suspend(() => {
        const input = definitions.get(id)
        return input === undefined ? Effect.fail(undefinedInput(id)) : find(input)
      })
  })

  const check: InputResolver["check"] = (input, raw) =>
    Effect.tap(
      checkValue(input, raw),
      (value) =>
        options.validate === undefined ? Effect.void : options.validate(input.id, value).pipe(
          Effect.timeoutOrElse({ duration: VALIDATION_TIMEOUT, orElse: () => Effect.succeed("could not be checked") }),
          Effect.flatMap((problem) => problem === undefined ? Effect.void : Effect.fail(problem))
        )
    )
  const checked = (input: InputDefinition, raw: unknown, where: string) =>
    Effect.mapError(check(input, raw), (why) => invalidValue(input.id, where, why))

  const keep = (input: InputDefinition, value: InputValue): Effect.Effect<void> => {
    const kept: Effect.Effect<void, { readonly message: string }> = isPassword(input)
      ? secrets.set(input.id, Redacted.make(String(value)))
      : isSecret(input)
      ? Effect.void
      : values.set(input.id, value)
    return Effect.catch(
      kept,
      ({ message }) => Effect.logWarning(`${message} The value is kept until this program ends.`)
    )
  }
  const remember = Effect.fnUntraced(function*(input: InputDefinition, value: InputValue, until = Infinity) {
    // its definition may have changed meanwhile
    if (definitions.get(input.id) !== input) return
    known.set(input.id, { value: Redacted.make(value), until })
    yield* changed
  })
  const recall = (id: string): Effect.Effect<Redacted.Redacted<InputValue> | undefined> =>
    Effect.map(Clock.currentTimeMillis, (now) => {
      const found = known.get(id)
      if (found === undefined || now < found.until) return found?.value
      known.delete(id)
      return undefined
    })

  const fromEnvironment = (input: InputDefinition) => {
    const variable = variableOf(input.id)
    const raw = environment()[variable]
    return raw === undefined || raw === ""
      ? Effect.undefined
      : checked(input, raw, `of the environment variable ${variable}`)
  }
  /** What was kept earlier and no longer fits is not used: somebody is asked again. */
  const fromStores = Effect.fnUntraced(function*(input: InputDefinition) {
    const password = isPassword(input)
    const raw = password
      ? yield* secrets.get(input.id)
      : isSecret(input)
      ? undefined
      : yield* values.get(input.id)
    if (raw === undefined) return undefined
    return yield* check(input, Redacted.isRedacted(raw) ? Redacted.value(raw) : raw).pipe(
      Effect.catch((why) =>
        Effect.as(Effect.logWarning(`The kept value of the input "${input.id}" is not used: it ${why}`), undefined)
      )
    )
  })
  const lookAround = Effect.fnUntraced(function*(input: InputDefinition) {
    const inEnvironment = yield* fromEnvironment(input)
    if (inEnvironment !== undefined) return { value: inEnvironment, from: "environment" as const }
    const kept = yield* Effect.mapError(
      fromStores(input),
      ({ message }) => new InputError({ reason: "store", message })
    )
    return kept === undefined
      ? undefined
      : { value: kept, from: isPassword(input) ? "keychain" as const : "store" as const }
  })

  const fromCommand = Effect.fnUntraced(function*(input: Extract<InputDefinition, { type: "command" }>) {
    const env = environment()
    const args: Array<string> = []
    const sorted = Object.entries(input.args ?? {}).sort(([one], [other]) => one < other ? -1 : 1)
    for (const [, text] of sorted) {
      const { value } = yield* join(parse(text), {
        server: undefined,
        field: `the arguments of the input "${input.id}"`
      })
      args.push(String(Redacted.value(value)))
    }
    const secretValues = Object.entries(env).flatMap(([name, value]) =>
      value !== undefined && looksSecret(name) ? value : []
    )
    const printed = yield* runCommand({
      command: input.command,
      args,
      env,
      timeout: options.commandTimeout,
      clean: makeRedactor([...args, ...secretValues])
    }).pipe(
      Effect.mapError((why) =>
        new InputError({ reason: "command", message: `The command behind the input "${input.id}" ${why}` })
      )
    )
    const value = yield* checked(input, printed, "of its command")
    yield* remember(input, value, (yield* Clock.currentTimeMillis) + COMMAND_OUTPUT_KEPT)
    return value
  })
  const fromDefault = Effect.fnUntraced(function*(input: InputDefinition) {
    const written = defaultOf(input)
    if (written === undefined) return undefined
    if (typeof written !== "string") return yield* checked(input, written, "of its default")
    const { value } = yield* join(parse(written), {
      server: undefined,
      field: `the default of the input "${input.id}"`
    })
    return yield* checked(input, Redacted.value(value), "of its default")
  })
  const find = Effect.fnUntraced(function*(input: InputDefinition) {
    const secret = isSecret(input)
    const resolved = (value: InputValue): Resolved => ({ value: Redacted.make(value), secret })
    const found = yield* lookAround(input)
    if (found !== undefined) return resolved(found.value)
    if (input.type === "command") return resolved(yield* fromCommand(input))
    const needed = neededFor.get(input.id)
    const answer = yield* askPerson(asking, input, needed, (raw) => check(input, raw))
    if (answer !== undefined) {
      yield* keep(input, answer)
      yield* remember(input, answer)
      return resolved(answer)
    }
    const fallback = yield* fromDefault(input)
    return fallback === undefined
      ? yield* Effect.fail(missing(input, needed, asking.prompt !== undefined))
      : resolved(fallback)
  })

  return {
    check,
    resolve: Effect.fnUntraced(function*(id, needed) {
      const input = definitions.get(id)
      if (input === undefined) return yield* Effect.fail(undefinedInput(id))
      const other = collidingId(id, definitions.keys())
      if (other !== undefined) {
        return yield* Effect.fail(new InputError({ reason: "undefined", message: `${collision(id, other)}.` }))
      }
      const problem = chainProblem(id, definitions)
      if (problem !== undefined) return yield* Effect.fail(new InputError({ reason: "undefined", message: problem }))
      const value = yield* recall(id)
      if (value !== undefined) return { value, secret: isSecret(input) }
      if (!neededFor.has(id)) neededFor.set(id, needed)
      return yield* Effect.scoped(RcMap.get(flights, id)).pipe(
        Effect.ensuring(Effect.sync(() => neededFor.delete(id)))
      )
    }),
    peek: Effect.fnUntraced(function*(input) {
      const value = yield* recall(input.id)
      return value === undefined
        ? yield* lookAround(input)
        : { value: Redacted.value(value), from: "cache" as const }
    }),
    set: Effect.fnUntraced(function*(input, raw) {
      const value = raw === undefined
        ? yield* fromDefault(input)
        : yield* checked(input, raw, "that is to be set")
      if (value === undefined) {
        const why = input.type === "command" ? "it is what its command prints" : "it has no default"
        return yield* Effect.fail(
          new InputError({ reason: "missing", message: `Give the input "${input.id}" a value: ${why}.` })
        )
      }
      yield* keep(input, value)
      yield* RcMap.invalidate(flights, input.id)
      yield* remember(input, value)
    }),
    forget: (id) =>
      Effect.suspend(() => {
        const found = known.delete(id)
        return Effect.as(RcMap.invalidate(flights, id), found)
      })
  }
})

// -----------------------------------------------------------------------------
// Errors
// -----------------------------------------------------------------------------

export const undefinedInput = (id: string): InputError =>
  new InputError({
    reason: "undefined",
    message: `There is no input "${id}": add it to "inputs" of the configuration.`
  })

const invalidValue = (id: string, where: string, why: string): InputError =>
  new InputError({ reason: "invalid", message: `The value ${where} for the input "${id}" ${why}.` })

const missing = (input: InputDefinition, needed: Needed | undefined, asked: boolean): InputError =>
  new InputError({
    reason: "missing",
    message: `The input "${input.id}"${needed?.field === undefined ? "" : ` (in ${needed.field})`} has no value${
      asked ? ", and nobody gave it one" : ""
    }: set the environment variable ${variableOf(input.id)}${asked ? "" : ", or start it at a terminal to be asked"}.`
  })
