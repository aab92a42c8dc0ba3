import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { createHash } from "node:crypto"
import type { Agent } from "../../src/agent/Agent.ts"
import { type Args, failure, playedOffice, type Script } from "./support/playedServer.ts"

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex")
const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64")
const bytesOf = (length: number, seed = 1) => Uint8Array.from({ length }, (_, index) => (index * 31 + seed) % 251)

interface Request {
  readonly blob_handle: string
  readonly chunk_offset: number
  readonly max_chunk_bytes?: number
}

/** What a Computer answers that keeps to the protocol and gives at most `cap` bytes a time. */
const chunk = (bytes: Uint8Array, { blob_handle, chunk_offset, max_chunk_bytes }: Request, cap = 10) => {
  const part = bytes.subarray(chunk_offset, chunk_offset + Math.min(cap, max_chunk_bytes ?? cap))
  return {
    blob_handle,
    mime_type: "image/png",
    total_size: bytes.length,
    sha256: sha256(bytes),
    chunk_offset,
    eof: chunk_offset + part.length === bytes.length,
    blob: base64(part),
    req_id: "another"
  }
}

/** A Computer that answers `client:get_blob`; told how many came before. */
const answering = (answer: (request: Request, count: number) => Args | Effect.Effect<Args>): Script => {
  let count = 0
  return ({ event, payload }) => event === "client:get_blob" ? answer(payload, count++) : undefined
}

const asList = (agent: Agent["Service"]) =>
  Effect.map(Stream.runCollect(agent.blob("C", "h")), (pieces) => pieces.flatMap((piece) => [...piece]))

const upTo = (maximum: number, minimum = 0) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

