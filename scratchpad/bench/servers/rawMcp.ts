/**
 * The least that is an MCP server: `rawMcp stdio [DELAY_MILLIS]`, `rawMcp silent` (it never answers), or `rawMcp http`, which
 * is forked and speaks Streamable HTTP at `/mcp` and the older HTTP+SSE at `/sse`. Its tool `echo` gives its text back, its
 * tool `crash` ends the process.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { fileURLToPath } from "node:url"
import { serveParent } from "./parent.ts"

export const rawProgram = fileURLToPath(import.meta.url)

export interface Message {
  readonly id?: number | string
  readonly method?: string
  readonly params?: {
    readonly protocolVersion?: string
    readonly name?: string
    readonly arguments?: { readonly text?: string }
  }
}

const tool = (name: string) => ({
  name,
  inputSchema: { type: "object" },
  annotations: { readOnlyHint: true }
})

const resultOf = ({ method, params }: Message): object => {
  switch (method) {
    case "initialize":
      return {
        protocolVersion: params?.protocolVersion,
        capabilities: { tools: {} },
        serverInfo: { name: "raw", version: "1" }
      }
    case "tools/list":
      return { tools: [tool("echo"), tool("crash")] }
    case "tools/call":
      if (params?.name === "crash") process.exit(1)
      return { content: [{ type: "text", text: params?.arguments?.text ?? "" }] }
    default:
      return {}
  }
}

/** The response to a request, and nothing to a notification. */
export const answerTo = (message: Message): object | undefined =>
  message.id === undefined || message.method === undefined
    ? undefined
    : { jsonrpc: "2.0", id: message.id, result: resultOf(message) }

const runStdio = (delayMillis: number): void => {
  let rest = ""
  const receive = (chunk: string): void => {
    const lines = (rest + chunk).split("\n")
    rest = lines.pop()!
    let out = ""
    for (const line of lines) {
      const answer = answerTo(JSON.parse(line))
      if (answer !== undefined) out += `${JSON.stringify(answer)}\n`
    }
    if (out !== "") process.stdout.write(out)
  }
  process.stdin.setEncoding("utf8")
  setTimeout(() => process.stdin.on("data", receive).on("end", () => process.exit(0)), delayMillis)
}

const streams = new Map<string, ServerResponse>()

const openStream = (response: ServerResponse): void => {
  const session = String(streams.size)
  streams.set(session, response)
  response.writeHead(200, { "content-type": "text/event-stream" })
  response.write(`event: endpoint\ndata: /messages?session=${session}\n\n`)
}

const receive = async (request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> => {
  let body = ""
  request.setEncoding("utf8")
  for await (const chunk of request) body += chunk
  const answer = answerTo(JSON.parse(body))
  const stream = streams.get(url.searchParams.get("session") ?? "")
  if (stream !== undefined) {
    response.writeHead(202).end()
    if (answer !== undefined) stream.write(`event: message\ndata: ${JSON.stringify(answer)}\n\n`)
  } else if (answer === undefined) response.writeHead(202).end()
  else response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(answer))
}

const runHttp = (): void => {
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://localhost")
    if (request.method === "POST") void receive(request, response, url)
    else if (request.method === "GET" && url.pathname === "/sse") openStream(response)
    else response.writeHead(request.method === "DELETE" ? 200 : 405).end()
  })
  server.listen(0, "127.0.0.1", () => serveParent(`http://127.0.0.1:${(server.address() as AddressInfo).port}`))
}

if (process.argv[1] === rawProgram) {
  const [, , mode, delay] = process.argv
  if (mode === "http") runHttp()
  else if (mode === "silent") process.stdin.resume()
  else runStdio(Number(delay ?? 0))
}
