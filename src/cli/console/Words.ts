/**
 * The words of a line typed into the console: parted by spaces as in a shell, with quotes, and with JSON in one piece.
 */
import * as Result from "effect/Result"

/** A word of a line. */
export interface Word {
  readonly text: string
  /** Where it begins, counted from 0. */
  readonly at: number
}

/** What is wrong with a line, and where. */
export interface WordError {
  readonly message: string
  /** Counted from 0. */
  readonly at: number
}

/**
 * Parts a line. `'…'` is taken as it is; in `"…"` a backslash escapes `"` and `\`; elsewhere it escapes a space, a quote,
 * and `#`. An object or a list, at the beginning of a word or after a `=`, reaches to its last bracket, spaces included. A
 * `#` where a word would begin starts a comment.
 */
export const parse = (line: string): Result.Result<ReadonlyArray<Word>, WordError> => {
  const words: Array<Word> = []
  let at = 0
  for (;;) {
    while (at < line.length && isSpace(line[at])) at++
    if (at >= line.length || line[at] === "#") return Result.succeed(words)
    const word = readWord(line, at)
    if (Result.isFailure(word)) return Result.fail(word.failure)
    words.push({ text: word.success.text, at })
    at = word.success.end
  }
}

/** Writes a text so that {@link parse} reads it as one word. */
export const quote = (text: string): string =>
  /^[^\s"'\\#{}[\]]+$/.test(text) ? text : `"${text.replace(/["\\]/g, "\\$&")}"`

/** The word a cursor at the end of a text is in, for completion: what is complete before it, and what there is of it. */
export const atEnd = (text: string): { readonly before: ReadonlyArray<Word>; readonly last: Word } => {
  const parsed = parse(text)
  // what is not finished is completed by nobody
  if (Result.isFailure(parsed)) {
    return { before: [], last: { text: text.slice(parsed.failure.at), at: parsed.failure.at } }
  }
  const words = parsed.success
  const last = words.at(-1)
  return last === undefined || isSpace(text.at(-1))
    ? { before: words, last: { text: "", at: text.length } }
    : { before: words.slice(0, -1), last }
}

// -----------------------------------------------------------------------------
// Internal
// -----------------------------------------------------------------------------

interface Piece {
  readonly text: string
  /** Behind it. */
  readonly end: number
}

const isSpace = (char: string | undefined): boolean => char !== undefined && /\s/.test(char)

const readWord = (line: string, start: number): Result.Result<Piece, WordError> => {
  let text = ""
  let at = start
  while (at < line.length && !isSpace(line[at])) {
    const piece = readPiece(line, at, at === start || line[at - 1] === "=")
    if (Result.isFailure(piece)) return piece
    text += piece.success.text
    at = piece.success.end
  }
  return Result.succeed({ text, end: at })
}

const readPiece = (line: string, at: number, mayBeJson: boolean): Result.Result<Piece, WordError> => {
  const char = line[at] ?? ""
  const next = line[at + 1]
  if (char === "'") return readSingleQuoted(line, at)
  if (char === "\"") return readDoubleQuoted(line, at)
  if (mayBeJson && (char === "{" || char === "[")) return readJson(line, at)
  return Result.succeed(
    char === "\\" && next !== undefined && /[\s"'#]/.test(next)
      ? { text: next, end: at + 2 }
      : { text: char, end: at + 1 }
  )
}

const readSingleQuoted = (line: string, at: number): Result.Result<Piece, WordError> => {
  const end = line.indexOf("'", at + 1)
  return end < 0
    ? Result.fail({ message: "This ' has no other at its end", at })
    : Result.succeed({ text: line.slice(at + 1, end), end: end + 1 })
}

const readDoubleQuoted = (line: string, start: number): Result.Result<Piece, WordError> => {
  let text = ""
  for (let at = start + 1; at < line.length; at++) {
    const char = line[at]
    if (char === "\"") return Result.succeed({ text, end: at + 1 })
    if (char === "\\" && (line[at + 1] === "\"" || line[at + 1] === "\\")) at++
    text += line[at]
  }
  return Result.fail({ message: "This \" has no other at its end", at: start })
}

const CLOSING: Readonly<Record<string, string>> = { "{": "}", "[": "]" }

/** Only brackets and strings are looked at: whether it is JSON is for whoever reads the word. */
const readJson = (line: string, start: number): Result.Result<Piece, WordError> => {
  const open: Array<{ readonly char: string; readonly at: number }> = []
  let inString = false
  for (let at = start; at < line.length; at++) {
    const char = line[at] ?? ""
    if (inString) {
      if (char === "\\") at++
      else if (char === "\"") inString = false
    } else if (char === "\"") inString = true
    else if (char in CLOSING) open.push({ char, at })
    else if (char === "}" || char === "]") {
      const last = open.pop()
      if (last === undefined || CLOSING[last.char] !== char) {
        return Result.fail({ message: `This ${char} does not close the ${last?.char ?? "JSON"} before it`, at })
      }
      if (open.length === 0) return Result.succeed({ text: line.slice(start, at + 1), end: at + 1 })
    }
  }
  const last = open.at(-1)
  return Result.fail({ message: `This ${last?.char ?? "{"} is not closed`, at: last?.at ?? start })
}
