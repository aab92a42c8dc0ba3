import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { fileURLToPath } from "node:url"
import * as ConfigFile from "../../src/computer/ConfigFile.ts"
import * as Inputs from "../../src/computer/Inputs.ts"
import * as McpConnector from "../../src/computer/McpConnector.ts"
import {
  manage as manageEntries,
  type ManageOptions,
  settle,
  stateOf,
  tagsOf,
  toolNames,
  waitFor
} from "./support/managers.ts"
import { atOnce, rawServer, received, textOf } from "./support/mcpClients.ts"
import { connectTo, ToolServer } from "./support/memoryServers.ts"
import { childrenOf, eventually, isAlive } from "./support/processes.ts"

const everything = fileURLToPath(
  new URL("../../node_modules/@modelcontextprotocol/server-everything/dist/index.js", import.meta.url)
)
const raw = (settings: object = {}, rest: object = {}) => ({
  command: process.execPath,
  args: [rawServer, JSON.stringify(settings)],
  ...rest
})

/** A manager of the servers of a configuration, which ends with the scope. */
const manage = Effect.fnUntraced(function*(
  servers: Readonly<Record<string, object>>,
  { environment, ...options }: ManageOptions & Pick<Inputs.Options, "environment"> = {}
) {
  const file = yield* ConfigFile.fromValue({ servers }, "test")
  return yield* manageEntries(file.servers, { inputs: Inputs.layer({ environment }), ...options })
})

