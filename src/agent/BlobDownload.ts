/**
 * Blobs down: bytes that a Computer keeps behind a handle, pulled in chunks and
 * checked against their hash (specification, blob transfer).
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { createHash } from "node:crypto"
import type { GetBlobRet } from "../protocol/Blob.ts"
import * as ClientEvent from "../protocol/ClientEvent.ts"
import * as SmcpError from "../protocol/SmcpError.ts"
import * as Base64 from "../transport/Base64.ts"
import { transferFailed } from "./internal/transferFailed.ts"

/** Options of {@link stream}. */
export interface BlobOptions {
  /** How many chunks are asked for at once after the first has told the size; also the most that are read ahead. Default: 4. */
  readonly concurrency?: number | undefined
}

/** Options of {@link download}. */
export interface DownloadOptions extends BlobOptions {
  /** The most bytes to take; a larger blob fails with `BlobTransferFailed` before it is fetched. Default: 100 MiB. */
  readonly maxBytes?: number | undefined
  /** The hash that the bytes must have, when it is known from where the handle came from. */
  readonly sha256?: string | undefined
}

/** A whole blob. */
export interface Download {
  readonly bytes: Uint8Array
  readonly mimeType: string | undefined
  /** Of the bytes, lower-case hex, checked. */
  readonly sha256: string
}

/** The most bytes of a blob that are held at once unless something else is said: 100 MiB. */
export const DEFAULT_MAX_BYTES = 100 * 1024 * 1024

const DEFAULT_CONCURRENCY = 4
const ATTEMPTS = 3

/** What is asked for: where a chunk begins, and its most bytes; without those the Computer decides. */
export interface Range {
  readonly chunk_offset: number
  readonly max_chunk_bytes?: number
}

/** Asks the Computer for one chunk of one blob. */
export type Read = (range: Range) => Effect.Effect<GetBlobRet, SmcpError.SmcpError>

/**
 * The bytes in order. The last of them are given only when the hash of all is
 * right. Fails with `BlobTransferFailed` (`changed`) when the source becomes another
 * one on the way: what was given then is of the old one.
 */
export const stream = (read: Read, options: BlobOptions = {}): Stream.Stream<Uint8Array, SmcpError.SmcpError> =>
  Stream.unwrap(Effect.map(readChunk(read, { chunk_offset: 0 }), (first) => pieces(read, first, options)))

/** All bytes at once. Begins anew when the source changes or the hash is wrong, up to three times. */
export const download = (read: Read, options: DownloadOptions = {}): Effect.Effect<Download, SmcpError.SmcpError> =>
  Effect.retry(attempt(read, options), { times: ATTEMPTS - 1, while: isWorthAnother })

// -----------------------------------------------------------------------------
// Internal
// -----------------------------------------------------------------------------

const attempt = Effect.fnUntraced(function*(read: Read, options: DownloadOptions) {
  const first = yield* readChunk(read, { chunk_offset: 0 })
  const { mimeType, sha256, totalSize } = first
  const { maxBytes = DEFAULT_MAX_BYTES } = options
  if (totalSize > maxBytes) {
    return yield* transferFailed(
      "too-large",
      `The blob has ${totalSize} bytes, more than the ${maxBytes} that are allowed`
    )
  }
  if (options.sha256 !== undefined && options.sha256.toLowerCase() !== sha256) {
    return yield* transferFailed("changed", "The Computer has other bytes than it announced")
  }
  const bytes = new Uint8Array(totalSize)
  let filled = 0
  yield* Stream.runForEach(pieces(read, first, options), (piece) =>
    Effect.sync(() => {
      bytes.set(piece, filled)
      filled += piece.length
    }))
  return { bytes, mimeType, sha256 }
})

const isWorthAnother = ({ reason }: SmcpError.SmcpError): boolean =>
  reason._tag === "BlobTransferFailed" && (reason.problem === "changed" || reason.problem === "corrupt")

