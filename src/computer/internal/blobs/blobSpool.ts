/**
 * The bytes behind blob handles, in files named by their hash, in one directory together with the key of the handles.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { createHash, randomBytes, randomUUID } from "node:crypto"
import type { BigIntStats } from "node:fs"
import { constants } from "node:fs"
import type { FileHandle } from "node:fs/promises"
import { lstat, mkdtemp, readdir, readFile, realpath, rename, rm, stat, unlink, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Base64 from "../../../transport/Base64.ts"
import { attempt, attemptExisting, attemptQuietly, FileFailure, makeDirectory, withFile } from "../files.ts"
import { KEY_BYTES } from "./blobHandle.ts"

export interface SpoolOptions {
  /** Where the bytes are kept; `undefined` for a temporary directory that ends with the scope. */
  readonly directory: string | undefined
  /** The most bytes that all files together may have. */
  readonly volume: number
  /** How long bytes are kept. */
  readonly age: Duration.Input
}

/** Bytes of the spool. */
export interface Blob {
  readonly sha256: string
  readonly size: number
}

export interface Spool {
  /** The key of the handles; `undefined` when nothing was ever kept here. */
  readonly key: Effect.Effect<Uint8Array | undefined, FileFailure>
  /** Keeps the bytes that a text stands for; `undefined` when it is not base64. */
  readonly write: (
    text: string,
    size: number
  ) => Effect.Effect<{ readonly key: Uint8Array; readonly sha256: string } | undefined, FileFailure>
  /** Whether all bytes are still as they were kept. */
  readonly has: (blob: Blob) => Effect.Effect<boolean>
  /** Some of the bytes; `undefined` when they are no longer all there as they were kept. */
  readonly read: (blob: Blob, offset: number, length: number) => Effect.Effect<Uint8Array | undefined>
}

const KEY_FILE = "key"
const BLOB_FILE = /^[0-9a-f]{64}$/
const PART_FILE = /^[0-9a-f-]{36}\.tmp$/

/** A file that is being written is touched more often. Milliseconds. */
const ABANDONED_AFTER = 60_000

/** Characters of base64 that are decoded at a time; a multiple of 4. */
const PIECE = 1 << 20

interface Kept {
  readonly size: number
  /** When it was written, in milliseconds. */
  readonly at: number
}

/** The directory, once it exists. */
interface Home {
  readonly path: string
  key: Uint8Array | undefined
  /** Oldest first. */
  readonly files: Map<string, Kept>
  /** Bytes of all files, and of those that are being written. */
  total: number
  /** What files looked like when their bytes were known to be right. */
  readonly seen: Map<string, string>
}

/** Creates nothing before there is something to keep; collects what an earlier run left. */
export const makeSpool = Effect.fnUntraced(function*(options: SpoolOptions): Effect.fn.Return<
  Spool,
  never,
  Scope.Scope
> {
  const lock = yield* Semaphore.make(1)
  const verifying = yield* Semaphore.make(1)
  const limits = { volume: options.volume, ageMillis: Duration.toMillis(options.age) }
  let home: Home | undefined

  /** Within the lock. */
  const enter = (create: boolean): Effect.Effect<Home | undefined, FileFailure> =>
    Effect.suspend(() => {
      if (home !== undefined) return Effect.succeed(home)
      const opened = openHome(options.directory, create).pipe(
        Effect.tap((opened) =>
          Effect.sync(() => {
            home = opened
          })
        )
      )
      return Effect.tap(
        // a temporary directory must be known before anything else happens
        options.directory === undefined ? Effect.uninterruptible(opened) : opened,
        (opened) => opened === undefined ? Effect.void : collect(opened, limits, 0)
      )
    })

  if (options.directory === undefined) {
    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => {
        const path = home?.path
        return path === undefined
          ? Effect.void
          : attemptQuietly(() => rm(path, { recursive: true, force: true, maxRetries: 3 }))
      })
    )
  } else {
    yield* Effect.catch(
      lock.withPermit(enter(false)),
      ({ message }) => Effect.logWarning(`The spool ${options.directory} cannot be read: ${message}`)
    )
  }

  const isIntact = (current: Home, blob: Blob, file: FileHandle): Effect.Effect<boolean, FileFailure> =>
    Effect.gen(function*() {
      const looks = yield* attempt(() => file.stat({ bigint: true }))
      if (!looks.isFile() || Number(looks.size) !== blob.size) return false
      const looksLike = fingerprint(looks)
      if (current.seen.get(blob.sha256) === looksLike) return true
      if ((yield* attempt(() => hashOf(file))) !== blob.sha256) return false
      current.seen.set(blob.sha256, looksLike)
      return true
    })

  /** Uses the file of a blob; `undefined` when it is gone. */
  const withBlob = <A>(blob: Blob, use: (file: FileHandle) => Effect.Effect<A, FileFailure>) =>
    Effect.gen(function*() {
      const current = yield* lock.withPermit(enter(false))
      if (current === undefined || !BLOB_FILE.test(blob.sha256)) return undefined
      const path = join(current.path, blob.sha256)
      return yield* withFile({ path, flags: READ_ONLY }, (file) =>
        Effect.flatMap(
          verifying.withPermit(isIntact(current, blob, file)),
          (intact) => intact ? use(file) : Effect.undefined
        ))
    }).pipe(
      Effect.catch(({ code, message }) =>
        Effect.as(
          code === "ENOENT" ? Effect.void : Effect.logWarning(`A file of the spool cannot be read: ${message}`),
          undefined
        )
      )
    )

  return {
    key: Effect.map(lock.withPermit(enter(false)), (current) => current?.key),
    write: Effect.fnUntraced(function*(text, size) {
      if (size > limits.volume) return yield* Effect.fail(new FileFailure({ code: "ENOSPC" }))
      const { current, key } = yield* lock.withPermit(Effect.gen(function*() {
        const current = yield* enter(true)
        if (current === undefined) return yield* Effect.fail(new FileFailure({ code: "ENOENT" }))
        yield* collect(current, limits, size)
        // somebody may have tidied up in the meantime
        yield* makeDirectory(current.path)
        const key = current.key ?? (yield* keyIn(current.path))
        current.key = key
        // what is being written makes no room
        if (current.total + size > limits.volume) return yield* Effect.fail(new FileFailure({ code: "ENOSPC" }))
        return { current, key }
      }))
      return yield* pour(current, text, size, lock).pipe(
        Effect.map((sha256) => sha256 === undefined ? undefined : { key, sha256 })
      )
    }),
    has: (blob) => Effect.map(withBlob(blob, () => Effect.succeed(true)), (found) => found === true),
    read: (blob, offset, length) => withBlob(blob, (file) => attempt(() => readExactly(file, offset, length)))
  }
})

