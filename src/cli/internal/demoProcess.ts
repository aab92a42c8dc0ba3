/**
 * This same command as a process of its own.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { PlatformError } from "effect/PlatformError"
import * as ChildProcess from "effect/process/ChildProcess"
import type { ChildProcessHandle, ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { exitCodes } from "./exitCodes.ts"
import { Failure } from "./failure.ts"

export interface Options {
  /** On top of our own environment. */
  readonly environment: Readonly<Record<string, string>>
  /** Whether it runs until it is told to end: then it also ends when we are killed. */
  readonly serves: boolean
  /** Called for each line on its stderr. */
  readonly onErrorLine?: ((line: string) => Effect.Effect<void>) | undefined
}

/** How it ended, and what it said. */
export interface Finished {
  readonly exitCode: number
  readonly lines: ReadonlyArray<string>
  readonly errorLines: ReadonlyArray<string>
}

/** Each wait has a deadline of 20 seconds. */
export interface Running {
  readonly pid: number
  /** The first line on its stdout. */
  readonly firstLine: Effect.Effect<string, Failure>
  /** The first line on its stderr from now on that matches. */
  readonly errorLine: (pattern: RegExp) => Effect.Effect<string, Failure>
  readonly signal: (signal: ChildProcess.Signal) => Effect.Effect<void>
  readonly finished: Effect.Effect<Finished, Failure>
}

/** Starts `smcp` with these arguments. It ends with the scope: by SIGTERM, and when it is stubborn by SIGKILL. */
export const start = Effect.fnUntraced(function*(
  args: ReadonlyArray<string>,
  options: Options
): Effect.fn.Return<Running, PlatformError, ChildProcessSpawner | Scope.Scope> {
  const handle = yield* ChildProcess.make(
    process.execPath,
    [...process.execArgv, process.argv[1] ?? "", ...args, ...(options.serves ? ["--exit-with-stdin"] : [])],
    {
      env: options.environment,
      extendEnv: true,
      stdin: options.serves ? "pipe" : "ignore",
      forceKillAfter: GRACE
    }
  )
  const firstLine = yield* Deferred.make<string>()
  const lines: Array<string> = []
  const errorLines: Array<string> = []
  const watchers = new Set<(line: string) => void>()
  const onLine = (line: string) => {
    lines.push(line)
    return Deferred.succeed(firstLine, line)
  }
  const onErrorLine = (line: string) => {
    errorLines.push(line)
    return Effect.andThen(
      options.onErrorLine?.(line) ?? Effect.void,
      Effect.sync(() => watchers.forEach((watch) => watch(line)))
    )
  }
  const reading = yield* Effect.all([eachLine(handle.stdout, onLine), eachLine(handle.stderr, onErrorLine)], {
    concurrency: "unbounded",
    discard: true
  }).pipe(Effect.ignore, Effect.forkScoped({ startImmediately: true }))

  const what = `smcp ${args[0]}`
  const finished = Effect.gen(function*() {
    const exitCode = yield* handle.exitCode
    yield* Fiber.join(reading)
    return { exitCode, lines, errorLines }
  })
  return {
    pid: handle.pid,
    firstLine: awaited(what, Effect.raceFirst(Deferred.await(firstLine), endedEarly(what, finished))),
    errorLine: (pattern) => awaited(what, Effect.raceFirst(nextLine(watchers, pattern), endedEarly(what, finished))),
    signal: (killSignal) => signal(handle, killSignal),
    finished: awaited(what, finished)
  }
})

const PATIENCE = "20 seconds"

/** A Computer needs up to five seconds for a stubborn MCP server. */
const GRACE = "8 seconds"

const awaited = <A>(what: string, self: Effect.Effect<A, Failure | PlatformError>): Effect.Effect<A, Failure> =>
  self.pipe(
    Effect.catchTag("PlatformError", (error) => failed(`${what} ended unexpectedly: ${error.message}`)),
    Effect.timeoutOrElse({ duration: PATIENCE, orElse: () => failed(`${what} took longer than ${PATIENCE}`) })
  )

const failed = (message: string): Effect.Effect<never, Failure> =>
  Effect.fail(new Failure({ message, exitCode: exitCodes.failed }))

const endedEarly = <E>(what: string, finished: Effect.Effect<Finished, E>): Effect.Effect<never, Failure | E> =>
  Effect.flatMap(
    finished,
    ({ errorLines, exitCode }) =>
      failed(`${what} ended with exit code ${exitCode}: ${errorLines.at(-1) ?? "no reason"}`)
  )

const eachLine = (
  bytes: Stream.Stream<Uint8Array, PlatformError>,
  use: (line: string) => Effect.Effect<unknown>
): Effect.Effect<void, PlatformError> => bytes.pipe(Stream.decodeText(), Stream.splitLines, Stream.runForEach(use))

const nextLine = (watchers: Set<(line: string) => void>, pattern: RegExp): Effect.Effect<string> =>
  Effect.callback((resume) => {
    const watcher = (line: string) => {
      if (!pattern.test(line)) return
      watchers.delete(watcher)
      resume(Effect.succeed(line))
    }
    watchers.add(watcher)
    return Effect.sync(() => void watchers.delete(watcher))
  })

const signal = (handle: ChildProcessHandle, killSignal: ChildProcess.Signal): Effect.Effect<void> =>
  Effect.ignore(handle.kill({ killSignal, forceKillAfter: GRACE }))
