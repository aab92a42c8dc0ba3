/**
 * Hides what is secret in the arguments of a tool call: what a schema calls a password, what has the name of a secret, and
 * what looks like one.
 */
import { isRecord } from "../../../protocol/Json.ts"
import { makeRedactor } from "./redact.ts"
import { saysSecret, type Schemas, schemasAt, schemasOf } from "./schemaWalk.ts"
import { isSecretName } from "./secretNames.ts"
import { MASK, redactForDecision, redactText } from "./secretText.ts"

/** How much is kept. */
export interface Options {
  /**
   * Whether it is for a person who decides on the call: everything is kept that is not secret, and what may be a command is
   * none. Else long texts and lists are cut. Default: false.
   */
  readonly whole?: boolean | undefined
}

interface Limits {
  readonly text: number
  readonly items: number
  readonly depth: number
  /** How many values at all. */
  readonly values: number
}

const CUT: Limits = { text: 200, items: 20, depth: 8, values: 500 }
const WHOLE: Limits = { text: Infinity, items: Infinity, depth: 64, values: Infinity }
const SEARCHED: Limits = { text: 200, items: Infinity, depth: 64, values: 10_000 }

/** A copy with `***` in the place of what is secret. `schema` is the JSON Schema of the arguments, as far as it is known. */
export const redactArguments = (
  args: Readonly<Record<string, unknown>>,
  schema?: Readonly<Record<string, unknown>>,
  options: Options = {}
): Readonly<Record<string, unknown>> => {
  const redacted = makeWalk(options.whole === true ? WHOLE : CUT, schema)(args)
  return isRecord(redacted) ? redacted : {}
}

/** A function that hides in a text what looks like a secret, and what was a secret of these arguments. */
export const textRedactor = (
  args: Readonly<Record<string, unknown>>,
  schema?: Readonly<Record<string, unknown>>
): (text: string) => string => {
  const secrets = new Set<string>()
  makeWalk(SEARCHED, schema, (secret) => collect(secret, secrets))(args)
  const redactValues = makeRedactor(secrets)
  return (text) => redactText(redactValues(text))
}

/** More secrets than this are not looked for in a text. */
const MOST_SECRETS = 1000

const collect = (secret: unknown, into: Set<string>): void => {
  const open = [secret]
  for (const next of open) {
    if (into.size >= MOST_SECRETS) return
    if (typeof next === "string" || typeof next === "number") into.add(String(next))
    else if (typeof next === "object" && next !== null) { for (const each of Object.values(next)) open.push(each) }
  }
}

const ELLIPSIS = "…"

/** Walks through a value with the schemas that apply to it. */
const makeWalk = (
  limits: Limits,
  root: Readonly<Record<string, unknown>> | undefined,
  onSecret: (secret: unknown) => void = () => {}
) => {
  let values = 0

  const hidden = (secret: unknown): unknown => {
    // that nothing is there is no secret, and neither is a yes or a no
    if (secret === null || secret === "" || typeof secret === "boolean") return secret
    onSecret(secret)
    return MASK
  }

  const walk = (value: unknown, schemas: Schemas, depth: number): unknown => {
    if (saysSecret(schemas)) return hidden(value)
    if (typeof value === "string") return cutText(value, limits.text)
    if (typeof value !== "object" || value === null) return value
    if (depth >= limits.depth || ++values > limits.values) return ELLIPSIS
    return Array.isArray(value) ? list(value, schemas, depth) : record(value as Fields, schemas, depth)
  }

  const list = (value: ReadonlyArray<unknown>, schemas: Schemas, depth: number) => {
    const kept = value.slice(0, limits.items).map((item, index) =>
      // the value of an option: ["--token", "…"]
      isOption(value[index - 1]) ? hidden(item) : walk(item, schemasAt(schemas, index), depth + 1)
    )
    return kept.length < value.length ? [...kept, `${ELLIPSIS} (${value.length - kept.length} more)`] : kept
  }

  const record = (value: Fields, schemas: Schemas, depth: number) => {
    const entries = Object.entries(value)
    // headers and variables are often lists of these
    const named = [value["name"], value["key"], value["header"]].some((it) =>
      typeof it === "string" && isSecretName(it)
    )
    const kept = entries.slice(0, limits.items).map(([key, each]) => [
      cutText(key, limits.text),
      (isSecretName(key) && !isCount(key, each)) || (named && key === "value")
        ? hidden(each)
        : walk(each, schemasAt(schemas, key), depth + 1)
    ])
    return Object.fromEntries(
      kept.length < entries.length ? [...kept, [ELLIPSIS, `${entries.length - kept.length} more`]] : kept
    )
  }

  return (value: unknown): unknown => walk(value, schemasOf(root ?? {}), 0)
}

type Fields = Readonly<Record<string, unknown>>

/** `max_tokens: 100` */
const isCount = (key: string, value: unknown): boolean => typeof value === "number" && /tokens/i.test(key)

const isOption = (item: unknown): boolean =>
  typeof item === "string" && /^--?[A-Za-z][\w-]*$/.test(item) && isSecretName(item)

/** So much more than is kept is looked at, for secrets that end behind it. */
const WINDOW = 20

/** Hides first, then cuts: half a secret looks like none. */
const cutText = (text: string, longest: number): string => {
  if (longest === Infinity) return redactForDecision(text)
  if (text.length <= longest) return redactText(text)
  let end = Math.min(text.length, longest * WINDOW)
  // the last word may be the first half of a secret
  if (end < text.length) { while (end > 0 && !/\s/.test(text.charAt(end - 1))) end-- }
  const redacted = redactText(text.slice(0, end))
  return `${redacted.slice(0, longest)}${ELLIPSIS} (${text.length} characters)`
}
