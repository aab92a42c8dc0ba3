/**
 * The whole stack, our Agent → our Server → our Computer → MCP server, against calling the same kind of MCP server
 * directly, one call at a time. What the stack adds is told in hops of the bare relay, measured in the same turns.
 */
import { Effect, Exit, Layer, ManagedRuntime, References, Schedule, Scope } from "effect"
import * as Agent from "../../src/agent/Agent.ts"
import * as Computer from "../../src/computer/Computer.ts"
import * as ConfigFile from "../../src/computer/ConfigFile.ts"
import * as Consent from "../../src/computer/Consent.ts"
import * as McpClient from "../../src/computer/McpClient.ts"
import { type Caller, closedLoop, median } from "./ClosedLoop.ts"
import { type Plan as RelayPlan, SIZES } from "./RelayBench.ts"
import { startServer } from "./ServerProcess.ts"
import { echoProgram, makeEchoServer } from "./servers/echoMcp.ts"
import { connectPairs, payloadOf } from "./ThinPeers.ts"

type Plan = Omit<RelayPlan, "warmUpMillis">

export interface StackCondition {
  readonly size: number
  readonly server: "in-memory" | "stdio"
  /** Medians in milliseconds. */
  readonly hop: number
  readonly direct: number
  readonly stack: number
  /** What the stack adds to the direct call, as a multiple of the hop. */
  readonly addedHops: number
}

export interface StackReport {
  readonly conditions: ReadonlyArray<StackCondition>
}

const OFFICE = "bench"
const KINDS = ["in-memory", "stdio"] as const
type Kind = (typeof KINDS)[number]

const echoCommand = { command: process.execPath, args: [echoProgram] }

const connect = (kind: Kind) =>
  kind === "in-memory" ? McpClient.connectInMemory(makeEchoServer()) : McpClient.connectStdio(echoCommand)

const computerLayer = (url: string, kind: Kind) =>
  Layer.unwrap(Effect.map(
    ConfigFile.fromValue({ mcpServers: { echo: echoCommand } }, "the benchmark"),
    ({ servers }) =>
      Computer.layer({
        url,
        office: OFFICE,
        name: kind,
        servers,
        consent: Consent.layerAllowAll,
        ...(kind === "in-memory" ? { connect: () => connect(kind) } : {})
      })
  ))

/** The exposed name of the tool, once the Computer's server is ready. */
const toolOf = Effect.fnUntraced(
  function*(agent: Agent.Agent["Service"], computer: string) {
    const [tool] = yield* agent.tools(computer)
    return yield* Effect.fromNullishOr(tool?.name)
  },
  Effect.retry({ schedule: Schedule.spaced("50 millis"), times: 100 })
)

const callerOf = (effect: Effect.Effect<unknown, unknown>): Caller => (done) => {
  Effect.runFork(effect).addObserver((exit) => done(Exit.isSuccess(exit)))
}

export const runStackBench = async (
  plan: Plan,
  options: { readonly progress: (line: string) => void }
): Promise<StackReport> => {
  const own = await startServer("ownServer")
  const bare = await startServer("bareRelay")
  const peers = await connectPairs(bare.url, 1, "hop")
  const scope = Scope.makeUnsafe()
  const quietly = Layer.succeed(References.MinimumLogLevel, "Warn")
  const computers = KINDS.map((kind) => ManagedRuntime.make(Layer.provide(computerLayer(own.url, kind), quietly)))
  for (const computer of computers) await computer.runPromise(Effect.void)
  const agents = ManagedRuntime.make(Agent.layer({ url: own.url, office: OFFICE, name: "agent" }))
  const agent = await agents.runPromise(Agent.Agent)

  const conditions: Array<StackCondition> = []
  for (const kind of KINDS) {
    const client = await Effect.runPromise(Scope.provide(connect(kind), scope))
    const tool = await Effect.runPromise(toolOf(agent, kind))
    for (const size of SIZES) {
      options.progress(`stack: ${kind}, ${size} B`)
      const payload = payloadOf(size, "text")
      const params = payload.params as Readonly<Record<string, unknown>>
      const [hop, direct, stack] = await inTurns(plan, [
        peers.callers(payload)[0]!,
        callerOf(client.callTool("echo", params)),
        callerOf(Effect.filterOrFail(
          agent.callTool({ computer: kind, tool, params }),
          (outcome) => outcome._tag === "Ok"
        ))
      ])
      conditions.push({
        size,
        server: kind,
        hop: hop!,
        direct: direct!,
        stack: stack!,
        addedHops: (stack! - direct!) / hop!
      })
    }
  }

  await agents.dispose()
  for (const computer of computers) await computer.dispose()
  await Effect.runPromise(Scope.close(scope, Exit.void))
  peers.close()
  await Promise.all([own.stop(), bare.stop()])
  return { conditions }
}

/** The p50 of each caller: the median over all rounds, everyone having a turn in each round. */
const inTurns = async (plan: Plan, callers: ReadonlyArray<Caller>): Promise<ReadonlyArray<number>> => {
  for (const caller of callers) {
    for (let calls = 0; calls < plan.warmUpCalls;) calls += (await closedLoop([caller], 16, 100)).calls
  }
  const samples: Array<Array<number>> = callers.map(() => [])
  for (let round = 0; round < plan.rounds; round++) {
    for (const [index, caller] of callers.entries()) {
      const sample = await closedLoop([caller], 1, plan.roundMillis)
      if (sample.failures > 0) throw new Error(`${sample.failures} of ${sample.calls} calls failed`)
      samples[index]!.push(sample.p50)
    }
  }
  return samples.map(median)
}
