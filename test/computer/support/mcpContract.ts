/**
 * The ways to reach the server of the contract: each transport with a real server behind it.
 */
import { SSEServerTransport } from "@modelcontextprotocol/sdk/server/sse.js"
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js"
import { Effect, type Scope } from "effect"
import { randomUUID } from "node:crypto"
import * as Http from "node:http"
import type { AddressInfo, Socket } from "node:net"
import { fileURLToPath } from "node:url"
import { type WebSocket, WebSocketServer } from "ws"
import * as McpClient from "../../../src/computer/McpClient.ts"
import type { McpError } from "../../../src/computer/McpError.ts"
import type { McpMessage, McpTransport } from "../../../src/computer/McpTransport.ts"
import { makeContractServer } from "./contractServer.mjs"
import { eventually } from "./processes.ts"

/** Options that all connections understand. */
export interface WireOptions extends McpClient.ConnectOptions {
  readonly maxBytes?: number
  readonly headers?: Readonly<Record<string, string>>
}

/** A server that can be connected to. */
export interface Served {
  /** Where it is; empty where there is no such place. */
  readonly url: string
  readonly connect: (options?: WireOptions) => Effect.Effect<McpClient.McpClient, McpError, Scope.Scope>
  /** Waits until what the server says of its own accord is heard. */
  readonly listening: Effect.Effect<void>
  /** After a crash the server can be reached again. */
  readonly restart: Effect.Effect<void>
  /** Answers all requests with this HTTP status from now on; absent where there is none. */
  readonly refuse?: (refusal: HttpRefusal | undefined) => void
  /** How many connections are open, as the server sees it. */
  readonly open: () => number
}

/** An HTTP answer in place of the server's. */
export interface HttpRefusal {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
}

/** A transport with a server for it. */
export interface Wire {
  readonly name: string
  /** What a message over the limit ends in; `TooLarge` costs nothing else. `undefined`: there is no limit. */
  readonly oversize: "TooLarge" | "Closed" | undefined
  /** Whether its server can say something before it answers. */
  readonly reportsProgress: boolean
  readonly serve: Effect.Effect<Served, never, Scope.Scope>
}

// -----------------------------------------------------------------------------
// stdio and memory
// -----------------------------------------------------------------------------

const program = fileURLToPath(new URL("./contractServer.mjs", import.meta.url))

const stdio: Wire = {
  name: "stdio",
  oversize: "TooLarge",
  reportsProgress: true,
  serve: Effect.succeed({
    url: "",
    connect: ({ maxBytes, ...options } = {}) =>
      McpClient.connectStdio({
        ...options,
        command: process.execPath,
        args: [program],
        maxFrameBytes: maxBytes,
        termGrace: "300 millis"
      }),
    listening: Effect.void,
    restart: Effect.void,
    open: () => 0
  })
}

const memory: Wire = {
  name: "in memory",
  oversize: undefined,
  reportsProgress: true,
  serve: Effect.sync(() => ({
    url: "",
    connect: (options) =>
      Effect.suspend(() => {
        const server = makeContractServer({
          crash: () => server.close(),
          garbage: () => void server.transport?.send({ level: "info" })
        })
        return McpClient.connectInMemory(server, options)
      }),
    listening: Effect.void,
    restart: Effect.void,
    open: () => 0
  }))
}

/** A transport as a user would write it: strings through two callbacks. */
export class PipeTransport implements McpTransport {
  onmessage: ((message: McpMessage) => void) | undefined
  onclose: (() => void) | undefined
  onerror: ((error: Error) => void) | undefined
  peer: PipeTransport | undefined
  closed = false

  static pair(): readonly [PipeTransport, PipeTransport] {
    const [mine, its] = [new PipeTransport(), new PipeTransport()]
    mine.peer = its
    its.peer = mine
    return [mine, its]
  }

  async start(): Promise<void> {}
  async send(message: McpMessage): Promise<void> {
    if (this.closed) throw new Error("the pipe is broken")
    const text = JSON.stringify(message)
    setImmediate(() => this.peer?.onmessage?.(JSON.parse(text) as McpMessage))
  }
  async close(): Promise<void> {
    for (const end of [this, this.peer]) {
      if (end === undefined || end.closed) continue
      end.closed = true
      end.onclose?.()
    }
  }
}

