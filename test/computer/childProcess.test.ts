import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope } from "effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { connectStdio } from "../../src/computer/McpClient.ts"
import { builtFolder } from "../cli/support/build.ts"
import { atOnce } from "./support/mcpClients.ts"
import { childrenOf, eventually, guardsOf, isAlive, membersOf } from "./support/processes.ts"

const path = (name: string) => fileURLToPath(new URL(`./support/${name}`, import.meta.url))
const rawServer = path("rawMcpServer.mjs")
const quote = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`

interface Command {
  readonly command: string
  readonly args: ReadonlyArray<string>
}
type Ending = "wait" | "close" | "exit" | "throw"

const plain = (settings: object = {}): Command => ({
  command: process.execPath,
  args: [rawServer, JSON.stringify(settings)]
})
/** As `npx` and start scripts do it: the process we start is not the server. */
const wrapped = (settings: object = {}): Command => ({
  command: "/bin/sh",
  args: [
    "-c",
    // a background job has no stdin of its own, so the server is given the one of the shell
    `exec 3<&0; ${quote(process.execPath)} ${quote(rawServer)} ${quote(JSON.stringify(settings))} <&3 & exec 3<&-; wait`
  ]
})
const stubborn = { stubborn: true, helper: "quiet" }

/** Starts a program that owns these servers, and knows all processes that belong to it. */
const startOwner = (servers: ReadonlyArray<Command>, ending: Ending) =>
  Effect.gen(function*() {
    const owner = yield* Effect.acquireRelease(
      Effect.sync(() =>
        spawn(process.execPath, [path("owner.mjs"), builtFolder, JSON.stringify({ servers, ending })], {
          stdio: ["pipe", "pipe", "ignore"]
        })
      ),
      (owner) => Effect.sync(() => owner.kill("SIGKILL"))
    )
    const ended = once(owner, "exit")
    const line = yield* Effect.timeout(
      Effect.promise(() => once(createInterface({ input: owner.stdout }), "line")),
      "20 seconds"
    )
    const leaders: ReadonlyArray<number> = JSON.parse(String(line[0]))
    // a test that fails leaves no process either
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => leaders.flatMap(membersOf).forEach((pid) => process.kill(pid, "SIGKILL")))
    )
    const guards = guardsOf(owner.pid ?? -1)
    const members = leaders.flatMap(membersOf)
    assert.isTrue(leaders.every((pid) => members.includes(pid)))
    return { owner, ended: Effect.promise(() => ended), members, guards }
  })

const assertGone = (pids: ReadonlyArray<number>) =>
  eventually(`all of ${pids.join(", ")} are gone`, () => !pids.some(isAlive))

describe("childProcess", () => {
  it.live("nothing is left when the scope is closed, however stubborn the servers are", () =>
    Effect.gen(function*() {
      const before = childrenOf(process.pid)
      let pids: ReadonlyArray<number> = []
      for (const command of [plain(), plain(stubborn), wrapped(), wrapped(stubborn), plain({ helper: "quiet" })]) {
        yield* Effect.gen(function*() {
          const client = yield* connectStdio({ ...command, eofGrace: "200 millis", termGrace: "200 millis" })
          yield* client.callTool("echo", {})
          pids = membersOf(client.pid ?? -1)
          assert.include(pids, client.pid)
        }).pipe(Effect.scoped)
        assert.deepStrictEqual(pids.filter(isAlive), [])
        assert.deepStrictEqual(childrenOf(process.pid), before)
      }
    }))

  it.live("a server that obeys the end of its stdin is not made to wait", () =>
    Effect.gen(function*() {
      yield* Effect.scoped(connectStdio({ ...plain(), eofGrace: "1 hour" }))
    }))

  it.live("the end of a stubborn one does not wait for the time of day, which may be set back", () =>
    Effect.gen(function*() {
      const { now } = Date
      const scope = yield* Scope.make()
      yield* Scope.provide(connectStdio({ ...plain(stubborn), eofGrace: "50 millis", termGrace: "50 millis" }), scope)
      let time = now()
      yield* Effect.addFinalizer(() => Effect.sync(() => Date.now = now))
      Date.now = () => time -= 1000
      yield* atOnce(Scope.close(scope, Exit.void))
    }))

  it.live("one guard watches all servers, stands its ground, and ends with the last of them", () =>
    Effect.gen(function*() {
      const before = childrenOf(process.pid)
      yield* Effect.gen(function*() {
        yield* connectStdio(plain())
        const guards = guardsOf(process.pid)
        assert.strictEqual(guards.length, 1)
        const [guard = -1] = guards
        yield* Effect.scoped(connectStdio(plain()))
        for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.kill(guard, signal)
        yield* Effect.sleep("100 millis")
        assert.deepStrictEqual(guardsOf(process.pid), guards)
      }).pipe(Effect.scoped)
      assert.deepStrictEqual(childrenOf(process.pid), before)
    }))

  it.live("parallel starts and stops share one guard and leave nothing", () =>
    Effect.gen(function*() {
      const before = childrenOf(process.pid)
      const fibers = yield* Effect.forEach(Array.from({ length: 6 }, (_, n) => n), (n) =>
        Effect.scoped(
          Effect.exit(connectStdio(n % 3 === 0 ? { command: "no-such-command" } : plain()))
        ).pipe(Effect.repeat({ times: 2 }), Effect.forkChild({ startImmediately: true })))
      yield* Effect.forEach(fibers, Fiber.join, { discard: true })
      assert.deepStrictEqual(childrenOf(process.pid), before)
    }))

  describe("nothing is left when the owning program", () => {
    const servers = [plain(), plain(stubborn), wrapped(stubborn)]

    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP", "SIGKILL"] as const) {
      it.live(`gets ${signal}`, () =>
        Effect.gen(function*() {
          const { ended, guards, members, owner } = yield* startOwner(servers, "wait")
          assert.strictEqual(guards.length, 1)
          assert.isAtLeast(members.length, 6)
          owner.kill(signal)
          yield* ended
          yield* assertGone([...members, ...guards])
        }))
    }

    for (const ending of ["exit", "throw"] as const) {
      it.live(ending === "exit" ? "calls process.exit" : "dies of an uncaught error", () =>
        Effect.gen(function*() {
          const { ended, guards, members, owner } = yield* startOwner(servers, ending)
          owner.stdin.write("go\n")
          yield* ended
          yield* assertGone([...members, ...guards])
        }))
    }

    it.live("is killed after its guard was killed", () =>
      Effect.gen(function*() {
        const { ended, guards, members, owner } = yield* startOwner([plain(stubborn)], "wait")
        const [guard = -1] = guards
        process.kill(guard, "SIGKILL")
        const others = () => guardsOf(owner.pid ?? -1).filter((pid) => pid !== guard)
        yield* eventually("a new guard is there", () => others().length === 1)
        const [second = -1] = others()
        owner.kill("SIGKILL")
        yield* ended
        yield* assertGone([...members, second])
      }))

    it.live("ends by itself, which it does as soon as its scope is closed", () =>
      Effect.gen(function*() {
        const { ended, guards, members, owner } = yield* startOwner(servers, "close")
        owner.stdin.write("go\n")
        const [code] = yield* Effect.timeout(ended, "20 seconds")
        assert.strictEqual(code, 0)
        assert.deepStrictEqual([...members, ...guards].filter(isAlive), [])
      }))
  })
})
