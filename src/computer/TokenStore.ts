/**
 * Where logins to MCP servers are kept between two runs: secret texts by key.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { createHash } from "node:crypto"
import { rm } from "node:fs/promises"
import { join } from "node:path"
import { attempt, readOwnFile, replaceFile } from "./internal/files.ts"
import { whileLocked } from "./internal/lockFile.ts"
import { SecretStore } from "./SecretStore.ts"

/** The store could not be read or written. */
export class TokenStoreError
  extends Schema.TaggedError<TokenStoreError>("smcp/computer/TokenStoreError")("TokenStoreError", {
    /** Why; holds no secret and no path. */
    detail: Schema.String
  })
{
  override get message(): string {
    return `The store of logins cannot be used: ${this.detail}`
  }
}

/**
 * Secret texts by key. Writing replaces the old text only when the new one is safe: a refresh token that was rotated must
 * not be lost, because the one before is worth nothing any more.
 */
export class TokenStore extends Context.Service<TokenStore, {
  readonly get: (key: string) => Effect.Effect<Redacted.Redacted | undefined, TokenStoreError>
  readonly set: (key: string, value: Redacted.Redacted) => Effect.Effect<void, TokenStoreError>
  /** Does nothing when there is none. */
  readonly remove: (key: string) => Effect.Effect<void, TokenStoreError>
  /**
   * Runs an effect while no other program that shares the store runs one under the same key: two that renew a login at the
   * same moment would spoil it for each other. Never waits for long, and then runs it all the same.
   */
  readonly exclusively: <A, E, R>(key: string, self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}>()("a2c-smcp/computer/TokenStore") {}

/** Logins that end with the program. Every use of the layer has its own. */
export const layerMemory: Layer.Layer<TokenStore> = Layer.fresh(Layer.sync(TokenStore, () => {
  const values = new Map<string, Redacted.Redacted>()
  return {
    get: (key) => Effect.sync(() => values.get(key)),
    set: (key, value) => Effect.sync(() => void values.set(key, value)),
    remove: (key) => Effect.sync(() => void values.delete(key)),
    // nobody shares it
    exclusively: (_key, self) => self
  }
}))

/**
 * Logins in files of a directory, one each, readable by the owner only (0600, the directory 0700). Several Computers of one
 * user may share it.
 */
export const layerDirectory = (directory: string): Layer.Layer<TokenStore> => {
  const pathOf = (key: string, extension = "json"): string => join(directory, `${nameOf(key)}.${extension}`)
  return Layer.succeed(TokenStore, {
    get: (key) =>
      readOwnFile(pathOf(key)).pipe(
        Effect.map((text) => text === undefined ? undefined : Redacted.make(text)),
        failing
      ),
    set: (key, value) => failing(replaceFile(pathOf(key), Redacted.value(value))),
    remove: (key) => failing(attempt(() => rm(pathOf(key), { force: true }))),
    exclusively: (key, self) => whileLocked(pathOf(key, "lock"), self, LOCK_PATIENCE_MILLIS)
  })
}

/**
 * Logins in the `SecretStore`, such as the keychain of the operating system. Some keychains hold no more than 2.5 KB an
 * entry, and programs that share one do not wait for each other.
 */
export const layerSecretStore: Layer.Layer<TokenStore, never, SecretStore> = Layer.effect(
  TokenStore,
  Effect.map(SecretStore, (secrets) => ({
    get: (key) => failing(secrets.get(nameOf(key))),
    set: (key, value) => failing(secrets.set(nameOf(key), value)),
    remove: (key) => failing(Effect.asVoid(secrets.remove(nameOf(key)))),
    exclusively: (_key, self) => self
  }))
)

/** Short, and free of what a file system or a keychain does not take. */
const nameOf = (key: string): string => `login-${createHash("sha256").update(key).digest("hex").slice(0, 40)}`

/** How long a renewal waits for that of another program; it may take that one a while. */
const LOCK_PATIENCE_MILLIS = 15_000

const failing = <A>(self: Effect.Effect<A, { readonly message: string }>): Effect.Effect<A, TokenStoreError> =>
  Effect.mapError(self, ({ message }) => new TokenStoreError({ detail: message }))
