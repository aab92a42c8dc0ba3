/**
 * Puts back what a Computer left out of a tool's result because it was too large
 * to be sent in one piece (specification, blob transfer, producers).
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { isRecord, number, text } from "../../protocol/Json.ts"
import type { SmcpError } from "../../protocol/SmcpError.ts"
import * as Base64 from "../../transport/Base64.ts"
import * as BlobDownload from "../BlobDownload.ts"
import type { ToolOutcome, UnrestoredBlob } from "../ToolOutcome.ts"

/** Downloads from one Computer. */
export type DownloadFrom = (
  computer: string
) => (handle: string, options: BlobDownload.DownloadOptions) => Effect.Effect<BlobDownload.Download, SmcpError>

/** The outcome with all parts in place, or with word of those that could not be had: these keep their handles. */
export const restoreBlobs = Effect.fnUntraced(function*(
  outcome: ToolOutcome,
  download: ReturnType<DownloadFrom>,
  maxBytes: number = BlobDownload.DEFAULT_MAX_BYTES
): Effect.fn.Return<ToolOutcome> {
  const { result } = outcome
  const content = [...result.content ?? []]
  const left: Array<UnrestoredBlob> = []
  let budget = maxBytes
  let restored = 0
  for (const [index, item] of content.entries()) {
    const blob = blobOf(item)
    if (blob === undefined) continue
    const { handle, sha256, totalSize } = blob
    const got = yield* Effect.result(download(handle, { maxBytes: budget, sha256 }))
    if (Result.isFailure(got)) {
      left.push({ index, handle, totalSize, error: got.failure })
      continue
    }
    const { bytes } = got.success
    content[index] = withBytes(item, bytes)
    budget -= bytes.length
    restored++
  }
  return {
    ...outcome,
    ...(restored === 0 ? {} : { result: { ...result, content } }),
    ...(left.length === 0 ? {} : { unrestored: left })
  }
})

type Item = Readonly<Record<string, unknown>>

const HANDLE = "a2c_blob_handle"
const SIZE = "a2c_total_size"
const HASH = "a2c_sha256"

/** Where peers put an item's metadata; the protocol says `_meta`. */
const PLACES = ["_meta", "meta"]

const blobOf = (item: Item) => {
  for (const place of PLACES) {
    const meta = item[place]
    const handle = isRecord(meta) ? text(meta[HANDLE]) : undefined
    if (!isRecord(meta) || handle === undefined) continue
    return { handle, totalSize: number(meta[SIZE]), sha256: text(meta[HASH]) }
  }
  return undefined
}

/** The item as the MCP server gave it: an embedded resource has its bytes in `resource.blob`, everything else in `data`. */
const withBytes = (item: Item, bytes: Uint8Array): Item => {
  const base64 = Base64.encode(bytes)
  const bare = PLACES.reduce(withoutMarks, item)
  const { resource } = bare
  return isRecord(resource) ? { ...bare, resource: { ...resource, blob: base64 } } : { ...bare, data: base64 }
}

const withoutMarks = (item: Item, place: string): Item => {
  const { [place]: meta, ...rest } = item
  if (!isRecord(meta)) return item
  const { [HANDLE]: _handle, [SIZE]: _size, [HASH]: _hash, ...kept } = meta
  return Object.keys(kept).length === 0 ? rest : { ...rest, [place]: kept }
}