describe("McpManager", () => {
  it.live("starts every server and says of each what became of it", () =>
    Effect.gen(function*() {
      const manager = yield* manage({
        everything: { command: process.execPath, args: [everything, "stdio"] },
        raw: raw({}, { name: "My raw one" }),
        missing: { command: "no-such-command-here" },
        exits: raw({ exit: 3 }),
        silent: raw({ silent: true }),
        off: raw({}, { disabled: true }),
        secret: raw({}, { env: { TOKEN: "${input:token}" } }),
        remote: { url: "https://example.com/mcp" }
      }, { connector: connectTo({}), reconnect: false })
      assert.deepStrictEqual((yield* manager.states).map(({ entry }) => entry.bundleId), [
        "everything",
        "My_raw_one",
        "missing",
        "exits",
        "silent",
        "off",
        "secret",
        "remote"
      ])
      yield* manager.ready
      assert.deepStrictEqual(yield* tagsOf(manager), {
        everything: "Ready",
        My_raw_one: "Ready",
        missing: "Failed",
        exits: "Failed",
        silent: "Failed",
        off: "Disabled",
        secret: "Failed",
        remote: "Failed"
      })
      const ready = yield* stateOf(manager, "everything", "Ready")
      assert.include(toolNames(ready), "echo")
      assert.include(textOf(yield* ready.client.callTool("echo", { message: "hello" })), "hello")
      assert.include((yield* stateOf(manager, "missing", "Failed")).reason, "\"no-such-command-here\"")
      assert.include((yield* stateOf(manager, "exits", "Failed")).reason, "the database is locked")
      assert.include((yield* stateOf(manager, "silent", "Failed")).reason, "did not answer within 2 s")
      assert.include((yield* stateOf(manager, "secret", "Failed")).reason, "${input:token} in env.TOKEN")
      assert.include((yield* stateOf(manager, "remote", "Failed")).reason, "is none of this test")
    }))

  it.live("renders variables for the server and keeps them raw in its configuration", () =>
    Effect.gen(function*() {
      const manager = yield* manage({ a: raw({}, { env: { KEY: "${env:SECRET}", B: "b" } }) }, {
        environment: { SECRET: "s3cret" }
      })
      yield* manager.ready
      const { client } = yield* stateOf(manager, "a", "Ready")
      const { env } = JSON.parse(textOf(yield* client.callTool("environment", {}))) as { env: Record<string, string> }
      assert.deepStrictEqual([env["KEY"], env["B"]], ["s3cret", "b"])
      const entries = JSON.stringify((yield* manager.states).map(({ entry }) => entry))
      assert.include(entries, "${env:SECRET}")
      assert.notInclude(entries, "s3cret")
    }))

  it.live("is there before its servers are, and shows each as it comes", () =>
    Effect.gen(function*() {
      const manager = yield* atOnce(manage({ silent: raw({ silent: true }), raw: raw() }))
      assert.deepStrictEqual(yield* tagsOf(manager), { silent: "Starting", raw: "Starting" })
      yield* waitFor(manager, "raw", "Ready")
      assert.deepStrictEqual(yield* tagsOf(manager), { silent: "Starting", raw: "Ready" })
    }))

  it.live("ends a server and starts it anew", () =>
    Effect.gen(function*() {
      const manager = yield* manage({ a: raw({ helper: "quiet" }), b: raw() }, { connector: connectTo({}) })
      yield* manager.ready
      const { client } = yield* stateOf(manager, "a", "Ready")
      const pids = JSON.parse(textOf(yield* client.callTool("pids", {}))) as { server: number; helper: number }
      yield* manager.stop("a")
      assert.deepStrictEqual(yield* tagsOf(manager), { a: "Stopped", b: "Ready" })
      assert.isFalse(isAlive(pids.server) || isAlive(pids.helper))
      yield* manager.stop("a")
      const state = yield* manager.start("a")
      assert.strictEqual(state._tag, "Ready")
      const again = yield* stateOf(manager, "a", "Ready")
      assert.notStrictEqual(again.client.pid, client.pid)
      // a server that runs is left alone
      yield* manager.start("a")
      assert.strictEqual((yield* stateOf(manager, "a", "Ready")).client, again.client)
    }))

  it.live("starts a disabled server when it is told to", () =>
    Effect.gen(function*() {
      const manager = yield* manage({ a: raw({}, { disabled: true }) }, { connector: connectTo({}) })
      yield* manager.ready
      assert.strictEqual((yield* manager.start("a"))._tag, "Ready")
    }))

  it.live("gives the start of a server that cannot start as its outcome", () =>
    Effect.gen(function*() {
      const manager = yield* manage({ a: raw({ exit: 5 }, { disabled: true }) })
      const state = yield* manager.start("a")
      assert.include(state._tag === "Waiting" ? state.reason : "", "exit code 5")
    }))

  it.live("stops a server while it is starting", () =>
    Effect.gen(function*() {
      const before = childrenOf(process.pid)
      const manager = yield* manage({ a: raw({ silent: true }) }, { connector: connectTo({}) })
      yield* eventually("a child is started", () => childrenOf(process.pid).length > before.length)
      yield* atOnce(manager.stop("a"))
      assert.deepStrictEqual(yield* tagsOf(manager), { a: "Stopped" })
      assert.deepStrictEqual(childrenOf(process.pid), before)
      yield* manager.ready
    }))

  it.live("shows a server that dies as failed, and leaves the others and itself to be started again", () =>
    Effect.gen(function*() {
      const manager = yield* manage({ a: raw(), b: raw() }, { connector: connectTo({}), reconnect: false })
      yield* manager.ready
      const { client } = yield* stateOf(manager, "a", "Ready")
      yield* Effect.flip(client.callTool("exit", { code: 9 }))
      yield* waitFor(manager, "a", "Failed")
      const { reason } = yield* stateOf(manager, "a", "Failed")
      assert.include(reason, "exit code 9")
      assert.include(reason, "out of memory")
      assert.strictEqual((yield* manager.start("a"))._tag, "Ready")
      assert.deepStrictEqual(yield* tagsOf(manager), { a: "Ready", b: "Ready" })
    }))

  it.live("lists the tools again when a server says that they changed", () =>
    Effect.gen(function*() {
      const server = new ToolServer({ one: () => "1" })
      const manager = yield* manage({ a: { command: "-" } }, { connector: connectTo({ a: server }) })
      yield* manager.ready
      assert.deepStrictEqual(toolNames(yield* stateOf(manager, "a", "Ready")), ["one"])
      server.tools = { one: () => "1", two: () => "2" }
      yield* Effect.promise(() => server.announce())
      yield* manager.changes.pipe(
        Stream.filter(([first]) => first?.state._tag === "Ready" && first.state.tools.length === 2),
        Stream.runHead,
        atOnce
      )
      const { lists } = server
      for (let index = 0; index < 200; index++) yield* Effect.promise(() => server.announce())
      yield* Effect.sleep("300 millis")
      assert.isAtMost(server.lists - lists, 6)
    }))

  it.live("hears of a change that comes before its first list", () =>
    Effect.gen(function*() {
      const manager = yield* manage({
        a: raw({ greet: [{ jsonrpc: "2.0", method: "notifications/tools/list_changed" }] })
      }, { connector: connectTo({}) })
      yield* manager.ready
      const { client } = yield* stateOf(manager, "a", "Ready")
      yield* Effect.sleep("300 millis")
      const lists = (yield* received(client)).filter(({ method }) => method === "tools/list")
      assert.isAtLeast(lists.length, 2)
    }))

  it.live("refuses the bundle id of no server", () =>
    Effect.gen(function*() {
      const manager = yield* manage({})
      for (const operation of [Effect.asVoid(manager.start("x")), manager.stop("x")]) {
        assert.strictEqual((yield* Effect.flip(operation)).reason._tag, "McpServerNotFound")
      }
      yield* manager.ready
    }))

  it.live("leaves no process behind, however its servers behave", () =>
    Effect.gen(function*() {
      const before = childrenOf(process.pid)
      const scope = yield* Scope.make()
      const manager = yield* manage({
        obedient: raw(),
        stubborn: raw({ stubborn: true, helper: "holds-pipes" }),
        shell: {
          command: "sh",
          args: ["-c", `"$0" "$1" "$2"; true`, process.execPath, rawServer, "{\"stubborn\":true}"]
        },
        starting: raw({ silent: true, stubborn: true }),
        exits: raw({ exit: 1 })
      }, { connector: connectTo({}) }).pipe(Scope.provide(scope))
      yield* waitFor(manager, "stubborn", "Ready")
      yield* waitFor(manager, "shell", "Ready")
      const { client } = yield* stateOf(manager, "stubborn", "Ready")
      const pids = JSON.parse(textOf(yield* client.callTool("pids", {}))) as { server: number; helper: number }
      yield* atOnce(Scope.close(scope, Exit.void))
      assert.deepStrictEqual(childrenOf(process.pid), before)
      assert.isFalse(isAlive(pids.server) || isAlive(pids.helper))
    }))

  it.effect("keeps nobody waiting when it ends, and shows no server any more that could be used", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const server = new ToolServer({})
      const manager = yield* manage({ starting: { command: "-" }, runs: { command: "-" } }, {
        connector: McpConnector.layerOf(({ bundleId }) => bundleId === "runs" ? server.connect : Effect.never)
      }).pipe(Scope.provide(scope))
      yield* settle
      assert.deepStrictEqual(yield* tagsOf(manager), { starting: "Starting", runs: "Ready" })
      const waiting = yield* Effect.forEach(
        [manager.ready, manager.start("starting"), Effect.exit(manager.withClient("starting", () => Effect.void))],
        (each) => Effect.forkChild(each, { startImmediately: true })
      )
      yield* Scope.close(scope, Exit.void)
      yield* settle
      assert.deepStrictEqual(yield* tagsOf(manager), { starting: "Stopped", runs: "Stopped" })
      assert.deepStrictEqual(waiting.map((fiber) => fiber.pollUnsafe() !== undefined), [true, true, true])
    }))

  describe("with connections that tests decide about", () => {
    const servers = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`s${index}`, { command: "-" }]))

    it.effect("starts as many at a time as it may", () =>
      Effect.gen(function*() {
        let active = 0
        let most = 0
        const server = new ToolServer({})
        const manager = yield* manage(servers(20), {
          concurrency: 3,
          connector: McpConnector.layerOf(() =>
            Effect.gen(function*() {
              most = Math.max(most, ++active)
              yield* Effect.sleep("1 second")
              active--
              return yield* server.connect
            })
          )
        })
        const done = yield* Effect.forkChild(manager.ready, { startImmediately: true })
        // connections are made in rounds of real promises between the seconds of the test's clock
        while (done.pollUnsafe() === undefined) {
          yield* TestClock.adjust("1 second")
          yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
        }
        yield* Fiber.join(done)
        assert.strictEqual(most, 3)
        assert.deepStrictEqual(new Set(Object.values(yield* tagsOf(manager))), new Set(["Ready"]))
      }))

    it.effect("does not let servers that never answer keep the others from starting", () =>
      Effect.gen(function*() {
        const started: Array<string> = []
        yield* manage(servers(10), {
          concurrency: 2,
          connector: McpConnector.layerOf(({ bundleId }) => {
            started.push(bundleId)
            return Effect.never
          })
        })
        yield* TestClock.adjust("1 second")
        assert.strictEqual(started.length, 2)
        yield* TestClock.adjust("24 seconds")
        assert.strictEqual(started.length, 10)
      }))

    it.live("ends up as the last of many starts and stops says", () =>
      Effect.gen(function*() {
        let open = 0
        const server = new ToolServer({})
        const manager = yield* manage(servers(1), {
          connector: McpConnector.layerOf(() =>
            Effect.acquireRelease(Effect.sync(() => void open++), () => Effect.sync(() => void open--)).pipe(
              Effect.andThen(server.connect)
            )
          )
        })
        for (let round = 0; round < 20; round++) {
          yield* Effect.all([manager.start("s0"), manager.stop("s0"), manager.start("s0"), manager.stop("s0")], {
            concurrency: "unbounded",
            discard: true
          })
          yield* manager.stop("s0")
          assert.deepStrictEqual([yield* tagsOf(manager), open], [{ s0: "Stopped" }, 0])
          yield* manager.start("s0")
          assert.deepStrictEqual([yield* tagsOf(manager), open], [{ s0: "Ready" }, 1])
        }
      }))
  })
})
