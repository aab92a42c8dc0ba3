import { assert, describe, it } from "@effect/vitest"
import {
  Array,
  Deferred,
  Duration,
  Effect,
  Exit,
  Fiber,
  Layer,
  Metric,
  Queue,
  References,
  Schema,
  Scope,
  Stream
} from "effect"
import { TestClock } from "effect/testing"
import * as NotifyEvent from "../../src/protocol/NotifyEvent.ts"
import * as Revision from "../../src/protocol/Revision.ts"
import * as ServerEvent from "../../src/protocol/ServerEvent.ts"
import type { SmcpError } from "../../src/protocol/SmcpError.ts"
import * as TransportCompliance from "../../src/testing/TransportCompliance.ts"
import * as MemoryTransport from "../../src/transport/MemoryTransport.ts"
import type { Connection, Handlers, Handshake } from "../../src/transport/ServerTransport.ts"
import { ServerTransport } from "../../src/transport/ServerTransport.ts"
import { Transport } from "../../src/transport/Transport.ts"
import { transportCompliance } from "../support/transportCompliance.ts"

const complianceHarness = Effect.gen(function*() {
  const hub = yield* MemoryTransport.makeHub({ reconnectDelay: "10 millis" })
  return {
    server: yield* MemoryTransport.makeServer(hub),
    connect: (options?: TransportCompliance.ConnectOptions) => MemoryTransport.connect(hub, options)
  }
})

transportCompliance("MemoryTransport", complianceHarness)

const Ask = ServerEvent.make("server:ask", {
  payload: Schema.Unknown,
  success: Schema.Unknown,
  ack: "value",
  senders: ["agent"]
})

/** A hub whose server notes what it sees and echoes what it is asked. */
const makeOffice = Effect.fnUntraced(function*(
  options?: MemoryTransport.HubOptions,
  script?: Partial<Handlers>
) {
  const hub = yield* MemoryTransport.makeHub(options)
  const server = yield* MemoryTransport.makeServer(hub)
  const seen: Array<unknown> = []
  const gone: Array<readonly [sid: string, reason: string]> = []
  const connections = yield* Queue.unbounded<Connection>()
  yield* server.serve({
    authenticate: () => Effect.void,
    connected: (connection) => Queue.offer(connections, connection),
    receive: (_, __, { value }) =>
      Effect.sync(() => {
        seen.push(value)
        return { args: [value] }
      }),
    disconnected: (connection, reason) => Effect.sync(() => void gone.push([connection.sid, reason])),
    ...script
  })
  const meet = (connectOptions?: MemoryTransport.ConnectOptions) =>
    Effect.all({ client: MemoryTransport.connect(hub, connectOptions), connection: Queue.take(connections) })
  return { hub, server, seen, gone, meet }
})

const reasonOf = <A, R>(effect: Effect.Effect<A, SmcpError, R>) =>
  Effect.map(Effect.flip(effect), ({ reason }) => reason)

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.forkChild(effect, { startImmediately: true })

const notificationsOf = Effect.fnUntraced(function*(client: Transport["Service"]) {
  const seen: Array<string> = []
  const note = ({ payload }: NotifyEvent.Notification) =>
    Effect.sync(() => void seen.push("computer" in payload ? String(payload.computer) : "?"))
  yield* Effect.forkScoped(Stream.runForEach(client.notifications, note), { startImmediately: true })
  return seen
})

