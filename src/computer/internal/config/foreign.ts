/**
 * Taking over what another program's file says.
 */
import { isRecord } from "../../../protocol/Json.ts"
import type { ServerEntry } from "../../ServerEntry.ts"
import { isKnownElsewhere } from "./otherKeys.ts"

/** A file with the servers of several projects, with those of this one beside the common ones, which they replace. */
export const withProject = (value: unknown, project: string): unknown => {
  if (!isRecord(value) || !isRecord(value["projects"])) return value
  const own = value["projects"][project]
  const servers = isRecord(own) ? own["mcpServers"] : undefined
  const common = isRecord(value["mcpServers"]) ? value["mcpServers"] : {}
  return { ...value, mcpServers: isRecord(servers) ? { ...common, ...servers } : common }
}

/** Without the keys that only the program understands from which the entry comes. */
export const withoutForeignKeys = ({ extra, ...entry }: ServerEntry): ServerEntry => {
  const kept = Object.entries(extra ?? {}).filter(([key]) => !isKnownElsewhere(key))
  return kept.length === 0 ? entry : { ...entry, extra: Object.fromEntries(kept) }
}
