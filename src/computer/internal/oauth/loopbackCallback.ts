/**
 * Where the browser comes back to after a login: an address of this machine that listens for one answer (RFC 8252).
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import * as Http from "node:http"
import type { AddressInfo } from "node:net"
import { AuthorizationError } from "../../AuthorizationError.ts"

/** Listens until the scope closes. */
export interface LoopbackCallback {
  readonly redirectUri: string
  /** The first answer that was accepted. */
  readonly received: Effect.Effect<URLSearchParams>
}

const HOST = "127.0.0.1"
const PATH = "/callback"
const LONGEST_URL = 8192
const PAGE_HEADERS = {
  "content-type": "text/html; charset=utf-8",
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'",
  "referrer-policy": "no-referrer",
  connection: "close"
}

const page = (text: string): string =>
  `<!doctype html><html lang="en"><meta charset="utf-8"><title>a2c-smcp</title><p>${text}</p></html>\n`

/** Listens on a port, or any free one for 0. Only an answer that `accepts` takes counts; others are told so and forgotten. */
export const listenForCallback = Effect.fnUntraced(function*(
  port: number,
  accepts: (answer: URLSearchParams) => boolean
): Effect.fn.Return<LoopbackCallback, AuthorizationError, Scope.Scope> {
  const received = yield* Deferred.make<URLSearchParams>()
  let isOver = false
  const server = Http.createServer({ requestTimeout: 10_000, headersTimeout: 10_000 }, (request, response) => {
    const { method, url = "" } = request
    const [path, query = ""] = url.split("?", 2)
    const answer = new URLSearchParams(query)
    if (method !== "GET" || path !== PATH || url.length > LONGEST_URL) {
      response.writeHead(404, PAGE_HEADERS).end(page("There is nothing here."))
    } else if (isOver || !accepts(answer)) {
      response.writeHead(400, PAGE_HEADERS).end(page("This answer belongs to no login that is under way."))
    } else {
      isOver = true
      const say = page("The answer has arrived. You can close this window and go back to the Computer.")
      // also when the browser did not wait for the page
      response.once("close", () => Deferred.doneUnsafe(received, Exit.succeed(answer)))
      response.writeHead(200, PAGE_HEADERS).end(say)
    }
  })
  const bound = yield* Effect.acquireRelease(listen(server, port), () => close(server))
  return { redirectUri: `http://${HOST}:${bound}${PATH}`, received: Deferred.await(received) }
})

const listen = (server: Http.Server, port: number): Effect.Effect<number, AuthorizationError> =>
  Effect.callback((resume) => {
    // what goes wrong later, with one connection, ends that one alone
    server.on("error", () => {
      const detail =
        `Port ${port} of ${HOST} cannot be listened on for the login; free it, or set another "callback_port".`
      resume(Effect.fail(new AuthorizationError({ reason: "Callback", detail })))
    })
    server.listen(
      { host: HOST, port, exclusive: true },
      () => resume(Effect.succeed((server.address() as AddressInfo).port))
    )
  })

const close = (server: Http.Server): Effect.Effect<void> =>
  Effect.callback((resume) => {
    server.close(() => resume(Effect.void))
    server.closeAllConnections()
  })
