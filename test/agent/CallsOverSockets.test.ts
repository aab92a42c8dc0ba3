import { assert, it, vi } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import type { AddressInfo } from "node:net"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { Server, type ServerOptions, type Socket } from "socket.io"
import { Socket as ClientSocket } from "socket.io-client"
import * as Agent from "../../src/agent/Agent.ts"
import * as ToolOutcome from "../../src/agent/ToolOutcome.ts"
import { eventually } from "../computer/support/processes.ts"
import * as FaultProxy from "../faults/support/FaultProxy.ts"
import { listening } from "../support/httpServer.ts"
import type { Payload } from "./support/playedServer.ts"

type Ack = (...args: ReadonlyArray<unknown>) => void

const result = (text: string) => ({ content: [{ type: "text", text }] })

/** An Agent at a bare Socket.IO server that does with calls what the test says. */
const connected = Effect.fnUntraced(function*(
  onCall: (socket: Socket, payload: Payload, ack: Ack) => void,
  options: Partial<ServerOptions> = {}
) {
  const { server } = yield* listening
  const proxy = yield* FaultProxy.start((server.address() as AddressInfo).port)
  const { url } = proxy
  const io = yield* Effect.acquireRelease(
    Effect.sync(() => new Server(server, options)),
    (io) => Effect.promise(() => io.close())
  )
  const cancelled = new Set<string>()
  const sockets: Array<Socket> = []
  io.of("/smcp").on("connection", (socket) => {
    sockets.push(socket)
    socket.on("server:join_office", (_, ack: Ack) => ack(true, null))
    socket.on("server:leave_office", (_, ack: Ack) => ack(true, null))
    socket.on("server:list_room", ({ req_id }, ack: Ack) => ack({ sessions: [], req_id }))
    socket.on("server:tool_call_cancel", ({ req_id }) => cancelled.add(req_id))
    socket.on("client:tool_call", (payload, ack: Ack) => onCall(socket, payload, ack))
  })
  const connect = vi.spyOn(ClientSocket.prototype, "connect")
  const agent = Context.get(yield* Layer.build(Agent.layer({ url, office: "R", name: "A" })), Agent.Agent)
  const client = connect.mock.contexts[0] as { readonly acks: object }
  connect.mockRestore()
  return { agent, proxy, sockets, cancelled, waitingAcks: () => Object.keys(client.acks).length }
})

const collectGarbage: () => void = (setFlagsFromString("--expose_gc"), runInNewContext("gc"))
const heap = () => (collectGarbage(), process.memoryUsage().heapUsed)
const timers = () => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length

it.live(
  "10,000 calls over a socket that time out leave no acknowledgement waiting, no timer, and no heap",
  () =>
    Effect.gen(function*() {
      let received = 0
      const { agent, cancelled, waitingAcks } = yield* connected(() => void received++)
      const calls = (count: number) =>
        Effect.forEach(
          Array.from({ length: count }),
          () => agent.callTool({ computer: "C", tool: "t", timeout: "1 second" }),
          { concurrency: "unbounded" }
        )
      // What is made once is made before it is measured.
      yield* calls(1000)
      const before = { heap: heap(), timers: timers() }
      const outcomes = yield* calls(10_000)
      assert.deepStrictEqual([...new Set(outcomes.map(({ _tag }) => _tag))], ["TimedOut"])
      while (cancelled.size < 11_000) yield* Effect.sleep("10 millis")
      assert.strictEqual(received, 11_000)
      assert.strictEqual(waitingAcks(), 0)
      assert.isAtMost(timers(), before.timers + 3)
      outcomes.length = 0
      cancelled.clear()
      const growth = heap() - before.heap
      assert.isBelow(growth, 5_000_000, `the heap grew by ${growth} bytes`)
    }),
  60_000
)

