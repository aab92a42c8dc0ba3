import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Redacted } from "effect"
import { TestClock } from "effect/testing"
import type { LookupAddress } from "node:dns"
import type { IncomingMessage, ServerResponse } from "node:http"
import { authResult } from "../../src/computer/internal/oauth/authResult.ts"
import { type Reach, reachOf } from "../../src/computer/internal/oauth/guardedAddress.ts"
import { makeGuardedFetch } from "../../src/computer/internal/oauth/guardedFetch.ts"
import { AuthFailed, AuthRequired } from "../../src/computer/McpError.ts"
import { listening } from "../support/httpServer.ts"

/** A bare server that answers as it is told. */
const answering = Effect.fnUntraced(function*(answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const { server, url } = yield* listening
  server.removeAllListeners("request")
  server.on("request", answer)
  return { server, url: new URL(url) }
})

const kindOf = (self: ReturnType<ReturnType<typeof makeGuardedFetch>>) =>
  Effect.map(Effect.flip(self), ({ kind }) => kind)
const resolveTo = (...addresses: ReadonlyArray<string>) => (): Promise<ReadonlyArray<LookupAddress>> =>
  Promise.resolve(addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })))

describe("what a server may send us to", () => {
  const reaches: Readonly<Record<Reach, ReadonlyArray<string>>> = {
    forbidden: [
      "169.254.169.254",
      "169.254.0.1",
      "::ffff:169.254.169.254",
      "::ffff:a9fe:a9fe",
      "0:0:0:0:0:ffff:a9fe:a9fe",
      "64:ff9b::a9fe:a9fe",
      "2002:a9fe:a9fe::1",
      "fe80::1",
      "fe80::1%eth0",
      "fd00:ec2::254",
      "100.100.100.200",
      "0.0.0.0",
      "::",
      "224.0.0.1",
      "255.255.255.255",
      "ff02::1",
      "localhost",
      ""
    ],
    loopback: ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1", "::ffff:7f00:1"],
    private: ["10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "fd12::1", "::ffff:10.0.0.1"],
    public: ["8.8.8.8", "172.32.0.1", "169.253.255.255", "192.169.0.1", "2606:4700::1111", "::ffff:8.8.8.8"]
  }
  it("is told by addresses, however they are written", () => {
    for (const [reach, addresses] of Object.entries(reaches)) {
      for (const address of addresses) assert.strictEqual(reachOf(address), reach, address)
    }
  })

  // where the server is, where the other place is, and whether that one may be asked
  const table: ReadonlyArray<readonly [server: string, other: string, asked: boolean]> = [
    ["8.8.8.8", "10.0.0.1", false],
    ["8.8.8.8", "127.0.0.1", false],
    ["8.8.8.8", "169.254.169.254", false],
    ["8.8.8.8", "::ffff:10.0.0.1", false],
    ["10.0.0.2", "127.0.0.1", false],
    ["10.0.0.2", "169.254.169.254", false],
    ["127.0.0.1", "169.254.169.254", false],
    ["127.0.0.1", "fe80::1", false],
    ["127.0.0.1", "127.0.0.1", true]
  ]
  for (const [server, other, asked] of table) {
    it.effect(`is ${asked ? "" : "not "}${other} for a server at ${server}, by name or by number`, () =>
      Effect.gen(function*() {
        let requests = 0
        const { url: { port } } = yield* answering((_request, response) => {
          requests++
          response.end("{}")
        })
        const resolve = (host: string) => resolveTo(host === "server.example" ? server : other)()
        const fetch = makeGuardedFetch(new URL("https://server.example/mcp"), resolve)
        const number = other.includes(":") ? `[${other}]` : other
        for (const host of ["other.example", number]) {
          const url = new URL(`http://${host}:${port}/`)
          if (asked) assert.strictEqual((yield* fetch(url)).status, 200)
          else assert.strictEqual(yield* kindOf(fetch(url)), "unsafe", url.href)
        }
        assert.strictEqual(requests, asked ? 2 : 0)
      }))
  }

  it.effect("is not this machine for a server that only its own name places here", () =>
    Effect.gen(function*() {
      const { url } = yield* answering((_request, response) => response.end("{}"))
      const to = (server: string) => makeGuardedFetch(new URL(server), resolveTo("127.0.0.1"))(url)
      for (const name of ["evil.com", "localhost.evil.com", "notlocalhost.com", "example.com."]) {
        assert.strictEqual(yield* kindOf(to(`https://${name}/mcp`)), "unsafe", name)
      }
      for (const name of ["localhost", "mcp.localhost", "laptop", "laptop.local.", "127.0.0.1"]) {
        assert.strictEqual((yield* to(`http://${name}/mcp`)).status, 200, name)
      }
    }))

  it.effect("is nothing when one of several addresses is not allowed", () =>
    Effect.gen(function*() {
      const { url } = yield* answering((_request, response) => response.end())
      const fetch = makeGuardedFetch(url, resolveTo("127.0.0.1", "169.254.169.254"))
      assert.strictEqual(yield* kindOf(fetch(new URL(`http://name.example:${url.port}/`))), "unsafe")
    }))

  it.effect("is http on this machine only, and no other scheme", () =>
    Effect.gen(function*() {
      const local = makeGuardedFetch(new URL("http://127.0.0.1/"), resolveTo("10.0.0.1"))
      for (const url of ["http://10.0.0.1/", "http://name.example/", "ftp://127.0.0.1/", "file:///etc/passwd"]) {
        assert.strictEqual(yield* kindOf(local(new URL(url))), "unsafe", url)
      }
      assert.strictEqual(yield* kindOf(local(new URL("http://u:p@127.0.0.1/"))), "unsafe")
    }))

  it.effect("is three redirects of one origin", () =>
    Effect.gen(function*() {
      const seen: Array<string> = []
      const { url } = yield* answering((request, response) => {
        const path = request.url ?? ""
        seen.push(`${request.method} ${path}`)
        const left = Number(/^\/(\d+)/.exec(path)?.[1] ?? 0)
        const location = path === "/out"
          ? `http://localhost:${url.port}/`
          : path === "/user"
          ? `http://u:p@${url.host}/`
          : `/${left - 1}`
        if (left > 0 || !/^\/\d/.test(path)) {
          response.writeHead(request.method === "POST" ? 302 : 307, { location }).end()
        } else response.end("done")
      })
      const fetch = makeGuardedFetch(url)
      const at = (path: string) => new URL(path, url)
      assert.strictEqual(
        yield* Effect.flatMap(fetch(at("/3")), (response) => Effect.promise(() => response.text())),
        "done"
      )
      for (const path of ["/4", "/out", "/user"]) assert.strictEqual(yield* kindOf(fetch(at(path))), "unsafe", path)
      assert.strictEqual(yield* kindOf(fetch(at("/1"), { method: "POST", body: "secret" })), "unsafe")
      assert.strictEqual(seen.at(-1), "POST /1")
    }))

  it.effect("ends: by size, by time, and when its caller goes", () =>
    Effect.gen(function*() {
      const closed: Array<string> = []
      const { server, url } = yield* answering((request, response) => {
        response.on("close", () => closed.push(request.url ?? ""))
        if (request.url === "/slow") response.write("{")
        if (request.url === "/endless") {
          const more = () => void (response.destroyed || response.write(Buffer.alloc(65_536), () => setImmediate(more)))
          more()
        }
        if (request.url === "/cut") {
          response.write("{")
          setImmediate(() => request.socket.destroy())
        }
      })
      const fetch = makeGuardedFetch(url)
      assert.strictEqual(yield* kindOf(fetch(new URL("/endless", url))), "too-large")
      assert.strictEqual(yield* kindOf(fetch(new URL("/cut", url))), "unreachable")
      for (const path of ["/never", "/slow"]) {
        const request = yield* Effect.forkChild(kindOf(fetch(new URL(path, url))), { startImmediately: true })
        yield* Effect.promise(() => new Promise((resolve) => server.once("request", resolve)))
        yield* TestClock.adjust("10 seconds")
        assert.strictEqual(yield* Fiber.join(request), "timeout")
      }
      const gone = yield* Effect.forkChild(fetch(new URL("/never", url)), { startImmediately: true })
      yield* Effect.promise(() => new Promise((resolve) => server.once("request", resolve)))
      yield* Fiber.interrupt(gone)
      yield* Effect.promise(async () => {
        while (closed.length < 5) await new Promise((resolve) => setImmediate(resolve))
      })
      server.close()
      assert.strictEqual(yield* kindOf(fetch(new URL("http://127.0.0.1:1/"))), "unreachable")
    }))

  it.effect("passes on what it sends and reads", () =>
    Effect.gen(function*() {
      const { url } = yield* answering((request, response) => {
        const chunks: Array<Buffer> = []
        request.on("data", (chunk: Buffer) => chunks.push(chunk))
        request.on("end", () => {
          const { authorization, "content-type": type } = request.headers
          response.writeHead(418, { "x-a": "1" })
          response.end(JSON.stringify([request.method, authorization, type, Buffer.concat(chunks).toString()]))
        })
      })
      const headers = new Headers({ authorization: "Basic x", "content-type": "text/plain" })
      const response = yield* makeGuardedFetch(url)(url, { method: "POST", headers, body: "ü" })
      assert.deepStrictEqual([response.status, response.headers.get("x-a")], [418, "1"])
      assert.deepStrictEqual(yield* Effect.promise(() => response.json()), ["POST", "Basic x", "text/plain", "ü"])
    }))
})

describe("the result of a call that needs a login", () => {
  it("holds nothing of the server's but names of permissions", () => {
    const token = Redacted.value(Redacted.make("secret-token"))
    const bad = `Bearer realm="https://x/?code=1", error="insufficient_scope", scope="a:b https://api.example/read ` +
      `https://u:p@x/ c?state=${token} {"x"} ${
        "y".repeat(100)
      }", error_description="${token}", resource_metadata="https://h/?q=${token}"`
    const results = [
      authResult("s", new AuthRequired({ detail: token, challenge: bad })),
      authResult("s", new AuthFailed({ detail: token, challenge: bad })),
      authResult("s", new AuthFailed({ detail: token })),
      authResult("s", new AuthFailed({ detail: token, challenge: "\n garbage \u0000" }))
    ]
    for (const result of results) assert.notMatch(JSON.stringify(result), /secret-token|code=|state=|u:p|realm|yyyy|\?/)
    assert.deepStrictEqual(results.map(({ meta }) => meta?.["error_code"]), [4006, 4007, 4007, 4007])
    assert.include(results[1]?.content?.[0]?.["text"], "(it asks for a:b, https://api.example/read)")
  })
})
