/**
 * The terminal of a console: one line being edited at the bottom, a few lines of status above it, and everything that is
 * printed above both.
 */
import * as CliOutput from "effect/cli/CliOutput"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import { clearScreenDown, createInterface, cursorTo, type Interface, moveCursor } from "node:readline"
import { cut } from "../../internal/output.ts"
import type { AskLine } from "../Questions.ts"
import { MutableOutput } from "./mutableOutput.ts"
import * as typedLines from "./typedLines.ts"

/** What a person does. */
export type Input =
  | { readonly _tag: "Line"; readonly line: string }
  /** Ctrl-C on an empty line. */
  | { readonly _tag: "Interrupt" }
  /** Ctrl-D, or the terminal is gone. */
  | { readonly _tag: "End" }

/** What may follow what is typed: whole words, and where the last one begins. */
export interface Completion {
  readonly words: ReadonlyArray<string>
  readonly last: string
}

/** Options of {@link make}. */
export interface Options {
  readonly prompt: string
  readonly historyFile: string
  /** A terminal that obeys no commands: no status, and everything simply follows. */
  readonly dumb: boolean
}

/** How much may be typed ahead. */
const TYPED_AHEAD = 1000

/** Takes the terminal until the scope closes; then it is as it was. */
export const make = (options: Options): Effect.Effect<Terminal, never, Scope.Scope> =>
  Effect.gen(function*() {
    const inputs = yield* Queue.sliding<Input>(TYPED_AHEAD)
    return yield* Effect.acquireRelease(
      Effect.sync(() => new Terminal(options, inputs)),
      (terminal) => Effect.sync(() => terminal.close())
    )
  })

/** A question takes the place of a line only after nothing was typed for so long. */
const STILL_MILLIS = 1000

interface OpenQuestion {
  readonly prompt: string
  readonly hidden: boolean
  /** The line that was being edited when it came. */
  readonly draft: string
  readonly answer: (line: string | undefined) => void
}

/** A terminal. What it prints is expected to be printable. */
export class Terminal {
  /** What the person typed and pressed, in its order. */
  readonly inputs: Queue.Queue<Input>
  /** Called for Ctrl-C while something runs: whether it was taken. */
  onInterrupt: (() => boolean) | undefined
  /** Nobody is there any more: by Ctrl-D, or the terminal was closed. */
  isGone = false
  /** Says what may follow what is typed. */
  complete: ((line: string) => Promise<Completion>) | undefined

  private readonly options: Options
  private readonly output = new MutableOutput(process.stdout)
  private readonly editor: Interface
  private status: ReadonlyArray<string> = []
  private question: OpenQuestion | undefined
  /** The lines that were typed, the newest first. */
  private remembered: ReadonlyArray<string>
  private open = true
  /** When a key was pressed that was no answer to a question. */
  private typedAt = -Infinity

  constructor(options: Options, inputs: Queue.Queue<Input>) {
    this.options = options
    this.inputs = inputs
    this.remembered = typedLines.load(options.historyFile)
    this.editor = createInterface({
      input: process.stdin,
      output: this.output,
      terminal: true,
      history: [...this.remembered],
      historySize: 500,
      removeHistoryDuplicates: true,
      prompt: options.prompt,
      completer: (line: string, done: (error: null, result: [Array<string>, string]) => void) =>
        void this.completed(line).then((result) => done(null, result), () => done(null, [[], line]))
    })
    this.editor.on("history", (lines: Array<string>) => this.remember(lines))
      .on("line", (line) => this.entered(line))
      .on("SIGINT", () => this.interrupted())
      .on("SIGCONT", () => this.continued())
      .on("close", this.ended)
    // before the editor draws, and after it
    this.output.prependListener("resize", this.countRows)
    process.stdin.prependListener("keypress", this.countRows)
    process.stdin.prependListener("keypress", this.typed)
    this.output.on("resize", () => this.setStatus(this.status))
    process.on("exit", this.restore)
    process.on("SIGHUP", this.ended)
    this.draw(0)
  }

  get width(): number {
    return this.output.columns
  }

  /** Prints lines above what is being typed. */
  print(text: string): void {
    if (!this.open) return void process.stdout.write(`${text}\n`)
    this.replace(`${text}\n`)
  }

  /** Shows these lines above the prompt, each in one row. */
  setStatus(lines: ReadonlyArray<string>): void {
    const before = this.rows
    this.status = lines
    if (!this.open || this.options.dumb) return
    wipe(before)
    if (this.question?.hidden === true) process.stdout.write(this.heading)
    else this.draw(0)
  }

  /** Empties the screen. */
  clear(): void {
    if (!this.open || this.options.dumb) return
    wipe(this.rows)
    const below = this.editor.getCursorPos().rows
    cursorTo(process.stdout, 0, 0)
    clearScreenDown(process.stdout)
    this.draw(below)
  }

