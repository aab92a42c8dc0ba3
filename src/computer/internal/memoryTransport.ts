import { type Frame, normaliseFrame } from "./jsonRpcFrame.ts"
import { BaseTransport } from "./wireTransport.ts"

/**
 * One end of a connection inside this process, in the shape of the MCP SDK's `Transport`. Every frame goes through JSON
 * text, as on a real wire: the two ends never share an object.
 */
export class MemoryTransport extends BaseTransport {
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
      this.deliver(frame)
    })
  }

  async send(message: object): Promise<void> {
    const peer = this.#peer
    if (this.loss !== undefined || peer === undefined) throw new Error("Not connected")
    const text = this.write(message)
    if (text === undefined) return
    const frame = normaliseFrame(JSON.parse(text))
    if (frame !== undefined) peer.#receive(frame)
  }

  close(): Promise<void> {
    this.lose({ detail: "it was closed on this side" })
    this.#peer?.lose({ detail: "it was closed on the other side" })
    return Promise.resolve()
  }
}
