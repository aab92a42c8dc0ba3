// An MCP server on stdio whose tool "slow" never ends: it reports progress until it is cancelled.
// The tool "cancelled" tells how many calls of it were.
import { createInterface } from "node:readline"

const send = (message) => process.stdout.write(JSON.stringify({ jsonrpc: "2.0", ...message }) + "\n")
const slow = new Map()
let cancelled = 0

const start = (id, progressToken) => {
  let progress = 0
  const report = () => {
    send({ method: "notifications/progress", params: { progressToken, progress: ++progress } })
  }
  slow.set(id, setInterval(report, 50))
}

const answers = {
  initialize: ({ protocolVersion }) => ({
    protocolVersion,
    capabilities: { tools: {} },
    serverInfo: { name: "slow", version: "1" }
  }),
  "tools/list": () => ({ tools: ["slow", "cancelled"].map((name) => ({ name, inputSchema: { type: "object" } })) }),
  "tools/call": ({ name, _meta }, id) =>
    name === "slow"
      ? start(id, _meta?.progressToken)
      : { content: [{ type: "text", text: String(cancelled) }] }
}

createInterface({ input: process.stdin }).on("line", (line) => {
  const { id, method, params } = JSON.parse(line)
  if (method === "notifications/cancelled" && slow.has(params.requestId)) {
    clearInterval(slow.get(params.requestId))
    slow.delete(params.requestId)
    cancelled++
  }
  const result = answers[method]?.(params, id)
  if (id !== undefined && result !== undefined) send({ id, result })
}).on("close", () => process.exit(0))
