import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Latch, Layer, Redacted, Stream } from "effect"
import { InputError, Inputs } from "../../src/computer/Inputs.ts"
import type { Manager } from "./support/managers.ts"
import {
  entryOf,
  Gatekeeper,
  manage,
  pass,
  rawEntry,
  settle,
  stateOf,
  tagsOf,
  toolNames,
  waitFor
} from "./support/managers.ts"
import { textOf } from "./support/mcpClients.ts"
import { connectTo, ToolServer } from "./support/memoryServers.ts"
import { withServers } from "./support/office.ts"
import { eventually, isAlive } from "./support/processes.ts"

const pidOf = (manager: Manager, bundleId: string) =>
  Effect.map(stateOf(manager, bundleId, "Ready"), ({ client }) => client.pid!)

const environmentOf = (manager: Manager, bundleId: string) =>
  manager.withClient(bundleId, (client) => client.callTool("environment", {})).pipe(
    Effect.map((result) => (JSON.parse(textOf(result)) as { env: Record<string, string | undefined> }).env)
  )

const memory = () => {
  const server = new ToolServer({ one: () => "1" })
  const gate = new Gatekeeper(() => server.connect)
  return { server, gate }
}

const ids = (manager: Manager) => Effect.map(manager.states, (all) => all.map(({ entry }) => entry.bundleId))

