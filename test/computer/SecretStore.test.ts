import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, type Layer, Redacted } from "effect"
import { TestClock } from "effect/testing"
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { inspect } from "node:util"
import * as Inputs from "../../src/computer/Inputs.ts"
import type { Keyring } from "../../src/computer/internal/inputs/keyring.ts"
import * as SecretStore from "../../src/computer/SecretStore.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"
import { inputs, valuesOf } from "./support/inputs.ts"

const CANARY = "c4nary-in-a-coal-mine"
const password: Inputs.InputDefinition = { id: "password", type: "promptString", password: true }
const apiKey: Inputs.InputDefinition = { id: "api_key", type: "promptString" }
const city: Inputs.InputDefinition = { id: "city", type: "promptString" }

/** A keychain that other layers see as well. */
const keychain = (kept: Map<string, string>): Layer.Layer<SecretStore.SecretStore> =>
  SecretStore.layerOf(() =>
    Promise.resolve<Keyring>({
      get: ({ name, service }) => Promise.resolve(kept.get(`${service}/${name}`) ?? null),
      set: ({ name, service }, secret) => {
        kept.set(`${service}/${name}`, secret)
        return Promise.resolve()
      },
      remove: ({ name, service }) => Promise.resolve(kept.delete(`${service}/${name}`))
    })
  )

describe("SecretStore", () => {
  it.effect("keeps secrets under the service and the name, and shows them to nobody", () =>
    Effect.gen(function*() {
      const kept = new Map<string, string>()
      yield* Effect.gen(function*() {
        const store = yield* SecretStore.SecretStore
        assert.isUndefined(yield* store.get("token"))
        yield* store.set("token", Redacted.make(CANARY))
        assert.deepStrictEqual([...kept], [["a2c-smcp/token", CANARY]])
        const found = yield* store.get("token")
        assert.strictEqual(found === undefined ? "" : Redacted.value(found), CANARY)
        assert.notInclude(inspect(found) + JSON.stringify(found), CANARY)
        assert.isTrue(yield* store.remove("token"))
        assert.isFalse(yield* store.remove("token"))
      }).pipe(Effect.provide(keychain(kept)))
    }))

  it.effect("says what to do when the package is missing, the service fails or does not answer", () =>
    Effect.gen(function*() {
      const message = (load: () => Promise<Keyring>) =>
        SecretStore.SecretStore.use((store) => Effect.flip(store.get("token"))).pipe(
          Effect.map((error) => error.message),
          Effect.provide(SecretStore.layerOf(load, { timeout: "5 seconds" }))
        )
      const missing = Object.assign(new Error("Cannot find package"), { code: "ERR_MODULE_NOT_FOUND" })
      assert.strictEqual(
        yield* message(() => Promise.reject(missing)),
        "The secret \"token\" could not be read in the keychain: the package @napi-rs/keyring is not installed; " +
          "install it (npm install @napi-rs/keyring)."
      )
      assert.include(
        yield* message(() => Promise.reject(new Error("locked\nstack"))),
        "keychain: locked; its service has to run"
      )
      const hanging = yield* Effect.forkChild(message(() => new Promise(() => {})), { startImmediately: true })
      yield* TestClock.adjust("5 seconds")
      assert.include(yield* Fiber.join(hanging), "did not answer in time")
    }))

  it.live("asks the real keychain, or says why it cannot", () =>
    Effect.gen(function*() {
      const store = yield* SecretStore.SecretStore
      const name = `test-${process.pid}`
      const written = yield* Effect.result(store.set(name, Redacted.make(CANARY)))
      // a machine without a keychain, such as a container, is told of it
      if (written._tag === "Failure") {
        return assert.match(written.failure.message, /could not be written in the keychain: .+/)
      }
      const found = yield* store.get(name)
      assert.isTrue(yield* store.remove(name))
      assert.strictEqual(found === undefined ? "" : Redacted.value(found), CANARY)
      assert.isUndefined(yield* store.get(name))
    }).pipe(Effect.provide(SecretStore.layerKeyring({ service: "a2c-smcp-test", timeout: "10 seconds" }))))
})

