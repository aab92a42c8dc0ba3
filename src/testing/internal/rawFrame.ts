/**
 * Socket.IO packets as the text they are on the wire: `42/smcp,0["event",{…}]`.
 */
import { canonicalJson } from "../../protocol/Json.ts"

export { canonicalJson }

/** The namespace of the protocol. */
const NAMESPACE = "/smcp"

/** One received Engine.IO message, taken apart. */
export interface RawFrame {
  readonly text: string
  /** `40` CONNECT, `41` DISCONNECT, `42` EVENT, `43` ACK, `44` CONNECT_ERROR, `45` and `46` their binary forms. */
  readonly type: string
  readonly namespace: string
  /** The id of an acknowledgement that is wanted or given. */
  readonly id: number | undefined
  /** What the JSON part says; undefined where there is none, or it is no JSON. */
  readonly data: unknown
}

const pattern = /^(4\d)(?:\d+-)?(?:(\/[^,]*),)?(\d+)?(.*)$/s

/** Takes a message apart; what is no Socket.IO packet has the type `""`. */
export const parse = (text: string): RawFrame => {
  const match = pattern.exec(text)
  if (match === null) return { text, type: "", namespace: "", id: undefined, data: undefined }
  const [, type = "", namespace = "/", id, json = ""] = match
  return { text, type, namespace, id: id === undefined ? undefined : Number(id), data: fromJson(json) }
}

/** What a text says as JSON; undefined when it is none. */
export const fromJson = (json: string): unknown => {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}

/** The arguments of an event or an acknowledgement. */
export const argsOf = ({ data }: RawFrame): ReadonlyArray<unknown> => Array.isArray(data) ? data : []

/** The packet that opens the namespace. */
export const connect = (auth: Readonly<Record<string, unknown>>): string => `40${NAMESPACE},${JSON.stringify(auth)}`

/** The packet that leaves the namespace. */
export const disconnect = `41${NAMESPACE},`

/** An event; with an id it wants an acknowledgement. */
export const event = (id: number | undefined, args: ReadonlyArray<unknown>): string =>
  `42${NAMESPACE},${id ?? ""}${JSON.stringify(args)}`

/** An acknowledgement. */
export const ack = (id: number, args: ReadonlyArray<unknown>): string => `43${NAMESPACE},${id}${JSON.stringify(args)}`

/** The frame with the keys of its objects in one order, to be compared as text. */
export const canonical = (text: string): string => {
  const { data, text: whole } = parse(text)
  if (data === undefined) return whole
  const start = whole.search(/[[{"]/)
  return `${start === -1 ? whole : whole.slice(0, start)}${canonicalJson(data)}`
}
