/**
 * What several programs must not do at one moment: whoever made the lock file may, the others wait until it is gone.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { rm, stat } from "node:fs/promises"
import { dirname } from "node:path"
import { attemptExisting, attemptQuietly, makeDirectory, withFile } from "./files.ts"

/** A lock older than this was left behind by a program that died. */
const STALE_MILLIS = 30_000
const PAUSE_MILLIS = 25

/** A file is read and written in moments. */
const PATIENCE_MILLIS = 2_000

/**
 * Does something while no other program does. Goes on without the lock when it cannot be had within `patienceMillis` (2
 * seconds): what is protected is worth less than an end of all waiting.
 */
export const whileLocked = <A, E, R>(
  path: string,
  self: Effect.Effect<A, E, R>,
  patienceMillis = PATIENCE_MILLIS
): Effect.Effect<A, E, R> =>
  Effect.acquireUseRelease(
    lock(path, patienceMillis),
    () => self,
    (isMine) => isMine ? attemptQuietly(() => rm(path, { force: true })) : Effect.void
  )

/** Whether the lock was taken. */
const lock = (path: string, patienceMillis: number): Effect.Effect<boolean> => {
  const taken = Effect.andThen(
    makeDirectory(dirname(path)),
    withFile({ path, flags: "wx", mode: 0o600 }, () => Effect.succeed(true))
  )
  const stale = Effect.flatMap(
    Effect.all([attemptExisting(() => stat(path)), Clock.currentTimeMillis]),
    ([found, now]) =>
      found !== undefined && now - found.mtimeMs > STALE_MILLIS
        ? attemptQuietly(() => rm(path, { force: true }))
        : Effect.void
  )
  return taken.pipe(
    Effect.tapError(() => Effect.ignore(stale)),
    Effect.retry({
      while: ({ code }) => code === "EEXIST",
      schedule: Schedule.spaced(PAUSE_MILLIS),
      times: Math.ceil(patienceMillis / PAUSE_MILLIS)
    }),
    Effect.orElseSucceed(() => false)
  )
}