/** One chunk as it was understood. */
interface Chunk {
  /** At least one byte, unless the blob has none. */
  readonly bytes: Uint8Array
  readonly totalSize: number
  readonly sha256: string
  readonly mimeType: string | undefined
}

/** The bytes from the first chunk on, each piece as large as that, checked as they pass. */
const pieces = (
  read: Read,
  first: Chunk,
  { concurrency = DEFAULT_CONCURRENCY }: BlobOptions
): Stream.Stream<Uint8Array, SmcpError.SmcpError> => {
  const hash = createHash("sha256")
  let missing = first.totalSize
  const rest = Stream.unfold(first.bytes.length, (from) => {
    const to = Math.min(from + first.bytes.length, first.totalSize)
    return Effect.succeed(from < to ? [{ from, to }, to] as const : undefined)
  }).pipe(Stream.mapEffect((range) => readRange(read, first, range), { concurrency }))
  return Stream.concat(Stream.succeed(first.bytes), rest).pipe(
    Stream.mapEffect((piece) => {
      hash.update(piece)
      missing -= piece.length
      return missing > 0 || hash.digest("hex") === first.sha256
        ? Effect.succeed(piece)
        : transferFailed("corrupt", "The bytes do not have the hash that the Computer promised")
    }),
    Stream.filter((piece) => piece.length > 0)
  )
}

/** The bytes of a range, in as many answers as the Computer gives. */
const readRange = Effect.fnUntraced(function*(
  read: Read,
  first: Chunk,
  { from, to }: { readonly from: number; readonly to: number }
) {
  const bytes = new Uint8Array(to - from)
  for (let at = from; at < to;) {
    const chunk = yield* readChunk(read, { chunk_offset: at, max_chunk_bytes: to - at })
    if (chunk.totalSize !== first.totalSize || chunk.sha256 !== first.sha256) return yield* changed
    const wanted = chunk.bytes.subarray(0, to - at)
    bytes.set(wanted, at - from)
    at += wanted.length
  }
  return bytes
})

const readChunk = (read: Read, range: Range): Effect.Effect<Chunk, SmcpError.SmcpError> =>
  read(range).pipe(
    Effect.catchReason(
      "SmcpError",
      "BlobNotAccessible",
      // An offset that was inside the blob is outside of it now.
      (reason) => range.chunk_offset > 0 && reason.reason === "range" ? changed : Effect.fail(SmcpError.make(reason))
    ),
    Effect.flatMap((answer) => Effect.fromResult(understand(answer, range.chunk_offset)))
  )

/** Takes an answer for what its bytes and its total size say; whatever contradicts them is refused. */
const understand = (answer: GetBlobRet, offset: number): Result.Result<Chunk, SmcpError.SmcpError> => {
  const bytes = Base64.decode(answer.blob)
  if (bytes === undefined) return refused("the chunk is not base64")
  const { total_size: totalSize } = answer
  const end = offset + bytes.length
  if (!Number.isSafeInteger(totalSize) || totalSize < 0) return refused(`a total size of ${totalSize}`)
  if ((answer.chunk_offset ?? offset) !== offset) {
    return refused(`a chunk at ${answer.chunk_offset} instead of ${offset}`)
  }
  if (end > totalSize) return refused(`${end} bytes of ${totalSize}`)
  if (bytes.length === 0 && end < totalSize) return refused(`no bytes at ${offset} of ${totalSize}`)
  if (answer.eof === true && end < totalSize) return refused(`the end after ${end} of ${totalSize} bytes`)
  return Result.succeed({
    bytes,
    totalSize,
    sha256: answer.sha256.toLowerCase(),
    mimeType: answer.mime_type ?? undefined
  })
}

const refused = (issue: string) =>
  Result.fail(SmcpError.make(new SmcpError.InvalidResponse({ event: ClientEvent.GetBlob.name, issue })))

const changed = transferFailed("changed", "The blob changed while it was read")
