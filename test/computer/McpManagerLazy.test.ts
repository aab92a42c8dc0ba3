import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer } from "effect"
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Closed, McpError } from "../../src/computer/McpError.ts"
import { McpManager } from "../../src/computer/McpManager.ts"
import * as ToolRegistry from "../../src/computer/ToolRegistry.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"
import {
  entryOf,
  Gatekeeper,
  manage,
  type ManageOptions,
  pass,
  rawEntry,
  settle,
  stateOf,
  toolNames,
  waitFor
} from "./support/managers.ts"
import { textOf } from "./support/mcpClients.ts"
import { connectTo, ToolServer } from "./support/memoryServers.ts"
import { eventually, isAlive } from "./support/processes.ts"

const down = new McpError({ reason: new Closed({ detail: "the database is locked", stderrTail: [] }) })
const lazy = { lazy: true } as const

/** A server of this process that counts what is done with it. */
const watched = () => {
  const server = new ToolServer({ one: () => "1" })
  const state = { down: false }
  const gate = new Gatekeeper(() =>
    Effect.delay(Effect.suspend(() => state.down ? Effect.fail(down) : server.connect), "100 millis")
  )
  return { server, state, gate }
}

const one = (manager: McpManager["Service"]) =>
  manager.withClient("a", (client) => Effect.map(client.callTool("one", {}), textOf))

describe("a lazy server", () => {
  it.effect("is started once to learn its tools, and then only when a call needs it, once for all calls", () =>
    Effect.gen(function*() {
      const { gate } = watched()
      const manager = yield* manage([entryOf("a", { settings: lazy })], { connector: gate.layer })
      assert.strictEqual((yield* manager.states)[0]?.state._tag, "Starting")
      yield* pass(100)
      assert.deepStrictEqual(toolNames(yield* stateOf(manager, "a", "Idle")), ["one"])
      assert.strictEqual(gate.open.get("a"), 0)
      yield* pass(100_000, 10_000)
      assert.lengthOf(gate.attempts, 1)
      const calls = yield* Effect.forkChild(
        Effect.all(Array.from({ length: 50 }, () => one(manager)), { concurrency: 50 }),
        {
          startImmediately: true
        }
      )
      yield* pass(100)
      assert.deepStrictEqual(new Set(yield* Fiber.join(calls)), new Set(["1"]))
      assert.deepStrictEqual([gate.attempts.length, gate.most.get("a")], [2, 1])
      // without an idle timeout it stays
      yield* pass(100_000, 10_000)
      yield* stateOf(manager, "a", "Ready")
    }))

  it.effect("serves a call that comes while its tools are learnt", () =>
    Effect.gen(function*() {
      const { gate } = watched()
      const manager = yield* manage([entryOf("a", { settings: lazy })], { connector: gate.layer })
      const call = yield* Effect.forkChild(one(manager), { startImmediately: true })
      yield* pass(100)
      assert.strictEqual(yield* Fiber.join(call), "1")
      assert.lengthOf(gate.attempts, 1)
    }))

  it.effect("tells all who wait why it did not start, and is tried again by the next call", () =>
    Effect.gen(function*() {
      const { gate, state } = watched()
      const manager = yield* manage([entryOf("a", { settings: lazy })], { connector: gate.layer })
      yield* pass(100)
      state.down = true
      const calls = yield* Effect.forkChild(
        Effect.all(Array.from({ length: 50 }, () => Effect.flip(one(manager))), { concurrency: 50 }),
        { startImmediately: true }
      )
      yield* pass(100)
      for (const { message } of yield* Fiber.join(calls)) assert.include(message, "the database is locked")
      assert.lengthOf(gate.attempts, 2)
      assert.include((yield* stateOf(manager, "a", "Idle")).problem, "the database is locked")
      yield* pass(60_000, 10_000)
      assert.lengthOf(gate.attempts, 2)
      state.down = false
      const call = yield* Effect.forkChild(one(manager), { startImmediately: true })
      yield* pass(100)
      assert.strictEqual(yield* Fiber.join(call), "1")
    }))

  it.effect("that crashes while nobody needs it is idle", () =>
    Effect.gen(function*() {
      const { gate, server } = watched()
      const manager = yield* manage([entryOf("a", { settings: lazy })], { connector: gate.layer })
      yield* pass(100)
      const starting = yield* Effect.forkChild(manager.start("a"), { startImmediately: true })
      yield* pass(100)
      assert.strictEqual((yield* Fiber.join(starting))._tag, "Ready")
      yield* Effect.promise(() => server.close())
      yield* pass(60_000, 10_000)
      yield* stateOf(manager, "a", "Idle")
      assert.lengthOf(gate.attempts, 2)
    }))

  it.live("lists the tools it had last after a start of the Computer, from a file without its configuration", () =>
    Effect.gen(function*() {
      const toolCache = join(yield* temporaryFolder, "deep", "tools")
      const server = new ToolServer({ one: () => "1" })
      server.described = { one: { description: "what it does", _meta: { a: [1] } } }
      const started: Array<string> = []
      const gate = new Gatekeeper((bundleId) =>
        Effect.andThen(Effect.sync(() => void started.push(bundleId)), server.connect)
      )
      const entry = entryOf("a", { settings: lazy, env: { TOKEN: "s3cr3t-value" } })
      const listed = (servers: Parameters<typeof manage>[0], options: ManageOptions = {}) =>
        Effect.scoped(Effect.gen(function*() {
          const manager = yield* manage(servers, { connector: gate.layer, toolCache, ...options })
          yield* waitFor(manager, "a", "Idle")
          const registry = ToolRegistry.layerOf().pipe(Layer.provide(Layer.succeed(McpManager, manager)))
          return yield* Context.get(yield* Layer.build(registry), ToolRegistry.ToolRegistry).list
        }))
      const first = yield* listed([entry])
      assert.deepStrictEqual(first.map(({ description, name }) => [name, description]), [["a__one", "what it does"]])
      assert.lengthOf(started, 1)
      assert.deepStrictEqual(yield* listed([entry]), first)
      assert.lengthOf(started, 1)
      const files = readdirSync(toolCache)
      assert.lengthOf(files, 1)
      assert.notInclude(readFileSync(join(toolCache, files[0]!), "utf8"), "s3cr3t")
      // another configuration is another server, and takes the place of the one before
      yield* listed([entryOf("a", { settings: lazy, args: ["--other"] })])
      assert.lengthOf(started, 2)
      assert.deepStrictEqual(readdirSync(toolCache), files)
      // and what cannot be read is asked for
      for (const broken of ["{", "{\"version\":1,\"tools\":3}", "{\"version\":2,\"tools\":[]}", "[]"]) {
        const before = started.length
        for (const file of readdirSync(toolCache)) writeFileSync(join(toolCache, file), broken)
        assert.deepStrictEqual(yield* listed([entry]), first)
        assert.lengthOf(started, before + 1)
      }
      // nothing is kept of a server that is removed
      yield* Effect.scoped(Effect.gen(function*() {
        const manager = yield* manage([entry], { connector: gate.layer, toolCache })
        yield* waitFor(manager, "a", "Idle")
        yield* manager.remove("a")
        yield* eventually("the file is gone", () => readdirSync(toolCache).length === 0)
      }))
    }))
})

