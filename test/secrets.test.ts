import { assert, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as References from "effect/References"
import * as Scope from "effect/Scope"
import { fileURLToPath } from "node:url"
import * as Agent from "../src/agent/Agent.ts"
import * as Computer from "../src/computer/Computer.ts"
import * as ConfigFile from "../src/computer/ConfigFile.ts"
import * as Consent from "../src/computer/Consent.ts"
import * as McpManager from "../src/computer/McpManager.ts"
import * as Authenticator from "../src/server/Authenticator.ts"
import * as HttpServer from "../src/server/HttpServer.ts"
import * as SocketIoServer from "../src/server/SocketIoServer.ts"

const KEY = "canary-key-5d1b7e"
const TOKEN = "canary-token-90aa31"
const canaries = [KEY, TOKEN]

const rawServer = fileURLToPath(new URL("computer/support/rawMcpServer.mjs", import.meta.url))
const server = (settings: object) => ({
  command: process.execPath,
  args: [rawServer, JSON.stringify(settings)],
  env: { SERVICE_TOKEN: TOKEN }
})

/** Two servers that hold a token: one runs, one prints it to stderr and dies. */
const config = ConfigFile.fromValue(
  {
    mcpServers: {
      good: server({}),
      chatty: {
        ...server({ exit: 3 }),
        args: ["-e", "console.error(`bad token ${process.env.SERVICE_TOKEN}`); process.exit(3)"]
      }
    }
  },
  "mcp.json"
)

it.live("no key and no configured value is in a log line, an error, an answer or a state", () => {
  const lines: Array<string> = []
  const logger = Logger.map(Logger.formatJson, (line) => void lines.push(line))
  return Effect.gen(function*() {
    const answers: Array<unknown> = []
    const serverLayer = SocketIoServer.layer().pipe(
      Layer.provide(Authenticator.layerApiKey({ keys: [Redacted.make(KEY)] }))
    )
    const { url } = Context.get(yield* Layer.build(serverLayer), HttpServer.HttpServer)
    const { servers } = yield* config
    const away = yield* Scope.make()
    const computer = yield* Computer.layer({
      url,
      name: "C",
      office: "R",
      apiKey: Redacted.make(KEY),
      servers,
      consent: Consent.layerAllowAll
    }).pipe(Layer.build, Scope.provide(away))
    const manager = Context.get(computer, McpManager.McpManager)
    yield* manager.ready
    const states = yield* manager.states
    answers.push(states.map(({ state }) => "reason" in state ? state.reason : state._tag))
    const agent = Context.get(
      yield* Layer.build(Agent.layer({ url, office: "R", name: "A", apiKey: Redacted.make(KEY) })),
      Agent.Agent
    )
    answers.push(yield* agent.config("C"), yield* agent.tools())
    answers.push(yield* Effect.exit(agent.callTool({ computer: "C", tool: "good__unknown" })))
    answers.push(yield* Effect.exit(agent.callTool({ computer: "C", tool: "good__die" })))
    answers.push(yield* Effect.exit(agent.callTool({ computer: "nobody", tool: "x" })))
    for (const apiKey of [`${KEY}-wrong`, ""]) {
      answers.push(
        yield* Effect.exit(Layer.build(Agent.layer({ url, office: "R", name: "B", apiKey: Redacted.make(apiKey) })))
      )
    }
    yield* Scope.close(away, Exit.void)
    const told = answers.map((answer) => String(answer) + JSON.stringify(answer)).concat(lines).join("\n")
    assert.include(told, "SERVICE_TOKEN")
    assert.include(told, "the API key is wrong")
    assert.include(told, "bad token ***")
    for (const canary of canaries) assert.notInclude(told, canary)
  }).pipe(
    Effect.provide(Logger.layer([logger])),
    Effect.provideService(References.MinimumLogLevel, "Trace")
  )
})
