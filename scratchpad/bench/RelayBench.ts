/** Our Server against the bare relay: the same peers, the same calls, in turns. */
import { type Caller, closedLoop, median, type Sample } from "./ClosedLoop.ts"
import { type ServerProcess, type StartOptions, startServer } from "./ServerProcess.ts"
import { type Body, connectPairs, payloadOf, type ThinPeers } from "./ThinPeers.ts"

export interface Plan {
  readonly rounds: number
  readonly roundMillis: number
  readonly warmUpMillis: number
  /** How many calls a server has to have relayed before the first round, so that its code is compiled. */
  readonly warmUpCalls: number
}

export interface Figures extends Pick<Sample, "throughput" | "p50" | "p99"> {
  /** The server's CPU time in microseconds. */
  readonly cpuPerCall: number
}

/** Ours divided by bare: the median over all rounds, and the lowest and highest of them. */
export type Ratio = { readonly median: number; readonly low: number; readonly high: number }

export interface Condition {
  readonly inFlight: number
  readonly size: number
  readonly ours: Figures
  readonly bare: Figures
  readonly ratios: Readonly<Record<keyof Figures, Ratio>>
}

export interface RelayReport {
  readonly conditions: ReadonlyArray<Condition>
  /** Bytes, over the whole run. */
  readonly peakRss: { readonly ours: number; readonly bare: number }
}

interface Contender {
  readonly server: ServerProcess
  readonly one: ThinPeers
  readonly many: ThinPeers
}

const PAIRS = 16
const IN_FLIGHT = [1, 64]
export const SIZES = [200, 10_000]

const contend = async (program: "ownServer" | "bareRelay", options: StartOptions): Promise<Contender> => {
  const server = await startServer(program, options)
  const many = await connectPairs(server.url, PAIRS, "many")
  return { server, many, one: await connectPairs(server.url, 1, "one") }
}

export const runRelayBench = async (
  plan: Plan,
  options: StartOptions & { readonly body: Body; readonly progress: (line: string) => void }
): Promise<RelayReport> => {
  const ours = await contend("ownServer", options)
  const bare = await contend("bareRelay", options)
  options.progress("relay: warming up")
  for (const { many } of [ours, bare]) {
    const callers = many.callers(payloadOf(SIZES[0]!, options.body))
    for (let calls = 0; calls < plan.warmUpCalls;) calls += (await closedLoop(callers, 64, 250)).calls
  }
  const conditions: Array<Condition> = []
  for (const size of SIZES) {
    for (const inFlight of IN_FLIGHT) {
      options.progress(`relay: ${size} B, ${inFlight} in flight`)
      const payload = payloadOf(size, options.body)
      const callersOf = ({ many, one }: Contender) => (inFlight === 1 ? one : many).callers(payload)
      conditions.push({ inFlight, size, ...await compare(plan, inFlight, ours, bare, callersOf) })
    }
  }
  const peakRss = { ours: (await ours.server.usage()).peakRss, bare: (await bare.server.usage()).peakRss }
  for (const { many, one, server } of [ours, bare]) {
    one.close()
    many.close()
    await server.stop()
  }
  return { conditions, peakRss }
}

const compare = async (
  plan: Plan,
  inFlight: number,
  ours: Contender,
  bare: Contender,
  callersOf: (contender: Contender) => ReadonlyArray<Caller>
) => {
  const callers = new Map([ours, bare].map((contender) => [contender, callersOf(contender)]))
  const samples = new Map<Contender, Array<Figures>>([[ours, []], [bare, []]])
  for (const contender of [ours, bare]) await closedLoop(callers.get(contender)!, inFlight, plan.warmUpMillis)
  for (let round = 0; round < plan.rounds; round++) {
    // Who goes first alternates as well, so that neither gains from a machine that slows down or speeds up.
    for (const contender of round % 2 === 0 ? [ours, bare] : [bare, ours]) {
      samples.get(contender)!.push(await measure(contender, callers.get(contender)!, inFlight, plan.roundMillis))
    }
  }
  return summarise(samples.get(ours)!, samples.get(bare)!)
}

const measure = async (
  { server }: Contender,
  callers: ReadonlyArray<Caller>,
  inFlight: number,
  millis: number
): Promise<Figures> => {
  const before = await server.usage()
  const sample = await closedLoop(callers, inFlight, millis)
  const after = await server.usage()
  if (sample.failures > 0) throw new Error(`${sample.failures} of ${sample.calls} calls were not answered as expected`)
  const { p50, p99, throughput } = sample
  return { throughput, p50, p99, cpuPerCall: (after.cpu - before.cpu) / sample.calls }
}

const summarise = (
  ours: ReadonlyArray<Figures>,
  bare: ReadonlyArray<Figures>
): Omit<Condition, "inFlight" | "size"> => {
  const each = <A>(value: (key: keyof Figures) => A): Record<keyof Figures, A> => ({
    throughput: value("throughput"),
    p50: value("p50"),
    p99: value("p99"),
    cpuPerCall: value("cpuPerCall")
  })
  return {
    ours: each((key) => median(ours.map((figures) => figures[key]))),
    bare: each((key) => median(bare.map((figures) => figures[key]))),
    ratios: each((key) => {
      const ratios = ours.map((figures, round) => figures[key] / bare[round]![key])
      return { median: median(ratios), low: Math.min(...ratios), high: Math.max(...ratios) }
    })
  }
}
