/**
 * The console at a terminal.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Console from "effect/Console"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type { SmcpError } from "../../protocol/SmcpError.ts"
import type { Failure } from "../internal/failure.ts"
import { report } from "../internal/failure.ts"
import { complete } from "./internal/completion.ts"
import { isOfScreen, read, run } from "./internal/execute.ts"
import * as statusLine from "./internal/statusLine.ts"
import * as terminals from "./internal/terminal.ts"
import type { Services } from "./Session.ts"
import { type Page, toned, type View } from "./View.ts"

export { askForm } from "./internal/form.ts"
export { askConsent, askInput } from "./internal/person.ts"
export type { Terminal } from "./internal/terminal.ts"

/** The name of the prompt. */
const PROMPT = "smcp> "

/** Whether a person sits at both ends. */
export const isPossible = (): boolean => process.stdin.isTTY && process.stdout.isTTY

/** Takes the terminal until the scope closes. Colours heed `NO_COLOR`; a dumb terminal gets plain lines. */
export const openTerminal = (historyFile: string) =>
  terminals.make({ prompt: PROMPT, historyFile, dumb: process.env["TERM"] === "dumb" })

/** Where a terminal shows things. */
export const pageOf = (terminal: terminals.Terminal): Page => ({
  width: terminal.width,
  colours: (process.env["NO_COLOR"] ?? "") === "" && process.env["TERM"] !== "dumb"
})

/** Makes everything that is printed and logged appear above the prompt. */
export const printAbove = (terminal: terminals.Terminal) => <A, E, R>(self: Effect.Effect<A, E, R>) => {
  const print = (...words: ReadonlyArray<unknown>) => terminal.print(words.map(String).join(" "))
  const error = (...words: ReadonlyArray<unknown>) =>
    process.stderr.isTTY ? print(...words) : void process.stderr.write(`${words.map(String).join(" ")}\n`)
  return Console.consoleWith((outer) =>
    Effect.provideService(
      self,
      Console.Console,
      Object.assign(Object.create(outer) as Console.Console, {
        log: print,
        info: print,
        debug: print,
        warn: error,
        error
      })
    )
  )
}

/** Runs what is typed until `quit` or Ctrl-D. Whatever a command does, the next one can be typed. */
export const interact = Effect.fnUntraced(function*(
  terminal: terminals.Terminal
): Effect.fn.Return<void, never, Services> {
  const context = yield* Effect.context<Services>()
  const runPromise = Effect.runPromiseWith(context)
  let foreground: statusLine.Foreground | undefined
  terminal.complete = (line) => runPromise(complete(line))
  yield* Effect.gen(function*() {
    yield* statusLine.keep(terminal, () => pageOf(terminal), () => foreground)
    for (;;) {
      const input = yield* Queue.take(terminal.inputs)
      if (input._tag === "End" || terminal.isGone) return
      if (input._tag === "Interrupt") {
        terminal.print(toned("\"quit\" or Ctrl-D ends it", "quiet", pageOf(terminal)))
        continue
      }
      foreground = { text: input.line.trim().slice(0, 40), since: yield* Clock.currentTimeMillis }
      const quits = yield* obey(terminal, input.line)
      foreground = undefined
      if (quits) return
    }
  }).pipe(Effect.scoped)
})

/** Runs one line; Ctrl-C ends it. Tells whether the console is to end. */
const obey = Effect.fnUntraced(function*(
  terminal: terminals.Terminal,
  line: string
): Effect.fn.Return<boolean, never, Services> {
  const stopped = yield* Deferred.make<void>()
  terminal.onInterrupt = () => Deferred.doneUnsafe(stopped, Effect.void)
  return yield* Effect.raceFirst(
    perform(terminal, line),
    Effect.map(Deferred.await(stopped), () => {
      terminal.print(toned("Cancelled", "waiting", pageOf(terminal)))
      return false
    })
  ).pipe(
    Effect.catchCause((cause) =>
      Effect.sync(() => {
        const said = Cause.hasInterruptsOnly(cause) ? "Cancelled" : report(cause).line ?? "It failed"
        terminal.print(toned(said, "bad", pageOf(terminal)))
        return false
      })
    ),
    Effect.ensuring(Effect.sync(() => terminal.onInterrupt = undefined))
  )
})

const perform = Effect.fnUntraced(function*(
  terminal: terminals.Terminal,
  line: string
): Effect.fn.Return<boolean, Failure | SmcpError, Services> {
  const resolved = yield* read(line)
  if (resolved === undefined) return false
  if (isOfScreen(resolved.command)) {
    if (resolved.command.name === "quit") return true
    terminal.clear()
    return false
  }
  show(terminal, yield* run(resolved.command, resolved.args))
  return false
})

/** More than this nobody reads. */
const MOST_CHARACTERS = 100_000

const show = (terminal: terminals.Terminal, view: View): void => {
  const text = view.text(pageOf(terminal))
  if (text === "") return
  if (text.length <= MOST_CHARACTERS) return terminal.print(text)
  terminal.print(text.slice(0, MOST_CHARACTERS))
  terminal.print(
    toned(
      `… ${text.length - MOST_CHARACTERS} more characters; "smcp computer" with the command and --json prints all`,
      "quiet",
      pageOf(terminal)
    )
  )
}
