/**
 * `npm run bench -- [--quick] [--json] [--only relay|stack|mcp|start|memory|soak] [--transport stdio|http|sse|in-memory]
 * [--body text|records] [--emit-with-ack] [--profile DIR]`
 *
 * What our Server costs over a bare Socket.IO relay, our whole stack over a direct call of the same MCP server, and our
 * Computer over the MCP SDK's own client; how it starts, what it takes, and what is left of it after a long time.
 */
import { parseArgs } from "node:util"
import { runMcpBench, TRANSPORTS } from "./McpBench.ts"
import { runMemoryBench } from "./MemoryBench.ts"
import { runRelayBench } from "./RelayBench.ts"
import * as Report from "./Report.ts"
import { runSoakBench } from "./SoakBench.ts"
import { runStackBench } from "./StackBench.ts"
import { runStartBench } from "./StartBench.ts"

const { values: flags } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    only: { type: "string" },
    transport: { type: "string" },
    body: { type: "string", default: "text" },
    "emit-with-ack": { type: "boolean", default: false },
    profile: { type: "string" }
  }
})

const body = flags.body
if (body !== "text" && body !== "records") throw new Error("--body is text or records")

const progress = (line: string): void => void process.stderr.write(`  ${line}\n`)

const relayPlan = flags.quick
  ? { rounds: 3, roundMillis: 350, warmUpMillis: 250, warmUpCalls: 15_000 }
  : { rounds: 7, roundMillis: 1000, warmUpMillis: 700, warmUpCalls: 40_000 }
const stackPlan = flags.quick
  ? { rounds: 3, roundMillis: 150, warmUpCalls: 800 }
  : { rounds: 5, roundMillis: 400, warmUpCalls: 5000 }

const mcpPlan = flags.quick
  ? { rounds: 3, roundMillis: 250, warmUpMillis: 400 }
  : { rounds: 9, roundMillis: 700, warmUpMillis: 1500 }
const soakPlan = flags.quick ? { calls: 10_000, crashes: 40 } : { calls: 100_000, crashes: 1_000 }

const parts = ["relay", "stack", "mcp", "start", "memory", "soak"] as const
const wanted = parts.filter((part) => flags.only === undefined || flags.only === part)
if (wanted.length === 0) throw new Error(`--only is one of ${parts.join(", ")}`)
const transports = TRANSPORTS.filter((each) => flags.transport === undefined || flags.transport === each)
if (transports.length === 0) throw new Error(`--transport is one of ${TRANSPORTS.join(", ")}`)

const only = async <A>(part: (typeof parts)[number], run: () => Promise<A>): Promise<A | undefined> =>
  wanted.includes(part) ? await run() : undefined

const reports: Report.Reports = {
  relay: await only("relay", () =>
    runRelayBench(relayPlan, {
      body,
      args: flags["emit-with-ack"] ? ["--emit-with-ack"] : [],
      profileTo: flags.profile,
      progress
    })),
  stack: await only("stack", () => runStackBench(stackPlan, { progress })),
  mcp: await only("mcp", () => runMcpBench(mcpPlan, { progress, transports })),
  start: await only("start", () => runStartBench({ progress })),
  memory: await only("memory", () => runMemoryBench({ progress })),
  soak: await only("soak", () => runSoakBench(soakPlan, { progress }))
}

if (flags.json) console.log(JSON.stringify({ machine: Report.machine(), ...reports }, null, 2))
else console.log(Report.render(reports))
