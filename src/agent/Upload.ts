/**
 * Blobs up: bytes that are written to a file on the Computer, whose path is then
 * an argument of tool calls (specification, blob transfer, `client:put_blob`).
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import type { PlatformError } from "effect/PlatformError"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { createHash } from "node:crypto"
import type { PutBlobReq, PutBlobRet } from "../protocol/Blob.ts"
import * as ClientEvent from "../protocol/ClientEvent.ts"
import * as SmcpError from "../protocol/SmcpError.ts"
import * as Base64 from "../transport/Base64.ts"
import { transferFailed } from "./internal/transferFailed.ts"

/** Bytes that come piece by piece. */
export interface StreamSource<E = never> {
  /**
   * Run once when `size` and `sha256` are both given, and once more for each
   * attempt that begins anew; otherwise once before that, to measure it. So it has to
   * give the same bytes every time.
   */
  readonly stream: Stream.Stream<Uint8Array, E>
  /** Bytes. */
  readonly size?: number | undefined
  /** Of all bytes, hex. */
  readonly sha256?: string | undefined
  /** A name to tell the Computer when the options have none. */
  readonly nameHint?: string | undefined
}

/** What can be uploaded. At least one byte: the protocol knows no empty uploads. */
export type Source<E = never> = Uint8Array | StreamSource<E>

/** How far an upload is, in bytes the Computer has confirmed. Back at 0 when it begins anew. */
export interface Progress {
  readonly sent: number
  readonly total: number
}

/** Options of an upload. */
export interface Options {
  /** The file name the Computer may build its own on. Default: what the source says. */
  readonly nameHint?: string | undefined
  /** Told at the start and after every confirmed chunk. */
  readonly onProgress?: ((progress: Progress) => Effect.Effect<void>) | undefined
}

/** A finished upload. */
export interface Uploaded {
  /** Absolute, on the Computer: to be used in tool calls as it is. The file is not kept for ever. */
  readonly landingPath: string
  /** Bytes. */
  readonly totalSize: number
  /** Lower-case hex. */
  readonly sha256: string
}

/** A file of this machine under its own name. It is read twice: once to measure it, once to send it. */
export const file = Effect.fnUntraced(function*(
  path: string
): Effect.fn.Return<StreamSource<PlatformError>, SmcpError.SmcpError | PlatformError, FileSystem.FileSystem> {
  const fileSystem = yield* FileSystem.FileSystem
  const { type } = yield* fileSystem.stat(path)
  // What comes out of a pipe or a device is not the same twice.
  if (type !== "File") return yield* transferFailed("source", `${path} is not a regular file`)
  return { stream: fileSystem.stream(path), nameHint: path.split(/[/\\]/).at(-1) }
})

/** Sends one chunk; the envelope and the event are the sender's business. */
export type Write = (chunk: ChunkPayload) => Effect.Effect<PutBlobRet, SmcpError.SmcpError>

/** What a chunk carries beside the envelope. */
export type ChunkPayload = Omit<PutBlobReq, "agent" | "req_id" | "computer">

/** How chunks reach the Computer. */
export interface Target {
  readonly write: Write
  /** The most bytes that a message with this envelope may have. */
  readonly maxPayload: Effect.Effect<number>
  /** What every message carries beside the chunk. */
  readonly envelope: object
}

/**
 * Uploads. Waits and begins anew while the Computer is busy, for up to a minute;
 * begins anew once when the Computer lost the upload or received other bytes.
 */
export const upload = Effect.fnUntraced(function*<E = never>(
  target: Target,
  source: Source<E>,
  options: Options = {}
): Effect.fn.Return<Uploaded, SmcpError.SmcpError | E> {
  const measured = yield* measure(source)
  const nameHint = options.nameHint ?? measured.nameHint
  return yield* attempt(target, { ...measured, nameHint }, options).pipe(
    Effect.retry({ schedule: whileBusy, while: refusedFor("busy") }),
    Effect.retry({ times: 1, while: refusedFor("invalid_upload", "integrity") })
  )
})

// -----------------------------------------------------------------------------
// Internal
// -----------------------------------------------------------------------------

const CHUNK_BYTES = 256 * 1024
/** Kept free in a message for numbers, an upload id, and what frames the payload. */
const SPARE_BYTES = 1024

const whileBusy = Schedule.min([Schedule.exponential("500 millis"), Schedule.spaced("5 seconds")]).pipe(
  Schedule.upTo({ duration: "1 minute" })
)

const refusedFor = (...reasons: ReadonlyArray<string>) => (error: unknown): boolean =>
  error instanceof SmcpError.SmcpError && error.reason._tag === "BlobWriteFailed" &&
  reasons.includes(error.reason.reason ?? "")

/** A source whose size and hash are known. */
interface Measured<E> {
  readonly stream: Stream.Stream<Uint8Array, E>
  readonly size: number
  readonly sha256: string
  readonly nameHint: string | undefined
}

