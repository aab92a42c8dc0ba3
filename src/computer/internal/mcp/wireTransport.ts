/**
 * What carries JSON-RPC frames to one MCP server: the shape of the MCP SDK's `Transport`, with what it leaves unsaid.
 */
import type { McpErrorReason } from "../../McpError.ts"
import type { ChildExit } from "../process/childProcess.ts"
import { type LineRing, makeLineRing } from "../process/lineRing.ts"
import { type Frame, normaliseFrame, refusal } from "./jsonRpcFrame.ts"

/** Why a connection ended. */
export interface Loss {
  readonly detail: string
  readonly exit?: ChildExit | undefined
  /** It ended for a message larger than this many bytes. */
  readonly limit?: number | undefined
}

/**
 * A transport gives only frames that `normaliseFrame` has let through. A request is never rejected by `send`, because the
 * SDK never forgets one that was: it is answered by an error (`failedResponse`), at once where it cannot be sent.
 */
export interface WireTransport {
  onmessage: ((message: Frame) => void) | undefined
  onerror: ((error: Error) => void) | undefined
  onclose: (() => void) | undefined
  /** Set before `onclose` is called. */
  readonly loss: Loss | undefined
  /** How much arrived that was no MCP, and the last of it. */
  readonly strayLines?: number
  readonly lastStrayLines?: ReadonlyArray<string>
  /** The process id of a server that was started. */
  readonly pid?: number | undefined
  /** Fails with `TransportFailure` or `SpawnError`. */
  start(): Promise<void>
  send(message: object): Promise<void>
  /** Ends the connection; resolves when nothing is left of it. Never rejects, may be called again. */
  close(): Promise<void>
  setProtocolVersion?(version: string): void
}

/** Something went wrong that has a name of ours. */
export class TransportFailure extends Error {
  override readonly name = "TransportFailure"
  readonly reason: McpErrorReason
  constructor(reason: McpErrorReason) {
    super(reason.message)
    this.reason = reason
  }
  /** What went wrong, for the end of a connection. */
  get detail(): string {
    return "detail" in this.reason ? this.reason.detail : this.message
  }
}

/** How much is kept of what was no MCP. */
const STRAY_LINES_KEPT = 20
const STRAY_LINE_LENGTH = 500

/** What all transports do alike. */
export abstract class BaseTransport implements WireTransport {
  onmessage: ((message: Frame) => void) | undefined = undefined
  onerror: ((error: Error) => void) | undefined = undefined
  onclose: (() => void) | undefined = undefined
  loss: Loss | undefined = undefined
  strayLines = 0
  readonly #stray: LineRing

  /** @param clean hides secrets in what is kept of the server's words */
  constructor(clean: (text: string) => string = (text) => text) {
    this.#stray = makeLineRing({ clean, lines: STRAY_LINES_KEPT, lineLength: STRAY_LINE_LENGTH })
  }

  get lastStrayLines(): ReadonlyArray<string> {
    return this.#stray.last()
  }

  abstract start(): Promise<void>
  abstract send(message: object): Promise<void>
  abstract close(): Promise<void>

  /** Takes the frames of a text: one, or a batch of them. */
  protected receive(text: string): void {
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch {
      return this.#skip(text)
    }
    this.receiveValue(value, text)
  }

  /** Takes the frames of a value; `text` is what it looked like. */
  protected receiveValue(value: unknown, text: string): void {
    let isStray = false
    for (const each of Array.isArray(value) && value.length > 0 ? value : [value]) {
      const frame = normaliseFrame(each)
      if (frame === undefined) isStray = true
      else this.deliver(frame)
    }
    if (isStray) this.#skip(text)
  }

  #skip(text: string): void {
    this.strayLines += 1
    this.#stray.push(text)
  }

  /** Hands a frame on; what it does there is no failure of the transport. */
  protected deliver(frame: Frame): void {
    // what is still read after the end is of no use to anybody
    if (this.loss !== undefined) return
    try {
      this.onmessage?.(frame)
    } catch (error) {
      this.onerror?.(error instanceof Error ? error : new Error(String(error)))
    }
  }

  /** The message as JSON. A request that cannot be written is answered, and `undefined`; anything else throws. */
  protected write(message: object): string | undefined {
    try {
      return JSON.stringify(message)
    } catch (error) {
      this.refuse(message, `the request cannot be written as JSON: ${String(error)}`)
      return undefined
    }
  }

  /** Answers a request that is not sent; throws for anything else. */
  protected refuse(message: object, detail: string): void {
    const answer = refusal(message, detail)
    if (answer === undefined) throw new Error(detail)
    queueMicrotask(() => this.deliver(answer))
  }

  /** Ends the connection; `false` when it had ended before. */
  protected lose(loss: Loss): boolean {
    if (this.loss !== undefined) return false
    this.loss = loss
    this.onclose?.()
    return true
  }
}
