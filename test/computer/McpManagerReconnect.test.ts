import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as Desktop from "../../src/computer/Desktop.ts"
import type { McpClient } from "../../src/computer/McpClient.ts"
import * as McpConnector from "../../src/computer/McpConnector.ts"
import {
  AuthRequired,
  Closed,
  Handshake,
  McpError,
  type McpErrorReason,
  Rpc,
  Spawn,
  UnsupportedProtocolVersion
} from "../../src/computer/McpError.ts"
import { McpManager } from "../../src/computer/McpManager.ts"
import * as ToolRegistry from "../../src/computer/ToolRegistry.ts"
import { GetDesktop } from "../../src/protocol/ClientEvent.ts"
import {
  entryOf,
  Gatekeeper,
  manage,
  type Manager,
  pass,
  rawEntry,
  settle,
  stateOf,
  type Tag,
  tagsOf,
  waitFor
} from "./support/managers.ts"
import { textOf } from "./support/mcpClients.ts"
import { connectTo, ToolServer } from "./support/memoryServers.ts"
import { envelope, toolNames as officeTools, withServers } from "./support/office.ts"
import { eventually, isAlive } from "./support/processes.ts"
import { ResourceServer } from "./support/resourceServers.ts"

const failure = (reason: McpErrorReason) => new McpError({ reason })
const down = failure(new Closed({ detail: "the database is locked", stderrTail: ["line 1", "fatal: no disk"] }))

/** One server, whose connections fail for as long as it is down. */
const flaky = () => {
  const server = new ToolServer({ one: () => "1" })
  const state = { down: false }
  const gate = new Gatekeeper(() => Effect.suspend(() => state.down ? Effect.fail(down) : server.connect))
  return { server, state, gate }
}

const crash = (server: ToolServer) => Effect.andThen(Effect.promise(() => server.close()), settle)

const exact = { reconnect: { jitter: false } } as const