const measure = Effect.fnUntraced(function*<E>(source: Source<E>): Effect.fn.Return<
  Measured<E>,
  SmcpError.SmcpError | E
> {
  const given: StreamSource<E> = source instanceof Uint8Array ? { stream: Stream.succeed(source) } : source
  const { nameHint, stream } = given
  const counted = given.size === undefined || given.sha256 === undefined ? yield* count(stream) : undefined
  const size = given.size ?? counted?.size ?? 0
  const sha256 = (given.sha256 ?? counted?.sha256 ?? "").toLowerCase()
  if (size === 0) {
    return yield* transferFailed("empty", "There is nothing to upload: the protocol knows no files of 0 bytes")
  }
  if (counted !== undefined && counted.size !== size) return yield* wrongSize(counted.size, size)
  if (counted !== undefined && counted.sha256 !== sha256) return yield* wrongHash
  return { stream, size, sha256, nameHint }
})

const count = <E>(stream: Stream.Stream<Uint8Array, E>) =>
  Effect.suspend(() => {
    const hash = createHash("sha256")
    let size = 0
    return Effect.map(
      Stream.runForEach(stream, (piece) =>
        Effect.sync(() => {
          hash.update(piece)
          size += piece.length
        })),
      () => ({ size, sha256: hash.digest("hex") })
    )
  })

/** One upload from its first byte to its last. The last chunk is sent only when all bytes are what was declared. */
const attempt = Effect.fnUntraced(function*<E>(
  target: Target,
  source: Measured<E>,
  { onProgress }: Options
): Effect.fn.Return<Uploaded, SmcpError.SmcpError | E> {
  const { nameHint, sha256, size } = source
  const told = (sent: number) => onProgress?.({ sent, total: size }) ?? Effect.void
  const hash = createHash("sha256")
  const buffer = new Uint8Array(Math.min(size, yield* chunkSize(target, source)))
  let filled = 0
  let sent = 0
  let uploadId: string | undefined

  const send = Effect.fnUntraced(function*() {
    const bytes = buffer.subarray(0, filled)
    const answer = yield* target.write({
      ...(uploadId === undefined
        ? { total_size: size, sha256, ...(nameHint === undefined ? {} : { name_hint: nameHint }) }
        : { upload_id: uploadId }),
      chunk_offset: sent,
      eof: sent + filled === size,
      blob: Base64.encode(bytes)
    })
    sent += filled
    filled = 0
    uploadId ??= answer.upload_id ?? undefined
    if (uploadId === undefined && sent < size) return yield* invalid("the first answer has no upload_id")
    yield* told(sent)
    return answer
  })

  yield* told(0)
  yield* Stream.runForEach(
    source.stream,
    Effect.fnUntraced(function*(piece) {
      if (sent + filled + piece.length > size) return yield* wrongSize("more", size)
      hash.update(piece)
      for (let at = 0; at < piece.length;) {
        // A full buffer is kept back until more follows, so that the last one is known as such.
        if (filled === buffer.length) yield* send()
        const length = Math.min(buffer.length - filled, piece.length - at)
        buffer.set(piece.subarray(at, at + length), filled)
        filled += length
        at += length
      }
    })
  )
  if (sent + filled !== size) return yield* wrongSize(sent + filled, size)
  if (hash.digest("hex") !== sha256) return yield* wrongHash
  return yield* landed(source, yield* send())
})

/** Reads the last answer. */
const landed = (
  { sha256, size }: { readonly sha256: string; readonly size: number },
  answer: PutBlobRet
): Effect.Effect<Uploaded, SmcpError.SmcpError> => {
  const { landing_path: landingPath } = answer
  if (typeof landingPath !== "string" || landingPath === "") return invalid("the last answer has no landing_path")
  if ((answer.total_size ?? size) !== size) return invalid(`${answer.total_size} bytes landed instead of ${size}`)
  if ((answer.sha256 ?? sha256).toLowerCase() !== sha256) return invalid("other bytes landed than were sent")
  return Effect.succeed({ landingPath, totalSize: size, sha256 })
}

/** How many bytes fit into one message beside everything else; base64 makes four of three. */
const chunkSize = (target: Target, { nameHint }: { readonly nameHint: string | undefined }): Effect.Effect<number> =>
  Effect.map(target.maxPayload, (limit) => {
    const envelope = new TextEncoder().encode(JSON.stringify({ ...target.envelope, name_hint: nameHint })).length
    return Math.max(1, Math.min(CHUNK_BYTES, Math.floor((limit - envelope - SPARE_BYTES) / 4) * 3))
  })

const wrongSize = (found: number | "more", declared: number) =>
  transferFailed(
    "source",
    `The source has ${found === "more" ? "more than" : `${found} bytes and not`} the ${declared} that were declared`
  )

const wrongHash = transferFailed(
  "source",
  "The source does not have the hash that was declared for it, or it changed meanwhile"
)

const invalid = (issue: string) =>
  Effect.fail(SmcpError.make(new SmcpError.InvalidResponse({ event: ClientEvent.PutBlob.name, issue })))
