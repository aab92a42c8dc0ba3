import { assert, layer } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { createHash } from "node:crypto"
import { connectAgent, type ConnectedAgent, type ConnectOptions } from "../../src/agent/ConnectAgent.ts"
import * as ClientEvent from "../../src/protocol/ClientEvent.ts"
import * as ServerEvent from "../../src/protocol/ServerEvent.ts"
import * as SmcpError from "../../src/protocol/SmcpError.ts"
import * as Authenticator from "../../src/server/Authenticator.ts"
import * as Server from "../../src/server/Server.ts"
import * as SocketIoServer from "../../src/server/SocketIoServer.ts"
import * as SocketIoTransport from "../../src/transport/SocketIoTransport.ts"
import { serverUrl } from "../support/socketIoServer.ts"

const KEY = "canary-7f3a9c"

const LockedServer = SocketIoServer.layer().pipe(
  Layer.provide(Authenticator.layerApiKey({ keys: [Redacted.make(KEY)] }))
)

/** A Computer whose tool `slow` never ends and tells when it started. */
const playComputer = Effect.fnUntraced(function*(office: string) {
  const started = yield* Deferred.make<string>()
  const transport = yield* SocketIoTransport.make({
    url: yield* serverUrl,
    credentials: Effect.succeed({ token: KEY })
  })
  yield* transport.handle(
    ClientEvent.GetTools,
    ({ req_id }) => Effect.succeed({ tools: [{ name: "b__echo" }], req_id })
  )
  yield* transport.handle(ClientEvent.GetConfig, () => Effect.succeed({ servers: { b: { name: "b" } } }))
  yield* transport.handle(ClientEvent.ToolCall, ({ params, req_id, tool_name }) =>
    tool_name === "b__echo"
      ? Effect.succeed({ content: [{ type: "text", text: JSON.stringify(params) }] })
      : Effect.andThen(Deferred.succeed(started, req_id), Effect.never))
  yield* transport.call(ServerEvent.JoinOffice, { role: "computer", name: "C", office_id: office })
  return { transport, started }
})

const connected = (options: Omit<ConnectOptions, "url" | "name">) =>
  Effect.acquireRelease(
    Effect.flatMap(serverUrl, (url) => Effect.promise(() => connectAgent({ url, name: "A", ...options }))),
    (agent) => Effect.promise(() => agent.close())
  )

/** What a promise rejects with. */
const rejection = (promise: () => Promise<unknown>): Effect.Effect<unknown> =>
  Effect.promise(() => promise().then(() => assert.fail("It did not reject"), (error: unknown) => error))

