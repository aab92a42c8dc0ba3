import { assert, describe, it } from "@effect/vitest"
import * as Array from "effect/Array"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Agent from "../src/agent/Agent.ts"
import * as ToolOutcome from "../src/agent/ToolOutcome.ts"
import * as Computer from "../src/computer/Computer.ts"
import * as ConfigFile from "../src/computer/ConfigFile.ts"
import * as Consent from "../src/computer/Consent.ts"
import * as McpManager from "../src/computer/McpManager.ts"
import { type Revision, type RevisionId, revisions } from "../src/protocol/Revision.ts"
import * as HttpServer from "../src/server/HttpServer.ts"
import * as Server from "../src/server/Server.ts"
import { connectTo, ToolServer } from "./computer/support/memoryServers.ts"
import { quiet } from "./computer/support/office.ts"
import { layerOpenServer } from "./support/socketIoServer.ts"

const all = ["0.1", "0.2", "0.3", "0.4", "0.5"] as const satisfies ReadonlyArray<RevisionId>

const openServer = Layer.fresh(layerOpenServer({ revisions: Array.map(all, (id) => revisions[id]) }))

/** Tools of one MCP server: one answers, one runs until it is cancelled. */
const makeTools = Effect.gen(function*() {
  const started = yield* Deferred.make<void>()
  const cancelled = yield* Deferred.make<void>()
  const server = new ToolServer({
    echo: (args) => args["text"],
    slow: (_args, { signal }) => {
      Deferred.doneUnsafe(started, Effect.void)
      return new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => {
          Deferred.doneUnsafe(cancelled, Effect.void)
          reject(new Error("aborted"))
        })
      })
    }
  })
  return { server, started: Deferred.await(started), cancelled: Deferred.await(cancelled) }
})

/** A Computer and an Agent of one revision in an office, each on a socket of its own. */
const meet = Effect.fnUntraced(function*(revision: Revision, office: string) {
  const { url } = yield* HttpServer.HttpServer
  const tools = yield* makeTools
  const { inputs, servers } = yield* ConfigFile.fromValue({
    mcpServers: { "My tools": { command: "in this process" } },
    inputs: [{ id: "region", type: "pickString", description: "Where", options: ["eu", "us"] }]
  }, "mcp.json")
  const common = { url, office, revision }
  const computer = yield* Layer.build(
    Computer.layer({
      ...common,
      name: "PC",
      inputs,
      servers,
      consent: Consent.layerAllowAll,
      connector: connectTo({ My_tools: tools.server })
    })
  )
  yield* Context.get(computer, McpManager.McpManager).ready
  const agent = Context.get(yield* Layer.build(Agent.layer({ ...common, name: "A" })), Agent.Agent)
  return { ...tools, agent }
})

const exposed = {
  prefix: "My_tools__",
  server: "My_tools",
  options: [{ label: "eu", value: "eu" }, { label: "us", value: "us" }]
}
const bare = { prefix: "", server: "My tools", options: ["eu", "us"] }
/** What differs on the way from the Agent to the tools. */
const expected: Readonly<Record<RevisionId, typeof bare | typeof exposed>> = {
  "0.1": bare,
  "0.2": bare,
  "0.3": exposed,
  "0.4": exposed,
  "0.5": exposed
}