const custom: Wire = {
  name: "a transport of one's own",
  oversize: undefined,
  reportsProgress: true,
  serve: Effect.sync(() => {
    const ends = new Set<PipeTransport>()
    return {
      url: "",
      connect: (options) =>
        Effect.suspend(() => {
          const [mine, its] = PipeTransport.pair()
          ends.add(mine)
          const server = makeContractServer({
            crash: () => its.close(),
            garbage: () => mine.onmessage?.({ level: "info" })
          })
          return Effect.andThen(
            Effect.promise(() => server.connect(its)),
            McpClient.connectWith(mine, options)
          )
        }),
      listening: Effect.void,
      restart: Effect.void,
      open: () => [...ends].filter(({ closed }) => !closed).length
    }
  })
}

// -----------------------------------------------------------------------------
// HTTP
// -----------------------------------------------------------------------------

/** An HTTP server that can be ended without a word and started again at the same address. */
interface Listening {
  readonly url: string
  readonly crash: () => void
  readonly restart: Effect.Effect<void>
  readonly sockets: ReadonlySet<Socket>
}

const listen = (server: Http.Server, port: number) =>
  Effect.callback<void>((resume) => {
    server.listen(port, "127.0.0.1", () => resume(Effect.void))
  })

export const listenOn = (
  handle: Http.RequestListener
): Effect.Effect<Listening & { readonly server: Http.Server }, never, Scope.Scope> =>
  Effect.gen(function*() {
    const sockets = new Set<Socket>()
    const server = Http.createServer(handle)
    server.on("connection", (socket) => {
      sockets.add(socket)
      socket.on("close", () => sockets.delete(socket))
    })
    const crash = () => {
      server.close()
      for (const socket of sockets) socket.resetAndDestroy()
    }
    yield* Effect.addFinalizer(() => Effect.sync(crash))
    yield* listen(server, 0)
    const { port } = server.address() as AddressInfo
    return { server, url: `http://127.0.0.1:${port}`, crash, restart: listen(server, port), sockets }
  })

const bodyOf = async (request: Http.IncomingMessage): Promise<unknown> => {
  const chunks: Array<Buffer> = []
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
  return chunks.length === 0 ? undefined : JSON.parse(Buffer.concat(chunks).toString("utf8"))
}

/** Keeps track of what the contract asks of a server on HTTP. */
const makeGate = () => {
  const streams = new Set<Http.ServerResponse>()
  let refusal: HttpRefusal | undefined
  return {
    streams,
    refuse: (next: HttpRefusal | undefined) => {
      refusal = next
    },
    /** Whether the request was answered here. */
    answer: (request: Http.IncomingMessage, response: Http.ServerResponse): boolean => {
      if (request.method === "GET" && refusal === undefined) {
        streams.add(response)
        response.on("close", () => streams.delete(response))
      }
      if (refusal === undefined) return false
      request.resume()
      response.writeHead(refusal.status, refusal.headers).end("go away")
      return true
    },
    garbage: () => {
      for (const stream of streams) {
        stream.write("event: message\ndata: not json\n\ndata: {\"level\":1}\n\nodd\n\n: hm\n\n")
      }
    },
    listening: eventually(
      "the server is listened to",
      () => [...streams].some(({ headersSent, writableEnded }) => headersSent && !writableEnded)
    )
  }
}

const streamableHttp = (name: string, enableJsonResponse: boolean): Wire => ({
  name,
  oversize: "TooLarge",
  reportsProgress: !enableJsonResponse,
  serve: Effect.gen(function*() {
    const gate = makeGate()
    const sessions = new Map<string, StreamableHTTPServerTransport>()
    const open = async (): Promise<StreamableHTTPServerTransport> => {
      const transport: StreamableHTTPServerTransport = new StreamableHTTPServerTransport({
        sessionIdGenerator: () => randomUUID(),
        enableJsonResponse,
        onsessioninitialized: (id) => void sessions.set(id, transport),
        onsessionclosed: (id) => void sessions.delete(id)
      })
      const server = makeContractServer({ crash, garbage: gate.garbage, asksAside: enableJsonResponse })
      await server.connect(transport)
      return transport
    }
    const http = yield* listenOn((request, response) => {
      const handle = async () => {
        if (gate.answer(request, response)) return
        const id = request.headers["mcp-session-id"]
        const body = await bodyOf(request)
        const known = typeof id === "string" ? sessions.get(id) : undefined
        if (known === undefined && id !== undefined) {
          response.writeHead(404).end()
          return
        }
        await (known ?? await open()).handleRequest(request, response, body)
      }
      void handle().catch(() => response.destroy())
    })
    const crash = () => {
      sessions.clear()
      http.crash()
      return new Promise(() => {})
    }
    const url = `${http.url}/mcp`
    return {
      url,
      connect: ({ maxBytes, ...options } = {}) => McpClient.connectHttp({ ...options, url, maxMessageBytes: maxBytes }),
      listening: gate.listening,
      restart: http.restart,
      refuse: gate.refuse,
      open: () => sessions.size
    }
  })
})

