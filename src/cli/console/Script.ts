/**
 * Commands that are not typed by a person: lines of a script, and the one of a command line.
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import type { SmcpError } from "../../protocol/SmcpError.ts"
import { exitCodes } from "../internal/exitCodes.ts"
import { Failure, report, usage } from "../internal/failure.ts"
import { printJson, say } from "../internal/output.ts"
import type { KnownCommand } from "./ConsoleCommand.ts"
import { isOfScreen, present, read, run } from "./internal/execute.ts"
import { readText } from "./internal/jsonArgument.ts"
import { type Arguments, bind } from "./internal/resolve.ts"
import type { Services } from "./Session.ts"
import { stdoutPage } from "./View.ts"

/** Options of {@link script}. */
export interface Options {
  readonly json: boolean
  /** Goes on after a command that fails. */
  readonly keepGoing: boolean
}

/**
 * Runs a script, a command a line, up to its end or to `quit`. Fails with the exit code of the first command that
 * failed; without `keepGoing` that is where it ends.
 */
export const script = Effect.fnUntraced(function*(
  lines: Lines,
  options: Options
): Effect.fn.Return<void, Failure | SmcpError, Services> {
  let number = 0
  let exitCode: number | undefined
  let quits = false
  yield* lines.pipe(
    Stream.mapEffect((line) => runLine(line, ++number, options)),
    Stream.takeUntil((outcome) => {
      quits = outcome === "quit"
      if (typeof outcome === "number" && outcome !== exitCodes.ok) exitCode ??= outcome
      return quits || exitCode !== undefined && !options.keepGoing
    }),
    Stream.runDrain
  )
  if (exitCode !== undefined) return yield* new Failure({ message: "", exitCode })
})

/** The lines of a script. */
export type Lines = Stream.Stream<string, Failure>

/** Opens a script: a file, or standard input for `-`. */
export const linesOf = (source: string): Effect.Effect<Lines, Failure, FileSystem.FileSystem | Stdio.Stdio> =>
  source === "-"
    ? Effect.map(Stdio.Stdio, ({ stdin }) =>
      stdin.pipe(
        Stream.decodeText(),
        Stream.splitLines,
        Stream.mapError(() => usage("Standard input cannot be read"))
      ))
    : Effect.map(readText(source), (text) => Stream.fromIterable(text.split(/\r?\n/)))

/** The exit code of a line that ran, or that it was the last one. Everything is said by then. */
const runLine = Effect.fnUntraced(function*(
  line: string,
  number: number,
  { json }: Options
): Effect.fn.Return<number | "quit", never, Services> {
  return yield* Effect.gen(function*() {
    const resolved = yield* read(line)
    if (resolved === undefined) return exitCodes.ok
    if (isOfScreen(resolved.command)) return resolved.command.name === "quit" ? "quit" as const : exitCodes.ok
    const view = yield* run(resolved.command, resolved.args)
    yield* present(view, { json, page: stdoutPage() })
    return view.exitCode ?? exitCodes.ok
  }).pipe(Effect.catchCause((cause) => {
    const { exitCode, line: message = "it failed" } = report(cause)
    return Effect.as(
      Effect.andThen(
        json ? printJson({ error: message, exit_code: exitCode, line: number }) : Effect.void,
        say(`smcp: line ${number}: ${message}`)
      ),
      exitCode
    )
  }))
})

/** Reads words of a command line as the arguments of a command. */
export const argumentsOf = (command: KnownCommand, words: ReadonlyArray<string>): Effect.Effect<Arguments, Failure> =>
  Effect.mapError(Effect.fromResult(bind(command, words)), usage)

/** Runs one command. */
export const oneShot = Effect.fnUntraced(function*(
  command: KnownCommand,
  args: Arguments,
  json: boolean
): Effect.fn.Return<void, Failure | SmcpError, Services> {
  const view = yield* run(command, args)
  yield* present(view, { json, page: stdoutPage() })
  if (view.exitCode !== undefined && view.exitCode !== exitCodes.ok) {
    return yield* new Failure({ message: "", exitCode: view.exitCode })
  }
})
