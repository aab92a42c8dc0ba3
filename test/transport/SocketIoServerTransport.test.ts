import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert, describe, it, vi } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { HttpRouter, HttpServerResponse } from "effect/http"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Scope from "effect/Scope"
import * as Http from "node:http"
import * as Net from "node:net"
import { Socket } from "socket.io"
import * as Revision from "../../src/protocol/Revision.ts"
import * as SocketIoServerTransport from "../../src/transport/SocketIoServerTransport.ts"
import { listening } from "../support/httpServer.ts"
import { emitAll, join, layerOpenServer, once, rawPeer, serverUrl } from "../support/socketIoServer.ts"

const handshakePath = (query: string) => `/socket.io/?EIO=4&transport=polling${query}`

/** Writes a WebSocket upgrade by hand and gives back everything the other side sends until it closes. */
const rawUpgrade = (url: string, path: string) =>
  Effect.callback<string, Error>((resume) => {
    const { hostname, port } = new URL(url)
    const socket = Net.connect(Number(port), hostname, () => {
      socket.write(
        `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
          "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
      )
    })
    let text = ""
    socket.setEncoding("utf8").on("data", (chunk: string) => (text += chunk))
    socket.once("close", () => resume(Effect.succeed(text))).once("error", (error) => resume(Effect.fail(error)))
    return Effect.sync(() => void socket.destroy())
  })

const refusals = [
  {
    title: "a missing",
    query: "",
    code: null,
    body: `{"code": 400, "message": "Missing a2c_version query parameter"}`
  },
  {
    title: "a malformed",
    query: "&a2c_version=abc",
    code: null,
    body: `{"code": 400, "message": "Invalid a2c_version: Invalid version: abc"}`
  },
  {
    title: "an incompatible",
    query: "&a2c_version=0.3.0",
    code: "4008",
    body: `{"code": 4008, "message": "Protocol version mismatch", "server_version": "0.4.0", ` +
      `"client_version": "0.3.0", "min_supported": "0.4.0", "max_supported": "0.4.999"}`
  }
]

describe("the version gate", () => {
  for (const { body, code, query, title } of refusals) {
    it.live(`refuses ${title} version on polling with the exact status, header and body`, () =>
      Effect.gen(function*() {
        const url = yield* serverUrl
        const response = yield* Effect.promise(() => fetch(url + handshakePath(query)))
        assert.strictEqual(response.status, 400)
        assert.strictEqual(response.headers.get("content-type"), "application/json")
        assert.strictEqual(response.headers.get("x-a2c-error-code"), code)
        assert.strictEqual(response.headers.get("content-length"), String(body.length))
        assert.strictEqual(yield* Effect.promise(() => response.text()), body)
      }).pipe(Effect.provide(layerOpenServer())))

    it.live(`refuses ${title} version on a direct WebSocket handshake with the same bytes`, () =>
      Effect.gen(function*() {
        const text = yield* rawUpgrade(yield* serverUrl, `/socket.io/?EIO=4&transport=websocket${query}`)
        const [head = "", received] = text.split("\r\n\r\n")
        assert.strictEqual(received, body)
        assert.match(head, /^HTTP\/1\.1 400 Bad Request\r\n/)
        assert.match(head, /Content-Type: application\/json/)
        assert.strictEqual(/X-A2C-Error-Code: (\d+)/.exec(head)?.[1] ?? null, code)
      }).pipe(Effect.provide(layerOpenServer())))
  }

  const several = layerOpenServer({
    revisions: [Revision.revisions["0.1"], Revision.revisions["0.5"], Revision.revisions["0.4"]]
  })

  it.live("names the range and the versions in it when there are several", () =>
    Effect.gen(function*() {
      const url = yield* serverUrl
      const response = yield* Effect.promise(() => fetch(url + handshakePath("&a2c_version=0.3.0")))
      assert.strictEqual(response.status, 400)
      assert.strictEqual(response.headers.get("x-a2c-error-code"), "4008")
      assert.deepStrictEqual(yield* Effect.promise(() => response.json()), {
        code: 4008,
        message: "Protocol version mismatch",
        server_version: "0.5.0",
        client_version: "0.3.0",
        min_supported: "0.1.0",
        max_supported: "0.5.999",
        details: { supported_versions: ["0.5.0", "0.4.0", "0.1.2"] }
      })
    }).pipe(Effect.provide(several)))

  it.live("gives each session the revision of its own handshake", () =>
    Effect.gen(function*() {
      const forms: ReadonlyArray<readonly [query: Record<string, string>, ok: ReadonlyArray<unknown>]> = [
        [{}, [true, null]],
        [{ a2c_version: "0.1.0" }, [true, null]],
        [{ a2c_version: "0.4.0" }, [true, null]],
        [{ a2c_version: "0.5.0" }, []]
      ]
      for (const [query, ok] of forms) {
        for (const transports of [["polling"], ["websocket"], ["polling", "websocket"]]) {
          const peer = yield* rawPeer({ query, transports })
          assert.deepStrictEqual(yield* join(peer, "computer", "C", JSON.stringify([query, transports])), ok)
        }
      }
    }).pipe(Effect.provide(several)))

  it.live("reads a query as Engine.IO does, so that nobody gets past it", () =>
    Effect.gen(function*() {
      const url = yield* serverUrl
      const crowd = Array.from({ length: 1500 }, (_, index) => `&k${index}=`).join("")
      const attempts: ReadonlyArray<readonly [query: string, status: number]> = [
        // an empty session id is none: this is a handshake
        ["&sid=", 400],
        ["&sid=x&sid=", 400],
        ["&sid=&a2c_version=0.4.0", 200],
        ["&a2c_version=0.3.0&a2c_version=0.4.0", 200],
        ["&a2c_version=0.4.0&a2c_version=0.3.0", 400],
        ["&%61%32c_version=0.4.0", 200],
        [`${crowd}&a2c_version=0.4.0`, 200],
        [`${crowd}&sid=x`, 400]
      ]
      for (const [query, status] of attempts) {
        const response = yield* Effect.promise(() => fetch(url + handshakePath(query)))
        assert.strictEqual(response.status, status, query.slice(-40))
        yield* Effect.promise(() => response.text())
      }
    }).pipe(Effect.provide(layerOpenServer())))

  it.live("logs a refused handshake with the reason", () => {
    const lines: Array<string> = []
    const logger = Logger.make(({ message }) => void lines.push(String(message)))
    return Effect.gen(function*() {
      const url = yield* serverUrl
      yield* Effect.promise(() => fetch(url + handshakePath("&a2c_version=9.9.9")))
      assert.deepStrictEqual(lines.filter((line) => line.includes("handshake")), ["Refused a handshake"])
    }).pipe(Effect.provide(layerOpenServer().pipe(Layer.provideMerge(Logger.layer([logger])))))
  })

  it.live("lets a patch difference pass", () =>
    Effect.gen(function*() {
      const peer = yield* rawPeer({ query: { a2c_version: "0.4.17" } })
      assert.isTrue(peer.connected)
    }).pipe(Effect.provide(layerOpenServer())))

  it.live("asks for no version when the revision has no handshake", () =>
    Effect.gen(function*() {
      const peer = yield* rawPeer({ query: {} })
      assert.deepStrictEqual(yield* join(peer, "agent", "A"), [true, null])
    }).pipe(Effect.provide(layerOpenServer({ revisions: [Revision.revisions["0.1"]] }))))

  it.live("refuses the root namespace, so that nobody is in without authentication", () =>
    Effect.gen(function*() {
      const url = yield* serverUrl
      const { io } = yield* Effect.promise(() => import("socket.io-client"))
      const error = yield* Effect.callback<Error>((resume) => {
        const socket = io(url, { forceNew: true, reconnection: false, query: { a2c_version: "0.4.0" } })
        socket.once("connect_error", (cause) => resume(Effect.succeed(cause)))
        socket.once("connect", () => resume(Effect.die("connected")))
        return Effect.sync(() => void socket.disconnect())
      })
      assert.strictEqual(error.message, "Connect to the namespace /smcp")
    }).pipe(Effect.provide(layerOpenServer())))
})

describe("peers on the wire", () => {
  it.live("polling alone is enough", () =>
    Effect.gen(function*() {
      const peer = yield* rawPeer({ transports: ["polling"], upgrade: false })
      assert.deepStrictEqual(yield* join(peer, "agent", "A"), [true, null])
      assert.strictEqual(peer.io.engine.transport.name, "polling")
    }).pipe(Effect.provide(layerOpenServer())))

  it.live("an unknown event is answered with nothing, a missing ack function is no trouble", () =>
    Effect.gen(function*() {
      const peer = yield* rawPeer()
      assert.deepStrictEqual(yield* emitAll(peer, "something:else", { a: 1 }), [])
      peer.emit("server:join_office", { role: "computer", name: "C", office_id: "R" })
      peer.emit("server:update_config", {})
      assert.deepStrictEqual(yield* emitAll(peer, "server:update_tool_list", { computer: "C" }), [])
      assert.deepStrictEqual(yield* emitAll(peer, "server:leave_office", { office_id: "R" }), [true, null])
    }).pipe(Effect.provide(layerOpenServer())))

  for (const answer of [[], [null], [true, null], [{ content: [] }, 2, "x"], [[1, [2]]], ["text"], [0]]) {
    it.live(`relays the acknowledgement ${JSON.stringify(answer)} as it came`, () =>
      Effect.gen(function*() {
        const [agent, computer] = [yield* rawPeer(), yield* rawPeer()]
        yield* join(agent, "agent", "A")
        yield* join(computer, "computer", "C")
        computer.on("client:get_tools", (_payload: unknown, ack: (...args: ReadonlyArray<unknown>) => void) =>
          ack(...answer))
        const request = { agent: "A", req_id: "1", computer: "C" }
        assert.deepStrictEqual(yield* emitAll(agent, "client:get_tools", request), answer)
      }).pipe(Effect.provide(layerOpenServer())))
  }

  it.live("relays the very text of payload and acknowledgement", () =>
    Effect.gen(function*() {
      const [agent, computer] = [yield* rawPeer(), yield* rawPeer()]
      yield* join(agent, "agent", "A")
      yield* join(computer, "computer", "C")
      // Numbers that a double cannot hold, an escaped and a plain form of one letter, and spaces survive only as text.
      const request =
        `{"agent":"A", "req_id":"1","computer":"C","timeout":5,"big":12345678901234567890,"f":1.0,"e":"\\u00e9é"}`
      const reply = `[{"n": 98765432109876543210 ,"s":"\\u2028"}, 1.50]`
      const heard: Array<string> = []
      agent.io.engine.on("packet", ({ data }) => void heard.push(String(data)))
      computer.io.engine.on("packet", ({ data }) => {
        const match = /^2\/smcp,(\d+)\["client:tool_call",(.*)\]$/s.exec(String(data))
        if (match === null) return
        heard.push(match[2]!)
        computer.io.engine.write(`3/smcp,${match[1]}${reply}`)
      })
      const answered = Effect.callback<void>((resume) => {
        agent.io.engine.on("packet", ({ data }) => {
          if (String(data).startsWith("3/smcp,77")) resume(Effect.void)
        })
        agent.io.engine.write(`2/smcp,77["client:tool_call",${request}]`)
      })
      yield* answered
      assert.deepStrictEqual(heard.filter((text) => text.includes("big") || text.startsWith("3/smcp,77")), [
        request,
        `3/smcp,77${reply}`
      ])
    }).pipe(Effect.provide(layerOpenServer())))

  it.live("a binary request is refused with 400 and nobody is disconnected", () =>
    Effect.gen(function*() {
      const [agent, computer] = [yield* rawPeer(), yield* rawPeer()]
      yield* join(agent, "agent", "A")
      yield* join(computer, "computer", "C")
      const [error] = yield* emitAll(agent, "client:tool_call", {
        agent: "A",
        req_id: "1",
        computer: "C",
        tool_name: "t",
        params: { file: Buffer.from("abc"), other: Buffer.from("def") },
        timeout: 5
      })
      assert.strictEqual((error as { code: number }).code, 400)
      assert.isTrue(agent.connected && computer.connected)
    }).pipe(Effect.provide(layerOpenServer())))

  it.live("a binary acknowledgement reaches the caller as an error and nobody is disconnected", () =>
    Effect.gen(function*() {
      const [agent, computer] = [yield* rawPeer(), yield* rawPeer()]
      yield* join(agent, "agent", "A")
      yield* join(computer, "computer", "C")
      computer.on(
        "client:get_tools",
        (_payload: unknown, ack: (answer: unknown) => void) => ack({ data: Buffer.from("abc") })
      )
      const [error] = yield* emitAll(agent, "client:get_tools", { agent: "A", req_id: "1", computer: "C" })
      assert.strictEqual((error as { code: number }).code, 400)
      assert.isTrue(agent.connected && computer.connected)
    }).pipe(Effect.provide(layerOpenServer())))

  it.live("an acknowledgement that is not JSON drops its sender alone, and its caller learns 404", () =>
    Effect.gen(function*() {
      const [agent, computer, bystander] = [yield* rawPeer(), yield* rawPeer(), yield* rawPeer()]
      yield* join(agent, "agent", "A")
      yield* join(computer, "computer", "C")
      yield* join(bystander, "computer", "D")
      computer.io.engine.on("packet", ({ data }) => {
        const match = /^2\/smcp,(\d+)\["client:get_tools"/.exec(String(data))
        if (match !== null) computer.io.engine.write(`3/smcp,${match[1]}[{"broken]`)
      })
      const [error] = yield* emitAll(agent, "client:get_tools", { agent: "A", req_id: "1", computer: "C" })
      assert.strictEqual((error as { code: number }).code, 404)
      assert.isTrue(agent.connected && bystander.connected)
    }).pipe(Effect.provide(layerOpenServer())))

  it.live("a message over the advertised limit drops its sender alone", () =>
    Effect.gen(function*() {
      const [agent, computer] = [yield* rawPeer(), yield* rawPeer()]
      yield* join(agent, "agent", "A")
      yield* join(computer, "computer", "C")
      const left = once(agent, "notify:leave_office")
      computer.emit("server:update_config", { computer: "C", padding: "x".repeat(60_000) })
      assert.deepStrictEqual(yield* left, [{ office_id: "R", computer: "C" }])
      assert.isTrue(agent.connected)
    }).pipe(Effect.provide(layerOpenServer({ maxPayload: 50_000 }))))

  it.live("closes the connection of a peer that answers neither a heartbeat nor a goodbye", () =>
    Effect.gen(function*() {
      const path = "/socket.io/?EIO=4&transport=websocket&a2c_version=0.4.0"
      yield* rawUpgrade(yield* serverUrl, path).pipe(Effect.timeout("20 seconds"))
    }).pipe(Effect.provide(layerOpenServer({ pingInterval: 50, pingTimeout: 50 }))))

  it.live("keeps nothing of calls that nobody answered", () =>
    Effect.gen(function*() {
      const emit = yield* Effect.acquireRelease(
        Effect.sync(() => vi.spyOn(Socket.prototype, "emit")),
        (spy) => Effect.sync(() => spy.mockRestore())
      )
      const { server, url } = yield* listening
      const transport = yield* SocketIoServerTransport.make({ server })
      const outcomes: Array<string> = []
      yield* transport.serve({
        ...open,
        receive: (connection) =>
          Effect.forEach(
            Array.from({ length: 2000 }),
            () =>
              connection.call("client:get_tools", { value: {} }, 5).pipe(
                Effect.catch((failure) => Effect.sync(() => outcomes.push(failure)))
              ),
            { concurrency: "unbounded" }
          ).pipe(Effect.as({ args: [] }))
      })
      const peer = yield* rawPeerAt(url)
      yield* emitAll(peer, "anything")
      assert.deepStrictEqual(outcomes, Array.from({ length: 2000 }, () => "timeout"))
      const socket: unknown = emit.mock.contexts[0]
      const { acks } = socket as { readonly acks: ReadonlyMap<number, unknown> }
      assert.strictEqual(emit.mock.calls.filter(([event]) => event === "client:get_tools").length, 2000)
      assert.strictEqual(acks.size, 0)
    }))
})

