/**
 * Metadata of tools: what is configured, merged with what the MCP server declares (specification, tool metadata).
 */
import { isRecord } from "../../protocol/Json.ts"
import type { ServerConfig } from "../../protocol/ServerConfig.ts"
import type { ToolMeta } from "../../protocol/Tool.ts"
import * as ToolName from "../../protocol/ToolName.ts"
import { type Fields, withoutNulls } from "./config/decoding.ts"

/** Metadata with every field, null where nothing is set. Fields the specification does not know follow. */
export const canonical = (meta: Fields): Fields => ({
  auto_apply: null,
  alias: null,
  tags: null,
  ret_object_mapper: null,
  ...meta
})

/** The tool's own name for the outside, if one is configured. Never inherited from the defaults: it could not be unique. */
export const aliasOf = (config: ServerConfig, tool: string): string | undefined => {
  const alias = configuredFor(config, tool)?.alias
  return alias === undefined || alias === null || alias === "" ? undefined : alias
}

/** The names by which `forbidden_tools` may name a tool: its own, its alias, and the exposed one. */
export const namesOf = (config: ServerConfig, bundleId: string, tool: string): ReadonlyArray<string> => {
  const alias = aliasOf(config, tool)
  return [tool, alias ?? tool, ToolName.exposed(bundleId, tool, alias)]
}

/** Tags that a server declares for a tool: nothing, a list (possibly absent), or something that is not understood. */
export type Declaration = "absent" | "malformed" | { readonly tags: ReadonlyArray<string> | null }

/** Reads `_meta.a2c_tool_meta` of a tool. Only the tags count: a server must not approve its own tools. */
export const declaration = (meta: Fields | undefined): Declaration => {
  const declared = meta?.[KEY]
  if (declared === undefined) return "absent"
  if (!isRecord(declared)) return "malformed"
  const tags = declared["tags"] ?? null
  if (tags === null) return { tags }
  return Array.isArray(tags) && tags.every((tag) => typeof tag === "string") ? { tags } : "malformed"
}

/** Where metadata stands in the `_meta` of a tool and in its `meta` on the wire. */
export const KEY = "a2c_tool_meta"

/**
 * The metadata of a tool: what is configured for it, over the defaults of its server, over what the server declares.
 * Fields that are null or missing are inherited, others replaced as a whole. `undefined` when nobody says anything.
 */
export const merged = (config: ServerConfig, tool: string, declared: Declaration): Fields | undefined => {
  const own = configuredFor(config, tool)
  const defaults = config.default_tool_meta ?? undefined
  const tags = typeof declared === "object" ? declared : undefined
  if (own === undefined && defaults === undefined && tags === undefined) return undefined
  return canonical({
    ...tags,
    ...withoutNulls(defaults ?? {}),
    ...withoutNulls(own ?? {}),
    alias: aliasOf(config, tool) ?? null
  })
}

const configuredFor = ({ tool_meta }: ServerConfig, tool: string): ToolMeta | undefined =>
  Object.hasOwn(tool_meta, tool) ? tool_meta[tool] : undefined
