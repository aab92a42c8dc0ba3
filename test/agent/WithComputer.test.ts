import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { readFileSync } from "node:fs"
import * as Computer from "../../src/computer/Computer.ts"
import * as ConfigFile from "../../src/computer/ConfigFile.ts"
import * as Consent from "../../src/computer/Consent.ts"
import * as McpManager from "../../src/computer/McpManager.ts"
import { MemoryHub } from "../../src/transport/internal/memoryHub.ts"
import * as MemoryTransport from "../../src/transport/MemoryTransport.ts"
import { type Connectable, connectTo, ToolServer, until } from "../computer/support/memoryServers.ts"
import { quiet } from "../computer/support/office.ts"
import { eventually } from "../computer/support/processes.ts"
import { ResourceServer } from "../computer/support/resourceServers.ts"
import { bytesOf, filesIn, image, sha256Of } from "../computer/support/transfers.ts"
import { openAgent, openOffice } from "../support/memoryOffice.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"

/** An Agent, and a real Computer named `PC` with MCP servers of this process, in one office. */
const office = Effect.fnUntraced(function*(
  servers: Readonly<Record<string, Connectable>>,
  options: Computer.TransferOptions = {}
) {
  const hub = yield* openOffice()
  const config = { servers: Object.fromEntries(Object.keys(servers).map((id) => [id, { command: "-" }])) }
  const file = yield* ConfigFile.fromValue(config, "test")
  const context = yield* Layer.build(
    Computer.layerOnTransport({
      name: "PC",
      office: "R",
      ...file,
      ...options,
      consent: Consent.layerAllowAll,
      connector: connectTo(servers)
    }).pipe(Layer.provide(MemoryTransport.layerClient(hub)))
  )
  yield* Context.get(context, McpManager.McpManager).ready
  return { agent: yield* openAgent(hub), computer: Context.get(context, Computer.Computer), hub }
})

