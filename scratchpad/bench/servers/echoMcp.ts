/** An MCP server with one tool that gives its text back. Run as a program, it speaks over stdio. */
import { Server } from "@modelcontextprotocol/sdk/server/index.js"
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js"
import { CallToolRequestSchema, ListToolsRequestSchema } from "@modelcontextprotocol/sdk/types.js"
import { fileURLToPath } from "node:url"

export const echoProgram = fileURLToPath(import.meta.url)

export const makeEchoServer = (): Server => {
  const server = new Server({ name: "echo", version: "1.0.0" }, { capabilities: { tools: {} } })
  server.setRequestHandler(ListToolsRequestSchema, () => ({
    tools: [{ name: "echo", inputSchema: { type: "object", properties: { text: { type: "string" } } } }]
  }))
  server.setRequestHandler(CallToolRequestSchema, (request) => ({
    content: [{ type: "text", text: String(request.params.arguments?.["text"]) }]
  }))
  return server
}

if (process.argv[1] === echoProgram) await makeEchoServer().connect(new StdioServerTransport())
