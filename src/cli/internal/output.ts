/**
 * What goes to stdout: lines, JSON, tables.
 */
import * as CliOutput from "effect/cli/CliOutput"
import * as Console from "effect/Console"
import type * as Effect from "effect/Effect"
import { oneLine } from "./failure.ts"

/** Prints a line. */
export const print = (text: string): Effect.Effect<void> => Console.log(text)

/** Prints text of a peer. At a terminal nothing in it commands the terminal. */
export const printForeign = (text: string): Effect.Effect<void> => print(process.stdout.isTTY ? printable(text) : text)

/** Prints a value as one line of JSON. */
export const printJson = (value: unknown): Effect.Effect<void> => Console.log(JSON.stringify(value))

/** Says something to the person at the terminal, on stderr. */
export const say = (text: string): Effect.Effect<void> => Console.error(text)

const WIDTH_WITHOUT_TERMINAL = 120

/** How many columns a line may have. */
export const lineWidth = (): number => {
  const given = Number(process.env["COLUMNS"])
  return process.stdout.columns ?? (Number.isInteger(given) && given > 0 ? given : WIDTH_WITHOUT_TERMINAL)
}

/** Rows under their headings; the last column is cut where the line ends. */
export const table = (
  headings: ReadonlyArray<string>,
  rows: ReadonlyArray<ReadonlyArray<string>>,
  width: number
): string => {
  const cells = [headings, ...rows].map((row) => row.map(oneLine))
  const widths = headings.map((_, column) => Math.max(...cells.map((row) => CliOutput.displayWidth(row[column] ?? ""))))
  const before = widths.slice(0, -1).reduce((total, each) => total + each + GAP.length, 0)
  const last = Math.max(NARROWEST, width - before)
  return cells.map((row) =>
    row.map((cell, column) => column === row.length - 1 ? cut(cell, last) : pad(cell, widths[column] ?? 0))
      .join(GAP).trimEnd()
  ).join("\n")
}

const GAP = "  "
const NARROWEST = 12

const pad = (text: string, width: number): string =>
  text + " ".repeat(Math.max(0, width - CliOutput.displayWidth(text)))

/** The text in at most so many columns; what is cut off leaves an ellipsis. */
export const cut = (text: string, width: number): string => {
  if (CliOutput.displayWidth(text) <= width) return text
  let kept = ""
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    if (CliOutput.displayWidth(kept + segment) > width - 1) break
    kept += segment
  }
  return `${kept.trimEnd()}…`
}

/** `1 problem`, `2 problems`. */
export const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? "" : "s"}`

/** Text of a peer without what a terminal would obey: colours, cursor movements, titles, other directions of writing. */
export const printable = (text: string): string =>
  // oxlint-disable-next-line no-control-regex -- control characters are what this is about
  text.replace(/\r\n/g, "\n").replace(/\u001b\[[0-?]*[ -/]*[@-~]|(?![\n\t])\p{Cc}|\p{Bidi_Control}/gu, "")
