/**
 * How placeholders are written in the values of a configuration. Every program has its own grammar; what is none in that of
 * the file stands for itself.
 *
 * | dialect                 | placeholders                                                                              |
 * | ----------------------- | ----------------------------------------------------------------------------------------- |
 * | `a2c`, `claude-code`    | `${input:id}`, `${env:NAME}`, `${NAME}`, the two latter with `:-default`, and the constants |
 * | `vscode`, `cursor`      | `${input:id}`, `${env:NAME}` and the constants                                            |
 * | `gemini`                | `$NAME`, `${NAME}`, `${NAME:-default}`                                                    |
 * | `opencode`              | `{env:NAME}`                                                                              |
 * | `claude-desktop`        | none                                                                                      |
 *
 * The constants are `${userHome}`, `${workspaceFolder}`, `${workspaceFolderBasename}`, `${pathSeparator}` and `${/}`.
 * Where placeholders begin with `${`, `$${` stands for a literal `${`.
 */
import type { Dialect } from "../../ServerEntry.ts"

/** What is known without being told. */
export type ConstantName = "userHome" | "workspaceFolder" | "workspaceFolderBasename" | "pathSeparator"

/** `text` is how it may be shown: as it is written, without its default. */
export type Placeholder =
  | { readonly _tag: "Input"; readonly text: string; readonly id: string }
  | {
    readonly _tag: "Variable"
    readonly text: string
    readonly name: string
    /** What stands for a variable that is not set or empty; may hold placeholders itself. */
    readonly fallback: ReadonlyArray<Segment> | undefined
  }
  | { readonly _tag: "Constant"; readonly text: string; readonly name: ConstantName }
  /** One of another program, such as `${command:id}`, or one that is nested too deeply. */
  | { readonly _tag: "Unsupported"; readonly text: string }

/** A literal text or a placeholder. */
export type Segment = string | Placeholder

/** How deeply defaults may be nested. */
export const MAX_DEPTH = 10

/** Takes a text apart. */
export const parse = (text: string, dialect: Dialect = "a2c"): ReadonlyArray<Segment> => parseAt(text, dialect, 0)

/**
 * The text with everything hidden but its placeholders, whose defaults are hidden too: what may be shown of a value
 * that can be a secret.
 */
export const mask = (text: string, dialect: Dialect = "a2c"): string =>
  parse(text, dialect).map((segment) => typeof segment === "string" ? HIDDEN : segment.text).join("")

// -----------------------------------------------------------------------------
// Internal
// -----------------------------------------------------------------------------

const HIDDEN = "***"

const parseAt = (text: string, dialect: Dialect, depth: number): ReadonlyArray<Segment> => {
  switch (dialect) {
    case "claude-desktop":
      return text === "" ? [] : [text]
    case "opencode":
      return split(
        text,
        /\{(?:env:([^{}]+)|file:[^{}]+)\}/g,
        ([whole, name]) => name === undefined ? unsupported(whole) : variable(name, whole, undefined)
      )
    default:
      return braced(text, dialect, depth)
  }
}

const unsupported = (text: string): Placeholder => ({ _tag: "Unsupported", text })

const variable = (name: string, text: string, fallback: ReadonlyArray<Segment> | undefined): Placeholder => ({
  _tag: "Variable",
  name,
  text,
  fallback
})

/** Joins literal texts that stand beside each other, so that a literal text is never two segments. */
const append = (segments: Array<Segment>, segment: Segment): void => {
  const last = segments.at(-1)
  if (segment === "") return
  if (typeof segment === "string" && typeof last === "string") segments[segments.length - 1] = last + segment
  else segments.push(segment)
}

const split = (
  text: string,
  pattern: RegExp,
  toPlaceholder: (match: RegExpMatchArray) => Placeholder
): ReadonlyArray<Segment> => {
  const segments: Array<Segment> = []
  let end = 0
  for (const match of text.matchAll(pattern)) {
    append(segments, text.slice(end, match.index))
    append(segments, toPlaceholder(match))
    end = match.index + match[0].length
  }
  append(segments, text.slice(end))
  return segments
}

/** An escape, the beginning of a placeholder in braces, or a name without any. */
const opening = /\$(?:\$\{|\{|([A-Za-z_]\w*))/g

const braced = (text: string, dialect: Dialect, depth: number): ReadonlyArray<Segment> => {
  const segments: Array<Segment> = []
  const closing = closingBraces(text)
  let end = 0
  const scan = new RegExp(opening)
  for (let match = scan.exec(text); match !== null; match = scan.exec(text)) {
    append(segments, text.slice(end, match.index))
    const [whole, name] = match
    end = match.index + whole.length
    if (whole === "$${") append(segments, "${")
    else if (name !== undefined) append(segments, dialect === "gemini" ? variable(name, whole, undefined) : whole)
    else {
      const close = closing.get(end - 1)
      const placeholder = close === undefined ? undefined : read(text.slice(end, close), dialect, depth)
      if (close === undefined || placeholder === undefined) append(segments, "${")
      else {
        append(segments, placeholder)
        end = close + 1
      }
    }
    scan.lastIndex = end
  }
  append(segments, text.slice(end))
  return segments
}

/** Where each brace is closed, by where it is opened; found at once, so that a text full of open ones takes no longer. */
const closingBraces = (text: string): ReadonlyMap<number, number> => {
  const closing = new Map<number, number>()
  const open: Array<number> = []
  for (const { 0: brace, index } of text.matchAll(/[{}]/g)) {
    if (brace === "{") open.push(index)
    else {
      const opened = open.pop()
      if (opened !== undefined) closing.set(opened, index)
    }
  }
  return closing
}

const constants: ReadonlyMap<string, ConstantName> = new Map([
  ["userHome", "userHome"],
  ["workspaceFolder", "workspaceFolder"],
  ["workspaceFolderBasename", "workspaceFolderBasename"],
  ["pathSeparator", "pathSeparator"],
  ["/", "pathSeparator"]
])

// What comes behind `:-` is not looked at: it may hold all the rest of a long text, and again in every placeholder within.
const bareVariable = /^([A-Za-z_]\w*)(?:$|(:-))/
const namedVariable = /^env:([^{}]+?)(?:$|(:-))/
/** Of other programs. What has no such prefix only looks like a placeholder: `${1}`, `${#list}`. */
const prefixed = /^[A-Za-z]+:[^{}]*$/

/** The placeholder with this between its braces, or undefined when there is none. */
const read = (body: string, dialect: Dialect, depth: number): Placeholder | undefined => {
  const withDefault = (match: RegExpExecArray, prefix: string): Placeholder => {
    const [whole, name = "", separator] = match
    if (separator === undefined) return variable(name, `\${${prefix}${name}}`, undefined)
    const text = `\${${prefix}${name}:-${HIDDEN}}`
    return depth === MAX_DEPTH
      ? unsupported(text)
      : variable(name, text, parseAt(body.slice(whole.length), dialect, depth + 1))
  }
  const bare = bareVariable.exec(body)
  if (dialect === "gemini") return bare === null ? undefined : withDefault(bare, "")
  const constant = constants.get(body)
  if (constant !== undefined) return { _tag: "Constant", text: `\${${body}}`, name: constant }
  const named = namedVariable.exec(body)
  if (named !== null) return withDefault(named, "env:")
  const id = /^input:([^{}]+)$/.exec(body)?.[1]
  if (id !== undefined) return { _tag: "Input", text: `\${${body}}`, id }
  if (bare !== null) return dialect === "vscode" || dialect === "cursor" ? undefined : withDefault(bare, "")
  return prefixed.test(body) ? unsupported(`\${${body}}`) : undefined
}