describe("a server that is lost", () => {
  it.effect("is tried again after 1, 2, 4, 8 and 16 seconds, and then given up with its reason and one line in the log", () =>
    Effect.gen(function*() {
      const { gate, server, state } = flaky()
      const log: Array<string> = []
      const manager = yield* manage([entryOf("a")], { connector: gate.layer, log, health: false, ...exact })
      yield* settle
      state.down = true
      yield* crash(server)
      const waiting = yield* stateOf(manager, "a", "Waiting")
      assert.deepStrictEqual([waiting.attempt, waiting.retryAt], [1, 1000])
      yield* manager.ready
      yield* pass(60_000)
      assert.deepStrictEqual(gate.attemptsOf("a"), [0, 1000, 3000, 7000, 15_000, 31_000])
      const { reason } = yield* stateOf(manager, "a", "Failed")
      assert.include(reason, "the database is locked")
      assert.include(reason, "fatal: no disk")
      assert.lengthOf(log.filter((line) => line.includes("failed:")), 1)
      assert.lengthOf(log.filter((line) => line.startsWith("Warn")), 2, log.join("\n"))
      yield* pass(300_000, 10_000)
      assert.lengthOf(gate.attempts, 6)
      state.down = false
      assert.strictEqual((yield* manager.restart("a"))._tag, "Ready")
      assert.strictEqual(gate.most.get("a"), 1)
    }))

  it.effect("is as good as new when it was well for 30 seconds, and not before", () =>
    Effect.gen(function*() {
      const { gate, server } = flaky()
      const manager = yield* manage([entryOf("a")], { connector: gate.layer, health: false, ...exact })
      yield* settle
      const lose = Effect.fnUntraced(function*(after: number) {
        yield* pass(after, 1000)
        yield* crash(server)
        const { attempt, retryAt } = yield* stateOf(manager, "a", "Waiting")
        const now = retryAt
        yield* pass(16_000, 1000)
        yield* stateOf(manager, "a", "Ready")
        return [attempt, now > 0]
      })
      assert.deepStrictEqual(yield* lose(0), [1, true])
      // a crash loop is one also when each connection works for a moment
      yield* crash(server)
      assert.strictEqual((yield* stateOf(manager, "a", "Waiting")).attempt, 2)
      yield* pass(2000)
      yield* pass(30_000, 1000)
      yield* crash(server)
      assert.strictEqual((yield* stateOf(manager, "a", "Waiting")).attempt, 1)
    }))

  it.effect("comes back within 20 % of the time that was planned, and not all at one moment", () =>
    Effect.gen(function*() {
      const keys = Array.from({ length: 30 }, (_, index) => `s${index}`)
      const manager = yield* manage(keys.map((key) => entryOf(key)), {
        connector: McpConnector.layerOf(() => Effect.fail(down)),
        concurrency: 30
      })
      yield* settle
      const times = (yield* manager.states).map(({ state }) => state._tag === "Waiting" ? state.retryAt : 0)
      for (const time of times) assert.isTrue(time >= 800 && time <= 1200, `${time}`)
      assert.isAbove(new Set(times).size, 10)
    }))

  const hopeless: ReadonlyArray<readonly [string, McpErrorReason, Tag]> = [
    ["cannot be found", new Spawn({ command: "x", detail: "no such command" }), "Failed"],
    ["speaks another protocol", new UnsupportedProtocolVersion({ supported: ["1"] }), "Failed"],
    ["wants a login", new AuthRequired({ detail: "log in" }), "AuthorizationRequired"]
  ]
  it.effect.each(hopeless)("is not tried again when it %s", ([, reason, tag]) =>
    Effect.gen(function*() {
      let answer: Effect.Effect<McpClient, McpError, Scope.Scope> = Effect.fail(failure(reason))
      const gate = new Gatekeeper(() => Effect.suspend(() => answer))
      const manager = yield* manage([entryOf("a")], { connector: gate.layer })
      yield* pass(120_000, 5000)
      assert.lengthOf(gate.attempts, 1)
      assert.deepStrictEqual(yield* tagsOf(manager), { a: tag })
      answer = new ToolServer({}).connect
      assert.strictEqual((yield* manager.start("a"))._tag, "Ready")
    }))

  it.effect("lets calls wait until it is back, and repeats none", () =>
    Effect.gen(function*() {
      const { gate, server, state } = flaky()
      let ran = 0
      server.tools = { slow: () => new Promise(() => void ran++), fast: () => "now" }
      const manager = yield* manage([entryOf("a")], { connector: gate.layer, health: false, ...exact })
      yield* settle
      const call = (tool: string) =>
        Effect.forkChild(Effect.exit(manager.withClient("a", (client) => client.callTool(tool, {}))), {
          startImmediately: true
        })
      const running = yield* call("slow")
      yield* settle
      yield* crash(server)
      assert.isTrue(Exit.isFailure(yield* Fiber.join(running)))
      const next = yield* call("fast")
      yield* pass(1000)
      const exit = yield* Fiber.join(next)
      assert.isTrue(Exit.isSuccess(exit) && textOf(exit.value) === "now")
      assert.strictEqual(ran, 1)
      // one that stays away is not waited for for ever
      state.down = true
      yield* crash(server)
      const hopeless = yield* call("fast")
      yield* pass(9750)
      assert.isUndefined(hopeless.pollUnsafe())
      yield* pass(10_000)
      const lost = yield* Effect.flip(Effect.flatten(Fiber.join(hopeless)))
      assert.include(lost.message, "the database is locked; \"restart a\"")
      assert.notInclude(lost.message, "no disk")
      // and one that was stopped not at all
      yield* manager.stop("a")
      const stopped = yield* manager.withClient("a", () => Effect.void).pipe(Effect.flip)
      assert.include(stopped.message, "it was stopped; \"restart a\"")
    }))

  it.effect("keeps its tools listed while it is tried again, and the desktop follows it anew", () =>
    Effect.gen(function*() {
      const window = { uri: "window://h/1", content: "text" }
      const server = new ResourceServer([window])
      const { manager, desktop, registry } = yield* host(connectTo({ a: server }))
      yield* settle
      const rendered = desktop.render()
      assert.deepStrictEqual(yield* rendered, ["window://h/1\n\ntext"])
      const lists: Array<unknown> = []
      yield* registry.changes.pipe(
        Stream.runForEach((list) => Effect.sync(() => void lists.push(JSON.stringify(list)))),
        Effect.forkScoped({ startImmediately: true })
      )
      yield* Effect.promise(() => server.close())
      yield* settle
      yield* stateOf(manager, "a", "Waiting")
      assert.deepStrictEqual(yield* rendered, [])
      server.asked = []
      yield* pass(2000)
      yield* stateOf(manager, "a", "Ready")
      assert.deepStrictEqual(yield* rendered, ["window://h/1\n\ntext"])
      assert.deepStrictEqual(server.asked.filter((asked) => asked.startsWith("subscribe")), ["subscribe window://h/1"])
      assert.lengthOf(new Set(lists), 1)
      // what is removed is gone from the desktop as well
      yield* manager.remove("a")
      assert.deepStrictEqual([yield* rendered, yield* manager.states], [[], []])
    }))

  it.live("is no news to its office, but for windows that went and came back", () =>
    Effect.gen(function*() {
      const server = new ResourceServer([{ uri: "window://h/1", content: "one" }])
      const { manager, office } = yield* withServers({ a: server }, {
        computer: { reconnect: { delay: "150 millis" } }
      })
      const desktop = office.ask(GetDesktop, envelope())
      yield* eventually("its windows are subscribed to", () => server.count("subscribe window://h/1") === 1)
      yield* officeTools(office)
      const before = yield* desktop
      yield* Effect.sleep("300 millis")
      office.heard.length = 0
      yield* Effect.promise(() => server.close())
      yield* waitFor(manager, "a", "Waiting")
      yield* waitFor(manager, "a", "Ready")
      yield* eventually("its windows are subscribed to again", () => server.count("subscribe window://h/1") === 2)
      yield* Effect.sleep("300 millis")
      assert.strictEqual(office.count("server:update_tool_list"), 0)
      assert.isAtMost(office.count("server:update_desktop"), 2)
      const withoutId = (answer: unknown) => (answer as { desktops: unknown }).desktops
      assert.deepStrictEqual(withoutId(yield* desktop), withoutId(before))
      // and it is followed as before
      const { length } = office.heard
      yield* Effect.promise(() => server.write("window://h/1", "two"))
      yield* eventually("the change is reported", () => office.heard.length > length)
    }))

  it.live("comes back as a new process when the old one was killed", () =>
    Effect.gen(function*() {
      const manager = yield* manage([rawEntry("a"), rawEntry("b")], {
        connector: connectTo({}),
        reconnect: { delay: "50 millis" }
      })
      yield* manager.ready
      const a = yield* stateOf(manager, "a", "Ready")
      const b = yield* stateOf(manager, "b", "Ready")
      process.kill(a.client.pid!, "SIGKILL")
      // it may be back before anybody has seen it wait
      yield* manager.changes.pipe(
        Stream.filter((all) => all.some(({ state }) => state._tag === "Ready" && ![a, b].includes(state))),
        Stream.runHead
      )
      const again = yield* stateOf(manager, "a", "Ready")
      assert.notStrictEqual(again.client.pid, a.client.pid)
      assert.isFalse(isAlive(a.client.pid!))
      assert.isTrue(isAlive(again.client.pid!))
      assert.strictEqual((yield* stateOf(manager, "b", "Ready")).client, b.client)
      const { lastFailure, restarts } = yield* manager.inspect("a")
      assert.include(lastFailure, "SIGKILL")
      assert.strictEqual(restarts, 1)
    }))

  it.live("says with which exit code a crash loop ended, and what it wrote last", () =>
    Effect.gen(function*() {
      const manager = yield* manage([rawEntry("a", { exit: 3, say: "opening the disk" })], {
        connector: connectTo({}),
        reconnect: { tries: 2, delay: "20 millis" }
      })
      yield* waitFor(manager, "a", "Failed")
      const { reason } = yield* stateOf(manager, "a", "Failed")
      assert.include(reason, "exit code 3")
      assert.include(reason, "the database is locked")
      const logs = yield* manager.logs("a")
      assert.lengthOf(logs.filter((line) => line === "opening the disk"), 3)
    }))

  it.live("leaves neither a process nor a timer when its manager ends while it waits", () =>
    Effect.gen(function*() {
      const gate = new Gatekeeper(() => Effect.fail(down))
      const scope = yield* Scope.make()
      const manager = yield* manage([entryOf("a")], {
        connector: gate.layer,
        reconnect: { delay: "30 millis", jitter: false }
      }).pipe(Scope.provide(scope))
      yield* waitFor(manager, "a", "Waiting")
      const starting = yield* Effect.forkChild(manager.withClient("a", () => Effect.void).pipe(Effect.exit), {
        startImmediately: true
      })
      yield* Scope.close(scope, Exit.void)
      const { length } = gate.attempts
      yield* Effect.sleep("200 millis")
      assert.lengthOf(gate.attempts, length)
      assert.isTrue(Exit.isFailure(yield* Fiber.join(starting)))
    }))
})

