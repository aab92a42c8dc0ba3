/** What an idle MCP server takes of the Computer's memory: a host with one against a host with many. */
import { measure } from "./MeasuredProcess.ts"

export interface MemoryCondition {
  readonly server: "in-memory" | "stdio"
  /** Bytes for each server more. An in-memory server itself is in it as well. */
  readonly heap: number
  readonly rss: number
}

export interface MemoryReport {
  readonly conditions: ReadonlyArray<MemoryCondition>
}

const MORE = 50

interface Measured {
  readonly heap: number
  readonly rss: number
}

export const runMemoryBench = async (
  options: { readonly progress: (line: string) => void }
): Promise<MemoryReport> => {
  const conditions: Array<MemoryCondition> = []
  for (const server of ["in-memory", "stdio"] as const) {
    options.progress(`memory: ${server}`)
    const one = await measure<Measured>("idleHost", [server, "1"])
    const many = await measure<Measured>("idleHost", [server, String(1 + MORE)])
    conditions.push({ server, heap: (many.heap - one.heap) / MORE, rss: (many.rss - one.rss) / MORE })
  }
  return { conditions }
}
