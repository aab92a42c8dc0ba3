// The MCP server of the contract that every transport keeps, on the SDK's own server. It can be run as a program (stdio) or
// connected to any transport of the SDK's shape.
//
//   node contractServer.mjs
import { Server } from "@modelcontextprotocol/sdk/server/index.js"
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js"
import { ResultSchema } from "@modelcontextprotocol/sdk/types.js"
import { fileURLToPath } from "node:url"

const TOOLS = [
  "echo",
  "fail",
  "refuse",
  "result",
  "steps",
  "hang",
  "big",
  "wait",
  "touch",
  "ask",
  "log",
  "seen",
  "crash"
]
const PAGE = 5
const RESOURCES = ["window://app/one", "window://app/two", "window://app/three"]

const content = (text) => ({ content: [{ type: "text", text }] })
const sleep = (millis) => new Promise((resolve) => setTimeout(resolve, millis))
const failure = (code, message, data) => Object.assign(new Error(message), { code, data })

const page = (items, cursor) => {
  const start = Number(cursor ?? 0)
  const end = start + PAGE
  return { items: items.slice(start, end), ...(end < items.length ? { nextCursor: String(end) } : {}) }
}

/** `environment`: `crash` ends the server without a word, `garbage` writes what is no MCP. */
export const makeContractServer = (environment) => {
  const server = new Server(
    { name: "contract", version: "1.0.0" },
    {
      capabilities: {
        tools: { listChanged: true },
        resources: { subscribe: true, listChanged: true },
        logging: {},
        experimental: { "x-own": { deep: [1] } }
      },
      instructions: "keep the contract"
    }
  )
  const seen = []
  const subscribed = new Set()

  const progress = (extra, done, total) =>
    extra._meta?.progressToken === undefined
      ? undefined
      : extra.sendNotification({
        method: "notifications/progress",
        params: { progressToken: extra._meta.progressToken, progress: done, total, message: `step ${done}` }
      })

  const tools = {
    echo: (args) => ({ content: [], structuredContent: args }),
    fail: () => ({ ...content("the disk is full"), isError: true }),
    refuse: () => {
      throw failure(-32005, "no such row", { row: 5 })
    },
    result: ({ json }) => JSON.parse(json),
    steps: async ({ count, millis }, extra) => {
      for (let done = 1; done <= count; done++) {
        if (millis !== undefined) await sleep(millis)
        await progress(extra, done, count)
      }
      return content("done")
    },
    hang: () => new Promise(() => {}),
    big: ({ bytes }) => content("y".repeat(bytes)),
    wait: async ({ millis, n }) => {
      await sleep(millis)
      return { content: [], structuredContent: { n } }
    },
    touch: async ({ uri }) => {
      if (subscribed.has(uri)) await server.notification({ method: "notifications/resources/updated", params: { uri } })
      return content(String(subscribed.size))
    },
    ask: async ({ give_up, method, params }, extra) => {
      const signal = give_up === undefined ? undefined : AbortSignal.timeout(give_up)
      const ask = environment.asksAside === true ? (...args) => server.request(...args) : extra.sendRequest
      try {
        return { content: [], structuredContent: { result: await ask({ method, params }, ResultSchema, { signal }) } }
      } catch (error) {
        return { content: [], structuredContent: { error: { code: error.code, message: error.message } } }
      }
    },
    log: async ({ lines }) => {
      for (const params of lines) await server.notification({ method: "notifications/message", params })
      return content("logged")
    },
    seen: () => ({ content: [], structuredContent: { seen } }),
    garbage: () => {
      environment.garbage()
      return content("after the garbage")
    },
    crash: () => environment.crash()
  }

  server.fallbackRequestHandler = async ({ method, params }, extra) => {
    switch (method) {
      case "tools/list": {
        const { items, ...rest } = page(TOOLS, params?.cursor)
        return { tools: items.map((name) => ({ name, inputSchema: { type: "object" }, "x-own": [name] })), ...rest }
      }
      case "tools/call":
        return await tools[params.name](params.arguments ?? {}, extra)
      case "resources/list": {
        const { items, ...rest } = page(RESOURCES, params?.cursor)
        return { resources: items.map((uri) => ({ uri, name: uri, annotations: { "x-own": 1 } })), ...rest }
      }
      case "resources/templates/list":
        return { resourceTemplates: [{ uriTemplate: "window://app/{name}", name: "any" }] }
      case "resources/read":
        return { contents: [{ uri: params.uri, text: `content of ${String(params.uri)}` }] }
      case "resources/subscribe":
        subscribed.add(params.uri)
        return {}
      case "resources/unsubscribe":
        subscribed.delete(params.uri)
        return {}
      case "x/stall":
        return await new Promise(() => {})
      default:
        throw failure(-32601, "Method not found")
    }
  }

  const connect = server.connect.bind(server)
  server.connect = async (transport) => {
    await connect(transport)
    const { onmessage } = transport
    transport.onmessage = (message, extra) => {
      const { id, method, params } = message
      if (method !== undefined) {
        seen.push({ id, method, name: params?.name, requestId: params?.requestId, params: small(params) })
      }
      onmessage(message, extra)
    }
  }
  return server
}

/** What was asked of a server, but for large arguments. */
const small = (params) => JSON.stringify(params ?? {}).length > 2000 ? {} : params

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const server = makeContractServer({
    garbage: () => process.stdout.write("loading…\n{\"level\":\"info\"}\n[1,2]\n"),
    crash: () => {
      process.stderr.write("out of memory\n", () => process.exit(3))
      return new Promise(() => {})
    }
  })
  await server.connect(new StdioServerTransport())
}
