/**
 * Compliance cases: calls of the server to a client, and forwarding.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import * as ClientEvent from "../../protocol/ClientEvent.ts"
import * as SmcpError from "../../protocol/SmcpError.ts"
import * as WireError from "../../protocol/WireError.ts"
import type { Connection } from "../../transport/ServerTransport.ts"
import {
  anything,
  Ask,
  behaviour,
  type Case,
  expectEqual,
  expectReason,
  failureOf,
  type Harness,
  LONG,
  meet,
  Order,
  serve
} from "./complianceKit.ts"

/** Calls of the server to a client. */
export const serverCalls: ReadonlyArray<Case> = [
  behaviour("acknowledges a request with the value of the client's handler", (harness) =>
    Effect.gen(function*() {
      const office = yield* serve(harness)
      const { client, connection } = yield* meet(harness, office)
      yield* client.handle(Order, (payload) => Effect.succeed({ done: payload }))
      const reply = yield* connection.call(Order.name, { value: anything }, LONG)
      yield* expectEqual("the arguments", reply.args, [{ done: anything }])
    })),

  behaviour("acknowledges an error of the client's handler as a flat error", (harness) =>
    Effect.gen(function*() {
      const office = yield* serve(harness)
      const { client, connection } = yield* meet(harness, office)
      const coded = new WireError.McpServerNotFound({ message: "MCP Server not registered", mcpServer: "git" })
      const uncoded = new SmcpError.ConfigInvalid({ message: "/home/me/.secret is missing" })
      yield* client.handle(Order, (payload) => Effect.fail(SmcpError.make(payload === "coded" ? coded : uncoded)))
      const first = yield* connection.call(Order.name, { value: "coded" }, LONG)
      yield* expectEqual("the error", first.args, [
        { code: 4014, message: "MCP Server not registered", mcp_server: "git" }
      ])
      const second = yield* connection.call(Order.name, { value: "uncoded" }, LONG)
      yield* expectEqual("the error without a code", second.args, [{ code: 500, message: "Internal error" }])
    })),

  behaviour(
    "acknowledges a defect of the client's handler with 500 and without its text",
    (harness) =>
      Effect.gen(function*() {
        const office = yield* serve(harness)
        const { client, connection } = yield* meet(harness, office)
        yield* client.handle(
          Order,
          (payload) => payload === "throw" ? Effect.die(new Error("a secret")) : Effect.succeed(payload)
        )
        const reply = yield* connection.call(Order.name, { value: "throw" }, LONG)
        yield* expectEqual("the error", reply.args, [{ code: 500, message: "Internal error" }])
        yield* expectAnswered(connection)
      })
  ),

  behaviour("acknowledges a value that JSON cannot say with 500", (harness) =>
    Effect.gen(function*() {
      const office = yield* serve(harness)
      const { client, connection } = yield* meet(harness, office)
      yield* client.handle(Order, (payload) => Effect.succeed(payload === "bigint" ? { value: 1n } : payload))
      const reply = yield* connection.call(Order.name, { value: "bigint" }, LONG)
      yield* expectEqual("the code", (reply.args[0] as { readonly code?: unknown }).code, 500)
      yield* expectAnswered(connection)
    })),

  behaviour(
    "acknowledges a malformed payload with 400 and without running the handler",
    (harness) =>
      Effect.gen(function*() {
        const office = yield* serve(harness)
        const { client, connection } = yield* meet(harness, office)
        let runs = 0
        yield* client.handle(ClientEvent.GetTools, () => Effect.sync(() => ({ tools: [], runs: ++runs })))
        for (const value of [null, undefined, 7, "text", [], {}, { agent: 1, req_id: "1", computer: "c" }]) {
          const reply = yield* connection.call(ClientEvent.GetTools.name, { value }, LONG)
          yield* expectEqual("the code", (reply.args[0] as { readonly code?: unknown }).code, 400)
        }
        yield* expectEqual("how often the handler ran", runs, 0)
      })
  ),

  behaviour("acknowledges an event that nobody handles with nothing", (harness) =>
    Effect.gen(function*() {
      const office = yield* serve(harness)
      const { client, connection } = yield* meet(harness, office)
      const ask = connection.call(Order.name, { value: {} }, LONG)
      yield* expectEqual("the arguments before there is a handler", (yield* ask).args, [])
      const scope = yield* Scope.make()
      yield* Scope.provide(client.handle(Order, () => Effect.succeed("handled")), scope)
      yield* expectEqual("the arguments while there is one", (yield* ask).args, ["handled"])
      yield* Scope.close(scope, Exit.void)
      yield* expectEqual("the arguments after its scope", (yield* ask).args, [])
    })),

  behaviour(
    "ends a server's call at its deadline, and gives its late answer to nobody",
    (harness) =>
      Effect.gen(function*() {
        const { connection, gate } = yield* holdFirst(harness)
        const late = connection.call(Order.name, { value: "first" }, 100)
        yield* expectEqual("the failure", yield* failureOf("the call", late), "timeout")
        yield* Deferred.succeed(gate, undefined)
        yield* expectAnswered(connection)
      })
  ),

  behaviour("forgets an interrupted call of the server", (harness) =>
    Effect.gen(function*() {
      const { connection, gate, started } = yield* holdFirst(harness)
      const first = connection.call(Order.name, { value: "first" }, LONG)
      const call = yield* Effect.forkChild(first, { startImmediately: true })
      yield* Deferred.await(started)
      yield* Fiber.interrupt(call)
      yield* Deferred.succeed(gate, undefined)
      yield* expectAnswered(connection)
    })),

  behaviour(
    "drops the server's calls to a peer that stays, and their late answers",
    (harness) =>
      Effect.gen(function*() {
        const { connection, gate, started } = yield* holdFirst(harness)
        const first = failureOf("the call", connection.call(Order.name, { value: "first" }, LONG))
        const call = yield* Effect.forkChild(first, { startImmediately: true })
        yield* Deferred.await(started)
        yield* connection.dropCalls
        yield* expectEqual("the failure", yield* Fiber.join(call), "disconnected")
        yield* Deferred.succeed(gate, undefined)
        yield* expectAnswered(connection)
      })
  ),

  behaviour(
    "dispatches requests to a client in the order in which they were sent",
    (harness) =>
      Effect.gen(function*() {
        const office = yield* serve(harness)
        const { client, connection } = yield* meet(harness, office)
        const seen: Array<unknown> = []
        yield* client.handle(Order, (payload) => Effect.andThen(Effect.sync(() => seen.push(payload)), Effect.yieldNow))
        const sent = Array.from({ length: 100 }, (_, index) => index)
        yield* Effect.forEach(sent, (value) => connection.call(Order.name, { value }, LONG), {
          concurrency: "unbounded"
        })
        yield* expectEqual("the order", seen, sent)
      })
  ),

  behaviour("forwards a payload that is only carried with everything in it", (harness) =>
    Effect.gen(function*() {
      const { asker, host } = yield* relay(harness)
      const received = yield* Queue.unbounded<unknown>()
      yield* host.handle(Order, (payload) => Effect.as(Queue.offer(received, payload), "done"))
      yield* expectEqual("the answer", yield* asker.call(Ask, anything), "done")
      yield* expectEqual("the forwarded payload", yield* Queue.take(received), anything)
    })),

  behaviour(
    "forwards an acknowledgement that is only carried as it came, also when it carries nothing",
    (harness) =>
      Effect.gen(function*() {
        const { asker, host } = yield* relay(harness)
        yield* expectReason("a call of what nobody handles", "UnsupportedByPeer", asker.call(Ask, {}))
        yield* host.handle(Order, (payload) =>
          payload === "fail"
            ? Effect.fail(SmcpError.make(new WireError.BlobNotAccessible({ reason: "gone" })))
            : Effect.succeed(anything))
        yield* expectEqual("the forwarded value", yield* asker.call(Ask, "succeed"), anything)
        const reason = yield* expectReason("the call", "BlobNotAccessible", asker.call(Ask, "fail"))
        yield* expectEqual("the forwarded reason", reason.reason, "gone")
      })
  )
]

