/**
 * A Socket.IO parser, compatible on the wire, that keeps what is only relayed
 * as text: an acknowledgement is proved to be JSON and forwarded as it came, a
 * `client:*` payload is parsed once for its envelope and forwarded as it came.
 * Nothing relayed is encoded again.
 *
 * Proving matters: unproved text would let one peer break another's connection.
 * Binary attachments are not part of the protocol; they are swallowed and the
 * sender (or whoever waits for the acknowledgement) gets a flat error.
 */
import * as parser from "socket.io-parser"
import type * as Ack from "../../protocol/Ack.ts"
import * as ErrorPayload from "../../protocol/ErrorPayload.ts"
import * as WireError from "../../protocol/WireError.ts"
import type { Carried, Reply } from "../ServerTransport.ts"

/** A payload with the JSON text it came in, or will go out in. */
export class CarriedText implements Carried {
  readonly text: string
  readonly value: unknown
  constructor(text: string, value: unknown) {
    this.text = text
    this.value = value
  }
}

/** The arguments of an acknowledgement as the JSON list they came in, or will go out in. */
export class ReplyText implements Reply {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
  get args(): Ack.Args {
    return JSON.parse(this.text)
  }
}

const EVENT = 50 // "2"
const ACK = 51 // "3"
const BINARY_EVENT = 53 // "5"
const BINARY_ACK = 54 // "6"

// Packet type, namespace, and an id that a double holds exactly.
const head = /^[23](?:(\/[^,]*),)?(\d{0,15})(?=\[)/
const relayed = /^2(?:(\/[^,]*),)?(\d{0,15})\["(client:[a-z_]+)",/
const attachments = /^([56])(\d{1,2})-/
const eventName = /\["([^"\\]*)"/y

const MAX_ATTACHMENTS = 10

const binaryRefused = JSON.stringify([
  ErrorPayload.encode(new WireError.BadRequest({ message: "Binary attachments are not part of the protocol" }))
])

/** Decodes packets; see the module's description. */
export class Decoder extends parser.Decoder {
  #held = ""
  #attachments = 0

  override add(chunk: unknown): void {
    if (this.#attachments > 0) return this.#swallow(chunk)
    if (typeof chunk === "string") {
      const type = chunk.charCodeAt(0)
      if (type === ACK ? this.#ack(chunk) : type === EVENT && this.#event(chunk)) return
      if (type === BINARY_EVENT || type === BINARY_ACK) return this.#binary(chunk)
    }
    super.add(chunk)
  }

  #ack(packet: string): boolean {
    const match = head.exec(packet)
    if (match === null || match[2] === "") return false
    const text = packet.slice(match[0].length)
    if (!text.endsWith("]") || parse(text) === undefined) return false
    this.#emitAck(match, new ReplyText(text))
    return true
  }

  #event(packet: string): boolean {
    const match = relayed.exec(packet)
    if (match === null || !packet.endsWith("]")) return false
    const text = packet.slice(match[0].length, -1)
    const value = parse(text)
    if (value === undefined) return false
    this.#emitEvent(match, match[3]!, new CarriedText(text, value))
    return true
  }

  #binary(packet: string): void {
    const match = attachments.exec(packet)
    const count = Number(match?.[2])
    if (match === null || count < 1 || count > MAX_ATTACHMENTS) throw new Error("Illegal attachments")
    this.#held = (match[1] === "5" ? "2" : "3") + packet.slice(match[0].length)
    this.#attachments = count
  }

  #swallow(chunk: unknown): void {
    if (typeof chunk === "string") throw new Error("Got text while a binary attachment was due")
    if (--this.#attachments > 0) return
    const match = head.exec(this.#held)
    if (match === null) throw new Error("Malformed binary packet")
    if (this.#held.startsWith("3")) return this.#emitAck(match, new ReplyText(binaryRefused))
    eventName.lastIndex = match[0].length
    const event = eventName.exec(this.#held)
    if (event === null) throw new Error("Malformed binary packet")
    this.#emitEvent(match, event[1]!, new CarriedText("null", undefined))
  }

  #emitAck(match: RegExpExecArray, reply: ReplyText): void {
    this.emitReserved("decoded", {
      type: parser.PacketType.ACK,
      nsp: match[1] ?? "/",
      id: Number(match[2]),
      data: [reply]
    })
  }

  #emitEvent(match: RegExpExecArray, event: string, payload: CarriedText): void {
    this.emitReserved("decoded", {
      type: parser.PacketType.EVENT,
      nsp: match[1] ?? "/",
      ...(match[2] === "" ? {} : { id: Number(match[2]) }),
      data: [event, payload]
    })
  }
}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Encodes packets; carried text goes out as it is. */
export class Encoder extends parser.Encoder {
  override encode(packet: parser.Packet): Array<unknown> {
    const data: unknown = packet.data
    if (Array.isArray(data)) {
      const carried: unknown = data.at(-1)
      if (packet.type === parser.PacketType.ACK && carried instanceof ReplyText) {
        return [`3${prefix(packet)}${carried.text}`]
      }
      if (packet.type === parser.PacketType.EVENT && carried instanceof CarriedText) {
        return [`2${prefix(packet)}["${data[0]}",${carried.text}]`]
      }
    }
    return super.encode(packet)
  }
}

const prefix = (packet: parser.Packet): string =>
  (packet.nsp === "/" ? "" : packet.nsp + ",") + (packet.id === undefined ? "" : packet.id)

export const { PacketType, protocol } = parser

/** The decoder of a side that reads everything it receives. */
export const PlainDecoder = parser.Decoder
