/**
 * Gathers what goes out to a peer within one tick into one write, and tells when
 * too much waits for a peer that does not read.
 *
 * Engine.IO hands every packet to the system by itself. While many calls are
 * under way, several packets for the same peer come up in the same tick, and
 * system calls are the largest part of what a relayed call costs. The frame of
 * a packet is put together here, in one buffer, and passed on as Socket.IO's own
 * broadcasts do it; `ws` would write its two parts one by one.
 *
 * All of this is internal to Engine.IO. Where a version of it does otherwise,
 * packets go out as if this did not exist.
 */
import type { Socket } from "socket.io"

interface Packet {
  readonly type: string
  readonly data?: unknown
  readonly options?: { wsPreEncodedFrame?: ReadonlyArray<Buffer> }
}

interface Engine {
  flush: () => void
  readonly writeBuffer: ReadonlyArray<Packet>
  readonly transport: {
    readonly name: string
    readonly writable: boolean
    readonly socket?: { readonly _socket?: { cork: () => void; uncork: () => void } }
  }
}

/** What may wait for a peer, and what happens beyond it. */
export interface Backlog {
  /** Characters; those beyond ASCII take up to three bytes. */
  readonly limit: number
  /** Run once; what waits by then is its argument. */
  readonly exceeded: (waiting: number) => void
}

/** Gathers the writes of a connection from now on, once for each. What is due goes out at the end of the tick, in its order. */
export const gather = (connection: Socket["conn"], { exceeded, limit }: Backlog): void => {
  const engine = connection as unknown as Engine
  if (typeof engine.flush !== "function" || !Array.isArray(engine.writeBuffer)) return
  const flush = engine.flush.bind(engine)
  let due = false
  let waiting = 0
  const flushNow = () => {
    due = false
    waiting = 0
    const { transport, writeBuffer } = engine
    if (transport.name === "websocket") writeBuffer.forEach(encodeFrame)
    if (writeBuffer.length === 1) return flush()
    const tcp = transport.socket?._socket
    tcp?.cork()
    flush()
    tcp?.uncork()
  }
  engine.flush = () => {
    const { transport, writeBuffer } = engine
    if (writeBuffer.length === 0) return
    if (!transport.writable) {
      // the peer has not taken what went out before
      const before = waiting
      waiting += sizeOf(writeBuffer[writeBuffer.length - 1])
      if (before <= limit && waiting > limit) exceeded(waiting)
      return
    }
    if (due) return
    due = true
    process.nextTick(flushNow)
  }
}

const sizeOf = (packet: Packet | undefined): number => typeof packet?.data === "string" ? packet.data.length : 0

const encodeFrame = ({ data, options, type }: Packet): void => {
  if (type === "message" && typeof data === "string" && options !== undefined) {
    options.wsPreEncodedFrame ??= [textFrame(data)]
  }
}

const FINAL_TEXT = 0x81
const MESSAGE = 0x34 // "4", the packet type of Engine.IO

/** An unmasked WebSocket frame (RFC 6455, section 5.2) with one message packet of Engine.IO. */
const textFrame = (data: string): Buffer => {
  const length = 1 + Buffer.byteLength(data)
  const header = length < 126 ? 2 : length < 65_536 ? 4 : 10
  const frame = Buffer.allocUnsafe(header + length)
  frame[0] = FINAL_TEXT
  if (header === 2) {
    frame[1] = length
  } else if (header === 4) {
    frame[1] = 126
    frame.writeUInt16BE(length, 2)
  } else {
    frame[1] = 127
    frame.writeBigUInt64BE(BigInt(length), 2)
  }
  frame[header] = MESSAGE
  frame.write(data, header + 1)
  return frame
}
