/**
 * The extensions of Goose (`extensions` in YAML) in the words of the common shape.
 */
import { isRecord } from "../../../protocol/Json.ts"
import { type Fields, withoutNulls } from "./decoding.ts"
import { escaped, type Foreign, namesOf, recordOf, replaced, unlessEmpty, variables } from "./foreignFields.ts"
import { escapedText } from "./translate.ts"

/** What its types are called here. */
const types: ReadonlyMap<unknown, string> = new Map([["stdio", "stdio"], ["streamable_http", "http"], ["sse", "sse"]])

/** Types of extensions that run within Goose. */
const innerTypes: ReadonlyArray<unknown> = ["builtin", "platform", "frontend", "inline_python"]

const isInner = (item: unknown): boolean => isRecord(item) && innerTypes.includes(item["type"])

/** Whether the value of a key `extensions` is that of Goose. */
export const isOfGoose = (extensions: unknown): extensions is Fields =>
  isRecord(extensions) &&
  Object.values(extensions).some((item) =>
    isInner(item) || (isRecord(item) && ["cmd", "uri"].some((key) => typeof item[key] === "string"))
  )

/** Its MCP servers. */
export const gooseServers = (extensions: Fields): Foreign => {
  const all = Object.entries(extensions)
  const inner = all.filter(([, item]) => isInner(item)).map(([key]) => `"${key}"`)
  return {
    servers: all.filter(([, item]) => !isInner(item)).map(([key, item]) => [key, fromGoose(item)]),
    remarks: inner.length === 0 ? [] : [`Left out, since only Goose itself can run them: ${inner.join(", ")}`]
  }
}

/** Its values are literal, but for the headers, in which the variables of the same entry may stand. */
const fromGoose = (item: unknown): unknown => {
  if (!isRecord(item)) return item
  const { cmd, env_keys: keys, envs, headers, timeout, type, uri, ...rest } = item
  // what is in no file is in Goose's keychain, or in the environment
  const env = { ...variables(namesOf(keys).map((name) => [name, name])), ...recordOf(escaped(envs)) }
  const isLocal = cmd !== undefined && cmd !== null
  return {
    ...recordOf(escaped(rest)),
    ...withoutNulls({
      type: types.get(type) ?? type,
      command: escaped(cmd),
      url: escaped(uri),
      env: isLocal ? unlessEmpty(env) : undefined,
      headers: unlessEmpty(headersWith(recordOf(headers), env)),
      call_timeout: timeout
    })
  }
}

const headersWith = (headers: Fields, env: Fields): Fields =>
  Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      typeof value !== "string" ? value : replaced(value, /\$(?:\{\s*([A-Za-z_]\w*)\s*\}|([A-Za-z_]\w*))/g, (match) => {
        const [whole, braced, bare] = match
        const variable = braced ?? bare ?? ""
        return Object.hasOwn(env, variable) ? String(env[variable]) : escapedText(whole)
      })
    ])
  )
