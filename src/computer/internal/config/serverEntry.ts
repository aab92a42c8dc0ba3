/**
 * One entry of a config file, in any of the accepted shapes, brought into the form of the protocol.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as BundleId from "../../../protocol/BundleId.ts"
import { isRecord } from "../../../protocol/Json.ts"
import type { ServerConfig } from "../../../protocol/ServerConfig.ts"
import { ToolMeta } from "../../../protocol/Tool.ts"
import type { ServerEntry } from "../../ServerEntry.ts"
import { identity, readConnection } from "../mcp/connection.ts"
import { decoderOf, describe, maybe } from "./decoding.ts"
import { otherKeysOf } from "./otherKeys.ts"
import { programOf } from "./programs.ts"
import { readSettings } from "./serverSettings.ts"

/** An entry that can be used, with what is to be said about it, or what is wrong with it. */
export type ReadEntry = Result.Result<
  {
    readonly entry: ServerEntry
    /** Settings that were left out. */
    readonly wrong: ReadonlyArray<string>
    readonly remarks: ReadonlyArray<string>
    /** Keys that nobody knows. */
    readonly unknown: ReadonlyArray<string>
  },
  string
>

/** Reads one entry. Keys that mean nothing here are kept aside; never fails for more than this entry. */
export const readEntry = Effect.fnUntraced(function*(
  key: string,
  value: unknown,
  origin: ServerEntry["origin"]
): Effect.fn.Return<ReadEntry> {
  const read = readParts(value, origin)
  if (Result.isFailure(read)) return Result.fail(read.failure)
  const { common, connection: { connection, settings: reached }, others, settings } = read.success
  const name = common.name ?? key
  const bundleId = yield* BundleId.resolve({ explicit: common.bundle_id, name, connection: identity(connection) })
  const config: ServerConfig = {
    name,
    bundle_id: bundleId,
    disabled: common.disabled === true || common.enabled === false,
    forbidden_tools: hiddenTools(common),
    tool_meta: common.tool_meta ?? {},
    default_tool_meta: common.default_tool_meta ?? null,
    vrl: common.vrl ?? null,
    ...connection
  }
  const entry: ServerEntry = {
    key,
    bundleId,
    config,
    settings: { ...settings.settings, ...reached },
    origin,
    ...(others.extra === undefined ? {} : { extra: others.extra })
  }
  const custom = reached.custom === undefined ? [] : [
    `its transport ${JSON.stringify(reached.custom.transport)} is not one of MCP's; ` +
    "it starts only in a program that has a transport of this name"
  ]
  const isLocal = connection.type === "stdio" && reached.custom === undefined
  const unheld = settings.settings.sandbox === undefined || isLocal
    ? []
    : ["sandbox is not applied: it is for servers that are started here by a command"]
  return Result.succeed({
    entry,
    wrong: settings.remarks,
    remarks: [...custom, ...settings.notes, ...unheld, ...others.remarks],
    unknown: others.unknown
  })
})

const readParts = (value: unknown, origin: ServerEntry["origin"]) =>
  Result.gen(function*() {
    if (!isRecord(value)) return yield* Result.fail(`is ${describe(value)}, not an object; write { "command": … }`)
    const common = yield* decodeCommon(value)
    if (typeof common.bundle_id === "string" && !BundleId.isValid(common.bundle_id)) {
      return yield* Result.fail(
        `has the bundle_id ${JSON.stringify(common.bundle_id)}; ` +
          "use only letters, digits, \"_\" and \"-\", and no \"__\", or leave it out"
      )
    }
    const connection = yield* readConnection(value, origin.dialect)
    const settings = yield* readSettings(value, programOf(origin.source))
    const others = otherKeysOf(value, connection.settings.custom !== undefined)
    return { common, connection, settings, others }
  })

const Names = maybe(Schema.Array(Schema.String))

const Common = Schema.Struct({
  name: maybe(Schema.String),
  bundle_id: maybe(Schema.String),
  disabled: maybe(Schema.Boolean),
  enabled: maybe(Schema.Boolean),
  forbidden_tools: Names,
  // what Gemini, Kiro and Roo, and Codex call it
  excludeTools: Names,
  disabledTools: Names,
  disabled_tools: Names,
  tool_meta: maybe(Schema.Record(Schema.String, ToolMeta)),
  default_tool_meta: maybe(ToolMeta),
  vrl: maybe(Schema.String)
})

const decodeCommon = decoderOf(Common)

const hiddenTools = (
  { disabledTools, disabled_tools, excludeTools, forbidden_tools }: typeof Common.Type
): ReadonlyArray<string> => [
  ...new Set([forbidden_tools, excludeTools, disabledTools, disabled_tools].flatMap((names) => names ?? []))
]
