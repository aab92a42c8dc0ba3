/**
 * The HTTP side of a Server that stands on its own: an `http.Server` that
 * listens, and the two pages a person or a load balancer asks for.
 */
import type * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Http from "node:http"
import type { AddressInfo, Socket } from "node:net"
import * as Revision from "../protocol/Revision.ts"
import * as SmcpError from "../protocol/SmcpError.ts"
import { SessionStore } from "./SessionStore.ts"

/** Options of {@link layer}. */
export interface Options {
  /** Interface to listen on. Default: `127.0.0.1`. */
  readonly host?: string | undefined
  /** Port to listen on; 0 takes a free one. Default: 0. */
  readonly port?: number | undefined
  /** The revisions that `GET /` names. Default: 0.4. */
  readonly revisions?: Arr.NonEmptyReadonlyArray<Revision.Revision> | undefined
}

/** A listening HTTP server. */
export class HttpServer extends Context.Service<HttpServer, {
  readonly server: Http.Server
  /** Where it listens, with the port it really got. */
  readonly url: string
}>()("a2c-smcp/server/HttpServer") {}

/**
 * Listens until the layer closes. `GET /` says what this is, `GET /health` that
 * it lives and how many sit in it; anything else is 404. Fails with
 * `ListenFailed` when the address cannot be had.
 */
export const layer = (options: Options = {}): Layer.Layer<HttpServer, SmcpError.SmcpError, SessionStore> =>
  Layer.effect(
    HttpServer,
    Effect.gen(function*() {
      const store = yield* SessionStore
      const run = Effect.runForkWith(yield* Effect.context<never>())
      const versions = Revision.newestFirst(options.revisions ?? [Revision.defaultRevision]).map(({ version }) =>
        version
      )
      const startedAt = performance.now()
      const health = Effect.map(store.counts, (counts) => ({
        status: "ok",
        uptime: Math.round((performance.now() - startedAt) / 1000),
        ...counts
      }))
      const pages = new Map<string, Effect.Effect<object>>([
        ["/", Effect.succeed({ name: "a2c-smcp", protocol_versions: versions, namespace: "/smcp" })],
        ["/health", health]
      ])
      const sockets = new Set<Socket>()
      const server = yield* Effect.acquireRelease(
        Effect.sync(() =>
          Http.createServer((request, response) => void run(answer(pages, request, response)))
            .on("connection", (socket: Socket) => sockets.add(socket.once("close", () => sockets.delete(socket))))
        ),
        (server) => close(server, sockets)
      )
      const url = yield* listen(server, options.host ?? "127.0.0.1", options.port ?? 0)
      // One connection that cannot be accepted (no file descriptor left) must not end the process.
      server.on("error", (error) => void run(Effect.logError(`The HTTP server on ${url} failed`, Cause.die(error))))
      return { server, url }
    })
  )

const answer = (
  pages: ReadonlyMap<string, Effect.Effect<object>>,
  request: Http.IncomingMessage,
  response: Http.ServerResponse
): Effect.Effect<void> => {
  const send = (status: number, body: object, more: Http.OutgoingHttpHeaders = {}) =>
    Effect.sync(() => {
      const text = JSON.stringify(body) + "\n"
      const headers = { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(text), ...more }
      response.writeHead(status, headers).end(request.method === "HEAD" ? undefined : text)
    })
  const page = pages.get(request.url?.split("?")[0] ?? "")
  if (page === undefined) return send(404, { code: 404, message: "Not found" })
  if (request.method !== "GET" && request.method !== "HEAD") {
    return send(405, { code: 405, message: "Use GET" }, { Allow: "GET, HEAD" })
  }
  return Effect.catchDefect(
    Effect.flatMap(page, (body) => send(200, body)),
    (defect) =>
      Effect.andThen(
        Effect.logError(`${request.method} ${request.url} failed`, Cause.die(defect)),
        send(500, { code: 500, message: "Internal error" })
      )
  )
}

const listen = (server: Http.Server, host: string, port: number): Effect.Effect<string, SmcpError.SmcpError> =>
  Effect.callback((resume) => {
    const onError = (error: NodeJS.ErrnoException) => resume(Effect.fail(listenFailed(host, port, error)))
    server.once("error", onError).listen({ host, port }, () => {
      server.off("error", onError)
      const { port: actual } = server.address() as AddressInfo
      resume(Effect.succeed(`http://${host.includes(":") ? `[${host}]` : host}:${actual}`))
    })
    return Effect.sync(() => {
      // Looking the host up cannot be stopped; what it leads to can.
      server.off("error", onError).on("error", () => {}).once("listening", () => server.close())
    })
  })

const hints: Readonly<Record<string, string>> = {
  EADDRINUSE: "the port is in use; choose another one, or 0 for any free one",
  EACCES: "not allowed; ports below 1024 need privileges",
  EADDRNOTAVAIL: "this machine has no such address",
  ENOTFOUND: "no such host"
}

const listenFailed = (host: string, port: number, error: NodeJS.ErrnoException): SmcpError.SmcpError =>
  SmcpError.make(
    new SmcpError.ListenFailed({
      host,
      port,
      message: `Cannot listen on ${host}:${port}: ${hints[error.code ?? ""] ?? error.message}`
    })
  )

const FAREWELL_MILLIS = 1000

const close = (server: Http.Server, sockets: ReadonlySet<Socket>): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (!server.listening) return resume(Effect.void)
    // Upgraded connections say goodbye by themselves; one whose peer is gone would wait half a minute for the answer.
    // @effect-diagnostics-next-line globalTimersInEffect:off
    const timer = setTimeout(() => sockets.forEach((socket) => socket.destroy()), FAREWELL_MILLIS)
    server.close(() => {
      clearTimeout(timer)
      resume(Effect.void)
    })
    server.closeAllConnections()
  })
