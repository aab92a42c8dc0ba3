import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Outcome } from "./support/AgentProcess.ts"
import * as FaultProxy from "./support/FaultProxy.ts"
import { peakMiB, percentile, report, residentMiB } from "./support/figures.ts"
import { until } from "./support/waiting.ts"
import { finished, reaches, tally, work } from "./support/World.ts"
import * as World from "./support/World.ts"

const MINUTES = 60_000

/** A Server with two offices of one Computer and one Agent each; those of the first reach it through a proxy each. */
const twoOffices = Effect.gen(function*() {
  const world = yield* World.make
  const server = yield* world.server()
  const agentsNet = yield* FaultProxy.start(server.port)
  const computersNet = yield* FaultProxy.start(server.port)
  const [, , loud, quiet] = yield* Effect.all([
    world.computer({ url: computersNet.url, office: "loud", name: "one" }),
    world.computer({ url: server.url, office: "quiet", name: "two" }),
    world.agent({ url: agentsNet.url, office: "loud" }),
    world.agent({ url: server.url, office: "quiet" })
  ], { concurrency: "unbounded" })
  yield* reaches(loud, "one")
  /** Calls of the quiet office, one after the other. */
  const quietly = Effect.fnUntraced(function*(prefix: string, count: number) {
    const calls = work(prefix, count, { computer: "two" })
    yield* quiet.start(calls, 1)
    return yield* quiet.outcomesOf(calls)
  })
  yield* quietly("warm", 20)
  return { agentsNet, computersNet, loud, quietly, server, world }
})

/** Milliseconds that the calls took. */
const latency = (outcomes: ReadonlyArray<Outcome>) => {
  const millis = outcomes.map(({ endedAt, startedAt }) => endedAt - startedAt)
  return { median: percentile(millis, 0.5), p99: percentile(millis, 0.99), max: Math.max(...millis) }
}

const MIB = 1024 * 1024

describe("an Agent that does not read", () => {
  const COUNT = 48
  const LENGTH = 900_000

  it.live(
    "delays nobody else, costs the Server little more than what waits for it, and gets everything later",
    () =>
      Effect.gen(function*() {
        const { agentsNet, computersNet, loud, quietly, server, world } = yield* twoOffices
        const alone = latency(yield* quietly("alone", 100))
        const peakBefore = peakMiB(server.process.pid) ?? 0
        const waiting = Math.round(COUNT * LENGTH / MIB)
        const [read, answered] = [agentsNet.delivered("down"), computersNet.delivered("up")]
        yield* agentsNet.flow("hold", ["down"])
        const large = work("large", COUNT, { computer: "one", length: LENGTH })
        yield* loud.start(large)
        const beside = latency(yield* quietly("beside", 200))
        yield* until(
          "the Server has all results",
          () => computersNet.delivered("up") - answered > COUNT * LENGTH
        )
        const peakHeld = peakMiB(server.process.pid) ?? 0
        assert.isBelow(agentsNet.delivered("down") - read, LENGTH)

        yield* agentsNet.flow("pass", ["down"])
        const outcomes = yield* loud.outcomesOf(large)
        assert.deepStrictEqual(tally(outcomes), { Ok: COUNT })
        assert.deepStrictEqual(outcomes.filter(({ length }) => length !== LENGTH), [])
        const peak = peakMiB(server.process.pid) ?? 0
        assert.isBelow(peak - peakBefore, 4 * waiting + 64)
        report("Slow reader", {
          waitingMiB: waiting,
          serverMiB: { peakBefore, peakHeld, peak, afterwards: residentMiB(server.process.pid) },
          latencyOfTheOtherOffice: { alone, beside },
          outcomes: yield* world.end
        })
      }),
    2 * MINUTES
  )
})

describe("a flood of calls from one office", () => {
  const COUNT = 4000

  it.live("is served to its last call, and another office works on", () =>
    Effect.gen(function*() {
      const { loud, quietly, server, world } = yield* twoOffices
      const alone = latency(yield* quietly("alone", 100))
      const flood = work("flood", COUNT, { computer: "one", timeout: 300 })
      yield* loud.start(flood)
      yield* finished(world, flood.slice(0, 1))
      const beside = yield* quietly("beside", 100)
      assert.deepStrictEqual(tally(beside), { Ok: 100 })
      const outcomes = yield* loud.outcomesOf(flood)
      assert.deepStrictEqual(tally(outcomes), { Ok: COUNT })
      const took = Math.max(...outcomes.map(({ endedAt }) => endedAt)) -
        Math.min(...outcomes.map(({ startedAt }) => startedAt))
      report("Flood", {
        calls: COUNT,
        tookMillis: took,
        latencyOfTheFlood: latency(outcomes),
        latencyOfTheOtherOffice: { alone, beside: latency(beside) },
        peakOfServerMiB: peakMiB(server.process.pid),
        outcomes: yield* world.end
      })
    }), 3 * MINUTES)
})
