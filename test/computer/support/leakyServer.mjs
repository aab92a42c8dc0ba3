// An MCP server on stdio that tells its secrets to whoever listens: in its log, on its stderr and stdout, in its errors.
// What of its environment is secret is named in its arguments.
import { writeSync } from "node:fs"
import { createInterface } from "node:readline"

const secrets = process.argv.slice(2).map((name) => process.env[name])
const told = secrets.join(" ")
const stderr = (text) => writeSync(2, `${text}\n`)
const frame = (value) => writeSync(1, `${JSON.stringify({ jsonrpc: "2.0", ...value })}\n`)
const text = (value) => ({ content: [{ type: "text", text: value }] })

stderr(`starting with ${told}`)
writeSync(1, `noise with ${told}\n`)
if (process.env.DIE !== undefined) {
  stderr(`cannot log in: ${JSON.stringify({ secrets })}`)
  process.exit(3)
}

const tools = {
  count: ({ ok }) => ok(text(String(secrets.filter((secret) => secret !== undefined && secret !== "").length))),
  fail: ({ error }) => error({ code: -32001, message: `bad ${told}`, data: { told } }),
  failed: ({ ok }) => ok({ ...text(`login as ${told} failed`), isError: true }),
  log: ({ ok }) => {
    frame({ method: "notifications/message", params: { level: "error", logger: told, data: { told } } })
    ok(text("logged"))
  },
  crash: () => {
    stderr(`fatal: ${told}`)
    process.exit(7)
  }
}

createInterface({ input: process.stdin }).on("close", () => process.exit(0)).on("line", (line) => {
  const { id, method, params } = JSON.parse(line)
  const ok = (result) => frame({ id, result })
  const error = (reason) => frame({ id, error: reason })
  switch (method) {
    case "initialize":
      return ok({
        protocolVersion: params.protocolVersion,
        capabilities: { tools: {}, logging: {} },
        serverInfo: { name: "leaky", version: "1.0.0" }
      })
    case "tools/list":
      return ok({ tools: Object.keys(tools).map((name) => ({ name, inputSchema: { type: "object" } })) })
    case "tools/call":
      return tools[params.name]({ ok, error })
    default:
      return id === undefined ? undefined : ok({})
  }
})
