import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Http from "node:http"
import { type AddressInfo, Socket } from "node:net"
import * as ClientEvent from "../../src/protocol/ClientEvent.ts"
import * as Revision from "../../src/protocol/Revision.ts"
import * as ServerEvent from "../../src/protocol/ServerEvent.ts"
import * as SocketIoServerTransport from "../../src/transport/SocketIoServerTransport.ts"
import * as SocketIoTransport from "../../src/transport/SocketIoTransport.ts"
import type { ConnectionState } from "../../src/transport/Transport.ts"
import * as FaultProxy from "../faults/support/FaultProxy.ts"
import { listening } from "../support/httpServer.ts"
import { layerOpenServer, serverUrl } from "../support/socketIoServer.ts"
import { transportCompliance } from "../support/transportCompliance.ts"

transportCompliance(
  "SocketIoTransport",
  Effect.gen(function*() {
    const { server, url } = yield* listening
    return {
      server: yield* SocketIoServerTransport.make({ server }),
      connect: (options) =>
        SocketIoTransport.make({
          url,
          credentials: options?.auth,
          ...(options?.version === undefined
            ? {}
            : { revision: { ...Revision.defaultRevision, version: options.version } })
        })
    }
  })
)

const accepting = {
  authenticate: () => Effect.void,
  connected: () => Effect.void,
  disconnected: () => Effect.void
}

const request = (params: Readonly<Record<string, unknown>>) => ({
  agent: "A",
  req_id: "1",
  computer: "C",
  tool_name: "t",
  params,
  timeout: 5
})