it.live("1,000 calls that are interrupted leave no acknowledgement waiting and no timer", () =>
  Effect.gen(function*() {
    let received = 0
    const { agent, cancelled, waitingAcks } = yield* connected(() => void received++)
    const before = timers()
    const calls = yield* Effect.forkChild(
      Effect.forEach(
        Array.from({ length: 1000 }),
        () => agent.callTool({ computer: "C", tool: "t", timeout: "1 hour" }),
        { concurrency: "unbounded" }
      ),
      { startImmediately: true }
    )
    yield* eventually("all calls arrived", () => received === 1000)
    assert.strictEqual(waitingAcks(), 1000)
    yield* Fiber.interrupt(calls)
    assert.strictEqual(waitingAcks(), 0)
    assert.isAtMost(timers(), before + 3)
    yield* eventually("all calls were cancelled", () => cancelled.size === 1000)
  }))

it.live("an acknowledgement of an old session is nobody's, however it comes", () =>
  Effect.gen(function*() {
    const calls = yield* Queue.unbounded<Ack>()
    const { agent, sockets, waitingAcks } = yield* connected((_, __, ack) => Queue.offerUnsafe(calls, ack))
    const callTool = agent.callTool({ computer: "C", tool: "t", timeout: "20 seconds" })
    const lost = yield* Effect.forkChild(Effect.flip(callTool), { startImmediately: true })
    const old = yield* Queue.take(calls)
    const isBack = yield* Deferred.make<void>()
    yield* agent.stateChanges.pipe(
      Stream.filter(({ _tag }) => _tag === "Joined"),
      Stream.drop(1),
      Stream.runForEach(() => Deferred.succeed(isBack, undefined)),
      Effect.forkScoped({ startImmediately: true })
    )
    sockets[0]?.conn.close()
    assert.strictEqual((yield* Fiber.join(lost)).reason._tag, "ConnectionLost")
    yield* Deferred.await(isBack)
    const next = yield* Effect.forkChild(callTool, { startImmediately: true })
    const ack = yield* Queue.take(calls)
    old(result("old"))
    // A Server that mixes up its sessions: acknowledgements of the old one, sent to the new.
    const young = sockets[1] as unknown as { readonly packet: (packet: object) => void }
    for (const id of [0, 1, 2]) young.packet({ type: 3, id, data: [result("forged")] })
    ack(result("new"))
    assert.strictEqual(ToolOutcome.text(yield* Fiber.join(next)), "new")
    assert.strictEqual(waitingAcks(), 0)
  }))

it.live("a call is known never to have been sent when its connection ends before its turn", () =>
  Effect.gen(function*() {
    let received = 0
    // Over polling, what is said while a request is under way waits for its end.
    const { agent, proxy } = yield* connected(() => void received++, { transports: ["polling"] })
    // Nothing but the poll is under way.
    yield* Effect.sleep("100 millis")
    yield* eventually("the last request has ended", () => proxy.open() === 1)
    yield* proxy.flow("hold", ["up"])
    const callTool = Effect.flip(agent.callTool({ computer: "C", tool: "t", timeout: "20 seconds" }))
    const calls = yield* Effect.forEach(
      [0, 1, 2],
      () => Effect.forkChild(callTool, { startImmediately: true })
    )
    // A connection that is on its way to the proxy hears nothing of a cut.
    const cutting = yield* Effect.forkScoped(Effect.forever(Effect.delay(proxy.cut(), "20 millis")))
    const ends = yield* Effect.forEach(calls, Fiber.join)
    assert.deepStrictEqual(
      ends.map(({ reason }) => reason._tag === "ConnectionLost" ? reason.outcome : reason._tag),
      ["unknown", "not-sent", "not-sent"]
    )
    yield* Fiber.interrupt(cutting)
    yield* proxy.flow("pass")
    yield* agent.stateChanges.pipe(
      Stream.filter(({ _tag }) => _tag === "Joined"),
      Stream.take(1),
      Stream.runDrain
    )
    assert.strictEqual(received, 0)
  }))
