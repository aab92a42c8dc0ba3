/** `soakHost CALLS CRASHES`: a host whose servers are called, and crash, so often; and what is left of it. */
import { Effect, Stream } from "effect"
import { setTimeout as sleep } from "node:timers/promises"
import { closedLoop } from "../ClosedLoop.ts"
import { makeHost, rawEntry } from "../Hosts.ts"
import type { SoakReport } from "../SoakBench.ts"
import { liveHeap, openFiles, report } from "./measured.ts"

const [, , callsWanted, crashesWanted] = process.argv
const SERVERS = ["a", "b", "c", "d"]
const WARM_UP_CALLS = 5_000
const WARM_UP_CRASHES = 20

const filesBefore = openFiles()
const host = await makeHost(Object.fromEntries(SERVERS.map((name) => [name, rawEntry("stdio")])), {
  concurrency: SERVERS.length,
  reconnect: { tries: 10_000, delay: "5 millis", maxDelay: "5 millis" }
})
await Effect.runPromise(host.manager.ready)

let failures = 0
const callers = SERVERS.map((name) => host.caller(name, { text: "x".repeat(200) }))
/** At least so many calls; gives how many they were. */
const call = async (count: number): Promise<number> => {
  let made = 0
  while (made < count) {
    const sample = await closedLoop(callers, 64, 250)
    made += sample.calls
    failures += sample.failures
  }
  return made
}

/** Crashes one server, again and again; each time from when it is ready anew. */
const crash = async (name: string, count: number): Promise<void> => {
  const isReady = host.manager.changes.pipe(
    Stream.filter((all) => all.some(({ entry, state }) => entry.bundleId === name && state._tag === "Ready")),
    Stream.runHead,
    Effect.timeout("30 seconds")
  )
  const isGone = host.manager.changes.pipe(
    Stream.filter((all) => all.some(({ entry, state }) => entry.bundleId === name && state._tag !== "Ready")),
    Stream.runHead,
    Effect.timeout("30 seconds")
  )
  for (let index = 0; index < count; index++) {
    const { isError } = await host.run(name, "crash", {})
    if (isError !== true) throw new Error("A call of a server that crashed was answered")
    await Effect.runPromise(isGone)
    await Effect.runPromise(isReady)
  }
}
const crashAll = (count: number): Promise<ReadonlyArray<void>> =>
  Promise.all(SERVERS.map((name) => crash(name, Math.ceil(count / SERVERS.length))))

await call(WARM_UP_CALLS)
await crashAll(WARM_UP_CRASHES)
const files = openFiles()
const heapBefore = await liveHeap()
const startedAt = performance.now()
const calls = await call(Number(callsWanted))
const afterCalls = performance.now()
const heapAfterCalls = await liveHeap()
await crashAll(Number(crashesWanted))
const afterCrashes = performance.now()
await sleep(200)
const heapAfterCrashes = await liveHeap()
const filesAfter = openFiles()
await host.close()
await sleep(200)
const measured: SoakReport = {
  calls,
  crashes: Number(crashesWanted),
  failures,
  seconds: { calls: (afterCalls - startedAt) / 1000, crashes: (afterCrashes - afterCalls) / 1000 },
  heap: { before: heapBefore, afterCalls: heapAfterCalls, afterCrashes: heapAfterCrashes },
  files: { before: files, after: filesAfter },
  left: { files: (openFiles() ?? 0) - (filesBefore ?? 0), resources: process.getActiveResourcesInfo() }
}
report(measured)
