/**
 * The inputs of a configuration: what `${input:id}` and the other placeholders stand for, found out when a server starts
 * and kept out of everything that is written down.
 *
 * Configurations stay raw and are rendered anew at each start. What comes out of a placeholder is not rendered again,
 * whatever it looks like, unless it stands in the configuration itself: the default in `${NAME:-default}`, and the `default`
 * and `args` of a definition may hold placeholders, up to ten deep and not in a circle.
 *
 * An input is looked for in this order: what a person, a program or a command gave before (until it is cleared; the output of
 * a command for a minute), the environment variable `A2C_SMCP_<id>` (what no variable may hold becomes `_`; upper and
 * lower case are kept; an empty one counts as not set), the secret store (passwords) or the file with values (what is no
 * secret), the command of a `command` input or the person at the terminal, the default. When all of that has nothing, the
 * server does not start; the others do.
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import type { InputDefinition } from "./InputDefinition.ts"
import type { InputError } from "./InputError.ts"
import type { Prompt } from "./InputPrompt.ts"
import { compile } from "./internal/config/template.ts"
import { makeDefinitions } from "./internal/inputs/definitions.ts"
import { explainEntry, type Explanation } from "./internal/inputs/explainEntry.ts"
import { makeInputResolver } from "./internal/inputs/inputResolver.ts"
import type { ValueSource } from "./internal/inputs/inputSources.ts"
import type { InputValue } from "./internal/inputs/inputValues.ts"
import { makeKnownValues } from "./internal/inputs/knownValues.ts"
import { joinValues, resolveAll, type Surroundings } from "./internal/inputs/placeholderValues.ts"
import { type Rendered, renderEntry } from "./internal/inputs/renderEntry.ts"
import { makeValueStore, noValueStore } from "./internal/inputs/valueStore.ts"
import { makeRedactor } from "./internal/secrets/redact.ts"
import * as SecretStore from "./SecretStore.ts"
import type { ServerEntry } from "./ServerEntry.ts"

export { InputError } from "./InputError.ts"
export { type Prompt, type PromptRequest, PromptUnavailable } from "./InputPrompt.ts"
export type { Explanation, InputDefinition, InputValue, Rendered, ValueSource }

// -----------------------------------------------------------------------------
// Models
// -----------------------------------------------------------------------------

/** What stands for a secret where it is shown. */
export const MASKED = "••••"

/** An input that has a value. */
export interface KnownValue {
  readonly id: string
  readonly type: InputDefinition["type"]
  /** {@link MASKED} for a secret, unless it was to be revealed. */
  readonly value: InputValue
  readonly secret: boolean
  readonly from: ValueSource
}

/** Options of {@link layer}. */
export interface Options {
  /** The definitions behind `${input:id}`. Default: none. */
  readonly inputs?: ReadonlyArray<InputDefinition> | undefined
  /** Where variables are looked up, at each start anew. Default: the environment of this process. */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined
  /** Asks a person. Default: nobody is asked. */
  readonly prompt?: Prompt | undefined
  /** How long a person has for one value. Default: 300 seconds. */
  readonly promptTimeout?: Duration.Input | undefined
  /**
   * Where passwords are kept. Default: nowhere, see `SecretStore`. They are filed under the id of their input alone, as is
   * what `valueFile` keeps: configurations with the same store share the value of an id. `smcp` gives each project its own.
   */
  readonly secretStore?: Layer.Layer<SecretStore.SecretStore> | undefined
  /** A file that keeps values that are no secrets. It is made when there is something to keep. Default: none. */
  readonly valueFile?: string | undefined
  /** How long the command of a `command` input may run. Default: 30 seconds. */
  readonly commandTimeout?: Duration.Input | undefined
  /**
   * Says what is wrong with a value, as in `must be a project of yours`, or undefined. Runs after the checks of the
   * definition, for values from everywhere; a person is asked again.
   */
  readonly validate?: ((id: string, value: InputValue) => Effect.Effect<string | undefined>) | undefined
}

// -----------------------------------------------------------------------------
// Service
// -----------------------------------------------------------------------------

