/**
 * One entry of a config file, in any of the accepted shapes, brought into the form of the protocol.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import * as BundleId from "../../protocol/BundleId.ts"
import { isRecord } from "../../protocol/Json.ts"
import type { ServerConfig } from "../../protocol/ServerConfig.ts"
import { ToolMeta } from "../../protocol/Tool.ts"
import type { ServerEntry } from "../ServerEntry.ts"

/** An entry that can be used, with what is to be said about it, or what is wrong with it. */
export type ReadEntry = Result.Result<
  { readonly entry: ServerEntry; readonly remarks: ReadonlyArray<string> },
  string
>

/** What an entry of a remote server comes with: it is known and shown, and cannot be started. */
export const REMOTE_UNSUPPORTED =
  "HTTP/SSE servers are not supported yet in this version; the server will not be started"

/** Reads one entry. Keys that mean nothing here are ignored; never fails for more than this entry. */
export const readEntry = Effect.fnUntraced(function*(
  key: string,
  value: unknown,
  source: string
): Effect.fn.Return<ReadEntry> {
  const read = Result.gen(function*() {
    if (!isRecord(value)) return yield* Result.fail(`is ${describe(value)}, not an object; write { "command": … }`)
    const common = yield* decodeCommon(value)
    if (typeof common.bundle_id === "string" && !BundleId.isValid(common.bundle_id)) {
      return yield* Result.fail(
        `has the bundle_id ${JSON.stringify(common.bundle_id)}; ` +
          "use only letters, digits, \"_\" and \"-\", and no \"__\", or leave it out"
      )
    }
    const connection = yield* readConnection(value)
    return { source: value, common, connection }
  })
  if (Result.isFailure(read)) return Result.fail(read.failure)
  const { common, connection, source: written } = read.success
  const name = common.name ?? key
  const bundleId = yield* BundleId.resolve({ explicit: common.bundle_id, name, connection: identity(connection) })
  const config: ServerConfig = {
    name,
    bundle_id: bundleId,
    disabled: common.disabled === true || common.enabled === false,
    forbidden_tools: common.forbidden_tools ?? [],
    tool_meta: common.tool_meta ?? {},
    default_tool_meta: common.default_tool_meta ?? null,
    vrl: common.vrl ?? null,
    ...connection
  }
  const entry: ServerEntry = { key, bundleId, config, settings: {}, origin: { source, dialect: "a2c" } }
  return Result.succeed({ entry, remarks: remarksOn(written, config) })
})

// -----------------------------------------------------------------------------
// What every server has
// -----------------------------------------------------------------------------

const maybe = <S extends Schema.Constraint>(schema: S) => Schema.optionalKey(Schema.NullOr(schema))

const Common = Schema.Struct({
  name: maybe(Schema.String),
  bundle_id: maybe(Schema.String),
  disabled: maybe(Schema.Boolean),
  enabled: maybe(Schema.Boolean),
  forbidden_tools: maybe(Schema.Array(Schema.String)),
  tool_meta: maybe(Schema.Record(Schema.String, ToolMeta)),
  default_tool_meta: maybe(ToolMeta),
  vrl: maybe(Schema.String)
})

const formatIssues = SchemaIssue.makeFormatterStandardSchemaV1()

/** A decoder whose complaint is one line that names the places and never shows a value. */
export const decoderOf = <A, I>(schema: Schema.Codec<A, I>) => {
  const decode = Schema.decodeUnknownResult(schema, { errors: "all" })
  return (value: unknown): Result.Result<A, string> =>
    Result.mapError(decode(value), ({ issue }) =>
      formatIssues(issue).issues
        .map(({ message, path = [] }) => `${path.map(pathPart).join("").replace(/^\./, "")}: ${shorten(message)}`)
        .join("; "))
}

const pathPart = (part: PropertyKey | { readonly key: PropertyKey }): string => {
  const key = typeof part === "object" ? part.key : part
  return typeof key === "number" ? `[${key}]` : `.${String(key)}`
}

/** Without the value, which could be a secret in the wrong place, and without the null that stands for absence. */
const shorten = (message: string): string => message.replace(/, got .*$/s, "").replace(" | null", "").replace(/^E/, "e")

const decodeCommon = decoderOf(Common)

const describe = (value: unknown): string =>
  value === null ? "null" : Array.isArray(value) ? "a list" : `a ${typeof value}`

// -----------------------------------------------------------------------------
// How it is reached
// -----------------------------------------------------------------------------

type Connection = ServerConfig extends infer C ? C extends ServerConfig ? Pick<C, "type" | "server_parameters"> : never
  : never

const stringRecord = Schema.Record(Schema.String, Schema.String)
const openRecord = Schema.Record(Schema.String, Schema.Unknown)

const decodeStdio = decoderOf(Schema.Struct({
  command: Schema.NonEmptyString,
  args: maybe(Schema.Array(Schema.String)),
  env: maybe(stringRecord),
  cwd: maybe(Schema.String),
  encoding: maybe(Schema.String),
  encoding_error_handler: maybe(Schema.Literals(["strict", "ignore", "replace"]))
}))

const decodeRemote = decoderOf(Schema.Struct({
  url: maybe(Schema.NonEmptyString),
  httpUrl: maybe(Schema.NonEmptyString),
  serverUrl: maybe(Schema.NonEmptyString),
  headers: maybe(openRecord)
}))