/** A client whose answer to `"first"` waits for the gate; anything else it answers with itself. */
const holdFirst = Effect.fnUntraced(function*(harness: Harness) {
  const { client, connection } = yield* meet(harness, yield* serve(harness))
  const started = yield* Deferred.make<void>()
  const gate = yield* Deferred.make<void>()
  yield* client.handle(Order, (payload) =>
    payload === "first"
      ? Effect.as(Effect.andThen(Deferred.succeed(started, undefined), Deferred.await(gate)), "first")
      : Effect.succeed(payload))
  return { connection, gate, started }
})

/** The next call gets its own answer. */
const expectAnswered = Effect.fnUntraced(function*(connection: Connection) {
  const reply = yield* connection.call(Order.name, { value: "next" }, LONG)
  yield* expectEqual("the next answer", reply.args, ["next"])
})

/** Two clients of a server that hands what the one asks to the other, and the answer back. */
const relay = Effect.fnUntraced(function*(harness: Harness) {
  const target = yield* Deferred.make<Connection>()
  const office = yield* serve(harness, {
    receive: (_, __, payload) =>
      Effect.flatMap(Deferred.await(target), (host) => Effect.orDie(host.call(Order.name, payload, LONG)))
  })
  const host = yield* meet(harness, office)
  yield* Deferred.succeed(target, host.connection)
  const asker = yield* meet(harness, office)
  return { asker: asker.client, host: host.client }
})
