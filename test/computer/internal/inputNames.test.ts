import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as ConfigFile from "../../../src/computer/ConfigFile.ts"
import { collidingId, variableOf } from "../../../src/computer/internal/inputs/inputNames.ts"
import { isSecretVariable } from "../../../src/computer/internal/secrets/secretNames.ts"

const variables: ReadonlyArray<readonly [id: string, variable: string]> = [
  ["token", "A2C_SMCP_token"],
  ["API_Key", "A2C_SMCP_API_Key"],
  ["api-key", "A2C_SMCP_api_key"],
  ["plugin@market:id", "A2C_SMCP_plugin_market_id"],
  [" a.b ", "A2C_SMCP__a_b_"],
  ["é💧", "A2C_SMCP___"]
]

const pairs: ReadonlyArray<readonly [id: string, other: string, linux: boolean, windows: boolean]> = [
  ["a", "a", false, false],
  ["a", "b", false, false],
  ["a-b", "a_b", true, true],
  ["a.b", "a:b", true, true],
  ["A", "a", false, true],
  ["é", "_", true, true],
  ["a--b", "a-b", false, false]
]

const names: ReadonlyArray<readonly [name: string, secret: boolean]> = [
  ...["GITHUB_TOKEN", "apiKey", "API_KEY", "DB_PASSWORD", "PGPASSWORD", "AUTH", "clientSecret", "AWS_SECRET_ACCESS_KEY"]
    .map((name) => [name, true] as const),
  ...["SESSION_ID", "STRIPE_KEY", "github-pat", "X-API-KEY", "OPENAI_APIKEY", "cookie", "passphrase", "DSN"]
    .map((name) => [name, true] as const),
  ...[
    "HOME",
    "PATH",
    "MONKEY_NAME",
    "KEYBOARD",
    "AUTHOR",
    "patch",
    "city",
    "PORT",
    "DISPLAY",
    "TMPDIR",
    "LANG",
    "SPACE"
  ]
    .map((name) => [name, false] as const)
]

describe("inputNames", () => {
  it.each(variables)("reads %j from %s", (id, variable) => {
    assert.strictEqual(variableOf(id), variable)
  })

  it.each(pairs)("tells %j and %j apart", (id, other, linux, windows) => {
    assert.strictEqual(collidingId(id, ["x", other], "linux"), linux ? other : undefined)
    assert.strictEqual(collidingId(id, ["x", other], "win32"), windows ? other : undefined)
  })

  it.each(names)("takes the value of %s for a secret: %s", (name, secret) => {
    assert.strictEqual(isSecretVariable(name), secret)
  })

  it.effect("leaves out the second of two inputs that share a variable when a file is loaded", () =>
    Effect.gen(function*() {
      const input = (id: string) => ({ id, type: "promptString", default: "hunter2" })
      const { diagnostics, inputs } = yield* ConfigFile.fromValue(
        { servers: {}, inputs: [input("my-id"), input("other"), input("my.id")] },
        "test"
      )
      assert.deepStrictEqual(inputs.map(({ id }) => id), ["my-id", "other"])
      const messages = diagnostics.map(({ message }) => message).join("\n")
      assert.include(
        messages,
        "inputs[2] (\"my.id\") was left out: would be read from the environment variable A2C_SMCP_my_id"
      )
      assert.notInclude(messages, "hunter2")
    }))
})
