/**
 * Calls of one MCP server, as many as it takes: the SDK's own client, our `McpClient`, and the whole way through a Computer,
 * in turns, each in a process of its own and over a connection of its own to the same raw server.
 */
import { type BenchProcess, startProcess } from "./BenchProcess.ts"
import { median, type Sample } from "./ClosedLoop.ts"
import type { Ratio } from "./RelayBench.ts"
import { startServer } from "./ServerProcess.ts"

export interface Plan {
  readonly rounds: number
  readonly roundMillis: number
  readonly warmUpMillis: number
}

export const TRANSPORTS = ["stdio", "http", "sse", "in-memory"] as const
export type McpTransport = (typeof TRANSPORTS)[number]

/** The three ways, in the order they are reported. */
const WAYS = ["sdk", "client", "computer"] as const
export type Way = (typeof WAYS)[number]

/** What a caller is asked for. */
export interface Order {
  readonly inFlight: number
  readonly millis: number
}

export interface McpCondition {
  readonly transport: McpTransport
  readonly inFlight: number
  /** Calls per second, medians over the rounds. */
  readonly sdk: number
  readonly client: number
  readonly computer: number
  /** Divided by the SDK's. */
  readonly ratios: { readonly client: Ratio; readonly computer: Ratio }
}

export interface McpReport {
  readonly conditions: ReadonlyArray<McpCondition>
}

const IN_FLIGHT = [1, 64]

type Callers = Readonly<Record<Way, BenchProcess>>

export const runMcpBench = async (
  plan: Plan,
  options: { readonly progress: (line: string) => void; readonly transports?: ReadonlyArray<McpTransport> | undefined }
): Promise<McpReport> => {
  const http = await startServer("rawMcp", { args: ["http"] })
  const conditions: Array<McpCondition> = []
  for (const transport of options.transports ?? TRANSPORTS) {
    const caller = async (way: Way) => {
      const started = startProcess("mcpCaller", { args: [way, transport, http.url] })
      await started.next()
      return started
    }
    const callers: Callers = {
      sdk: await caller("sdk"),
      client: await caller("client"),
      computer: await caller("computer")
    }
    for (const inFlight of IN_FLIGHT) {
      options.progress(`mcp: ${transport}, ${inFlight} in flight`)
      conditions.push({ transport, inFlight, ...await inTurns(plan, inFlight, callers) })
    }
    await Promise.all(WAYS.map((way) => callers[way].stop()))
  }
  await http.stop()
  return { conditions }
}

const inTurns = async (plan: Plan, inFlight: number, callers: Callers) => {
  const run = (way: Way, millis: number): Promise<Sample> => callers[way].ask({ inFlight, millis } satisfies Order)
  const samples: Record<Way, Array<number>> = { sdk: [], client: [], computer: [] }
  for (const way of WAYS) await run(way, plan.warmUpMillis)
  for (let round = 0; round < plan.rounds; round++) {
    // everyone is first in turn
    for (let place = 0; place < WAYS.length; place++) {
      const way = WAYS[(round + place) % WAYS.length]!
      const { calls, failures, throughput } = await run(way, plan.roundMillis)
      if (failures > 0) throw new Error(`${failures} of ${calls} calls failed (${way})`)
      samples[way].push(throughput)
    }
  }
  const ratio = (way: Way): Ratio => {
    const ratios = samples[way].map((value, round) => value / samples.sdk[round]!)
    return { median: median(ratios), low: Math.min(...ratios), high: Math.max(...ratios) }
  }
  return {
    sdk: median(samples.sdk),
    client: median(samples.client),
    computer: median(samples.computer),
    ratios: { client: ratio("client"), computer: ratio("computer") }
  }
}
