import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Scope } from "effect"
import { lookup } from "node:dns/promises"
import * as Http from "node:http"
import * as Net from "node:net"
import { networkInterfaces } from "node:os"
import * as Revision from "../../src/protocol/Revision.ts"
import * as ServerEvent from "../../src/protocol/ServerEvent.ts"
import * as Authenticator from "../../src/server/Authenticator.ts"
import * as HttpServer from "../../src/server/HttpServer.ts"
import * as SessionStore from "../../src/server/SessionStore.ts"
import * as SocketIoServer from "../../src/server/SocketIoServer.ts"
import * as SocketIoTransport from "../../src/transport/SocketIoTransport.ts"

const http = (options?: HttpServer.Options) => HttpServer.layer(options).pipe(Layer.provide(SessionStore.layerMemory))
const whole = (options?: SocketIoServer.Options) =>
  SocketIoServer.layer(options).pipe(Layer.provide(Authenticator.layerAllowAll))

/** One request as a raw client sees it. */
const request = (url: string, method = "GET") =>
  Effect.callback<
    { readonly status: number; readonly headers: Http.IncomingHttpHeaders; readonly body: string },
    Error
  >(
    (resume) => {
      const sent = Http.request(url, { method, agent: false }, (response) => {
        let body = ""
        response.setEncoding("utf8").on("data", (chunk: string) => body += chunk).on(
          "end",
          () => resume(Effect.succeed({ status: response.statusCode!, headers: response.headers, body }))
        )
      })
      sent.on("error", (error) => resume(Effect.fail(error))).end()
      return Effect.sync(() => sent.destroy())
    }
  )

/** The code with which connecting fails; undefined when it works. */
const refusal = (url: string) =>
  Effect.callback<string | undefined>((resume) => {
    const { hostname, port } = new URL(url)
    const socket = Net.connect(Number(port), hostname.replace(/[[\]]/g, ""))
    socket.on("connect", () => resume(Effect.succeed(undefined)))
    socket.on("error", (error: NodeJS.ErrnoException) => resume(Effect.succeed(error.code)))
    return Effect.sync(() => socket.destroy())
  })

/** Opens a WebSocket to Socket.IO by hand. */
const upgrade = (socket: Net.Socket) =>
  Effect.callback<void>((resume) => {
    socket.write(
      "GET /socket.io/?EIO=4&transport=websocket&a2c_version=0.4.0 HTTP/1.1\r\nHost: x\r\n" +
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
        `Sec-WebSocket-Key: ${Buffer.alloc(16).toString("base64")}\r\n\r\n`
    )
    // its first frame tells that it is open
    socket.on("data", (bytes) => bytes.includes("pingInterval") ? resume(Effect.void) : undefined)
  })

const portOf = (url: string) => Number(new URL(url).port)