describe("a changed configuration", () => {
  it.live("adds, changes and removes what differs, in its order, and leaves the rest running", () =>
    Effect.gen(function*() {
      const same = rawEntry("same")
      const manager = yield* manage([same, rawEntry("changed", {}, { env: { A: "1" } }), rawEntry("gone")], {
        connector: connectTo({})
      })
      yield* manager.ready
      const before = { same: yield* pidOf(manager, "same"), changed: yield* pidOf(manager, "changed") }
      const gone = yield* pidOf(manager, "gone")
      yield* manager.reconcile([
        rawEntry("new"),
        rawEntry("changed", {}, { env: { A: "2" } }),
        // written anew, with what is none of the server's business
        rawEntry("same", {}, { config: { tool_meta: { x: { auto_apply: true } }, forbidden_tools: ["y"], name: "S" } })
      ])
      assert.deepStrictEqual(yield* ids(manager), ["new", "changed", "same"])
      assert.isFalse(isAlive(gone))
      yield* waitFor(manager, "new", "Ready")
      assert.strictEqual((yield* environmentOf(manager, "changed"))["A"], "2")
      assert.strictEqual(yield* pidOf(manager, "same"), before.same)
      assert.notStrictEqual(yield* pidOf(manager, "changed"), before.changed)
      assert.isFalse(isAlive(before.changed))
      const { entry } = (yield* manager.states)[2]!
      assert.deepStrictEqual([entry.config.forbidden_tools, entry.config.name], [["y"], "S"])
    }))

  it.live("does not let a server that is slow to end delay the others", () =>
    Effect.gen(function*() {
      const stubborn = rawEntry("slow", { stubborn: true })
      const manager = yield* manage([stubborn, rawEntry("quick")], { connector: connectTo({}) })
      yield* manager.ready
      const slow = yield* pidOf(manager, "slow")
      const stopping = yield* Effect.forkChild(manager.stop("slow"), { startImmediately: true })
      yield* manager.restart("quick")
      assert.isUndefined(stopping.pollUnsafe())
      assert.isTrue(isAlive(slow))
      yield* Fiber.join(stopping)
      assert.isFalse(isAlive(slow))
    }))

  it.effect("never runs a server beside itself, also when it is put back while it ends", () =>
    Effect.gen(function*() {
      const server = new ToolServer({})
      let release: (() => void) | undefined
      const gate = new Gatekeeper(() =>
        Effect.andThen(
          Effect.acquireRelease(
            Effect.void,
            () => Effect.promise(() => new Promise<void>((resolve) => (release = resolve)))
          ),
          server.connect
        )
      )
      const manager = yield* manage([entryOf("a")], { connector: gate.layer })
      yield* settle
      const removing = yield* Effect.forkChild(manager.remove("a"), { startImmediately: true })
      assert.deepStrictEqual(yield* manager.states, [])
      yield* settle
      yield* manager.put(entryOf("a", { args: ["new"] }))
      yield* settle
      assert.deepStrictEqual([yield* tagsOf(manager), gate.attempts.length], [{ a: "Starting" }, 1])
      release?.()
      yield* Fiber.join(removing)
      yield* settle
      assert.deepStrictEqual([yield* tagsOf(manager), gate.most.get("a")], [{ a: "Ready" }, 1])
      release = undefined
      const stopping = yield* Effect.forkChild(manager.stop("a"), { startImmediately: true })
      yield* settle
      release!()
      yield* Fiber.join(stopping)
    }))

  it.effect("switches servers off and on", () =>
    Effect.gen(function*() {
      const { gate } = memory()
      const manager = yield* manage([entryOf("a"), entryOf("b", { config: { disabled: true } })], {
        connector: gate.layer
      })
      yield* settle
      assert.deepStrictEqual(yield* tagsOf(manager), { a: "Ready", b: "Disabled" })
      yield* manager.setEnabled("a", false)
      yield* manager.setEnabled("b", true)
      yield* settle
      assert.deepStrictEqual(yield* tagsOf(manager), { a: "Disabled", b: "Ready" })
      assert.isTrue((yield* manager.states)[0]?.entry.config.disabled)
      const refused = yield* Effect.flip(manager.withClient("a", () => Effect.void))
      assert.include(refused.message, "it is disabled")
      // to switch off what is off is to leave it alone, and a change does not switch it on
      yield* manager.put(entryOf("a", { config: { disabled: true }, args: ["x"] }))
      yield* settle
      assert.deepStrictEqual(yield* tagsOf(manager), { a: "Disabled", b: "Ready" })
      // what was started although it is off, or stopped although it is on, is switched as well
      yield* manager.start("a")
      yield* manager.stop("b")
      yield* manager.setEnabled("a", false)
      yield* manager.setEnabled("b", true)
      yield* settle
      assert.deepStrictEqual(yield* tagsOf(manager), { a: "Disabled", b: "Ready" })
      assert.strictEqual((yield* Effect.flip(manager.setEnabled("x", true))).reason._tag, "McpServerNotFound")
    }))

  it.effect("keeps what was switched, and what is none of its own", () =>
    Effect.gen(function*() {
      const { gate } = memory()
      const a = entryOf("a")
      const added = { ...entryOf("added"), origin: { source: "console", dialect: "a2c" } as const }
      const manager = yield* manage([a, entryOf("b")], { connector: gate.layer })
      yield* manager.put(added)
      yield* manager.setEnabled("a", false)
      yield* settle
      const keep = { keep: ({ origin }: typeof a) => origin.source === "console" }
      yield* manager.reconcile([entryOf("c"), a], keep)
      yield* settle
      assert.deepStrictEqual(yield* ids(manager), ["c", "a", "added"])
      assert.deepStrictEqual(yield* tagsOf(manager), { c: "Ready", a: "Disabled", added: "Ready" })
      const off = entryOf("a", { config: { disabled: true } })
      yield* manager.reconcile([off], keep)
      yield* manager.reconcile([a])
      yield* settle
      assert.deepStrictEqual(yield* tagsOf(manager), { a: "Ready" })
    }))

  it.effect("keeps the entries that say the same, to which limits and verdicts on scripts belong", () =>
    Effect.gen(function*() {
      const { gate } = memory()
      const entries = [entryOf("a"), entryOf("b")]
      const manager = yield* manage(entries, { connector: gate.layer })
      yield* settle
      yield* manager.reconcile([entryOf("a"), entryOf("b", { settings: { limits: { concurrency: 1 } } })])
      yield* settle
      const [a, b] = yield* manager.states
      assert.strictEqual(a?.entry, entries[0])
      assert.deepStrictEqual(b?.entry.settings, { limits: { concurrency: 1 } })
      assert.lengthOf(gate.attempts, 2)
    }))

  it.effect("gives those who are slow to watch the newest states, and not all there ever were", () =>
    Effect.gen(function*() {
      const { gate } = memory()
      const manager = yield* manage([entryOf("a")], { connector: gate.layer })
      yield* settle
      const go = yield* Latch.make()
      const seen: Array<string> = []
      yield* manager.changes.pipe(
        Stream.runForEach((all) =>
          Effect.andThen(go.await, Effect.sync(() => seen.push(all.map(({ entry }) => entry.config.name).join())))
        ),
        Effect.forkScoped({ startImmediately: true })
      )
      yield* settle
      for (let round = 0; round < 100; round++) {
        yield* manager.put(entryOf("a", { config: { name: `name ${round}` } }))
      }
      yield* go.open
      yield* settle
      assert.strictEqual(seen.at(-1), "name 99")
      assert.isBelow(seen.length, 10)
    }))

  it.effect("does not start what was stopped, and gives what failed another chance", () =>
    Effect.gen(function*() {
      const { gate, server } = memory()
      let fails = true
      const failing = new Gatekeeper(() => Effect.suspend(() => fails ? Effect.die("broken") : server.connect))
      const manager = yield* manage([entryOf("a")], { connector: gate.layer })
      yield* settle
      yield* manager.stop("a")
      yield* manager.put(entryOf("a", { args: ["x"] }))
      yield* settle
      assert.deepStrictEqual([yield* tagsOf(manager), gate.attempts.length], [{ a: "Stopped" }, 1])
      const other = yield* manage([entryOf("a")], { connector: failing.layer, reconnect: false })
      yield* settle
      yield* stateOf(other, "a", "Failed")
      fails = false
      yield* other.put(entryOf("a", { config: { forbidden_tools: ["x"] } }))
      yield* settle
      yield* stateOf(other, "a", "Failed")
      yield* other.put(entryOf("a", { args: ["x"] }))
      yield* settle
      yield* stateOf(other, "a", "Ready")
    }))

  it.effect("is taken by a server that was switched off and runs all the same, when it is switched on", () =>
    Effect.gen(function*() {
      const { gate } = memory()
      const manager = yield* manage([entryOf("a", { config: { disabled: true } })], { connector: gate.layer })
      yield* manager.start("a")
      yield* manager.put(entryOf("a", { args: ["new"] }))
      yield* settle
      assert.deepStrictEqual([yield* tagsOf(manager), gate.attempts.length], [{ a: "Ready" }, 2])
      // what is off is started once, and what is switched off not at all
      yield* manager.put(entryOf("a", { args: ["newer"], config: { disabled: true } }))
      yield* settle
      assert.deepStrictEqual([yield* tagsOf(manager), gate.attempts.length], [{ a: "Disabled" }, 2])
      yield* manager.put(entryOf("a", { args: ["newest"] }))
      yield* settle
      assert.deepStrictEqual([yield* tagsOf(manager), gate.attempts.length], [{ a: "Ready" }, 3])
    }))

  it.effect("makes a lazy server run that is still learning its tools, and one that is idle", () =>
    Effect.gen(function*() {
      const { server } = memory()
      const gate = new Gatekeeper(() => Effect.andThen(Effect.sleep("1 second"), server.connect))
      const lazy = entryOf("a", { settings: { lazy: true } })
      for (const [since, args] of [[0, []], [5000, []], [5000, ["new"]]] as const) {
        const manager = yield* manage([lazy], { connector: gate.layer })
        yield* pass(since)
        yield* manager.put(entryOf("a", { args }))
        yield* pass(5000)
        assert.deepStrictEqual(yield* tagsOf(manager), { a: "Ready" }, `${since} ${args.join()}`)
      }
    }))

  it.effect("gives a server that failed for want of time what it has now", () =>
    Effect.gen(function*() {
      const { server } = memory()
      const gate = new Gatekeeper(() => Effect.andThen(Effect.sleep("5 seconds"), server.connect))
      const manager = yield* manage([entryOf("a", { settings: { startTimeout: 1 } })], {
        connector: gate.layer,
        reconnect: false
      })
      yield* pass(3000)
      yield* stateOf(manager, "a", "Failed")
      yield* manager.put(entryOf("a", { settings: { startTimeout: 10 } }))
      yield* pass(6000)
      const { client } = yield* stateOf(manager, "a", "Ready")
      // one that runs has no use for it
      yield* manager.put(entryOf("a", { settings: { startTimeout: 20 } }))
      yield* pass(6000)
      assert.strictEqual((yield* stateOf(manager, "a", "Ready")).client, client)
    }))
})

