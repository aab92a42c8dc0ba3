/**
 * Files from an Agent: taken in chunks, checked, and moved as a whole into the landing root (specification,
 * `client:put_blob`).
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberMap from "effect/FiberMap"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { createHash, type Hash } from "node:crypto"
import type { FileHandle } from "node:fs/promises"
import type { PutBlobReq, PutBlobRet } from "../protocol/Blob.ts"
import * as RequestId from "../protocol/RequestId.ts"
import * as SmcpError from "../protocol/SmcpError.ts"
import * as WireError from "../protocol/WireError.ts"
import * as Background from "../transport/Background.ts"
import * as Base64 from "../transport/Base64.ts"
import { landingName } from "./internal/blobs/landingName.ts"
import { isForbidden, type LandingRoot, openLandingRoot } from "./internal/blobs/landingRoot.ts"
import { attempt, attemptQuietly, type FileFailure } from "./internal/files.ts"

// -----------------------------------------------------------------------------
// Options
// -----------------------------------------------------------------------------

/** How much an Agent may upload at a time. */
export interface Limits {
  /** The most bytes of one file. Default: 100 MiB. */
  readonly ceiling?: number | undefined
  /** How many uploads may be open at a time. Default: 4. */
  readonly concurrent?: number | undefined
  /** How long an upload may be without a chunk before it is given up. Default: 120 seconds. */
  readonly idleTimeout?: Duration.Input | undefined
}

/** Options of {@link layer}. */
export interface Options extends Limits {
  /**
   * The directory into which files are put; created, readable by its owner only, when its parent exists. Tools get the
   * path of a file as an argument, so it should be one that they can read. Whoever can write there without being
   * trusted must not be able to choose it: never take it from a file of the project that is worked on. Default: none,
   * and no file is taken.
   */
  readonly landingRoot?: string | undefined
}

/** What holds where {@link Limits} say nothing. */
export const defaults = { ceiling: 100 * 1024 * 1024, concurrent: 4, idleTimeout: "120 seconds" } as const

// -----------------------------------------------------------------------------
// Service
// -----------------------------------------------------------------------------

/** Files from an Agent. */
export class Uploads extends Context.Service<Uploads, {
  /**
   * Takes one chunk. The first one, without an `upload_id`, opens an upload of the Agent that sent it; the last one, with
   * `eof`, is answered with the path of the file. Interrupting it leaves the upload open.
   *
   * Fails with `BlobWriteFailed`. The upload stays open after `invalid_declaration` and after an offset that is not the
   * next one (`range`); it ends, without a trace on disk, with `integrity`, `io_error`, and `range` for more or fewer
   * bytes than were declared. `too_large`, `busy` and `forbidden` refuse the first chunk; `invalid_upload` says that
   * this Agent has no such upload.
   */
  readonly put: (request: PutBlobReq) => Effect.Effect<PutBlobRet, SmcpError.SmcpError>
  /** How many uploads are open. */
  readonly open: Effect.Effect<number>
}>()("a2c-smcp/computer/Uploads") {}

/**
 * The uploads of a Computer. Those that are open end with the layer, and leave no file. Building it fails with
 * `ConfigInvalid` when there is a landing root into which no file can be put.
 */
export const layer = (options: Options = {}): Layer.Layer<Uploads, SmcpError.SmcpError> =>
  Layer.effect(Uploads, make(options))

// -----------------------------------------------------------------------------
// Internal
// -----------------------------------------------------------------------------

interface Upload {
  readonly id: string
  readonly agent: string
  readonly total: number
  readonly sha256: string
  readonly name: string
  readonly hash: Hash
  /** Held by whoever looks at or changes what follows. */
  readonly lock: Semaphore.Semaphore
  file: FileHandle | undefined
  received: number
}

const make = Effect.fnUntraced(function*(
  options: Options
): Effect.fn.Return<Uploads["Service"], SmcpError.SmcpError, Scope.Scope> {
  const ceiling = options.ceiling ?? defaults.ceiling
  if (options.landingRoot === undefined) return refusingAll(ceiling)
  const root = yield* openLandingRoot(options.landingRoot)
  const table = yield* makeTable(root, options.idleTimeout ?? defaults.idleTimeout)
  const limits = { ceiling, concurrent: options.concurrent ?? defaults.concurrent }
  return Uploads.of({
    put: (request) =>
      isFirst(request) ? Effect.uninterruptible(begin(table, limits, request)) : proceed(table, request),
    open: Effect.sync(() => table.open.size)
  })
})

