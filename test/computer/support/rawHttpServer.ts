/**
 * An MCP server on Streamable HTTP that is written by hand, so that it can misbehave in every way a real one might.
 */
import { Effect, type Scope } from "effect"
import type * as Http from "node:http"
import { listenOn } from "./mcpContract.ts"

/** A request as it arrived. */
export interface Arrived {
  /** The method of the message, or that of the request where there is none. */
  readonly what: string
  readonly method: string
  readonly headers: Http.IncomingHttpHeaders
  readonly message: Message
}

export interface Message {
  readonly id?: number | string
  readonly method?: string
  readonly params?: Readonly<Record<string, unknown>>
}

/** Answers a request in place of the server. */
export type Answer = (
  response: Http.ServerResponse,
  message: Message,
  request: Http.IncomingMessage
) => void

export interface RawHttpServer {
  readonly url: string
  /** Answers by what arrives: the method of a message, `GET` or `DELETE`. */
  readonly answers: Record<string, Answer>
  readonly arrived: Array<Arrived>
  /** How many requests have no answer yet, or not all of it. */
  readonly open: () => number
  readonly crash: () => void
}

const SESSION = "session-1"

export const rawHttpServer: Effect.Effect<RawHttpServer, never, Scope.Scope> = Effect.gen(function*() {
  const answers: Record<string, Answer> = {}
  const arrived: Array<Arrived> = []
  let open = 0
  const { crash, url } = yield* listenOn((request, response) => {
    open++
    response.on("close", () => open--)
    response.on("error", () => {})
    const chunks: Array<Buffer> = []
    request.on("error", () => {})
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      const text = Buffer.concat(chunks).toString("utf8")
      const message = (text === "" ? {} : JSON.parse(text)) as Message
      const method = request.method ?? ""
      const what = message.method ?? (method === "POST" ? "answer" : method)
      arrived.push({ what, method, headers: request.headers, message })
      const answer = answers[what] ?? normal
      answer(response, message, request)
    })
  })
  return { url: `${url}/mcp`, answers, arrived, open: () => open, crash }
})

/** What a well-behaved server answers. */
const normal: Answer = (response, message) => {
  if (message.id === undefined) {
    response.writeHead(message.method === undefined ? 405 : 202).end()
    return
  }
  switch (message.method) {
    case "initialize":
      response.setHeader("mcp-session-id", SESSION)
      return json({
        protocolVersion: message.params?.["protocolVersion"],
        capabilities: { tools: { listChanged: true } },
        serverInfo: { name: "raw", version: "1" }
      })(response, message, undefined as never)
    default:
      return json({ ok: message.method })(response, message, undefined as never)
  }
}

/** The result, as JSON. */
export const json = (result: unknown): Answer => (response, { id }) => {
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ jsonrpc: "2.0", id, result }))
}

/** A text as it is; `ID` stands for the id of the request. */
export const raw = (status: number, headers: Record<string, string>, body = ""): Answer => (response, { id }) => {
  response.writeHead(status, headers).end(body.replaceAll("ID", JSON.stringify(id)))
}

/** The beginning of a stream of events, which stays open. */
export const events = (text: string, then?: (response: Http.ServerResponse) => void): Answer => (response, { id }) => {
  response.writeHead(200, { "content-type": "text/event-stream" })
  response.write(text.replaceAll("ID", JSON.stringify(id)))
  then?.(response)
}

export const reset: Answer = (_response, _message, request) => request.socket.resetAndDestroy()
export const hang: Answer = () => {}

/** Begins a stream of events of the older transport. */
export const endpoint = (path: string, then = ""): Answer => events(`event: endpoint\ndata: ${path}\n\n${then}`)

/** Lets a server answer over SSE those who ask for it in the query; gives the stream of the last of them. */
export const answerOverStream = (server: RawHttpServer) => {
  let stream: Parameters<Answer>[0] | undefined
  const listen = server.answers["GET"]
  server.answers["GET"] = (response, message, request) => {
    if (request.url?.endsWith("?sse") !== true) return (listen ?? raw(405, {}))(response, message, request)
    stream = response
    endpoint("/message")(response, message, request)
  }
  const results: Record<string, (params: Message["params"]) => unknown> = {
    initialize: (params) => ({
      protocolVersion: params?.["protocolVersion"],
      capabilities: {},
      serverInfo: { name: "s", version: "1" }
    }),
    "tools/list": () => ({ tools: [] })
  }
  for (const [method, result] of Object.entries(results)) {
    server.answers[method] = (response, message, request) => {
      const value = result(message.params)
      if (stream === undefined) return json(value)(response, message, request)
      response.writeHead(202).end()
      stream.write(`data: ${JSON.stringify({ jsonrpc: "2.0", id: message.id, result: value })}\n\n`)
    }
  }
  return () => stream
}