describe("a restart", () => {
  /** Inputs whose values a test changes. */
  const changing = (state: { value: string | undefined; renders: number }) =>
    Layer.succeed(
      Inputs,
      {
        definitions: Effect.succeed([]),
        changes: Stream.make(undefined),
        render: ({ config }: Parameters<Inputs["Service"]["render"]>[0]) =>
          Effect.suspend(() => {
            state.renders++
            return state.value === undefined || config.type !== "stdio"
              ? Effect.fail(new InputError({ reason: "missing", message: "${input:key} has no value" }))
              : Effect.succeed(Redacted.make({
                config: {
                  ...config,
                  server_parameters: { ...config.server_parameters, env: { KEY: state.value } }
                },
                secrets: [state.value]
              }))
          })
      } as unknown as Inputs["Service"]
    )

  it.live("renders the configuration anew, and leaves the old process serving when it cannot", () =>
    Effect.gen(function*() {
      const state: { value: string | undefined; renders: number } = { value: "one", renders: 0 }
      const manager = yield* manage([rawEntry("a")], { connector: connectTo({}), inputs: changing(state) })
      yield* manager.ready
      const pid = yield* pidOf(manager, "a")
      state.value = undefined
      const kept = yield* manager.restart("a")
      assert.strictEqual(kept._tag === "Ready" && kept.outdated, "${input:key} has no value")
      assert.strictEqual(yield* pidOf(manager, "a"), pid)
      assert.strictEqual((yield* environmentOf(manager, "a"))["KEY"], "one")
      state.value = "two"
      const { renders } = state
      const fresh = yield* manager.restart("a")
      // whoever is asked for a value is asked once
      assert.strictEqual(state.renders, renders + 1)
      assert.isTrue(fresh._tag === "Ready" && fresh.outdated === undefined)
      assert.isFalse(isAlive(pid))
      assert.strictEqual((yield* environmentOf(manager, "a"))["KEY"], "two")
      yield* manager.stop("a")
      state.value = undefined
      assert.strictEqual((yield* manager.start("a"))._tag, "Failed")
    }))

  it.effect("that is called off leaves no values for a later start", () =>
    Effect.gen(function*() {
      const { server } = memory()
      const state: { value: string | undefined; renders: number } = { value: "one", renders: 0 }
      let release = () => {}
      const held = Effect.promise(() => new Promise<void>((resolve) => (release = resolve)))
      const gate = new Gatekeeper(() => Effect.andThen(Effect.acquireRelease(Effect.void, () => held), server.connect))
      const manager = yield* manage([entryOf("a")], { connector: gate.layer, inputs: changing(state) })
      yield* settle
      yield* Effect.forkChild(manager.restart("a"), { startImmediately: true })
      yield* settle
      const stopping = yield* Effect.forkChild(manager.stop("a"), { startImmediately: true })
      release()
      yield* Fiber.join(stopping)
      const { renders } = state
      yield* manager.start("a")
      assert.strictEqual(state.renders, renders + 1)
      yield* Effect.forkChild(manager.stop("a"), { startImmediately: true })
      yield* settle
      release()
    }))

  it.live("runs the new command, whatever became of the old one", () =>
    Effect.gen(function*() {
      const manager = yield* manage([entryOf("a", { command: "no-such-command-here" })], { connector: connectTo({}) })
      yield* waitFor(manager, "a", "Failed")
      yield* manager.put(rawEntry("a", { silent: true }))
      const starting = yield* Effect.forkChild(manager.restart("a"), { startImmediately: true })
      yield* manager.put(rawEntry("a", { say: "hello" }))
      assert.strictEqual((yield* manager.restart("a"))._tag, "Ready")
      assert.strictEqual((yield* Fiber.join(starting))._tag, "Ready")
      assert.deepStrictEqual(yield* manager.logs("a"), ["hello"])
    }))
})

