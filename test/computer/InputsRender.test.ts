import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { mkdirSync, writeFileSync } from "node:fs"
import { homedir } from "node:os"
import { join } from "node:path"
import { inspect } from "node:util"
import * as Inputs from "../../src/computer/Inputs.ts"
import type { Dialect } from "../../src/computer/ServerEntry.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"
import {
  city,
  debug,
  type Definition,
  fails,
  local,
  password,
  person,
  port,
  provide,
  remote,
  rendered,
  renderedEnv,
  valuesOf
} from "./support/inputs.ts"

describe("Inputs: rendering", () => {
  it.effect("replaces placeholders in every field and leaves the entry raw", () =>
    Effect.gen(function*() {
      const entry = local({
        command: "${workspaceFolder}/run",
        args: ["--home=${userHome}", "${workspaceFolderBasename}", "${NONE:-${env:HOST:-${input:city}}}", "$${HOME}"],
        env: { PORT: "${input:port}", DEBUG: "${input:debug}", SEP: "${/}" },
        cwd: "${workspaceFolder}"
      }, {
        directory: "/work/space",
        settings: {
          startTimeout: 9,
          roots: ["file://${workspaceFolder}"],
          oauth: { clientSecret: "${input:password}" },
          custom: {
            transport: "mine",
            source: { port: "${input:port}", debug: "${input:debug}", at: ":${input:port}" }
          }
        }
      })
      const before = JSON.stringify(entry)
      const { config, secrets, settings } = yield* rendered(entry)
      assert.deepInclude(config.server_parameters, {
        command: "/work/space/run",
        args: [`--home=${homedir()}`, "space", "Bergen", "${HOME}"],
        env: { PORT: "8080", DEBUG: "true", SEP: "/" },
        cwd: "/work/space"
      })
      // alone in a field that is no text, a number stays a number
      assert.deepStrictEqual(settings, {
        startTimeout: 9,
        roots: ["file:///work/space"],
        oauth: { clientSecret: "s3cret-pass" },
        custom: { transport: "mine", source: { port: 8080, debug: true, at: ":8080" } }
      })
      assert.includeMembers([...secrets], ["s3cret-pass"])
      assert.notInclude(secrets, "Bergen")
      assert.strictEqual(JSON.stringify(entry), before)
    }).pipe(provide({
      inputs: [password, city, port, debug],
      environment: {
        A2C_SMCP_password: "s3cret-pass",
        A2C_SMCP_city: "Bergen",
        A2C_SMCP_port: "8080",
        A2C_SMCP_debug: "是"
      }
    })))

  const dialects: ReadonlyArray<readonly [dialect: Dialect, text: string, expected: string]> = [
    ["a2c", "${A} ${env:A}", "a a"],
    ["claude-code", "${A} ${B:-b}", "a b"],
    ["vscode", "${A} ${env:A}", "${A} a"],
    ["cursor", "${A} ${env:A}", "${A} a"],
    ["gemini", "$A ${A}", "a a"],
    ["opencode", "${A} {env:A}", "${A} a"],
    ["claude-desktop", "${A} $A {env:A}", "${A} $A {env:A}"]
  ]
  for (const [dialect, text, expected] of dialects) {
    it.effect(`reads ${text} as ${dialect} does`, () =>
      Effect.gen(function*() {
        const { config } = yield* rendered(local({ args: [text] }, { dialect }))
        assert.deepInclude(config.server_parameters, { args: [expected] })
      }).pipe(provide({ environment: { A: "a" } })))
  }

  it.effect("does not render what comes out of a placeholder", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* renderedEnv({ A: "${A}", C: "${input:city}" }), { A: "${B}", C: "${A}" })
    }).pipe(provide({ inputs: [city], environment: { A: "${B}", B: "b" }, prompt: person("${A}").prompt })))

  it.effect("names everything that is missing at once, before anybody is asked", () =>
    Effect.gen(function*() {
      const { asked, prompt } = person("x")
      const error = yield* fails(
        renderedEnv({ A: "${input:city}", B: "${NOPE}", C: "x ${env:NADA}", D: "${input:nobody}", E: "${command:x}" }),
        { inputs: [city], prompt }
      )
      assert.strictEqual(error.reason, "undefined")
      assert.strictEqual(
        error.message,
        "Nothing to put in place of ${NOPE} in env.B, ${env:NADA} in env.C, ${input:nobody} in env.D, " +
          "${command:x} in env.E. Set the environment variable before the start, or write $${ for a literal ${. " +
          "Define \"nobody\" in \"inputs\" of the configuration. " +
          "Such placeholders are not known here, or write $${ for a literal ${."
      )
      assert.strictEqual(asked.length, 0)
    }))

  it.effect("names every input that nobody gave a value, with its variable and field", () =>
    Effect.gen(function*() {
      const error = yield* fails(renderedEnv({ A: "${input:city}", B: "${input:my-token}" }), {
        inputs: [city, { id: "my-token", type: "promptString" }]
      })
      assert.strictEqual(error.reason, "missing")
      assert.match(error.message, /^\$\{input:city\} in env\.A: The input "city" has no value: .*A2C_SMCP_city/)
      assert.match(error.message, /\$\{input:my-token\} in env\.B: .*A2C_SMCP_my_token, or start it at a terminal/)
      assert.notInclude(error.message, "\n")
    }))

  it.effect("refuses inputs that need themselves, and too many one after the other", () =>
    Effect.gen(function*() {
      const chain = (length: number): ReadonlyArray<Definition> =>
        Array.from({ length }, (_, index) => ({
          id: `c${index}`,
          type: "promptString",
          default: index + 1 === length ? "end" : `\${input:c${index + 1}}`
        }))
      const circle = yield* fails(valuesOf("a"), {
        inputs: [
          { id: "a", type: "promptString", default: "${X:-${input:b}}" },
          { id: "b", type: "command", command: "true", args: { x: "${input:a}" } }
        ]
      })
      assert.include(circle.message, "The input \"a\" needs itself: \"a\" → \"b\" → \"a\".")
      assert.include((yield* fails(valuesOf("c0"), { inputs: chain(11) })).message, "more than 10 deep")
      assert.deepStrictEqual(yield* valuesOf("c0").pipe(provide({ inputs: chain(10) })), ["end"])
    }))

  it.effect("reads the environment anew at each start, and nothing of it is a property of a prototype", () =>
    Effect.gen(function*() {
      const environment: Record<string, string> = { A: "1" }
      yield* Effect.gen(function*() {
        assert.deepStrictEqual(yield* renderedEnv({ A: "${A}" }), { A: "1" })
        environment["A"] = "2"
        assert.deepStrictEqual(yield* renderedEnv({ A: "${A}" }), { A: "2" })
        assert.include((yield* Effect.flip(renderedEnv({ A: "${__proto__}${constructor}" }))).message, "${constructor}")
      }).pipe(provide({ environment }))
    }))

  it.effect("leaves scripts as they are, whatever the grammar of the file", () =>
    Effect.gen(function*() {
      const script = "$map($, function($v) { ${id: $v.HOME, \"all\": $$} })"
      for (const dialect of ["a2c", "gemini", "opencode"] as const) {
        const entry = local({ args: ["${HOME}"] }, {
          dialect,
          settings: {
            transform: { language: "jsonata", script },
            custom: { transport: "mine", source: { jsonata: script, vrl: "\"${x}{env:X}\"" } }
          }
        })
        const { settings } = yield* rendered(entry)
        assert.deepStrictEqual(settings, entry.settings)
        const { explain } = yield* Inputs.Inputs
        assert.deepStrictEqual((yield* explain(entry)).length, dialect === "opencode" ? 0 : 1)
      }
    }).pipe(provide({ environment: { HOME: "/home/me" } })))

  it.effect("says nothing of what stands for a part of the path of an envFile", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(rendered(local({}, { settings: { envFile: "${DIR_TOKEN}/no.env" } })))
      assert.include(error.message, "${DIR_TOKEN}/no.env")
      assert.notInclude(error.message, "s3cret")
    }).pipe(provide({ environment: { DIR_TOKEN: "/s3cret" } })))

  it.effect("adds the variables of an envFile under those that are given by name", () =>
    Effect.gen(function*() {
      const folder = yield* temporaryFolder
      mkdirSync(join(folder, "sub"))
      writeFileSync(join(folder, "sub/.env"), "\uFEFF# mine\nA=file\nexport B='two words'\nC=\"${A}\"\n")
      const start = (envFile: string) =>
        rendered(local({ env: { A: "${GIVEN}" } }, { directory: folder, settings: { envFile } }))
      const { config, secrets } = yield* start("${SUB}/.env")
      assert.deepInclude(config.server_parameters, { env: { A: "given", B: "two words", C: "${A}" } })
      assert.includeMembers([...secrets], ["two words", "given"])
      const missing = yield* Effect.flip(start("nope.env"))
      assert.include(missing.message, "The envFile nope.env cannot be used: it does not exist")
      assert.include((yield* Effect.flip(start("sub"))).message, "it is no file")
    }).pipe(provide({ environment: { SUB: "sub", GIVEN: "given" } })))

  it.effect("takes for secrets what has their place or their name", () =>
    Effect.gen(function*() {
      const { secrets } = yield* rendered(
        remote("https://u:p%40ss@h/?api_key=k-123&sig=s-456&q=plain&home=${MY_TOKEN}", {
          Authorization: "Bearer ${MY_TOKEN}",
          "X-Plain": "literal"
        })
      )
      assert.sameMembers([...secrets], ["t0ken-123", "p%40ss", "p@ss", "k-123", "s-456", "Bearer t0ken-123", "literal"])
    }).pipe(provide({ environment: { MY_TOKEN: "t0ken-123" } })))

  it.effect("shows nothing of what is rendered", () =>
    Effect.gen(function*() {
      const service = yield* Inputs.Inputs
      const redacted = yield* service.render(local({ env: { A: "${input:password}" } }))
      const value = Redacted.value(redacted)
      for (
        const text of [
          inspect(redacted),
          inspect(value),
          inspect({ value }, { depth: 9 }),
          JSON.stringify([redacted, value])
        ]
      ) {
        assert.notInclude(text, "canary")
      }
      assert.include(JSON.stringify(value.config), "canary")
    }).pipe(provide({ inputs: [password], environment: { A2C_SMCP_password: "canary" } })))

  it.effect("renders any JSON, with secrets masked unless they are to be revealed", () =>
    Effect.gen(function*() {
      const { renderValue } = yield* Inputs.Inputs
      const value = { a: ["Bearer ${input:password}", "${input:port}", 1, null], b: "${SOME_TOKEN}" }
      assert.deepStrictEqual(yield* renderValue(value), {
        a: [`Bearer ${Inputs.MASKED}`, 80, 1, null],
        b: Inputs.MASKED
      })
      assert.deepStrictEqual(yield* renderValue(value, { reveal: true }), { a: ["Bearer pass", 80, 1, null], b: "t" })
      assert.include((yield* Effect.flip(renderValue("${NOPE}"))).message, "${NOPE} in the value")
    }).pipe(provide({
      inputs: [password, port],
      environment: { A2C_SMCP_password: "pass", A2C_SMCP_port: "80", SOME_TOKEN: "t" }
    })))
})
