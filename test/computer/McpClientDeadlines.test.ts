import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Scope } from "effect"
import { TestClock } from "effect/testing"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import * as McpClient from "../../src/computer/McpClient.ts"
import type { McpMessage } from "../../src/computer/McpTransport.ts"
import { atOnce, connect, expectReason, failure, textOf } from "./support/mcpClients.ts"
import { PipeTransport } from "./support/mcpContract.ts"
import { childrenOf, eventually, isAlive } from "./support/processes.ts"

/** A server that answers nothing but the handshake, and what it has received. */
const silentServer = (options: McpClient.ConnectOptions = {}) => {
  const [mine, its] = PipeTransport.pair()
  const received: Array<McpMessage> = []
  its.onmessage = (message) => {
    received.push(message)
    if (message["method"] === "initialize") {
      const result = { protocolVersion: "2025-11-25", capabilities: {}, serverInfo: { name: "silent", version: "1" } }
      void its.send({ jsonrpc: "2.0", id: message["id"], result })
    }
  }
  const tokenOf = (message: McpMessage) =>
    (message["params"] as { readonly _meta?: { readonly progressToken?: unknown } } | undefined)?._meta?.progressToken
  return {
    connect: McpClient.connectWith(mine, options),
    received,
    progress: (done: number) =>
      Effect.promise(async () => {
        const progressToken = received.map(tokenOf).findLast((token) => token !== undefined)
        await its.send({ jsonrpc: "2.0", method: "notifications/progress", params: { progressToken, progress: done } })
        await new Promise((resolve) => setImmediate(resolve))
      }),
    send: (message: McpMessage) => Effect.promise(() => its.send({ jsonrpc: "2.0", ...message }))
  }
}

const turn = Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
const fork = <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.forkChild(self, { startImmediately: true })

describe("the deadlines of a call", () => {
  it.effect("each progress gives it its idle time anew, up to the hard limit", () =>
    Effect.gen(function*() {
      const server = silentServer()
      const client = yield* server.connect
      const call = yield* fork(
        failure(client.callTool("x", {}, { idleTimeout: "10 seconds", maxTimeout: "35 seconds" }))
      )
      for (const done of [1, 2, 3]) {
        yield* turn
        yield* TestClock.adjust("9 seconds")
        yield* server.progress(done)
      }
      yield* TestClock.adjust("7 seconds")
      assert.isUndefined(call.pollUnsafe())
      yield* TestClock.adjust("1 seconds")
      const { reason } = yield* Fiber.join(call)
      const max = expectReason(reason, "Timeout")
      assert.deepStrictEqual([max.seconds, max.idle], [35, undefined])
      yield* turn
      const cancelled = server.received.filter(({ method }) => method === "notifications/cancelled")
      assert.strictEqual(cancelled.length, 1)
      // what comes too late is ignored
      yield* server.progress(4)
    }))

  it.effect("without progress its idle time runs out, but not while the person here is asked something", () =>
    Effect.gen(function*() {
      const answered = yield* Deferred.make<void>()
      const server = silentServer({
        handlers: {
          elicitation: () => Effect.as(Deferred.await(answered), { action: "decline" as const }),
          deadline: "10 minutes"
        }
      })
      const client = yield* server.connect
      const call = yield* fork(failure(client.callTool("x", {}, { idleTimeout: "10 seconds" })))
      yield* turn
      yield* server.send({ id: "q", method: "elicitation/create", params: { message: "?" } })
      yield* turn
      yield* turn
      yield* TestClock.adjust("2 minutes")
      assert.isUndefined(call.pollUnsafe())
      yield* Deferred.succeed(answered, undefined)
      yield* turn
      yield* TestClock.adjust("12 seconds")
      assert.isTrue(expectReason((yield* Fiber.join(call)).reason, "Timeout").idle)
    }))

  it.live("ten thousand of them leave nothing in memory, and each is told to the server", () =>
    Effect.gen(function*() {
      setFlagsFromString("--expose-gc")
      const collect = runInNewContext("gc") as () => void
      const server = silentServer()
      const client = yield* server.connect
      const round = Effect.gen(function*() {
        server.received.length = 0
        const outcomes = yield* Effect.forEach(
          Array.from({ length: 5000 }),
          () => Effect.exit(client.callTool("x", {}, { maxTimeout: "1 millis" })),
          { concurrency: 500 }
        )
        assert.isTrue(outcomes.every(Exit.isFailure))
        yield* turn
        yield* turn
        const cancelled = server.received.filter(({ method }) => method === "notifications/cancelled").length
        server.received.length = 0
        collect()
        return { cancelled, heap: process.memoryUsage().heapUsed }
      })
      yield* round
      const first = yield* round
      const second = yield* round
      assert.deepStrictEqual([first.cancelled, second.cancelled], [5000, 5000])
      assert.isBelow(second.heap - first.heap, 1_000_000)
    }), 20_000)
})

