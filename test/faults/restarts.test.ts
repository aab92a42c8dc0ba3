import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { peakMiB, report } from "./support/figures.ts"
import { reaches, running, stopped, tally, work } from "./support/World.ts"
import * as World from "./support/World.ts"

const MINUTES = 60_000

describe("a Server that is killed and started again on its port", () => {
  it.live("ends 200 calls under way, and everybody comes back by themselves", () =>
    Effect.gen(function*() {
      const world = yield* World.make
      const before = yield* world.server()
      const [, , red, blue] = yield* Effect.all([
        world.computer({ url: before.url, office: "red", name: "one" }),
        world.computer({ url: before.url, office: "blue", name: "two" }),
        world.agent({ url: before.url, office: "red" }),
        world.agent({ url: before.url, office: "blue" })
      ], { concurrency: "unbounded" })
      const slowRed = work("red", 100, { computer: "one", millis: 600_000, timeout: 900 })
      const slowBlue = work("blue", 100, { computer: "two", millis: 600_000, timeout: 900 })
      yield* red.start(slowRed)
      yield* blue.start(slowBlue)
      yield* running(world, [...slowRed, ...slowBlue])
      // one after the other, so that some of them meet the very moment
      const stream = work("stream", 2000, { computer: "one" })
      yield* red.start(stream, 2)
      yield* World.finished(world, stream.slice(0, 20))
      const peakOfServer = peakMiB(before.process.pid)
      yield* before.kill

      const killedAt = Date.now()
      const lost = [...yield* red.outcomesOf(slowRed), ...yield* blue.outcomesOf(slowBlue)]
      assert.deepStrictEqual(tally(lost), { "ConnectionLost unknown": 200 })
      const slowest = Math.max(...lost.map(({ endedAt }) => endedAt)) - killedAt
      // nobody asks for the results any more
      yield* stopped(world, [...slowRed, ...slowBlue])
      const streamed = tally(yield* red.outcomesOf(stream))
      assert.includeMembers(["Ok", "ConnectionLost unknown", "NotConnected"], Object.keys(streamed))

      const after = yield* world.server({ port: before.port })
      const startedAt = Date.now()
      yield* Effect.all([reaches(red, "one"), reaches(blue, "two")], { concurrency: "unbounded" })
      const recovery = Date.now() - startedAt
      const more = work("after", 100, { computer: "two" })
      yield* blue.start(more)
      assert.deepStrictEqual(tally(yield* blue.outcomesOf(more)), { Ok: 100 })
      assert.deepStrictEqual(yield* after.health.pipe(Effect.map(({ agents, computers }) => [agents, computers])), [
        2,
        2
      ])
      report("Server killed under 200 calls", {
        allCallsEndedAfterMillis: slowest,
        allBackAfterMillis: recovery,
        streamed,
        peakOfServerMiB: [peakOfServer, peakMiB(after.process.pid)],
        outcomes: yield* world.end
      })
    }), 3 * MINUTES)
})

describe("a Computer that is killed during its calls", () => {
  it.live(
    "ends them for their caller at once, leaves no MCP server, and can be started again",
    () =>
      Effect.gen(function*() {
        const world = yield* World.make
        const server = yield* world.server()
        const computer = yield* world.computer({ url: server.url, name: "laptop" })
        const agent = yield* world.agent({ url: server.url })
        const slow = work("slow", 50, { computer: "laptop", millis: 600_000, timeout: 900 })
        yield* agent.start(slow)
        yield* running(world, slow)
        yield* computer.kill

        const killedAt = Date.now()
        const outcomes = yield* agent.outcomesOf(slow)
        assert.deepStrictEqual(tally(outcomes), { NotFound: 50 })
        yield* world.noComputerLeft
        const gone = work("gone", 1, { computer: "laptop" })
        yield* agent.start(gone)
        assert.deepStrictEqual(tally(yield* agent.outcomesOf(gone)), { NotFound: 1 })

        const startedAt = Date.now()
        yield* world.computer({ url: server.url, name: "laptop" })
        yield* reaches(agent, "laptop")
        report("Computer killed under 50 calls", {
          allCallsEndedAfterMillis: Math.max(...outcomes.map(({ endedAt }) => endedAt)) - killedAt,
          startedAndBackAfterMillis: Date.now() - startedAt,
          peakOfServerMiB: peakMiB(server.process.pid),
          outcomes: yield* world.end
        })
      }),
    2 * MINUTES
  )
})
