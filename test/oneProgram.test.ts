import { assert, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Agent from "../src/agent/Agent.ts"
import * as ToolOutcome from "../src/agent/ToolOutcome.ts"
import * as Computer from "../src/computer/Computer.ts"
import * as ConfigFile from "../src/computer/ConfigFile.ts"
import * as Consent from "../src/computer/Consent.ts"
import * as McpManager from "../src/computer/McpManager.ts"
import * as Authenticator from "../src/server/Authenticator.ts"
import * as HttpServer from "../src/server/HttpServer.ts"
import * as Server from "../src/server/Server.ts"
import * as SocketIoServer from "../src/server/SocketIoServer.ts"
import { rawServer } from "./computer/support/mcpClients.ts"

const open = Layer.provide(SocketIoServer.layer(), Authenticator.layerAllowAll)
const alsoOpen = Layer.provide(SocketIoServer.layer(), Authenticator.layerAllowAll)

const computer = Effect.fnUntraced(function*(url: string, name: string) {
  const config = { mcpServers: { [`of ${name}`]: { command: process.execPath, args: [rawServer, "{}"] } } }
  const { servers } = yield* ConfigFile.fromValue(config, "mcp.json")
  return Computer.layer({ url, name, office: "R", servers, consent: Consent.layerAllowAll })
})

it.live("two Servers, two Computers and an Agent live in one program without sharing what is theirs", () =>
  Effect.gen(function*() {
    const built = yield* Effect.all([Layer.build(open), Layer.build(alsoOpen)])
    const [first, second] = built.map((context) => ({
      url: Context.get(context, HttpServer.HttpServer).url,
      server: Context.get(context, Server.Server)
    }))
    const one = yield* computer(first!.url, "one")
    const two = yield* computer(first!.url, "two")
    const roles = Layer.mergeAll(
      Agent.layer({ url: first!.url, name: "A", office: "R" }),
      one,
      Layer.effectDiscard(Effect.flatMap(McpManager.McpManager, ({ ready }) => ready)).pipe(Layer.provide(one)),
      Layer.effectDiscard(Effect.flatMap(McpManager.McpManager, ({ ready }) => ready)).pipe(Layer.provide(two))
    )
    const agent = Context.get(yield* Layer.build(roles), Agent.Agent)
    assert.deepStrictEqual((yield* first!.server.members("R")).map(({ name }) => name).sort(), ["A", "one", "two"])
    assert.deepStrictEqual(yield* second!.server.members("R"), [])
    for (const name of ["one", "two"]) {
      const outcome = yield* agent.callTool({ computer: name, tool: `of_${name}__echo`, params: { from: name } })
      assert.strictEqual(ToolOutcome.text(outcome), JSON.stringify({ from: name }))
    }
  }))