const open = {
  authenticate: () => Effect.void,
  connected: () => Effect.void,
  disconnected: () => Effect.void
}

const rawPeerAt = Effect.fnUntraced(function*(url: string) {
  const { io } = yield* Effect.promise(() => import("socket.io-client"))
  const socket = yield* Effect.acquireRelease(
    Effect.sync(() => io(`${url}/smcp`, { forceNew: true, reconnection: false, query: { a2c_version: "0.4.0" } })),
    (socket) => Effect.sync(() => socket.disconnect())
  )
  yield* Effect.callback<void, Error>((resume) => {
    socket.once("connect", () => resume(Effect.void)).once("connect_error", (error) => resume(Effect.fail(error)))
  })
  return socket
})

describe("beside other users of the HTTP server", () => {
  const echo = (transport: SocketIoServerTransport.Options["server"]) =>
    Effect.gen(function*() {
      const service = yield* SocketIoServerTransport.make({ server: transport })
      yield* service.serve({
        ...open,
        receive: (_connection, event) => Effect.succeed({ args: [event] })
      })
    })

  it.live("leaves other paths and later listeners of an existing http.Server alone, and lets go of it", () =>
    Effect.gen(function*() {
      const { server, url } = yield* listening
      const scope = yield* Scope.make()
      yield* Scope.provide(echo(server), scope)
      let upgrades = 0
      server.on("upgrade", (_request, socket) => {
        upgrades++
        socket.end("HTTP/1.1 404 Not Found\r\n\r\n")
      })
      const peer = yield* rawPeerAt(url)
      yield* Effect.callback<void>((resume) => {
        if (peer.io.engine.transport.name === "websocket") resume(Effect.void)
        else peer.io.engine.once("upgrade", () => resume(Effect.void))
      })
      assert.deepStrictEqual(yield* emitAll(peer, "hello"), ["hello"])
      assert.strictEqual(yield* Effect.promise(() => fetch(`${url}/other`).then((response) => response.text())), "mine")
      assert.strictEqual(upgrades, 0)
      yield* rawUpgrade(url, "/elsewhere")
      assert.strictEqual(upgrades, 1)
      const gone = yield* Effect.forkChild(once(peer, "disconnect"), { startImmediately: true })
      yield* Scope.close(scope, Exit.void)
      yield* Fiber.join(gone)
      const response = yield* Effect.promise(() => fetch(url + handshakePath("")))
      assert.strictEqual(yield* Effect.promise(() => response.text()), "mine")
    }))

  it.live("shares Effect's NodeHttpServer with routes, WebSocket included", () =>
    Effect.gen(function*() {
      const server = Http.createServer()
      const routes = HttpRouter.add("GET", "/hello", HttpServerResponse.text("routed"))
      const app = HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
        Layer.provide(NodeHttpServer.layer(() => server, { port: 0, host: "127.0.0.1" }))
      )
      yield* echo(server)
      yield* Layer.build(app)
      const url = `http://127.0.0.1:${(server.address() as Net.AddressInfo).port}`
      assert.strictEqual(
        yield* Effect.promise(() => fetch(`${url}/hello`).then((response) => response.text())),
        "routed"
      )
      const peer = yield* rawPeerAt(url)
      yield* Effect.callback<void>((resume) => {
        if (peer.io.engine.transport.name === "websocket") resume(Effect.void)
        else peer.io.engine.once("upgrade", () => resume(Effect.void))
      })
      assert.deepStrictEqual(yield* emitAll(peer, "hello"), ["hello"])
    }))
})