/** What placeholders stand for. */
export class Inputs extends Context.Service<Inputs, {
  /** The definitions, raw. */
  readonly definitions: Effect.Effect<ReadonlyArray<InputDefinition>>
  /** Now, and again whenever a definition or a value may have changed. */
  readonly changes: Stream.Stream<void>
  /** The configuration of a server with its placeholders replaced, worked out anew each time. May ask a person. */
  readonly render: (entry: ServerEntry) => Effect.Effect<Redacted.Redacted<Rendered>, InputError>
  /** A text without the secrets that this server was last started with, for whoever keeps what a server says. */
  readonly hideSecrets: (bundleId: string, text: string) => string
  /**
   * Any JSON with its placeholders replaced as in a configuration of ours. Secrets are {@link MASKED} unless they are to be
   * revealed. May ask a person.
   */
  readonly renderValue: (
    value: unknown,
    options?: { readonly reveal?: boolean | undefined; readonly directory?: string | undefined }
  ) => Effect.Effect<unknown, InputError>
  /** Where each placeholder of a server would get its value from, without asking anybody and without running commands. */
  readonly explain: (entry: ServerEntry) => Effect.Effect<ReadonlyArray<Explanation>>
  /**
   * Adds a definition or replaces the one with its id, whose cached value is forgotten. Fails with `undefined` when
   * another input would be read from the same environment variable.
   */
  readonly put: (definition: InputDefinition) => Effect.Effect<void, InputError>
  /** Forgets a definition and its cached value. Fails with `undefined` when there is none. */
  readonly remove: (id: string) => Effect.Effect<void, InputError>
  /** Makes these the definitions. What is cached for those that stay the same is kept. Fails as `put` does. */
  readonly replace: (definitions: ReadonlyArray<InputDefinition>) => Effect.Effect<void, InputError>
  /** The values. All of it fails with `undefined` when there is no such input. */
  readonly values: {
    /** Every input that has a value without anybody being asked. A kept value that cannot be read is left out. */
    readonly list: Effect.Effect<ReadonlyArray<KnownValue>>
    /** Its value, or undefined when it has none yet. */
    readonly get: (
      id: string,
      options?: { readonly reveal?: boolean | undefined }
    ) => Effect.Effect<KnownValue | undefined, InputError>
    /**
     * Gives it this value, or without one its default, and keeps it where such values are kept. Fails with `invalid`, or
     * with `missing` when there is no default.
     */
    readonly set: (id: string, value?: unknown) => Effect.Effect<void, InputError>
    /** Forgets its value, wherever it is kept. Fails with `missing` when it had none. */
    readonly remove: (id: string) => Effect.Effect<void, InputError>
    /** Forgets the value of this input, or of all, wherever it is kept: the next start asks again. */
    readonly clear: (id?: string) => Effect.Effect<void, InputError>
  }
}>()("a2c-smcp/computer/Inputs") {}

/** Inputs as the options say. Definitions that share an environment variable are kept and have no value. */
export const layer = (options: Options = {}): Layer.Layer<Inputs> =>
  Layer.effect(Inputs, make(options)).pipe(Layer.provide(options.secretStore ?? SecretStore.layerNone))

// -----------------------------------------------------------------------------
// Internal
// -----------------------------------------------------------------------------

const make = Effect.fnUntraced(function*(
  options: Options
): Effect.fn.Return<Inputs["Service"], never, SecretStore.SecretStore | Scope.Scope> {
  const secrets = yield* SecretStore.SecretStore
  const values = options.valueFile === undefined ? noValueStore : makeValueStore(options.valueFile)
  const definitions = new Map<string, InputDefinition>()
  for (const input of options.inputs ?? []) if (!definitions.has(input.id)) definitions.set(input.id, input)
  const version = yield* SubscriptionRef.make(0)
  const changed = SubscriptionRef.update(version, (count) => count + 1)

  const environment = () => options.environment ?? process.env
  const surroundings = (directory: string | undefined): Surroundings => ({
    environment: environment(),
    directory,
    isDefined: (id) => definitions.has(id),
    resolveInput: (id, needed) => resolver.resolve(id, needed)
  })
  const resolver = yield* makeInputResolver({
    definitions,
    environment,
    secrets,
    values,
    asking: { prompt: options.prompt, timeout: options.promptTimeout, turn: Semaphore.makeUnsafe(1) },
    validate: options.validate,
    commandTimeout: options.commandTimeout,
    join: (segments, needed) => joinValues(segments, surroundings(undefined), needed),
    changed
  })

  const { known, put, remove, replace, tidy } = makeDefinitions({ definitions, resolver, values, changed })
  const hidden = makeHiddenSecrets()
  yield* tidy

  return Inputs.of({
    definitions: Effect.sync(() => [...definitions.values()]),
    changes: Stream.map(SubscriptionRef.changes(version), () => undefined),
    render: (entry) =>
      Effect.map(renderEntry(entry, surroundings(entry.origin.directory)), (each) => {
        hidden.learn(entry.bundleId, each.secrets)
        return Redacted.make(each)
      }),
    hideSecrets: hidden.hide,
    renderValue: (value, { directory, reveal = false } = {}) => {
      const template = compile([value], "a2c")
      return Effect.map(
        resolveAll(template, surroundings(directory), undefined),
        (resolved) => template.fill(resolved, reveal ? {} : { hide: MASKED })[0]
      )
    },
    explain: (entry) =>
      explainEntry(entry, {
        definitions,
        environment: environment(),
        peek: resolver.peek,
        asks: options.prompt !== undefined
      }),
    put,
    remove,
    replace,
    values: makeKnownValues({ definitions, known, resolver, secrets, values, changed, masked: MASKED })
  })
})

/** The secrets of each server, as of its last start and the one before: until it has started anew, the old one runs. */
const makeHiddenSecrets = () => {
  const known = new Map<string, { readonly last: ReadonlyArray<string>; readonly hide: (text: string) => string }>()
  return {
    learn: (bundleId: string, secrets: ReadonlyArray<string>): void => {
      const hide = makeRedactor([...known.get(bundleId)?.last ?? [], ...secrets])
      known.set(bundleId, { last: secrets, hide })
    },
    hide: (bundleId: string, text: string): string => known.get(bundleId)?.hide(text) ?? text
  }
}
