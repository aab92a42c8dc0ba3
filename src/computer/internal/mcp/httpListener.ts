/**
 * The stream on which an HTTP server says what it says of its own accord: opened again whenever it ends, for as long as
 * the connection lasts.
 */
import { discard, type HttpResponse } from "./httpChannel.ts"
import { TransportFailure } from "./wireTransport.ts"

export interface HttpListenerOptions {
  /** Opens the stream; fails with `TransportFailure` for a status that is no success. */
  readonly open: (lastEventId: string | undefined, signal: AbortSignal) => Promise<HttpResponse>
  /** Reads it to its end. */
  readonly read: (
    response: HttpResponse,
    onId: (id: string) => void,
    onRetry: (millis: number) => void,
    onChunk: () => void
  ) => Promise<void>
  /** The stream is open again, without what was said in between. */
  readonly missed: () => void
  readonly failed: (error: unknown) => void
  readonly readTimeoutMillis: number | undefined
}

const FIRST_PAUSE_MILLIS = 1_000
const LONGEST_PAUSE_MILLIS = 30_000
/** A stream that lasted so long was a good one: the next pause is a short one again. */
const GOOD_MILLIS = 10_000

export class HttpListener {
  readonly #options: HttpListenerOptions
  readonly #stopped = new AbortController()
  #started = false
  #pause: NodeJS.Timeout | undefined = undefined
  #wake: (() => void) | undefined = undefined
  #lastEventId: string | undefined = undefined
  #retryMillis = FIRST_PAUSE_MILLIS

  constructor(options: HttpListenerOptions) {
    this.#options = options
  }

  start(): void {
    if (this.#started || this.#stopped.signal.aborted) return
    this.#started = true
    void this.#run()
  }

  stop(): void {
    this.#stopped.abort()
    clearTimeout(this.#pause)
    this.#wake?.()
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopped
    let short = 0
    for (let isFirst = true; !signal.aborted; isFirst = false) {
      const since = performance.now()
      if (await this.#listen(isFirst) === "not offered") return
      short = performance.now() - since >= GOOD_MILLIS ? 0 : short + 1
      if (!signal.aborted) {
        await this.#rest(Math.max(this.#retryMillis, FIRST_PAUSE_MILLIS * 2 ** Math.max(0, short - 1)))
      }
    }
  }

  /** One stream, from its beginning to its end. */
  async #listen(isFirst: boolean): Promise<"not offered" | "ended"> {
    const { failed, missed, open, read, readTimeoutMillis } = this.#options
    const controller = new AbortController()
    const abort = () => controller.abort()
    this.#stopped.signal.addEventListener("abort", abort, { once: true })
    const silence = readTimeoutMillis === undefined
      ? undefined
      : setTimeout(abort, readTimeoutMillis)
    try {
      const lastEventId = this.#lastEventId
      const response = await open(lastEventId, controller.signal)
      if (response.contentType !== "text/event-stream") {
        discard(response)
        return "not offered"
      }
      if (!isFirst && lastEventId === undefined) missed()
      await read(
        response,
        (id) => {
          this.#lastEventId = id === "" ? undefined : id
        },
        (millis) => {
          this.#retryMillis = millis
        },
        () => silence?.refresh()
      )
    } catch (error) {
      if (isNotOffered(error)) return "not offered"
      if (!controller.signal.aborted) failed(error)
    } finally {
      clearTimeout(silence)
      this.#stopped.signal.removeEventListener("abort", abort)
      controller.abort()
    }
    return "ended"
  }

  #rest(millis: number): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
      this.#pause = setTimeout(resolve, Math.min(millis, LONGEST_PAUSE_MILLIS))
    })
  }
}

/** Most servers say nothing of their own accord, each in its own way; some are only busy, or want a login first. */
const isNotOffered = (error: unknown): boolean => {
  if (!(error instanceof TransportFailure) || error.reason._tag !== "Http") return false
  const { status } = error.reason
  return status >= 400 && status < 500 && status !== 408 && status !== 429
}