describe("Inputs: what is kept", () => {
  it.effect("keeps passwords in the keychain, other values in a file of the owner, and asks no second time", () =>
    Effect.gen(function*() {
      const folder = yield* temporaryFolder
      const valueFile = join(folder, "state/values.json")
      const kept = new Map<string, string>()
      const asked: Array<string> = []
      const run = <A>(self: Effect.Effect<A, Inputs.InputError, Inputs.Inputs>) =>
        self.pipe(Effect.provide(inputs({
          inputs: [password, apiKey, city],
          secretStore: keychain(kept),
          valueFile,
          prompt: ({ id }) => {
            asked.push(id)
            return Effect.succeed(id === "city" ? "Oslo" : CANARY)
          }
        })))
      const start = run(valuesOf("password", "city", "api_key"))
      assert.deepStrictEqual(yield* start, [CANARY, "Oslo", CANARY])
      assert.deepStrictEqual(yield* start, [CANARY, "Oslo", CANARY])
      // what only sounds like a secret is kept nowhere
      assert.deepStrictEqual(asked, ["password", "city", "api_key", "api_key"])
      assert.deepStrictEqual([...kept], [["a2c-smcp/password", CANARY]])
      assert.deepStrictEqual(readdirSync(join(folder, "state")), ["values.json"])
      assert.strictEqual(readFileSync(valueFile, "utf8"), "{\n  \"city\": \"Oslo\"\n}\n")
      assert.strictEqual(statSync(valueFile).mode & 0o777, process.platform === "win32" ? 0o666 : 0o600)

      yield* run(Inputs.Inputs.use(({ values }) => values.clear()))
      assert.strictEqual(kept.size, 0)
      assert.deepStrictEqual(JSON.parse(readFileSync(valueFile, "utf8")), {})
      assert.deepStrictEqual(yield* start, [CANARY, "Oslo", CANARY])
      assert.strictEqual(asked.length, 7)
    }))

  it.effect("takes a value out of the file when it becomes a secret", () =>
    Effect.gen(function*() {
      const valueFile = join(yield* temporaryFolder, "values.json")
      writeFileSync(valueFile, JSON.stringify({ password: CANARY, city: CANARY, other: "stays" }))
      yield* Inputs.Inputs.use(({ put, values }) =>
        Effect.gen(function*() {
          assert.isUndefined(yield* values.get("password"))
          assert.strictEqual((yield* values.get("city"))?.value, CANARY)
          yield* put({ ...city, password: true })
          assert.isUndefined(yield* values.get("city"))
        })
      ).pipe(Effect.provide(inputs({ inputs: [password, city], valueFile })))
      assert.deepStrictEqual(JSON.parse(readFileSync(valueFile, "utf8")), { other: "stays" })
    }))

  it.effect("goes on without a store that cannot be used, and says so when nobody else has a value", () =>
    Effect.gen(function*() {
      const valueFile = join(yield* temporaryFolder, "values.json")
      writeFileSync(valueFile, "{ broken")
      const broken = SecretStore.layerOf(() => Promise.reject(new Error("no bus")))
      const cityOf = (prompt?: Inputs.Prompt) =>
        valuesOf("city").pipe(Effect.provide(inputs({ inputs: [city], valueFile, prompt })))
      const error = yield* Effect.flip(cityOf())
      assert.strictEqual(error.reason, "store")
      assert.include(error.message, `${valueFile}, is not a JSON object; repair or remove it`)
      assert.deepStrictEqual(yield* cityOf(() => Effect.succeed("Oslo")), ["Oslo"])
      assert.strictEqual(readFileSync(valueFile, "utf8"), "{ broken")
      yield* Effect.gen(function*() {
        const { values } = yield* Inputs.Inputs
        assert.strictEqual((yield* Effect.flip(valuesOf("password"))).reason, "store")
        yield* values.set("password", CANARY)
        assert.deepStrictEqual(yield* valuesOf("password"), [CANARY])
        assert.strictEqual((yield* Effect.flip(values.clear("password"))).reason, "store")
        assert.include((yield* Effect.flip(valuesOf("password"))).message, "no bus")
      }).pipe(Effect.provide(inputs({ inputs: [password], secretStore: broken })))
    }))
})
