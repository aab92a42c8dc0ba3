/**
 * `npm run bench -- [--quick] [--json] [--only relay|stack] [--body text|records] [--emit-with-ack] [--profile DIR]`
 *
 * What our Server costs over a bare Socket.IO relay, and our whole stack over a direct call of the same MCP server.
 */
import { parseArgs } from "node:util"
import { type RelayReport, runRelayBench } from "./RelayBench.ts"
import * as Report from "./Report.ts"
import { runStackBench, type StackReport } from "./StackBench.ts"

const { values: flags } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    only: { type: "string" },
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

const relay: RelayReport | undefined = flags.only === "stack" ? undefined : await runRelayBench(relayPlan, {
  body,
  args: flags["emit-with-ack"] ? ["--emit-with-ack"] : [],
  profileTo: flags.profile,
  progress
})
const stack: StackReport | undefined = flags.only === "relay" ? undefined : await runStackBench(stackPlan, { progress })

if (flags.json) console.log(JSON.stringify({ machine: Report.machine(), relay, stack }, null, 2))
else console.log(Report.render({ relay, stack }))
