import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { writeFileSync } from "node:fs"
import type { AgentProcess } from "./support/AgentProcess.ts"
import * as FaultProxy from "./support/FaultProxy.ts"
import { peakMiB, report } from "./support/figures.ts"
import { untilEffect } from "./support/waiting.ts"
import { reaches, running, stopped, tally, work } from "./support/World.ts"
import * as World from "./support/World.ts"

const MINUTES = 60_000

/** A vanished peer is noticed within 4 seconds; a peer that is only slow has 3 of them. */
const SHORT_HEARTBEATS = ["--ping-interval", "1", "--ping-timeout", "3"]

/** A Server, and an Agent and a Computer that reach it through a proxy each. */
const officeBehindProxies = Effect.fnUntraced(function*(args: ReadonlyArray<string>) {
  const world = yield* World.make
  const server = yield* world.server({ args })
  const agentsNet = yield* FaultProxy.start(server.port)
  const computersNet = yield* FaultProxy.start(server.port)
  yield* world.computer({ url: computersNet.url, name: "laptop" })
  const agent = yield* world.agent({ url: agentsNet.url })
  yield* reaches(agent, "laptop")
  return { world, server, agent, agentsNet, computersNet }
})

const sessions = ({ health }: World.ServerPeer) => Effect.map(health, ({ sessions }) => sessions)

/** Milliseconds from a moment to the last of these outcomes. */
const lastEnd = (outcomes: Effect.Success<ReturnType<AgentProcess["outcomesOf"]>>, from: number): number =>
  Math.max(...outcomes.map(({ endedAt }) => endedAt)) - from

/** Takes the network from everybody during calls, for at least so long and until everybody has noticed. */
const networkGone = Effect.fnUntraced(function*(scenario: string, args: ReadonlyArray<string>, millis: number) {
  const { agent, agentsNet, computersNet, server, world } = yield* officeBehindProxies(args)
  const networks = [agentsNet, computersNet]
  const slow = work("slow", 20, { computer: "laptop", millis: 600_000, timeout: 900 })
  yield* agent.start(slow)
  yield* running(world, slow)
  const goneAt = Date.now()
  // Packets are lost and sent again until they arrive: what was written is not lost, it waits.
  yield* Effect.forEach(networks, (net) => Effect.andThen(net.flow("hold"), net.admit("hold")))
  const outcomes = yield* agent.outcomesOf(slow)
  assert.deepStrictEqual(tally(outcomes), { "ConnectionLost unknown": 20 })
  yield* stopped(world, slow)
  yield* untilEffect("the Server notices too", Effect.map(sessions(server), (count) => count === 0))
  const noticed = Date.now() - goneAt
  const offline = work("offline", 5, { computer: "laptop" })
  yield* agent.start(offline)
  assert.deepStrictEqual(tally(yield* agent.outcomesOf(offline)), { NotConnected: 5 })
  yield* Effect.sleep(Math.max(0, goneAt + millis - Date.now()))

  const backAt = Date.now()
  yield* Effect.forEach(networks, (net) => Effect.andThen(net.flow("pass"), net.admit("forward")))
  yield* reaches(agent, "laptop")
  report(scenario, {
    goneForMillis: backAt - goneAt,
    callsEndedAfterMillis: lastEnd(outcomes, goneAt),
    everybodyNoticedAfterMillis: noticed,
    allBackAfterMillis: Date.now() - backAt,
    peakOfServerMiB: peakMiB(server.process.pid),
    outcomes: yield* world.end
  })
})

/** What is done to the one connection of one peer, and what the Agent's calls get. */
interface Breakage {
  readonly name: string
  readonly breakIt: (net: FaultProxy.FaultProxy) => Effect.Effect<void>
}

const swallowed: Breakage = { name: "nobody is told", breakIt: (net) => net.flowOfOpen("swallow") }
const onlyPeer: Breakage = { name: "only the peer is told", breakIt: (net) => net.cut(["client"]) }
const onlyServer: Breakage = { name: "only the Server is told", breakIt: (net) => net.cut(["target"]) }
const everybody: Breakage = { name: "both sides are told", breakIt: (net) => net.cut() }

