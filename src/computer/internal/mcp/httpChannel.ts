/**
 * HTTP requests to one MCP server: authorized, without time limits of their own, redirected within its origin only.
 */
import type { Effect } from "effect"
import { Redacted } from "effect"
import type { Socket } from "node:net"
import type { Agent, Dispatcher, WebSocket } from "undici"
import type { HttpAuthorization } from "../../HttpAuthorization.ts"
import { McpError } from "../../McpError.ts"
import { authorizationReason, networkReason, type Refusal, statusReason } from "./httpFailure.ts"
import { withoutScheme } from "./httpTarget.ts"
import { TransportFailure } from "./wireTransport.ts"

export interface HttpChannelOptions {
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly authorization?: HttpAuthorization | undefined
  /** How long connecting may take, and any request that is answered without doing anything. Milliseconds. */
  readonly timeoutMillis: number
  readonly maxMessageBytes: number
  readonly clean: (text: string) => string
  /** Told of what is secret from now on. */
  readonly hide: (...secrets: ReadonlyArray<string>) => void
  readonly run: <A>(effect: Effect.Effect<A, McpError>, options: { readonly signal: AbortSignal }) => Promise<A>
}

export interface HttpRequest {
  readonly method: "GET" | "POST" | "DELETE"
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | undefined
  readonly signal: AbortSignal
  /** Told when the request is about to be sent, and when the server refused it before it acted on it. */
  readonly onWire?: ((isOnWire: boolean) => void) | undefined
}

export interface HttpResponse {
  readonly status: number
  /** Without its parameters, in small letters. */
  readonly contentType: string
  readonly header: (name: string) => string | undefined
  readonly body: Dispatcher.ResponseData["body"]
}

const MAX_REDIRECTS = 5
/** How much of the body of a refusal is looked at. Bytes. */
const REFUSAL_BYTES = 4096
/** How long the end of a body is waited for that nobody reads. Milliseconds. */
const DISCARD_MILLIS = 1_000
/** How long the last words on a connection may take to be written. Milliseconds. */
const CLOSE_MILLIS = 1_000

export class HttpChannel {
  readonly options: HttpChannelOptions
  #agent: Agent | undefined = undefined
  readonly #sockets = new Set<Socket>()
  #closed = false

  constructor(options: HttpChannelOptions) {
    this.options = options
  }

  /** Loaded with the first remote server: most programs have none. */
  async #open(): Promise<Agent> {
    if (this.#agent !== undefined) return this.#agent
    const { Agent, buildConnector } = await import("undici")
    const { maxMessageBytes, timeoutMillis } = this.options
    const connect = buildConnector({ timeout: timeoutMillis })
    this.#agent ??= new Agent({
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: (options, done) =>
        connect(options, (...outcome) => {
          // undici leaves the socket out when there is an error, whatever its types say
          const [error, socket] = outcome
          if (error === null) {
            this.#sockets.add(socket)
            socket.once("close", () => this.#sockets.delete(socket))
          }
          done(...outcome)
        }),
      webSocket: { maxPayloadSize: maxMessageBytes }
    })
    if (this.#closed) await this.#agent.destroy()
    return this.#agent
  }

  /** A WebSocket to the same place; nothing has happened to it yet. Fails with `TransportFailure`. */
  async webSocket(subprotocol: string, signal: AbortSignal): Promise<WebSocket> {
    const authorization = await this.authorization(signal)
    const dispatcher = await this.#open()
    const { WebSocket } = await import("undici")
    const { headers, url } = this.options
    return new WebSocket(url, { protocols: [subprotocol], headers: authorized(headers, authorization), dispatcher })
  }

  /** Ends every request and every connection. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#agent?.destroy()
    // a connection that became a WebSocket is no longer the agent's, and its server need not answer our farewell
    await Promise.all([...this.#sockets].map(endSocket))
  }

  /** The `Authorization` header of the next request. Fails with `TransportFailure`. */
  async authorization(signal: AbortSignal): Promise<Redacted.Redacted | undefined> {
    const { authorization, hide } = this.options
    if (authorization === undefined) return undefined
    const header = await this.#run(authorization.header, signal)
    if (header !== undefined) hide(...withoutScheme(Redacted.value(header)))
    return header
  }

