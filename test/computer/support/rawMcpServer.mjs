// An MCP server on stdio that is written by hand, so that it can misbehave in every way a real one might.
//
//   node rawMcpServer.mjs '{"stubborn":true}'
//
// Settings (all optional):
//   exit: code          end at once, after a line on stderr
//   banner: text        write this to stdout first
//   silent: true        never answer anything
//   protocol: text      the protocol version to answer with
//   capabilities: {}    the capabilities to answer with
//   rejectInitialize: {} answer initialize with this error
//   stderr: bytes       write so much to stderr before the first answer
//   say: text           write this to stderr
//   stubborn: true      ignore the end of stdin and SIGTERM
//   helper: "quiet" | "holds-pipes"   start a stubborn process in the same group
//   toolPages: [[…]]    the pages of tools/list; the last one may be { tools, nextCursor }
//   greet: [frames]     frames to write right after the answer to initialize
import { spawn } from "node:child_process"
import { writeSync } from "node:fs"
import { createInterface } from "node:readline"

const settings = JSON.parse(process.argv[2] ?? "{}")
const STUBBORN = "process.on('SIGTERM',()=>{});setInterval(()=>{},1000)"

const write = (text) => process.stdout.write(text)
const frame = (value) => write(JSON.stringify(value) + "\n")
const text = (value) => ({
  content: [{ type: "text", text: typeof value === "string" ? value : JSON.stringify(value) }]
})

if (settings.say !== undefined) writeSync(2, settings.say + "\n")
if (settings.exit !== undefined) {
  writeSync(2, "cannot start: the database is locked\n")
  process.exit(settings.exit)
}
if (settings.banner !== undefined) write(settings.banner)
if (settings.stubborn) {
  process.on("SIGTERM", () => {})
  setInterval(() => {}, 1000)
}

let helper
if (settings.helper !== undefined) {
  const output = settings.helper === "holds-pipes" ? "inherit" : "ignore"
  helper = spawn(process.execPath, ["-e", STUBBORN], { stdio: ["ignore", output, output] })
}

const flood = async (bytes) => {
  const line = "e".repeat(1023) + "\n"
  for (let written = 0; written < bytes;) {
    try {
      written += writeSync(2, line)
    } catch (error) {
      if (error.code !== "EAGAIN") throw error
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
  }
}
if (settings.stderr !== undefined) await flood(settings.stderr)

const received = []
const progress = (token, done, total) =>
  frame({
    jsonrpc: "2.0",
    method: "notifications/progress",
    params: { progressToken: token, progress: done, total, message: `step ${done}` }
  })

const tools = {
  echo: ({ args, ok }) => ok(text(args)),
  pids: ({ ok }) => ok(text({ server: process.pid, helper: helper?.pid })),
  received: ({ ok }) => ok(text(received)),
  environment: ({ ok }) => ok(text({ env: process.env, cwd: process.cwd() })),
  never: () => {},
  exit: ({ args }) => {
    writeSync(2, "out of memory\n")
    process.exit(args.code)
  },
  killed: () => process.kill(process.pid, "SIGKILL"),
  result: ({ args, id }) => write(`{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${args.json}}\n`),
  // the frame as it is given, with the request id in place of "ID"
  raw: ({ args, id }) => write(args.frame.replaceAll("\"ID\"", JSON.stringify(id)) + "\n"),
  noise: ({ ok }) => {
    write("loading model…\n{\"level\":\"info\",\"id\":1}\n[1,2]\n")
    process.stdout.write(Buffer.from([0xff, 0xfe, 0x00, 0x0a]))
    ok(text("after the noise"))
    write("more noise\n")
  },
  big: ({ args, ok }) => ok(text("y".repeat(args.bytes))),
  // progress and result in one write, so that they arrive together
  progress: ({ args, id, token }) => {
    const frames = []
    for (let done = 1; done <= args.steps; done++) {
      frames.push({
        jsonrpc: "2.0",
        method: "notifications/progress",
        params: { progressToken: token, progress: done, total: args.steps }
      })
    }
    frames.push({ jsonrpc: "2.0", id, result: text("done") })
    write(frames.map((each) => JSON.stringify(each) + "\n").join(""))
  },
  progressThenExit: ({ token }) => {
    progress(token, 1, 2)
    process.stdout.write("", () => process.exit(4))
  },
  notify: ({ args, ok }) => {
    for (const each of args.frames) frame({ jsonrpc: "2.0", ...each })
    ok(text("notified"))
  },
  closeStdout: () => process.stdout.end(),
  ask: ({ args, ok }) => {
    frame({ jsonrpc: "2.0", id: "server-1", method: args.method, params: {} })
    tools.answer = (answer) => ok(text(answer))
  }
}

const listTools = (params) => {
  const pages = settings.toolPages ?? [[{ name: "echo", inputSchema: { type: "object" } }]]
  const index = Number(params?.cursor ?? 0)
  const page = pages[Math.min(index, pages.length - 1)]
  return Array.isArray(page)
    ? { tools: page, ...(index + 1 < pages.length ? { nextCursor: String(index + 1) } : {}) }
    : page
}

const lines = createInterface({ input: process.stdin })
lines.on("close", () => {
  if (!settings.stubborn) process.exit(0)
})
lines.on("line", (line) => {
  const message = JSON.parse(line)
  received.push(line.length > 2000 ? { method: message.method, id: message.id } : message)
  if (settings.silent) return
  const { id, method, params } = message
  const ok = (result) => frame({ jsonrpc: "2.0", id, result })
  const fail = (error) => frame({ jsonrpc: "2.0", id, error })
  if (method === undefined) return tools.answer?.(message)
  switch (method) {
    case "initialize":
      if (settings.rejectInitialize !== undefined) return fail(settings.rejectInitialize)
      ok({
        protocolVersion: settings.protocol ?? params.protocolVersion,
        capabilities: settings.capabilities ?? { tools: { listChanged: true }, "x-own": { deep: [1] } },
        serverInfo: { name: "raw", version: "1.2.3" },
        instructions: "be careful"
      })
      for (const each of settings.greet ?? []) frame(each)
      return
    case "tools/list":
      return settings.capabilities !== undefined && settings.toolPages === undefined
        ? fail({ code: -32601, message: "Method not found" })
        : ok(listTools(params))
    case "tools/call": {
      const tool = tools[params.name]
      if (tool === undefined) {
        return fail({ code: -32602, message: `Unknown tool: ${params.name}`, data: { known: Object.keys(tools) } })
      }
      return tool({ args: params.arguments ?? {}, id, ok, token: params._meta?.progressToken })
    }
    default:
      if (id !== undefined && method !== "stall") fail({ code: -32601, message: `Method not found: ${method}` })
  }
})
