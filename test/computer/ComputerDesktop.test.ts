import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import * as McpManager from "../../src/computer/McpManager.ts"
import { GetDesktop, GetTools } from "../../src/protocol/ClientEvent.ts"
import * as Revision from "../../src/protocol/Revision.ts"
import { atOnce } from "./support/mcpClients.ts"
import { connectTo, ToolServer } from "./support/memoryServers.ts"
import {
  build,
  call,
  computerIn,
  type ComputerOptions,
  envelope,
  makeOffice,
  type Office,
  toolNames,
  withServers
} from "./support/office.ts"
import { eventually } from "./support/processes.ts"
import { ResourceServer } from "./support/resourceServers.ts"

const one = { uri: "window://h/1", content: "one" }
const two = { uri: "window://h/2", content: "two" }

const ask = (office: Office, rest: object = {}) =>
  Effect.map(
    office.ask(GetDesktop, envelope(rest)),
    (answer) => (answer as { desktops: ReadonlyArray<string> }).desktops
  )
const reports = (office: Office) => office.count("server:update_desktop")

/** Long enough for a report that should not come. */
const quietTime = Effect.sleep("400 millis")

/** A Computer whose windows were reported, are subscribed to, and were pulled once. */
const settled = Effect.fnUntraced(function*(server: ResourceServer, computer: ComputerOptions = {}) {
  const { manager, office } = yield* withServers({ a: server }, { computer })
  yield* eventually("the first windows are reported", () => reports(office) === 1)
  assert.deepStrictEqual(office.heard.at(-1), { event: "server:update_desktop", payload: { computer: "PC" } })
  yield* eventually(
    "all windows are subscribed to",
    () => server.resources.every(({ uri }) => !uri.startsWith("window") || server.count(`subscribe ${uri}`) === 1)
  )
  yield* ask(office)
  return { manager, office }
})

