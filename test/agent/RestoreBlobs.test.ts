import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { createHash } from "node:crypto"
import type { ToolCall } from "../../src/agent/Agent.ts"
import type { CallToolResult } from "../../src/protocol/Tool.ts"
import { playedOffice } from "./support/playedServer.ts"

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex")
const base64 = (text: string) => Buffer.from(text).toString("base64")

const marks = (text: string, handle = text) => ({
  a2c_blob_handle: handle,
  a2c_total_size: text.length,
  a2c_sha256: sha256(text)
})

/** An Agent that calls a tool with this result, at a Computer whose blobs are their own handles unless they begin with `!`. */
const calling = Effect.fnUntraced(function*(result: CallToolResult, options: Partial<ToolCall> = {}) {
  const { agent, all } = yield* playedOffice(({ event, payload }) => {
    if (event === "client:tool_call") return [result]
    if (event !== "client:get_blob") return undefined
    const handle: string = payload.blob_handle
    if (handle.startsWith("!")) return [{ code: 4018, message: "no", details: { reason: handle.slice(1) } }]
    const blob = base64(handle)
    return [{
      blob_handle: handle,
      total_size: handle.length,
      sha256: sha256(handle),
      chunk_offset: 0,
      eof: true,
      blob
    }]
  })
  const outcome = yield* agent.callTool({ computer: "C", tool: "t", ...options })
  return { outcome, pulled: all("client:get_blob").map(({ blob_handle }) => blob_handle) }
})

const image = { type: "image", mimeType: "image/png" }

const items: ReadonlyArray<readonly [what: string, sent: object, seen: object]> = [
  ["an image", { ...image, data: "", _meta: marks("pixels") }, { ...image, data: base64("pixels") }],
  [
    "sound, from a peer that writes nulls",
    { type: "audio", mimeType: "audio/wav", data: "", annotations: null, meta: null, _meta: marks("beep") },
    { type: "audio", mimeType: "audio/wav", data: base64("beep"), annotations: null, meta: null }
  ],
  [
    "a resource",
    { type: "resource", resource: { uri: "f://a", mimeType: null, blob: "" }, _meta: marks("bytes") },
    { type: "resource", resource: { uri: "f://a", mimeType: null, blob: base64("bytes") } }
  ],
  ["an image, marked under meta", { ...image, data: "", meta: marks("pixels") }, { ...image, data: base64("pixels") }],
  [
    "an image with metadata of its own",
    { ...image, data: "", _meta: { own: [1], ...marks("pixels") } },
    { ...image, data: base64("pixels"), _meta: { own: [1] } }
  ],
  [
    "an image without size and hash",
    { ...image, _meta: { a2c_blob_handle: "pixels", a2c_total_size: null, a2c_sha256: null } },
    { ...image, data: base64("pixels") }
  ],
  ["nothing, where nothing is marked", { ...image, data: "aGk=", _meta: {} }, { ...image, data: "aGk=", _meta: {} }],
  [
    "nothing, where the handle is no text",
    { type: "text", text: "hi", _meta: { a2c_blob_handle: 7 } },
    { type: "text", text: "hi", _meta: { a2c_blob_handle: 7 } }
  ]
]

describe("the result of a call", () => {
  it.effect.each(items)("gets back %s", ([, sent, seen]) =>
    Effect.gen(function*() {
      const rest = { structuredContent: null, isError: false, own: "kept" }
      const { outcome } = yield* calling({ content: [{ type: "text", text: "a" }, { ...sent }], ...rest })
      assert.deepStrictEqual<unknown>(outcome, {
        _tag: "Ok",
        result: { content: [{ type: "text", text: "a" }, seen], ...rest }
      })
    }))

  it.effect("gets back the parts of a tool that failed, too", () =>
    Effect.gen(function*() {
      const { outcome } = yield* calling({ content: [{ ...image, _meta: marks("pixels") }], isError: true })
      assert.deepStrictEqual<unknown>(outcome, {
        _tag: "Failed",
        result: { content: [{ ...image, data: base64("pixels") }], isError: true }
      })
    }))

  it.effect("keeps its handles when told to, and nothing is fetched", () =>
    Effect.gen(function*() {
      const result = { content: [{ ...image, data: "", _meta: marks("pixels") }] }
      const { outcome, pulled } = yield* calling(result, { blobs: "keep" })
      assert.deepStrictEqual<unknown>(outcome, { _tag: "Ok", result })
      assert.deepStrictEqual(pulled, [])
    }))

  it.effect("survives a part that cannot be had, and says which and why", () =>
    Effect.gen(function*() {
      const gone = { ...image, data: "", _meta: marks("pixels", "!gone") }
      const other = { ...image, data: "", _meta: { ...marks("pixels"), a2c_sha256: sha256("others") } }
      const { outcome } = yield* calling({ content: [gone, { ...image, _meta: marks("here") }, other] })
      assert.strictEqual(outcome._tag, "Ok")
      assert.deepStrictEqual<unknown>(outcome.result, { content: [gone, { ...image, data: base64("here") }, other] })
      assert.deepStrictEqual(
        outcome.unrestored?.map(({ error: { reason }, handle, index, totalSize }) => [
          index,
          handle,
          totalSize,
          reason._tag,
          reason._tag === "BlobNotAccessible" ? reason.reason : reason._tag === "BlobTransferFailed" && reason.problem
        ]),
        [[0, "!gone", 6, "BlobNotAccessible", "gone"], [2, "pixels", 6, "BlobTransferFailed", "changed"]]
      )
    }))

  it.effect("is restored as far as the allowed bytes reach, over all parts", () =>
    Effect.gen(function*() {
      const content = ["four", "sixsix", "four"].map((text) => ({ ...image, data: "", _meta: marks(text) }))
      const { outcome } = yield* calling({ content }, { maxRestoredBytes: 9 })
      assert.deepStrictEqual(outcome.result.content?.map(({ data }) => data), [base64("four"), "", base64("four")])
      assert.deepStrictEqual(outcome.unrestored?.map(({ error, index }) => [index, error.reason._tag]), [
        [1, "BlobTransferFailed"]
      ])
    }))
})