const sse: Wire = {
  name: "SSE",
  oversize: "TooLarge",
  reportsProgress: true,
  serve: Effect.gen(function*() {
    const gate = makeGate()
    const sessions = new Map<string, SSEServerTransport>()
    const http = yield* listenOn((request, response) => {
      const handle = async () => {
        if (gate.answer(request, response)) return
        if (request.method === "GET") {
          const transport = new SSEServerTransport("/message", response)
          sessions.set(transport.sessionId, transport)
          response.on("close", () => sessions.delete(transport.sessionId))
          await makeContractServer({ crash, garbage: gate.garbage }).connect(transport)
          return
        }
        const id = new URL(request.url ?? "", "http://localhost").searchParams.get("sessionId") ?? ""
        const transport = sessions.get(id)
        if (transport === undefined) response.writeHead(404).end()
        else await transport.handlePostMessage(request, response, await bodyOf(request))
      }
      void handle().catch(() => response.destroy())
    })
    const crash = () => {
      http.crash()
      return new Promise(() => {})
    }
    const url = `${http.url}/sse`
    return {
      url,
      connect: ({ maxBytes, ...options } = {}) => McpClient.connectSse({ ...options, url, maxMessageBytes: maxBytes }),
      listening: Effect.void,
      restart: http.restart,
      refuse: gate.refuse,
      open: () => sessions.size
    }
  })
}

const webSocket: Wire = {
  name: "WebSocket",
  oversize: "Closed",
  reportsProgress: true,
  serve: Effect.gen(function*() {
    const sockets = new Set<WebSocket>()
    const http = yield* listenOn((_request, response) => void response.writeHead(426).end())
    const upgrades = new WebSocketServer({ noServer: true, handleProtocols: () => "mcp", maxPayload: 64 * 1024 * 1024 })
    http.server.on("upgrade", (request, socket, head) => {
      upgrades.handleUpgrade(request, socket, head, (webSocket) => {
        sockets.add(webSocket)
        webSocket.on("close", () => sockets.delete(webSocket))
        webSocket.on("error", () => {})
        const transport = new SocketServerTransport(webSocket)
        void makeContractServer({
          crash: () => {
            http.crash()
            return new Promise(() => {})
          },
          garbage: () => {
            webSocket.send("not json")
            webSocket.send("{\"level\":1}")
          }
        }).connect(transport)
      })
    })
    const url = `${http.url.replace("http:", "ws:")}/mcp`
    return {
      url,
      connect: ({ maxBytes, ...options } = {}) =>
        McpClient.connectWebSocket({ ...options, url, maxMessageBytes: maxBytes }),
      listening: Effect.void,
      restart: http.restart,
      open: () => sockets.size
    }
  })
}

/** The server's end of a WebSocket, in the shape of the SDK's transports. */
class SocketServerTransport {
  onmessage: ((message: unknown) => void) | undefined
  onclose: (() => void) | undefined
  readonly socket: WebSocket
  constructor(socket: WebSocket) {
    this.socket = socket
  }
  async start(): Promise<void> {
    this.socket.on("message", (data: Buffer) => this.onmessage?.(JSON.parse(data.toString("utf8"))))
    this.socket.on("close", () => this.onclose?.())
  }
  async send(message: object): Promise<void> {
    this.socket.send(JSON.stringify(message))
  }
  async close(): Promise<void> {
    this.socket.close()
  }
}

/** Every transport there is. */
export const wires: ReadonlyArray<Wire> = [
  stdio,
  memory,
  custom,
  streamableHttp("Streamable HTTP, answers as events", false),
  streamableHttp("Streamable HTTP, answers as JSON", true),
  sse,
  webSocket
]
