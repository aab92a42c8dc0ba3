import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Redacted } from "effect"
import { chmodSync, readdirSync, statSync, utimesSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as SecretStore from "../../src/computer/SecretStore.ts"
import * as TokenStore from "../../src/computer/TokenStore.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"

const open = (layer: Layer.Layer<TokenStore.TokenStore>) =>
  Effect.map(Layer.build(Layer.fresh(layer)), Context.get(TokenStore.TokenStore))
const read = (store: TokenStore.TokenStore["Service"], key: string) =>
  Effect.map(store.get(key), (value) => value === undefined ? undefined : Redacted.value(value))
const isRoot = process.getuid?.() === 0

const memorySecrets = Layer.sync(SecretStore.SecretStore, () => {
  const all = new Map<string, Redacted.Redacted>()
  return {
    enabled: true,
    get: (name: string) => Effect.sync(() => all.get(name)),
    set: (name: string, secret: Redacted.Redacted) => Effect.sync(() => void all.set(name, secret)),
    remove: (name: string) => Effect.sync(() => all.delete(name))
  }
})

describe("TokenStore", () => {
  const kinds: ReadonlyArray<readonly [string, (folder: string) => Layer.Layer<TokenStore.TokenStore>]> = [
    ["memory", () => TokenStore.layerMemory],
    ["a directory", TokenStore.layerDirectory],
    ["a secret store", () => TokenStore.layerSecretStore.pipe(Layer.provide(memorySecrets))]
  ]
  for (const [what, layer] of kinds) {
    it.live(`keeps, replaces and forgets, in ${what}`, () =>
      Effect.gen(function*() {
        const store = yield* open(layer(join(yield* temporaryFolder, "deep", "er")))
        assert.isUndefined(yield* read(store, "a"))
        yield* store.remove("a")
        yield* store.set("a", Redacted.make("1"))
        yield* store.set("../b\n", Redacted.make("2"))
        yield* store.set("a", Redacted.make("3"))
        assert.deepStrictEqual([yield* read(store, "a"), yield* read(store, "../b\n")], ["3", "2"])
        yield* store.remove("a")
        assert.deepStrictEqual([yield* read(store, "a"), yield* read(store, "../b\n")], [undefined, "2"])
      }))
  }

  it.live("writes files for its owner alone, and leaves nothing else behind", () =>
    Effect.gen(function*() {
      const folder = join(yield* temporaryFolder, "logins")
      const store = yield* open(TokenStore.layerDirectory(folder))
      yield* Effect.all(Array.from({ length: 20 }, (_, i) => store.set("a", Redacted.make(`${i}`))), {
        concurrency: 20
      })
      yield* store.exclusively("a", Effect.void)
      const [file, ...others] = readdirSync(folder)
      assert.deepStrictEqual(others, [])
      assert.strictEqual(statSync(join(folder, file ?? "")).mode & 0o777, 0o600)
      assert.strictEqual(statSync(folder).mode & 0o777, 0o700)
    }))

  it.live("tells what cannot be written, without the place and the secret", () =>
    Effect.gen(function*() {
      const folder = yield* temporaryFolder
      const place = isRoot ? join(folder, "file", "logins") : folder
      if (isRoot) writeFileSync(join(folder, "file"), "")
      else chmodSync(folder, 0o500)
      const store = yield* open(TokenStore.layerDirectory(place))
      const { _tag, message } = yield* Effect.flip(store.set("a", Redacted.make("hidden")))
      assert.strictEqual(_tag, "TokenStoreError")
      assert.notInclude(message, "hidden")
      assert.notInclude(message, folder)
      // what needs to be alone runs all the same
      assert.strictEqual(yield* store.exclusively("a", Effect.succeed(1)), 1)
    }))

  it.live("lets one at a time in, also of another program, and waits for none that died", () =>
    Effect.gen(function*() {
      const folder = yield* temporaryFolder
      const [one, other] = yield* Effect.all([
        open(TokenStore.layerDirectory(folder)),
        open(TokenStore.layerDirectory(folder))
      ])
      const order: Array<string> = []
      const enter = (store: TokenStore.TokenStore["Service"], name: string) =>
        store.exclusively(
          "a",
          Effect.gen(function*() {
            order.push(`${name} in`)
            yield* Effect.sleep("50 millis")
            order.push(`${name} out`)
          })
        )
      const first = yield* Effect.forkChild(enter(one, "one"), { startImmediately: true })
      while (order.length === 0) yield* Effect.sleep("5 millis")
      yield* enter(other, "other")
      yield* Fiber.join(first)
      assert.deepStrictEqual(order, ["one in", "one out", "other in", "other out"])

      // a failure and an interruption let the next one in
      yield* Effect.exit(one.exclusively("a", Effect.fail("no")))
      yield* Effect.timeoutOption(one.exclusively("a", Effect.never), "20 millis")
      assert.deepStrictEqual(readdirSync(folder), [])

      yield* one.exclusively(
        "a",
        Effect.sync(() => {
          const [name] = readdirSync(folder)
          const long = new Date(Date.now() - 60_000)
          utimesSync(join(folder, name ?? ""), long, long)
        }).pipe(Effect.andThen(enter(other, "third")))
      )
      assert.deepStrictEqual(order.slice(4), ["third in", "third out"])
    }))
})