describe("what is known of a server", () => {
  it.live("is told while it runs and after it is gone", () =>
    Effect.gen(function*() {
      const manager = yield* manage([rawEntry("a", { say: "ready to serve" })], { connector: connectTo({}) })
      yield* manager.ready
      const running = yield* manager.inspect("a")
      assert.deepStrictEqual([running.pid, running.restarts, running.users], [yield* pidOf(manager, "a"), 0, 0])
      assert.isString(running.serverInfo?.name)
      assert.isAtLeast(running.uptimeMillis!, 0)
      assert.deepStrictEqual(running.stderrTail, ["ready to serve"])
      const users = yield* manager.withClient("a", () => Effect.map(manager.inspect("a"), ({ users }) => users))
      assert.strictEqual(users, 1)
      yield* manager.stop("a")
      const stopped = yield* manager.inspect("a")
      assert.deepStrictEqual([stopped.pid, stopped.uptimeMillis, stopped.state._tag], [undefined, undefined, "Stopped"])
      assert.deepStrictEqual(yield* manager.logs("a"), ["ready to serve"])
      assert.strictEqual((yield* Effect.flip(manager.logs("x"))).reason._tag, "McpServerNotFound")
      assert.strictEqual((yield* Effect.flip(manager.inspect("x"))).reason._tag, "McpServerNotFound")
    }))

  it.effect("includes what its name may mean", () =>
    Effect.gen(function*() {
      const { gate } = memory()
      const named = (bundleId: string, name: string, key = bundleId) => ({
        ...entryOf(bundleId, { config: { name } }),
        key
      })
      const manager = yield* manage(
        [named("a", "Files"), named("b", "Files"), named("c", "a"), named("d", "D", "key")],
        {
          connector: gate.layer
        }
      )
      const resolve = (name: string) =>
        Effect.map(manager.resolve(name), (resolved) =>
          resolved._tag === "Found"
            ? resolved.entry.bundleId
            : resolved._tag === "Ambiguous"
            ? resolved.candidates.map(({ bundleId }) => bundleId)
            : { known: resolved.known })
      assert.strictEqual(yield* resolve("a"), "a")
      assert.deepStrictEqual(yield* resolve("Files"), ["a", "b"])
      assert.strictEqual(yield* resolve("key"), "d")
      assert.deepStrictEqual(yield* resolve("x"), { known: ["a", "b", "c", "d"] })
    }))

  it.effect("is told as one change when several things change at once", () =>
    Effect.gen(function*() {
      const { gate } = memory()
      const manager = yield* manage([entryOf("a")], { connector: gate.layer })
      yield* settle
      const seen: Array<string> = []
      yield* manager.changes.pipe(
        Stream.runForEach((all) => Effect.sync(() => void seen.push(all.map(({ entry }) => entry.bundleId).join()))),
        Effect.forkScoped({ startImmediately: true })
      )
      yield* manager.reconcile([entryOf("c"), entryOf("b")])
      yield* settle
      assert.deepStrictEqual([...new Set(seen)], ["a", "c,b"])
      // the same array until something changes
      const states = yield* manager.states
      yield* manager.put(states[0]!.entry)
      assert.strictEqual(yield* manager.states, states)
    }))

  it.effect("are tools that are swapped as a whole", () =>
    Effect.gen(function*() {
      const { gate, server } = memory()
      const manager = yield* manage([entryOf("a")], { connector: gate.layer })
      yield* settle
      const { tools } = yield* stateOf(manager, "a", "Ready")
      server.tools = { two: () => "2" }
      yield* Effect.promise(() => server.announce())
      yield* settle
      const now = yield* stateOf(manager, "a", "Ready")
      assert.deepStrictEqual([tools.map(({ name }) => name), toolNames(now)], [["one"], ["two"]])
      const exit = yield* Effect.exit(manager.withClient("a", () => Effect.fail("mine")))
      assert.deepStrictEqual(exit, Exit.fail("mine"))
    }))

  it.live("is told to its office when its tools really changed, and then it shows already", () =>
    Effect.gen(function*() {
      const server = new ToolServer({ one: () => "1" })
      const { manager, office } = yield* withServers({ a: server })
      const reports = () => office.count("server:update_tool_list")
      yield* eventually("the first tools are reported", () => reports() === 1)
      const changes: ReadonlyArray<readonly [what: string, change: () => void, isReal: boolean]> = [
        ["added", () => (server.tools = { one: () => "1", two: () => "2" }), true],
        [
          "schema only",
          () => (server.described = { two: { inputSchema: { type: "object", minProperties: 1 } } }),
          true
        ],
        ["identical", () => (server.tools = { ...server.tools }), false],
        ["removed", () => (server.tools = { one: () => "1" }), true]
      ]
      for (const [what, change, isReal] of changes) {
        const before = reports()
        change()
        const { lists } = server
        yield* Effect.promise(() => server.announce())
        if (isReal) yield* eventually(`${what} is reported`, () => reports() > before)
        else yield* eventually(`${what} is listed`, () => server.lists > lists)
        assert.deepStrictEqual(toolNames(yield* stateOf(manager, "a", "Ready")), Object.keys(server.tools), what)
        yield* Effect.sleep("150 millis")
        assert.strictEqual(reports(), before + (isReal ? 1 : 0), what)
      }
    }))
})
