/**
 * Reading values that people wrote: complaints are one line, name the places, and never show a value.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"

/** A JSON object as it was written. */
export type Fields = Readonly<Record<string, unknown>>

/** A key that may be left out or null. */
export const maybe = <S extends Schema.Constraint>(schema: S) => Schema.optionalKey(Schema.NullOr(schema))

const formatIssues = SchemaIssue.makeFormatterStandardSchemaV1()

/** A decoder whose complaint is one line that names the places and never shows a value. */
export const decoderOf = <A, I>(schema: Schema.Codec<A, I>) => {
  const decode = Schema.decodeUnknownResult(schema, { errors: "all" })
  return (value: unknown): Result.Result<A, string> =>
    Result.mapError(decode(value), ({ issue }) =>
      formatIssues(issue).issues
        .map(({ message, path = [] }) => [path.map(pathPart).join("").replace(/^\./, ""), shorten(message)])
        .map((parts) => parts.filter((part) => part !== "").join(": "))
        .join("; "))
}

const pathPart = (part: PropertyKey | { readonly key: PropertyKey }): string => {
  const key = typeof part === "object" ? part.key : part
  return typeof key === "number" ? `[${key}]` : `.${String(key)}`
}

/** Without the value, which could be a secret in the wrong place, and without the null that stands for absence. */
const shorten = (message: string): string => message.replace(/, got .*$/s, "").replace(" | null", "").replace(/^E/, "e")

/** A record without what is not said in it. */
export const withoutUndefined = <A extends object>(record: A): A =>
  Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as A

/** A record without what is null or not said in it. */
export const withoutNulls = (record: Fields): Fields =>
  Object.fromEntries(Object.entries(record).filter(([, value]) => value !== null && value !== undefined))

/** What a value is, in a word, without showing it. */
export const describe = (value: unknown): string =>
  value === null
    ? "null"
    : Array.isArray(value)
    ? "a list"
    : typeof value === "object"
    ? "an object"
    : `a ${typeof value}`
