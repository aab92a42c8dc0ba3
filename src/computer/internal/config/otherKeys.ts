/**
 * Keys of an entry that mean nothing here: some are known from other programs, the rest may be mistakes.
 */
import { isRecord } from "../../../protocol/Json.ts"
import { connectionKeys, parameterKeys } from "../mcp/connection.ts"
import type { Fields } from "./decoding.ts"
import { settingKeys } from "./serverSettings.ts"

/** Keys that every server may have, whatever it is. */
const commonKeys = [
  "name",
  "bundle_id",
  "disabled",
  "enabled",
  "forbidden_tools",
  "excludeTools",
  "disabledTools",
  "disabled_tools",
  "tool_meta",
  "default_tool_meta",
  "vrl"
]

const understood = new Set([...commonKeys, ...connectionKeys, ...settingKeys])

const understoodParameters = new Set(parameterKeys)

const NOT_TRUSTED =
  "is not trusted and not applied; approve a tool with \"tool_meta\": { \"<tool>\": { \"auto_apply\": true } }"

const ALL_TOOLS = "is not applied: every tool of the server is offered; name those to hide in \"forbidden_tools\""

/** Settings of other programs that a user would expect to count here as well. */
const notApplied: Readonly<Record<string, string>> = {
  autoApprove: NOT_TRUSTED,
  alwaysAllow: NOT_TRUSTED,
  trust: NOT_TRUSTED,
  includeTools: ALL_TOOLS,
  available_tools: ALL_TOOLS,
  enabled_tools: ALL_TOOLS,
  tools: ALL_TOOLS,
  headersHelper: "is not supported; put the headers into \"headers\", with placeholders for what is secret",
  dev: "is of VS Code alone and not applied"
}

/** Keys that other programs write and that need no word. */
const harmless = new Set([
  "$schema",
  "_comment",
  "author",
  "bundled",
  "comment",
  "description",
  "displayName",
  "display_name",
  "faviconUrl",
  "fromGalleryId",
  "gallery",
  "homepage",
  "icon",
  "iconUrl",
  "id",
  "inputs",
  "metadata",
  "notes",
  "registryBaseUrl",
  "remoteConfigured",
  "required",
  "serverName",
  "settings",
  "source",
  "title",
  "version",
  "watchPaths"
])

/** What an entry has beyond what is read of it. */
export interface OtherKeys {
  /** The keys with their values. */
  readonly extra: Fields | undefined
  /** What is to be said of those that other programs would have applied. */
  readonly remarks: ReadonlyArray<string>
  /** Those that nobody knows, with the place where they stand. */
  readonly unknown: ReadonlyArray<string>
}

/** Whether other programs are known to use this key of an entry. */
export const isKnownElsewhere = (key: string): boolean => harmless.has(key) || Object.hasOwn(notApplied, key)

/** Tells the keys that were not read. An entry of a transport of somebody's own may have any. */
export const otherKeysOf = (entry: Fields, isCustom: boolean): OtherKeys => {
  const rest = Object.entries(entry).filter(([key, value]) => key === "tools" ? !isRecord(value) : !understood.has(key))
  const nested = isRecord(entry["server_parameters"])
    ? Object.entries(entry["server_parameters"]).filter(([key]) => !understoodParameters.has(key))
    : []
  const extra = {
    ...Object.fromEntries(rest),
    ...(nested.length === 0 ? {} : { server_parameters: Object.fromEntries(nested) })
  }
  const remarks = rest.flatMap(([key, value]) => {
    const why = Object.hasOwn(notApplied, key) ? notApplied[key] : undefined
    return why === undefined || saysNothing(value) ? [] : [`${key} ${why}`]
  })
  const strange = rest.map(([key]) => key).filter((key) => !isKnownElsewhere(key))
  return {
    extra: Object.keys(extra).length === 0 ? undefined : extra,
    remarks,
    unknown: isCustom ? [] : [...strange, ...nested.map(([key]) => `server_parameters.${key}`)]
  }
}

/** `["*"]` and the like switch nothing. */
const saysNothing = (value: unknown): boolean =>
  value === null || value === false || (Array.isArray(value) && (value.length === 0 || value.includes("*")))