// -----------------------------------------------------------------------------
// The directory
// -----------------------------------------------------------------------------

const openHome = Effect.fnUntraced(function*(
  directory: string | undefined,
  create: boolean
): Effect.fn.Return<Home | undefined, FileFailure> {
  if (directory === undefined) {
    if (!create) return undefined
    const path = yield* attempt(() => mkdtemp(join(tmpdir(), "a2c-smcp-spool-")))
    return { path, key: randomBytes(KEY_BYTES), files: new Map(), total: 0, seen: new Map() }
  }
  if (create) yield* makeDirectory(directory)
  const path = yield* attemptExisting(() => realpath(directory))
  if (path === undefined) return undefined
  const files = yield* keptIn(path)
  const total = [...files.values()].reduce((sum, { size }) => sum + size, 0)
  return { path, key: yield* readKey(path), files, total, seen: new Map() }
})

/** Only what this module wrote is looked at, and no link is followed. */
const keptIn = Effect.fnUntraced(function*(path: string): Effect.fn.Return<Map<string, Kept>, FileFailure> {
  const names = yield* attempt(() => readdir(path))
  const now = yield* Clock.currentTimeMillis
  const found: Array<readonly [string, Kept]> = []
  yield* Effect.forEach(names, (name) =>
    Effect.gen(function*() {
      const isPart = PART_FILE.test(name)
      if (!isPart && !BLOB_FILE.test(name)) return
      const file = yield* attemptExisting(() => lstat(join(path, name)))
      if (file === undefined || !file.isFile()) return
      if (!isPart) found.push([name, { size: file.size, at: file.mtimeMs }])
      else if (now - file.mtimeMs > ABANDONED_AFTER) yield* attemptQuietly(() => unlink(join(path, name)))
    }), { concurrency: 16, discard: true })
  return new Map(found.sort(([, one], [, other]) => one.at - other.at))
})

/** Deletes what is too old, and the oldest until this many more bytes fit. Within the lock. */
const collect = Effect.fnUntraced(function*(
  home: Home,
  { ageMillis, volume }: { readonly ageMillis: number; readonly volume: number },
  incoming: number
): Effect.fn.Return<void> {
  const now = yield* Clock.currentTimeMillis
  for (const [name, { at, size }] of home.files) {
    if (now - at <= ageMillis && home.total + incoming <= volume) break
    home.files.delete(name)
    home.seen.delete(name)
    home.total -= size
    yield* attempt(() => rm(join(home.path, name), { force: true })).pipe(
      Effect.catch(({ message }) => Effect.logWarning(`A file of the spool ${home.path} stays: ${message}`))
    )
  }
})