describe("a server that may idle", () => {
  it.effect("is ended when no call used it for so long, and started again by the next", () =>
    Effect.gen(function*() {
      const { gate, server } = watched()
      const answers: Array<() => void> = []
      server.tools = { one: () => "1", slow: () => new Promise((resolve) => answers.push(() => resolve("late"))) }
      const manager = yield* manage([entryOf("a", { settings: { idleTimeout: 60 } })], { connector: gate.layer })
      yield* pass(100)
      yield* pass(50_000, 10_000)
      assert.strictEqual(yield* one(manager), "1")
      yield* pass(59_000, 1000)
      yield* stateOf(manager, "a", "Ready")
      // a call that runs is use, however long it takes
      const slow = yield* Effect.forkChild(
        manager.withClient("a", (client) => Effect.map(client.callTool("slow", {}), textOf)),
        { startImmediately: true }
      )
      yield* pass(300_000, 10_000)
      yield* stateOf(manager, "a", "Ready")
      answers.forEach((answer) => answer())
      assert.strictEqual(yield* Fiber.join(slow), "late")
      yield* pass(59_000, 1000)
      yield* stateOf(manager, "a", "Ready")
      yield* pass(2000)
      assert.deepStrictEqual(toolNames(yield* stateOf(manager, "a", "Idle")), ["one", "slow"])
      assert.strictEqual(gate.open.get("a"), 0)
      const call = yield* Effect.forkChild(one(manager), { startImmediately: true })
      yield* pass(100)
      assert.strictEqual(yield* Fiber.join(call), "1")
    }))

  it.live("loses no call, however they fall together with its end", () =>
    Effect.gen(function*() {
      const manager = yield* manage([rawEntry("a", {}, { settings: { idleTimeout: 0.03 } })], {
        connector: connectTo({})
      })
      yield* manager.ready
      const pids = new Set<number>()
      let calls = 0
      for (let round = 0; round < 25; round++) {
        yield* Effect.sleep(20 + round)
        const results = yield* Effect.all(
          Array.from({ length: 4 }, (_, index) =>
            Effect.delay(manager.withClient("a", (client) => client.callTool("pids", {})), index * 3)),
          { concurrency: "unbounded" }
        )
        for (const result of results) {
          pids.add((JSON.parse(textOf(result)) as { server: number }).server)
        }
        calls += results.length
      }
      assert.strictEqual(calls, 100)
      assert.isAbove(pids.size, 1)
      yield* waitFor(manager, "a", "Idle")
      yield* manager.stop("a")
      for (const pid of pids) {
        assert.isFalse(isAlive(pid))
      }
    }), 30_000)

  it.effect("may be told so while it runs, and told otherwise", () =>
    Effect.gen(function*() {
      const { gate } = watched()
      const manager = yield* manage([entryOf("a")], { connector: gate.layer })
      yield* pass(100)
      yield* manager.put(entryOf("a", { settings: { idleTimeout: 10 } }))
      yield* pass(5000, 1000)
      yield* manager.put(entryOf("a"))
      yield* pass(60_000, 1000)
      yield* stateOf(manager, "a", "Ready")
      yield* manager.put(entryOf("a", { settings: { idleTimeout: 10 } }))
      yield* pass(1000)
      yield* stateOf(manager, "a", "Idle")
      assert.lengthOf(gate.attempts, 1)
      const exit = yield* Effect.exit(Effect.timeout(one(manager), "0 millis"))
      assert.isTrue(Exit.isFailure(exit))
      yield* settle
    }))
})