  /** Asks a question; the line being edited comes back afterwards. One at a time. */
  readonly ask: AskLine = (question) => Effect.andThen(this.stillness, this.putQuestion(question))

  private readonly putQuestion: AskLine = ({ about, hidden, prompt }) =>
    Effect.callback<string | undefined>((resume) => {
      if (!this.open) return resume(Effect.succeed(undefined))
      if (about !== "") this.print(about)
      const below = this.takeAway()
      const draft = this.editor.line
      const question = { prompt, hidden, draft, answer: (line: string | undefined) => resume(Effect.succeed(line)) }
      this.question = question
      this.setLine("")
      this.draw(below)
      this.output.muted = hidden
      return Effect.sync(() => {
        if (this.question === question) this.dismiss("(no longer asked)")
      })
    })

  /** Gives the terminal back. */
  close(): void {
    if (!this.open) return
    if (!this.options.dumb) wipe(this.rows)
    this.open = false
    this.output.muted = false
    this.question?.answer(undefined)
    this.editor.close()
    this.output.destroy()
    this.restore()
    process.off("exit", this.restore)
    process.off("SIGHUP", this.ended)
    process.stdin.off("keypress", this.countRows)
    process.stdin.off("keypress", this.typed)
  }

  private readonly restore = (): void => {
    if (process.stdin.isTTY) process.stdin.setRawMode(false)
    process.stdin.pause()
  }

  // ---------------------------------------------------------------------------
  // Drawing
  //
  // The editor redraws from the row where it believes its prompt to begin, which is so many rows above the cursor. Whoever
  // has moved the cursor to where the drawing is to begin goes that many rows down before.
  // ---------------------------------------------------------------------------

  /** What stands before the line being edited. */
  private get heading(): string {
    const prompt = this.question?.prompt ?? this.options.prompt
    return this.options.dumb ? prompt : [...this.status.map((line) => this.fitted(line)), prompt].join("\n")
  }

  /** How many rows of what is shown are above the cursor. What is typed in secret takes no room. */
  private get rows(): number {
    if (this.options.dumb) return 0
    return this.question?.hidden === true ? this.rowsTo(this.question.prompt) : this.editor.getCursorPos().rows
  }

  /** How many rows there are above the end of a text behind the status. */
  private rowsTo(text: string): number {
    return this.status.length + this.rowsOf(text)
  }

  /** As the editor counts them: a wide character that does not fit into a row begins the next one. */
  private rowsOf(text: string): number {
    const { cursor, line } = this.editor
    const prompt = this.editor.getPrompt()
    this.editor.setPrompt(text)
    this.setLine("")
    const { rows } = this.editor.getCursorPos()
    this.editor.setPrompt(prompt)
    Object.assign(this.editor, { line, cursor })
    return rows
  }

