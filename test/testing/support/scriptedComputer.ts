/**
 * A Computer of raw frames that answers what a test tells it to.
 */
import { Effect } from "effect"
import { io } from "socket.io-client"
import type { Harness } from "../../../src/testing/Conformance.ts"
import type { ClientEventName } from "../../server/support/officeServer.ts"
import { KEY } from "./conformance.ts"

type Fields = Readonly<Record<string, unknown>>

/** The arguments of the acknowledgement of a request; undefined leaves it unanswered. */
type Answer = (request: Fields) => ReadonlyArray<unknown> | undefined

type Answers = Readonly<Partial<Record<ClientEventName, Answer>>>

export interface Script {
  readonly role: "agent" | "computer"
  readonly name: string
  readonly office: string
  readonly answers: Answers
}

/** Sits in its office for as long as the scope lives. */
export const startComputer = Effect.fnUntraced(function*(
  { revision, url }: Harness,
  { answers, name, office, role }: Script
) {
  const socket = yield* Effect.acquireRelease(
    Effect.sync(() =>
      io(`${url}/smcp`, { forceNew: true, query: { a2c_version: revision.version }, auth: { token: KEY } })
    ),
    (socket) => Effect.sync(() => socket.disconnect())
  )
  socket.onAny((event: string, request: Fields, ack: (...args: ReadonlyArray<unknown>) => void) => {
    if (!event.startsWith("client:")) return
    const args = answers[event as ClientEventName]?.(request)
    if (args !== undefined) ack(...args)
  })
  yield* Effect.callback<void>((resume) => {
    socket.emit("server:join_office", { role, name, office_id: office }, () => resume(Effect.void))
  })
})

const toolMeta = { auto_apply: null, alias: null, tags: ["a"], ret_object_mapper: null }

const tool = {
  name: "b__t",
  bundle_id: "b",
  description: "Does it",
  params_schema: { type: "object" },
  return_schema: null,
  meta: { a2c_tool_meta: JSON.stringify(toolMeta), MCP_TOOL_ANNOTATION: "{\"title\":null}", list: [1, 2], on: true }
}

const stdio = { command: "x", args: [], env: null, cwd: null, encoding: "utf-8", encoding_error_handler: "strict" }
const streamable = {
  url: "http://x",
  headers: null,
  timeout: "PT30S",
  sse_read_timeout: "PT5M",
  terminate_on_close: true
}
const sse = { url: "http://x", headers: null, timeout: 5, sse_read_timeout: 300 }

const server = (bundle_id: string, type: string, server_parameters: Fields) => ({
  name: bundle_id,
  bundle_id,
  disabled: false,
  forbidden_tools: [],
  tool_meta: {},
  default_tool_meta: null,
  vrl: null,
  type,
  server_parameters
})

const servers = {
  b: server("b", "stdio", stdio),
  c: server("c", "streamable", streamable),
  d: server("d", "sse", sse)
}

const inputs = [
  { id: "a", description: "d", type: "promptString", default: null, password: true },
  { id: "p", description: "d", type: "pickString", options: [{ label: "l", value: "v" }], default: null }
]

const tools = (...some: ReadonlyArray<unknown>): Answer => ({ req_id }) => [{ tools: some, req_id }]

const config = (change: Fields): Answer => () => [{ servers, inputs, ...change }]

const upload = (reason: string): ReadonlyArray<unknown> => [
  { code: 4019, message: "Blob write failed", details: { reason } }
]

const window = "window://b/w"

/** A Computer of revision 0.4 with nothing to complain about. */
export const goodComputer: Script = {
  role: "computer",
  name: "scripted",
  office: "scripted-office",
  answers: {
    "client:get_tools": tools(tool),
    "client:tool_call": () => [{ meta: null, content: [], structuredContent: null, isError: true }],
    "client:get_config": config({}),
    "client:get_desktop": ({ desktop_size, req_id, window: only }) => [{
      desktops: [`${window}\n\ntext`].slice(0, typeof desktop_size === "number" ? desktop_size : 1).filter(() =>
        only === undefined || only === window
      ),
      req_id
    }],
    "client:get_resources": ({ mcp_server, req_id }) =>
      mcp_server === "b"
        ? [{ resources: [{ uri: "x://y", name: "y", mime_type: "text/plain" }], req_id }]
        : typeof mcp_server === "string" && mcp_server in servers
        ? [{ code: 4015, message: "no resources", mcp_server, capability: "resources" }]
        : [{ code: 4014, message: "MCP Server not registered", mcp_server }],
    "client:get_skills": ({ req_id }) => [{
      skills: [{ name: "s", source: "user", path: "/s", description: "d" }],
      req_id
    }],
    "client:get_blob": () => [{ code: 4018, message: "Blob not accessible", details: { reason: "invalid_handle" } }],
    "client:put_blob": ({ upload_id }) => upload(upload_id === undefined ? "invalid_declaration" : "invalid_upload")
  }
}

const GET_TOOLS = ["computer.get_tools"]
const TOOL_META = ["computer.tool-meta"]
const GET_CONFIG = ["computer.get_config"]

const without = (key: string, from: Fields): Fields =>
  Object.fromEntries(Object.entries(from).filter(([k]) => k !== key))

/** What a Computer may break, and the cases that have to see it. */
export const brokenComputers: ReadonlyArray<
  { readonly what: string; readonly answers: Answers; readonly fails: ReadonlyArray<string> }
