/**
 * Content items of tool results that carry bytes: images, audio, and embedded resources with a `blob`.
 */
import { isRecord } from "../../../protocol/Json.ts"
import * as Base64 from "../../../transport/Base64.ts"

type Item = Readonly<Record<string, unknown>>

export interface BinaryItem {
  /** The bytes in what claims to be base64. */
  readonly text: string
  /** How many bytes that is. */
  readonly size: number
  readonly mimeType: string
  /** The item without its bytes and with more metadata. */
  readonly replaced: (meta: Item) => Item
}

const UNKNOWN_TYPE = "application/octet-stream"
const LONGEST_TYPE = 255

/** Reads an item; `undefined` when it carries no bytes. */
export const readItem = (item: unknown): BinaryItem | undefined => {
  if (!isRecord(item)) return undefined
  const { _meta, data, mimeType, resource, type } = item
  const withMeta = (meta: Item): Item => ({ ...item, _meta: { ...(isRecord(_meta) ? _meta : {}), ...meta } })
  if (type === "image" || type === "audio") {
    return binary(data, mimeType, (meta) => ({ ...withMeta(meta), data: "" }))
  }
  if (type === "resource" && isRecord(resource)) {
    return binary(
      resource["blob"],
      resource["mimeType"],
      (meta) => ({ ...withMeta(meta), resource: { ...resource, blob: "" } })
    )
  }
  return undefined
}

const binary = (text: unknown, mimeType: unknown, replaced: BinaryItem["replaced"]): BinaryItem | undefined => {
  if (typeof text !== "string") return undefined
  const size = Base64.decodedSize(text)
  if (size === undefined) return undefined
  const known = typeof mimeType === "string" && mimeType !== "" && mimeType.length <= LONGEST_TYPE
  return { text, size, mimeType: known ? mimeType : UNKNOWN_TYPE, replaced }
}
