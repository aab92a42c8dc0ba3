import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { type AddressInfo, connect, createServer, type Socket } from "node:net"
import * as FaultProxy from "./support/FaultProxy.ts"
import { until } from "./support/waiting.ts"

/** What one end of a connection has seen. */
interface Seen {
  readonly socket: Socket
  text: string
  ended: boolean
  error: string | undefined
}

const watch = (socket: Socket): Seen => {
  const seen: Seen = { socket, text: "", ended: false, error: undefined }
  socket.setEncoding("utf8")
    .on("data", (text) => seen.text += text)
    .on("end", () => seen.ended = true)
    .on("error", (error: NodeJS.ErrnoException) => seen.error = error.code)
  return seen
}

/** A proxy before a server that only listens, and both ends of every connection. */
const setup = Effect.gen(function*() {
  const accepted: Array<Seen> = []
  const target = yield* Effect.acquireRelease(
    Effect.callback<ReturnType<typeof createServer>>((resume) => {
      const server = createServer({ allowHalfOpen: true }, (socket) => accepted.push(watch(socket)))
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        for (const { socket } of accepted) socket.destroy()
      })
  )
  const proxy = yield* FaultProxy.start((target.address() as AddressInfo).port)
  const dial = Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => connect({ port: proxy.port, host: "127.0.0.1", allowHalfOpen: true })),
      (socket) => Effect.sync(() => void socket.destroy())
    ),
    watch
  )
  const pair = Effect.gen(function*() {
    const before = accepted.length
    const client = yield* dial
    yield* until("the connection arrives", () => accepted.length > before)
    return { client, server: accepted[before]! }
  })
  return { accepted, dial, pair, proxy }
})

describe("FaultProxy", () => {
  it.live("passes bytes and ends in both directions", () =>
    Effect.gen(function*() {
      const { pair, proxy } = yield* setup
      const { client, server } = yield* pair
      client.socket.write("question")
      yield* until("it arrives", () => server.text === "question")
      server.socket.end("answer")
      yield* until("the answer and the end arrive", () => client.text === "answer" && client.ended)
      client.socket.end()
      yield* until("the connection is over", () => server.ended && proxy.open() === 0)
      assert.deepStrictEqual([proxy.delivered("up"), proxy.delivered("down")], [8, 6])
    }))

  it.live("delays, and nothing overtakes what is delayed", () =>
    Effect.gen(function*() {
      const { pair, proxy } = yield* setup
      const { client, server } = yield* pair
      yield* proxy.flow({ delayMillis: 200 }, ["up"])
      const start = performance.now()
      client.socket.write("1")
      yield* until("it left the sender", () => client.socket.bytesWritten === 1)
      server.socket.write("not delayed")
      yield* until("the other direction is not delayed", () => client.text !== "")
      yield* proxy.flow("pass", ["up"])
      client.socket.write("2")
      yield* until("both arrive", () => server.text.length === 2)
      assert.strictEqual(server.text, "12")
      assert.isAtLeast(performance.now() - start, 195)
    }))

  it.live("holds one direction without losing a byte, and fills the sender's buffers", () =>
    Effect.gen(function*() {
      const { pair, proxy } = yield* setup
      const { client, server } = yield* pair
      yield* proxy.flow("hold", ["down"])
      const large = "x".repeat(32 * 1024 * 1024)
      server.socket.end(large)
      client.socket.write("still heard")
      yield* until("the other direction flows", () => server.text === "still heard")
      assert.deepStrictEqual([client.text, client.ended], ["", false])
      assert.isAbove(server.socket.writableLength, 1024 * 1024)
      yield* proxy.flow("pass", ["down"])
      yield* until("everything arrives", () => client.ended)
      assert.strictEqual(client.text.length, large.length)
    }))

  it.live("swallows bytes and the end, for ever, while new connections pass", () =>
    Effect.gen(function*() {
      const { pair, proxy } = yield* setup
      const { client, server } = yield* pair
      yield* proxy.flowOfOpen("swallow")
      client.socket.write("lost")
      server.socket.end("lost too")
      const other = yield* pair
      other.client.socket.write("arrives")
      yield* until("a new connection passes", () => other.server.text === "arrives")
      yield* proxy.flowOfOpen("pass")
      client.socket.write("lost as well")
      other.client.socket.write(" again")
      yield* until("the new one still does", () => other.server.text === "arrives again")
      assert.deepStrictEqual([client.text, client.ended, server.text, server.ended], ["", false, "", false])
    }))

  it.live("cuts with a reset, for both sides or for one alone", () =>
    Effect.gen(function*() {
      const { pair, proxy } = yield* setup
      const told = yield* pair
      yield* proxy.cut()
      yield* until("both see it", () => told.client.error === "ECONNRESET" && told.server.error === "ECONNRESET")
      const half = yield* pair
      yield* proxy.cut(["client"])
      yield* until("the client sees it", () => half.client.error === "ECONNRESET")
      half.server.socket.write("into the void")
      const witness = yield* pair
      witness.client.socket.end("later")
      yield* until("something later arrives", () => witness.server.ended)
      assert.deepStrictEqual([half.server.error, half.server.ended], [undefined, false])
    }))

  it.live("refuses new connections or lets them wait, while open ones go on", () =>
    Effect.gen(function*() {
      const { accepted, dial, pair, proxy } = yield* setup
      const { client, server } = yield* pair
      yield* proxy.admit("refuse")
      const refused = yield* dial
      yield* until("it is refused", () => refused.error === "ECONNRESET")
      yield* proxy.admit("hold")
      const waiting = yield* dial
      waiting.socket.write("patience")
      client.socket.write("open")
      yield* until("the open one goes on", () => server.text === "open")
      assert.strictEqual(accepted.length, 1)
      yield* proxy.admit("forward")
      yield* until("the other one gets through", () => accepted[1]?.text === "patience")
    }))
})
