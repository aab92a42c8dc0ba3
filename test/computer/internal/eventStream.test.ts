import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { isoDurationMillis } from "../../../src/computer/internal/config/isoDuration.ts"
import { makeEventStreamReader } from "../../../src/computer/internal/mcp/eventStream.ts"
import { makeLineSplitter } from "../../../src/computer/internal/mcp/lineSplitter.ts"
import { overflowFailure } from "../../../src/computer/internal/mcp/oversizeFrame.ts"

const stream =
  "\uFEFF: comment\nid: 1\nevent: endpoint\ndata: /x\n\nretry: 1500\ndata:{\"a\":\r\ndata: \"ü→𝄞\"}\r\n\r\n" +
  "id\ndata: ignored field below\nother: x\n\nevent: empty\n\ndata: last\n\ndata: unfinished"

const readAll = (chunks: Iterable<Buffer>) => {
  const seen: Array<unknown> = []
  const read = makeEventStreamReader({
    maxBytes: 1000,
    onEvent: ({ data, event }) => seen.push([event, data]),
    onId: (id) => seen.push(["#id", id]),
    onRetry: (millis) => seen.push(["#retry", millis]),
    onOverflow: () => seen.push(["#overflow"])
  })
  for (const chunk of chunks) read(chunk)
  return seen
}

const expected = [
  ["#id", "1"],
  ["endpoint", "/x"],
  ["#retry", 1500],
  ["message", "{\"a\":\n\"ü→𝄞\"}"],
  ["#id", ""],
  ["message", "ignored field below"],
  ["message", "last"]
]

describe("reading a stream of events", () => {
  it.effect.prop(
    "gives the same events however its bytes are cut",
    [Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 9 })))],
    ([sizes]) =>
      Effect.sync(() => {
        for (const end of ["\n", "\r\n", "\r", undefined]) {
          const bytes = Buffer.from(end === undefined ? stream : stream.replace(/\r?\n/g, end))
          const chunks: Array<Buffer> = []
          let start = 0
          for (const size of sizes) {
            chunks.push(bytes.subarray(start, start + size))
            start += size
          }
          chunks.push(bytes.subarray(start))
          assert.deepStrictEqual(readAll(chunks), expected)
        }
      })
  )

  it("gives an event as soon as its last line has ended, be it in a carriage return alone", () => {
    assert.deepStrictEqual(readAll([Buffer.from("data: one\r\r")]), [["message", "one"]])
    assert.deepStrictEqual(readAll([Buffer.from("data: one\r"), Buffer.from("\n\r"), Buffer.from("\n")]), [[
      "message",
      "one"
    ]])
  })

  it("gives the id of an event that has ended, and of no other: what was cut off has to be sent again", () => {
    assert.deepStrictEqual(readAll([Buffer.from("id: 1\ndata: one\n\nid: 2\n\nid: 3\ndata: {\"cut")]), [
      ["#id", "1"],
      ["message", "one"],
      ["#id", "2"]
    ])
  })

  it("skips an event that is too large, in one line or in many, and reads the next", () => {
    const long = `data: ${"x".repeat(2000)}\n\n`
    const many = "data: 0123456789\n".repeat(101) + "\n"
    const empty = "data\n".repeat(2000) + "\n"
    for (const text of [long, many, empty]) {
      const seen = readAll([Buffer.from(`${text}data: next\n\n`)])
      // when it is too large, and when it has ended
      assert.deepStrictEqual(seen, [["#overflow"], ["#overflow"], ["message", "next"]])
    }
  })

  it("tells whose answer it was that came in too many lines", () => {
    const failures: Array<unknown> = []
    const read = makeEventStreamReader({
      maxBytes: 100,
      onEvent: () => assert.fail("it is too large"),
      onOverflow: (overflow) => failures.push(overflowFailure(overflow, 100))
    })
    read(Buffer.from(`data: {"result":{\n${"data: 0123456789\n".repeat(100)}data: },"id":7}\n\n`))
    assert.isUndefined(failures[0])
    assert.deepInclude(failures[1], { id: 7 })
    assert.lengthOf(failures, 2)
  })
})

describe("a line of a gigabyte", () => {
  it("costs no more than the limit, tells whose answer it was, and the next line is read", () => {
    const limit = 1024 * 1024
    const lines: Array<string> = []
    const failures: Array<unknown> = []
    const read = makeLineSplitter({
      maxBytes: limit,
      onLine: (line) => lines.push(line),
      onOverflow: (overflow) => failures.push(overflowFailure(overflow, limit))
    })
    const chunk = Buffer.alloc(64 * 1024, "x")
    const before = process.memoryUsage().arrayBuffers
    read(Buffer.from("{\"result\":{\"v\":\""))
    for (let sent = 0; sent < 1024 ** 3; sent += chunk.length) read(chunk)
    assert.isBelow(process.memoryUsage().arrayBuffers - before, 4 * limit)
    assert.deepStrictEqual(failures, [undefined])
    read(Buffer.from("\"},\"jsonrpc\":\"2.0\",\"id\":42}\n{\"next\":1}\n"))
    assert.deepInclude(failures[1], { id: 42 })
    assert.deepStrictEqual(lines, ["{\"next\":1}"])
  })
})

describe("the durations of a configuration", () => {
  it.each([
    ["PT30S", 30_000],
    ["PT5M", 300_000],
    ["PT1M30.5S", 90_500],
    ["P1DT1H", 90_000_000],
    ["PT0S", 0],
    ["30", undefined],
    ["PT", undefined],
    ["P1Y", undefined],
    ["PT1.2.3S", undefined]
  ])("%s", (text, millis) => {
    assert.strictEqual(isoDurationMillis(text), millis)
  })
})
