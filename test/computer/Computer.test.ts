import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Scope } from "effect"
import * as Computer from "../../src/computer/Computer.ts"
import * as ConfigFile from "../../src/computer/ConfigFile.ts"
import * as Consent from "../../src/computer/Consent.ts"
import * as McpManager from "../../src/computer/McpManager.ts"
import * as ClientEvent from "../../src/protocol/ClientEvent.ts"
import * as ToolResult from "../../src/protocol/ToolResult.ts"
import { emitAll, join, layerOpenServer, once, rawPeer, serverUrl } from "../support/socketIoServer.ts"
import { atOnce } from "./support/mcpClients.ts"
import { connectTo, ToolServer } from "./support/memoryServers.ts"
import {
  build,
  call,
  computerIn,
  envelope,
  listed,
  makeOffice,
  quiet,
  raw,
  toolCall,
  toolNames,
  withServers
} from "./support/office.ts"
import { childrenOf, eventually, isAlive } from "./support/processes.ts"

const { GetConfig, GetTools, ToolCall } = ClientEvent

describe("Computer", () => {
  describe("joining", () => {
    it.live("takes its seat as a computer", () =>
      Effect.gen(function*() {
        const { computer, office } = yield* withServers({})
        assert.deepStrictEqual([computer.name, computer.office], ["PC", "R"])
        assert.deepStrictEqual(office.heard, [
          { event: "server:join_office", payload: { role: "computer", name: "PC", office_id: "R" } }
        ])
      }))

    it.live("answers while its join is pending", () =>
      Effect.gen(function*() {
        const office = yield* makeOffice()
        let answers: ReadonlyArray<unknown> = []
        office.onJoin = (self) =>
          Effect.all([
            self.ask(GetTools, envelope({ req_id: "early" })),
            self.ask(ToolCall, toolCall("nope")),
            self.ask(GetConfig, envelope())
          ]).pipe(
            Effect.map((all) => {
              answers = all
              return [true, null]
            })
          )
        yield* atOnce(build(office, { servers: { a: raw({ silent: true }, { disabled: true }) } }))
        assert.deepStrictEqual(answers[0], { tools: [], req_id: "early" })
        assert.deepStrictEqual(answers[1], JSON.parse(JSON.stringify(ToolResult.unknownTool("nope"))))
        assert.hasAllKeys(answers[2], ["servers", "inputs"])
      }))

    it.live("does not wait for slow servers", () =>
      Effect.gen(function*() {
        const office = yield* makeOffice()
        yield* atOnce(
          Layer.build(computerIn(office, { servers: { a: raw({ silent: true }) } }, { connector: connectTo({}) }))
        )
        assert.deepStrictEqual(yield* toolNames(office), [])
      }))

    it.live("fails with the refusal of the Server and leaves no process", () =>
      Effect.gen(function*() {
        const before = childrenOf(process.pid)
        const office = yield* makeOffice()
        office.onJoin = () =>
          Effect.as(
            eventually("a server is started", () => childrenOf(process.pid).length > before.length),
            [false, "PC already exists"]
          )
        const { reason } = yield* Effect.flip(
          Effect.scoped(Layer.build(computerIn(office, { servers: { a: raw() } }, { connector: connectTo({}) })))
        )
        assert.strictEqual(reason._tag, "JoinRefused")
        assert.strictEqual(reason.message, "PC already exists")
        assert.deepStrictEqual(childrenOf(process.pid), before)
      }))

    it.live("takes its seat again after a reconnect and answers there", () =>
      Effect.gen(function*() {
        const { office } = yield* withServers({ a: new ToolServer({ one: () => "1" }) })
        const { sid } = office.connection!
        yield* office.hub.disconnect(sid)
        yield* eventually("it has joined again", () => office.count("server:join_office") === 2)
        assert.notStrictEqual(office.connection!.sid, sid)
        assert.deepStrictEqual(yield* toolNames(office), ["a__one"])
      }))
  })

  describe("what is asked", () => {
    it.live("lists the tools with the request's id", () =>
      Effect.gen(function*() {
        const server = new ToolServer({ one: () => "1" })
        server.described = { one: { description: "The first", _meta: { a: { b: 1 } } } }
        const { office } = yield* withServers({ a: server })
        assert.deepStrictEqual(yield* office.ask(GetTools, envelope({ req_id: "r1", extra: true })), {
          tools: [{
            name: "a__one",
            bundle_id: "a",
            description: "The first",
            params_schema: { type: "object" },
            return_schema: null,
            meta: { a: "{\"b\":1}" }
          }],
          req_id: "r1"
        })
      }))

    it.live("is not answered when it is for another Computer", () =>
      Effect.gen(function*() {
        const { computer, office } = yield* withServers({ a: new ToolServer({ one: () => "1" }) })
        for (
          const [event, payload] of [[GetTools, envelope()], [ToolCall, toolCall("a__one")], [
            GetConfig,
            envelope()
          ]] as const
        ) {
          assert.deepStrictEqual(yield* office.ask(event, { ...payload, computer: "other" }), {
            code: 404,
            message: "Computer with name 'other' not found",
            details: { computer_name: "other" }
          })
        }
        assert.strictEqual(yield* computer.inFlight, 0)
      }))

    it.live("is refused when it is malformed, and the next request is answered", () =>
      Effect.gen(function*() {
        const { office } = yield* withServers({ a: new ToolServer({ one: () => "1" }) })
        const bad = [
          [GetTools, {}],
          [GetConfig, { ...envelope(), agent: 1 }],
          [ToolCall, toolCall("a__one", [])],
          [ToolCall, toolCall("a__one", {}, { timeout: 0 })],
          [ToolCall, toolCall("a__one", {}, { timeout: "soon" })],
          [ToolCall, toolCall("a__one", {}, { req_id: null })]
        ] as const
        for (const [event, payload] of bad) {
          assert.strictEqual((yield* office.ask(event, payload) as Effect.Effect<{ code: number }>).code, 400)
        }
        assert.strictEqual((yield* call(office, "a__one", {}, { timeout: "2" })).content[0]!.text, "1")
      }))
  })

  describe("reporting its tools", () => {
    it.live("tells when they change, once for many changes, and never without one", () =>
      Effect.gen(function*() {
        const server = new ToolServer({ one: () => "1" })
        const { office } = yield* withServers({ a: server })
        const changes = () => office.count("server:update_tool_list")
        yield* eventually("the first tools are reported", () => changes() === 1)
        assert.deepStrictEqual(office.heard.at(-1), { event: "server:update_tool_list", payload: { computer: "PC" } })
        const { lists } = server
        yield* Effect.promise(() => server.announce())
        yield* eventually("the tools are listed again", () => server.lists > lists)
        yield* Effect.sleep("200 millis")
        assert.strictEqual(changes(), 1)
        server.tools = { one: () => "1", two: () => "2" }
        server.described = { one: { description: "changed" } }
        yield* Effect.promise(() => server.announce())
        yield* eventually("the change is reported", () => changes() === 2)
        assert.deepStrictEqual(yield* toolNames(office), ["a__one", "a__two"])
        yield* Effect.sleep("100 millis")
        assert.strictEqual(changes(), 2)
      }))

    it.live("tells together what changes together", () =>
      Effect.gen(function*() {
        const servers = Object.fromEntries(
          Array.from({ length: 8 }, (_, index) => [`s${index}`, new ToolServer({ one: () => "1" })])
        )
        const { office } = yield* withServers(servers, { computer: { reportAfter: "500 millis" } })
        yield* eventually("the tools are reported", () => office.count("server:update_tool_list") === 1)
        assert.strictEqual((yield* toolNames(office)).length, 8)
        yield* Effect.sleep("600 millis")
        assert.strictEqual(office.count("server:update_tool_list"), 1)
      }))

    it.live("tells whoever asked in the middle of a change that was taken back", () =>
      Effect.gen(function*() {
        const { manager, office } = yield* withServers({ a: new ToolServer({ one: () => "1" }) }, {
          computer: { reportAfter: "800 millis" }
        })
        yield* eventually("the tools are reported", () => office.count("server:update_tool_list") === 1)
        yield* manager.stop("a")
        assert.deepStrictEqual(yield* toolNames(office), [])
        yield* manager.start("a")
        yield* eventually("the change is reported", () => office.count("server:update_tool_list") === 2)
        yield* manager.stop("a")
        yield* manager.start("a")
        yield* Effect.sleep("1 second")
        assert.strictEqual(office.count("server:update_tool_list"), 2)
      }))

    it.live("tells when a server is stopped", () =>
      Effect.gen(function*() {
        const { manager, office } = yield* withServers({ a: new ToolServer({ one: () => "1" }) })
        yield* eventually("the first tools are reported", () => office.count("server:update_tool_list") === 1)
        yield* manager.stop("a")
        yield* eventually("the change is reported", () => office.count("server:update_tool_list") === 2)
        assert.deepStrictEqual(yield* toolNames(office), [])
      }))

    it.live("tells after a reconnect what changed meanwhile", () =>
      Effect.gen(function*() {
        const { manager, office } = yield* withServers({ a: new ToolServer({ one: () => "1" }) })
        yield* eventually("the first tools are reported", () => office.count("server:update_tool_list") === 1)
        yield* office.hub.disconnect(office.connection!.sid)
        yield* manager.stop("a")
        yield* eventually("the change is reported", () => office.count("server:update_tool_list") === 2)
        assert.deepStrictEqual(office.heard.map(({ event }) => event), [
          "server:join_office",
          "server:update_tool_list",
          "server:join_office",
          "server:update_tool_list"
        ])
      }))
  })

  it.live("is reached over Socket.IO, and its calls are cancelled there", () =>
    Effect.gen(function*() {
      const url = yield* serverUrl
      const agent = yield* rawPeer()
      yield* join(agent, "agent", "A")
      const entered = yield* Effect.forkChild(once(agent, "notify:enter_office"), { startImmediately: true })
      const { servers } = yield* ConfigFile.fromValue({ servers: { raw: raw(listed("never", "echo")) } }, "test")
      const seat = { url, name: "PC", office: "R" }
      const layer = Computer.layer({ ...seat, servers, consent: Consent.layerAllowAll, connector: connectTo({}) })
      const context = yield* Layer.build(layer.pipe(Layer.provide(quiet)))
      yield* Context.get(context, McpManager.McpManager).ready
      assert.deepStrictEqual(yield* atOnce(Fiber.join(entered)), [{ office_id: "R", computer: "PC" }])
      assert.deepStrictEqual(yield* emitAll(agent, "client:tool_call", toolCall("raw__echo", { a: 1 })), [
        { content: [{ type: "text", text: "{\"a\":1}" }] }
      ])
      const request = toolCall("raw__never")
      const pending = yield* Effect.forkChild(emitAll(agent, "client:tool_call", request), { startImmediately: true })
      const { inFlight } = Context.get(context, Computer.Computer)
      while ((yield* inFlight) === 0) yield* Effect.sleep("5 millis")
      agent.emit("server:tool_call_cancel", { agent: "A", req_id: request.req_id })
      assert.deepStrictEqual(yield* Fiber.join(pending), [JSON.parse(JSON.stringify(ToolResult.cancelled))])
    }).pipe(Effect.provide(layerOpenServer().pipe(Layer.provide(quiet)))))

  it.live("has no skills, and says so", () =>
    Effect.gen(function*() {
      const { office } = yield* withServers({})
      const request = envelope()
      assert.deepStrictEqual(yield* office.ask(ClientEvent.GetSkills, request), { skills: [], req_id: request.req_id })
      assert.deepStrictEqual(yield* office.ask(ClientEvent.GetSkill, envelope({ name: "code-review" })), {
        code: 4014,
        message: "Skill not found",
        details: { name: "code-review" }
      })
      assert.deepStrictEqual(yield* office.ask(ClientEvent.GetSkill, envelope({ name: "../etc" })), {
        code: 4016,
        message: "Invalid skill name",
        details: { name: "../etc" }
      })
    }))

  it.live("leaves nothing when its scope closes during a call", () =>
    Effect.gen(function*() {
      const before = childrenOf(process.pid)
      const office = yield* makeOffice()
      const scope = yield* Scope.make()
      const { computer } = yield* build(
        office,
        { servers: { raw: raw({ ...listed("never", "pids"), helper: "quiet" }) } },
        { connector: connectTo({}) }
      ).pipe(Scope.provide(scope))
      const pids = JSON.parse((yield* call(office, "raw__pids")).content[0]!.text) as { server: number; helper: number }
      const pending = yield* Effect.forkChild(Effect.exit(call(office, "raw__never")), { startImmediately: true })
      while ((yield* computer.inFlight) < 1) yield* Effect.yieldNow
      yield* atOnce(Scope.close(scope, Exit.void))
      const exit = yield* atOnce(Fiber.join(pending))
      if (Exit.isSuccess(exit)) assert.include(exit.value.content[0]!.text, "shutting down")
      assert.deepStrictEqual(childrenOf(process.pid), before)
      assert.isFalse(isAlive(pids.server) || isAlive(pids.helper))
      assert.deepStrictEqual(yield* Effect.andThen(office.hub.settled, office.hub.connections), [])
    }))
})