> = [
  { what: "does not answer", answers: { "client:get_tools": () => undefined }, fails: GET_TOOLS },
  { what: "answers with nothing", answers: { "client:get_tools": () => [] }, fails: GET_TOOLS },
  {
    what: "answers with two arguments",
    answers: { "client:get_tools": ({ req_id }) => [{ tools: [], req_id }, null] },
    fails: GET_TOOLS
  },
  {
    what: "answers with bytes",
    answers: { "client:get_tools": ({ req_id }) => [{ tools: [], req_id, bytes: Buffer.from("x") }] },
    fails: GET_TOOLS
  },
  {
    what: "answers with another req_id",
    answers: { "client:get_tools": () => [{ tools: [], req_id: "x" }] },
    fails: ["computer.get_tools", "computer.concurrent", "computer.cancel-unknown"]
  },
  ...["bundle_id", "description", "params_schema", "return_schema"].map((key) => ({
    what: `leaves ${key} out of a tool`,
    answers: { "client:get_tools": tools(without(key, tool)) },
    fails: GET_TOOLS
  })),
  {
    what: "names a tool without its server",
    answers: { "client:get_tools": tools({ ...tool, name: "t" }) },
    fails: ["computer.tool-names"]
  },
  { what: "lists a tool twice", answers: { "client:get_tools": tools(tool, tool) }, fails: ["computer.tool-names"] },
  ...[null, { a: 1 }, [1, "2"], [[1]]].map((value) => ({
    what: `has ${JSON.stringify(value)} in the meta of a tool`,
    answers: { "client:get_tools": tools({ ...tool, meta: { value } }) },
    fails: TOOL_META
  })),
  {
    what: "has an a2c_tool_meta that is no JSON",
    answers: { "client:get_tools": tools({ ...tool, meta: { a2c_tool_meta: "tags: a" } }) },
    fails: ["computer.tool-meta", "computer.tool-meta.canonical"]
  },
  {
    what: "has an a2c_tool_meta that is not whole",
    answers: { "client:get_tools": tools({ ...tool, meta: { a2c_tool_meta: "{\"tags\":[]}" } }) },
    fails: ["computer.tool-meta.canonical"]
  },
  {
    what: "answers a call of an unknown tool with a flat error, which official Agents cannot read",
    answers: { "client:tool_call": () => [{ code: 4001, message: "Tool not found" }] },
    fails: ["computer.unknown-tool.result"]
  },
  {
    what: "says that an unknown tool ran",
    answers: { "client:tool_call": () => [{ content: [], isError: false }] },
    fails: ["computer.unknown-tool", "computer.unknown-tool.result"]
  },
  ...["env", "cwd", "encoding", "args"].map((key) => ({
    what: `leaves ${key} out of a server's parameters`,
    answers: { "client:get_config": config({ servers: { b: server("b", "stdio", without(key, stdio)) } }) },
    fails: GET_CONFIG
  })),
  {
    what: "tells durations of streamable servers as numbers",
    answers: {
      "client:get_config": config({ servers: { c: server("c", "streamable", { ...streamable, timeout: 30 }) } })
    },
    fails: GET_CONFIG
  },
  {
    what: "tells durations of SSE servers as texts",
    answers: { "client:get_config": config({ servers: { d: server("d", "sse", { ...sse, timeout: "PT5S" }) } }) },
    fails: GET_CONFIG
  },
  {
    what: "keys servers by something else than their bundle_id",
    answers: { "client:get_config": config({ servers: { x: server("b", "stdio", stdio) } }) },
    fails: GET_CONFIG
  },
  {
    what: "tells the options of a pickString as texts",
    answers: {
      "client:get_config": config({ inputs: [{ id: "p", description: "d", type: "pickString", options: ["a"] }] })
    },
    fails: ["computer.get_config.inputs"]
  },
  {
    what: "shows windows as objects, and all of them whatever is asked",
    answers: { "client:get_desktop": ({ req_id }) => [{ desktops: [{ uri: window }, { uri: window }], req_id }] },
    fails: ["computer.get_desktop", "computer.get_desktop.size", "computer.get_desktop.window"]
  },
  {
    what: "has resources of servers it does not have",
    answers: { "client:get_resources": ({ req_id }) => [{ resources: [], req_id }] },
    fails: ["computer.get_resources.unknown"]
  },
  {
    what: "tells resources with the keys of MCP",
    answers: {
      "client:get_resources": ({ req_id }) => [{ resources: [{ uri: "x://y", name: "y", mimeType: "a/b" }], req_id }]
    },
    fails: ["computer.get_resources"]
  },
  {
    what: "reads any blob",
    answers: { "client:get_blob": ({ req_id }) => [{ blob: "YQ==", eof: true, req_id }] },
    fails: ["computer.get_blob.invalid"]
  },
  {
    what: "takes any upload",
    answers: { "client:put_blob": ({ req_id }) => [{ upload_id: "u", req_id }] },
    fails: ["computer.put_blob.refusals"]
  },
  {
    what: "leaves the path out of a skill",
    answers: {
      "client:get_skills": ({ req_id }) => [{ skills: [{ name: "s", source: "user", description: "d" }], req_id }]
    },
    fails: ["computer.get_skills"]
  }
]
