/**
 * Where logins to MCP servers are kept between two runs: secret texts by key.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { createHash } from "node:crypto"
import { readFile, rm } from "node:fs/promises"
import { join } from "node:path"
import { attempt, attemptExisting, replaceFile } from "./internal/files.ts"

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
}>()("a2c-smcp/computer/TokenStore") {}

/** Logins that end with the program. Every use of the layer has its own. */
export const layerMemory: Layer.Layer<TokenStore> = Layer.fresh(Layer.sync(TokenStore, () => {
  const values = new Map<string, Redacted.Redacted>()
  return {
    get: (key) => Effect.sync(() => values.get(key)),
    set: (key, value) => Effect.sync(() => void values.set(key, value)),
    remove: (key) => Effect.sync(() => void values.delete(key))
  }
}))

/**
 * Logins in files of a directory, one each, readable by the owner only (0600, the directory 0700). Several Computers of one
 * user may share it.
 */
export const layerDirectory = (directory: string): Layer.Layer<TokenStore> => {
  const pathOf = (key: string): string =>
    join(directory, `${createHash("sha256").update(key).digest("hex").slice(0, 40)}.json`)
  return Layer.succeed(TokenStore, {
    get: (key) =>
      attemptExisting(() => readFile(pathOf(key), "utf8")).pipe(
        Effect.map((text) => text === undefined ? undefined : Redacted.make(text)),
        failing
      ),
    set: (key, value) => failing(replaceFile(pathOf(key), Redacted.value(value))),
    remove: (key) => failing(attempt(() => rm(pathOf(key), { force: true })))
  })
}

const failing = <A>(self: Effect.Effect<A, { readonly message: string }>): Effect.Effect<A, TokenStoreError> =>
  Effect.mapError(self, ({ message }) => new TokenStoreError({ detail: message }))
