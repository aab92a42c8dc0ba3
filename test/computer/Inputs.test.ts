import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Queue, Stream } from "effect"
import { TestClock } from "effect/testing"
import { chmodSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Inputs from "../../src/computer/Inputs.ts"
import * as SecretStore from "../../src/computer/SecretStore.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"
import {
  city,
  debug,
  type Definition,
  fails,
  level,
  local,
  password,
  person,
  port,
  provide,
  valuesOf
} from "./support/inputs.ts"

describe("Inputs: where a value comes from", () => {
  const everywhere = Effect.fnUntraced(function*(id: string) {
    const folder = yield* temporaryFolder
    const valueFile = join(folder, "values.json")
    writeFileSync(valueFile, JSON.stringify({ [id]: "stored" }))
    return {
      valueFile,
      secretStore: SecretStore.layerMemory({ [id]: "in the keychain" }),
      environment: { [`A2C_SMCP_${id}`]: "in the environment" },
      prompt: person("answered").prompt
    }
  })

  it.effect("asks one after the other: cache, environment, what is kept, person, default", () =>
    Effect.gen(function*() {
      for (const [base, kept] of [[city, "stored"], [password, "in the keychain"]] as const) {
        const definition: Definition = { ...base, default: "the default" }
        const { id } = definition
        const { environment, prompt, secretStore, valueFile } = yield* everywhere(id)
        const found = (
          options: Inputs.Options,
          before: Effect.Effect<void, Inputs.InputError, Inputs.Inputs> = Effect.void
        ) => Effect.andThen(before, valuesOf(id)).pipe(provide({ inputs: [definition], ...options }))
        const set = Inputs.Inputs.use(({ values }) => values.set(id, "set"))
        assert.deepStrictEqual(yield* found({ environment, prompt, secretStore, valueFile }), ["in the environment"])
        assert.deepStrictEqual(
          yield* found({ environment: { [`A2C_SMCP_${id}`]: "" }, prompt, secretStore, valueFile }),
          [kept]
        )
        assert.deepStrictEqual(yield* found({ prompt }), ["answered"])
        assert.deepStrictEqual(yield* found({ prompt: person().prompt }), ["the default"])
        assert.deepStrictEqual(yield* found({ prompt: person("").prompt }), ["the default"])
        assert.deepStrictEqual(yield* found({}), ["the default"])
        assert.deepStrictEqual(yield* found({ environment, prompt, secretStore, valueFile }, set), ["set"])
      }
    }))

  it.effect("keeps different case apart, and refuses two ids that share a variable", () =>
    Effect.gen(function*() {
      const inputsOf = (...ids: ReadonlyArray<string>): ReadonlyArray<Definition> =>
        ids.map((id) => ({ id, type: "promptString" }))
      const environment = { A2C_SMCP_my_id: "lower", A2C_SMCP_My_Id: "mixed", "A2C_SMCP_p_m_x": "p" }
      assert.deepStrictEqual(
        yield* valuesOf("my-id", "My-Id", "p@m:x").pipe(
          provide({ inputs: inputsOf("my-id", "My-Id", "p@m:x"), environment })
        ),
        ["lower", "mixed", "p"]
      )
      const error = yield* fails(valuesOf("my-id"), { inputs: inputsOf("my-id", "my.id"), environment })
      assert.include(error.message, "The inputs \"my-id\" and \"my.id\" would both be read from")
      assert.notInclude(error.message, "lower")
      const put = Inputs.Inputs.use((service) => service.put({ id: "my_id", type: "promptString" }))
      assert.strictEqual((yield* fails(put, { inputs: inputsOf("my-id") })).reason, "undefined")
    }))

  it.effect("asks once for what many servers need at the same time, and again when it was cleared", () =>
    Effect.gen(function*() {
      const asked: Array<string> = []
      yield* Effect.gen(function*() {
        const { values } = yield* Inputs.Inputs
        const starting = yield* Effect.forkChild(
          Effect.all(Array.from({ length: 10 }, () => valuesOf("city")), { concurrency: "unbounded" })
        )
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(yield* Fiber.join(starting), Array.from({ length: 10 }, () => ["answer 1"]))
        assert.deepStrictEqual(yield* valuesOf("city"), ["answer 1"])
        yield* values.clear("city")
        const again = yield* Effect.forkChild(valuesOf("city"))
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(yield* Fiber.join(again), ["answer 2"])
      }).pipe(provide({
        inputs: [city],
        prompt: ({ id }) =>
          Effect.suspend(() => {
            asked.push(id)
            return Effect.delay(Effect.succeed(`answer ${asked.length}`), "1 second")
          })
      }))
    }))

  it.effect.skipIf(process.platform === "win32")(
    "takes no value from a file that others may have written",
    () =>
      Effect.gen(function*() {
        const valueFile = join(yield* temporaryFolder, "values.json")
        writeFileSync(valueFile, "{\"city\":\"kept\"}")
        const options = { inputs: [{ ...city, default: "Bergen" }], valueFile }
        chmodSync(valueFile, 0o644)
        assert.deepStrictEqual(yield* valuesOf("city").pipe(provide(options)), ["kept"])
        chmodSync(valueFile, 0o666)
        assert.deepStrictEqual(yield* valuesOf("city").pipe(provide(options)), ["Bergen"])
        const known = Inputs.Inputs.use(({ values }) => values.get("city"))
        assert.include((yield* fails(known, options)).message, "others could have written it")
      })
  )

  it.effect("keeps what was set or cleared while somebody was asked", () =>
    Effect.gen(function*() {
      const valueFile = join(yield* temporaryFolder, "values.json")
      const kept = () => JSON.parse(readFileSync(valueFile, "utf8")) as unknown
      const asked = yield* Queue.make<Deferred.Deferred<string>>()
      yield* Effect.gen(function*() {
        const { values } = yield* Inputs.Inputs
        /** Somebody answers after something else was done; whoever needed it gets what was asked for. */
        const meanwhile = Effect.fnUntraced(function*(change: Effect.Effect<void, Inputs.InputError>) {
          const starting = yield* Effect.forkChild(valuesOf("city"), { startImmediately: true })
          const answer = yield* Queue.take(asked)
          yield* change
          yield* Deferred.succeed(answer, "late")
          assert.deepStrictEqual(yield* Fiber.join(starting), ["late"])
        })
        yield* meanwhile(values.set("city", "Oslo"))
        assert.deepStrictEqual(yield* valuesOf("city"), ["Oslo"])
        assert.deepStrictEqual(kept(), { city: "Oslo" })
        yield* values.clear("city")
        yield* meanwhile(values.clear("city"))
        assert.isUndefined(yield* values.get("city"))
        assert.deepStrictEqual(kept(), {})
      }).pipe(provide({
        inputs: [city],
        valueFile,
        prompt: () =>
          Effect.gen(function*() {
            const answer = yield* Deferred.make<string>()
            yield* Queue.offer(asked, answer)
            return yield* Deferred.await(answer)
          })
      }))
    }))

  it.effect("goes on asking for the others when the first to need it has gone, and withdraws when all have", () =>
    Effect.gen(function*() {
      let open = 0
      yield* Effect.gen(function*() {
        const [first, second] = [yield* Effect.forkChild(valuesOf("city")), yield* Effect.forkChild(valuesOf("city"))]
        yield* TestClock.adjust("1 second")
        yield* Fiber.interrupt(first)
        assert.strictEqual(open, 1)
        yield* TestClock.adjust("9 seconds")
        assert.deepStrictEqual(yield* Fiber.join(second), ["Oslo"])
        const third = yield* Effect.forkChild(valuesOf("other"))
        yield* TestClock.adjust("1 second")
        assert.strictEqual(open, 1)
        yield* Fiber.interrupt(third)
        assert.strictEqual(open, 0)
      }).pipe(provide({
        inputs: [city, { ...city, id: "other" }],
        prompt: () =>
          Effect.acquireUseRelease(
            Effect.sync(() => open++),
            () => Effect.delay(Effect.succeed("Oslo"), "10 seconds"),
            () => Effect.sync(() => open--)
          )
      }))
    }))

  it.effect("asks one question at a time, for 300 seconds each", () =>
    Effect.gen(function*() {
      const asked: Array<string> = []
      yield* Effect.gen(function*() {
        const both = yield* Effect.forkChild(
          Effect.all([Effect.flip(valuesOf("city")), Effect.flip(valuesOf("port"))], { concurrency: "unbounded" })
        )
        yield* TestClock.adjust("299 seconds")
        assert.deepStrictEqual(asked, ["city"])
        yield* TestClock.adjust("299 seconds")
        assert.deepStrictEqual(asked, ["city", "port"])
        yield* TestClock.adjust("2 seconds")
        const [one, other] = yield* Fiber.join(both)
        assert.strictEqual(one?.reason, "timeout")
        assert.include(one?.message, "Nobody gave the input \"city\" a value within 300 s")
        assert.strictEqual(other?.reason, "timeout")
        // the next start asks anew
        assert.deepStrictEqual(yield* valuesOf("level"), ["high"])
      }).pipe(provide({
        inputs: [city, port, level],
        prompt: ({ id }) =>
          Effect.suspend(() => {
            asked.push(id)
            return id === "level" ? Effect.succeed("High!") : Effect.never
          })
      }))
    }))

  it.effect("asks again for what cannot be used, saying why, and gives up after ten tries", () =>
    Effect.gen(function*() {
      const { asked, prompt } = person("many", "0", "80.5", "8080")
      assert.deepStrictEqual(yield* valuesOf("port").pipe(provide({ inputs: [port], prompt })), ["8080"])
      const problem = "must be a whole number from 1 to 65535"
      assert.deepStrictEqual(asked.map((request) => request.problem), [undefined, problem, problem, problem])
      assert.deepInclude(asked[0], {
        id: "port",
        type: "number",
        description: "port",
        hidden: false,
        server: "s",
        field: "env.port",
        expects: "a whole number from 1 to 65535"
      })
      const stubborn = yield* fails(valuesOf("port"), { inputs: [port], prompt: () => Effect.succeed("hunter2") })
      assert.strictEqual(stubborn.reason, "invalid")
      assert.include(stubborn.message, `None of 10 answers could be used for the input "port": the value ${problem}.`)
      assert.notInclude(stubborn.message, "hunter2")
    }))

  it.effect("shows the choices, the default, and that a secret is one", () =>
    Effect.gen(function*() {
      const { asked, prompt } = person("quiet", "low", "pass", "key")
      const byItsName: Definition = { id: "API_KEY", type: "promptString", default: "d3fault" }
      const definitions = [{ ...debug, default: true }, level, { ...password, default: "d3fault" }, byItsName]
      assert.deepStrictEqual(
        yield* valuesOf("debug", "level", "password", "API_KEY").pipe(provide({ inputs: definitions, prompt })),
        ["false", "low", "pass", "key"]
      )
      assert.deepStrictEqual(asked.map(({ default: fallback, hidden, options }) => ({ fallback, hidden, options })), [
        {
          fallback: "true",
          hidden: false,
          options: [{ label: "Loud", value: "true" }, { label: "Quiet", value: "false" }]
        },
        {
          fallback: undefined,
          hidden: false,
          options: [{ label: "low", value: "low" }, { label: "High!", value: "high" }]
        },
        { fallback: undefined, hidden: true, options: [] },
        { fallback: undefined, hidden: true, options: [] }
      ])
    }))

  /** A definition, a value in the environment, and what is wrong with it. */
  const refused: ReadonlyArray<readonly [definition: object, value: string, why: string]> = [
    [{ type: "number" }, "", "has no value"],
    [{ type: "number" }, "0x10", "must be a number"],
    [{ type: "number", max: 3 }, "3.5", "must be a number, at most 3"],
    [{ type: "boolean" }, "perhaps", "must be true or false"],
    [{ type: "pickString", options: ["a", "b"] }, "c", "must be one of \"a\", \"b\""],
    [{ type: "promptString", minLength: 3 }, "ab", "must have at least 3 characters"],
    [{ type: "promptString", maxLength: 3 }, "abcd", "must have at most 3 characters"],
    [{ type: "promptString", pattern: "[a-z]+" }, "abc1", "must match the pattern [a-z]+"],
    [{ type: "promptString", pattern: "[a-z]+", patternMessage: "wants letters" }, "1", "wants letters"],
    [{ type: "promptString", pattern: "(" }, "1", "the pattern of its definition is no regular expression"],
    [{ type: "file", suffixes: [".pem", ".key"] }, "/x/y.txt", "must be the path of a file ending in .pem or .key"],
    [{ type: "file", mustExist: true }, "/nowhere/at/all", "must be the path of an existing file"],
    [{ type: "promptString" }, "blue", "is not my colour"]
  ]
  for (const [definition, value, why] of refused) {
    it.effect(`refuses ${JSON.stringify(value)} for ${JSON.stringify(definition)}`, () =>
      Effect.gen(function*() {
        const error = yield* fails(valuesOf("x"), {
          inputs: [{ id: "x", ...definition } as Definition],
          environment: { A2C_SMCP_x: value },
          validate: (_id, each) => Effect.succeed(each === "blue" ? "is not my colour" : undefined)
        })
        assert.include(error.message, why)
        assert.include(error.message, "A2C_SMCP_x")
        assert.strictEqual(error.reason, value === "" ? "missing" : "invalid")
      }))
  }

  it.effect("does not use what was kept and no longer fits", () =>
    Effect.gen(function*() {
      const folder = yield* temporaryFolder
      const valueFile = join(folder, "values.json")
      writeFileSync(valueFile, JSON.stringify({ port: 99_999, city: "Oslo" }))
      const { prompt } = person("80")
      assert.deepStrictEqual(
        yield* valuesOf("port", "city").pipe(provide({ inputs: [port, city], valueFile, prompt })),
        ["80", "Oslo"]
      )
    }))
})

describe("Inputs: definitions and values", () => {
  it.effect("lists, shows, sets and forgets values, with secrets masked", () =>
    Effect.gen(function*() {
      const service = yield* Inputs.Inputs
      const { values } = service
      assert.deepStrictEqual(yield* values.list, [
        { id: "debug", type: "boolean", value: true, secret: false, from: "environment" }
      ])
      yield* values.set("password", "hunter2")
      yield* values.set("city")
      assert.deepStrictEqual((yield* values.list).map(({ from, id, value }) => [id, value, from]), [
        ["password", Inputs.MASKED, "cache"],
        ["city", "Rome", "cache"],
        ["debug", true, "environment"]
      ])
      assert.strictEqual((yield* values.get("password"))?.value, Inputs.MASKED)
      assert.strictEqual((yield* values.get("password", { reveal: true }))?.value, "hunter2")
      assert.isUndefined(yield* values.get("output"))
      const errors = yield* Effect.forEach([
        values.set("port", "no"),
        values.set("port"),
        values.set("output"),
        values.set("nobody", 1),
        values.get("nobody"),
        values.clear("nobody"),
        values.remove("port"),
        service.remove("nobody")
      ], Effect.flip)
      assert.deepStrictEqual(errors.map(({ reason }) => reason), [
        "invalid",
        "missing",
        "missing",
        "undefined",
        "undefined",
        "undefined",
        "missing",
        "undefined"
      ])
      yield* values.remove("city")
      yield* values.clear()
      assert.deepStrictEqual((yield* values.list).map(({ id }) => id), ["debug"])
    }).pipe(provide({
      inputs: [password, { ...city, default: "Rome" }, port, debug, { id: "output", type: "command", command: "true" }],
      environment: { A2C_SMCP_debug: "1" }
    })))

  it.effect("forgets what is cached for a definition that changes, and tells of every change", () =>
    Effect.gen(function*() {
      const { changes, definitions, put, remove, replace, values } = yield* Inputs.Inputs
      const heard = yield* Effect.forkChild(Stream.runCollect(Stream.take(changes, 6)), { startImmediately: true })
      const step = Effect.andThen(Effect.yieldNow, Effect.yieldNow)
      yield* values.set("city", "Oslo")
      yield* step
      yield* put(port)
      yield* step
      assert.strictEqual((yield* values.get("city"))?.value, "Oslo")
      yield* replace([{ ...city }, level])
      yield* step
      assert.deepStrictEqual((yield* definitions).map(({ id }) => id), ["city", "level"])
      assert.strictEqual((yield* values.get("city"))?.value, "Oslo")
      yield* put({ ...city, minLength: 2 })
      yield* step
      assert.isUndefined(yield* values.get("city"))
      yield* remove("city")
      yield* step
      assert.strictEqual((yield* Effect.flip(valuesOf("city"))).reason, "undefined")
      assert.strictEqual((yield* Fiber.join(heard)).length, 6)
    }).pipe(provide({ inputs: [city] })))

  it.effect("says where each value would come from, without asking and without values", () =>
    Effect.gen(function*() {
      const folder = yield* temporaryFolder
      const valueFile = join(folder, "values.json")
      writeFileSync(valueFile, JSON.stringify({ city: "c4nary" }))
      const command: Definition = { id: "output", type: "command", command: "exit 1" }
      const entry = local({
        args: ["${workspaceFolder}", "${userHome}", "${command:x}"],
        env: {
          A: "${SOME_KEY} ${NOPE} ${NOPE:-c4nary}",
          B: "${input:password}${input:city}${input:port}${input:debug}${input:output}${input:level}${input:nobody}"
        }
      }, { settings: { envFile: "${ENV_FILE}" } })
      const explained = (prompt?: Inputs.Prompt) =>
        Inputs.Inputs.use((service) => Effect.andThen(service.values.set("port", 80), service.explain(entry))).pipe(
          provide({
            inputs: [password, city, port, { ...debug, default: true }, command, level],
            secretStore: SecretStore.layerMemory({ password: "c4nary" }),
            environment: { SOME_KEY: "c4nary" },
            prompt,
            valueFile
          })
        )
      const headless = yield* explained()
      assert.deepStrictEqual(headless.map(({ field, from, name, secret }) => [field, name, from, secret]), [
        ["args[0]", "workspaceFolder", "missing", false],
        ["args[1]", "userHome", "constant", false],
        ["args[2]", "${command:x}", "missing", false],
        ["env.A", "SOME_KEY", "environment", true],
        ["env.A", "NOPE", "missing", false],
        ["env.A", "NOPE", "default", false],
        ["env.B", "password", "keychain", true],
        ["env.B", "city", "store", false],
        ["env.B", "port", "cache", false],
        ["env.B", "debug", "default", false],
        ["env.B", "output", "command", true],
        ["env.B", "level", "missing", false],
        ["env.B", "nobody", "missing", false],
        ["envFile", "ENV_FILE", "missing", false]
      ])
      assert.notInclude(JSON.stringify(headless), "c4nary")
      const { asked, prompt } = person("x")
      const atTerminal = yield* explained(prompt)
      assert.deepStrictEqual(atTerminal.filter(({ from }) => from === "prompt").map(({ name }) => name), [
        "debug",
        "level"
      ])
      assert.strictEqual(asked.length, 0)
    }))
})