  /**
   * The response to a request, whatever its status, but for refused logins. Fails with `TransportFailure`; what the
   * network says otherwise is passed on.
   */
  async request(request: HttpRequest): Promise<HttpResponse> {
    const { authorization } = this.options
    for (let renewed = false;; renewed = true) {
      const sent = await this.authorization(request.signal)
      const { response, url } = await this.#follow(request, sent)
      const { status } = response
      if (status !== 401 && status !== 403) return response
      request.onWire?.(false)
      const wwwAuthenticate = response.header("www-authenticate")
      discard(response)
      if (authorization === undefined || renewed) {
        const isLogin = sent !== undefined || "authorization" in this.options.headers
        const challenge = wwwAuthenticate === undefined ? undefined : this.options.clean(wwwAuthenticate)
        throw new TransportFailure(
          authorizationReason(
            { status, wwwAuthenticate: challenge },
            renewed ? "a renewed login" : isLogin ? "a login" : "nothing"
          )
        )
      }
      await this.#run(authorization.refused({ status, url: url.href, wwwAuthenticate, sent }), request.signal)
    }
  }

  async #run<A>(effect: Effect.Effect<A, McpError>, signal: AbortSignal): Promise<A> {
    try {
      return await this.options.run(effect, { signal })
    } catch (error) {
      throw error instanceof McpError ? new TransportFailure(error.reason) : error
    }
  }

  async #follow(
    request: HttpRequest,
    authorization: Redacted.Redacted | undefined
  ): Promise<{ readonly response: HttpResponse; readonly url: URL }> {
    const agent = await this.#open()
    const { body = null, method, signal } = request
    const headers = { ...authorized(this.options.headers, authorization), ...request.headers }
    signal.throwIfAborted()
    request.onWire?.(true)
    for (let url = request.url, redirects = 0;; redirects++) {
      const { origin, pathname, search } = url
      const data = await agent.request({ origin, path: pathname + search, method, headers, body, signal })
      const response = toResponse(data)
      const next = redirects === MAX_REDIRECTS ? undefined : redirectionOf(response, url, method)
      if (next === undefined) return { response, url }
      discard(response)
      url = next
    }
  }

  /** The reason for a status that is no success; reads the beginning of the body. */
  async refusal(response: HttpResponse): Promise<TransportFailure> {
    const refusal: Refusal = {
      status: response.status,
      contentType: response.contentType,
      wwwAuthenticate: response.header("www-authenticate"),
      retryAfter: response.header("retry-after"),
      location: response.header("location")
    }
    const body = await beginningOf(response, this.options.timeoutMillis)
    return new TransportFailure(statusReason(refusal, body, this.options.clean))
  }

  /** What went wrong, in our words. */
  failure(error: unknown): TransportFailure {
    return error instanceof TransportFailure
      ? error
      : new TransportFailure(networkReason(error, this.options.url.host))
  }
}

/** Ends a connection after what is written already. */
const endSocket = (socket: Socket): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(() => socket.destroy(), CLOSE_MILLIS)
    socket.once("close", () => {
      clearTimeout(timer)
      resolve()
    })
    socket.destroySoon()
  })

const authorized = (
  headers: Readonly<Record<string, string>>,
  authorization: Redacted.Redacted | undefined
): Record<string, string> => ({
  ...headers,
  ...(authorization === undefined ? {} : { authorization: Redacted.value(authorization) })
})

const toResponse = ({ body, headers, statusCode }: Dispatcher.ResponseData): HttpResponse => {
  // what is abandoned may still fail, and nobody waits for it
  body.on("error", () => {})
  const header = (name: string): string | undefined => {
    const value = headers[name]
    return Array.isArray(value) ? value.join(", ") : value
  }
  const contentType = (header("content-type") ?? "").split(";")[0]?.trim().toLowerCase() ?? ""
  return { status: statusCode, contentType, header, body }
}

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

/** Where the request goes next: within its origin only, and never as another request than it was. */
const redirectionOf = ({ header, status }: HttpResponse, from: URL, method: HttpRequest["method"]): URL | undefined => {
  const location = header("location")
  if (!REDIRECTS.has(status) || location === undefined || !URL.canParse(location, from.href)) return undefined
  if (method !== "GET" && status !== 307 && status !== 308) return undefined
  const next = new URL(location, from)
  return next.origin === from.origin ? next : undefined
}

/** Leaves a body unread; a short one is read, so that its connection can be used again, but a server may never end it. */
export const discard = ({ body }: HttpResponse): void => {
  const timer = setTimeout(() => body.destroy(), DISCARD_MILLIS)
  void body.dump({ limit: REFUSAL_BYTES }).catch(() => {}).finally(() => clearTimeout(timer))
}

const beginningOf = async (response: HttpResponse, timeoutMillis: number): Promise<string> => {
  const { body } = response
  const chunks: Array<Buffer> = []
  let length = 0
  const timer = setTimeout(() => body.destroy(), timeoutMillis)
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      chunks.push(chunk)
      length += chunk.length
      if (length >= REFUSAL_BYTES) break
    }
  } catch {
    // the status says enough
  } finally {
    clearTimeout(timer)
  }
  return Buffer.concat(chunks).toString("utf8").slice(0, REFUSAL_BYTES)
}
