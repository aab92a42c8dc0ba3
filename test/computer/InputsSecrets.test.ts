import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Layer, Logger, References } from "effect"
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { inspect } from "node:util"
import * as AuditLog from "../../src/computer/AuditLog.ts"
import * as CallHistory from "../../src/computer/CallHistory.ts"
import * as Consent from "../../src/computer/Consent.ts"
import * as Inputs from "../../src/computer/Inputs.ts"
import * as McpManager from "../../src/computer/McpManager.ts"
import * as SecretStore from "../../src/computer/SecretStore.ts"
import * as ClientEvent from "../../src/protocol/ClientEvent.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"
import { computerIn, envelope, makeOffice, toolCall } from "./support/office.ts"
import { childrenOf, eventually } from "./support/processes.ts"

const leakyServer = fileURLToPath(new URL("./support/leakyServer.mjs", import.meta.url))

/** One secret for each way into a server. */
const canaries = {
  environment: "canary-environment-1f0c",
  input: "canary-input-2e9b",
  keychain: "canary-keychain-3d8a",
  command: "canary-command-4c77",
  prompt: "canary \"prompt\" 5b66",
  fallback: "canary-default-6a55",
  file: "canary-file-7944",
  store: "canary-store-8833"
}

const input = (id: string, rest: object = {}) => ({ id, type: "promptString", password: true, ...rest })

const inputs = [
  input("input"),
  input("keychain"),
  { id: "command", type: "command", command: "printf '%s' \"$COMMAND_SECRET\"; echo \"$COMMAND_SECRET\" >&2" },
  { id: "broken", type: "command", command: "echo \"$COMMAND_SECRET\"; echo \"$COMMAND_SECRET\" >&2; exit 9" },
  input("prompt"),
  input("fallback", { default: "${NO_SUCH:-canary-default-6a55}" }),
  input("kept")
]

const env = {
  ENVIRONMENT: "${env:SERVICE_TOKEN}",
  INPUT: "${input:input}",
  KEYCHAIN: "${input:keychain}",
  COMMAND: "${input:command}",
  PROMPT: "${input:prompt}",
  FALLBACK: "${input:fallback}"
}

const leaky = (rest: object = {}) => ({
  command: process.execPath,
  args: [leakyServer, ...Object.keys(env), "FROM_FILE"],
  env: { ...env, ...rest },
  envFile: "${env:ENV_FILE}"
})

/** Everything that can be read of a value, whoever reads it. */
const legible = (value: unknown): string =>
  [String(value), JSON.stringify(value), inspect(value, { depth: 12, showHidden: true, getters: true })].join("\n")

const assertClean = (where: string, text: string): void => {
  for (const [name, canary] of Object.entries(canaries)) {
    for (const form of [canary, JSON.stringify(canary).slice(1, -1), encodeURIComponent(canary)]) {
      assert.notInclude(text, form, `the secret "${name}" is in ${where}`)
    }
  }
}

/** The command lines of all that runs below this process. */
const commandLines = (parent = process.pid): ReadonlyArray<string> =>
  childrenOf(parent).flatMap((pid) => [readFileSync(`/proc/${pid}/cmdline`, "utf8"), ...commandLines(pid)])

const textsIn = (folder: string): string =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((each) => each.isFile())
    .map((each) => readFileSync(join(each.parentPath, each.name), "utf8"))
    .join("\n")

