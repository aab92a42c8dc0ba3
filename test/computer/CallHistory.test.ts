import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Schema, Stream } from "effect"
import * as CallHistory from "../../src/computer/CallHistory.ts"
import type { CallRecord } from "../../src/computer/CallRecord.ts"

const record = (rest: Partial<CallRecord> = {}): CallRecord => ({
  time: 1,
  requestId: "r",
  agent: "A",
  server: "files",
  tool: "write",
  exposedName: "files__write",
  args: {},
  inputSchema: undefined,
  outcome: "ok",
  error: undefined,
  decidedBy: "all",
  durationMillis: 2,
  ...rest
})

const open = (size?: number) =>
  Effect.map(Layer.build(CallHistory.layer({ size })), Context.get(CallHistory.CallHistory))

const ids = (records: ReadonlyArray<CallRecord>) => records.map(({ requestId }) => requestId)

describe("CallHistory", () => {
  it.effect("keeps the last ten calls, the newest first", () =>
    Effect.gen(function*() {
      const { add, recent } = yield* open()
      for (let index = 1; index <= 11; index++) yield* add(record({ requestId: String(index) }))
      assert.deepStrictEqual(ids(yield* recent), ["11", "10", "9", "8", "7", "6", "5", "4", "3", "2"])
    }))

  it.effect.prop(
    "keeps the newest of any number, and tells of each",
    [Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 5 })), Schema.Array(Schema.String)],
    ([size, given]) =>
      Effect.gen(function*() {
        const { add, changes, recent } = yield* open(size)
        const seen: Array<ReadonlyArray<string>> = []
        yield* Effect.forkScoped(Stream.runForEach(changes, (all) => Effect.sync(() => seen.push(ids(all)))), {
          startImmediately: true
        })
        for (const requestId of given) {
          yield* add(record({ requestId }))
          yield* Effect.yieldNow
        }
        const expected = given.toReversed().slice(0, size)
        assert.deepStrictEqual(ids(yield* recent), expected)
        assert.deepStrictEqual(seen.at(-1), expected)
        return true
      }).pipe(Effect.scoped)
  )

  it.effect("keeps names that an Agent chose no longer than names are", () =>
    Effect.gen(function*() {
      const { add, recent } = yield* open()
      const long = "n".repeat(1_000_000)
      yield* add(record({ requestId: long, agent: long, tool: long, exposedName: long }))
      assert.isBelow(JSON.stringify(yield* recent).length, 2000)
    }))

  it.effect("keeps everything of a call but its secrets, also where an error repeats them", () =>
    Effect.gen(function*() {
      const { add, recent } = yield* open()
      const inputSchema = { properties: { code: { format: "password" } } }
      const args = { path: "/x", code: "c0d3-one", headers: { authorization: "Bearer abcdefghijkl" } }
      const error = "HTTP 401 for c0d3-one with Bearer abcdefghijkl and sk-abcdefghijklmnop"
      const given = record({ args, inputSchema, outcome: "failed", error })
      yield* add(given)
      assert.deepStrictEqual(yield* recent, [{
        ...given,
        args: { path: "/x", code: "***", headers: { authorization: "***" } },
        error: "HTTP 401 for *** with *** and ***"
      }])
    }))
})