/** A key that others may read, or that is cut, is none. */
const readKey = Effect.fnUntraced(function*(path: string): Effect.fn.Return<Uint8Array | undefined, FileFailure> {
  const file = join(path, KEY_FILE)
  const looks = yield* attemptExisting(() => lstat(file))
  if (looks === undefined || !looks.isFile()) return undefined
  if (process.platform !== "win32" && (looks.mode & 0o077) !== 0) {
    yield* Effect.logWarning(`${file} may be read by others; a new key is made, and handles made with it are void`)
    return undefined
  }
  const key = yield* attemptExisting(() => readFile(file))
  return key?.length === KEY_BYTES ? key : undefined
})

/** The key that is there, or a new one. */
const keyIn = Effect.fnUntraced(function*(path: string): Effect.fn.Return<Uint8Array, FileFailure> {
  const there = yield* readKey(path)
  if (there !== undefined) return there
  const key = randomBytes(KEY_BYTES)
  const part = join(path, `${randomUUID()}.tmp`)
  yield* attempt(() => writeFile(part, key, { flag: "wx", mode: 0o600 })).pipe(
    Effect.andThen(attempt(() => rename(part, join(path, KEY_FILE)))),
    Effect.ensuring(attemptQuietly(() => rm(part, { force: true }))),
    Effect.uninterruptible
  )
  return key
})

// -----------------------------------------------------------------------------
// Files
// -----------------------------------------------------------------------------

const READ_ONLY = constants.O_RDONLY | ((constants.O_NOFOLLOW as number | undefined) ?? 0) |
  ((constants.O_NONBLOCK as number | undefined) ?? 0)

/** Writes beside the place and then moves there: whoever reads sees all bytes or none. */
const pour = (
  home: Home,
  text: string,
  size: number,
  lock: Semaphore.Semaphore
): Effect.Effect<string | undefined, FileFailure> => {
  const part = join(home.path, `${randomUUID()}.tmp`)
  home.total += size
  return Effect.gen(function*() {
    const now = yield* Clock.currentTimeMillis
    const sha256 = yield* withFile({ path: part, flags: "wx", mode: 0o600 }, (file) =>
      Effect.tap(
        decodeInto(file, text, size),
        // age goes by this computer's own clock
        () => attempt(() => file.utimes(now / 1000, now / 1000))
      ))
    if (sha256 === undefined) return undefined
    yield* Effect.uninterruptible(lock.withPermit(settle(home, part, { sha256, size }, now)))
    return sha256
  }).pipe(
    Effect.ensuring(Effect.suspend(() => {
      home.total -= size
      return attemptQuietly(() => rm(part, { force: true }))
    }))
  )
}

/** Moves a complete file to its place. Within the lock. */
const settle = Effect.fnUntraced(
  function*(home: Home, part: string, { sha256, size }: Blob, at: number): Effect.fn.Return<
    void,
    FileFailure
  > {
    const path = join(home.path, sha256)
    yield* attempt(() => rename(part, path))
    home.total += size - (home.files.get(sha256)?.size ?? 0)
    home.files.delete(sha256)
    home.files.set(sha256, { size, at })
    home.seen.set(sha256, fingerprint(yield* attempt(() => stat(path, { bigint: true }))))
  }
)

/** The hash of what was written; `undefined` when the text is not base64. */
const decodeInto = Effect.fnUntraced(function*(
  file: FileHandle,
  text: string,
  size: number
): Effect.fn.Return<string | undefined, FileFailure> {
  const hash = createHash("sha256")
  let written = 0
  for (let at = 0; at < text.length; at += PIECE) {
    const bytes = Base64.decode(text.slice(at, at + PIECE))
    if (bytes === undefined) return undefined
    hash.update(bytes)
    written += bytes.length
    yield* attempt(() => file.appendFile(bytes))
  }
  return written === size ? hash.digest("hex") : undefined
})

/** Changes with every write to the file. */
const fingerprint = ({ ctimeNs, ino, mtimeNs, size }: BigIntStats): string => [ino, size, mtimeNs, ctimeNs].join(":")

const hashOf = async (file: FileHandle): Promise<string> => {
  const hash = createHash("sha256")
  const buffer = Buffer.allocUnsafe(PIECE)
  for (let at = 0;;) {
    const { bytesRead } = await file.read(buffer, 0, buffer.length, at)
    if (bytesRead === 0) return hash.digest("hex")
    hash.update(buffer.subarray(0, bytesRead))
    at += bytesRead
  }
}

/** All the bytes asked for, or `undefined` when the file ends before. */
const readExactly = async (file: FileHandle, offset: number, length: number): Promise<Uint8Array | undefined> => {
  const buffer = Buffer.alloc(length)
  for (let done = 0; done < length;) {
    const { bytesRead } = await file.read(buffer, done, length - done, offset + done)
    if (bytesRead === 0) return undefined
    done += bytesRead
  }
  return buffer
}
