/** The figures as tables for a person. */
import { availableParallelism, cpus, loadavg } from "node:os"
import type { McpReport } from "./McpBench.ts"
import type { MemoryReport } from "./MemoryBench.ts"
import type { Condition, Ratio, RelayReport } from "./RelayBench.ts"
import type { SoakReport } from "./SoakBench.ts"
import type { StackReport } from "./StackBench.ts"
import type { StartReport } from "./StartBench.ts"

export const machine = () => ({
  node: process.version,
  cpu: cpus()[0]?.model ?? "unknown",
  cores: availableParallelism(),
  load: loadavg()[0]!
})

/** What was measured; a part that was not is undefined. */
export interface Reports {
  readonly relay: RelayReport | undefined
  readonly stack: StackReport | undefined
  readonly mcp: McpReport | undefined
  readonly start: StartReport | undefined
  readonly memory: MemoryReport | undefined
  readonly soak: SoakReport | undefined
}

export const render = ({ mcp, memory, relay, soak, stack, start }: Reports): string => {
  const { cores, cpu, load, node } = machine()
  const about = `Node ${node}, ${cores} × ${cpu}, load ${load.toFixed(1)}`
  return [
    about,
    ...(relay === undefined ? [] : [renderRelay(relay)]),
    ...(stack === undefined ? [] : [renderStack(stack)]),
    ...(mcp === undefined ? [] : [renderMcp(mcp)]),
    ...(start === undefined ? [] : [renderStart(start)]),
    ...(memory === undefined ? [] : [renderMemory(memory)]),
    ...(soak === undefined ? [] : [renderSoak(soak)])
  ].join("\n\n")
}

const renderRelay = ({ conditions, peakRss }: RelayReport): string =>
  [
    "Relay: our Server against a bare Socket.IO relay, same thin peers over WebSocket, closed loop",
    table([
      ["payload", "in flight", "", "calls/s", "p50 ms", "p99 ms", "CPU µs/call"],
      ...conditions.flatMap(conditionRows)
    ]),
    `peak RSS: ours ${megabytes(peakRss.ours)}, bare ${megabytes(peakRss.bare)}, ratio ${
      (peakRss.ours / peakRss.bare).toFixed(2)
    }`,
    "Ratios are medians over the rounds, with the lowest and the highest round in brackets."
  ].join("\n")

const conditionRows = ({ bare, inFlight, ours, ratios, size }: Condition): ReadonlyArray<ReadonlyArray<string>> => {
  const figures = ({ cpuPerCall, p50, p99, throughput }: Condition["ours"]) => [
    throughput.toFixed(0),
    p50.toFixed(3),
    p99.toFixed(3),
    cpuPerCall.toFixed(1)
  ]
  return [
    [bytes(size), String(inFlight), "ours", ...figures(ours)],
    ["", "", "bare", ...figures(bare)],
    ["", "", "ratio", ...[ratios.throughput, ratios.p50, ratios.p99, ratios.cpuPerCall].map(ratioText)]
  ]
}

const renderStack = ({ conditions }: StackReport): string =>
  [
    "Whole stack: our Agent → our Server → our Computer → echo MCP server, against a direct call; p50 in ms, 1 in flight",
    table([
      ["MCP server", "payload", "direct", "stack", "added", "bare hop", "added / hop"],
      ...conditions.map(({ addedHops, direct, hop, server, size, stack }) => [
        server,
        bytes(size),
        direct.toFixed(3),
        stack.toFixed(3),
        (stack - direct).toFixed(3),
        hop.toFixed(3),
        addedHops.toFixed(2)
      ])
    ])
  ].join("\n")

const renderMcp = ({ conditions }: McpReport): string =>
  [
    "MCP servers: calls/s of the SDK's own client, of our McpClient, and through the whole Computer; the same raw server",
    table([
      ["transport", "in flight", "SDK", "McpClient", "Computer", "McpClient / SDK", "Computer / SDK"],
      ...conditions.map(({ client, computer, inFlight, ratios, sdk, transport }) => [
        transport,
        String(inFlight),
        ...[sdk, client, computer].map((throughput) => throughput.toFixed(0)),
        ratioText(ratios.client),
        ratioText(ratios.computer)
      ])
    ]),
    "In memory the SDK passes objects on, and ours go through JSON, so that the two sides never share one."
  ].join("\n")

const renderStart = ({ firstTool, lastHealthy, servers, slowestAlone }: StartReport): string =>
  `Start: ${servers} servers, one of which never starts; first tool after ${seconds(firstTool)}, the others after ` +
  `${seconds(lastHealthy)}; the slowest of them alone takes ${seconds(slowestAlone)}`

const renderMemory = ({ conditions }: MemoryReport): string =>
  [
    "Memory of an idle server on our side",
    table([
      ["server", "heap", "RSS"],
      ...conditions.map(({ heap, rss, server }) => [server, kilobytes(heap), kilobytes(rss)])
    ])
  ].join("\n")

const renderSoak = (
  { calls, crashes, failures, files, heap, left, seconds: { calls: calling, crashes: crashing } }: SoakReport
) =>
  [
    `Soak: ${calls} calls in ${seconds(calling)} (${failures} failed), ${crashes} crashes and restarts in ${
      seconds(crashing)
    }`,
    `heap: ${kilobytes(heap.before)} before, ${kilobytes(heap.afterCalls)} after the calls, ` +
    `${kilobytes(heap.afterCrashes)} after the crashes`,
    `file descriptors: ${files.before} before, ${files.after} after; ${left.files} more than at the start once closed`
  ].join("\n")

const seconds = (value: number): string => `${value.toFixed(2)} s`
const kilobytes = (size: number): string => `${(size / 1024).toFixed(0)} KiB`

const ratioText = ({ high, low, median }: Ratio): string =>
  `${median.toFixed(2)} (${low.toFixed(2)}–${high.toFixed(2)})`

const bytes = (size: number): string => size < 1000 ? `${size} B` : `${size / 1000} KB`
const megabytes = (size: number): string => `${(size / 2 ** 20).toFixed(0)} MiB`

const table = (rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  return rows.map((row) => row.map((cell, column) => cell.padStart(widths[column]!)).join("  ")).join("\n")
}
