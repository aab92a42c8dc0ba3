import { canonicalJson } from "../../../protocol/Json.ts"
import type { ServerConfig } from "../../../protocol/ServerConfig.ts"
import type { ServerEntry, ServerSettings } from "../../ServerEntry.ts"

/** What is ours to heed, so that a server that runs need not be restarted when it changes. */
const ourConfig: ReadonlySet<string> = new Set<keyof ServerConfig>([
  "name",
  "bundle_id",
  "disabled",
  "forbidden_tools",
  "tool_meta",
  "default_tool_meta",
  "vrl"
])
const ourSettings: ReadonlySet<string> = new Set<keyof ServerSettings>([
  "lazy",
  "idleTimeout",
  "startTimeout",
  "callTimeout",
  "limits",
  "toolLimits",
  "transform",
  "validateOutput"
])

const without = (fields: object, left: ReadonlySet<string>) =>
  Object.fromEntries(Object.entries(fields).filter(([name]) => !left.has(name)))

/** The part of an entry that its server, or the way to it, depends on, as a text: raw, with placeholders unrendered. */
export const seenByServer = ({ config, origin, settings }: ServerEntry): string =>
  canonicalJson([without(config, ourConfig), without(settings, ourSettings), origin])