describe("MemoryTransport", () => {
  describe("delay", () => {
    it.effect("holds each packet back for as long as its delay says", () =>
      Effect.gen(function*() {
        const { hub, meet, seen } = yield* makeOffice()
        const { client } = yield* meet()
        yield* hub.setFaults({ delay: ({ kind }) => kind === "event" ? "2 seconds" : "3 seconds" })
        const call = yield* fork(client.call(Ask, "hello"))
        yield* TestClock.adjust("1999 millis")
        assert.deepStrictEqual(seen, [])
        yield* TestClock.adjust("1 millis")
        assert.deepStrictEqual(seen, ["hello"])
        yield* TestClock.adjust("2999 millis")
        assert.isUndefined(call.pollUnsafe())
        yield* TestClock.adjust("1 millis")
        assert.strictEqual(yield* Fiber.join(call), "hello")
      }))

    it.effect("lets packets travel at the same time, and still in order", () =>
      Effect.gen(function*() {
        const { hub, meet, seen } = yield* makeOffice()
        const { client } = yield* meet()
        const delays = ["5 seconds", "1 second", "5 seconds"] as const
        let sent = 0
        yield* hub.setFaults({ delay: () => delays[sent++] ?? Duration.zero })
        for (const payload of [1, 2, 3, 4]) yield* client.send(Ask, payload)
        yield* TestClock.adjust("4999 millis")
        assert.deepStrictEqual(seen, [])
        yield* TestClock.adjust("1 millis")
        assert.deepStrictEqual(seen, [1, 2, 3, 4])
      }))

    it.effect("is told where each packet goes", () =>
      Effect.gen(function*() {
        const { hub, meet } = yield* makeOffice()
        const { client, connection } = yield* meet()
        const packets: Array<MemoryTransport.PacketInfo> = []
        yield* hub.setFaults({
          delay: (packet) => {
            packets.push(packet)
            return Duration.zero
          }
        })
        yield* client.call(Ask, {})
        yield* connection.notify(NotifyEvent.UpdateConfig, { computer: "c" })
        const { sid } = connection
        assert.deepStrictEqual(packets, [
          { sid, direction: "to-server", kind: "event", event: "server:ask" },
          { sid, direction: "to-client", kind: "ack", event: "server:ask" },
          { sid, direction: "to-client", kind: "event", event: "notify:update_config" }
        ])
      }))

    it.effect("makes a call miss its deadline, and the late answer is nobody's", () =>
      Effect.gen(function*() {
        const { hub, meet } = yield* makeOffice()
        const { client } = yield* meet()
        yield* hub.setFaults({ delay: ({ direction }) => direction === "to-client" ? "31 seconds" : Duration.zero })
        const call = yield* fork(reasonOf(client.call(Ask, {})))
        yield* TestClock.adjust("30 seconds")
        const reason = yield* Fiber.join(call)
        assert.strictEqual(reason._tag, "CallTimeout")
        yield* hub.setFaults(MemoryTransport.noFaults)
        const next = yield* fork(client.call(Ask, "next"))
        yield* TestClock.adjust("2 seconds")
        assert.strictEqual(yield* Fiber.join(next), "next")
      }))

    const delays = Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 50 })))

    it.effect.prop(
      "never changes the order of one direction, whatever it is",
      [delays, delays],
      ([there, back]) =>
        Effect.gen(function*() {
          const { hub, meet, seen } = yield* makeOffice()
          const { client, connection } = yield* meet()
          const notified = yield* notificationsOf(client)
          const rest = { "to-server": [...there], "to-client": [...back] }
          yield* hub.setFaults({ delay: ({ direction }) => Duration.millis(rest[direction].shift() ?? 0) })
          const numbers = Array.range(1, 15)
          for (const number of numbers) {
            yield* client.send(Ask, number)
            yield* connection.notify(NotifyEvent.UpdateConfig, { computer: String(number) })
          }
          yield* TestClock.adjust("1 second")
          assert.deepStrictEqual(seen, numbers)
          assert.deepStrictEqual(notified, numbers.map(String))
        }).pipe(Effect.scoped)
    )
  })

  describe("reorder", () => {
    it.effect("lets packets of one direction overtake each other", () =>
      Effect.gen(function*() {
        const { hub, meet, seen } = yield* makeOffice()
        const { client, connection } = yield* meet()
        const notified = yield* notificationsOf(client)
        let sent = 0
        yield* hub.setFaults({
          delay: () => Duration.millis(100 - sent++),
          reorder: ({ direction }) => direction === "to-server"
        })
        for (const payload of [1, 2, 3]) {
          yield* client.send(Ask, payload)
          yield* connection.notify(NotifyEvent.UpdateConfig, { computer: String(payload) })
        }
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(seen, [3, 2, 1])
        assert.deepStrictEqual(notified, ["1", "2", "3"])
      }))

    it.effect("still gives every call its own answer", () =>
      Effect.gen(function*() {
        const { hub, meet } = yield* makeOffice()
        const { client } = yield* meet()
        let sent = 0
        yield* hub.setFaults({ delay: () => Duration.millis((++sent * 37) % 100), reorder: () => true })
        const calls = yield* fork(
          Effect.forEach(Array.range(1, 50), (n) => client.call(Ask, n), { concurrency: "unbounded" })
        )
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(yield* Fiber.join(calls), Array.range(1, 50))
      }))
  })

  describe("drop", () => {
    it.effect("makes one direction of one peer a black hole, and only that", () =>
      Effect.gen(function*() {
        const { hub, meet, seen } = yield* makeOffice()
        const deaf = yield* meet()
        const well = yield* meet()
        const notified = yield* notificationsOf(deaf.client)
        yield* hub.setFaults({
          drop: ({ direction, sid }) => direction === "to-client" && sid === deaf.connection.sid
        })
        const call = yield* fork(reasonOf(deaf.client.call(Ask, "into the void", { timeout: "5 seconds" })))
        yield* deaf.connection.notify(NotifyEvent.UpdateConfig, { computer: "lost" })
        assert.strictEqual(yield* well.client.call(Ask, "fine"), "fine")
        yield* TestClock.adjust("5 seconds")
        assert.strictEqual((yield* Fiber.join(call))._tag, "CallTimeout")
        assert.deepStrictEqual(seen, ["into the void", "fine"])
        yield* hub.setFaults({ drop: () => false })
        assert.strictEqual(yield* deaf.client.call(Ask, "again"), "again")
        assert.deepStrictEqual(notified, [])
      }))

    it.effect("does not keep the end of a scope from being seen", () =>
      Effect.gen(function*() {
        const { gone, hub, meet } = yield* makeOffice()
        yield* hub.setFaults({ drop: () => true })
        yield* Effect.scoped(meet())
        yield* hub.settled
        assert.deepStrictEqual(gone, [["memory-1", "client namespace disconnect"]])
      }))
  })

  describe("refuseConnections", () => {
    it.effect("makes connecting fail at once, and leaves connections alone that stand", () =>
      Effect.gen(function*() {
        const { hub, meet } = yield* makeOffice()
        const { client } = yield* meet()
        yield* hub.setFaults({ refuseConnections: true })
        const reason = yield* Effect.scoped(reasonOf(MemoryTransport.connect(hub)))
        assert.strictEqual(reason._tag, "NotConnected")
        assert.strictEqual(yield* client.call(Ask, 1), 1)
      }))

    it.effect("keeps a lost client seeking, one attempt after each delay", () =>
      Effect.gen(function*() {
        const { hub, meet } = yield* makeOffice({ reconnectDelay: "3 seconds" })
        const { client, connection } = yield* meet()
        yield* hub.setFaults({ refuseConnections: true })
        yield* hub.disconnect(connection.sid, "ping timeout")
        assert.deepStrictEqual(yield* client.state, { _tag: "Disconnected", reason: "ping timeout" })
        for (const attempt of [1, 2, 3]) {
          yield* TestClock.adjust("3 seconds")
          assert.deepStrictEqual(yield* client.state, { _tag: "Connecting", attempt })
        }
        yield* hub.setFaults({ refuseConnections: false })
        yield* TestClock.adjust("3 seconds")
        assert.deepStrictEqual(yield* client.state, { _tag: "Connected", sid: "memory-2" })
        assert.strictEqual(yield* client.call(Ask, "back"), "back")
      }))

    it.effect("is how a hub without a server answers too, until there is one again", () =>
      Effect.gen(function*() {
        const hub = yield* MemoryTransport.makeHub()
        assert.strictEqual((yield* Effect.scoped(reasonOf(MemoryTransport.connect(hub))))._tag, "NotConnected")
        const server = yield* MemoryTransport.makeServer(hub)
        const handlers: Handlers = {
          authenticate: () => Effect.void,
          connected: () => Effect.void,
          receive: () => Effect.succeed({ args: [] }),
          disconnected: () => Effect.void
        }
        const first = yield* Scope.make()
        yield* Scope.provide(server.serve(handlers), first)
        const client = yield* MemoryTransport.connect(hub)
        yield* Scope.close(first, Exit.void)
        yield* hub.settled
        assert.strictEqual((yield* client.state)._tag, "Disconnected")
        yield* server.serve(handlers)
        yield* TestClock.adjust("1 second")
        assert.strictEqual((yield* client.state)._tag, "Connected")
      }))
  })

  describe("disconnect", () => {
    it.effect("ends a connection on both sides at once, with everything under way in it", () =>
      Effect.gen(function*() {
        const { gone, hub, meet, seen } = yield* makeOffice()
        const { client, connection } = yield* meet()
        yield* hub.setFaults({ delay: () => "1 second" })
        const call = yield* fork(reasonOf(client.call(Ask, "lost on the way")))
        const asked = yield* fork(Effect.flip(connection.call("client:x", { value: {} }, 60_000)))
        yield* hub.disconnect(connection.sid)
        assert.deepInclude(yield* Fiber.join(call), { _tag: "ConnectionLost", outcome: "unknown" })
        assert.strictEqual(yield* Fiber.join(asked), "disconnected")
        assert.deepStrictEqual(yield* client.state, { _tag: "Disconnected", reason: "transport close" })
        assert.strictEqual((yield* reasonOf(client.call(Ask, "offline")))._tag, "NotConnected")
        assert.deepStrictEqual(gone, [[connection.sid, "transport close"]])
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual(seen, [])
      }))

    it.effect("knows which connections there are, and does nothing to others", () =>
      Effect.gen(function*() {
        const { hub, meet } = yield* makeOffice()
        yield* meet()
        yield* meet()
        yield* hub.disconnect("nobody")
        assert.deepStrictEqual(yield* hub.connections, ["memory-1", "memory-2"])
        yield* hub.disconnect("memory-1")
        yield* hub.disconnect("memory-1")
        assert.deepStrictEqual(yield* hub.connections, ["memory-2"])
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(yield* hub.connections, ["memory-2", "memory-3"])
      }))
  })

  describe("settled", () => {
    it.effect("waits for packets on their way and for handlers at work", () =>
      Effect.gen(function*() {
        const gate = yield* Deferred.make<void>()
        const { hub, meet } = yield* makeOffice({}, {
          receive: () => Effect.as(Deferred.await(gate), { args: [] })
        })
        const { client } = yield* meet()
        yield* hub.settled
        yield* hub.setFaults({ delay: () => "1 second" })
        yield* client.send(Ask, {})
        const waiting = yield* fork(hub.settled)
        yield* TestClock.adjust("999 millis")
        assert.isUndefined(waiting.pollUnsafe())
        yield* TestClock.adjust("1 minute")
        assert.isUndefined(waiting.pollUnsafe())
        yield* Deferred.succeed(gate, undefined)
        yield* Fiber.join(waiting)
      }))

    it.effect("waits for a disconnect that is being handled", () =>
      Effect.gen(function*() {
        const gate = yield* Deferred.make<void>()
        const { hub, meet } = yield* makeOffice({}, { disconnected: () => Deferred.await(gate) })
        const { connection } = yield* meet()
        yield* hub.disconnect(connection.sid)
        const waiting = yield* fork(hub.settled)
        yield* TestClock.adjust("1 millis")
        assert.isUndefined(waiting.pollUnsafe())
        yield* Deferred.succeed(gate, undefined)
        yield* Fiber.join(waiting)
      }))
  })

  it.effect("passes on what the options say at the handshake", () =>
    Effect.gen(function*() {
      const handshakes: Array<Handshake> = []
      const revision = Revision.revisions["0.5"]
      const { meet } = yield* makeOffice({ revisions: [revision] }, {
        authenticate: (handshake) => Effect.sync(() => void handshakes.push(handshake))
      })
      const { client } = yield* meet({
        revision,
        version: "0.5.7",
        headers: { "X-Api-Key": "k" },
        query: { tenant: "t" },
        auth: Effect.succeed({ token: "t", absent: undefined })
      })
      assert.strictEqual(client.revision.id, "0.5")
      assert.deepStrictEqual(handshakes, [{
        headers: { "x-api-key": "k" },
        query: { tenant: "t", a2c_version: "0.5.7" },
        auth: { token: "t" },
        address: "memory",
        version: "0.5.7"
      }])
    }))

  it.effect("lets nobody change what another peer received", () =>
    Effect.gen(function*() {
      const payloads: Array<{ list: Array<number> }> = []
      const { meet } = yield* makeOffice({}, {
        receive: (_, __, { value }) =>
          Effect.sync(() => {
            payloads.push(value as { list: Array<number> })
            return { args: [value] }
          })
      })
      const { client } = yield* meet()
      const own = { list: [1] }
      const answer = (yield* client.call(Ask, own)) as { list: Array<number> }
      answer.list.push(3)
      own.list.push(2)
      assert.deepStrictEqual(payloads, [{ list: [1] }])
    }))

  it.effect("provides both services as layers", () =>
    Effect.gen(function*() {
      const hub = yield* MemoryTransport.makeHub()
      const echo = Layer.effectDiscard(Effect.flatMap(ServerTransport, (server) =>
        server.serve({
          authenticate: () => Effect.void,
          connected: () => Effect.void,
          receive: (_, __, { value }) => Effect.succeed({ args: [value] }),
          disconnected: () => Effect.void
        })))
      const office = MemoryTransport.layerClient(hub).pipe(
        Layer.provideMerge(echo),
        Layer.provide(MemoryTransport.layerServer(hub))
      )
      const answer = yield* Transport.use((client) => client.call(Ask, "hi")).pipe(Effect.provide(office))
      assert.strictEqual(answer, "hi")
      assert.deepStrictEqual(yield* hub.connections, [])
    }))
})

