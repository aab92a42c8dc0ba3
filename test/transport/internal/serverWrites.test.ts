import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as References from "effect/References"
import { io, type Socket } from "socket.io-client"
import * as NotifyEvent from "../../../src/protocol/NotifyEvent.ts"
import type { Handlers } from "../../../src/transport/ServerTransport.ts"
import * as SocketIoServerTransport from "../../../src/transport/SocketIoServerTransport.ts"
import { listening } from "../../support/httpServer.ts"
import { emitAll } from "../../support/socketIoServer.ts"

const handlers: Handlers = {
  authenticate: () => Effect.void,
  connected: () => Effect.void,
  disconnected: () => Effect.void,
  receive: (_connection, _event, payload) => Effect.succeed({ args: [payload.value] })
}

/** A peer of a transport that serves these handlers. */
const serveTo = Effect.fnUntraced(function*(
  transports: ReadonlyArray<string>,
  overrides: Partial<Handlers> = {},
  options: Partial<SocketIoServerTransport.Options> = {}
) {
  const { server, url } = yield* listening
  const transport = yield* SocketIoServerTransport.make({ server, ...options })
  yield* transport.serve({ ...handlers, ...overrides })
  const peer = yield* Effect.acquireRelease(
    Effect.sync(() =>
      io(`${url}/smcp`, {
        forceNew: true,
        reconnection: false,
        transports: [...transports],
        query: { a2c_version: "0.4.0" }
      })
    ),
    (peer) => Effect.sync(() => peer.disconnect())
  )
  yield* Effect.callback<void>((resume) => void peer.once("connect", () => resume(Effect.void)))
  return peer
})

interface ClientTransport {
  readonly ws?: { readonly pause: () => void }
  doPoll?: () => void
}

/** The peer takes nothing more, and goes on sending. */
const stopReading = (peer: Socket) => {
  const transport = peer.io.engine.transport as unknown as ClientTransport
  transport.ws?.pause()
  transport.doPoll = () => {}
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index)

describe("what a Server writes to a peer", () => {
  it.live("arrives whole, whatever the length of its frame", () =>
    Effect.gen(function*() {
      const peer = yield* serveTo(["websocket"])
      for (const length of [...range(90, 130), ...range(65_500, 65_540), 200_000]) {
        for (const text of ["x".repeat(length), "é".repeat(length >> 1), "x" + "😀".repeat(length >> 2)]) {
          assert.deepStrictEqual(yield* emitAll(peer, "echo", text), [text])
        }
      }
    }))

  for (const transports of [["websocket"], ["polling"], ["polling", "websocket"]]) {
    it.live(`keeps its order within a tick over ${transports.join(" and ")}`, () =>
      Effect.gen(function*() {
        const peer = yield* serveTo(transports, {
          receive: (connection) =>
            Effect.as(
              Effect.forEach(
                range(0, 50),
                (index) => connection.notify(NotifyEvent.ToolCallCancel, { agent: "A", req_id: String(index) })
              ),
              { args: ["done"] }
            )
        })
        const heard: Array<string> = []
        peer.on("notify:tool_call_cancel", ({ req_id }: { readonly req_id: string }) => heard.push(req_id))
        for (let round = 0; round < 20; round++) {
          heard.length = 0
          assert.deepStrictEqual(yield* emitAll(peer, "go"), ["done"])
          assert.deepStrictEqual(heard, range(0, 50).map(String))
        }
      }))
  }

  it.live("lets the last answer out before a connection is closed", () =>
    Effect.gen(function*() {
      const peer = yield* serveTo(["websocket"], {
        receive: (connection) => Effect.as(Effect.forkDetach(connection.close), { args: ["last words"] })
      })
      assert.deepStrictEqual(yield* emitAll(peer, "go"), ["last words"])
    }))

  for (const transports of [["websocket"], ["polling"]]) {
    it.live(
      `is no more than the limit while the peer does not read, over ${transports.join("")}`,
      () =>
        Effect.gen(function*() {
          const ended = yield* Deferred.make<string>()
          const peer = yield* serveTo(transports, {
            disconnected: (_connection, reason) => Effect.asVoid(Deferred.succeed(ended, reason)),
            receive: (connection) =>
              Effect.as(
                connection.notify(NotifyEvent.ToolCallCancel, { agent: "A", req_id: "x".repeat(100_000) }),
                { args: ["done"] }
              )
          }, { maxBacklog: 1_000_000 })
          // more than the limit, but read
          for (let round = 0; round < 20; round++) yield* emitAll(peer, "more", {})
          assert.isTrue(peer.connected)
          stopReading(peer)
          // what the system itself takes before it is full counts for nothing
          while (!(yield* Deferred.isDone(ended))) {
            peer.emit("more", {})
            yield* Effect.sleep("1 millis")
          }
          assert.match(yield* Deferred.await(ended), /close/)
        }).pipe(Effect.provideService(References.MinimumLogLevel, "None")),
      10_000
    )
  }
})
