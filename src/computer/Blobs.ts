/**
 * Bytes on their way to an Agent: what is too large for a tool's result is kept here under a handle, and given out in
 * chunks (specification, blob transfer).
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { GetBlobReq, GetBlobRet } from "../protocol/Blob.ts"
import * as SmcpError from "../protocol/SmcpError.ts"
import type { CallToolResult } from "../protocol/Tool.ts"
import * as ToolResult from "../protocol/ToolResult.ts"
import * as WireError from "../protocol/WireError.ts"
import * as Base64 from "../transport/Base64.ts"
import { Transport } from "../transport/Transport.ts"
import { type BinaryItem, readItem } from "./internal/blobs/binaryItem.ts"
import * as BlobHandle from "./internal/blobs/blobHandle.ts"
import { makeSpool, type Spool } from "./internal/blobs/blobSpool.ts"
import type { FileFailure } from "./internal/files.ts"
import * as ToolMeta from "./internal/toolMeta.ts"
import { McpManager, type ServerStatus } from "./McpManager.ts"

// -----------------------------------------------------------------------------
// Options
// -----------------------------------------------------------------------------

/** Options of {@link layer}. Sizes are in bytes. */
export interface Options {
  /**
   * A directory for the bytes and the key of their handles, of this Computer alone; created when it is first needed,
   * readable by its owner only. Handles stay valid for the next Computer with the same directory. Default: a temporary
   * directory that ends with the layer.
   */
  readonly spoolDirectory?: string | undefined
  /** The most bytes that one image, recording or embedded resource brings along in its result. Default: 32 KiB. */
  readonly inlineBudget?: number | undefined
  /** The most bytes of one chunk; it gets smaller where the connection takes less. Default: 256 KiB. */
  readonly chunkBytes?: number | undefined
  /** The most bytes of one image, recording or embedded resource at all. Default: 100 MiB. */
  readonly ceiling?: number | undefined
  /** The most bytes that are kept altogether; the oldest make room. Default: 1 GiB. */
  readonly spoolVolume?: number | undefined
  /** How long bytes are kept; looked at from the start and whenever new ones come. Default: 24 hours. */
  readonly spoolAge?: Duration.Input | undefined
}

/** What holds where {@link Options} say nothing. */
export const defaults = {
  inlineBudget: 32 * 1024,
  chunkBytes: 256 * 1024,
  ceiling: 100 * 1024 * 1024,
  spoolVolume: 1024 * 1024 * 1024,
  spoolAge: "24 hours"
} as const

// -----------------------------------------------------------------------------
// Service
// -----------------------------------------------------------------------------

/** A tool of an MCP server, by the name under which the server itself knows it. */
export interface Source {
  readonly bundleId: string
  readonly tool: string
}

/** Bytes on their way to an Agent. */
export class Blobs extends Context.Service<Blobs, {
  /**
   * A tool's result, fit to be sent: each image, recording and embedded resource above the inline budget has a handle
   * in its `_meta` in place of its bytes. What is not base64 stays as it is, and so does all else. A result with bytes
   * above the ceiling, or that cannot be kept, becomes one that says so. In revisions without `client:get_blob`
   * nothing changes.
   */
  readonly spool: (result: CallToolResult, source: Source) => Effect.Effect<CallToolResult>
  /**
   * Answers `client:get_blob`. Fails with `BlobNotAccessible`: `invalid_handle` for what this Computer did not hand
   * out, `forbidden` when the tool that produced the bytes is no longer offered, `gone` when they are no longer as they
   * were, `range` for an offset outside of them.
   */
  readonly read: (request: GetBlobReq) => Effect.Effect<GetBlobRet, SmcpError.SmcpError>
}>()("a2c-smcp/computer/Blobs") {}

/** The blobs of a Computer. Nothing is written before there is something to keep. */
export const layer = (options: Options = {}): Layer.Layer<Blobs, never, McpManager | Transport> =>
  Layer.effect(
    Blobs,
    Effect.gen(function*() {
      const transport = yield* Transport
      const { states } = yield* McpManager
      const spool = yield* makeSpool({
        directory: options.spoolDirectory,
        volume: options.spoolVolume ?? defaults.spoolVolume,
        age: options.spoolAge ?? defaults.spoolAge
      })
      const limits = {
        inlineBudget: options.inlineBudget ?? defaults.inlineBudget,
        ceiling: options.ceiling ?? defaults.ceiling
      }
      const chunkBytes = options.chunkBytes ?? defaults.chunkBytes
      return Blobs.of({
        spool: (result, source) =>
          transport.revision.hasGetBlob ? spooled(spool, limits, result, source) : Effect.succeed(result),
        read: Effect.fnUntraced(function*(request) {
          const source = yield* opened(spool, request.blob_handle)
          if (!isOffered(yield* states, source)) return yield* refused("forbidden")
          return yield* chunk(spool, source, request, { chunkBytes, maxPayload: yield* transport.maxPayload })
        })
      })
    })
  )

// -----------------------------------------------------------------------------
// Keeping
// -----------------------------------------------------------------------------