// -----------------------------------------------------------------------------
// Leaks
// -----------------------------------------------------------------------------

/** Runs a program in a scope of its own and tells how many of its fibers outlive it. */
const fibersLeft = Effect.fnUntraced(function*<E>(program: Effect.Effect<unknown, E, Scope.Scope>) {
  let alive = 0
  let started = 0
  const counting: Metric.FiberRuntimeMetricsService = {
    recordFiberStart: () => {
      alive++
      started++
    },
    recordFiberEnd: () => {
      alive--
    }
  }
  yield* Effect.forkChild(Effect.scoped(program)).pipe(
    Effect.flatMap(Fiber.join),
    Effect.provideService(Metric.FiberRuntimeMetrics, counting)
  )
  return { alive, started }
})

describe("MemoryTransport leaves no fiber behind", () => {
  for (const { name, run } of TransportCompliance.cases) {
    it.live(`when it ${name}`, () =>
      Effect.gen(function*() {
        const { alive, started } = yield* fibersLeft(Effect.flatMap(complianceHarness, run))
        assert.isAbove(started, 1)
        assert.strictEqual(alive, 0)
      }).pipe(Effect.provideService(References.MinimumLogLevel, "None")))
  }

  it.live("when packets are still on their way, calls are waiting and a client is seeking its server", () =>
    Effect.gen(function*() {
      const { alive } = yield* fibersLeft(Effect.gen(function*() {
        const { hub, meet } = yield* makeOffice({ reconnectDelay: "1 hour" }, { receive: () => Effect.never })
        const waiting = yield* meet()
        yield* fork(Effect.exit(waiting.client.call(Ask, {})))
        yield* hub.settled.pipe(Effect.forkScoped({ startImmediately: true }))
        yield* hub.setFaults({ delay: () => "1 hour" })
        for (const reorder of [true, false]) {
          yield* hub.setFaults({ reorder: () => reorder })
          yield* waiting.client.send(Ask, {})
          yield* waiting.connection.notify(NotifyEvent.UpdateConfig, { computer: "c" })
          yield* fork(Effect.exit(waiting.connection.call("client:x", { value: {} }, 3_600_000)))
        }
        const lost = yield* meet()
        yield* hub.disconnect(lost.connection.sid)
      }))
      assert.strictEqual(alive, 0)
    }))

  it.live("when authentication is still at work", () =>
    Effect.gen(function*() {
      const { alive } = yield* fibersLeft(Effect.gen(function*() {
        const asked = yield* Deferred.make<void>()
        const { hub } = yield* makeOffice({}, {
          authenticate: () => Effect.andThen(Deferred.succeed(asked, undefined), Effect.never)
        })
        yield* Effect.forkScoped(MemoryTransport.connect(hub))
        yield* Deferred.await(asked)
      }))
      assert.strictEqual(alive, 0)
    }))

  it.live("when the connecting client is interrupted during authentication", () =>
    Effect.gen(function*() {
      const { alive } = yield* fibersLeft(Effect.gen(function*() {
        const asked = yield* Deferred.make<void>()
        const { hub } = yield* makeOffice({}, {
          authenticate: () => Effect.andThen(Deferred.succeed(asked, undefined), Effect.never)
        })
        const connecting = yield* Effect.forkChild(Effect.scoped(MemoryTransport.connect(hub)))
        yield* Deferred.await(asked)
        yield* Fiber.interrupt(connecting)
        yield* hub.settled
      }))
      assert.strictEqual(alive, 0)
    }))
})
