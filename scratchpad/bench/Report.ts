/** The figures as tables for a person. */
import { availableParallelism, cpus, loadavg } from "node:os"
import type { Condition, Ratio, RelayReport } from "./RelayBench.ts"
import type { StackReport } from "./StackBench.ts"

export const machine = () => ({
  node: process.version,
  cpu: cpus()[0]?.model ?? "unknown",
  cores: availableParallelism(),
  load: loadavg()[0]!
})

export const render = (report: {
  readonly relay: RelayReport | undefined
  readonly stack: StackReport | undefined
}): string => {
  const { cores, cpu, load, node } = machine()
  const about = `Node ${node}, ${cores} × ${cpu}, load ${load.toFixed(1)}`
  return [
    about,
    ...(report.relay === undefined ? [] : [renderRelay(report.relay)]),
    ...(report.stack === undefined ? [] : [renderStack(report.stack)])
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

const ratioText = ({ high, low, median }: Ratio): string =>
  `${median.toFixed(2)} (${low.toFixed(2)}–${high.toFixed(2)})`

const bytes = (size: number): string => size < 1000 ? `${size} B` : `${size / 1000} KB`
const megabytes = (size: number): string => `${(size / 2 ** 20).toFixed(0)} MiB`

const table = (rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  return rows.map((row) => row.map((cell, column) => cell.padStart(widths[column]!)).join("  ")).join("\n")
}