layer(LockedServer, { excludeTestServices: true })("connectAgent", (it) => {
  it.effect("lists tools and Computers, calls a tool, reads the configuration, without Effect", () =>
    Effect.gen(function*() {
      yield* playComputer("one")
      const agent: ConnectedAgent = yield* connected({ office: "one", apiKey: KEY })
      const got = yield* Effect.promise(async () => ({
        tools: (await agent.tools()).map(({ computer, name }) => `${computer} ${name}`),
        computers: (await agent.computers()).map(({ name }) => name),
        outcome: await agent.callTool({ computer: "C", tool: "b__echo", params: { a: "é" } }),
        config: await agent.config("C")
      }))
      assert.deepStrictEqual<unknown>(got, {
        tools: ["C b__echo"],
        computers: ["C"],
        outcome: { _tag: "Ok", result: { content: [{ type: "text", text: `{"a":"é"}` }] } },
        config: { servers: { b: { name: "b" } } }
      })
    }))

  it.effect("asks for resources and the desktop, and carries bytes both ways, without Effect", () =>
    Effect.gen(function*() {
      const { transport } = yield* playComputer("blobs")
      const bytes = Uint8Array.from({ length: 50 }, (_, index) => index)
      const sha256 = createHash("sha256").update(bytes).digest("hex")
      yield* transport.handle(
        ClientEvent.GetResources,
        ({ cursor }) => Effect.succeed({ resources: [{ uri: `f://${cursor}` }], next_cursor: "next" })
      )
      yield* transport.handle(
        ClientEvent.GetDesktop,
        ({ window }) => Effect.succeed({ desktops: [`${window}\n\ntext`] })
      )
      yield* transport.handle(ClientEvent.GetBlob, ({ chunk_offset }) => {
        const blob = Buffer.from(bytes.subarray(chunk_offset ?? 0).subarray(0, 20)).toString("base64")
        return Effect.succeed({ total_size: 50, sha256, blob })
      })
      const received: Array<string> = []
      yield* transport.handle(ClientEvent.PutBlob, ({ blob }) =>
        Effect.sync(() => {
          received.push(blob)
          return { upload_id: "u", landing_path: "/landing" }
        }))
      const agent = yield* connected({ office: "blobs", apiKey: KEY })
      const progress: Array<number> = []
      const got = yield* Effect.promise(async () => {
        const pieces: Array<number> = []
        for await (const piece of agent.blob("C", "h")) pieces.push(...piece)
        return {
          resources: await agent.resources("C", "b", { cursor: "a" }),
          desktop: await agent.desktop("C", { window: "window://a" }),
          download: (await agent.download("C", "h")).bytes,
          pieces,
          uploaded: await agent.upload("C", bytes, { onProgress: ({ sent }) => progress.push(sent) })
        }
      })
      assert.deepStrictEqual(got.resources.resources.map(({ uri }) => uri), ["f://a"])
      assert.strictEqual(got.resources.nextCursor, "next")
      assert.deepStrictEqual(got.desktop, [{ uri: "window://a", text: "text", raw: "window://a\n\ntext" }])
      assert.deepStrictEqual([got.download, got.pieces], [bytes, [...bytes]])
      assert.deepStrictEqual(got.uploaded, { landingPath: "/landing", totalSize: 50, sha256 })
      assert.deepStrictEqual([received, progress], [[Buffer.from(bytes).toString("base64")], [0, 50]])
    }))

  it.effect("aborting the signal rejects the promise and cancels the call at the Computer", () =>
    Effect.gen(function*() {
      const { started, transport } = yield* playComputer("two")
      const cancelled = yield* Deferred.make<string>()
      yield* transport.notifications.pipe(
        Stream.runForEach((notification) =>
          notification.event === "notify:tool_call_cancel"
            ? Deferred.succeed(cancelled, notification.payload.req_id)
            : Effect.void
        ),
        Effect.forkScoped({ startImmediately: true })
      )
      const agent = yield* connected({ office: "two", apiKey: KEY })
      const controller = new AbortController()
      const call = yield* Effect.forkChild(
        rejection(() => agent.callTool({ computer: "C", tool: "b__slow" }, { signal: controller.signal })),
        { startImmediately: true }
      )
      const reqId = yield* Deferred.await(started)
      controller.abort("enough")
      assert.strictEqual(yield* Fiber.join(call), "enough")
      assert.strictEqual(yield* Deferred.await(cancelled), reqId)
    }))

  it.effect("closing ends what is under way and leaves the office", () =>
    Effect.gen(function*() {
      const { started } = yield* playComputer("three")
      const server = yield* Server.Server
      const agent = yield* connected({ office: "three", apiKey: KEY })
      const call = yield* Effect.forkChild(rejection(() => agent.callTool({ computer: "C", tool: "b__slow" })), {
        startImmediately: true
      })
      yield* Deferred.await(started)
      yield* Effect.promise(() => agent.close())
      yield* Fiber.join(call)
      assert.deepStrictEqual((yield* server.members("three")).map(({ name }) => name), ["C"])
    }))

  for (const apiKey of [undefined, "", `${KEY}x`]) {
    it.effect(`rejects with AuthenticationRejected for the key ${JSON.stringify(apiKey)}, without repeating it`, () =>
      Effect.gen(function*() {
        const url = yield* serverUrl
        const error = yield* rejection(() => connectAgent({ url, office: "R", name: "A", apiKey }))
        assert.instanceOf(error, SmcpError.SmcpError)
        assert.strictEqual(error.reason._tag, "AuthenticationRejected")
        assert.notInclude(JSON.stringify(error) + String(error), KEY)
      }))
  }

  it.effect("rejects with NotConnected when nobody listens, naming the address", () =>
    Effect.gen(function*() {
      const error = yield* rejection(() => connectAgent({ url: "http://127.0.0.1:1", office: "R", name: "A" }))
      assert.strictEqual((error as SmcpError.SmcpError).reason._tag, "NotConnected")
      assert.match(String(error), /127\.0\.0\.1:1: .*ECONNREFUSED/)
    }))

  it.effect("rejects with ConfigInvalid when the address is none", () =>
    Effect.gen(function*() {
      const error = yield* rejection(() => connectAgent({ url: "nonsense", office: "R", name: "A" }))
      assert.strictEqual((error as SmcpError.SmcpError).reason._tag, "ConfigInvalid")
    }))
})
