/**
 * A file that lines are appended to, in the background.
 */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import { constants } from "node:fs"
import { type FileHandle, open, stat } from "node:fs/promises"
import { attempt, attemptExisting, attemptQuietly, type FileFailure } from "./files.ts"

export interface Options {
  readonly path: string
  /** What the file is, for the log. */
  readonly what: string
}

/** How many lines wait for a disk that does not take them. */
const MOST_WAITING = 10_000

/** How long a disk may take for what still waits at the end. */
const PATIENCE = "5 seconds"

/** How long a disk that failed is left alone. */
const REST = "1 second"

/**
 * A function that appends a line, without waiting and in order. What was appended is written before the scope closes, as
 * far as the disk takes it within 5 seconds. A failing disk is said once, and tried again.
 */
export const makeAppendedFile = Effect.fnUntraced(function*(
  { path, what }: Options
): Effect.fn.Return<(line: string) => Effect.Effect<void>, never, Scope.Scope> {
  const file = makeFile(path)
  yield* Effect.addFinalizer(() => Effect.timeoutOption(Effect.interruptible(file.close), PATIENCE))
  const queue = yield* Queue.dropping<string, Cause.Done>(MOST_WAITING)
  const state = { lost: 0, failing: false, ending: false }

  const failed = ({ message }: FileFailure) => {
    if (state.failing) return Effect.void
    state.failing = true
    return Effect.logWarning(`The ${what} cannot be written: ${message}`)
  }
  const worked = Effect.suspend(() => {
    if (!state.failing) return Effect.void
    const { lost } = state
    Object.assign(state, { lost: 0, failing: false })
    return Effect.logInfo(`The ${what} is written again${lost === 0 ? "" : `; ${lost} lines are lost`}`)
  })
  /** Until it works, or there is no time left. */
  const write = (lines: ReadonlyArray<string>): Effect.Effect<void> =>
    file.append(lines.map((line) => `${line}\n`).join("")).pipe(
      Effect.andThen(worked),
      Effect.catch((failure) =>
        Effect.andThen(
          failed(failure),
          Effect.suspend(() => {
            if (!state.ending) return Effect.andThen(Effect.sleep(REST), write(lines))
            state.lost += lines.length
            return Effect.void
          })
        )
      )
    )

  // a file that cannot be opened is said at the start, and not with the first line
  const writer = yield* Effect.catch(Effect.asVoid(file.open), failed).pipe(
    Effect.andThen(Effect.forever(Effect.flatMap(Queue.takeAll(queue), write))),
    Effect.ignore,
    Effect.forkScoped({ startImmediately: true })
  )
  yield* Effect.addFinalizer(() => {
    state.ending = true
    return Queue.end(queue).pipe(
      Effect.andThen(Effect.interruptible(Fiber.await(writer))),
      Effect.timeoutOption(PATIENCE),
      Effect.flatMap((inTime) => {
        if (inTime._tag === "None") return Effect.logWarning(`The ${what} lacks its last lines: the disk is too slow`)
        return state.lost === 0
          ? Effect.void
          : Effect.logWarning(`The ${what} lacks its last lines, ${state.lost} of them`)
      })
    )
  })

  return (line) =>
    Effect.suspend(() => {
      if (Queue.offerUnsafe(queue, line)) return Effect.void
      state.lost++
      return Effect.void
    })
})

const makeFile = (path: string) => {
  let current: FileHandle | undefined
  /** Whether the last text may be there in part. */
  let torn = false

  const close = Effect.suspend(() => {
    const handle = current
    current = undefined
    return handle === undefined ? Effect.void : attemptQuietly(() => handle.close())
  })

  /** Whether the path still leads to the file that is open. */
  const isCurrent = Effect.fnUntraced(function*(handle: FileHandle) {
    const there = yield* attemptExisting(() => stat(path))
    const mine = yield* attempt(() => handle.stat())
    return there !== undefined && there.ino === mine.ino && there.dev === mine.dev
  })

  const opened = Effect.fnUntraced(function*(): Effect.fn.Return<FileHandle, FileFailure> {
    if (current !== undefined && (yield* isCurrent(current))) return current
    yield* close
    // what is no file, such as a pipe that nobody reads, must not keep us waiting; Windows knows no such flag
    const nonBlocking = (constants as { readonly O_NONBLOCK?: number }).O_NONBLOCK ?? 0
    const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | nonBlocking
    return yield* attempt(async () => current = await open(path, flags, 0o600))
  })

  const append = Effect.fnUntraced(function*(text: string) {
    const handle = yield* opened()
    const whole = torn ? `\n${text}` : text
    torn = true
    yield* attempt(() => handle.appendFile(whole))
    torn = false
  })

  return { open: Effect.suspend(opened), append, close }
}