describe("a blob", () => {
  it.effect.prop(
    "comes whole, in order, and every byte once, whatever its size and however many chunks are asked for at once",
    [upTo(200), upTo(40, 1), upTo(6, 1)],
    Effect.fnUntraced(function*([size, cap, concurrency]) {
      const bytes = bytesOf(size)
      const { agent, all } = yield* playedOffice(answering((request) => [chunk(bytes, request, cap)]))
      const options = { concurrency }
      assert.deepStrictEqual(yield* agent.download("C", "h", options), {
        bytes,
        mimeType: "image/png",
        sha256: sha256(bytes)
      })
      assert.strictEqual(all("client:get_blob").length, Math.max(1, Math.ceil(size / cap)))
      const pieces = yield* Stream.runCollect(agent.blob("C", "h", options))
      assert.deepStrictEqual(pieces.flatMap((piece) => [...piece]), [...bytes])
      assert.isTrue(pieces.every((piece) => piece.length > 0))
    }, Effect.scoped),
    { arbitrary: { runs: 40 } }
  )

  it.effect("is pulled in a few ranges at once, and put in order whichever answer is first", () =>
    Effect.gen(function*() {
      const bytes = bytesOf(95)
      let now = 0
      let most = 0
      const { agent } = yield* playedOffice(answering((request, count) =>
        Effect.suspend(() => {
          most = Math.max(most, ++now)
          // The later it is asked for, the sooner it comes.
          return Effect.as(Effect.sleep(`${20 - count} seconds`), [chunk(bytes, request)])
        }).pipe(Effect.ensuring(Effect.sync(() => now--)))
      ))
      const download = yield* Effect.forkChild(agent.download("C", "h"), { startImmediately: true })
      yield* TestClock.adjust("2 minutes")
      assert.deepStrictEqual((yield* Fiber.join(download)).bytes, bytes)
      assert.strictEqual(most, 4)
    }))

  it.effect("is asked for no further than its reader reads, but for the chunks that are read ahead", () =>
    Effect.gen(function*() {
      const bytes = bytesOf(1000)
      const { agent, all } = yield* playedOffice(answering((request) => [chunk(bytes, request)]))
      yield* Stream.runDrain(Stream.take(agent.blob("C", "h", { concurrency: 1 }), 3))
      assert.isAtMost(all("client:get_blob").length, 5)
    }))

  it.effect("larger than allowed is refused after the first chunk", () =>
    Effect.gen(function*() {
      const { agent, all } = yield* playedOffice(answering((request) => [chunk(bytesOf(101), request)]))
      assert.strictEqual(
        yield* failure(agent.download("C", "h", { maxBytes: 100 })),
        "BlobTransferFailed too-large"
      )
      assert.strictEqual(all("client:get_blob").length, 1)
      assert.strictEqual((yield* agent.download("C", "h", { maxBytes: 101 })).bytes.length, 101)
    }))

  it.effect("that changes on the way is downloaded anew from its start, and ends a stream", () =>
    Effect.gen(function*() {
      const before = bytesOf(50, 1)
      const after = bytesOf(50, 2)
      const changing = () => answering((request, count) => [chunk(count < 3 ? before : after, request)])
      const { agent } = yield* playedOffice(changing())
      assert.deepStrictEqual((yield* agent.download("C", "h")).bytes, after)
      const streaming = yield* playedOffice(changing())
      const given: Array<number> = []
      const end = yield* failure(
        Stream.runForEach(
          streaming.agent.blob("C", "h", { concurrency: 1 }),
          (piece) => Effect.sync(() => given.push(...piece))
        )
      )
      assert.strictEqual(end, "BlobTransferFailed changed")
      assert.deepStrictEqual(given, [...before.subarray(0, given.length)])
    }))

  it.effect("that shrank on the way has changed, though the Computer calls it a wrong range", () =>
    Effect.gen(function*() {
      const after = bytesOf(5)
      const { agent } = yield* playedOffice(answering((request, count) =>
        count === 0
          ? [chunk(bytesOf(50), request)]
          : request.chunk_offset > 5
          ? [{ code: 4018, message: "Blob not accessible", details: { reason: "range" } }]
          : [chunk(after, request)]
      ))
      assert.deepStrictEqual((yield* agent.download("C", "h")).bytes, after)
    }))

  it.effect("stops asking when its reader is interrupted", () =>
    Effect.gen(function*() {
      const asked = yield* Deferred.make<void>()
      const { agent, all, hub } = yield* playedOffice(answering((request, count) =>
        count < 3
          ? [chunk(bytesOf(500), request)]
          : Effect.andThen(Deferred.succeed(asked, undefined), Effect.as(Effect.sleep("1 second"), []))
      ))
      const download = yield* Effect.forkChild(agent.download("C", "h"), { startImmediately: true })
      yield* Deferred.await(asked)
      yield* Fiber.interrupt(download)
      const { length } = all("client:get_blob")
      yield* TestClock.adjust("1 minute")
      yield* hub.settled
      assert.strictEqual(all("client:get_blob").length, length)
    }))

  it.effect("is not asked for in a revision that has none", () =>
    Effect.gen(function*() {
      const { agent, heard } = yield* playedOffice(() => undefined, { speaks: "0.1" })
      const { length } = heard
      assert.strictEqual(yield* failure(agent.download("C", "h")), "UnsupportedByPeer")
      assert.strictEqual(yield* failure(asList(agent)), "UnsupportedByPeer")
      assert.strictEqual(yield* failure(agent.upload("C", bytesOf(3))), "UnsupportedByPeer")
      assert.strictEqual(heard.length, length)
    }))

  const bytes = bytesOf(35)
  const good = (request: Request) => chunk(bytes, request)
  const second =
    (other: object) => (request: Request, count: number): Args => [{ ...good(request), ...(count === 0 ? {} : other) }]
  const refused = (reason: string): Args => [{ code: 4018, message: "Blob not accessible", details: { reason } }]

  const answers: ReadonlyArray<
    readonly [what: string, answer: (request: Request, count: number) => Args, end: string, mostRequests: number]
  > = [
    [
      "leaves out what follows from the rest",
      (request) => {
        const { blob, sha256, total_size } = good(request)
        return [{ blob, sha256, total_size }]
      },
      "whole",
      4
    ],
    [
      "sends null for it",
      (request) => [{
        ...good(request),
        ...{ blob_handle: null, mime_type: null, chunk_offset: null, eof: null, req_id: null }
      }],
      "whole",
      4
    ],
    [
      "writes the hash in capitals",
      (request) => [{ ...good(request), sha256: sha256(bytes).toUpperCase() }],
      "whole",
      4
    ],
    ["never says that it ended", (request) => [{ ...good(request), eof: false }], "whole", 4],
    [
      "gives fewer bytes than asked for",
      (request, count) => [chunk(bytes, request, count === 0 ? 10 : 3)],
      "whole",
      11
    ],
    [
      "gives more bytes than asked for",
      ({ max_chunk_bytes: _, ...request }, count) => [chunk(bytes, request, count === 0 ? 10 : 20)],
      "whole",
      4
    ],
    ["gives more bytes than there are", second({ blob: base64(bytesOf(40)) }), "InvalidResponse", 5],
    ["gives no bytes and no end", second({ blob: "", eof: false }), "InvalidResponse", 5],
    [
      "gives no bytes from the start",
      () => [{ ...good({ blob_handle: "h", chunk_offset: 0 }), blob: "" }],
      "InvalidResponse",
      1
    ],
    ["says the end before it", (request) => [{ ...good(request), eof: true }], "InvalidResponse", 1],
    ["answers for another place", second({ chunk_offset: 0 }), "InvalidResponse", 5],
    ["sends no base64", (request) => [{ ...good(request), blob: "ä" }], "InvalidResponse", 1],
    ["says a negative size", (request) => [{ ...good(request), total_size: -1 }], "InvalidResponse", 1],
    ["says no size", ({ blob_handle }) => [{ blob_handle, sha256: "", blob: "" }], "InvalidResponse", 1],
    ["says no hash", (request) => [{ ...good(request), sha256: null }], "InvalidResponse", 1],
    [
      "is another each time",
      (request, count) => [chunk(bytesOf(35, count), request)],
      "BlobTransferFailed changed",
      15
    ],
    [
      "gives other bytes than it has the hash of",
      (request) => [{ ...chunk(bytesOf(35, 9), request), sha256: sha256(bytes) }],
      "BlobTransferFailed corrupt",
      12
    ],
    ["refuses the handle", () => refused("invalid_handle"), "BlobNotAccessible invalid_handle", 1],
    ["forbids it", () => refused("forbidden"), "BlobNotAccessible forbidden", 1],
    [
      "has it no more",
      (request, count) => count === 0 ? [good(request)] : refused("gone"),
      "BlobNotAccessible gone",
      5
    ],
    ["finds the start out of range", () => refused("range"), "BlobNotAccessible range", 1],
    ["gives a reason of its own", () => refused("tired"), "BlobNotAccessible tired", 1],
    ["does not know the event", () => [], "UnsupportedByPeer", 1]
  ]
  it.effect.each(answers)(
    "of a Computer that %s ends as it should, soon",
    ([, answer, end, mostRequests]) =>
      Effect.gen(function*() {
        const downloading = yield* playedOffice(answering(answer))
        const download = Effect.map(downloading.agent.download("C", "h"), (got) => [...got.bytes])
        const whole = `succeeded with ${JSON.stringify([...bytes])}`
        assert.strictEqual(yield* failure(download), end === "whole" ? whole : end)
        assert.isAtMost(downloading.all("client:get_blob").length, mostRequests)
        const streaming = yield* playedOffice(answering(answer))
        assert.strictEqual(yield* failure(asList(streaming.agent)), end === "whole" ? whole : end)
      })
  )
})