describe("Computer", () => {
  describe("its desktop", () => {
    it.live("is told with the request's id, cut and filtered as asked", () =>
      Effect.gen(function*() {
        const { office } = yield* withServers({ a: new ResourceServer([one, two]) })
        assert.deepStrictEqual(yield* office.ask(GetDesktop, envelope({ req_id: "r1" })), {
          desktops: ["window://h/1\n\none", "window://h/2\n\ntwo"],
          req_id: "r1"
        })
        const cases: ReadonlyArray<readonly [rest: object, desktops: ReadonlyArray<string>]> = [
          [{ desktop_size: null, window: null }, ["window://h/1\n\none", "window://h/2\n\ntwo"]],
          [{ desktop_size: 1 }, ["window://h/1\n\none"]],
          [{ desktop_size: 0 }, []],
          [{ desktop_size: -3 }, []],
          [{ window: "window://h/2" }, ["window://h/2\n\ntwo"]],
          [{ window: "window://h/3" }, []]
        ]
        for (const [rest, desktops] of cases) assert.deepStrictEqual(yield* ask(office, rest), desktops)
        const other = yield* office.ask(GetDesktop, { ...envelope(), computer: "other" })
        assert.strictEqual((other as { code: number }).code, 404)
      }))

    it.live("begins with the server whose tool was called last", () =>
      Effect.gen(function*() {
        const b = new ResourceServer([{ uri: "window://b", content: "b" }])
        const { office } = yield* withServers({ a: new ResourceServer([one]), b })
        b.touched = () => {
          b.resources = [{ uri: "window://b", content: "touched" }]
        }
        assert.deepStrictEqual(yield* ask(office), ["window://h/1\n\none", "window://b\n\nb"])
        yield* call(office, "b__touch")
        // also what was not reported is seen after a call
        assert.deepStrictEqual(yield* ask(office), ["window://b\n\ntouched", "window://h/1\n\none"])
      }))

    it.live("has its metadata where the revision of the Server has it", () =>
      Effect.gen(function*() {
        const server = new ResourceServer([one, { uri: "window://h/2?priority=9", content: "two" }])
        const revision = Revision.revisions["0.1"]
        const office = yield* makeOffice(revision)
        const servers = { servers: { a: { command: "-" } } }
        yield* build(office, servers, { connector: connectTo({ a: server }) }, revision)
        assert.deepStrictEqual(yield* ask(office), ["window://h/2?priority=9\n\ntwo", "window://h/1\n\none"])
      }))

    it.live("keeps nobody waiting for the join", () =>
      Effect.gen(function*() {
        const server = new ResourceServer([one])
        server.keepsList = true
        const office = yield* makeOffice()
        const config = { servers: { a: { command: "-" } } }
        const layer = computerIn(office, config, { connector: connectTo({ a: server }) })
        const context = yield* atOnce(Layer.build(layer))
        yield* Context.get(context, McpManager.McpManager).ready
        yield* eventually("its windows are asked for", () => server.count("list") === 1)
        assert.deepStrictEqual(yield* toolNames(office), ["a__touch"])
        assert.strictEqual(reports(office), 0)
      }))
  })

  describe("reporting its desktop", () => {
    it.live("tells of a new text once it is there", () =>
      Effect.gen(function*() {
        const server = new ResourceServer([one, two])
        const { office } = yield* settled(server)
        yield* Effect.promise(() => server.write(two.uri, "changed"))
        yield* eventually("the change is reported", () => reports(office) === 2)
        assert.deepStrictEqual(yield* ask(office), ["window://h/1\n\none", "window://h/2\n\nchanged"])
        yield* quietTime
        assert.strictEqual(reports(office), 2)
      }))

    it.live("tells few times of a hundred changes, and goes on telling while they last", () =>
      Effect.gen(function*() {
        const server = new ResourceServer([one])
        const { office } = yield* settled(server, { reportAfter: "150 millis" })
        for (let index = 0; index < 100; index++) yield* Effect.promise(() => server.write(one.uri, `burst ${index}`))
        yield* eventually("the burst is reported", () => reports(office) > 1)
        yield* quietTime
        assert.isAtMost(reports(office) - 1, 3)
        assert.deepStrictEqual(yield* ask(office), ["window://h/1\n\nburst 99"])
        const before = reports(office)
        for (let index = 0; index < 150; index++) {
          yield* Effect.promise(() => server.write(one.uri, `endless ${index}`))
          yield* Effect.sleep("10 millis")
        }
        assert.isAtLeast(reports(office), before + 1)
        assert.isAtMost(reports(office), before + 5)
      }))

    const unchanged: ReadonlyArray<readonly [what: string, say: (server: ResourceServer) => Promise<void>]> = [
      ["an update without a new text", (server) => server.updated(one.uri)],
      ["a list that is the same", (server) => server.listChanged()],
      ["a resource that is no window", (server) => server.write("file:///x", "changed")],
      ["a window that nobody lists", (server) => server.updated("window://h/none")],
      ["another description of a window", (server) => {
        server.resources = server.resources.map((resource) => ({
          ...resource,
          description: "new",
          mimeType: "text/html"
        }))
        return server.listChanged()
      }]
    ]
    it.live.each(unchanged)("says nothing of %s", ([, say]) =>
      Effect.gen(function*() {
        const server = new ResourceServer([one, two, { uri: "file:///x", content: "x" }])
        const { office } = yield* settled(server)
        yield* Effect.promise(() => say(server))
        yield* quietTime
        assert.strictEqual(reports(office), 1)
        // and is not deaf from then on
        yield* Effect.promise(() => server.write(one.uri, "changed"))
        yield* eventually("the change is reported", () => reports(office) === 2)
      }))

    const changed: ReadonlyArray<readonly [what: string, resources: ResourceServer["resources"], desktops: number]> = [
      ["a window that came", [one, two, { uri: "window://h/3", content: "three" }], 3],
      ["a window that went", [two], 1],
      ["another order", [two, one], 2],
      ["another priority", [one, { ...two, annotations: { priority: 0.5 } }], 2],
      ["a window in fullscreen", [one, { ...two, _meta: { fullscreen: true } }], 1]
    ]
    it.live.each(changed)("tells of %s", ([, resources, desktops]) =>
      Effect.gen(function*() {
        const server = new ResourceServer([one, two])
        const { office } = yield* settled(server)
        server.resources = resources
        yield* Effect.promise(() => server.listChanged())
        yield* eventually("the change is reported", () => reports(office) === 2)
        assert.strictEqual((yield* ask(office)).length, desktops)
        yield* quietTime
        assert.strictEqual(reports(office), 2)
      }))

    it.live("tells when a server goes and when it is back, and hears of its changes then", () =>
      Effect.gen(function*() {
        const server = new ResourceServer([one])
        const { manager, office } = yield* settled(server)
        yield* manager.stop("a")
        yield* eventually("its end is reported", () => reports(office) === 2)
        assert.deepStrictEqual(yield* ask(office), [])
        yield* manager.start("a")
        yield* eventually("its windows are reported", () => reports(office) === 3)
        yield* eventually("they are subscribed to anew", () => server.count(`subscribe ${one.uri}`) === 2)
        assert.deepStrictEqual(yield* ask(office), ["window://h/1\n\none"])
        yield* Effect.promise(() => server.write(one.uri, "changed"))
        yield* eventually("the change is reported", () => reports(office) === 4)
        assert.deepStrictEqual(yield* ask(office), ["window://h/1\n\nchanged"])
      }))

    it.live("tells once after a reconnect what changed meanwhile, of the tools as well", () =>
      Effect.gen(function*() {
        const server = new ResourceServer([one])
        const tools = new ToolServer({ one: () => "1" })
        const { office } = yield* withServers({ a: server, b: tools })
        yield* eventually("all is reported", () =>
          reports(office) === 1 && office.count("server:update_tool_list") === 1 &&
          server.count(`subscribe ${one.uri}`) === 1)
        yield* ask(office)
        // the Server takes its time, and the Computer is not in the office meanwhile
        office.onJoin = () =>
          Effect.gen(function*() {
            for (let index = 0; index < 5; index++) {
              yield* Effect.promise(() =>
                server.write(one.uri, `away ${index}`)
              )
              tools.tools = { ...tools.tools, [`t${index}`]: () => "1" }
              yield* Effect.promise(() => tools.announce())
              yield* Effect.sleep("150 millis")
            }
            assert.strictEqual(reports(office), 1)
            return [true, null]
          })
        yield* office.hub.disconnect(office.connection!.sid)
        yield* eventually("the changes are reported", () =>
          reports(office) === 2 && office.count("server:update_tool_list") === 2)
        assert.deepStrictEqual(yield* ask(office), ["window://h/1\n\naway 4"])
        assert.strictEqual((yield* toolNames(office)).length, 7)
        yield* quietTime
        assert.strictEqual(office.heard.length, 6)
      }))

    it.live("says nothing after a reconnect when nothing changed", () =>
      Effect.gen(function*() {
        const { office } = yield* settled(new ResourceServer([one]))
        yield* office.hub.disconnect(office.connection!.sid)
        yield* eventually("it has joined again", () => office.count("server:join_office") === 2)
        yield* quietTime
        assert.strictEqual(reports(office), 1)
      }))
  })

  it.live("hears of a change of tools that comes while they are listed, although it listens to windows as well", () =>
    Effect.gen(function*() {
      const server = new ResourceServer([one])
      server.nextTools = ["touch", "second"]
      const { office } = yield* withServers({ a: server })
      let names: ReadonlyArray<string> = []
      yield* eventually("the server has said it", () => server.nextTools === undefined)
      for (let turn = 0; names.length !== 2 && turn < 100; turn++) {
        names = yield* Effect.delay(toolNames(office), "20 millis")
      }
      assert.deepStrictEqual(names, ["a__touch", "a__second"])
    }))

  it.live("reports a tool that came, another schema and a tool that went, but no list that is the same", () =>
    Effect.gen(function*() {
      const server = new ToolServer({ one: () => "1" })
      const { office } = yield* withServers({ a: server })
      const told = () => office.count("server:update_tool_list")
      yield* eventually("the first tools are reported", () => told() === 1)
      const schema = { inputSchema: { type: "object", properties: { a: { type: "string" } } } }
      const steps: ReadonlyArray<readonly [tools: ReadonlyArray<string>, described: object, reported: boolean]> = [
        [["one", "two"], {}, true],
        [["one", "two"], { one: schema }, true],
        [["one", "two"], { one: schema }, false],
        [["one"], { one: schema }, true]
      ]
      for (const [names, described, reported] of steps) {
        const before = { lists: server.lists, told: told() }
        server.tools = Object.fromEntries(names.map((name) => [name, () => "1"]))
        server.described = { ...described }
        yield* Effect.promise(() => server.announce())
        yield* eventually("the tools are listed again", () => server.lists > before.lists)
        if (reported) yield* eventually("the change is reported", () => told() > before.told)
        else yield* quietTime
        assert.strictEqual(told(), before.told + Number(reported))
        // whoever looks at that moment sees the new list
        assert.deepStrictEqual(yield* toolNames(office), names.map((name) => `a__${name}`))
      }
      const { tools } = (yield* office.ask(GetTools, envelope())) as { tools: ReadonlyArray<{ params_schema: object }> }
      assert.deepStrictEqual(tools[0]!.params_schema, schema.inputSchema)
    }))
})
