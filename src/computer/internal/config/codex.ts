/**
 * Entries of Codex (`[mcp_servers.<name>]` in TOML) in the words of the common shape.
 */
import { isRecord } from "../../../protocol/Json.ts"
import type { Fields } from "./decoding.ts"
import { escaped, namesOf, present, recordOf, unlessEmpty, variables, without } from "./foreignFields.ts"

/** Codex names variables in keys of their own; its values are literal. */
export const fromCodex = (item: unknown): unknown => {
  if (!isRecord(item)) return item
  const own = [
    "http_headers",
    "env_http_headers",
    "bearer_token_env_var",
    "env_vars",
    "startup_timeout_sec",
    "tool_timeout_sec"
  ]
  const rest = escaped(without(item, own)) as Fields
  const env = { ...recordOf(rest["env"]), ...variables(namesOf(item["env_vars"]).map((name) => [name, name])) }
  const bearer = item["bearer_token_env_var"]
  const headers = {
    ...recordOf(escaped(item["http_headers"])),
    ...variables(Object.entries(recordOf(item["env_http_headers"]))),
    ...(typeof bearer === "string" ? { Authorization: `Bearer \${env:${bearer}}` } : {})
  }
  return {
    ...rest,
    ...present({
      env: unlessEmpty(env),
      headers: unlessEmpty(headers),
      start_timeout: item["startup_timeout_sec"],
      call_timeout: item["tool_timeout_sec"]
    })
  }
}
