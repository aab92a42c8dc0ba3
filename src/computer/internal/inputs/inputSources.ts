/**
 * Single places where the value of an input may come from.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { InputDefinition } from "../../InputDefinition.ts"
import { InputError } from "../../InputError.ts"
import type { SecretStore } from "../../SecretStore.ts"
import { runCommand } from "../process/runCommand.ts"
import { makeRedactor } from "../secrets/redact.ts"
import { isSecretVariable } from "../secrets/secretNames.ts"
import { variableOf } from "./inputNames.ts"
import { checkValue, defaultOf, type InputValue, isPassword, isSecret, type Resolved } from "./inputValues.ts"
import { parse, type Segment } from "./placeholders.ts"
import type { ValueStore } from "./valueStore.ts"

/** Where a value comes from. */
export type ValueSource = "cache" | "environment" | "keychain" | "store" | "command" | "prompt" | "default"

/** For whom a value is needed. */
export interface Needed {
  readonly server: string | undefined
  readonly field: string | undefined
}

export interface SourceOptions {
  readonly environment: () => Readonly<Record<string, string | undefined>>
  readonly secrets: SecretStore["Service"]
  readonly values: ValueStore
  readonly validate: ((id: string, value: InputValue) => Effect.Effect<string | undefined>) | undefined
  readonly commandTimeout: Duration.Input | undefined
  /** The value of a text in a definition that was taken apart. */
  readonly join: (segments: ReadonlyArray<Segment>, needed: Needed) => Effect.Effect<Resolved, InputError>
}

type Find = (input: InputDefinition) => Effect.Effect<InputValue | undefined, InputError>

export interface InputSources {
  /** Holds a raw value against its definition; says what is wrong with it. */
  readonly check: (input: InputDefinition, raw: unknown) => Effect.Effect<InputValue, string>
  /** As `check`; `where` says where the value is from, e.g. `of its default`. */
  readonly checked: (input: InputDefinition, raw: unknown, where: string) => Effect.Effect<InputValue, InputError>
  readonly environment: Find
  /** What was kept earlier. What no longer fits is not used: somebody is asked again. */
  readonly stores: Find
  readonly command: (
    input: Extract<InputDefinition, { readonly type: "command" }>
  ) => Effect.Effect<InputValue, InputError>
  readonly fallback: Find
  /** Keeps a value where its kind is kept. When that cannot be, it is logged. */
  readonly keep: (input: InputDefinition, value: InputValue) => Effect.Effect<void>
}

const VALIDATION_TIMEOUT: Duration.Input = "30 seconds"

export const makeInputSources = (options: SourceOptions): InputSources => {
  const { environment, join, secrets, values } = options
  const check = makeCheck(options.validate)
  const checked: InputSources["checked"] = (input, raw, where) =>
    Effect.mapError(
      check(input, raw),
      (why) => new InputError({ reason: "invalid", message: `The value ${where} for the input "${input.id}" ${why}.` })
    )
  const text = (written: string, part: string) =>
    Effect.map(join(parse(written), { server: undefined, field: part }), ({ value }) => Redacted.value(value))
  return {
    check,
    checked,
    environment: (input) =>
      Effect.suspend(() => {
        const variable = variableOf(input.id)
        const raw = environment()[variable]
        return raw === undefined || raw === ""
          ? Effect.undefined
          : checked(input, raw, `of the environment variable ${variable}`)
      }),
    stores: Effect.fnUntraced(function*(input) {
      const raw = yield* kept(input, secrets, values)
      if (raw === undefined) return undefined
      return yield* Effect.catch(
        check(input, raw),
        (why) =>
          Effect.as(Effect.logWarning(`The kept value of the input "${input.id}" is not used: it ${why}`), undefined)
      )
    }),
    command: Effect.fnUntraced(function*(input) {
      const sorted = Object.entries(input.args ?? {}).sort(([one], [other]) => one < other ? -1 : 1)
      const args = yield* Effect.forEach(
        sorted,
        ([, written]) => Effect.map(text(written, `the arguments of the input "${input.id}"`), String)
      )
      const env = environment()
      const secretValues = Object.entries(env).flatMap(([name, value]) =>
        value !== undefined && isSecretVariable(name) ? value : []
      )
      const printed = yield* Effect.mapError(
        runCommand({
          command: input.command,
          args,
          env,
          timeout: options.commandTimeout,
          clean: makeRedactor([...args, ...secretValues])
        }),
        (why) => new InputError({ reason: "command", message: `The command behind the input "${input.id}" ${why}` })
      )
      return yield* checked(input, printed, "of its command")
    }),
    fallback: Effect.fnUntraced(function*(input) {
      const written = defaultOf(input)
      if (written === undefined) return undefined
      const raw = typeof written === "string"
        ? yield* text(written, `the default of the input "${input.id}"`)
        : written
      return yield* checked(input, raw, "of its default")
    }),
    keep: (input, value) => {
      const keeping: Effect.Effect<void, { readonly message: string }> = isPassword(input)
        ? secrets.set(input.id, Redacted.make(String(value)))
        : isSecret(input)
        ? Effect.void
        : values.set(input.id, value)
      return Effect.catch(
        keeping,
        ({ message }) => Effect.logWarning(`${message} The value is kept until this program ends.`)
      )
    }
  }
}

const makeCheck = (validate: SourceOptions["validate"]): InputSources["check"] => (input, raw) =>
  Effect.tap(checkValue(input, raw), (value) =>
    validate === undefined ? Effect.void : validate(input.id, value).pipe(
      Effect.timeoutOrElse({
        duration: VALIDATION_TIMEOUT,
        orElse: () => Effect.succeed("could not be checked in time")
      }),
      Effect.flatMap((problem) => problem === undefined ? Effect.void : Effect.fail(problem))
    ))

const kept = (
  input: InputDefinition,
  secrets: SecretStore["Service"],
  values: ValueStore
): Effect.Effect<unknown, InputError> => {
  if (!isPassword(input)) return isSecret(input) ? Effect.undefined : values.get(input.id)
  return secrets.get(input.id).pipe(
    Effect.map((secret) => secret === undefined ? undefined : Redacted.value(secret)),
    Effect.mapError(({ message }) => new InputError({ reason: "store", message }))
  )
}