const Seconds = Schema.Union([Schema.Finite, Schema.FiniteFromString])

const decodeStreamableTimes = decoderOf(Schema.Struct({
  timeout: maybe(Schema.Union([Schema.String, Schema.Finite])),
  sse_read_timeout: maybe(Schema.Union([Schema.String, Schema.Finite])),
  terminate_on_close: maybe(Schema.Boolean)
}))

const decodeSseTimes = decoderOf(Schema.Struct({ timeout: maybe(Seconds), sse_read_timeout: maybe(Seconds) }))

/** Every spelling of a transport that files in the wild use. */
const transports: ReadonlyMap<unknown, ServerConfig["type"]> = new Map([
  ["stdio", "stdio"],
  ["sse", "sse"],
  ["streamable", "streamable"],
  ["http", "streamable"],
  ["streamable-http", "streamable"],
  ["streamableHttp", "streamable"],
  ["streamable_http", "streamable"]
])

const readConnection = (entry: Readonly<Record<string, unknown>>): Result.Result<Connection, string> => {
  const nested = entry["server_parameters"]
  if (nested !== undefined && !isRecord(nested)) {
    return Result.fail(`has server_parameters that are ${describe(nested)}, not an object`)
  }
  const source = nested ?? entry
  const declared = entry["type"] ?? undefined
  const kind = transports.get(declared)
  if (kind === undefined && declared !== undefined) {
    return Result.fail(`has an unknown type (${JSON.stringify(declared)}); use "stdio", "streamable" or "sse"`)
  }
  // in the shapes without server_parameters a command means stdio, whatever the type says
  const local = nested === undefined || kind === undefined || kind === "stdio"
  if (local && source["command"] !== undefined) return readStdio(source)
  if (kind === "stdio") return Result.fail("is of type \"stdio\" but has no command")
  if (["url", "httpUrl", "serverUrl"].some((name) => source[name] !== undefined)) {
    // the durations of other shapes have units of their own and are left out
    return readRemote(kind === "sse" ? "sse" : "streamable", source, nested ?? {})
  }
  return Result.fail("has neither a command (a local server) nor a url (a remote one)")
}

const readStdio = (source: unknown): Result.Result<Connection, string> =>
  Result.map(decodeStdio(source), (parameters) => ({
    type: "stdio" as const,
    server_parameters: {
      command: parameters.command,
      args: parameters.args ?? [],
      env: parameters.env ?? null,
      cwd: parameters.cwd ?? null,
      encoding: parameters.encoding ?? "utf-8",
      encoding_error_handler: parameters.encoding_error_handler ?? "strict"
    }
  }))

const readRemote = (type: "streamable" | "sse", source: unknown, times: unknown) =>
  Result.gen(function*() {
    const { headers = null, httpUrl, serverUrl, url: plainUrl } = yield* decodeRemote(source)
    const url = plainUrl ?? httpUrl ?? serverUrl
    if (url === undefined || url === null) return yield* Result.fail("has no url")
    if (type === "sse") {
      const { sse_read_timeout, timeout } = yield* decodeSseTimes(times)
      return {
        type,
        server_parameters: { url, headers, timeout: timeout ?? 5, sse_read_timeout: sse_read_timeout ?? 300 }
      }
    }
    const { sse_read_timeout, terminate_on_close, timeout } = yield* decodeStreamableTimes(times)
    return {
      type,
      server_parameters: {
        url,
        headers,
        timeout: isoDuration(timeout ?? "PT30S"),
        sse_read_timeout: isoDuration(sse_read_timeout ?? "PT5M"),
        terminate_on_close: terminate_on_close ?? true
      }
    }
  })

const isoDuration = (duration: string | number): string => typeof duration === "number" ? `PT${duration}S` : duration

const identity = (connection: Connection): BundleId.ConnectionIdentity => {
  if (connection.type === "stdio") {
    const { args, command, env } = connection.server_parameters
    return { type: "stdio", command, args, env: env ?? {} }
  }
  const { headers, url } = connection.server_parameters
  return {
    type: connection.type,
    url,
    headers: Object.fromEntries(Object.entries(headers ?? {}).map(([name, value]) => [name, String(value)]))
  }
}

// -----------------------------------------------------------------------------
// Remarks
// -----------------------------------------------------------------------------

/** Settings of other programs that a user would expect to count here as well. */
const notApplied: Readonly<Record<string, string>> = {
  autoApprove:
    "is not trusted and not applied; approve a tool with \"tool_meta\": { \"<tool>\": { \"auto_apply\": true } }",
  alwaysAllow:
    "is not trusted and not applied; approve a tool with \"tool_meta\": { \"<tool>\": { \"auto_apply\": true } }",
  envFile: "is not read in this version; put the variables into \"env\""
}

const remarksOn = (source: Readonly<Record<string, unknown>>, config: ServerConfig): ReadonlyArray<string> => [
  ...Object.entries(notApplied).flatMap(([name, why]) => source[name] === undefined ? [] : [`${name} ${why}`]),
  ...(config.type === "stdio" || config.disabled ? [] : [REMOTE_UNSUPPORTED])
]