describe("one Server for all revisions, over sockets", () => {
  for (const id of all) {
    it.live(`${id}: a Computer and an Agent do their work`, () =>
      Effect.gen(function*() {
        const { agent, cancelled, started } = yield* meet(revisions[id], "R")
        const { options, prefix, server } = expected[id]
        const version = revisions[id].version

        assert.deepStrictEqual((yield* agent.tools()).map(({ name }) => name), [`${prefix}echo`, `${prefix}slow`])
        const echoed = yield* agent.callTool({ computer: "PC", tool: `${prefix}echo`, params: { text: "ü" } })
        assert.deepStrictEqual([echoed._tag, ToolOutcome.text(echoed)], ["Ok", "ü"])

        const slow = agent.prepareCall({ computer: "PC", tool: `${prefix}slow` })
        const outcome = yield* Effect.forkChild(slow.outcome, { startImmediately: true })
        yield* started
        yield* slow.cancel
        assert.strictEqual((yield* Fiber.join(outcome))._tag, "Cancelled")
        yield* cancelled

        const [listed, ...others] = yield* agent.computers
        assert.deepStrictEqual([listed?.name, listed?.a2c_version, others], ["PC", version, []])

        if (revisions[id].hasGetConfigRelay) {
          const config = yield* agent.config("PC")
          assert.deepStrictEqual(Object.keys(config.servers), [server])
          assert.deepStrictEqual(config.inputs?.map((input) => input["options"]), [options])
        } else {
          const { reason } = yield* Effect.flip(agent.config("PC"))
          assert.strictEqual(reason._tag, "UnsupportedByPeer")
        }

        const toNobody = agent.callTool({ computer: "nobody", tool: "echo" })
        if (revisions[id].toolCallErrors === "result") {
          const refused = yield* toNobody
          assert.strictEqual(refused._tag, "Failed")
          assert.include(ToolOutcome.text(refused), "'nobody' not found")
        } else {
          const { reason } = yield* Effect.flip(toNobody)
          assert.strictEqual(reason._tag, "NotFound")
        }
      }).pipe(Effect.provide([openServer, quiet])))
  }

  it.live("offices of all revisions live side by side, and stay among themselves", () =>
    Effect.gen(function*() {
      const { url } = yield* HttpServer.HttpServer
      const agents = yield* Effect.forEach(all, (id) =>
        Effect.map(meet(revisions[id], id), ({ agent }) => ({ agent, id })))
      const server = yield* Server.Server
      assert.deepStrictEqual(yield* server.counts, { sessions: 10, offices: 5, agents: 5, computers: 5 })
      yield* Effect.forEach(agents, ({ agent, id }) =>
        Effect.gen(function*() {
          const tool = `${expected[id].prefix}echo`
          const outcome = yield* agent.callTool({ computer: "PC", tool, params: { text: id } })
          assert.strictEqual(ToolOutcome.text(outcome), id)
        }), { concurrency: "unbounded", discard: true })
      for (const id of all) {
        const office = id === "0.4" ? "0.5" : "0.4"
        const computer = Computer.layer({ url, office, revision: revisions[id], name: "another", servers: [] })
        const { reason } = yield* Effect.flip(Layer.build(computer))
        assert.strictEqual(reason._tag, id === "0.5" ? "Forbidden" : "JoinRefused")
        assert.include(reason.message, `This office speaks protocol ${office}`)
      }
    }).pipe(Effect.provide([openServer, quiet])))

  it.live("a peer of a revision that the Server does not speak learns which there are", () =>
    Effect.gen(function*() {
      const { url } = yield* HttpServer.HttpServer
      const { reason } = yield* Effect.flip(
        Layer.build(Agent.layer({ url, office: "R", name: "A", revision: revisions["0.3"] }))
      )
      assert(reason._tag === "ProtocolVersionMismatch")
      assert.deepStrictEqual(
        [reason.serverVersion, reason.minSupported, reason.maxSupported, reason.details],
        ["0.5.0", "0.2.0", "0.5.999", { supported_versions: ["0.5.0", "0.2.3"] }]
      )
    }).pipe(Effect.provide([layerOpenServer({ revisions: [revisions["0.2"], revisions["0.5"]] }), quiet])))

  it.live("peers of later revisions are let in by a Server of 0.1 alone, as by those of that time", () =>
    Effect.gen(function*() {
      const { agent } = yield* meet(revisions["0.4"], "R")
      const echo = { computer: "PC", tool: "My_tools__echo", params: { text: "hello" } }
      assert.strictEqual(ToolOutcome.text(yield* agent.callTool(echo)), "hello")
      const { reason } = yield* Effect.flip(agent.config("PC"))
      assert.strictEqual(reason._tag, "UnsupportedByPeer")
    }).pipe(Effect.provide([layerOpenServer({ revisions: [revisions["0.1"]] }), quiet])))
})
