/**
 * A transport of the embedding program, brought into line: what it gives is read as leniently as from our own, and what it
 * throws ends the request it was for.
 */
import { messageOf } from "../../../protocol/Thrown.ts"
import { Closed } from "../../McpError.ts"
import type { McpTransport } from "../../McpTransport.ts"
import { failedResponse, type Frame, isId } from "./jsonRpcFrame.ts"
import { BaseTransport, TransportFailure } from "./wireTransport.ts"

/** How long it may take to close. Milliseconds. */
const CLOSE_MILLIS = 5_000

export class CustomTransport extends BaseTransport {
  readonly #inner: McpTransport
  readonly #clean: (text: string) => string
  #closing: Promise<void> | undefined = undefined

  constructor(inner: McpTransport, clean: (text: string) => string) {
    super(clean)
    this.#inner = inner
    this.#clean = clean
  }

  setProtocolVersion(version: string): void {
    this.#inner.setProtocolVersion?.(version)
  }

  async start(): Promise<void> {
    this.#inner.onmessage = (message) => this.receiveValue(message, "a message that is no MCP")
    this.#inner.onclose = () => this.lose({ detail: "it was closed on the other side" })
    this.#inner.onerror = (error) => this.onerror?.(error)
    try {
      await this.#inner.start()
    } catch (error) {
      throw this.#failure(error)
    }
  }

  async send(message: object): Promise<void> {
    if (this.loss !== undefined) throw new Error("Not connected")
    const text = this.write(message)
    if (text === undefined) return
    const frame = JSON.parse(text) as Frame
    try {
      await this.#inner.send(frame)
    } catch (error) {
      const { id, method } = frame
      if (typeof method !== "string" || !isId(id)) throw error
      this.deliver(failedResponse(id, this.#failure(error).reason))
    }
  }

  #failure(error: unknown): TransportFailure {
    const detail = this.#clean(messageOf(error)).slice(0, 500)
    return new TransportFailure(new Closed({ detail, stderrTail: [] }))
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.lose({ detail: "it was closed on this side" })
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, CLOSE_MILLIS)
    })
    await Promise.race([Promise.resolve().then(() => this.#inner.close()).catch(() => {}), late])
    clearTimeout(timer)
  }
}
