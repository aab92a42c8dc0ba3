/** `docs/revisions.md` */
import { readFileSync } from "node:fs"
import * as ClientEvent from "../../src/protocol/ClientEvent.ts"
import * as NotifyEvent from "../../src/protocol/NotifyEvent.ts"
import * as Revision from "../../src/protocol/Revision.ts"
import * as ServerEvent from "../../src/protocol/ServerEvent.ts"
import { code, linkTo, page, table } from "./Markdown.ts"

const revisions = Object.values(Revision.revisions)

const source = readFileSync(new URL("../../src/protocol/Revision.ts", import.meta.url), "utf8")

/** What the interface says about a column, so that it is said once. */
const comments = new Map(
  [...source.matchAll(/\/\*\* (.+) \*\/\n {2}readonly (\w+):/g)].map(([, text, key]) => [key!, text!])
)

const events = [...ClientEvent.all, ...ServerEvent.all, ...NotifyEvent.all]

/** What a fact is about: its comment, or the events that come with it. */
const about = (key: string): string => {
  const comment = comments.get(key)
  if (comment !== undefined) return comment
  const brought = events.filter(({ feature }) => feature === key)
  if (brought.length === 0) throw new Error(`Give "${key}" of the interface Revision a comment of one line`)
  return brought.map(({ name }) => linkTo(name, code(name), "events.md")).join(", ")
}

const cell = (value: string | number | boolean): string => {
  if (typeof value === "boolean") return value ? "yes" : "–"
  if (typeof value === "number") return Number.isFinite(value) ? String(value) : "any number"
  return code(value)
}

const keys = (Object.keys(Revision.defaultRevision) as ReadonlyArray<keyof Revision.Revision>)
  .filter((key) => key !== "id")

const headings = revisions.map(({ id }) => id === Revision.defaultRevision.id ? `${id} (default)` : id)

/** The page. */
export const revisionsPage = (): string =>
  page("Revisions of the protocol", [
    "What differs between the revisions that this package speaks (`--revision`, or `revision` in a program). This is the " +
    "whole of `protocol/Revision.ts`, which the code asks; no code compares version numbers. While the first number is " +
    "0, two peers understand each other when the first two numbers are equal.",
    table(
      ["", ...headings, "About"],
      keys.map((key) => [code(key), ...revisions.map((revision) => cell(revision[key])), about(key)])
    )
  ])