describe.skipIf(process.platform !== "linux")("Inputs: secrets", () => {
  it.live("get into the server, and nowhere else", () => {
    const lines: Array<string> = []
    const logger = Logger.make(({ cause, message, fiber }) => {
      lines.push(legible(message), Cause.pretty(cause), legible(fiber.getRef(References.CurrentLogAnnotations)))
    })
    return Effect.gen(function*() {
      const folder = yield* temporaryFolder
      const state = yield* temporaryFolder
      const envFile = join(folder, "server.env")
      const valueFile = join(state, "values.json")
      writeFileSync(envFile, `FROM_FILE=${canaries.file}\n`)
      // what an older version kept before it was declared a password
      writeFileSync(valueFile, JSON.stringify({ kept: canaries.store }))
      const office = yield* makeOffice()
      const host = yield* Layer.build(computerIn(office, {
        servers: { leaky: leaky(), dies: leaky({ DIE: "1" }), broken: { command: "-", env: { A: "${input:broken}" } } },
        inputs
      }, {
        environment: {
          ...process.env,
          SERVICE_TOKEN: canaries.environment,
          A2C_SMCP_input: canaries.input,
          COMMAND_SECRET: canaries.command,
          ENV_FILE: envFile
        },
        secretStore: SecretStore.layerMemory({ keychain: canaries.keychain }),
        prompt: ({ id }) =>
          id === "prompt" ? Effect.succeed(canaries.prompt) : Effect.fail(new Inputs.PromptUnavailable()),
        valueFile,
        consent: Consent.layerAllowAll,
        auditLog: AuditLog.layerFile({ path: join(state, "audit.jsonl") }),
        loud: true
      }))
      const manager = Context.get(host, McpManager.McpManager)
      const service = Context.get(host, Inputs.Inputs)
      yield* manager.ready
      const seen: Array<unknown> = [yield* manager.states]
      assert.deepStrictEqual((yield* manager.states).map(({ entry, state }) => [entry.bundleId, state._tag]), [
        ["leaky", "Ready"],
        ["dies", "Waiting"],
        ["broken", "Failed"]
      ])
      const running = commandLines().join("\n")
      assert.include(running, leakyServer)

      const call = (tool: string) => office.ask(ClientEvent.ToolCall, toolCall(`leaky__${tool}`))
      const counted = yield* call("count")
      // every way leads into the server
      assert.include(JSON.stringify(counted), "\"7\"")
      seen.push(counted)
      // what a tool says is for the Agent as it is; what we remember of it is not
      assert.include(JSON.stringify(yield* call("failed")), canaries.input)
      for (const tool of ["fail", "log", "crash"]) {
        seen.push(yield* call(tool))
        const direct = yield* Effect.exit(manager.withClient("leaky", (client) => client.callTool(tool, {})))
        seen.push(direct, Exit.isFailure(direct) ? Cause.pretty(direct.cause) : "")
      }
      seen.push(
        yield* office.ask(ClientEvent.GetConfig, envelope()),
        yield* office.ask(ClientEvent.GetTools, envelope()),
        office.heard,
        yield* Context.get(host, CallHistory.CallHistory).recent,
        yield* service.definitions,
        yield* service.values.list,
        yield* service.renderValue(env),
        yield* Effect.forEach(yield* manager.states, ({ entry }) => service.explain(entry)),
        yield* Effect.forEach(yield* manager.states, ({ entry }) => Effect.exit(service.render(entry))),
        yield* manager.states
      )
      yield* eventually("the crashed server is seen to", () => lines.some((line) => line.includes("leaky")))

      assertClean("a command line", running)
      assertClean("a file of ours", textsIn(state))
      seen.forEach((value, index) => assertClean(`what is seen (${index})`, legible(withoutDefaults(value))))
      assertClean("the log", lines.join("\n"))
      // and all that was looked into does say what happened
      const told = legible(seen)
      assert.include(told, "fatal: ***")
      assert.include(told, "cannot log in")
      assert.include(told, "ended with exit code 9")
      assert.include(told, "bad ***")
    }).pipe(
      Effect.provide(Logger.layer([logger])),
      Effect.provideService(References.MinimumLogLevel, "Trace")
    )
  }, 20_000)
})

/** The person's own configuration is raw, and one of its secrets is literal: that is shown to nobody but the person. */
const withoutDefaults = (value: unknown): unknown =>
  Array.isArray(value)
    ? value.map((each: unknown) =>
      typeof each === "object" && each !== null && "id" in each && each.id === "fallback" ? "literal" : each
    )
    : value
