/**
 * The Streamable HTTP transport of MCP: each request is a POST whose response carries the answer, as JSON or as a stream
 * of events; a GET carries what the server says of its own accord.
 *
 * It has the shape of the MCP SDK's `Transport`. Unlike the SDK's own it gives frames as the server sent them, ends the
 * POST of a cancelled call, tells a call at once that its answer will not come, and keeps listening.
 */
import { isRecord } from "../../../protocol/Json.ts"
import { Closed, Decode, TooLarge } from "../../McpError.ts"
import { makeEventStreamReader } from "./eventStream.ts"
import { discard, HttpChannel, type HttpChannelOptions, type HttpRequest, type HttpResponse } from "./httpChannel.ts"
import { isRefusedConnection } from "./httpFailure.ts"
import { HttpListener } from "./httpListener.ts"
import { failedResponse, type Frame, isId } from "./jsonRpcFrame.ts"
import { overflowFailure } from "./oversizeFrame.ts"
import { BaseTransport, type Loss, TransportFailure } from "./wireTransport.ts"

export interface HttpTransportOptions extends HttpChannelOptions {
  /** Whether the session is ended at the server as well. */
  readonly terminateOnClose: boolean
  /** After how long a silence the stream of what the server says is opened again. Milliseconds. */
  readonly readTimeoutMillis: number | undefined
}

/** How long ending the session may take, and telling the server of a cancelled request. Milliseconds. */
const FAREWELL_MILLIS = 2_000
/** How often an answer is asked for again that broke off, and how long to wait before. Milliseconds. */
const MAX_RESUMES = 5
const RESUME_MILLIS = 500
const MAX_RESUME_MILLIS = 10_000

/** How long a server may go on after its answer. Milliseconds. */
const LINGER_MILLIS = 1_000

const EVENT_STREAM = "text/event-stream"
const JSON_TYPE = "application/json"

/** A request that waits for its answer. */
interface Exchange {
  readonly id: string | number
  readonly controller: AbortController
  /** Whether the server may know of it. */
  isOnWire: boolean
  answered: boolean
  /** After which event the answer can be resumed. */
  lastEventId: string | undefined
  retryMillis: number
  /** Ends what a server goes on to say after its answer. */
  lingering: NodeJS.Timeout | undefined
}

export class HttpTransport extends BaseTransport {
  readonly #options: HttpTransportOptions
  readonly #channel: HttpChannel
  readonly #exchanges = new Map<string, Exchange>()
  readonly #listener: HttpListener
  #session: string | undefined = undefined
  #version: string | undefined = undefined
  /** Whether the server has ever offered a stream of its own. */
  #hasStream = false
  #closing: Promise<void> | undefined = undefined

