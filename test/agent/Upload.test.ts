import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FileSystem from "effect/FileSystem"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { createHash } from "node:crypto"
import * as Upload from "../../src/agent/Upload.ts"
import { type Args, failure, type Payload, playedOffice, type Script } from "./support/playedServer.ts"

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex")
const bytesOf = (length: number, seed = 1) => Uint8Array.from({ length }, (_, index) => (index * 31 + seed) % 251)
const upTo = (maximum: number, minimum = 0) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

const refused = (reason: string): Args => [{ code: 4019, message: "Blob write failed", details: { reason } }]

/** A Computer that keeps to the protocol, unless `answer` has something else to say. */
const receiver = (
  answer: (payload: Payload, count: number) => Readonly<Record<string, unknown>> | Args | undefined = () => undefined
) => {
  const landed: Array<{ readonly name: string | undefined; readonly bytes: Uint8Array }> = []
  const sessions = new Map<string, { readonly declared: Payload; received: Buffer }>()
  let count = 0
  let lastId = 0
  const accept = (payload: Payload): object => {
    const first = payload.upload_id === undefined
    const id = first ? `u${++lastId}` : payload.upload_id
    if (first) {
      assert.hasAllKeys(payload, [
        ...["agent", "req_id", "computer", "chunk_offset", "eof", "total_size", "sha256", "blob"],
        ...("name_hint" in payload ? ["name_hint"] : [])
      ])
      sessions.set(id, { declared: payload, received: Buffer.alloc(0) })
    } else {
      assert.hasAllKeys(payload, ["agent", "req_id", "computer", "upload_id", "chunk_offset", "eof", "blob"])
    }
    const session = sessions.get(id)!
    assert.strictEqual(payload.chunk_offset, session.received.length)
    session.received = Buffer.concat([session.received, Buffer.from(payload.blob, "base64")])
    assert.strictEqual(payload.eof, session.received.length === session.declared.total_size)
    const ack = { upload_id: id, chunk_offset: payload.chunk_offset, req_id: payload.req_id }
    if (!payload.eof) return ack
    const { name_hint: name, sha256: declared, total_size } = session.declared
    assert.strictEqual(sha256(session.received), declared)
    landed.push({ name, bytes: new Uint8Array(session.received) })
    return { ...ack, landing_path: `/landing/${id}`, total_size, sha256: declared }
  }
  const script: Script = ({ event, payload }) => {
    if (event !== "client:put_blob") return undefined
    const given = answer(payload, count++)
    return isArgs(given) ? given : [{ ...accept(payload), ...given }]
  }
  return { script, landed }
}

const isArgs = (given: object | undefined): given is Args => Array.isArray(given)

const inPieces = (bytes: Uint8Array, size: number) =>
  Stream.fromIterable(
    Array.from(
      { length: Math.ceil(bytes.length / size) },
      (_, index) => bytes.subarray(index * size, (index + 1) * size)
    )
  )

