/**
 * What a command of the console has to show: a value for programs and a text for people.
 */
import * as CliOutput from "effect/cli/CliOutput"
import { cut, lineWidth, printable, table } from "../internal/output.ts"

/** Where a text is going to be shown. */
export interface Page {
  /** In columns. */
  readonly width: number
  readonly colours: boolean
}

/** Where stdout is shown. */
export const stdoutPage = (): Page => ({
  width: lineWidth(),
  colours: process.stdout.isTTY && (process.env["NO_COLOR"] ?? "") === "" && process.env["TERM"] !== "dumb"
})

/** The answer of a command. */
export interface View {
  /** For `--json`: one JSON value. */
  readonly json: unknown
  /** For people. Nothing is printed when it is empty. */
  readonly text: (page: Page) => string
  /** What a program is told when the command was done and found something bad. Default: 0. */
  readonly exitCode?: number | undefined
}

/** How good something is. */
export type Tone = "good" | "bad" | "waiting" | "quiet" | "plain"

const codes: Readonly<Record<Tone, string>> = { good: "32", bad: "31", waiting: "33", quiet: "2", plain: "" }

/** The text in the colour of a tone, where there are colours. */
export const toned = (text: string, tone: Tone, { colours }: Pick<Page, "colours">): string =>
  colours && tone !== "plain" && text !== "" ? `\u001b[${codes[tone]}m${text}\u001b[0m` : text

/** The text in bold, where there is bold. */
export const bold = (text: string, { colours }: Pick<Page, "colours">): string =>
  colours ? `\u001b[1m${text}\u001b[0m` : text

/** A row of a table. */
export interface Row {
  readonly cells: ReadonlyArray<string>
  readonly tone?: Tone | undefined
}

const GAP = 2
const NARROWEST = 8

/** Rows under their headings, no wider than the page: the widest columns give way first. */
export const tableOf = (headings: ReadonlyArray<string>, rows: ReadonlyArray<Row>, page: Page): string => {
  const cells = rows.map(({ cells }) => cells.map((cell) => printable(cell).replace(/\s+/g, " ").trim()))
  const limits = fit(
    headings.map((heading, column) => widest([heading, ...cells.map((row) => row[column] ?? "")])),
    page
  )
  const fitted = (row: ReadonlyArray<string>) => row.map((cell, column) => cut(cell, limits[column] ?? NARROWEST))
  const lines = table(fitted(headings), cells.map(fitted), page.width).split("\n")
  return lines.map((line, index) =>
    index === 0 ? bold(line, page) : toned(line, rows[index - 1]?.tone ?? "plain", page)
  )
    .join("\n")
}

const widest = (cells: ReadonlyArray<string>): number => Math.max(...cells.map(CliOutput.displayWidth))

const fit = (widths: ReadonlyArray<number>, { width }: Page): ReadonlyArray<number> => {
  const limits = [...widths]
  const total = () => limits.reduce((sum, each) => sum + each, (limits.length - 1) * GAP)
  while (total() > width) {
    const column = limits.indexOf(Math.max(...limits))
    if ((limits[column] ?? 0) <= NARROWEST) break
    limits[column] = Math.max(NARROWEST, (limits[column] ?? 0) - (total() - width), secondWidest(limits))
  }
  return limits
}

/** Where the widest column meets the next one, less one: from there on they give way in turn. */
const secondWidest = (limits: ReadonlyArray<number>): number => {
  const [, second = 0] = [...limits].sort((a, b) => b - a)
  return second - 1
}

/** Something that was done, in one sentence. */
export const said = (text: string, json: unknown = { message: text }): View => ({ json, text: () => printable(text) })

/** A value for programs, shown to people as indented JSON. */
export const jsonView = (json: unknown): View => ({ json, text: () => printable(JSON.stringify(json, undefined, 2)) })

/** A table, or a sentence when it has no rows. */
export const tableView = (
  { headings, json, none, rows }: {
    readonly json: unknown
    readonly headings: ReadonlyArray<string>
    readonly rows: ReadonlyArray<Row>
    readonly none: string
  }
): View => ({ json, text: (page) => rows.length === 0 ? none : tableOf(headings, rows, page) })

/** Pairs, one a line, their values below each other. */
export const pairs = (rows: ReadonlyArray<readonly [name: string, value: string]>, page: Page): string => {
  const width = Math.max(...rows.map(([name]) => name.length))
  return rows.map(([name, value]) => `${bold(name.padEnd(width), page)}  ${printable(value)}`).join("\n")
}