  constructor(options: HttpTransportOptions) {
    super(options.clean)
    this.#options = options
    this.#channel = new HttpChannel(options)
    this.#listener = new HttpListener({
      open: (lastEventId, signal) => this.#open(lastEventId, signal),
      read: (response, onId, onRetry, onChunk) => this.#readEvents(response, undefined, { onId, onRetry, onChunk }),
      missed: () => this.#missed(),
      failed: (error) => this.#failed(error),
      readTimeoutMillis: options.readTimeoutMillis
    })
  }

  start(): Promise<void> {
    return Promise.resolve()
  }

  setProtocolVersion(version: string): void {
    this.#version = version
  }

  async send(message: object): Promise<void> {
    if (this.loss !== undefined) throw new Error("Not connected")
    const body = this.write(message)
    if (body === undefined) return
    const { id, method, params } = message as Frame
    if (typeof method === "string" && isId(id)) return void this.#exchange(id, body)
    if (method === "notifications/cancelled" && isRecord(params)) {
      return await this.#cancel(String(params["requestId"]), body)
    }
    await this.#tell(body, this.#options.timeoutMillis)
    if (method === "notifications/initialized") this.#listener.start()
  }

  /**
   * Once the server has heard of it, or will not, the request itself is of no use any more. One that still waits for its
   * authorization is not sent at all.
   */
  async #cancel(id: string, body: string): Promise<void> {
    const exchange = this.#exchanges.get(id)
    if (exchange?.isOnWire === false) return exchange.controller.abort()
    try {
      await this.#tell(body, FAREWELL_MILLIS)
    } finally {
      exchange?.controller.abort()
    }
  }

  // ---------------------------------------------------------------------------
  // Requests
  // ---------------------------------------------------------------------------

  async #exchange(id: string | number, body: string): Promise<void> {
    const exchange: Exchange = {
      id,
      controller: new AbortController(),
      isOnWire: false,
      answered: false,
      lastEventId: undefined,
      retryMillis: RESUME_MILLIS,
      lingering: undefined
    }
    this.#exchanges.set(String(id), exchange)
    try {
      const onWire = (isOnWire: boolean) => {
        exchange.isOnWire = isOnWire
      }
      await this.#readAnswer(exchange, await this.#post(body, exchange.controller.signal, onWire))
      if (!exchange.answered) await this.#resume(exchange)
    } catch (error) {
      this.#endExchange(exchange, error)
      exchange.controller.abort()
    } finally {
      clearTimeout(exchange.lingering)
      this.#exchanges.delete(String(id))
    }
  }

  #endExchange({ answered, controller, id }: Exchange, error: unknown): void {
    if (answered || controller.signal.aborted || this.loss !== undefined) return
    this.deliver(failedResponse(id, this.#channel.failure(error).reason))
    this.#failed(error)
  }

  async #post(body: string, signal: AbortSignal, onWire?: HttpRequest["onWire"]): Promise<HttpResponse> {
    const response = await this.#channel.request({
      method: "POST",
      url: this.#options.url,
      headers: { ...this.#headers(), accept: `${JSON_TYPE}, ${EVENT_STREAM}`, "content-type": JSON_TYPE },
      body,
      signal,
      onWire
    })
    await this.#check(response)
    this.#session = response.header("mcp-session-id") ?? this.#session
    return response
  }

  async #readAnswer(exchange: Exchange, response: HttpResponse): Promise<void> {
    switch (response.contentType) {
      case EVENT_STREAM:
        return await this.#readStream(exchange, response)
      case JSON_TYPE: {
        const text = await this.#readText(response)
        const stray = this.strayLines
        this.receive(text)
        if (exchange.answered) return
        if (text === "") throw decode("it answered with nothing")
        throw decode(this.strayLines > stray ? "its answer is no JSON-RPC message" : "it answered another request")
      }
      default: {
        discard(response)
        const { contentType, status } = response
        throw decode(
          contentType === "" || status === 202
            ? `it answered HTTP ${status} without a result`
            : `it answered with ${contentType}`
        )
      }
    }
  }

  /** Reads an answer that comes as events; one that breaks off is no failure where the server keeps the rest. */
  async #readStream(exchange: Exchange, response: HttpResponse): Promise<void> {
    try {
      await this.#readEvents(response, exchange, {
        onId: (id) => {
          exchange.lastEventId = id === "" ? undefined : id
        },
        onRetry: (millis) => {
          exchange.retryMillis = Math.min(Math.max(millis, RESUME_MILLIS), MAX_RESUME_MILLIS)
        }
      })
    } catch (error) {
      const isFinal = error instanceof TransportFailure || exchange.lastEventId === undefined
      if (isFinal || exchange.controller.signal.aborted) throw error
    }
  }

  /** Asks for the rest of an answer that broke off. */
  async #resume(exchange: Exchange): Promise<void> {
    const { signal } = exchange.controller
    for (let tries = 0; !exchange.answered; tries++) {
      const { lastEventId } = exchange
      if (lastEventId === undefined || tries === MAX_RESUMES) throw closed("its answer broke off before the result")
      await sleep(exchange.retryMillis * 2 ** tries, signal)
      try {
        await this.#readAnswer(exchange, await this.#open(lastEventId, signal))
      } catch (error) {
        if (error instanceof TransportFailure || isRefusedConnection(error) || signal.aborted) throw error
      }
      if (exchange.lastEventId !== lastEventId) tries = -1
    }
  }

  /** Sends what has no answer. */
  async #tell(body: string, millis: number): Promise<void> {
    const controller = new AbortController()
    const timer = setTimeout(() => controller.abort(), millis)
    try {
      discard(await this.#post(body, controller.signal))
    } catch (error) {
      const isLate = controller.signal.aborted && this.loss === undefined
      const failure = isLate
        ? closed(`it did not take a message within ${millis / 1000} s`)
        : this.#channel.failure(error)
      if (!isLate) this.#failed(error)
      throw failure
    } finally {
      clearTimeout(timer)
    }
  }

  // ---------------------------------------------------------------------------
  // Reading
  // ---------------------------------------------------------------------------

  async #open(lastEventId: string | undefined, signal: AbortSignal): Promise<HttpResponse> {
    const resumed: Record<string, string> = lastEventId === undefined ? {} : { "last-event-id": lastEventId }
    const response = await this.#channel.request({
      method: "GET",
      url: this.#options.url,
      headers: { ...this.#headers(), accept: EVENT_STREAM, ...resumed },
      signal
    })
    // servers without such a stream answer in all ways: only where there was one is a refusal the end of the session
    await this.#check(response, this.#hasStream || lastEventId !== undefined)
    this.#hasStream = true
    return response
  }

  #headers(): Record<string, string> {
    return {
      ...(this.#session === undefined ? {} : { "mcp-session-id": this.#session }),
      ...(this.#version === undefined ? {} : { "mcp-protocol-version": this.#version })
    }
  }

  async #check(response: HttpResponse, mayHaveExpired = true): Promise<void> {
    if (response.status < 300) return
    const failure = await this.#channel.refusal(response)
    if (mayHaveExpired && this.#session !== undefined && isExpiry(failure)) {
      this.lose({ detail: "its session has ended" })
    }
    throw failure
  }

  async #readEvents(
    response: HttpResponse,
    exchange: Exchange | undefined,
    on: {
      readonly onId: (id: string) => void
      readonly onRetry: (millis: number) => void
      readonly onChunk?: () => void
    }
  ): Promise<void> {
    const { maxMessageBytes } = this.#options
    let tooLarge = false
    const read = makeEventStreamReader({
      maxBytes: maxMessageBytes,
      onEvent: ({ data, event }) => {
        if (event === "message") this.receive(data)
      },
      onOverflow: (overflow) => {
        const failure = overflowFailure(overflow, maxMessageBytes)
        if (failure === "lost") tooLarge = true
        else if (failure !== undefined) this.deliver(failure)
      },
      onId: on.onId,
      onRetry: on.onRetry
    })
    for await (const chunk of response.body as AsyncIterable<Buffer>) {
      on.onChunk?.()
      read(chunk)
      // whatever else the stream may hold, the answer to this request was the large one
      if (exchange !== undefined && tooLarge) throw new TransportFailure(new TooLarge({ limit: maxMessageBytes }))
    }
  }

  async #readText(response: HttpResponse): Promise<string> {
    const { maxMessageBytes } = this.#options
    const chunks: Array<Buffer> = []
    let length = 0
    for await (const chunk of response.body as AsyncIterable<Buffer>) {
      length += chunk.length
      if (length > maxMessageBytes) throw new TransportFailure(new TooLarge({ limit: maxMessageBytes }))
      chunks.push(chunk)
    }
    return Buffer.concat(chunks).toString("utf8")
  }

  protected override deliver(frame: Frame): void {
    if (frame["method"] === undefined) {
      const exchange = this.#exchanges.get(String(frame["id"]))
      if (exchange !== undefined) {
        exchange.answered = true
        // the end of its stream is waited for, so that its connection can be used again, but a server may hold it open
        exchange.lingering ??= setTimeout(() => exchange.controller.abort(), LINGER_MILLIS)
      }
    }
    super.deliver(frame)
  }

  /** What was said while nobody listened is lost: the lists may have changed. */
  #missed(): void {
    for (const kind of ["tools", "resources", "prompts"]) {
      this.deliver({ jsonrpc: "2.0", method: `notifications/${kind}/list_changed` })
    }
  }

  // ---------------------------------------------------------------------------
  // The end
  // ---------------------------------------------------------------------------

  /** When nobody listens at its address any more, the server is gone, and its session with it. */
  #failed(error: unknown): void {
    if (isRefusedConnection(error)) this.lose({ detail: this.#channel.failure(error).detail })
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const wasOpen = this.lose({ detail: "it was closed on this side" })
    if (wasOpen && this.#session !== undefined && this.#options.terminateOnClose) await this.#farewell()
    await this.#channel.close()
  }

  async #farewell(): Promise<void> {
    const controller = new AbortController()
    const timer = setTimeout(() => controller.abort(), FAREWELL_MILLIS)
    try {
      const request = { url: this.#options.url, headers: this.#headers(), signal: controller.signal }
      discard(await this.#channel.request({ method: "DELETE", ...request }))
    } catch {
      // the server forgets the session in its own time
    } finally {
      clearTimeout(timer)
    }
  }

  protected override lose(loss: Loss): boolean {
    if (!super.lose(loss)) return false
    this.#listener.stop()
    for (const { controller } of this.#exchanges.values()) controller.abort()
    return true
  }
}

const decode = (detail: string) => new TransportFailure(new Decode({ detail }))
const closed = (detail: string) => new TransportFailure(new Closed({ detail, stderrTail: [] }))

/** Whether a server says that it does not know the session, in the words of the specification or of the SDK. */
const isExpiry = ({ reason }: TransportFailure): boolean =>
  reason._tag === "Http" &&
  (reason.status === 404 || (reason.status === 400 && /not initialized|session/i.test(reason.detail)))

/** Ends early, in failure, when the signal is aborted. */
const sleep = (millis: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    const onAbort = () => {
      clearTimeout(timer)
      reject(new Error("aborted"))
    }
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", onAbort)
      resolve()
    }, millis)
    signal.addEventListener("abort", onAbort, { once: true })
  })
