/**
 * Following files through every way in which editors and deployments change them.
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import type * as PlatformError from "effect/PlatformError"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { dirname } from "node:path"

/** What a file held when it was read, or why it could not be. */
export interface FileText {
  readonly path: string
  readonly text: Result.Result<string, PlatformError.PlatformError>
}

/** How long a change has to last before it is looked at. */
const SETTLED = "300 millis"

/**
 * How often the files are looked at when nothing tells of a change: folders that are on a network, or were replaced as a
 * whole, say nothing.
 */
const LOOK = "2 seconds"

/** What `read` makes of the texts of the files: now, and after each change of them that lasts. */
export const watchFiles = <A>(
  paths: ReadonlyArray<string>,
  read: (texts: ReadonlyArray<FileText>) => Effect.Effect<A>
): Stream.Stream<A, never, FileSystem.FileSystem> =>
  Stream.merge(hints(paths), Stream.tick(LOOK)).pipe(
    Stream.mapEffect(() => marks(paths)),
    Stream.changes,
    Stream.debounce(SETTLED),
    Stream.mapEffect(() => Effect.forEach(paths, readText)),
    // a file that was only touched, or replaced by its like, has not changed
    Stream.changesWith((one, other) => sayOf(one) === sayOf(other)),
    Stream.mapEffect(read)
  )

/** Something may have changed. The folders are watched: a file that is replaced takes its watcher with it. */
const hints = (paths: ReadonlyArray<string>): Stream.Stream<unknown, never, FileSystem.FileSystem> =>
  Stream.unwrap(Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const targets = yield* Effect.forEach(
      paths,
      (path) => Effect.orElseSucceed(fs.realPath(path), () => path)
    )
    const folders = new Set([...paths, ...targets].map((path) => dirname(path)))
    return Stream.mergeAll(
      [...folders].map((folder) => Stream.catchCause(fs.watch(folder), () => Stream.empty)),
      { concurrency: "unbounded" }
    )
  }))

/** What tells a version of the files from another one without reading them. */
const marks = (paths: ReadonlyArray<string>) =>
  Effect.map(
    FileSystem.FileSystem.use((fs) =>
      Effect.forEach(paths, (path) =>
        Effect.match(fs.stat(path), {
          onSuccess: ({ ino, mtime, size }) =>
            `${String(Option.getOrUndefined(ino))} ${Option.getOrUndefined(mtime)?.getTime()} ${String(size)}`,
          onFailure: ({ reason }) => reason._tag
        }))
    ),
    (each) => each.join("\n")
  )

const readText = (path: string): Effect.Effect<FileText, never, FileSystem.FileSystem> =>
  FileSystem.FileSystem.use((fs) => fs.readFileString(path)).pipe(
    Effect.result,
    Effect.map((text) => ({ path, text }))
  )

const sayOf = (texts: ReadonlyArray<FileText>): string =>
  JSON.stringify(texts.map(({ text }) => Result.isSuccess(text) ? [text.success] : text.failure.reason._tag))