const refusingAll = (ceiling: number): Uploads["Service"] =>
  Uploads.of({
    put: (request) =>
      Effect.flatMap(
        isFirst(request) ? declarationOf(request, ceiling) : refused("invalid_upload", request),
        () => refused("forbidden", request)
      ),
    open: Effect.succeed(0)
  })

// -----------------------------------------------------------------------------
// Open uploads
// -----------------------------------------------------------------------------

/** The uploads that are open. */
interface Table {
  readonly root: LandingRoot
  /** By their ids. */
  readonly open: Map<string, Upload>
  readonly isClosing: () => boolean
  /** Ends an upload, without a trace on disk unless it has landed. Within its lock. */
  readonly end: (upload: Upload) => Effect.Effect<void>
  /** Ends the upload when it stays idle. */
  readonly expireLater: (upload: Upload) => Effect.Effect<unknown>
  /** Not any more: something came. Within its lock. */
  readonly cancelExpiry: (upload: Upload) => Effect.Effect<void>
}

const makeTable = Effect.fnUntraced(function*(
  root: LandingRoot,
  idleTimeout: Duration.Input
): Effect.fn.Return<Table, never, Scope.Scope> {
  const open = new Map<string, Upload>()
  const timers = yield* FiberMap.make<string>()
  let closing = false

  const end = (upload: Upload): Effect.Effect<void> =>
    Effect.suspend(() => {
      open.delete(upload.id)
      const { file } = upload
      upload.file = undefined
      return Effect.andThen(
        file === undefined ? Effect.void : attemptQuietly(() => file.close()),
        root.discard(upload.id)
      )
    })

  yield* Effect.addFinalizer(() => {
    closing = true
    return Effect.forEach([...open.values()], (upload) => upload.lock.withPermit(end(upload)), {
      concurrency: "unbounded",
      discard: true
    })
  })
  yield* root.collect(Duration.toMillis(idleTimeout), (id) => open.has(id)).pipe(
    Effect.repeat(Schedule.spaced(idleTimeout)),
    Background.fork("Tidying up uploads")
  )
  return {
    root,
    open,
    isClosing: () => closing,
    end,
    expireLater: (upload) =>
      FiberMap.run(
        timers,
        upload.id,
        Effect.andThen(Effect.sleep(idleTimeout), upload.lock.withPermit(Effect.uninterruptible(end(upload))))
      ),
    cancelExpiry: (upload) => FiberMap.remove(timers, upload.id)
  }
})

interface BeginLimits {
  readonly ceiling: number
  readonly concurrent: number
}

/** Opens an upload with its first chunk. */
const begin = Effect.fnUntraced(function*(
  table: Table,
  { ceiling, concurrent }: BeginLimits,
  request: PutBlobReq
): Effect.fn.Return<PutBlobRet, SmcpError.SmcpError> {
  const { open, root } = table
  const { sha256, total } = yield* declarationOf(request, ceiling)
  if (open.size >= concurrent) {
    return yield* refused("busy", request, `${concurrent} uploads are open already`)
  }
  const id = RequestId.make()
  const upload: Upload = {
    id,
    agent: request.agent,
    total,
    sha256,
    name: landingName(id, request.name_hint),
    hash: createHash("sha256"),
    lock: Semaphore.makeUnsafe(1),
    file: undefined,
    received: 0
  }
  open.set(id, upload)
  return yield* upload.lock.withPermit(Effect.gen(function*() {
    if (table.isClosing()) return yield* refused("io_error", request)
    upload.file = yield* root.openPart(id).pipe(
      Effect.catch((failure) =>
        Effect.andThen(
          table.end(upload),
          notWritten(isForbidden(failure) ? "forbidden" : "io_error", request, failure)
        )
      )
    )
    // nobody was told the id of an upload whose first chunk is refused
    const answer = yield* Effect.tapError(append(table, upload, request), () => table.end(upload))
    if (open.has(id)) yield* table.expireLater(upload)
    return answer
  }))
})

/** Takes another chunk of an upload that is open. */
const proceed = Effect.fnUntraced(function*(
  table: Table,
  request: PutBlobReq
): Effect.fn.Return<PutBlobRet, SmcpError.SmcpError> {
  const upload = table.open.get(request.upload_id ?? "")
  if (upload?.agent !== request.agent) return yield* refused("invalid_upload", request)
  if ([request.total_size, request.sha256, request.name_hint].some((field) => field !== undefined && field !== null)) {
    return yield* refused("invalid_declaration", request, "Only the first chunk declares the upload")
  }
  const taken = Effect.andThen(
    table.cancelExpiry(upload),
    Effect.ensuring(
      append(table, upload, request),
      Effect.suspend(() => table.open.has(upload.id) ? table.expireLater(upload) : Effect.void)
    )
  )
  return yield* upload.lock.withPermit(Effect.uninterruptible(taken))
})