describe("an upload", () => {
  it.effect.prop(
    "arrives as it is, in order and within the connection's limit, however its source is cut",
    [upTo(5000, 1), upTo(700, 1), upTo(3000, 1500)],
    Effect.fnUntraced(function*([size, piece, maxPayload]) {
      const bytes = bytesOf(size)
      const { landed, script } = receiver()
      const { agent, all } = yield* playedOffice(script, { maxPayload })
      const progress: Array<Upload.Progress> = []
      const uploaded = yield* agent.upload("C", { stream: inPieces(bytes, piece) }, {
        nameHint: "é.bin",
        onProgress: (each) => Effect.sync(() => progress.push(each))
      })
      assert.deepStrictEqual(uploaded, { landingPath: "/landing/u1", totalSize: size, sha256: sha256(bytes) })
      assert.deepStrictEqual(landed, [{ name: "é.bin", bytes }])
      assert.deepStrictEqual(
        progress.map(({ sent }) => sent),
        [...all("client:put_blob").map(({ chunk_offset }) => chunk_offset), size]
      )
      assert.isTrue(progress.every(({ total }) => total === size))
    }, Effect.scoped),
    { arbitrary: { runs: 40 } }
  )

  it.effect("goes in chunks of 256 KiB where the connection takes them", () =>
    Effect.gen(function*() {
      const bytes = bytesOf(600 * 1024)
      const { landed, script } = receiver()
      const { agent, all } = yield* playedOffice(script)
      yield* agent.upload("C", bytes)
      assert.deepStrictEqual(landed, [{ name: undefined, bytes }])
      assert.deepStrictEqual(all("client:put_blob").map(({ chunk_offset }) => chunk_offset), [0, 262_144, 524_288])
    }))

  it.effect("runs its stream once when size and hash are given, and once more to measure it when they are not", () =>
    Effect.gen(function*() {
      const bytes = bytesOf(1000)
      let runs = 0
      const stream = Stream.suspend(() => (runs++, inPieces(bytes, 100)))
      const { agent } = yield* playedOffice(receiver().script)
      yield* agent.upload("C", { stream, size: 1000, sha256: sha256(bytes).toUpperCase() })
      assert.strictEqual(runs, 1)
      yield* agent.upload("C", { stream, size: 1000 })
      assert.strictEqual(runs, 3)
    }))

  it.effect("of a file goes under the file's name", () =>
    Effect.gen(function*() {
      const fileSystem = yield* FileSystem.FileSystem
      const folder = yield* fileSystem.makeTempDirectoryScoped()
      const bytes = bytesOf(200_000)
      yield* fileSystem.writeFile(`${folder}/shot.png`, bytes)
      const { landed, script } = receiver()
      const { agent } = yield* playedOffice(script)
      const source = yield* Upload.file(`${folder}/shot.png`)
      yield* agent.upload("C", source)
      yield* agent.upload("C", source, { nameHint: "other.png" })
      assert.deepStrictEqual(landed, [{ name: "shot.png", bytes }, { name: "other.png", bytes }])
      assert.strictEqual((yield* Effect.flip(Upload.file(`${folder}/none`)))._tag, "PlatformError")
      assert.match((yield* Effect.flip(Upload.file(folder))).message, /not a regular file/)
      yield* fileSystem.writeFile(`${folder}/empty`, new Uint8Array())
      const empty = yield* Effect.flip(agent.upload("C", yield* Upload.file(`${folder}/empty`)))
      assert.match(empty.message, /0 bytes/)
    }).pipe(Effect.provide(NodeFileSystem.layer)))

  const good = bytesOf(1000)
  const sources: ReadonlyArray<readonly [what: string, source: Upload.Source, end: string]> = [
    ["has no bytes", new Uint8Array(), "BlobTransferFailed empty"],
    ["is a stream without bytes", { stream: Stream.empty }, "BlobTransferFailed empty"],
    ["is declared empty", { stream: Stream.succeed(good), size: 0, sha256: sha256(good) }, "BlobTransferFailed empty"],
    ["is shorter than declared", { stream: inPieces(good, 300), size: 1001 }, "BlobTransferFailed source"],
    [
      "is longer than declared",
      { stream: inPieces(good, 300), size: 999, sha256: sha256(good.subarray(0, 999)) },
      "BlobTransferFailed source"
    ],
    [
      "begins with all that was declared",
      { stream: inPieces(good, 300), size: 300, sha256: sha256(good.subarray(0, 300)) },
      "BlobTransferFailed source"
    ],
    [
      "ends before its declared size",
      { stream: inPieces(good, 300), size: 1001, sha256: sha256(good) },
      "BlobTransferFailed source"
    ],
    [
      "has not the declared hash",
      { stream: inPieces(good, 300), size: 1000, sha256: sha256(bytesOf(1)) },
      "BlobTransferFailed source"
    ]
  ]
  it.effect.each(sources)(
    "whose source %s ends in an error and lands nowhere",
    ([, source, end]) =>
      Effect.gen(function*() {
        const { landed, script } = receiver()
        const { agent, all } = yield* playedOffice(script, { maxPayload: 1700 })
        assert.strictEqual(yield* failure(agent.upload("C", source)), end)
        assert.deepStrictEqual(landed, [])
        assert.isTrue(all("client:put_blob").every(({ eof }) => !eof))
        if (end.endsWith("empty")) assert.deepStrictEqual(all("client:put_blob"), [])
      })
  )

  it.effect("fails as its source fails", () =>
    Effect.gen(function*() {
      const { agent } = yield* playedOffice(receiver().script)
      const stream = Stream.concat(Stream.succeed(good), Stream.fail("the disk is gone" as const))
      assert.strictEqual(
        yield* Effect.flip(agent.upload("C", { stream, size: 2000, sha256: sha256(good) })),
        "the disk is gone"
      )
    }))

  it.effect("waits while the Computer is busy, longer each time, and begins anew", () =>
    Effect.gen(function*() {
      const times: Array<number> = []
      const clock = yield* Clock.Clock
      const { landed, script } = receiver((_, count) => {
        times.push(clock.currentTimeMillisUnsafe() / 1000)
        return count < 6 ? refused("busy") : undefined
      })
      const { agent } = yield* playedOffice(script)
      const upload = yield* Effect.forkChild(agent.upload("C", good), { startImmediately: true })
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* Fiber.join(upload)).landingPath, "/landing/u1")
      assert.deepStrictEqual(times, [0, 0.5, 1.5, 3.5, 7.5, 12.5, 17.5])
      assert.strictEqual(landed.length, 1)
    }))

  it.effect("gives up on a Computer that stays busy", () =>
    Effect.gen(function*() {
      const { script } = receiver(() => refused("busy"))
      const { agent, all } = yield* playedOffice(script)
      const upload = yield* Effect.forkChild(failure(agent.upload("C", good)), { startImmediately: true })
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual(yield* Fiber.join(upload), "BlobWriteFailed busy")
      assert.isBelow(all("client:put_blob").length, 20)
    }))

  const late = (reason: string, times: number) => (payload: Payload, count: number) =>
    payload.upload_id !== undefined && count <= times * 2 - 1 ? refused(reason) : undefined

  const reactions: ReadonlyArray<
    readonly [what: string, answer: Parameters<typeof receiver>[0], end: string, requests: number]
  > = [
    ["loses the upload once", late("invalid_upload", 1), "landed", 4],
    ["loses it twice", late("invalid_upload", 2), "BlobWriteFailed invalid_upload", 4],
    ["receives other bytes once", late("integrity", 1), "landed", 4],
    ["receives other bytes twice", late("integrity", 2), "BlobWriteFailed integrity", 4],
    ["takes none", () => refused("forbidden"), "BlobWriteFailed forbidden", 1],
    ["finds it too large", () => refused("too_large"), "BlobWriteFailed too_large", 1],
    ["has no space left", late("io_error", 1), "BlobWriteFailed io_error", 2],
    ["finds the place wrong", late("range", 1), "BlobWriteFailed range", 2],
    ["finds the declaration wrong", () => refused("invalid_declaration"), "BlobWriteFailed invalid_declaration", 1],
    ["gives a reason of its own", () => refused("tired"), "BlobWriteFailed tired", 1],
    ["gives no reason", () => [{ code: 4019, message: "no" }], "BlobWriteFailed", 1],
    ["does not know the event", () => [], "UnsupportedByPeer", 1],
    ["gives no upload id", () => [{ chunk_offset: 0 }], "InvalidResponse", 1],
    [
      "tells no path at the end",
      ({ eof }) => eof ? [{ upload_id: "u1", landing_path: null }] : undefined,
      "InvalidResponse",
      2
    ],
    ["received another number of bytes", ({ eof }) => eof ? { total_size: 1 } : undefined, "InvalidResponse", 2],
    ["received another hash", ({ eof }) => eof ? { sha256: "00" } : undefined, "InvalidResponse", 2],
    [
      "leaves out everything but the path at the end",
      ({ eof }) => eof ? [{ landing_path: "/landing/u1" }] : undefined,
      "landed",
      2
    ]
  ]
  it.effect.each(reactions)(
    "to a Computer that %s ends as it should",
    ([, answer, end, requests]) =>
      Effect.gen(function*() {
        // Two chunks.
        const { agent, all } = yield* playedOffice(receiver(answer).script, { maxPayload: 2200 })
        const upload = Effect.as(agent.upload("C", good), "landed")
        assert.strictEqual(yield* failure(upload), end === "landed" ? "succeeded with \"landed\"" : end)
        assert.strictEqual(all("client:put_blob").length, requests)
      })
  )

  it.effect("is not tried in a revision that has none", () =>
    Effect.gen(function*() {
      const { agent, all } = yield* playedOffice(receiver().script, { speaks: "0.3" })
      assert.strictEqual(yield* failure(agent.upload("C", good)), "UnsupportedByPeer")
      assert.deepStrictEqual(all("client:put_blob"), [])
    }))
})
