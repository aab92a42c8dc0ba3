/** How soon the tools of twenty servers are there when one of them never starts. */
import { Effect, Stream } from "effect"
import { makeHost, rawEntry } from "./Hosts.ts"

export interface StartReport {
  readonly servers: number
  /** Seconds from the start of the host. */
  readonly firstTool: number
  readonly lastHealthy: number
  /** The slowest healthy server, started alone. */
  readonly slowestAlone: number
}

const SERVERS = 20
/** How much longer the slowest takes than the quickest, in milliseconds: those that load something first. */
const SPREAD = 1_000

const delayOf = (index: number): number => Math.round((index * SPREAD) / (SERVERS - 2))

const untilReady = async (servers: Readonly<Record<string, object>>, healthy: number) => {
  const startedAt = performance.now()
  const host = await makeHost(servers)
  const times: Array<number> = []
  await Effect.runPromise(
    host.manager.changes.pipe(
      Stream.map((all) => all.filter(({ state }) => state._tag === "Ready").length),
      Stream.takeUntil((ready) => {
        while (times.length < ready) times.push((performance.now() - startedAt) / 1000)
        return ready === healthy
      }),
      Stream.runDrain,
      Effect.timeout("2 minutes")
    )
  )
  await host.close()
  return times
}

export const runStartBench = async (
  options: { readonly progress: (line: string) => void }
): Promise<StartReport> => {
  options.progress("start: the slowest alone")
  const [slowestAlone] = await untilReady({ slowest: rawEntry("stdio", String(SPREAD)) }, 1)
  options.progress(`start: ${SERVERS} servers, one of which never starts`)
  const healthy = Array.from({ length: SERVERS - 1 }, (_, index): readonly [string, object] => [
    `server-${index}`,
    rawEntry("stdio", String(delayOf(index)))
  ])
  const times = await untilReady(Object.fromEntries([["never", rawEntry("silent")], ...healthy]), SERVERS - 1)
  return { servers: SERVERS, firstTool: times[0]!, lastHealthy: times.at(-1)!, slowestAlone: slowestAlone! }
}
