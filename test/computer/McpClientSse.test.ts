import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import * as McpClient from "../../src/computer/McpClient.ts"
import type { McpErrorReason } from "../../src/computer/McpError.ts"
import { atOnce, expectReason, failure } from "./support/mcpClients.ts"
import { eventually } from "./support/processes.ts"
import {
  type Answer,
  answerOverStream,
  endpoint,
  events,
  hang,
  raw,
  rawHttpServer,
  reset
} from "./support/rawHttpServer.ts"

type Tag = McpErrorReason["_tag"]

const fork = <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.forkChild(self, { startImmediately: true })

describe("McpClient over SSE", () => {
  const connectSse = (url: string, options: Partial<McpClient.HttpOptions & McpClient.ConnectOptions> = {}) =>
    McpClient.connectSse({ url, ...options })

  const beginnings: ReadonlyArray<readonly [name: string, answer: Answer, outcome: Tag]> = [
    ["never answers", hang, "Handshake"],
    ["names no endpoint", events(": hi\n\n"), "Handshake"],
    ["names an endpoint elsewhere", endpoint("http://localhost:9/x"), "Handshake"],
    ["ends the stream", events(": hi\n\n", (response) => response.end()), "Closed"],
    ["resets the stream", reset, "Closed"],
    ["answers with a page", raw(200, { "content-type": "text/html" }, "<html>"), "Decode"],
    ["answers with 404", raw(404, {}), "Http"],
    ["wants a login", raw(401, {}), "AuthRequired"],
    ["refuses the login", raw(403, {}), "AuthFailed"]
  ]
  for (const [name, answer, outcome] of beginnings) {
    it.live(`a server that ${name} fails the connect in time, and leaves nothing`, () =>
      Effect.gen(function*() {
        const server = yield* rawHttpServer
        server.answers["GET"] = answer
        const { reason } = yield* failure(atOnce(connectSse(server.url, { startTimeout: "300 millis" })))
        expectReason(reason, outcome)
        yield* eventually("no request is open", () => server.open() === 0)
      }))
  }

  it.live("many calls at a time are no leak to Node", () =>
    Effect.gen(function*() {
      const warnings: Array<string> = []
      const onWarning = ({ name }: Error) => warnings.push(name)
      process.on("warning", onWarning)
      yield* Effect.addFinalizer(() => Effect.sync(() => process.off("warning", onWarning)))
      const server = yield* rawHttpServer
      answerOverStream(server)
      const client = yield* connectSse(`${server.url}?sse`)
      server.answers["tools/call"] = hang
      yield* Effect.forEach(Array.from({ length: 30 }), () => fork(Effect.exit(client.callTool("x", {}))))
      yield* eventually("the calls arrived", () => server.open() >= 30)
      assert.deepStrictEqual(warnings, [])
    }))

  it.live("ends with the stream, and when the server says nothing for too long; refused messages cost their call", () =>
    Effect.gen(function*() {
      const server = yield* rawHttpServer
      const streamed = answerOverStream(server)
      const client = yield* connectSse(`${server.url}?sse`, { timeout: "300 millis" })
      const refusals: ReadonlyArray<readonly [Answer, Tag]> = [
        [raw(401, {}), "AuthRequired"],
        [raw(500, {}), "Http"],
        [hang, "Closed"],
        [reset, "Closed"]
      ]
      for (const [answer, tag] of refusals) {
        server.answers["tools/call"] = answer
        expectReason((yield* failure(atOnce(client.callTool("x", {})))).reason, tag)
      }
      server.answers["tools/call"] = raw(202, {})
      const call = yield* fork(failure(client.callTool("x", {})))
      yield* eventually(
        "the call arrived",
        () => server.arrived.filter(({ what }) => what === "tools/call").length === 5
      )
      streamed()?.end()
      expectReason((yield* atOnce(Fiber.join(call))).reason, "Closed")
      expectReason((yield* atOnce(client.closed)).reason, "Closed")
      assert.strictEqual(server.arrived.filter(({ what }) => what === "GET").length, 1)

      const silent = yield* connectSse(`${server.url}?sse`, { readTimeout: "200 millis" })
      assert.include((yield* atOnce(silent.closed)).message, "said nothing for 0.2 s")
    }))
})