describe("an Agent and a Computer", () => {
  it.live("carry a result that is larger than any message, and nobody sees how", () =>
    Effect.gen(function*() {
      const shot = image(bytesOf(5_000_000), { _meta: { mine: 1 } })
      const { agent, computer } = yield* office({
        cam: new ToolServer({ shoot: () => ({ content: [{ type: "text", text: "here" }, shot] }) })
      })
      const outcome = yield* agent.callTool({ computer: "PC", tool: "cam__shoot" })
      assert.strictEqual(outcome._tag, "Ok")
      assert.notProperty(outcome, "unrestored")
      assert.deepStrictEqual(outcome.result.content, [{ type: "text", text: "here" }, shot])
      const kept = yield* agent.callTool({ computer: "PC", tool: "cam__shoot", blobs: "keep" })
      const meta = kept.result.content?.[1]?.["_meta"] as { readonly a2c_blob_handle: string }
      const { bytes, mimeType, sha256 } = yield* agent.download("PC", meta.a2c_blob_handle)
      assert.deepStrictEqual([mimeType, sha256], ["image/png", sha256Of(bytesOf(5_000_000))])
      const pieces = yield* Stream.runCollect(agent.blob("PC", meta.a2c_blob_handle))
      assert.isTrue(Buffer.concat(pieces).equals(bytes))
      assert.strictEqual(yield* computer.inFlight, 0)
    }).pipe(Effect.provide(quiet)))

  it.live("carry a file that is larger than any message into the landing root, and nothing else", () =>
    Effect.gen(function*() {
      const landingRoot = yield* temporaryFolder
      const { agent } = yield* office({}, { landingRoot })
      const bytes = bytesOf(3_000_000)
      const { landingPath, sha256 } = yield* agent.upload("PC", bytes, { nameHint: "../in put.csv" })
      assert.isTrue(landingPath.startsWith(`${landingRoot}/`))
      assert.isTrue(readFileSync(landingPath).equals(bytes))
      assert.strictEqual(sha256, sha256Of(bytes))
      assert.deepStrictEqual(filesIn(landingRoot).filter((path) => path.endsWith(".part")), [])
      const { agent: another } = yield* office({})
      const { reason } = yield* Effect.flip(another.upload("PC", bytes))
      assert.strictEqual(reason._tag === "BlobWriteFailed" && reason.reason, "forbidden")
    }).pipe(Effect.provide(quiet)))

  it.live("tell resources over all pages, and the desktop", () =>
    Effect.gen(function*() {
      const windows = ["window://w/1", "window://w/2"].map((uri) => ({ uri, name: uri, content: `text of ${uri}` }))
      const docs = new ResourceServer([...windows, { uri: "f://a", name: "a" }])
      docs.pageSize = 2
      const { agent } = yield* office({ docs, plain: new ToolServer({}) })
      const all = yield* Stream.runCollect(agent.allResources("PC", "docs"))
      assert.deepStrictEqual(all.map(({ name, uri }) => [uri, name]), [
        ["window://w/1", "window://w/1"],
        ["window://w/2", "window://w/2"],
        ["f://a", "a"]
      ])
      assert.deepStrictEqual((yield* agent.desktop("PC")).map(({ text, uri }) => [uri, text]), [
        ["window://w/1", "text of window://w/1"],
        ["window://w/2", "text of window://w/2"]
      ])
      assert.deepStrictEqual((yield* agent.desktop("PC", { window: "window://w/2" })).map(({ uri }) => uri), [
        "window://w/2"
      ])
      assert.deepStrictEqual(yield* agent.desktop("PC", { size: 0 }), [])
      const unknown = yield* Effect.flip(agent.resources("PC", "nothing"))
      assert.strictEqual(unknown.reason._tag, "McpServerNotFound")
      const unable = yield* Effect.flip(agent.resources("PC", "plain"))
      assert.strictEqual(unable.reason._tag, "McpCapabilityNotSupported")
    }).pipe(Effect.provide(quiet)))

  it.live("leave nothing running when 1,000 calls time out at once", () =>
    Effect.gen(function*() {
      let started = 0
      let stopped = 0
      const slow = new ToolServer({ slow: (_, { signal }) => (started++, until(signal, () => stopped++)) })
      const { agent, computer, hub } = yield* office({ slow })
      const outcomes = yield* Effect.forEach(
        Array.from({ length: 1000 }),
        () => agent.callTool({ computer: "PC", tool: "slow__slow", timeout: "1 second" }),
        { concurrency: "unbounded" }
      )
      assert.isTrue(outcomes.every(({ _tag }) => _tag === "TimedOut"))
      yield* Effect.timeout(hub.settled, "20 seconds")
      assert.strictEqual(yield* computer.inFlight, 0)
      yield* eventually("every tool was stopped", () => stopped === started)
      const ends = [...MemoryHub.of(hub).endpoints]
      assert.deepStrictEqual(ends.map(({ waitingCalls }) => waitingCalls), [0, 0, 0, 0])
    }).pipe(Effect.provide(quiet)))

  it.live("agree on a changed list of tools without being asked", () =>
    Effect.gen(function*() {
      const server = new ToolServer({ one: () => "1" })
      const { agent } = yield* office({ s: server })
      const offers = (...names: ReadonlyArray<string>) =>
        agent.catalogChanges.pipe(
          Stream.filter((catalog) => {
            const entry = catalog.get("PC")
            return entry?.status === "ready" && entry.tools.map(({ name }) => name).join() === names.join()
          }),
          Stream.take(1),
          Stream.runDrain,
          Effect.timeout("20 seconds")
        )
      yield* offers("s__one")
      server.tools = { one: () => "1", two: () => "2" }
      yield* Effect.promise(() => server.announce())
      yield* offers("s__one", "s__two")
      server.described = { two: { description: "changed" } }
      yield* Effect.promise(() => server.announce())
      yield* agent.catalogChanges.pipe(
        Stream.filter((catalog) => catalog.get("PC")?.tools[1]?.description === "changed"),
        Stream.take(1),
        Stream.runDrain,
        Effect.timeout("20 seconds")
      )
    }).pipe(Effect.provide(quiet)))
})
