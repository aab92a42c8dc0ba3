/**
 * JSON values with placeholders in their strings, taken apart once: to see what they need, and to fill them.
 */
import * as Redacted from "effect/Redacted"
import { isRecord } from "../../../protocol/Json.ts"
import type { Dialect } from "../../ServerEntry.ts"
import type { InputValue, Resolved } from "../inputs/inputValues.ts"
import { parse, type Placeholder, type Segment } from "../inputs/placeholders.ts"

/** A placeholder and the field it stands in, such as `env.TOKEN` or `args[1]`. */
export interface Site {
  readonly placeholder: Placeholder
  readonly field: string
}

export interface Template {
  /** In the order in which they are written. */
  readonly sites: ReadonlyArray<Site>
  /** The values with their placeholders replaced. Calls back for the text of every secret that is put in. */
  readonly fill: (
    resolved: (placeholder: Placeholder) => Resolved,
    options?: { readonly onSecret?: (text: string) => void; readonly hide?: string }
  ) => ReadonlyArray<unknown>
}

type Fill = (put: (placeholder: Placeholder) => InputValue) => unknown

/** What is nested deeper is left as it is. */
const MAX_NESTING = 64

/** Takes values apart; the fields of each are named from its root. Those that are `literal` are left as they are. */
export const compile = (
  values: ReadonlyArray<unknown>,
  dialect: Dialect,
  literal: ReadonlySet<string> = new Set()
): Template => {
  const sites: Array<Site> = []
  const fills = values.map((value) => compileAt(value, { dialect, literal, sites }, "", 0))
  return {
    sites,
    fill: (resolved, { hide, onSecret } = {}) => {
      const put = (placeholder: Placeholder): InputValue => {
        const { secret, value } = resolved(placeholder)
        if (!secret) return Redacted.value(value)
        onSecret?.(String(Redacted.value(value)))
        return hide ?? Redacted.value(value)
      }
      return fills.map((fill) => fill(put))
    }
  }
}

/** The value of a text: that of a placeholder that stands alone, with its type, or all of it as a string. */
export const joinSegments = (
  segments: ReadonlyArray<Segment>,
  put: (placeholder: Placeholder) => InputValue
): InputValue => {
  const [only] = segments
  return segments.length === 1 && only !== undefined && typeof only !== "string"
    ? put(only)
    : segments.map((segment) => typeof segment === "string" ? segment : String(put(segment))).join("")
}

interface Compiling {
  readonly dialect: Dialect
  readonly literal: ReadonlySet<string>
  readonly sites: Array<Site>
}

const compileAt = (value: unknown, compiling: Compiling, field: string, depth: number): Fill => {
  if (compiling.literal.has(field)) return () => value
  if (typeof value === "string") {
    const segments = parse(value, compiling.dialect)
    for (const segment of segments) {
      if (typeof segment !== "string") compiling.sites.push({ placeholder: segment, field })
    }
    return (put) => joinSegments(segments, put)
  }
  if (depth === MAX_NESTING) return () => value
  if (Array.isArray(value)) {
    const items = value.map((item, index) => compileAt(item, compiling, `${field}[${index}]`, depth + 1))
    return (put) => items.map((item) => item(put))
  }
  if (!isRecord(value)) return () => value
  const entries = Object.entries(value).map(
    ([key, item]) => [key, compileAt(item, compiling, field === "" ? key : `${field}.${key}`, depth + 1)] as const
  )
  return (put) => Object.fromEntries(entries.map(([key, item]) => [key, item(put)]))
}