interface Limits {
  readonly inlineBudget: number
  readonly ceiling: number
}

const spooled = (
  spool: Spool,
  { ceiling, inlineBudget }: Limits,
  result: CallToolResult,
  source: Source
): Effect.Effect<CallToolResult> => {
  const { content } = result
  if (!Array.isArray(content)) return Effect.succeed(result)
  const large = (content as ReadonlyArray<unknown>).map((item) => {
    const binary = readItem(item)
    return binary !== undefined && binary.size > inlineBudget ? binary : undefined
  })
  const excess = large.find((item) => item !== undefined && item.size > ceiling)
  if (excess !== undefined) {
    return Effect.succeed(ToolResult.undeliverable(
      `has ${excess.size} bytes of ${excess.mimeType}, and this Computer passes on at most ${ceiling} at a time`
    ))
  }
  if (large.every((item) => item === undefined)) return Effect.succeed(result)
  return Effect.forEach(content as CallToolResult["content"] & {}, (item, index) => {
    const binary = large[index]
    return binary === undefined ? Effect.succeed(item) : Effect.map(kept(spool, binary, source), (it) => it ?? item)
  }).pipe(
    Effect.map((content): CallToolResult => ({ ...result, content })),
    Effect.catch((failure) => notKept(failure, source))
  )
}

/** The item with a handle; `undefined` when its bytes are no base64. */
const kept = Effect.fnUntraced(function*(
  spool: Spool,
  { mimeType, replaced, size, text }: BinaryItem,
  source: Source
): Effect.fn.Return<Readonly<Record<string, unknown>> | undefined, FileFailure> {
  const written = yield* spool.write(text, size)
  if (written === undefined) return undefined
  const { key, sha256 } = written
  return replaced({
    a2c_blob_handle: BlobHandle.seal(key, { ...source, mimeType, sha256, size }),
    a2c_total_size: size,
    a2c_sha256: sha256
  })
})

const notKept = ({ message }: FileFailure, { bundleId, tool }: Source): Effect.Effect<CallToolResult> =>
  Effect.as(
    Effect.logWarning(`What ${tool} of "${bundleId}" returned could not be kept: ${message}`),
    ToolResult.undeliverable(`could not be kept by the Computer until it is fetched: ${message}`)
  )

// -----------------------------------------------------------------------------
// Reading
// -----------------------------------------------------------------------------

const refused = (reason: WireError.BlobNotAccessibleReason): Effect.Effect<never, SmcpError.SmcpError> =>
  Effect.fail(SmcpError.make(new WireError.BlobNotAccessible({ reason })))

const opened = Effect.fnUntraced(function*(
  spool: Spool,
  handle: string
): Effect.fn.Return<BlobHandle.BlobSource, SmcpError.SmcpError> {
  const key = yield* Effect.catch(
    spool.key,
    ({ message }) =>
      Effect.andThen(Effect.logWarning(`The key of the spool cannot be read: ${message}`), refused("gone"))
  )
  const source = key === undefined ? undefined : BlobHandle.open(key, handle)
  return source ?? (yield* refused("invalid_handle"))
})

/** Whether an Agent may have what this tool produced: a server that only failed does not take it back. */
const isOffered = (states: ReadonlyArray<ServerStatus>, { bundleId, tool }: Source): boolean => {
  const status = states.find(({ entry }) => entry.bundleId === bundleId)
  if (status === undefined || status.state._tag === "Disabled" || status.state._tag === "Stopped") return false
  const { config } = status.entry
  return !ToolMeta.namesOf(config, bundleId, tool).some((name) => config.forbidden_tools.includes(name))
}

/** What surrounds the payload in a message. */
const FRAME_BYTES = 1024

const chunk = Effect.fnUntraced(function*(
  spool: Spool,
  source: BlobHandle.BlobSource,
  { blob_handle, chunk_offset, max_chunk_bytes, req_id }: GetBlobReq,
  { chunkBytes, maxPayload }: { readonly chunkBytes: number; readonly maxPayload: number }
): Effect.fn.Return<GetBlobRet, SmcpError.SmcpError> {
  const offset = chunk_offset ?? 0
  const rest = source.size - offset
  if (!Number.isSafeInteger(offset) || offset < 0 || rest < 0) {
    return yield* refused((yield* spool.has(source)) ? "range" : "gone")
  }
  const envelope = {
    blob_handle,
    mime_type: source.mimeType,
    total_size: source.size,
    sha256: source.sha256,
    chunk_offset: offset,
    req_id
  }
  const room = Math.floor((maxPayload - FRAME_BYTES - Buffer.byteLength(JSON.stringify(envelope))) / 4) * 3
  // whoever asks for less than a byte still gets ahead
  const length = Math.min(rest, Math.max(1, Math.floor(Math.min(chunkBytes, room, max_chunk_bytes ?? chunkBytes))))
  const bytes = yield* spool.read(source, offset, length)
  if (bytes === undefined) return yield* refused("gone")
  return { ...envelope, eof: length === rest, blob: Base64.encode(bytes) }
})