describe("a question of the server", () => {
  // 0 is what servers of the SDK begin with
  for (const id of [0, "", 1, "q"]) {
    it.live(`with the id ${JSON.stringify(id)} can be taken back, and then has no answer`, () =>
      Effect.gen(function*() {
        const interrupted = yield* Deferred.make<void>()
        const server = silentServer({
          handlers: {
            elicitation: () => Effect.onInterrupt(Effect.never, () => Deferred.succeed(interrupted, undefined))
          }
        })
        yield* server.connect
        yield* server.send({ id, method: "elicitation/create", params: { message: "?" } })
        yield* turn
        yield* server.send({ method: "notifications/cancelled", params: { requestId: id } })
        yield* atOnce(Deferred.await(interrupted))
        yield* server.send({ id: "after", method: "ping" })
        yield* eventually("the ping is answered", () => server.received.some((message) => message["id"] === "after"))
        assert.isFalse(server.received.some((message) => message["id"] === id && message["method"] === undefined))
      }))
  }
})

describe("a server that does not read", () => {
  const deaf = `
    process.stdin.once("data", (text) => {
      const { id, params } = JSON.parse(String(text).split("\\n")[0])
      const result = { protocolVersion: params.protocolVersion, capabilities: {}, serverInfo: { name: "deaf", version: "1" } }
      process.stdout.write(JSON.stringify({ jsonrpc: "2.0", id, result }) + "\\n")
      process.stdin.pause()
      setInterval(() => {}, 1000)
    })`

  it.live("holds up no call beyond its deadline, and is ended all the same", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const client = yield* Scope.provide(
        McpClient.connectStdio({
          command: process.execPath,
          args: ["-e", deaf],
          maxFrameBytes: 3_000_000,
          eofGrace: "200 millis",
          termGrace: "200 millis"
        }),
        scope
      )
      const text = "x".repeat(1_000_000)
      const calls = yield* Effect.forEach(
        Array.from({ length: 8 }),
        () => failure(atOnce(client.callTool("x", { text }, { maxTimeout: "200 millis" }))),
        { concurrency: "unbounded" }
      )
      // what is more than may wait is refused, the rest is late
      const tags = new Set(calls.map(({ reason }) => reason._tag))
      assert.deepStrictEqual([...tags].sort(), ["Rpc", "Timeout"])
      const { pid } = client
      yield* Scope.close(scope, Exit.void)
      assert.isFalse(isAlive(pid ?? 0))
    }))
})

describe("a server that ends", () => {
  it.live("ends a hundred calls that wait, with its exit code and last words", () =>
    Effect.gen(function*() {
      const before = childrenOf(process.pid)
      yield* Effect.scoped(Effect.gen(function*() {
        const client = yield* connect()
        const waiting = yield* Effect.forEach(
          Array.from({ length: 100 }),
          () => fork(failure(client.callTool("never", {})))
        )
        assert.strictEqual(textOf(yield* client.callTool("echo", {})), "{}")
        yield* failure(client.callTool("exit", { code: 9 }))
        const reasons = yield* Effect.forEach(waiting, (call) => Effect.map(Fiber.join(call), ({ reason }) => reason))
        for (const reason of reasons) {
          const { code, stderrTail } = expectReason(reason, "Exit")
          assert.deepStrictEqual([code, stderrTail], [9, ["out of memory"]])
        }
      }))
      assert.deepStrictEqual(childrenOf(process.pid), before)
    }))
})