/** A manager with what lives on it. */
const host = Effect.fnUntraced(function*(connector: Layer.Layer<McpConnector.McpConnector>) {
  const manager = yield* manage([entryOf("a")], { connector, health: false, ...exact })
  const context = yield* Layer.build(
    Layer.mergeAll(Desktop.layerOf(), ToolRegistry.layerOf()).pipe(Layer.provide(Layer.succeed(McpManager, manager)))
  )
  return {
    manager,
    desktop: Context.get(context, Desktop.Desktop),
    registry: Context.get(context, ToolRegistry.ToolRegistry)
  }
})

describe("a server that runs", () => {
  /** Servers whose answers to `ping` a test decides about. */
  const pinged = (
    pings: Readonly<Record<string, () => Effect.Effect<Readonly<Record<string, unknown>>, McpError>>>
  ) => {
    const asked: Array<string> = []
    const server = new ToolServer({ slow: () => new Promise(() => {}), fast: () => "now" })
    const gate = new Gatekeeper((bundleId) =>
      Effect.map(server.connect, (client): McpClient => ({
        ...client,
        request: (method, params) => {
          if (method !== "ping") return client.request(method, params)
          asked.push(bundleId)
          return pings[bundleId]?.() ?? client.request(method, params)
        }
      }))
    )
    return { asked, gate }
  }
  const healthOf = (manager: Manager, bundleId: string) =>
    Effect.map(manager.inspect(bundleId), ({ lastHealth }) => lastHealth)

  it.effect("is asked every 30 seconds, all in parallel, and lost when it is silent for 5", () =>
    Effect.gen(function*() {
      const { asked, gate } = pinged({
        hung: () => Effect.never,
        rude: () => Effect.fail(failure(new Rpc({ code: -32601, message: "Method not found" })))
      })
      const servers = ["hung", "rude", "fine"].map((key) => entryOf(key))
      const manager = yield* manage(servers, { connector: gate.layer, concurrency: 3, ...exact })
      yield* pass(29_750)
      assert.lengthOf(asked, 0)
      yield* pass(250)
      assert.deepStrictEqual([...asked].sort(), ["fine", "hung", "rude"])
      assert.deepStrictEqual(yield* healthOf(manager, "fine"), {
        checkedAt: 30_000,
        responseTimeMillis: 0,
        error: undefined
      })
      yield* pass(4750)
      assert.deepStrictEqual(yield* tagsOf(manager), { hung: "Ready", rude: "Ready", fine: "Ready" })
      yield* pass(250)
      assert.deepStrictEqual(yield* tagsOf(manager), { hung: "Waiting", rude: "Ready", fine: "Ready" })
      assert.include((yield* stateOf(manager, "hung", "Waiting")).reason, "\"ping\" within 5 s")
      assert.include((yield* healthOf(manager, "hung"))?.error, "within 5 s")
      yield* pass(1000)
      assert.deepStrictEqual(yield* tagsOf(manager), { hung: "Ready", rude: "Ready", fine: "Ready" })
    }))

  it.effect("is left alone while a call runs, and not asked when it has just answered", () =>
    Effect.gen(function*() {
      const { asked, gate } = pinged({ a: () => Effect.never })
      const manager = yield* manage([entryOf("a")], { connector: gate.layer, ...exact })
      yield* pass(20_000, 5000)
      yield* manager.withClient("a", (client) => client.callTool("fast", {}))
      yield* pass(25_000, 5000)
      assert.lengthOf(asked, 0)
      const call = yield* Effect.forkChild(manager.withClient("a", (client) => client.callTool("slow", {})), {
        startImmediately: true
      })
      yield* pass(600_000, 5000)
      assert.lengthOf(asked, 0)
      yield* stateOf(manager, "a", "Ready")
      yield* Fiber.interrupt(call)
      yield* pass(35_250, 250)
      assert.lengthOf(asked, 1)
      const { lastFailure, restarts } = yield* manager.inspect("a")
      assert.deepStrictEqual([restarts, lastFailure?.includes("ping")], [1, true])
    }))

  it.effect("answers a check that is asked for, whatever comes of it", () =>
    Effect.gen(function*() {
      const { gate } = pinged({ hung: () => Effect.never })
      const manager = yield* manage([entryOf("hung"), entryOf("fine")], { connector: gate.layer, health: false })
      yield* settle
      assert.isUndefined((yield* manager.check("fine"))?.error)
      const checking = yield* Effect.forkChild(manager.check("hung"), { startImmediately: true })
      yield* TestClock.adjust("5 seconds")
      assert.include((yield* Fiber.join(checking))?.error, "within 5 s")
      yield* manager.stop("fine")
      assert.isUndefined(yield* manager.check("fine"))
    }))
})

