/**
 * Puts Socket.IO onto an HTTP server that others use too, whatever listeners
 * they add and when.
 */
import type * as Arr from "effect/Array"
import * as Result from "effect/Result"
import * as Http from "node:http"
import type { Duplex } from "node:stream"
import type { Revision } from "../../protocol/Revision.ts"
import * as versionGate from "./versionGate.ts"

/** A handshake that the version gate refused. */
export interface Refused {
  readonly address: string
  readonly transport: "polling" | "websocket"
  readonly message: string
}

/**
 * Routes requests and upgrades under `path` to the returned gateway, behind the
 * version gate, and leaves all others to the server's own listeners.
 *
 * The routing takes hold of `emit` instead of adding listeners: a listener
 * cannot keep a later one (an Effect HTTP server answers every upgrade it does
 * not know with 404) from answering the same request.
 */
export const attach = (options: {
  readonly server: Http.Server
  readonly path: string
  /** The newest first. */
  readonly revisions: Arr.NonEmptyReadonlyArray<Revision>
  readonly onRefused: (refused: Refused) => void
}): { readonly gateway: Http.Server; readonly detach: () => void } => {
  const { revisions, server } = options
  const prefix = options.path.replace(/\/+$/, "") + "/"
  const gateway = Http.createServer()
  const next = server.emit

  const emit = function(this: Http.Server, event: string, ...args: Array<unknown>): boolean {
    const [request, reply] = args
    const transport = event === "request" ? "polling" : event === "upgrade" ? "websocket" : undefined
    if (transport === undefined || !(request instanceof Http.IncomingMessage) || !request.url?.startsWith(prefix)) {
      return Reflect.apply(next, this, [event, ...args]) as boolean
    }
    const error = refusedHandshake(revisions, request)
    if (error === undefined) return gateway.emit(event, ...args)
    options.onRefused({ address: request.socket.remoteAddress ?? "unknown", transport, message: error.message })
    if (transport === "polling") refuseRequest(reply as Http.ServerResponse, error)
    else refuseUpgrade(reply as Duplex, error)
    return true
  }
  // Node reports an upgrade only to a server that listens for them; whoever else listens answers the other paths.
  const onUpgrade = (_request: Http.IncomingMessage, socket: Duplex) => {
    if (server.listenerCount("upgrade") === 1) endSocket(socket, "HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n")
  }
  server.emit = emit as typeof server.emit
  server.on("upgrade", onUpgrade)

  return {
    gateway,
    detach: () => {
      server.off("upgrade", onUpgrade)
      if (server.emit === emit) server.emit = next
    }
  }
}

// Only a handshake is checked: every later request of a session names it in `sid`.
const refusedHandshake = (
  revisions: Arr.NonEmptyReadonlyArray<Revision>,
  request: Http.IncomingMessage
): versionGate.Refusal | undefined => {
  const query = queryOf(request.url!)
  if (query["sid"]) return undefined
  const chosen = versionGate.choose(revisions, query["a2c_version"])
  return Result.isFailure(chosen) ? chosen.failure : undefined
}

// Read as Engine.IO reads it: of a parameter that is given twice the last one counts.
const queryOf = (url: string): Readonly<Record<string, string>> =>
  Object.fromEntries(new URLSearchParams(url.replace(/#.*$/s, "").replace(/^[^?]*\??/, "")))

const refuseRequest = (response: Http.ServerResponse, error: versionGate.Refusal): void => {
  const { body, headers, reason, status } = versionGate.refusal(error)
  response.writeHead(status, reason, headers).end(body)
}

// An upgrade has no response object; the refusal is written onto the socket itself.
const refuseUpgrade = (socket: Duplex, error: versionGate.Refusal): void => {
  const { body, headers, reason, status } = versionGate.refusal(error)
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join("")
  endSocket(socket, `HTTP/1.1 ${status} ${reason}\r\n${lines}\r\n${body}`)
}

const endSocket = (socket: Duplex, text: string): void => {
  socket.on("error", () => socket.destroy())
  socket.end(text, () => socket.destroy())
}