describe("HttpServer", () => {
  it.live("GET / says what this is", () =>
    Effect.gen(function*() {
      const { url } = yield* HttpServer.HttpServer
      for (const path of ["/", "/?a=b"]) {
        const { body, headers, status } = yield* request(url + path)
        assert.strictEqual(status, 200)
        assert.strictEqual(headers["content-type"], "application/json")
        assert.strictEqual(Number(headers["content-length"]), Buffer.byteLength(body))
        assert.deepStrictEqual(JSON.parse(body), {
          name: "a2c-smcp",
          protocol_versions: ["0.5.0", "0.4.0"],
          namespace: "/smcp"
        })
      }
    }).pipe(Effect.provide(http({ revisions: [Revision.revisions["0.4"], Revision.revisions["0.5"]] }))))

  it.live("GET /health counts sessions, offices, Agents and Computers", () =>
    Effect.gen(function*() {
      const { url } = yield* HttpServer.HttpServer
      const health = Effect.map(request(`${url}/health`), ({ body, status }) => {
        assert.strictEqual(status, 200)
        const { uptime, ...rest } = JSON.parse(body)
        assert.isAtLeast(uptime, 0)
        return rest
      })
      const empty = { status: "ok", sessions: 0, offices: 0, agents: 0, computers: 0 }
      assert.deepStrictEqual(yield* health, empty)
      yield* Effect.scoped(Effect.gen(function*() {
        const join = Effect.fnUntraced(function*(role: "agent" | "computer", name: string, office_id: string) {
          const transport = yield* SocketIoTransport.make({ url })
          yield* transport.call(ServerEvent.JoinOffice, { role, name, office_id })
        })
        yield* SocketIoTransport.make({ url })
        yield* join("agent", "A", "R1")
        yield* join("computer", "C", "R1")
        yield* join("computer", "C", "R2")
        assert.deepStrictEqual(yield* health, { status: "ok", sessions: 4, offices: 2, agents: 1, computers: 2 })
      }))
      while ((yield* health).sessions > 0) yield* Effect.sleep(5)
      assert.deepStrictEqual(yield* health, empty)
    }).pipe(Effect.provide(whole())))

  it.live("HEAD answers like GET, without the body", () =>
    Effect.gen(function*() {
      const { url } = yield* HttpServer.HttpServer
      for (const path of ["/", "/health", "/nothing"]) {
        const get = yield* request(url + path)
        const head = yield* request(url + path, "HEAD")
        assert.strictEqual(head.status, get.status)
        assert.strictEqual(head.headers["content-length"], get.headers["content-length"])
        assert.strictEqual(head.body, "")
      }
    }).pipe(Effect.provide(http())))

  it.live("anything else is 404, and another method 405", () =>
    Effect.gen(function*() {
      const { url } = yield* HttpServer.HttpServer
      for (const path of ["/nothing", "/health/", "//", "/..%2f", "/__proto__", "/smcp", `/${"x".repeat(5000)}`]) {
        const { body, status } = yield* request(url + path)
        assert.strictEqual(status, 404)
        assert.deepStrictEqual(JSON.parse(body), { code: 404, message: "Not found" })
      }
      for (const method of ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"]) {
        const { body, headers, status } = yield* request(`${url}/health`, method)
        assert.strictEqual(status, 405)
        assert.strictEqual(headers["allow"], "GET, HEAD")
        assert.deepStrictEqual(JSON.parse(body), { code: 405, message: "Use GET" })
      }
    }).pipe(Effect.provide(http())))

  it.live("a failing page is 500 without a word of why, and the next request is answered", () => {
    let failing = true
    const store = Layer.effect(
      SessionStore.SessionStore,
      Effect.map(SessionStore.SessionStore, (inner) => ({
        ...inner,
        counts: Effect.suspend(() => failing ? Effect.die(new Error("db password is hunter2")) : inner.counts)
      }))
    ).pipe(Layer.provide(SessionStore.layerMemory))
    return Effect.gen(function*() {
      const { url } = yield* HttpServer.HttpServer
      const { body, status } = yield* request(`${url}/health`).pipe(Effect.timeout("20 seconds"))
      assert.strictEqual(status, 500)
      assert.deepStrictEqual(JSON.parse(body), { code: 500, message: "Internal error" })
      failing = false
      assert.strictEqual((yield* request(`${url}/health`)).status, 200)
    }).pipe(Effect.provide(HttpServer.layer().pipe(Layer.provide(store))))
  })

  it.live("a connection that cannot be accepted ends neither the process nor the server", () =>
    Effect.gen(function*() {
      const { server, url } = yield* HttpServer.HttpServer
      server.emit("error", Object.assign(new Error("accept EMFILE"), { code: "EMFILE" }))
      assert.strictEqual((yield* request(url)).status, 200)
    }).pipe(Effect.provide(http())))

  it.live("tells the port it really got, on IPv4 and IPv6", () =>
    Effect.gen(function*() {
      const hasIpv6 = Object.values(networkInterfaces()).flat().some((one) => one?.address === "::1")
      const hosts: ReadonlyArray<readonly [string | undefined, RegExp]> = [
        [undefined, /^http:\/\/127\.0\.0\.1:\d+$/],
        ["localhost", /^http:\/\/localhost:\d+$/],
        ...(hasIpv6 ? [["::1", /^http:\/\/\[::1\]:\d+$/] as const] : [])
      ]
      for (const [host, shape] of hosts) {
        const scope = yield* Scope.make()
        const { url } = yield* HttpServer.HttpServer.pipe(
          Effect.provide(yield* Layer.buildWithScope(http({ host }), scope))
        )
        assert.match(url, shape)
        assert.isAbove(portOf(url), 0)
        assert.strictEqual((yield* request(url)).status, 200)
        yield* Scope.close(scope, Exit.void)
      }
    }))

  it.live("a port in use is ListenFailed and says what to do; who has it keeps it", () =>
    Effect.gen(function*() {
      const { url } = yield* HttpServer.HttpServer
      const port = portOf(url)
      const { reason } = yield* Effect.flip(Layer.build(http({ port })))
      assert(reason._tag === "ListenFailed")
      assert.deepStrictEqual([reason.host, reason.port], ["127.0.0.1", port])
      assert.include(reason.message, `127.0.0.1:${port}`)
      assert.include(reason.message, "choose another one, or 0")
      assert.strictEqual((yield* request(url)).status, 200)
    }).pipe(Effect.provide(http())))

  it.live("an address this machine does not have is ListenFailed too", () =>
    Effect.gen(function*() {
      const { reason } = yield* Effect.flip(Layer.build(http({ host: "192.0.2.1" })))
      assert.strictEqual(reason._tag, "ListenFailed")
      assert.include(reason.message, "no such address")
    }))

  it.live("interrupting the start leaves nothing that listens", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const { url } = yield* HttpServer.HttpServer.pipe(Effect.provide(yield* Layer.buildWithScope(http(), scope)))
      yield* Scope.close(scope, Exit.void)
      const starting = yield* Effect.scoped(Layer.build(http({ host: "localhost", port: portOf(url) }))).pipe(
        Effect.forkChild({ startImmediately: true })
      )
      yield* Fiber.interrupt(starting)
      // a look-up that was under way has ended when a later one has
      yield* Effect.promise(() => lookup("localhost"))
      yield* Effect.sleep(20)
      assert.strictEqual(yield* refusal(url), "ECONNREFUSED")
    }))

  it.live("nothing listens after the scope: idle, busy and upgraded connections are closed", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(whole(), scope)
      const { server, url } = yield* HttpServer.HttpServer.pipe(Effect.provide(context))
      const idle = Net.connect(portOf(url), "127.0.0.1")
      const half = Net.connect(portOf(url), "127.0.0.1")
      half.write("GET /health HTTP/1.1\r\nHost: x\r\n")
      const ended = Effect.all(
        [idle, half].map((socket) =>
          Effect.callback<void>((resume) => void socket.on("error", () => {}).on("close", () => resume(Effect.void)))
        ),
        { concurrency: 2 }
      )
      const transport = yield* SocketIoTransport.make({ url })
      yield* transport.call(ServerEvent.JoinOffice, { role: "agent", name: "A", office_id: "R1" })
      const closing = yield* Effect.forkChild(ended, { startImmediately: true })
      assert.isUndefined(yield* refusal(url))
      yield* Scope.close(scope, Exit.void).pipe(Effect.timeout("20 seconds"))
      assert.isFalse(server.listening)
      assert.strictEqual(yield* refusal(url), "ECONNREFUSED")
      yield* Fiber.join(closing).pipe(Effect.timeout("20 seconds"))
      const again = yield* Scope.make()
      const { url: secondUrl } = yield* HttpServer.HttpServer.pipe(
        Effect.provide(yield* Layer.buildWithScope(http({ port: portOf(url) }), again))
      )
      assert.strictEqual(secondUrl, url)
      yield* Scope.close(again, Exit.void)
    }))

  it.live("ends soon although a connected peer does not answer its goodbye", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(whole(), scope)
      const { url } = yield* HttpServer.HttpServer.pipe(Effect.provide(context))
      const socket = Net.connect(portOf(url), "127.0.0.1")
      yield* upgrade(socket)
      // a peer that is gone without a word: nothing is read or written any more
      socket.pause()
      yield* Scope.close(scope, Exit.void).pipe(Effect.timeout("20 seconds"))
      socket.destroy()
    }))
})