describe("a server that starts", () => {
  const never = McpConnector.layerOf(() => Effect.never)

  it.effect("has 30 seconds, a launcher 60, and the reason says what it may have been busy with", () =>
    Effect.gen(function*() {
      const servers = [
        entryOf("plain"),
        entryOf("npx", { command: "/usr/bin/npx", args: ["-y", "@scope/server", "--flag"] }),
        entryOf("set", { settings: { startTimeout: 3 } })
      ]
      const manager = yield* manage(servers, { connector: never, concurrency: 3, reconnect: false })
      const hintOf = (key: string) => Effect.map(stateOf(manager, key, "Starting"), ({ hint }) => hint)
      yield* pass(4500, 500)
      assert.deepStrictEqual(yield* tagsOf(manager), { plain: "Starting", npx: "Starting", set: "Failed" })
      assert.isUndefined(yield* hintOf("npx"))
      yield* pass(500)
      assert.include(yield* hintOf("npx"), "npx may be downloading @scope/server")
      assert.isUndefined(yield* hintOf("plain"))
      yield* pass(26_000, 500)
      assert.deepStrictEqual(yield* tagsOf(manager), { plain: "Failed", npx: "Starting", set: "Failed" })
      yield* pass(30_000, 500)
      const { reason } = yield* stateOf(manager, "npx", "Failed")
      assert.include(reason, "did not answer within 60 s")
      assert.include(reason, "npx may still be downloading \"@scope/server\"")
    }))

  it.effect("has its deadline for the list of tools as well", () =>
    Effect.gen(function*() {
      const server = new ToolServer({})
      const gate = new Gatekeeper(() =>
        Effect.map(server.connect, (client) => ({ ...client, listTools: Effect.never }))
      )
      const manager = yield* manage([entryOf("a", { settings: { startTimeout: 3 } })], {
        connector: gate.layer,
        reconnect: false
      })
      yield* pass(3000)
      assert.include((yield* stateOf(manager, "a", "Failed")).reason, "\"tools/list\" within 3 s")
      assert.strictEqual(gate.open.get("a"), 0)
    }))

  it.effect("says what became of it as soon as there is something to say, and ready does not wait for retries", () =>
    Effect.gen(function*() {
      const reason = failure(new Handshake({ detail: "said nothing", stderrTail: [] }))
      const manager = yield* manage([entryOf("a"), entryOf("b")], {
        connector: McpConnector.layerOf(() => Effect.fail(reason))
      })
      yield* manager.ready
      assert.strictEqual((yield* manager.start("a"))._tag, "Waiting")
      assert.strictEqual((yield* manager.restart("b"))._tag, "Waiting")
    }))
})
