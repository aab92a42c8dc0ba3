/**
 * The directory in which uploads land. Nothing is written, moved or deleted outside of it, whatever links lie in it.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { FileHandle } from "node:fs/promises"
import { lstat, mkdir, open, readdir, realpath, rename, rm, rmdir, stat, unlink } from "node:fs/promises"
import { dirname, join, resolve } from "node:path"
import * as SmcpError from "../../../protocol/SmcpError.ts"
import { attempt, attemptExisting, attemptQuietly, FileFailure } from "../files.ts"

export interface LandingRoot {
  /** A new file for the bytes of an upload. Fails with {@link isForbidden} when the root cannot be written any more. */
  readonly openPart: (uploadId: string) => Effect.Effect<FileHandle, FileFailure>
  /** Moves a complete file to its place and returns its absolute path. */
  readonly land: (uploadId: string, name: string) => Effect.Effect<string, FileFailure>
  readonly discard: (uploadId: string) => Effect.Effect<void>
  /** Deletes files of uploads that nobody has written to for this long. */
  readonly collect: (idleMillis: number, isOpen: (uploadId: string) => boolean) => Effect.Effect<void>
}

/** Holds what is not complete. */
const STAGING = ".a2c-upload"
const PART_FILE = /^([0-9a-f]{32})\.part$/

/** Failures that mean: this root takes no files. */
const FORBIDDEN: ReadonlySet<string> = new Set([
  "EACCES",
  "EEXIST",
  "ELOOP",
  "ENOENT",
  "ENOTDIR",
  "EPERM",
  "EROFS"
])

export const isForbidden = ({ code }: FileFailure): boolean => FORBIDDEN.has(code)

/**
 * Opens a landing root, which is created when its parent exists. Fails with `ConfigInvalid` when files cannot be put
 * there. The staging directory goes with the scope.
 */
export const openLandingRoot = Effect.fnUntraced(function*(
  directory: string
): Effect.fn.Return<LandingRoot, SmcpError.SmcpError, Scope.Scope> {
  const root = yield* canonicalRoot(resolve(directory))
  const staging = join(root, STAGING)
  yield* enterStaging(staging).pipe(
    Effect.mapError(({ code }) =>
      invalid(
        code === "ENOTDIR"
          ? `${staging} is not a directory of its own; remove it`
          : `The landing root ${root} cannot be written (${code}); check its permissions or name another one`
      )
    )
  )
  yield* Effect.addFinalizer(() => attemptQuietly(() => rmdir(staging)))
  const partOf = (uploadId: string) => join(staging, `${uploadId}.part`)

  return {
    openPart: (uploadId) => Effect.andThen(enterStaging(staging), attempt(() => open(partOf(uploadId), "wx", 0o600))),
    land: Effect.fnUntraced(function*(uploadId, name) {
      const path = join(root, name)
      if (dirname(path) !== root) return yield* Effect.fail(new FileFailure({ code: "EINVAL" }))
      yield* fence(staging)
      yield* attempt(() => rename(partOf(uploadId), path))
      return path
    }),
    discard: (uploadId) =>
      Effect.andThen(fence(staging), attempt(() => rm(partOf(uploadId), { force: true }))).pipe(
        Effect.catch(({ code, message }) =>
          // whoever removed the directory removed the file
          code === "ENOENT" ? Effect.void : Effect.logWarning(`An upload that ended stays on disk: ${message}`)
        )
      ),
    collect: (idleMillis, isOpen) =>
      collect(staging, idleMillis, isOpen).pipe(
        Effect.catch(({ code, message }) =>
          code === "ENOENT" ? Effect.void : Effect.logWarning(`Uploads that ended are not tidied up: ${message}`)
        )
      )
  }
})

// -----------------------------------------------------------------------------
// Internal
// -----------------------------------------------------------------------------

const invalid = (message: string): SmcpError.SmcpError => SmcpError.make(new SmcpError.ConfigInvalid({ message }))

const canonicalRoot = Effect.fnUntraced(function*(directory: string): Effect.fn.Return<string, SmcpError.SmcpError> {
  const told = <A>(self: Effect.Effect<A, FileFailure>) =>
    Effect.mapError(self, ({ code }) =>
      invalid(
        code === "ENOENT"
          ? `The landing root ${directory} cannot be created, because ${dirname(directory)} does not exist`
          : `The landing root ${directory} cannot be used (${code})`
      ))
  const found = yield* told(attemptExisting(() => stat(directory)))
  if (found === undefined) yield* told(attempt(() => mkdir(directory, { mode: 0o700 })))
  else if (!found.isDirectory()) return yield* Effect.fail(invalid(`The landing root ${directory} is not a directory`))
  return yield* told(attempt(() => realpath(directory)))
})

/** Fails when a link has been put in place of the directory, or of one above it. */
const fence = Effect.fnUntraced(function*(staging: string): Effect.fn.Return<void, FileFailure> {
  const looks = yield* attempt(() => lstat(staging))
  if (!looks.isDirectory() || (yield* attempt(() => realpath(staging))) !== staging) {
    return yield* Effect.fail(new FileFailure({ code: "ENOTDIR" }))
  }
})

const enterStaging = (staging: string): Effect.Effect<void, FileFailure> =>
  attempt(() => mkdir(staging, { mode: 0o700 })).pipe(
    Effect.catchIf(({ code }) => code === "EEXIST", () => Effect.void),
    Effect.andThen(fence(staging))
  )

const collect = Effect.fnUntraced(function*(
  staging: string,
  idleMillis: number,
  isOpen: (uploadId: string) => boolean
): Effect.fn.Return<void, FileFailure> {
  yield* fence(staging)
  const now = yield* Clock.currentTimeMillis
  for (const name of yield* attempt(() => readdir(staging))) {
    const uploadId = PART_FILE.exec(name)?.[1]
    if (uploadId === undefined || isOpen(uploadId)) continue
    const path = join(staging, name)
    const looks = yield* attemptExisting(() => lstat(path))
    if (looks === undefined || !looks.isFile() || now - looks.mtimeMs <= idleMillis) continue
    yield* attemptQuietly(() => unlink(path))
  }
})
