/** `idleHost KIND COUNT`: a host with so many idle servers, and the memory it has then. */
import { Effect } from "effect"
import { setTimeout as sleep } from "node:timers/promises"
import { closedLoop } from "../ClosedLoop.ts"
import { inMemory, makeHost, rawEntry } from "../Hosts.ts"
import { liveHeap, report } from "./measured.ts"

const [, , kind, count] = process.argv
const names = Array.from({ length: Number(count) }, (_, index) => `server-${index}`)
const host = await makeHost(
  Object.fromEntries(names.map((name) => [name, rawEntry("stdio")])),
  kind === "in-memory" ? inMemory : {}
)
await Effect.runPromise(host.manager.ready)
await closedLoop(names.map((name) => host.caller(name, { text: "once" })), names.length, 0)
await sleep(500)
const measured = { heap: await liveHeap(), rss: process.memoryUsage.rss() }
await host.close()
report(measured)
