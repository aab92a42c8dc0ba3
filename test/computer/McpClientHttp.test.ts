import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Latch, Redacted, Scope, Stream } from "effect"
import type { HttpAuthorization } from "../../src/computer/HttpAuthorization.ts"
import * as McpClient from "../../src/computer/McpClient.ts"
import { AuthRequired, McpError, type McpErrorReason } from "../../src/computer/McpError.ts"
import { loadedModules, packagesOf } from "../support/loadedModules.ts"
import { atOnce, expectReason, failure } from "./support/mcpClients.ts"
import { eventually } from "./support/processes.ts"
import {
  type Answer,
  answerOverStream,
  events,
  hang,
  json,
  raw,
  rawHttpServer,
  reset
} from "./support/rawHttpServer.ts"

type Tag = McpErrorReason["_tag"]

const JSON_TYPE = { "content-type": "application/json" }
const OK = "data: {\"jsonrpc\":\"2.0\",\"id\":ID,\"result\":{\"v\":1}}\n\n"

const connectRaw = (url: string, options: Partial<McpClient.StreamableHttpOptions & McpClient.ConnectOptions> = {}) =>
  McpClient.connectHttp({ url, ...options })

const fork = <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.forkChild(self, { startImmediately: true })

describe("McpClient over Streamable HTTP", () => {
  /** What a server answers to a call, what becomes of it, and a word of the error. */
  const answers: ReadonlyArray<readonly [name: string, answer: Answer, outcome: Tag | "ok", word?: string]> = [
    ["JSON", json({ v: 1 }), "ok"],
    ["a batch", raw(200, JSON_TYPE, "[{\"jsonrpc\":\"2.0\",\"id\":ID,\"result\":{\"v\":1}}]"), "ok"],
    [
      "JSON without a version, with parameters",
      raw(200, {
        "content-type": "Application/JSON; charset=utf-8"
      }, "{\"id\":ID,\"result\":{\"v\":1}}"),
      "ok"
    ],
    ["events", events(OK, (response) => response.end()), "ok"],
    ["events of a stream that is never ended", events(OK), "ok"],
    [
      "events in every form",
      events(
        "\uFEFF: hello\r\nretry: x\r\nevent: other\r\ndata: {}\r\n\r\nevent: message\r\ndata: {\"id\":ID,\r\ndata:\"result\":{\"v\":1}}\r\n\r\n"
      ),
      "ok"
    ],
    ["202 without a result", raw(202, {}), "Decode", "without a result"],
    ["204", raw(204, {}), "Decode", "without a result"],
    ["nothing", raw(200, JSON_TYPE), "Decode", "nothing"],
    ["a page", raw(200, { "content-type": "text/html" }, "<html>"), "Decode", "text/html"],
    ["half of its JSON", raw(200, JSON_TYPE, "{\"jsonrpc\":\"2.0\",\"id\":ID,\"res"), "Decode", "no JSON-RPC message"],
    [
      "the answer to another request",
      raw(200, JSON_TYPE, "{\"jsonrpc\":\"2.0\",\"id\":999,\"result\":{}}"),
      "Decode",
      "another request"
    ],
    ["a result that is null", raw(200, JSON_TYPE, "{\"jsonrpc\":\"2.0\",\"id\":ID,\"result\":null}"), "Decode"],
    ["a stream that ends without an answer", events(": hi\n\n", (response) => response.end()), "Closed", "broke off"],
    ["a stream that is reset", events(": hi\n\n", (response) => response.socket?.resetAndDestroy()), "Closed"],
    ["a reset", reset, "Closed", "broke off"],
    ["a reset in the middle of its JSON", (response, _, request) => {
      response.writeHead(200, { ...JSON_TYPE, "content-length": "1000" }).write(
        "{",
        () => request.socket.resetAndDestroy()
      )
    }, "Closed"],
    [
      "what is no HTTP",
      (_response, _message, request) => void request.socket.end("SSH-2.0-x\r\n\r\n"),
      "Decode",
      "HTTP"
    ],
    [
      "a redirect to another server",
      raw(307, { location: "http://localhost:9/x?token=t0psecret" }),
      "Http",
      "localhost:9"
    ],
    ["a redirect in circles", raw(307, { location: "/mcp" }), "Http", "redirects"],
    ["a redirect that would make it a GET", raw(302, { location: "/mcp" }), "Http"],
    ["400", raw(400, { "content-type": "text/plain" }, "no such tool"), "Http", "no such tool"],
    ["429", raw(429, { "retry-after": "3" }), "Http", "3 s"],
    ["a page with 500", raw(500, { "content-type": "text/html" }, "<b>at secret.js</b>"), "Http", "HTTP 500."],
    ["502 without an end", (response) => void response.writeHead(502).write("x"), "Http", "502"],
    [
      "an error with 400",
      raw(400, JSON_TYPE, "{\"error\":{\"code\":-32000,\"message\":\"Bad Request: no\"}}"),
      "Http",
      "Bad Request: no"
    ],
    [
      "another version",
      raw(
        400,
        JSON_TYPE,
        "{\"id\":ID,\"error\":{\"code\":-32022,\"message\":\"x\",\"data\":{\"supported\":[\"2026-07-28\"]}}}"
      ),
      "UnsupportedProtocolVersion",
      "2026-07-28"
    ],
    ["401", raw(401, {}), "AuthRequired", "log in"],
    ["401 without an end", (response) => void response.writeHead(401).write("x"), "AuthRequired"],
    ["403", raw(403, { "www-authenticate": "Bearer error=\"insufficient_scope\"" }), "AuthFailed"]
  ]
  for (const [name, answer, outcome, word] of answers) {
    it.live(`${name} in answer to a call ends it at once, and only it`, () =>
      Effect.gen(function*() {
        const server = yield* rawHttpServer
        const client = yield* connectRaw(server.url, { timeout: "500 millis" })
        server.answers["tools/call"] = answer
        if (outcome === "ok") assert.deepStrictEqual(yield* atOnce(client.callTool("x", {})), { v: 1 })
        else {
          const { message, reason } = yield* failure(atOnce(client.callTool("x", {})))
          expectReason(reason, outcome)
          if (word !== undefined) assert.include(message, word)
          assert.notInclude(message, "t0psecret")
          assert.notInclude(message, "secret.js")
        }
        server.answers["tools/call"] = json({ v: 2 })
        assert.deepStrictEqual(yield* atOnce(client.callTool("x", {})), { v: 2 })
        yield* eventually("no request is open", () => server.open() === 0)
      }))
  }

  it.live("follows a redirect within its origin, with the same message", () =>
    Effect.gen(function*() {
      const server = yield* rawHttpServer
      const client = yield* connectRaw(server.url)
      server.answers["tools/call"] = (response, message, request) =>
        request.url === "/mcp"
          ? raw(308, { location: "/other?x=1" })(response, message, request)
          : json({ moved: request.url })(response, message, request)
      assert.deepStrictEqual(yield* client.callTool("x", {}), { moved: "/other?x=1" })
    }))

  it.live("says who it is as the protocol wants it, ends the session, and gives notifications no id", () =>
    Effect.gen(function*() {
      const server = yield* rawHttpServer
      yield* Effect.scoped(Effect.gen(function*() {
        const client = yield* connectRaw(server.url, { headers: { "X-Own": "1", "Content-Length": "5" } })
        yield* client.callTool("x", {})
      }))
      const [first, ...rest] = server.arrived
      assert.strictEqual(first?.what, "initialize")
      assert.notProperty(first?.headers, "mcp-protocol-version")
      assert.notProperty(first?.headers, "mcp-session-id")
      assert.isAtLeast(rest.length, 4)
      for (const { headers, message, what } of rest) {
        assert.match(String(headers["mcp-protocol-version"]), /^20/, what)
        assert.strictEqual(headers["mcp-session-id"], "session-1", what)
        assert.strictEqual(headers["x-own"], "1", what)
        if (what.startsWith("notifications/")) assert.notProperty(message, "id")
      }
      assert.strictEqual(first?.headers.accept, "application/json, text/event-stream")
      assert.strictEqual(server.arrived.at(-1)?.what, "DELETE")
    }))

  const slow: ReadonlyArray<readonly [name: string, what: string]> = [
    ["initialize", "initialize"],
    ["the notification after it", "notifications/initialized"]
  ]
  for (const [name, what] of slow) {
    it.live(`a server that never answers ${name} fails the connect in time, and leaves nothing`, () =>
      Effect.gen(function*() {
        const server = yield* rawHttpServer
        server.answers[what] = hang
        const { reason } = yield* failure(atOnce(connectRaw(server.url, { startTimeout: "300 millis" })))
        assert.include(expectReason(reason, "Handshake").detail, "within 0.3 s")
        yield* eventually("no request is open", () => server.open() === 0)
      }))
  }

  it.live("cancelled and late calls leave no request open, and an end that hangs is not waited for", () =>
    Effect.gen(function*() {
      const server = yield* rawHttpServer
      const scope = yield* Scope.make()
      const client = yield* Scope.provide(connectRaw(server.url), scope)
      for (const answer of [hang, events(": hi\n\n")]) {
        server.answers["tools/call"] = answer
        const calls = yield* Effect.forEach(Array.from({ length: 10 }), () => fork(client.callTool("x", {})))
        yield* eventually("the calls arrived", () => server.open() >= 10)
        yield* atOnce(Fiber.interruptAll(calls))
        yield* failure(atOnce(client.callTool("x", {}, { maxTimeout: "50 millis" })))
        yield* eventually("no request is open", () => server.open() === 0)
      }
      const cancelled = server.arrived.filter(({ what }) => what === "notifications/cancelled")
      const called = server.arrived.filter(({ what }) => what === "tools/call")
      const numbers = (all: ReadonlyArray<unknown>) => all.map(Number).sort((a, b) => a - b)
      assert.deepStrictEqual(
        numbers(cancelled.map(({ message }) => message.params?.["requestId"])),
        numbers(called.map(({ message }) => message.id))
      )
      server.answers["DELETE"] = hang
      yield* atOnce(Scope.close(scope, Exit.void))
      yield* eventually("no request is open", () => server.open() === 0)
    }))

  const expiries: ReadonlyArray<readonly [string, Answer]> = [
    ["404", raw(404, {})],
    [
      "an error of the SDK",
      raw(400, JSON_TYPE, "{\"error\":{\"code\":-32000,\"message\":\"Bad Request: Server not initialized\"}}")
    ]
  ]
  for (const [name, answer] of expiries) {
    it.live(`a session that has ended (${name}) ends the connection`, () =>
      Effect.gen(function*() {
        const server = yield* rawHttpServer
        const client = yield* connectRaw(server.url)
        server.answers["tools/call"] = answer
        expectReason((yield* failure(atOnce(client.callTool("x", {})))).reason, "Closed")
        assert.include(expectReason((yield* atOnce(client.closed)).reason, "Closed").detail, "session has ended")
      }))
  }

  it.live("a server that is gone ends the connection; one that was never there is named", () =>
    Effect.gen(function*() {
      const server = yield* rawHttpServer
      const client = yield* connectRaw(server.url)
      server.crash()
      expectReason((yield* failure(atOnce(client.callTool("x", {})))).reason, "Closed")
      assert.include((yield* atOnce(client.closed)).message, "nothing listens")
      const { message, reason } = yield* failure(atOnce(connectRaw(`${server.url}?key=s3cret-key`)))
      expectReason(reason, "Closed")
      assert.include(message, "nothing listens at 127.0.0.1:")
      for (const url of ["ftp://host/x", "no url", "http://no-such-host.invalid/mcp"]) {
        const tag = url.startsWith("http") ? "Closed" : "Handshake"
        expectReason((yield* failure(atOnce(connectRaw(url)))).reason, tag)
      }
    }))

  it.live("leaves no connection to answers that nobody needs and that do not end", () =>
    Effect.gen(function*() {
      const server = yield* rawHttpServer
      const unending: Answer = (response) => void response.writeHead(202).write("x")
      server.answers["notifications/initialized"] = unending
      server.answers["GET"] = raw(405, {})
      yield* connectRaw(server.url)
      yield* eventually("no request is open", () => server.open() === 0)
      assert.isTrue(server.arrived.some(({ what }) => what === "notifications/initialized"))
    }))

  it.live("says which header of the configuration cannot be sent, and not what is in it", () =>
    Effect.gen(function*() {
      const headers: ReadonlyArray<readonly [name: string, value: string]> = [
        ["X-Key", "s3cret\r\nx-admin: 1"],
        ["X-Key", "s3cret\n"],
        ["X-Key", "s3cret\u2026"],
        ["X Key", "s3cret"]
      ]
      for (const [name, value] of headers) {
        const { message, reason } = yield* failure(connectRaw("http://127.0.0.1:9/", { headers: { [name]: value } }))
        expectReason(reason, "Handshake")
        assert.include(message, JSON.stringify(name))
        assert.notInclude(message, "s3cret")
      }
    }))

  it.live("shows no secret that a server repeats", () =>
    Effect.gen(function*() {
      const server = yield* rawHttpServer
      const url = server.url.replace("http://", "http://ada:p%40ssw0rd@") + "?key=s3cret-key"
      const client = yield* connectRaw(url, { headers: { "X-Api-Key": "k3y-value", "X-Auth": "Bearer t0ken" } })
      const { authorization } = server.arrived[0]!.headers
      assert.strictEqual(Buffer.from(String(authorization).slice(6), "base64").toString(), "ada:p@ssw0rd")
      const words = `s3cret-key k3y-value t0ken p@ssw0rd ${String(authorization)}`
      const repeated: ReadonlyArray<Answer> = [
        raw(500, { "content-type": "text/plain" }, words),
        raw(400, JSON_TYPE, JSON.stringify({ error: { code: 1, message: words } })),
        raw(200, JSON_TYPE, `{"id":ID,"error":{"code":1,"message":${JSON.stringify(words)}}}`),
        raw(307, { location: `http://other.example/${encodeURIComponent(words)}` }),
        raw(500, { "content-type": "text/plain" }, `${"x".repeat(294)}k3y-value`),
        raw(200, JSON_TYPE, `{"id":ID,"error":${JSON.stringify(words)}}`),
        raw(200, JSON_TYPE, `{"id":ID,"result":${JSON.stringify(`${"x".repeat(480)}${words}`)}}`),
        raw(200, JSON_TYPE, `{"id":ID,"error":{"code":1,"message":"no","data":{"given":[${JSON.stringify(words)}]}}}`)
      ]
      for (const answer of repeated) {
        server.answers["tools/call"] = answer
        const { message, reason } = yield* failure(atOnce(client.callTool("x", {})))
        const shown = `${message} ${JSON.stringify(reason)}`
        for (const secret of ["s3cret", "k3y-v", "t0ken", "ssw0rd", String(authorization).slice(6)]) {
          assert.notInclude(shown, secret)
        }
      }
    }))

  it.live("takes a key for secret as it stands in the URL, and a token in the place of the user", () =>
    Effect.gen(function*() {
      const server = yield* rawHttpServer
      const url = server.url.replace("http://", "http://t0ken-of-user@") + "?key=a+b/c3cret=="
      const client = yield* connectRaw(url)
      server.answers["tools/call"] = raw(500, { "content-type": "text/plain" }, "key=a+b/c3cret== of t0ken-of-user")
      assert.include((yield* failure(atOnce(client.callTool("x", {})))).message, "key=*** of ***")
    }))

  describe("what a server says of its own accord", () => {
    it.live("is heard again after the stream ended, without haste, and what may have been missed is told", () =>
      Effect.gen(function*() {
        const server = yield* rawHttpServer
        server.answers["GET"] = events("retry: 0\n\n", (response) => response.end())
        const client = yield* connectRaw(server.url)
        const heard = yield* fork(Stream.runCollect(Stream.take(client.notifications, 3)))
        yield* eventually(
          "it is listened to again",
          () => server.arrived.filter(({ what }) => what === "GET").length === 2
        )
        assert.deepStrictEqual((yield* atOnce(Fiber.join(heard))).map(({ method }) => method), [
          "notifications/tools/list_changed",
          "notifications/resources/list_changed",
          "notifications/prompts/list_changed"
        ])
        yield* Effect.sleep("500 millis")
        assert.strictEqual(server.arrived.filter(({ what }) => what === "GET").length, 2)
      }))

    it.live("goes on after the last event that was heard", () =>
      Effect.gen(function*() {
        const server = yield* rawHttpServer
        const notice = (method: string) => `data: {"jsonrpc":"2.0","method":"notifications/${method}"}\n\n`
        server.answers["GET"] = (response, message, request) =>
          request.headers["last-event-id"] === undefined
            ? events(`id: e1\n${notice("one")}`, () => setTimeout(() => request.socket.resetAndDestroy(), 50))(
              response,
              message,
              request
            )
            : events(`id: e2\n${notice("two")}`)(response, message, request)
        const client = yield* connectRaw(server.url)
        const heard = yield* atOnce(Stream.runCollect(Stream.take(client.notifications, 2)))
        assert.deepStrictEqual(heard.map(({ method }) => method), ["notifications/one", "notifications/two"])
        assert.strictEqual(server.arrived.findLast(({ what }) => what === "GET")?.headers["last-event-id"], "e1")
      }))

    const silent: ReadonlyArray<readonly [string, Answer]> = [
      ["does not offer it", raw(405, {})],
      ["answers with a page", raw(200, { "content-type": "text/html" }, "<html>")],
      ["knows no such place", raw(400, {})],
      ["takes nothing but a POST", raw(404, { "content-type": "text/plain" }, "Cannot GET /mcp")],
      ["wants to hear of its session first", raw(400, { "content-type": "text/plain" }, "No valid session ID")]
    ]
    for (const [name, answer] of silent) {
      it.live(`a server that ${name} is not asked again`, () =>
        Effect.gen(function*() {
          const server = yield* rawHttpServer
          server.answers["GET"] = answer
          const client = yield* connectRaw(server.url)
          yield* Effect.sleep("1300 millis")
          assert.strictEqual(server.arrived.filter(({ what }) => what === "GET").length, 1)
          assert.deepStrictEqual(yield* client.callTool("x", {}), { ok: "tools/call" })
        }))
    }

    it.live("an answer may come there as well, and the request that it answers is not left open", () =>
      Effect.gen(function*() {
        const server = yield* rawHttpServer
        let say: ((text: string) => void) | undefined
        server.answers["GET"] = events(": hi\n\n", (response) => {
          say = (text) => void response.write(text)
        })
        const client = yield* connectRaw(server.url)
        yield* eventually("it is listened to", () => say !== undefined)
        server.answers["tools/call"] = (response, message, request) => {
          events(": hi\n\n")(response, message, request)
          say?.(OK.replace("ID", JSON.stringify(message.id)))
        }
        assert.deepStrictEqual(yield* atOnce(client.callTool("x", {})), { v: 1 })
        yield* eventually("nothing is open but the stream", () => server.open() === 1)
      }))

    it.live("a stream that was there and is refused says that the session has ended", () =>
      Effect.gen(function*() {
        const server = yield* rawHttpServer
        server.answers["GET"] = events(": hi\n\n", (response) => {
          server.answers["GET"] = raw(404, {})
          response.end()
        })
        const client = yield* connectRaw(server.url)
        assert.include(expectReason((yield* atOnce(client.closed)).reason, "Closed").detail, "session has ended")
      }))

    it.live("an answer that is cut off in the middle is fetched whole", () =>
      Effect.gen(function*() {
        const server = yield* rawHttpServer
        const client = yield* connectRaw(server.url)
        server.answers["tools/call"] = (response, message, request) => {
          const whole = `id: a1\n${OK.replace("ID", JSON.stringify(message.id))}`
          // as servers do that keep their events, it gives what came after the one that is named
          server.answers["GET"] = (again, _, { headers }) =>
            events(headers["last-event-id"] === "a0" ? whole : "", (stream) => stream.end())(again, {}, request)
          events(`id: a0\n\n${whole.slice(0, -9)}`, () => setTimeout(() => request.socket.resetAndDestroy(), 50))(
            response,
            message,
            request
          )
        }
        assert.deepStrictEqual(yield* atOnce(client.callTool("x", {})), { v: 1 })
      }))

    it.live("an answer that breaks off is fetched where the server keeps it, unless nobody waits for it any more", () =>
      Effect.gen(function*() {
        const server = yield* rawHttpServer
        const client = yield* connectRaw(server.url)
        let id: unknown
        server.answers["tools/call"] = (response, message, request) => {
          id = message.id
          events("id: a1\n\n", () => setTimeout(() => request.socket.resetAndDestroy(), 50))(response, message, request)
        }
        server.answers["GET"] = (response, _message, request) =>
          events(OK.replace("ID", JSON.stringify(id)), (stream) => stream.end())(response, {}, request)
        assert.deepStrictEqual(yield* atOnce(client.callTool("x", {})), { v: 1 })
        const resumed = () => server.arrived.filter(({ headers }) => headers["last-event-id"] === "a1").length
        assert.strictEqual(resumed(), 1)
        const call = yield* fork(client.callTool("x", {}))
        yield* Effect.sleep("100 millis")
        yield* Fiber.interrupt(call)
        yield* Effect.sleep("800 millis")
        assert.strictEqual(resumed(), 1)
      }))
  })

  describe("with an authorization", () => {
    const makeAuthorization = (renews: boolean) => {
      const refused: Array<unknown> = []
      let token = "old"
      const authorization: HttpAuthorization = {
        header: Effect.sync(() => Redacted.make(`Bearer ${token}`)),
        refused: ({ sent, status, wwwAuthenticate }) =>
          Effect.suspend(() => {
            refused.push([status, wwwAuthenticate, sent === undefined ? undefined : Redacted.value(sent)])
            token = "t0ken-renewed"
            return renews
              ? Effect.void
              : Effect.fail(new McpError({ reason: new AuthRequired({ detail: "log in with smcp" }) }))
          })
      }
      return { authorization, refused }
    }
    const guard = (accepted: string): Answer => (response, message, request) =>
      request.headers.authorization === accepted
        ? json({ v: 1 })(response, message, request)
        : raw(401, { "www-authenticate": "Bearer realm=\"r\"" })(response, message, request)

    it.live("repeats a refused request once, with the new login", () =>
      Effect.gen(function*() {
        const server = yield* rawHttpServer
        const { authorization, refused } = makeAuthorization(true)
        const client = yield* connectRaw(server.url, { authorization })
        server.answers["tools/call"] = guard("Bearer t0ken-renewed")
        assert.deepStrictEqual(yield* atOnce(client.callTool("x", {})), { v: 1 })
        assert.deepStrictEqual(refused, [[401, "Bearer realm=\"r\"", "Bearer old"]])
        server.answers["tools/call"] = guard("Bearer never")
        expectReason((yield* failure(atOnce(client.callTool("x", {})))).reason, "AuthFailed")
        assert.strictEqual(server.arrived.filter(({ what }) => what === "tools/call").length, 4)
        server.answers["tools/call"] = raw(400, { "content-type": "text/plain" }, "who is t0ken-renewed?")
        assert.include((yield* failure(atOnce(client.callTool("x", {})))).message, "who is ***?")
      }))

    for (const connect of [McpClient.connectHttp, McpClient.connectSse]) {
      const name = connect === McpClient.connectSse ? "SSE" : "Streamable HTTP"
      it.live(`sends no call over ${name} whose caller is gone by the time there is a login`, () =>
        Effect.gen(function*() {
          const server = yield* rawHttpServer
          answerOverStream(server)
          let login: Effect.Effect<void> = Effect.void
          let waiting = 0
          const header = Effect.suspend(() => {
            waiting++
            return Effect.as(login, Redacted.make("Bearer t0ken"))
          })
          const url = connect === McpClient.connectSse ? `${server.url}?sse` : server.url
          const client = yield* connect({ url, authorization: { header, refused: () => Effect.void } })
          const opened = yield* Latch.make()
          login = opened.await
          waiting = 0
          const call = yield* fork(client.callTool("x", {}))
          yield* eventually("the call waits for a login", () => waiting > 0)
          yield* atOnce(Fiber.interrupt(call))
          login = Effect.void
          yield* opened.open
          yield* Effect.sleep("100 millis")
          yield* atOnce(client.listTools)
          const arrived = server.arrived.map(({ what }) => what)
          assert.notInclude(arrived, "tools/call")
          assert.notInclude(arrived, "notifications/cancelled")
        }))
    }

    it.live("tells what the authorization says when there is no other login", () =>
      Effect.gen(function*() {
        const server = yield* rawHttpServer
        const { authorization } = makeAuthorization(false)
        const client = yield* connectRaw(server.url, { authorization })
        server.answers["tools/call"] = guard("Bearer t0ken-renewed")
        const { reason } = yield* failure(atOnce(client.callTool("x", {})))
        assert.strictEqual(expectReason(reason, "AuthRequired").detail, "log in with smcp")
        server.answers["initialize"] = raw(401, {})
        expectReason((yield* failure(atOnce(connectRaw(server.url, { authorization })))).reason, "AuthRequired")
      }))
  })

  it.live("is not loaded by programs without remote servers", () =>
    Effect.gen(function*() {
      const modules = yield* Effect.promise(() => loadedModules("src/computer/McpClient.ts"))
      assert.notInclude(packagesOf(modules), "undici")
    }))
})
