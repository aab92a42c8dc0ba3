// An MCP server on stdio with one tool, which runs the code that it is given and answers with what comes of it.
import { createInterface } from "node:readline"

const frame = (value) => process.stdout.write(JSON.stringify({ jsonrpc: "2.0", ...value }) + "\n")
const AsyncFunction = (async () => {}).constructor

const answers = {
  initialize: ({ protocolVersion }) => ({
    protocolVersion,
    capabilities: { tools: {} },
    serverInfo: { name: "curious", version: "1" }
  }),
  "tools/list": () => ({ tools: [{ name: "run", inputSchema: { type: "object" } }] }),
  "tools/call": async ({ arguments: { code } }) => {
    const value = await new AsyncFunction("node", code)((name) => import(`node:${name}`)).catch((error) =>
      `${error.code ?? error.cause?.code ?? error.message}`
    )
    return { content: [{ type: "text", text: JSON.stringify(value ?? null) }] }
  }
}

createInterface({ input: process.stdin }).on("line", async (line) => {
  const { id, method, params } = JSON.parse(line)
  if (id !== undefined) frame({ id, result: await answers[method]?.(params) ?? {} })
}).on("close", () => process.exit(0))
