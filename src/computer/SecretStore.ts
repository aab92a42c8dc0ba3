/**
 * Where the values of password inputs are kept from one run to the next: the keychain of the operating system, or nowhere.
 * They are filed under the id of their input alone: configurations that use one id share its secret.
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { type Keyring, loadKeyring } from "./internal/inputs/keyring.ts"

/** A secret could not be read or written. */
export class SecretStoreError extends Schema.TaggedError<SecretStoreError>("smcp/computer/SecretStoreError")(
  "SecretStoreError",
  {
    /** What went wrong and what to do. Never holds a secret. */
    message: Schema.String
  }
) {}

/** Secrets by name. */
export class SecretStore extends Context.Service<SecretStore, {
  /** Whether anything is kept at all. */
  readonly enabled: boolean
  /** The secret, or undefined when there is none. */
  readonly get: (name: string) => Effect.Effect<Redacted.Redacted<string> | undefined, SecretStoreError>
  readonly set: (name: string, secret: Redacted.Redacted<string>) => Effect.Effect<void, SecretStoreError>
  /** Whether there was one. */
  readonly remove: (name: string) => Effect.Effect<boolean, SecretStoreError>
}>()("a2c-smcp/computer/SecretStore") {}

/** Options of {@link layerKeyring}. */
export interface KeyringOptions {
  /** The service that the secrets are filed under. Default: `a2c-smcp`. */
  readonly service?: string | undefined
  /**
   * How long the keychain may take for one answer, which may have to wait for a person to unlock it. Default: 60 seconds.
   */
  readonly timeout?: Duration.Input | undefined
}

/**
 * The keychain of the operating system (macOS Keychain, Windows Credential Manager, Secret Service or the kernel's keyring
 * on Linux), through the optional package `@napi-rs/keyring`, which is loaded when the first secret is asked for.
 */
export const layerKeyring = (options: KeyringOptions = {}): Layer.Layer<SecretStore> => layerOf(loadKeyring, options)

/** As {@link layerKeyring}, with another way to the package. */
export const layerOf = (load: () => Promise<Keyring>, options: KeyringOptions = {}): Layer.Layer<SecretStore> =>
  Layer.sync(SecretStore, () => {
    const { service = "a2c-smcp", timeout = "60 seconds" } = options
    let loaded: Promise<Keyring> | undefined
    const use = <A>(
      what: string,
      name: string,
      ask: (keyring: Keyring, account: Account, signal: AbortSignal) => Promise<A>
    ): Effect.Effect<A, SecretStoreError> =>
      Effect.tryPromise({
        try: async (signal) => {
          loaded ??= load()
          return await ask(await loaded, { service, name }, signal)
        },
        catch: (cause) => {
          // it may be installed by the next time
          if (isNotInstalled(cause)) loaded = undefined
          return failure(what, name, isNotInstalled(cause) ? NOT_INSTALLED : reasonOf(cause))
        }
      }).pipe(
        Effect.timeoutOrElse({
          duration: timeout,
          orElse: () => Effect.fail(failure(what, name, "it did not answer in time; unlock it and try again"))
        })
      )
    return SecretStore.of({
      enabled: true,
      get: (name) =>
        use("read", name, (keyring, account, signal) => keyring.get(account, signal)).pipe(
          Effect.map((secret) => secret === null ? undefined : Redacted.make(secret))
        ),
      set: (name, secret) =>
        use("written", name, (keyring, account, signal) => keyring.set(account, Redacted.value(secret), signal)),
      remove: (name) => use("removed", name, (keyring, account, signal) => keyring.remove(account, signal))
    })
  })

/** A store in memory, which goes with the layer. */
export const layerMemory = (secrets: Readonly<Record<string, string>> = {}): Layer.Layer<SecretStore> =>
  Layer.sync(SecretStore, () => {
    const kept = new Map(Object.entries(secrets).map(([name, secret]) => [name, Redacted.make(secret)]))
    return SecretStore.of({
      enabled: true,
      get: (name) => Effect.sync(() => kept.get(name)),
      set: (name, secret) =>
        Effect.sync(() => {
          kept.set(name, secret)
        }),
      remove: (name) => Effect.sync(() => kept.delete(name))
    })
  })

/** Nothing is kept. */
export const layerNone: Layer.Layer<SecretStore> = Layer.succeed(SecretStore, {
  enabled: false,
  get: () => Effect.undefined,
  set: () => Effect.void,
  remove: () => Effect.succeed(false)
})

// -----------------------------------------------------------------------------
// Internal
// -----------------------------------------------------------------------------

type Account = Parameters<Keyring["get"]>[0]

const NOT_INSTALLED = "the package @napi-rs/keyring is not installed; install it (npm install @napi-rs/keyring)"

const isNotInstalled = (cause: unknown): boolean =>
  cause instanceof Error && "code" in cause &&
  (cause.code === "ERR_MODULE_NOT_FOUND" || cause.code === "MODULE_NOT_FOUND")

/** The words of the operating system, which name no secret. */
const reasonOf = (cause: unknown): string =>
  `${cause instanceof Error ? cause.message.split("\n")[0] : "it failed"}; ` +
  "its service has to run and to be unlocked in this session"

const failure = (what: string, name: string, reason: string): SecretStoreError =>
  new SecretStoreError({ message: `The secret "${name}" could not be ${what} in the keychain: ${reason}.` })
