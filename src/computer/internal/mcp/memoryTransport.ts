import { BaseTransport } from "./wireTransport.ts"

/**
 * One end of a connection inside this process, in the shape of the MCP SDK's `Transport`. Every frame goes through JSON
 * text, as on a real wire: the two ends never share an object.
 */
export class MemoryTransport extends BaseTransport {
  #peer: MemoryTransport | undefined = undefined
  #early: Array<string> | undefined = []

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
    for (const text of early) this.#take(text)
    return Promise.resolve()
  }

  #take(text: string): void {
    if (this.#early !== undefined) this.#early.push(text)
    // never within the sender's own call, as on a real wire
    else queueMicrotask(() => this.receive(text))
  }

  async send(message: object): Promise<void> {
    const peer = this.#peer
    if (this.loss !== undefined || peer === undefined) throw new Error("Not connected")
    const text = this.write(message)
    if (text !== undefined) peer.#take(text)
  }

  close(): Promise<void> {
    this.lose({ detail: "it was closed on this side" })
    this.#peer?.lose({ detail: "it was closed on the other side" })
    return Promise.resolve()
  }
}
