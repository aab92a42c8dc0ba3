/**
 * Runs a command in a shell for what it prints.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { messageOf } from "../../../protocol/Thrown.ts"
import { type Child, spawnChild } from "./childProcess.ts"
import { makeLineRing } from "./lineRing.ts"

/** Long enough for one that has to be confirmed by a touch. */
const DEFAULT_TIMEOUT = Duration.seconds(30)
const MAX_OUTPUT_BYTES = 64 * 1024
const STDERR_LINES = 5
/** How long output may still come after the shell has ended: somebody else may hold its stdout open. Milliseconds. */
const DRAIN_MILLIS = 250
const GRACE_MILLIS = 500

export interface ShellCommand {
  /** For `sh -c`, or `cmd /c` on Windows. */
  readonly command: string
  /** Follow the command, each as one word, whatever characters it has; on Windows those are refused that cannot. */
  readonly args: ReadonlyArray<string>
  readonly env: Readonly<Record<string, string | undefined>>
  readonly timeout?: Duration.Input | undefined
  /** Hides secrets in what the command wrote to stderr. */
  readonly clean: (line: string) => string
}

/**
 * What the command wrote to stdout, without white space around it. Fails with a clause that says why there is nothing: its
 * exit code and last stderr lines, what it wrote to stdout never. The command and all that it started have ended then.
 */
export const runCommand = (options: ShellCommand): Effect.Effect<string, string> => {
  const timeout = Duration.fromInputUnsafe(options.timeout ?? DEFAULT_TIMEOUT)
  return Effect.scoped(run(options)).pipe(
    Effect.timeoutOrElse({
      duration: timeout,
      orElse: () => Effect.fail(`did not end within ${Duration.toSeconds(timeout)} s and was ended`)
    })
  )
}

// -----------------------------------------------------------------------------
// Internal
// -----------------------------------------------------------------------------

const onWindows = process.platform === "win32"

/** What `cmd.exe` reads as something of its own, quoted or not. */
const notOneWord = /["%!&|<>^()\r\n]/

/** The words of the shell that runs the command. */
const shellWords = (command: string, args: ReadonlyArray<string>): readonly [string, ReadonlyArray<string>] =>
  onWindows
    ? [process.env["COMSPEC"] ?? "cmd.exe", ["/d", "/s", "/c", command, ...args]]
    // as parameters of the script, arguments are never read as shell
    : ["/bin/sh", ["-c", args.length === 0 ? command : `${command} "$@"`, "sh", ...args]]

const run = Effect.fnUntraced(function*(
  { args, clean, command, env }: ShellCommand
): Effect.fn.Return<string, string, Scope.Scope> {
  if (onWindows && args.some((word) => notOneWord.test(word))) {
    return yield* Effect.fail("was not run: cmd.exe would read one of its arguments as more than a word")
  }
  const stderr = makeLineRing({ clean })
  const [shell, words] = shellWords(command, args)
  const child = yield* Effect.acquireRelease(
    Effect.tryPromise({
      try: () =>
        spawnChild({
          command: shell,
          args: words,
          env: definedIn(env),
          stderr,
          eofGraceMillis: 0,
          termGraceMillis: GRACE_MILLIS
        }),
      catch: (error) => `could not be started: ${messageOf(error)}`
    }),
    (started) => Effect.promise(() => started.stop())
  )
  child.stdin.end()
  const { exit, text } = yield* outputOf(child)
  if (text === undefined) return yield* Effect.fail(`printed more than ${MAX_OUTPUT_BYTES} bytes and was ended`)
  if (exit?.code === 0) return text.trim()
  const how = exit?.code === null || exit === undefined
    ? `was ended by ${exit?.signal ?? "a signal"}`
    : `ended with exit code ${exit.code}`
  const said = stderr.last(STDERR_LINES)
  return yield* Effect.fail(said.length === 0 ? how : [`${how}; its last stderr lines:`, ...said].join("\n  "))
})

/** Waits for the end of the child; without a text when it printed too much. */
const outputOf = (child: Child) =>
  Effect.callback<{ readonly text: string | undefined; readonly exit: ReturnType<Child["exit"]> }>((resume) => {
    const chunks: Array<Buffer> = []
    let size = 0
    let draining: NodeJS.Timeout | undefined
    const end = () => {
      clearTimeout(draining)
      const text = size > MAX_OUTPUT_BYTES ? undefined : Buffer.concat(chunks).toString("utf8")
      resume(Effect.succeed({ text, exit: child.exit() }))
    }
    child.stdout.on("data", (chunk: Buffer) => {
      size += chunk.length
      if (size > MAX_OUTPUT_BYTES) end()
      else chunks.push(chunk)
    })
    child.stdout.on("error", () => {})
    child.on("exit", () => {
      draining = setTimeout(end, DRAIN_MILLIS)
      child.on("drained", end)
    })
    return Effect.sync(() => clearTimeout(draining))
  })

const definedIn = (env: Readonly<Record<string, string | undefined>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined))
