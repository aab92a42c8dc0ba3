import pty from "@lydell/node-pty"
import xterm from "@xterm/headless"
import { Deferred, Effect, type Scope } from "effect"
import { builtMain } from "./build.ts"
import { cleanEnvironment } from "./smcp.ts"

/** How a process in a terminal ended. */
export interface Ended {
  readonly exitCode: number
  readonly signal: number | undefined
}

/** A program in a terminal of its own. Every wait has a deadline of 30 seconds. */
export interface Terminal {
  readonly pid: number
  /** Types text; Enter is `\r`. */
  readonly type: (text: string) => Effect.Effect<void>
  /** Types a line and Enter. */
  readonly enter: (line: string) => Effect.Effect<void>
  readonly press: (key: keyof typeof keys) => Effect.Effect<void>
  readonly resize: (columns: number, rows: number) => Effect.Effect<void>
  /** What the terminal shows, with what has scrolled away above it, without blank lines at the end. */
  readonly text: Effect.Effect<string>
  /** The rows that are on the screen. */
  readonly screen: Effect.Effect<ReadonlyArray<string>>
  /** Everything that was written, as it came. */
  readonly written: Effect.Effect<string>
  /** Waits until what is shown has a match, and gives it. */
  readonly shows: (pattern: RegExp) => Effect.Effect<RegExpExecArray>
  /** Waits until the screen alone is as wanted. */
  readonly screenIs: (what: string, wanted: (rows: ReadonlyArray<string>) => boolean) => Effect.Effect<void>
  /** Waits until it is so. */
  readonly becomes: (what: string, look: Effect.Effect<boolean>) => Effect.Effect<void>
  readonly kill: (signal: NodeJS.Signals) => Effect.Effect<void>
  /** Closes the terminal itself, as closing its window does. */
  readonly close: Effect.Effect<void>
  readonly ended: Effect.Effect<Ended>
}

/** Keys by name, as a terminal sends them. */
export const keys = {
  enter: "\r",
  tab: "\t",
  up: "\u001b[A",
  down: "\u001b[B",
  left: "\u001b[D",
  ctrlA: "\u0001",
  ctrlC: "\u0003",
  ctrlD: "\u0004",
  ctrlU: "\u0015",
  backspace: "\u007f"
} as const

/** Options of {@link startInPty}. */
export interface Options {
  readonly env?: Readonly<Record<string, string>>
  readonly columns?: number
  readonly rows?: number
  readonly cwd?: string
}

/** Starts `smcp` in a terminal; it is killed with the scope. */
export const startSmcpInPty = (
  args: ReadonlyArray<string>,
  options: Options = {}
): Effect.Effect<Terminal, never, Scope.Scope> => startInPty([process.execPath, builtMain, ...args], options)

/** Starts a program in a terminal; it is killed with the scope. */
export const startInPty = Effect.fnUntraced(function*(
  [command = "", ...args]: ReadonlyArray<string>,
  { columns = 100, cwd, env = {}, rows = 30 }: Options = {}
): Effect.fn.Return<Terminal, never, Scope.Scope> {
  const screen = new xterm.Terminal({ cols: columns, rows, scrollback: 10_000, allowProposedApi: true })
  const ended = yield* Deferred.make<Ended>()
  let written = ""
  let running = true
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      pty.spawn(command, args, {
        cols: columns,
        rows,
        name: env["TERM"] ?? "xterm-256color",
        ...(cwd === undefined ? {} : { cwd }),
        env: { ...cleanEnvironment(), ...env }
      })
    ),
    (child) =>
      Effect.sync(() => {
        if (running) child.kill("SIGKILL")
        screen.dispose()
      })
  )
  child.onData((text) => {
    written += text
    screen.write(text)
  })
  // a terminal answers what it is asked
  screen.onData((text) => running && child.write(text))
  child.onExit(({ exitCode, signal }) => {
    running = false
    Deferred.doneUnsafe(ended, Effect.succeed({ exitCode, signal }))
  })
  const settled = Effect.callback<void>((resume) => screen.write("", () => resume(Effect.void)))
  const lines = (from: number, to: number) =>
    Array.from(
      { length: to - from },
      (_, index) => screen.buffer.active.getLine(from + index)?.translateToString(true) ?? ""
    )
  const { active } = screen.buffer
  const text = Effect.map(settled, () => lines(0, active.length).join("\n").trimEnd())
  const rowsShown = Effect.map(settled, () => lines(active.baseY, active.baseY + screen.rows))
  const until = <A>(what: string, look: Effect.Effect<A | undefined>): Effect.Effect<A> =>
    Effect.gen(function*() {
      for (;;) {
        const wasRunning = running
        const found = yield* look
        if (found !== undefined) return found
        if (!wasRunning) return yield* Effect.die(new Error(`Ended before ${what}:\n${yield* text}`))
        yield* Effect.sleep("20 millis")
      }
    }).pipe(Effect.timeoutOrElse({
      duration: "30 seconds",
      orElse: () => Effect.flatMap(text, (shown) => Effect.die(new Error(`Waited too long for ${what}:\n${shown}`)))
    }))
  const type = (typed: string) => Effect.sync(() => child.write(typed))
  return {
    pid: child.pid,
    type,
    enter: (line) => type(`${line}\r`),
    press: (key) => type(keys[key]),
    resize: (columns, rows) =>
      Effect.sync(() => {
        screen.resize(columns, rows)
        child.resize(columns, rows)
      }),
    text,
    screen: rowsShown,
    written: Effect.sync(() => written),
    shows: (pattern) => until(String(pattern), Effect.map(text, (shown) => pattern.exec(shown) ?? undefined)),
    screenIs: (what, wanted) => until(what, Effect.map(rowsShown, (rows) => wanted(rows) ? true : undefined)),
    becomes: (what, look) => until(what, Effect.map(look, (found) => found ? true : undefined)),
    kill: (signal) => Effect.sync(() => process.kill(child.pid, signal)),
    close: Effect.sync(() => {
      // the types leave it out: it closes our end, upon which the system tells the program
      const { _socket } = child as unknown as { readonly _socket: { readonly destroy: () => void } }
      _socket.destroy()
    }),
    ended: until("its end", Effect.map(Deferred.poll(ended), (done) => done._tag === "Some" ? done.value : undefined))
      .pipe(
        Effect.flatten
      )
  }
})
