import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as McpConnector from "../../src/computer/McpConnector.ts"
import { GetConfig } from "../../src/protocol/ClientEvent.ts"
import * as Revision from "../../src/protocol/Revision.ts"
import type { GetConfigRet } from "../../src/protocol/ServerConfig.ts"
import { build, envelope, makeOffice } from "./support/office.ts"
import { eventually } from "./support/processes.ts"

describe("Computer", () => {
  describe("its configuration", () => {
    const config = {
      servers: {
        "local one": {
          command: "npx",
          args: ["-y", "${input:pkg}"],
          env: { TOKEN: "${input:token}", KEY: "sk-canary-1", MIXED: "Bearer ${env:T} canary-2" },
          forbidden_tools: ["rm"],
          tool_meta: { ls: { auto_apply: true, tags: ["a"], color: "red" } }
        },
        bare: { command: "x", disabled: true },
        http: {
          type: "http",
          url: "https://a/mcp",
          headers: { Authorization: "Bearer canary-3", "X-Id": "${input:id}" }
        },
        sse: { type: "sse", server_parameters: { url: "https://a/sse", timeout: 2 } },
        leaky: {
          command: "sh -c \"TOKEN=canary-5 run\"",
          args: [
            "--api-key",
            "canary-6",
            "--token=canary-7",
            "--dsn",
            "pg://u:canary-8@h/d",
            "https://h/?key=canary-9"
          ],
          lazy: true,
          oauth: { client_secret: "canary-10" },
          unknown: "canary-11"
        }
      },
      inputs: [
        { id: "token", type: "promptString", description: "The token", password: true, default: "canary-4" },
        {
          id: "pkg",
          type: "pickString",
          description: "Which",
          options: ["a", { label: "B", value: "b" }],
          default: "b"
        },
        { id: "id", type: "promptString" },
        { id: "now", type: "command", description: "When", command: "date", args: { b: "canary-12", a: "--token" } },
        { id: "where", type: "promptString", default: "https://me:canary-5@h" },
        { id: "port", type: "number", min: 1, max: 9, default: 2 }
      ]
    }
    const common = { disabled: false, forbidden_tools: [], tool_meta: {}, default_tool_meta: null, vrl: null }
    const encoding = { encoding: "utf-8", encoding_error_handler: "strict" }

    const ask = Effect.fnUntraced(function*(revision: Revision.Revision) {
      const office = yield* makeOffice(revision)
      yield* build(office, config, { connector: McpConnector.layerOf(() => Effect.never), concurrency: 9 }, revision)
        .pipe(
          // its servers never start, and so it is never ready
          Effect.forkScoped({ startImmediately: true })
        )
      yield* eventually("it has joined", () => office.count("server:join_office") === 1)
      return yield* office.ask(GetConfig, envelope()) as Effect.Effect<GetConfigRet>
    })

    it.live("is told with every key, raw, and without secrets", () =>
      Effect.gen(function*() {
        const answer = yield* ask(Revision.revisions["0.4"])
        assert.notInclude(JSON.stringify(answer), "canary")
        assert.deepStrictEqual<unknown>(answer, {
          servers: {
            local_one: {
              name: "local one",
              bundle_id: "local_one",
              ...common,
              forbidden_tools: ["rm"],
              tool_meta: { ls: { auto_apply: true, alias: null, tags: ["a"], ret_object_mapper: null, color: "red" } },
              type: "stdio",
              server_parameters: {
                command: "npx",
                args: ["-y", "${input:pkg}"],
                env: { TOKEN: "${input:token}", KEY: "***", MIXED: "***${env:T}***" },
                cwd: null,
                ...encoding
              }
            },
            bare: {
              name: "bare",
              bundle_id: "bare",
              ...common,
              disabled: true,
              type: "stdio",
              server_parameters: { command: "x", args: [], env: null, cwd: null, ...encoding }
            },
            http: {
              name: "http",
              bundle_id: "http",
              ...common,
              type: "streamable",
              server_parameters: {
                url: "https://a/mcp",
                headers: { Authorization: "***", "X-Id": "${input:id}" },
                timeout: "PT30S",
                sse_read_timeout: "PT5M",
                terminate_on_close: true
              }
            },
            sse: {
              name: "sse",
              bundle_id: "sse",
              ...common,
              type: "sse",
              server_parameters: { url: "https://a/sse", headers: null, timeout: 2, sse_read_timeout: 300 }
            },
            leaky: {
              name: "leaky",
              bundle_id: "leaky",
              ...common,
              type: "stdio",
              server_parameters: {
                command: "sh -c \"TOKEN=*** run\"",
                args: ["--api-key", "***", "--token=***", "--dsn", "pg://***@h/d", "https://h/?key=***"],
                env: null,
                cwd: null,
                ...encoding
              }
            }
          },
          inputs: [
            { id: "token", description: "The token", type: "promptString", default: "***", password: true },
            {
              id: "pkg",
              description: "Which",
              type: "pickString",
              options: [{ label: "a", value: "a" }, { label: "B", value: "b" }],
              default: "b"
            },
            { id: "id", description: "id", type: "promptString", default: null, password: false },
            { id: "now", description: "When", type: "command", command: "date", args: { a: "--token", b: "***" } },
            {
              id: "where",
              description: "where",
              type: "promptString",
              default: "https://***@h",
              password: false
            },
            {
              id: "port",
              description: "port (a number from 1 to 9)",
              type: "promptString",
              default: "2",
              password: false
            }
          ]
        })
      }))

    it.live("is keyed by name and has plain options in old revisions", () =>
      Effect.gen(function*() {
        const answer = yield* ask(Revision.revisions["0.2"])
        assert.deepStrictEqual(Object.keys(answer.servers), ["local one", "bare", "http", "sse", "leaky"])
        assert.deepStrictEqual(answer.inputs![1]!["options"], ["a", "b"])
      }))
  })
})
