/**
 * The older HTTP+SSE transport of MCP: one stream of events carries all that the server says, and names the endpoint that
 * takes what it is told. When the stream ends, so does the connection: a new stream would be a session that was never
 * initialized.
 */
import { setMaxListeners } from "node:events"
import { isRecord } from "../../../protocol/Json.ts"
import { Closed, Decode, Handshake } from "../../McpError.ts"
import { makeEventStreamReader, type ServerSentEvent } from "./eventStream.ts"
import { discard, HttpChannel, type HttpChannelOptions, type HttpResponse } from "./httpChannel.ts"
import { isRefusedConnection } from "./httpFailure.ts"
import { failedResponse, type Frame, isId } from "./jsonRpcFrame.ts"
import { overflowFailure } from "./oversizeFrame.ts"
import { BaseTransport, type Loss, TransportFailure } from "./wireTransport.ts"

export interface SseTransportOptions extends HttpChannelOptions {
  /** After how long a silence the server is taken for dead. Milliseconds. */
  readonly readTimeoutMillis: number | undefined
}

export class SseTransport extends BaseTransport {
  readonly #options: SseTransportOptions
  readonly #channel: HttpChannel
  readonly #ended = new AbortController()
  /** Ends the requests that still wait for their authorization, by their id: nothing was sent of them. */
  readonly #unsent = new Map<string, () => void>()
  #endpoint: URL | undefined = undefined
  #version: string | undefined = undefined
  #silence: NodeJS.Timeout | undefined = undefined

  constructor(options: SseTransportOptions) {
    super(options.clean)
    this.#options = options
    this.#channel = new HttpChannel(options)
    // every request listens to it
    setMaxListeners(0, this.#ended.signal)
  }

  setProtocolVersion(version: string): void {
    this.#version = version
  }

  /** Resolves when the server has named its endpoint. */
  async start(): Promise<void> {
    const response = await this.#open()
    await new Promise<void>((resolve, reject) => {
      void this.#read(response, resolve).then(
        () => new TransportFailure(new Closed({ detail: "it ended the stream of events", stderrTail: [] })),
        (error: unknown) => this.#channel.failure(error)
      ).then((failure) => {
        this.lose({ detail: failure.detail })
        reject(failure)
      })
    })
  }

  async #open(): Promise<HttpResponse> {
    try {
      const response = await this.#channel.request({
        method: "GET",
        url: this.#options.url,
        headers: { accept: "text/event-stream" },
        signal: this.#ended.signal
      })
      if (response.status !== 200) throw await this.#channel.refusal(response)
      if (response.contentType === "text/event-stream") return response
      discard(response)
      throw new TransportFailure(
        new Decode({ detail: `it answered with ${response.contentType || "nothing"} in place of a stream of events` })
      )
    } catch (error) {
      throw this.#channel.failure(error)
    }
  }

  async #read(response: HttpResponse, ready: () => void): Promise<void> {
    const { maxMessageBytes, readTimeoutMillis } = this.#options
    const read = makeEventStreamReader({
      maxBytes: maxMessageBytes,
      onEvent: (event) => this.#hear(event, ready),
      onOverflow: (overflow) => {
        const failure = overflowFailure(overflow, maxMessageBytes)
        if (failure === "lost") this.lose({ detail: "it sent too large a message", limit: maxMessageBytes })
        else if (failure !== undefined) this.deliver(failure)
      }
    })
    if (readTimeoutMillis !== undefined) {
      const onSilence = () => this.lose({ detail: `it said nothing for ${readTimeoutMillis / 1000} s` })
      this.#silence = setTimeout(onSilence, readTimeoutMillis)
    }
    for await (const chunk of response.body as AsyncIterable<Buffer>) {
      this.#silence?.refresh()
      read(chunk)
    }
  }

  #hear({ data, event }: ServerSentEvent, ready: () => void): void {
    if (event === "endpoint") {
      this.#endpoint ??= this.#readEndpoint(data)
      return ready()
    }
    if (event === "message") this.receive(data)
  }

  /** What a server is told may hold secrets: it goes nowhere else. */
  #readEndpoint(data: string): URL {
    const { url } = this.#options
    if (!URL.canParse(data, url.href)) {
      throw new TransportFailure(new Decode({ detail: "the endpoint that it names is no URL" }))
    }
    const endpoint = new URL(data, url)
    if (endpoint.origin === url.origin) return endpoint
    const detail = `names an endpoint at ${endpoint.origin}, which is not where it is itself; nothing is sent there.`
    throw new TransportFailure(new Handshake({ detail, stderrTail: [] }))
  }

  async send(message: object): Promise<void> {
    const endpoint = this.#endpoint
    if (endpoint === undefined || this.loss !== undefined) throw new Error("Not connected")
    const { id, method, params } = message as Frame
    const answered = typeof method === "string" && isId(id) ? id : undefined
    const body = this.write(message)
    if (body === undefined) return
    if (method === "notifications/cancelled" && isRecord(params)) {
      const abandon = this.#unsent.get(String(params["requestId"]))
      if (abandon !== undefined) return abandon()
    }
    const failure = await this.#post(endpoint, body, answered === undefined ? undefined : String(answered))
    if (failure === undefined) return
    if (answered === undefined) throw failure
    this.deliver(failedResponse(answered, failure.reason))
  }

  /** What went wrong, if anything did. */
  async #post(url: URL, body: string, id: string | undefined): Promise<TransportFailure | undefined> {
    const controller = new AbortController()
    const abort = () => controller.abort()
    const { timeoutMillis } = this.#options
    const timer = setTimeout(abort, timeoutMillis)
    this.#ended.signal.addEventListener("abort", abort, { once: true })
    const onWire = (isOnWire: boolean): void => {
      if (id === undefined) return
      if (isOnWire) this.#unsent.delete(id)
      else this.#unsent.set(id, abort)
    }
    onWire(false)
    try {
      const headers = {
        "content-type": "application/json",
        ...(this.#version === undefined ? {} : { "mcp-protocol-version": this.#version })
      }
      const { signal } = controller
      const response = await this.#channel.request({ method: "POST", url, headers, body, signal, onWire })
      if (response.status >= 300) throw await this.#channel.refusal(response)
      discard(response)
      return undefined
    } catch (error) {
      return this.#refused(error, controller.signal.aborted)
    } finally {
      onWire(true)
      clearTimeout(timer)
      this.#ended.signal.removeEventListener("abort", abort)
    }
  }

  #refused(error: unknown, isLate: boolean): TransportFailure {
    const failure = this.#channel.failure(error)
    if (isLate && this.loss === undefined) {
      const detail = `it did not take a message within ${this.#options.timeoutMillis / 1000} s`
      return new TransportFailure(new Closed({ detail, stderrTail: [] }))
    }
    if (isRefusedConnection(error)) this.lose({ detail: failure.detail })
    // the session is gone although the stream still stands
    if (failure.reason._tag === "Http" && failure.reason.status === 404) this.lose({ detail: "its session has ended" })
    return failure
  }

  async close(): Promise<void> {
    this.lose({ detail: "it was closed on this side" })
    await this.#channel.close()
  }

  protected override lose(loss: Loss): boolean {
    if (!super.lose(loss)) return false
    clearTimeout(this.#silence)
    this.#ended.abort()
    return true
  }
}
