import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { normaliseFrame } from "../../../src/computer/internal/mcp/jsonRpcFrame.ts"
import { makeLineSplitter } from "../../../src/computer/internal/mcp/lineSplitter.ts"
import { makeLineRing } from "../../../src/computer/internal/process/lineRing.ts"
import { makeRedactor } from "../../../src/computer/internal/secrets/redact.ts"

const split = (bytes: Buffer, sizes: ReadonlyArray<number>, maxBytes = 1_000_000) => {
  const lines: Array<string> = []
  let overflows = 0
  const write = makeLineSplitter({ maxBytes, onLine: (line) => lines.push(line), onOverflow: () => overflows++ })
  let start = 0
  for (const size of sizes) {
    write(bytes.subarray(start, start + size))
    start += size
  }
  write(bytes.subarray(start))
  return { lines, overflows }
}

describe("lineSplitter", () => {
  it.effect.prop(
    "finds the same lines however the bytes are cut, between the bytes of a character too",
    [Schema.Array(Schema.String), Schema.Array(Schema.Int)],
    ([texts, cuts]) =>
      Effect.sync(() => {
        // half a surrogate pair does not survive UTF-8
        const lines = texts.map((text) => Buffer.from(`ä€😀${text.replaceAll("\n", "")}`).toString())
        const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(""))
        const sizes = cuts.map((cut) => Math.abs(cut) % 7)
        assert.deepStrictEqual(split(bytes, sizes), { lines, overflows: 0 })
      })
  )

  it("reports a line over the limit when it is too long and when it has ended, and reads the next", () => {
    const bytes = Buffer.from(`short\n${"x".repeat(50)}\nlater\n${"x".repeat(50)}\n`)
    assert.deepStrictEqual(split(bytes, [8, 20], 40), { lines: ["short", "later"], overflows: 4 })
  })
})

describe("lineRing", () => {
  it("keeps the last lines, bounded in number and length, the unfinished one included", () => {
    const ring = makeLineRing({ lines: 3, lineLength: 10 })
    ring.write("one\ntw")
    ring.write("o\n\n" + "y".repeat(100_000))
    ring.write("y".repeat(100_000) + "\r\nfour\nunfin")
    assert.deepStrictEqual(ring.last(), [`${"y".repeat(10)}…`, "four", "unfin"])
    assert.deepStrictEqual(ring.last(1), ["unfin"])
  })

  it("cleans a line before it is cut", () => {
    const ring = makeLineRing({ lineLength: 10, clean: makeRedactor(["secret-value"]) })
    ring.write("token: secret-value\n")
    assert.deepStrictEqual(ring.last(), ["token: ***"])
  })
})

describe("redact", () => {
  it("hides values whole, by line, as JSON and in addresses, and leaves short ones alone", () => {
    const redact = makeRedactor(["abcd", "abcdefgh", "key\n\"quoted\"", "yes", "a/b+c d", "\ud800abc", ""])
    assert.strictEqual(redact("abcdefgh abcd yes"), "*** *** yes")
    assert.strictEqual(redact("https://h/?q=a%2Fb%2Bc%20d&x=1 \ud800abc"), "https://h/?q=***&x=1 ***")
    assert.strictEqual(redact("{\"k\":\"key\\n\\\"quoted\\\"\"} and \"quoted\""), "{\"k\":\"***\"} and ***")
  })
})

describe("jsonRpcFrame", () => {
  it("keeps requests and notifications as they are, and drops what surrounds them", () => {
    const params = { _meta: { progressToken: 1 }, deep: [{}] }
    const request = { jsonrpc: "2.0", id: "a", method: "m", params }
    assert.deepStrictEqual(normaliseFrame({ ...request, extra: 1 }), request)
    assert.deepStrictEqual(normaliseFrame({ id: null, method: "m", params: null }), { jsonrpc: "2.0", method: "m" })
  })

  it("is not fooled by what is no frame or belongs to no request", () => {
    const none = [null, 5, "x", [], {}, { id: 1 }, { id: 1, level: "info" }, { id: null, result: {} }, {
      id: 1.5,
      result: {}
    }]
    for (const value of [...none, { id: {}, method: "m" }, { id: null, error: { code: 1, message: "m" } }]) {
      assert.strictEqual(normaliseFrame(value), undefined, JSON.stringify(value))
    }
  })
})
