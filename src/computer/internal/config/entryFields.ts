/**
 * What an entry says, value by value, as it may be shown.
 */
import { isRecord } from "../../../protocol/Json.ts"
import type { ServerConfig } from "../../../protocol/ServerConfig.ts"
import type { ServerEntry } from "../../ServerEntry.ts"
import * as Placeholders from "../inputs/placeholders.ts"
import { parameterDefaults } from "../mcp/connection.ts"
import type { Fields } from "./decoding.ts"
import { maskedParameters, maskedUnknown } from "./maskedConfig.ts"
import { configValue } from "./serialise.ts"

/** One value of an entry. */
export interface Field {
  /** Where it stands, such as `env.TOKEN` or `args[1]`. */
  readonly path: string
  /** What it says: placeholders as they are, `***` in the place of what is secret. */
  readonly value: string
  /** What it is made of: `literal`, `env:NAME`, `input:id`, or the name of a constant. */
  readonly from: ReadonlyArray<string>
}

/** Every value that is not what it would be anyway. */
export const fieldsOf = (entry: ServerEntry): ReadonlyArray<Field> => {
  const { config, extra, origin, settings } = entry
  const shown = maskedParameters(config, origin.dialect) as unknown as Fields
  const { [entry.key]: written } = configValue([entry], [], origin.directory)["servers"] as Fields
  const { bundle_id: _id, name: _name, server_parameters: _parameters, type: _type, ...rest } = written as Fields
  const others = settings.custom === undefined
    ? Object.fromEntries(Object.entries(rest).filter(([key]) => extra === undefined || !Object.hasOwn(extra, key)))
    : {}
  return [
    { path: "type", value: typeOf(entry), from: ["literal"] },
    ...changed(config).flatMap(([key, raw]) => leaves(key, raw, shown[key], origin)),
    ...Object.entries(others).flatMap(([key, value]) =>
      leaves(key, value, maskedUnknown(value, "a2c"), { ...origin, dialect: "a2c" })
    )
  ]
}

const typeOf = ({ config, settings }: ServerEntry): string =>
  settings.custom?.transport ?? (settings.fallBackToSse === true ? "streamable or sse" : config.type)

const changed = (config: ServerConfig): ReadonlyArray<readonly [string, unknown]> => {
  const defaults: Fields = parameterDefaults[config.type]
  return Object.entries(config.server_parameters).filter(([key, value]) =>
    JSON.stringify(value) !== JSON.stringify(defaults[key])
  )
}

/** The values at the ends of two values of one form, of which the second one may be shown. */
const leaves = (path: string, raw: unknown, shown: unknown, origin: ServerEntry["origin"]): ReadonlyArray<Field> => {
  if (Array.isArray(raw) && Array.isArray(shown)) {
    return raw.flatMap((item, index) => leaves(`${path}[${index}]`, item, shown[index], origin))
  }
  if (isRecord(raw) && isRecord(shown)) {
    return Object.entries(raw).flatMap(([key, item]) => leaves(`${path}.${key}`, item, shown[key], origin))
  }
  const value = typeof shown === "string" ? shown : JSON.stringify(shown) ?? ""
  return [{ path, value, from: typeof raw === "string" ? partsOf(raw, origin) : ["literal"] }]
}

const partsOf = (text: string, { dialect }: ServerEntry["origin"]): ReadonlyArray<string> => {
  const parts = Placeholders.parse(text, dialect).flatMap(partOf)
  return parts.length === 0 ? ["literal"] : [...new Set(parts)]
}

const partOf = (segment: Placeholders.Segment): ReadonlyArray<string> => {
  if (typeof segment === "string") return ["literal"]
  switch (segment._tag) {
    case "Input":
      return [`input:${segment.id}`]
    case "Variable":
      return [
        `env:${segment.name}`,
        ...(segment.fallback ?? []).flatMap((each) => typeof each === "string" ? ["default"] : partOf(each))
      ]
    case "Constant":
      return [segment.name]
    case "Unsupported":
      return [segment.text]
  }
}
