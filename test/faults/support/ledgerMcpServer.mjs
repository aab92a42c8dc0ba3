// An MCP server on stdio whose tool "work" writes to a file when a run starts and how it ends, so that the file proves
// what really ran.
//   node ledgerMcpServer.mjs <file>
import { Server } from "@modelcontextprotocol/sdk/server/index.js"
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js"
import { CallToolRequestSchema, ListToolsRequestSchema } from "@modelcontextprotocol/sdk/types.js"
import { appendFileSync, existsSync } from "node:fs"

const [file] = process.argv.slice(2)
const note = (what, id) => appendFileSync(file, `${what} ${id}\n`)

const tool = {
  name: "work",
  description: "Works for some milliseconds, or until there is a file, and answers with so many characters",
  inputSchema: {
    type: "object",
    properties: {
      id: { type: "string" },
      millis: { type: "number" },
      gate: { type: "string" },
      length: { type: "number" }
    },
    required: ["id"]
  }
}

const opened = async (gate, signal) => {
  if (gate === "") return
  while (!existsSync(gate) && !signal.aborted) await wait(20, signal)
}

const wait = (millis, signal) =>
  new Promise((resolve) => {
    if (millis === 0 || signal.aborted) return resolve()
    const timer = setTimeout(resolve, millis)
    signal.addEventListener("abort", () => {
      clearTimeout(timer)
      resolve()
    })
  })

const server = new Server({ name: "ledger", version: "1" }, { capabilities: { tools: {} } })
server.setRequestHandler(ListToolsRequestSchema, () => ({ tools: [tool] }))
server.setRequestHandler(CallToolRequestSchema, async ({ params }, { signal }) => {
  const { gate = "", id, length = 0, millis = 0 } = params.arguments
  note("started", id)
  await wait(millis, signal)
  await opened(gate, signal)
  note(signal.aborted ? "cancelled" : "finished", id)
  return { content: [{ type: "text", text: id.padEnd(length, ".") }] }
})
await server.connect(new StdioServerTransport())