describe("SocketIoTransport", () => {
  it.live("announces the version of the chosen revision and keeps the address's own query", () =>
    Effect.gen(function*() {
      const { server, url } = yield* listening
      const revision = Revision.revisions["0.5"]
      const transport = yield* SocketIoServerTransport.make({ server, revisions: [revision] })
      const handshakes: Array<unknown> = []
      yield* transport.serve({
        ...accepting,
        authenticate: ({ query, version }) => Effect.sync(() => void handshakes.push([version, query["tenant"]])),
        receive: () => Effect.succeed({ args: [] })
      })
      yield* SocketIoTransport.make({ url: `${url}/?tenant=blue&a2c_version=9.9.9`, revision })
      assert.deepStrictEqual(handshakes, [["0.5.0", "blue"]])
    }))

  it.live("goes to the path it is told, in the options or in the address", () =>
    Effect.gen(function*() {
      const { server, url } = yield* listening
      const transport = yield* SocketIoServerTransport.make({ server, path: "/deep/io" })
      yield* transport.serve({ ...accepting, receive: () => Effect.succeed({ args: [] }) })
      yield* SocketIoTransport.make({ url, path: "/deep/io" })
      yield* SocketIoTransport.make({ url: `${url}/deep/io` })
      const { reason } = yield* Effect.flip(SocketIoTransport.make({ url }))
      assert.strictEqual(reason._tag, "NotConnected")
    }))

  it.live("knows a payload over the Server's limit before it is sent, and stays connected", () =>
    Effect.gen(function*() {
      const { server, url } = yield* listening
      const transport = yield* SocketIoServerTransport.make({ server, maxPayload: 10_000 })
      yield* transport.serve({ ...accepting, receive: () => Effect.succeed({ args: [{ content: [] }] }) })
      const client = yield* SocketIoTransport.make({ url })
      const { reason } = yield* Effect.flip(client.call(ClientEvent.ToolCall, request({ text: "é".repeat(5_000) })))
      assert.strictEqual(reason._tag, "PayloadTooLarge")
      assert.isTrue(reason._tag === "PayloadTooLarge" && reason.size > 10_000 && reason.limit === 10_000)
      assert.deepStrictEqual(yield* client.call(ClientEvent.ToolCall, request({ text: "é".repeat(4_500) })), {
        content: []
      })
    }))

  it.live("answers with an error when the answer has no JSON form", () =>
    Effect.gen(function*() {
      const { server, url } = yield* listening
      const transport = yield* SocketIoServerTransport.make({ server })
      yield* transport.serve({
        ...accepting,
        receive: (connection, event, payload) =>
          Effect.map(Effect.orDie(connection.call(event, payload, 2000)), ({ args }) => ({ args: [{ args }] }))
      })
      const client = yield* SocketIoTransport.make({ url })
      yield* client.handle(ClientEvent.ToolCall, () => Effect.succeed({ content: [{ value: 1n }] }))
      const answer = yield* client.call(ClientEvent.ToolCall, request({}))
      assert.deepStrictEqual(answer["args"], [{ code: 500, message: "The answer is not JSON" }])
    }))

  it.live("refuses to send what has no JSON form", () =>
    Effect.gen(function*() {
      const { server, url } = yield* listening
      const transport = yield* SocketIoServerTransport.make({ server })
      yield* transport.serve({ ...accepting, receive: () => Effect.succeed({ args: [] }) })
      const client = yield* SocketIoTransport.make({ url })
      const { reason } = yield* Effect.flip(client.call(ClientEvent.ToolCall, request({ big: 1n })))
      assert.strictEqual(reason._tag, "BadRequest")
    }))

  it.live("comes back after the network went, with nothing of the time in between sent later", () =>
    Effect.gen(function*() {
      const { server, url } = yield* listening
      const sockets = new Set<Socket>()
      server.on("connection", (socket) => sockets.add(socket))
      const heard: Array<string> = []
      const arrived = yield* Deferred.make<void>()
      const transport = yield* SocketIoServerTransport.make({ server })
      yield* transport.serve({
        ...accepting,
        receive: (_connection, event) =>
          Effect.sync(() => heard.push(event)).pipe(
            Effect.andThen(Deferred.succeed(arrived, undefined)),
            Effect.andThen(Effect.never)
          )
      })
      const client = yield* SocketIoTransport.make({ url })
      const lost = yield* Deferred.make<void>()
      const back = yield* client.changes.pipe(
        Stream.drop(1),
        Stream.tap((state) => state._tag === "Disconnected" ? Deferred.succeed(lost, undefined) : Effect.void),
        Stream.takeUntil((state) => state._tag === "Connected"),
        Stream.runCollect,
        Effect.forkChild({ startImmediately: true })
      )
      const inFlight = yield* Effect.forkChild(Effect.flip(client.call(ClientEvent.ToolCall, request({}))), {
        startImmediately: true
      })
      yield* Deferred.await(arrived)
      for (const socket of sockets) socket.destroy()
      const { reason } = yield* Fiber.join(inFlight)
      assert.strictEqual(reason._tag === "ConnectionLost" ? reason.outcome : reason._tag, "unknown")
      yield* Deferred.await(lost)
      const offline = yield* Effect.flip(client.call(ClientEvent.ToolCall, request({})))
      assert.strictEqual(offline.reason._tag, "NotConnected")
      const update = yield* Effect.flip(client.send(ServerEvent.UpdateConfig, { computer: "C" }))
      assert.strictEqual(update.reason._tag, "NotConnected")
      const states = (yield* Fiber.join(back)).map(({ _tag }) => _tag)
      assert.deepStrictEqual([states[0], states.at(-1)], ["Disconnected", "Connected"])
      assert.deepStrictEqual(heard, ["client:tool_call"])
    }))

  it.live("gives up on a Server that accepts and never answers", () =>
    Effect.gen(function*() {
      const { server, url } = yield* listening
      server.removeAllListeners("request")
      const { reason } = yield* Effect.flip(SocketIoTransport.make({ url, connectTimeout: "200 millis" }))
      assert.strictEqual(reason._tag, "NotConnected")
      assert.include(reason.message, "within 0.2 s")
    }))

  it.live("leaves no socket open when its scope closes, also in the middle of connecting", () =>
    Effect.gen(function*() {
      const sockets = new Set<Socket>()
      const server = Http.createServer()
      server.on("connection", (socket) => sockets.add(socket))
      yield* Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void)))
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
      const hanging = yield* Effect.forkChild(Effect.scoped(SocketIoTransport.make({ url })), {
        startImmediately: true
      })
      yield* Effect.callback<void>((resume) => void server.once("request", () => resume(Effect.void)))
      yield* Fiber.interrupt(hanging)
      const transport = yield* SocketIoServerTransport.make({ server })
      const serving = yield* Scope.make()
      yield* Scope.provide(
        transport.serve({ ...accepting, receive: () => Effect.succeed({ args: [] }) }),
        serving
      )
      const scope = yield* Scope.make()
      yield* Scope.provide(SocketIoTransport.make({ url }), scope)
      yield* Scope.close(scope, Exit.void)
      yield* Scope.close(serving, Exit.void)
      // Resolves only when every connection has ended by itself.
      server.closeIdleConnections()
      yield* Effect.callback<void>((resume) => void server.close(() => resume(Effect.void)))
      assert.isAbove(sockets.size, 1)
      assert.deepStrictEqual([...sockets].filter((socket) => !socket.destroyed), [])
    }))

  it.live("cuts a connection that missed its heartbeats, and one that is dead when its scope closes", () =>
    Effect.gen(function*() {
      const proxy = yield* FaultProxy.start(Number(new URL(yield* serverUrl).port))
      const scope = yield* Scope.make()
      const { changes } = yield* Scope.provide(SocketIoTransport.make({ url: proxy.url }), scope)
      const next = (tag: ConnectionState["_tag"]) =>
        Stream.runHead(Stream.filter(changes, ({ _tag }) => _tag === tag)).pipe(Effect.timeout("20 seconds"))
      // by then it has become a WebSocket; a polling connection has to be cut all the same
      yield* Effect.sleep("300 millis")
      const first = socketsTo(proxy.port)
      yield* proxy.flowOfOpen("swallow")
      yield* next("Disconnected")
      yield* next("Connected")
      yield* Effect.sleep("300 millis")
      yield* proxy.flowOfOpen("swallow")
      assert.isAtLeast(first.length, 1)
      assert.deepStrictEqual(first.filter(({ closed }) => !closed), [])
      yield* Scope.close(scope, Exit.void)
      yield* Effect.promise(() => new Promise(setImmediate))
      assert.deepStrictEqual(socketsTo(proxy.port), [])
    }).pipe(Effect.provide(layerOpenServer({ pingInterval: 300, pingTimeout: 700 }))))
})

/** The connections of this process to a port. */
const socketsTo = (port: number): ReadonlyArray<Socket> => {
  const { _getActiveHandles } = process as unknown as { readonly _getActiveHandles: () => ReadonlyArray<unknown> }
  return _getActiveHandles.call(process).filter((handle) => handle instanceof Socket && handle.remotePort === port)
    .map((handle) => handle as Socket)
}
