/** `docs/errors.md` */
import * as ErrorCatalogue from "../../src/protocol/ErrorCatalogue.ts"
import type { Reason } from "../../src/protocol/SmcpError.ts"
import * as SmcpError from "../../src/protocol/SmcpError.ts"
import * as WireError from "../../src/protocol/WireError.ts"
import { code, linkTo, page, table } from "./Markdown.ts"
import * as SchemaText from "./SchemaText.ts"
import { specification } from "./Specification.ts"

type Tag = Reason["_tag"]
type CodedTag = WireError.CodedError["_tag"]

const isCoded = (tag: Tag): tag is CodedTag => tag in WireError.placement

const codeOf = (tag: CodedTag): number => WireError.placement[tag].code

/** The classes behind the reasons, with the schemas of their fields. */
const classes = SmcpError.SmcpError.fields.reason.members

const tags = classes.map(({ identifier }) => identifier as Tag)
const coded = tags.filter(isCoded).sort((left, right) => codeOf(left) - codeOf(right))
const local = tags.filter((tag) => !isCoded(tag))

const headingOf = (tag: Tag): string => isCoded(tag) ? `${codeOf(tag)} ${tag}` : tag

const repeats: { readonly [R in ErrorCatalogue.Repeat]: string } = {
  later: "may be repeated later",
  "after a change": "repeating does not help until something has changed",
  "after a look": "look before repeating: it may have been carried out"
}

const carriers: { readonly [C in ErrorCatalogue.Carrier]: string } = {
  acknowledgement: "as the answer",
  "tool result": "in a tool's result, as `meta.error_code`",
  handshake: "at the handshake"
}

const overview = (of: ReadonlyArray<Tag>): string =>
  table(
    ["Error", "Made by", "Meaning"],
    of.map((tag) => {
      const { meaning, origin } = ErrorCatalogue.errors[tag]
      return [linkTo(headingOf(tag)), origin.join(", "), meaning]
    })
  )

const ownFields = (tag: Tag): ReadonlyArray<SchemaText.Field> => {
  const { fields } = classes.find(({ identifier }) => identifier === tag)!
  return SchemaText.ofFields(fields).filter(({ name }) => name !== "_tag" && name !== "message" && name !== "details")
}

/** Where a field stands in the flat payload. */
const wireKeyOf = (tag: Tag, field: string): string => {
  if (!isCoded(tag)) return ""
  const { details = {}, top = {} } = WireError.placement[tag]
  const { carrier = [] }: ErrorCatalogue.ErrorEntry = ErrorCatalogue.errors[tag]
  const place = carrier.includes("tool result") ? "meta." : ""
  return code(field in top ? `${place}${top[field]}` : `details.${details[field]}`)
}

const fieldTable = (tag: Tag): ReadonlyArray<string> => {
  const fields = ownFields(tag)
  if (fields.length === 0) return []
  return [
    isCoded(tag)
      ? table(
        ["On the wire", "In programs", "Type", ""],
        fields.map((field) => [wireKeyOf(tag, field.name), ...cells(field)])
      )
      : table(["In programs", "Type", ""], fields.map(cells))
  ]
}

const cells = ({ name, optional, type }: SchemaText.Field): ReadonlyArray<string> => [
  code(name),
  type,
  optional ? "optional" : ""
]

const kindTable = (entry: ErrorCatalogue.ErrorEntry): ReadonlyArray<string> => {
  if (!("kinds" in entry)) return []
  const { kindField, kinds } = entry as ErrorCatalogue.KindsEntry<string>
  return [
    table([code(kindField), "Meaning and what to do"], Object.entries(kinds).map(([kind, text]) => [code(kind), text]))
  ]
}

const section = (tag: Tag): ReadonlyArray<string> => {
  const entry: ErrorCatalogue.ErrorEntry = ErrorCatalogue.errors[tag]
  const facts = [
    `Made by: ${entry.origin.join(", ")}`,
    ...(entry.carrier === undefined ? [] : [`comes ${entry.carrier.map((carrier) => carriers[carrier]).join(" or ")}`]),
    repeats[entry.repeat],
    ...(entry.page === undefined ? [] : [`specification: ${specification(entry.page)}`])
  ]
  return [
    `### ${headingOf(tag)}`,
    entry.meaning,
    facts.join(" · "),
    `**What to do:** ${entry.remedy}`,
    ...kindTable(entry),
    ...fieldTable(tag)
  ]
}

/** The page. */
export const errorsPage = (): string =>
  page("Errors", [
    "Everything that a public function of this package can fail with, as the `reason` of an `SmcpError`. On the wire an " +
    "error with a code is a flat object `{ code, message, details? }` with the keys named below. `message` is for " +
    "people; `details` is for logs, not for the end user. A tool that fails is no error but an outcome. " +
    "What is seen at the terminal is in [troubleshooting.md](troubleshooting.md).",
    "## Errors with a code",
    overview(coded),
    "## Errors without a code",
    "All but `UnknownCode` are found on this side and never sent: a peer learns no more than 500, or 401 for refused " +
    "credentials.",
    overview(local),
    "## One by one",
    ...[...coded, ...local].flatMap(section)
  ])
