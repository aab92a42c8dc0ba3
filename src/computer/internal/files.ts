/**
 * Node's file operations as effects.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { randomBytes } from "node:crypto"
import { accessSync, constants } from "node:fs"
import type { FileHandle } from "node:fs/promises"
import { mkdir, open, rename, rm } from "node:fs/promises"
import { dirname } from "node:path"

const NOT_OWN = "NOT_OWN"

/** A file operation failed. Holds no path: what it says may be told to a peer. */
export class FileFailure extends Schema.TaggedError<FileFailure>()("FileFailure", {
  /** Node's code, such as `ENOSPC`; `UNKNOWN` when there was none, `NOT_OWN` as {@link readOwnFile} has it. */
  code: Schema.String
}) {
  override get message(): string {
    switch (this.code) {
      case "ENOSPC":
      case "EDQUOT":
        return "there is no room left"
      case "EACCES":
      case "EPERM":
      case "EROFS":
        return "the directory may not be written"
      case NOT_OWN:
        return "others could have written it; remove it, or make it yours and writable by you alone"
      default:
        return `a file operation failed (${this.code})`
    }
  }
}

/** Runs a file operation. It cannot be cancelled: an interruption leaves it to end by itself. */
export const attempt = <A>(run: () => Promise<A>): Effect.Effect<A, FileFailure> =>
  Effect.tryPromise({ try: run, catch: failureOf })

/** Runs a file operation whose failure changes nothing. */
export const attemptQuietly = (run: () => Promise<unknown>): Effect.Effect<void> => Effect.ignore(attempt(run))

/** As {@link attempt}, with `undefined` for what does not exist. */
export const attemptExisting = <A>(run: () => Promise<A>): Effect.Effect<A | undefined, FileFailure> =>
  Effect.catchIf(attempt(run), ({ code }) => code === "ENOENT", () => Effect.undefined)

/**
 * Makes a directory and those above it, readable by the owner only; one that exists stays as it is. Node's own recursion
 * never ends where a directory refuses to hold others (`/proc`).
 */
export const makeDirectory = (path: string): Effect.Effect<void, FileFailure> => {
  const make = attempt(() => mkdir(path, { mode: 0o700 }))
  return Effect.catchIf(
    make,
    ({ code }) => code === "ENOENT" && dirname(path) !== path,
    () => Effect.andThen(makeDirectory(dirname(path)), make)
  ).pipe(
    Effect.catchIf(({ code }) => code === "EEXIST", () => Effect.void)
  )
}

/**
 * The text of a file, or `undefined` when there is none. Fails with `NOT_OWN` when somebody else may have written it: it says
 * what runs here, or where something goes. On Windows that is not looked at.
 */
export const readOwnFile = (path: string): Effect.Effect<string | undefined, FileFailure> =>
  attemptExisting(async () => {
    const handle = await open(path)
    try {
      const { mode, uid } = await handle.stat()
      const isOwn = process.getuid === undefined || ([0, process.getuid()].includes(uid) && (mode & 0o022) === 0)
      if (!isOwn) throw Object.assign(new Error("not own"), { code: NOT_OWN })
      return await handle.readFile("utf8")
    } finally {
      await handle.close()
    }
  })

/** Whether we may execute the file. */
export const isExecutable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Opens a file for as long as it is used. */
export const withFile = <A, E, R>(
  file: { readonly path: string; readonly flags: string | number; readonly mode?: number },
  use: (handle: FileHandle) => Effect.Effect<A, E, R>
): Effect.Effect<A, E | FileFailure, R> =>
  Effect.acquireUseRelease(
    attempt(() => open(file.path, file.flags, file.mode)),
    use,
    (handle) => attemptQuietly(() => handle.close())
  )

/**
 * Replaces what a file holds, or makes it and the directories above it, readable by the owner only. Whoever reads it, even
 * after a power cut, finds the old or the new text whole.
 */
export const replaceFile = (path: string, text: string): Effect.Effect<void, FileFailure> => {
  const written = `${path}.${randomBytes(6).toString("hex")}.tmp`
  return makeDirectory(dirname(path)).pipe(
    Effect.andThen(withFile({ path: written, flags: "wx", mode: 0o600 }, (handle) =>
      attempt(async () => {
        await handle.writeFile(text)
        await handle.sync()
      }))),
    Effect.andThen(attempt(() => rename(written, path))),
    Effect.onError(() => attemptQuietly(() => rm(written, { force: true }))),
    // half of it would leave the other file behind
    Effect.uninterruptible
  )
}

const failureOf = (cause: unknown): FileFailure =>
  new FileFailure({
    code: cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : "UNKNOWN"
  })