  /** In one row, with one column to spare. */
  private fitted(line: string): string {
    const width = this.width - 1
    if (CliOutput.displayWidth(line) <= width) return line
    // a colour that is cut off would run on
    // oxlint-disable-next-line no-control-regex -- colours are what this is about
    return cut(line.replace(/\u001b\[[0-9;]*m/g, ""), width)
  }

  /** Draws status, prompt and line where the cursor is; the editor believes it to be so many rows below the prompt's. */
  private draw(below: number): void {
    if (!this.open) return
    process.stdout.write("\n".repeat(below))
    this.believe(below)
    this.editor.setPrompt(this.heading)
    this.editor.prompt(true)
  }

  /** Tells the editor how many rows above the cursor the prompt begins. */
  private believe(rows: number): void {
    Object.assign(this.editor, { prevRows: rows })
  }

  /** The editor counts neither the rows of what is pasted, nor those of another width. */
  private readonly countRows = (): void => {
    const { isCompletionEnabled } = this.editor as unknown as { readonly isCompletionEnabled?: boolean }
    const { cursor, line } = this.editor
    const { cols, rows } = this.editor.getCursorPos()
    // behind a full row the cursor waits in it where that was pasted, and stands in the next one where it was typed
    if (cols === 0 && line !== "" && cursor === line.length && !this.options.dumb) this.output.write(" \r")
    // in the middle of what is pasted nothing is drawn anew
    if (isCompletionEnabled !== false) this.believe(rows)
  }

  /** Takes away what is drawn; tells how many rows below the prompt's the cursor was. */
  private takeAway(): number {
    if (this.options.dumb) {
      process.stdout.write("\n")
      return 0
    }
    const below = this.editor.getCursorPos().rows
    wipe(this.rows)
    return below
  }

  /** Prints in the place of what is drawn, and draws it below. */
  private replace(text: string): void {
    if (this.options.dumb) {
      process.stdout.write(`\n${text}`)
      return this.draw(0)
    }
    wipe(this.rows)
    process.stdout.write(text)
    if (this.question?.hidden === true) process.stdout.write(this.heading)
    else this.draw(this.editor.getCursorPos().rows)
  }

  private setLine(line: string): void {
    Object.assign(this.editor, { line, cursor: line.length })
  }

  // ---------------------------------------------------------------------------
  // What the person does
  // ---------------------------------------------------------------------------

  private readonly typed = (): void => {
    if (this.question === undefined) this.typedAt = performance.now()
  }

  /** Waits while a line is being typed: the rest of it would be taken for an answer. */
  private readonly stillness: Effect.Effect<void> = Effect.suspend(() => {
    const left = this.editor.line === "" ? 0 : Math.ceil(this.typedAt + STILL_MILLIS - performance.now())
    return left > 0 ? Effect.andThen(Effect.sleep(left), this.stillness) : Effect.void
  })

  private entered(line: string): void {
    const { question } = this
    if (question === undefined) {
      this.leave(line === "" ? "" : `${this.options.prompt}${line}\n`, this.options.prompt + line)
      this.draw(0)
      return void Queue.offerUnsafe(this.inputs, { _tag: "Line", line })
    }
    this.question = undefined
    if (question.hidden) {
      this.output.muted = false
      if (!this.options.dumb) wipe(this.rowsTo(question.prompt))
      process.stdout.write(this.options.dumb ? "\n" : `${question.prompt}\n`)
    } else this.leave(`${question.prompt}${line}\n`, question.prompt + line)
    this.setLine(question.draft)
    this.draw(0)
    question.answer(line)
  }

  /** The status that stood above an entered line is not worth keeping. The editor has gone to the next row. */
  private leave(kept: string, shown: string): void {
    if (this.options.dumb) return
    // the editor wraps a row that is full
    wipe(this.rowsTo(shown) + 1)
    process.stdout.write(kept)
  }

  private dismiss(why: string): void {
    const { question } = this
    if (question === undefined) return
    const below = this.takeAway()
    this.question = undefined
    this.output.muted = false
    process.stdout.write(`${question.prompt}${why}\n`)
    this.setLine(question.draft)
    this.draw(below)
    question.answer(undefined)
  }

  private interrupted(): void {
    if (this.question !== undefined) return this.dismiss("^C")
    if (this.onInterrupt?.() === true) return
    if (this.editor.line === "") return void Queue.offerUnsafe(this.inputs, { _tag: "Interrupt" })
    const below = this.takeAway()
    this.setLine("")
    this.draw(below)
  }

  /** What runs is not waited for: nobody can end it otherwise. */
  private readonly ended = (): void => {
    this.isGone = true
    this.close()
    Queue.offerUnsafe(this.inputs, { _tag: "End" })
    this.onInterrupt?.()
  }

  /** Back after Ctrl-Z: others have written since, and the editor waits to be told that it may read again. */
  private continued(): void {
    this.believe(0)
    this.editor.resume()
    if (this.question?.hidden === true) process.stdout.write(this.heading)
  }

  private remember(lines: Array<string>): void {
    const [line = ""] = lines
    const how = this.question === undefined ? typedLines.remembrance(line) : "never"
    if (how === "never") return void lines.splice(0, lines.length, ...this.remembered)
    if (how === "file" && this.remembered[0] !== line) typedLines.append(this.options.historyFile, line.trim())
    this.remembered = [...lines]
  }

  // ---------------------------------------------------------------------------
  // Completion
  // ---------------------------------------------------------------------------

  /** One word is put in; of several their common beginning, or they are shown. */
  private async completed(line: string): Promise<[Array<string>, string]> {
    if (this.question !== undefined || this.complete === undefined) return [[], line]
    const { last, words } = await this.complete(line)
    const [only] = words
    if (only === undefined) return [[], line]
    // what goes on behind it is not another word
    if (words.length === 1) return [[/[=/@]$/.test(only) ? only : `${only} `], last]
    const common = commonBeginning(words)
    if (common.length > last.length) return [[common], last]
    this.print(columns(words, this.width))
    return [[], line]
  }
}

const commonBeginning = (words: ReadonlyArray<string>): string => {
  const [first = ""] = words
  let length = first.length
  for (const word of words) while (!word.startsWith(first.slice(0, length))) length--
  return first.slice(0, length)
}

/** Words side by side. */
const columns = (words: ReadonlyArray<string>, width: number): string => {
  const each = Math.max(...words.map((word) => word.length)) + 2
  const inRow = Math.max(1, Math.floor(width / each))
  const rows: Array<string> = []
  for (let at = 0; at < words.length; at += inRow) {
    rows.push(words.slice(at, at + inRow).map((word) => word.padEnd(each)).join("").trimEnd())
  }
  return rows.join("\n")
}

/** Goes so many rows up and clears everything from there. */
const wipe = (rows: number): void => {
  if (rows > 0) moveCursor(process.stdout, 0, -rows)
  cursorTo(process.stdout, 0)
  clearScreenDown(process.stdout)
}