/** Breaks the connection of a peer again and again, each time in another way and during calls. */
const brokenConnections = Effect.fnUntraced(function*(
  peer: "Agent" | "Computer",
  expected: string,
  breakages: ReadonlyArray<Breakage>
) {
  const { agent, agentsNet, computersNet, server, world } = yield* officeBehindProxies(SHORT_HEARTBEATS)
  const net = peer === "Agent" ? agentsNet : computersNet
  const figures: Record<string, object> = {}
  for (const [index, breakage] of breakages.entries()) {
    const { breakIt, name } = breakage
    const gate = world.path(`gate${index}`)
    const calls = work(`broken${index}`, 20, { computer: "laptop", gate, timeout: 900 })
    yield* agent.start(calls)
    yield* running(world, calls)
    const brokenAt = Date.now()
    yield* breakIt(net)
    const outcomes = yield* agent.outcomesOf(calls)
    assert.deepStrictEqual(tally(outcomes), { [expected]: 20 }, name)
    // The tools go on for as long as nobody tells the Computer: then let them finish, their results are for nobody.
    if (peer === "Computer" && breakage === onlyServer) writeFileSync(gate, "")
    // With the gate closed they stop only because they are cancelled.
    yield* stopped(world, calls)
    yield* reaches(agent, "laptop")
    const back = Date.now() - brokenAt
    figures[name] = { callsEndedAfterMillis: lastEnd(outcomes, brokenAt), allBackAfterMillis: back }
  }
  report(`Broken connection of the ${peer}`, {
    ...figures,
    peakOfServerMiB: peakMiB(server.process.pid),
    outcomes: yield* world.end
  })
})

/** Numbers below 1, the same ones for the same seed. */
const random = (seed: number) => () => {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
  return seed / 2 ** 32
}

/** What a bad network does to a peer; the short ones pass by themselves. */
const troubles: ReadonlyArray<(net: FaultProxy.FaultProxy, millis: number) => Effect.Effect<void>> = [
  swallowed.breakIt,
  onlyPeer.breakIt,
  onlyServer.breakIt,
  everybody.breakIt,
  (net, millis) => Effect.andThen(net.flow("hold"), Effect.andThen(Effect.sleep(millis), net.flow("pass"))),
  (net, millis) => Effect.andThen(net.flow({ delayMillis: millis / 4 }), Effect.sleep(millis)),
  (net, millis) => Effect.andThen(net.admit("hold"), Effect.andThen(Effect.sleep(millis), net.admit("forward"))),
  (net, millis) =>
    net.admit("refuse").pipe(
      Effect.andThen(net.cut()),
      Effect.andThen(Effect.sleep(millis)),
      Effect.andThen(net.admit("forward"))
    )
]

/** One trouble after another for both peers at once, while calls go on. */
const badNetwork = Effect.fnUntraced(function*(seed: number, rounds: number) {
  const { agent, agentsNet, computersNet, server, world } = yield* officeBehindProxies(SHORT_HEARTBEATS)
  const next = random(seed)
  const badTimes = (net: FaultProxy.FaultProxy) =>
    Effect.gen(function*() {
      for (let round = 0; round < rounds; round++) {
        yield* troubles[Math.floor(next() * troubles.length)]!(net, next() * 1500)
        yield* Effect.sleep(next() * 2000)
      }
      yield* net.flow("pass")
    })
  const troubled = yield* Effect.forkChild(
    Effect.all([badTimes(agentsNet), badTimes(computersNet)], { concurrency: "unbounded" })
  )
  for (let batch = 0; troubled.pollUnsafe() === undefined; batch++) {
    yield* agent.start(work(`quick${batch}`, 3, { computer: "laptop", timeout: 5 }))
    yield* agent.start(work(`slow${batch}`, 3, { computer: "laptop", millis: next() * 1000, timeout: 5 }))
    yield* Effect.sleep(100)
  }
  const goodFrom = Date.now()
  yield* reaches(agent, "laptop")
  yield* stopped(world, agent.started())
  report("Bad network", {
    seed,
    allBackAfterMillis: Date.now() - goodFrom,
    peakOfServerMiB: peakMiB(server.process.pid),
    outcomes: yield* world.end
  })
})

// Nearly all of the time is waiting for heartbeats and for the network.
describe.concurrent("a network", () => {
  it.live(
    "that is gone for a minute under the default heartbeats: calls end, and everybody comes back by themselves",
    () => networkGone("Network gone for 60 s", [], 60_000),
    4 * MINUTES
  )

  it.live(
    "that is gone for as long as it takes to notice: calls end, and everybody comes back by themselves",
    () => networkGone("Network gone, heartbeats of 1 + 3 s", SHORT_HEARTBEATS, 0),
    3 * MINUTES
  )

  it.live(
    "that breaks the Agent's connection on one side, on the other, or without a word",
    () => brokenConnections("Agent", "ConnectionLost unknown", [swallowed, onlyPeer, onlyServer, everybody]),
    3 * MINUTES
  )

  it.live(
    "that breaks the Computer's connection on one side, on the other, or without a word",
    () => brokenConnections("Computer", "NotFound", [swallowed, onlyPeer, onlyServer, everybody]),
    3 * MINUTES
  )

  it.live(
    "that has one trouble after another while calls go on: when it is well again, so is everybody",
    () => badNetwork(Number(process.env["A2C_FAULTS_SEED"] ?? 7), 8),
    3 * MINUTES
  )
})
