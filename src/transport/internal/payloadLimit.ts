/**
 * Messages that are larger than the Server takes: it would drop the connection
 * for them, so they are never sent.
 */
import * as Ack from "../../protocol/Ack.ts"
import * as ClientEvent from "../../protocol/ClientEvent.ts"
import * as SmcpError from "../../protocol/SmcpError.ts"
import * as ToolResult from "../../protocol/ToolResult.ts"
import * as WireError from "../../protocol/WireError.ts"

/** Bytes that a Server takes which tells no limit: Socket.IO's own default. */
export const DEFAULT_MAX_PAYLOAD = 1_000_000

// Packet type, namespace, ack id and event name around the payload.
const FRAME_OVERHEAD = 256

/** Why a text cannot be sent; undefined when it can. */
export const excess = (event: string, text: string, limit: number): SmcpError.PayloadTooLarge | undefined => {
  // No text has more than three bytes per UTF-16 unit, so most need no counting.
  if (text.length * 3 + FRAME_OVERHEAD <= limit) return undefined
  const size = new TextEncoder().encode(text).length + FRAME_OVERHEAD
  return size <= limit ? undefined : new SmcpError.PayloadTooLarge({ event, size, limit })
}

/** What is acknowledged in place of an answer that cannot be sent. */
export const inPlaceOf = (event: string, { limit, message, size }: SmcpError.PayloadTooLarge): Ack.Args =>
  event === ClientEvent.ToolCall.name
    ? Ack.value(ToolResult.tooLarge(size, limit))
    : Ack.failure(SmcpError.make(new WireError.InternalError({ message })))
