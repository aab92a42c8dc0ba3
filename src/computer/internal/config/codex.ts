/**
 * Entries of Codex (`[mcp_servers.<name>]` in TOML) in the words of the common shape.
 */
import { isRecord } from "../../../protocol/Json.ts"
import { withoutNulls } from "./decoding.ts"
import { escaped, namesOf, recordOf, unlessEmpty, variables } from "./foreignFields.ts"

/** Codex names variables in keys of their own; its values are literal. */
export const fromCodex = (item: unknown): unknown => {
  if (!isRecord(item)) return item
  const {
    bearer_token_env_var: bearer,
    env_http_headers: headerVariables,
    env_vars: names,
    http_headers: plain,
    startup_timeout_sec: startTimeout,
    tool_timeout_sec: callTimeout,
    ...others
  } = item
  const rest = recordOf(escaped(others))
  const env = { ...recordOf(rest["env"]), ...variables(namesOf(names).map((name) => [name, name])) }
  const headers = {
    ...recordOf(escaped(plain)),
    ...variables(Object.entries(recordOf(headerVariables))),
    ...(typeof bearer === "string" ? { Authorization: `Bearer \${env:${bearer}}` } : {})
  }
  return {
    ...rest,
    ...withoutNulls({
      env: unlessEmpty(env),
      headers: unlessEmpty(headers),
      start_timeout: startTimeout,
      call_timeout: callTimeout
    })
  }
}
