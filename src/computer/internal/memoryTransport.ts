import { type Frame, normaliseFrame, refusal } from "./jsonRpcFrame.ts"
import type { Loss } from "./stdioTransport.ts"

/**
 * One end of a connection inside this process, in the shape of the MCP SDK's `Transport`. Every frame goes through JSON
 * text, as on a real wire: the two ends never share an object.
 */
export class MemoryTransport {
  onmessage: ((message: Frame) => void) | undefined = undefined
  onerror: ((error: Error) => void) | undefined = undefined
  onclose: (() => void) | undefined = undefined

  loss: Loss | undefined = undefined

  #peer: MemoryTransport | undefined = undefined
  #early: Array<Frame> | undefined = []

  /** Two ends that are connected to each other. */
  static pair(): readonly [MemoryTransport, MemoryTransport] {
    const [left, right] = [new MemoryTransport(), new MemoryTransport()]
    left.#peer = right
    right.#peer = left
    return [left, right]
  }

  start(): Promise<void> {
    const early = this.#early ?? []
    this.#early = undefined
    for (const frame of early) this.#receive(frame)
    return Promise.resolve()
  }

  #receive(frame: Frame): void {
    if (this.#early !== undefined) {
      this.#early.push(frame)
      return
    }
    // never within the sender's own call, as on a real wire
    queueMicrotask(() => {
      if (this.loss !== undefined) return
      try {
        this.onmessage?.(frame)
      } catch (error) {
        this.onerror?.(error instanceof Error ? error : new Error(String(error)))
      }
    })
  }

  send(message: object): Promise<void> {
    const peer = this.#peer
    if (this.loss !== undefined || peer === undefined) return Promise.reject(new Error("Not connected"))
    let frame: Frame | undefined
    try {
      frame = normaliseFrame(JSON.parse(JSON.stringify(message)))
    } catch (error) {
      const answer = refusal(message, `the request cannot be written as JSON: ${String(error)}`)
      if (answer === undefined) return Promise.reject(error)
      this.#receive(answer)
      return Promise.resolve()
    }
    if (frame !== undefined) peer.#receive(frame)
    return Promise.resolve()
  }

  close(): Promise<void> {
    this.#lose("it was closed on this side")
    if (this.#peer !== undefined) this.#peer.#lose("it was closed on the other side")
    return Promise.resolve()
  }

  #lose(detail: string): void {
    if (this.loss !== undefined) return
    this.loss = { detail }
    this.onclose?.()
  }
}