/** Writes one chunk; the last one ends the upload. Within its lock. */
const append = Effect.fnUntraced(function*(
  { end, open, root }: Table,
  upload: Upload,
  request: PutBlobReq
): Effect.fn.Return<PutBlobRet, SmcpError.SmcpError> {
  const { blob, chunk_offset, eof } = request
  if (open.get(upload.id) !== upload) return yield* refused("invalid_upload", request)
  const bytes = Base64.decode(blob)
  if (bytes === undefined) return yield* refused("invalid_declaration", request, "The chunk is not base64")
  if (chunk_offset !== upload.received) {
    return yield* refused("range", request, `The next chunk starts at ${upload.received}`)
  }
  const received = upload.received + bytes.length
  if (eof ? received !== upload.total : received > upload.total) {
    yield* end(upload)
    return yield* refused("range", request, `${upload.total} bytes were declared, and these are ${received}`)
  }
  yield* write(upload, bytes).pipe(
    Effect.catch((failure) => Effect.andThen(end(upload), notWritten("io_error", request, failure)))
  )
  const answer = { upload_id: upload.id, chunk_offset, req_id: request.req_id }
  return eof ? { ...answer, ...(yield* finish(root, upload, request, end)) } : answer
})

const write = Effect.fnUntraced(function*(upload: Upload, bytes: Uint8Array): Effect.fn.Return<void, FileFailure> {
  yield* attempt(async () => upload.file?.appendFile(bytes))
  upload.hash.update(bytes)
  upload.received += bytes.length
})

/** Checks the whole file and moves it to its place. Ends the upload in any case. */
const finish = Effect.fnUntraced(function*(
  root: LandingRoot,
  upload: Upload,
  request: PutBlobReq,
  end: (upload: Upload) => Effect.Effect<void>
): Effect.fn.Return<Required<Pick<PutBlobRet, "landing_path" | "total_size" | "sha256">>, SmcpError.SmcpError> {
  const { file, id, name, sha256, total } = upload
  if (upload.hash.digest("hex") !== sha256) {
    yield* end(upload)
    return yield* refused("integrity", request, "The bytes do not have the declared sha256")
  }
  const landing_path = yield* attempt(async () => file?.sync()).pipe(
    Effect.andThen(root.land(id, name)),
    Effect.catch((failure) => notWritten("io_error", request, failure)),
    Effect.ensuring(end(upload))
  )
  return { landing_path, total_size: total, sha256 }
})

// -----------------------------------------------------------------------------
// Requests
// -----------------------------------------------------------------------------

const refused = (
  reason: WireError.BlobWriteFailedReason,
  { chunk_offset, total_size, upload_id }: PutBlobReq,
  message?: string
): Effect.Effect<never, SmcpError.SmcpError> =>
  Effect.fail(SmcpError.make(
    new WireError.BlobWriteFailed({
      reason,
      chunkOffset: chunk_offset,
      ...(typeof upload_id === "string" ? { uploadId: upload_id } : {}),
      ...(typeof total_size === "number" ? { totalSize: total_size } : {}),
      ...(message === undefined ? {} : { message })
    })
  ))

const notWritten = (
  reason: "forbidden" | "io_error",
  request: PutBlobReq,
  { message }: FileFailure
): Effect.Effect<never, SmcpError.SmcpError> =>
  Effect.andThen(
    Effect.logWarning(`An upload was refused: ${message}`),
    refused(reason, request, `The upload cannot be written: ${message}`)
  )

const isFirst = ({ upload_id }: PutBlobReq): boolean => upload_id === undefined || upload_id === null

const declarationOf = (
  request: PutBlobReq,
  ceiling: number
): Effect.Effect<{ readonly total: number; readonly sha256: string }, SmcpError.SmcpError> => {
  const { sha256, total_size: total } = request
  if (typeof total !== "number" || !Number.isSafeInteger(total) || total < 1) {
    return refused("invalid_declaration", request, "total_size must be a whole number of at least 1")
  }
  if (typeof sha256 !== "string" || !/^[0-9a-f]{64}$/i.test(sha256)) {
    return refused("invalid_declaration", request, "sha256 must be 64 hex digits")
  }
  if (total > ceiling) {
    return refused("too_large", request, `${total} bytes were declared; at most ${ceiling} are taken`)
  }
  return Effect.succeed({ total, sha256: sha256.toLowerCase() })
}
