// An MCP server on stdio with three windows, one of them of a picture alone.
import { createInterface } from "node:readline"

const send = (message) => process.stdout.write(JSON.stringify({ jsonrpc: "2.0", ...message }) + "\n")

const windows = {
  "window://w/low": { text: "low" },
  "window://w/high": { text: "high" },
  "window://w/picture": { blob: "AAAA" }
}

const answers = {
  initialize: ({ protocolVersion }) => ({
    protocolVersion,
    capabilities: { resources: {} },
    serverInfo: { name: "windows", version: "1" }
  }),
  "resources/list": () => ({
    resources: Object.keys(windows).map((uri) => ({
      uri,
      name: uri,
      annotations: { priority: uri.endsWith("high") ? 0.9 : 0.1 }
    }))
  }),
  "resources/read": ({ uri }) => ({ contents: [{ uri, ...windows[uri] }] })
}

createInterface({ input: process.stdin }).on("line", (line) => {
  const { id, method, params } = JSON.parse(line)
  if (id === undefined) return
  const answer = answers[method]
  send(answer === undefined ? { id, error: { code: -32601, message: "Not known" } } : { id, result: answer(params) })
}).on("close", () => process.exit(0))
