/**
 * Placeholders in the parameters of a server: `${input:id}`, `${env:NAME}`, `${NAME}`, `${NAME:-default}`,
 * `${userHome}` and `${pathSeparator}`. Configurations are kept raw; they are rendered at each start.
 */
import * as Result from "effect/Result"
import { homedir } from "node:os"
import { sep } from "node:path"
import { isRecord } from "../../protocol/Json.ts"

/** Where `${env:NAME}` looks. */
export type Environment = Readonly<Record<string, string | undefined>>

/** `$${` stands for a literal `${`. */
const pattern = /\$(\$\{)|\$\{([^{}]*)\}/g

const hidden = "***"

/**
 * A copy of `value` with every placeholder in its strings replaced. Fails with one line that names what has no value
 * and where it stands; the values themselves are never in it.
 */
export const render = <A>(value: A, environment: Environment): Result.Result<A, string> => {
  const unresolved: Array<string> = []
  const walk = (part: unknown, path: string): unknown => {
    if (typeof part === "string") {
      return part.replace(pattern, (whole: string, escaped: string | undefined, body: string | undefined) => {
        if (escaped !== undefined || body === undefined) return "${"
        const found = lookUp(body, environment)
        if (found === undefined) unresolved.push(`${whole} in ${path}`)
        return found ?? whole
      })
    }
    if (Array.isArray(part)) return part.map((item, index) => walk(item, `${path}[${index}]`))
    if (!isRecord(part)) return part
    return Object.fromEntries(
      Object.entries(part).map(([key, item]) => [key, walk(item, path === "" ? key : `${path}.${key}`)])
    )
  }
  const rendered = walk(value, "") as A
  return unresolved.length === 0
    ? Result.succeed(rendered)
    : Result.fail(`Nothing to put in place of ${unresolved.join(", ")}. ${remedy(unresolved)}`)
}

/** `env:NAME` or `NAME`, with or without a default for when it is not set. */
const variable = /^(?:env:(.+?)|([A-Za-z_]\w*))(?::-(.*))?$/s

/** Shell syntax such as `${1}` or `${#list}` only looks like a placeholder. */
const isPlaceholder = (body: string): boolean => variable.test(body) || /^[A-Za-z]+:/.test(body)

const lookUp = (body: string, environment: Environment): string | undefined => {
  if (body === "userHome") return homedir()
  if (body === "pathSeparator") return sep
  if (!isPlaceholder(body)) return `\${${body}}`
  const [, named, bare, fallback] = variable.exec(body) ?? []
  const name = named ?? bare ?? ""
  const value = Object.hasOwn(environment, name) ? environment[name] : undefined
  return value === undefined || value === "" ? fallback ?? value : value
}

const remedy = (unresolved: ReadonlyArray<string>): string =>
  unresolved.some((text) => text.startsWith("${input:"))
    ? "Inputs are not asked for in this version: use ${env:NAME} and set that environment variable."
    : "Set the environment variable before the start, or write $${ for a literal ${."

/**
 * The text with everything hidden but its placeholders, whose defaults are hidden too: what may be shown of a value
 * that can be a secret.
 */
export const mask = (text: string): string => {
  let masked = ""
  let end = 0
  for (const match of text.matchAll(pattern)) {
    const body = match[2]
    if (body === undefined || !isPlaceholder(body)) continue
    if (match.index > end) masked += hidden
    masked += `\${${body.replace(/:-.*$/s, `:-${hidden}`)}}`
    end = match.index + match[0].length
  }
  return end < text.length ? masked + hidden : masked
}
