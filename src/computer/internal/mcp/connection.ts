/**
 * How an entry of a config file says where its server is, in every spelling that files in the wild use.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as BundleId from "../../../protocol/BundleId.ts"
import { isRecord } from "../../../protocol/Json.ts"
import type { ServerConfig } from "../../../protocol/ServerConfig.ts"
import type { Dialect, ServerSettings } from "../../ServerEntry.ts"
import { decoderOf, describe, type Fields, maybe } from "../config/decoding.ts"

/** The part of a configuration that says how the server is reached. */
export type Connection = ServerConfig extends infer C
  ? C extends ServerConfig ? Pick<C, "type" | "server_parameters"> : never
  : never

/** A connection with what this Computer alone has to know of it. */
export interface ReadConnection {
  readonly connection: Connection
  readonly settings: Pick<ServerSettings, "custom" | "fallBackToSse">
}

/** The keys of an entry that {@link readConnection} reads. */
export const connectionKeys: ReadonlyArray<string> = [
  "type",
  "transport",
  "transportType",
  "server_parameters",
  "command",
  "args",
  "env",
  "cwd",
  "encoding",
  "encoding_error_handler",
  "url",
  "httpUrl",
  "serverUrl",
  "headers"
]

/** The keys of `server_parameters` that it reads. */
export const parameterKeys: ReadonlyArray<string> = [
  ...connectionKeys,
  "timeout",
  "sse_read_timeout",
  "terminate_on_close"
]

/**
 * Reads where the server is. A type that is unknown here is the name of a transport that the embedding program may have:
 * the entry stays, with its source and with as much of a command or a URL as it has.
 */
export const readConnection = (entry: Fields, dialect: Dialect): Result.Result<ReadConnection, string> => {
  const nested = entry["server_parameters"] ?? undefined
  if (nested !== undefined && !isRecord(nested)) {
    return Result.fail(`has server_parameters that are ${describe(nested)}, not an object`)
  }
  const source = dialect === "vscode" ? withTextVariables(nested ?? entry) : nested ?? entry
  const declared = declaredType(entry, source)
  const kind = typeof declared === "string" ? transports.get(declared.toLowerCase()) : undefined
  if (declared !== undefined && kind === undefined) {
    return typeof declared === "string" && declared.trim() !== ""
      ? Result.succeed(customConnection(declared, entry, source))
      : Result.fail(`has a type that is ${describe(declared)}; use "stdio", "streamable" or "sse"`)
  }
  // in the shapes without server_parameters a command means stdio, whatever the type says
  if (kind === "stdio" || (nested === undefined && source["command"] !== undefined)) {
    return source["command"] === undefined
      ? Result.fail("is of type \"stdio\" but has no command")
      : Result.map(readStdio(source), plain)
  }
  if (kind === undefined && source["command"] !== undefined) return Result.map(readStdio(source), plain)
  if (!urlKeys.some((name) => source[name] !== undefined)) {
    return Result.fail("has neither a command (a local server) nor a url (a remote one)")
  }
  // the durations of other shapes have units of their own
  const type = kind === "sse" ? "sse" : "streamable"
  return Result.map(readRemote(type, source, nested ?? {}), (connection) => ({
    connection,
    settings: mayBeSse(kind, source, dialect) ? { fallBackToSse: true } : {}
  }))
}

const urlKeys = ["url", "httpUrl", "serverUrl"]

/** Some programs do not say which of the two it is, and VS Code tries both whatever it is called. */
const mayBeSse = (kind: ServerConfig["type"] | undefined, source: Fields, dialect: Dialect): boolean =>
  kind === undefined ? source["httpUrl"] === undefined : kind === "streamable" && dialect === "vscode"

const plain = (connection: Connection): ReadConnection => ({ connection, settings: {} })

const declaredType = (entry: Fields, source: Fields): unknown =>
  [entry["type"], entry["transport"], entry["transportType"], source["type"]].find((each) =>
    each !== undefined && each !== null
  )

/** Every spelling of a transport that files in the wild use, in lower case. */
const transports: ReadonlyMap<string, ServerConfig["type"]> = new Map([
  ["stdio", "stdio"],
  ["sse", "sse"],
  ["streamable", "streamable"],
  ["http", "streamable"],
  ["streamable-http", "streamable"],
  ["streamablehttp", "streamable"],
  ["streamable_http", "streamable"],
  // the scheme of the address tells it from HTTP
  ["ws", "streamable"],
  ["websocket", "streamable"]
])

const customConnection = (transport: string, entry: Fields, source: Fields): ReadConnection => {
  const stdio = readStdio(source)
  const remote = readRemote("streamable", source, {})
  const placeholder: Connection = {
    type: "stdio",
    server_parameters: { command: transport, ...parameterDefaults.stdio }
  }
  return {
    connection: Result.getOrElse(stdio, () => Result.getOrElse(remote, () => placeholder)),
    settings: { custom: { transport, source: entry } }
  }
}

/** What the parameters are when nothing is said. */
export const parameterDefaults = {
  stdio: { args: [], env: null, cwd: null, encoding: "utf-8", encoding_error_handler: "strict" },
  streamable: { headers: null, timeout: "PT30S", sse_read_timeout: "PT5M", terminate_on_close: true },
  sse: { headers: null, timeout: 5, sse_read_timeout: 300 }
} as const

// -----------------------------------------------------------------------------
// stdio
// -----------------------------------------------------------------------------

const decodeStdio = decoderOf(Schema.Struct({
  command: Schema.NonEmptyString,
  args: maybe(Schema.Array(Schema.String)),
  env: maybe(Schema.Record(Schema.String, Schema.String)),
  cwd: maybe(Schema.String),
  encoding: maybe(Schema.String),
  encoding_error_handler: maybe(Schema.Literals(["strict", "ignore", "replace"]))
}))

/** In VS Code a variable may be a number, and null is none. */
const withTextVariables = (source: Fields): Fields => {
  const { env } = source
  if (!isRecord(env)) return source
  const set = Object.entries(env).filter(([, value]) => value !== null)
  return {
    ...source,
    env: Object.fromEntries(set.map(([name, value]) => [name, typeof value === "number" ? String(value) : value]))
  }
}

const readStdio = (source: unknown): Result.Result<Connection, string> =>
  Result.map(decodeStdio(source), (parameters) => {
    const defaults = parameterDefaults.stdio
    return {
      type: "stdio" as const,
      server_parameters: {
        command: parameters.command,
        args: parameters.args ?? defaults.args,
        env: parameters.env ?? defaults.env,
        cwd: parameters.cwd ?? defaults.cwd,
        encoding: parameters.encoding ?? defaults.encoding,
        encoding_error_handler: parameters.encoding_error_handler ?? defaults.encoding_error_handler
      }
    }
  })

// -----------------------------------------------------------------------------
// Remote
// -----------------------------------------------------------------------------

const decodeRemote = decoderOf(Schema.Struct({
  url: maybe(Schema.NonEmptyString),
  httpUrl: maybe(Schema.NonEmptyString),
  serverUrl: maybe(Schema.NonEmptyString),
  headers: maybe(Schema.Record(Schema.String, Schema.Unknown))
}))

const Seconds = Schema.Union([Schema.Finite, Schema.FiniteFromString])

const decodeStreamableTimes = decoderOf(Schema.Struct({
  timeout: maybe(Schema.Union([Schema.String, Schema.Finite])),
  sse_read_timeout: maybe(Schema.Union([Schema.String, Schema.Finite])),
  terminate_on_close: maybe(Schema.Boolean)
}))

const decodeSseTimes = decoderOf(Schema.Struct({ timeout: maybe(Seconds), sse_read_timeout: maybe(Seconds) }))

const readRemote = (type: "streamable" | "sse", source: Fields, times: Fields): Result.Result<Connection, string> =>
  Result.gen(function*() {
    const { headers = null, httpUrl, serverUrl, url: plainUrl } = yield* decodeRemote(source)
    const url = plainUrl ?? httpUrl ?? serverUrl
    if (url === undefined || url === null) return yield* Result.fail("has no url")
    if (type === "sse") {
      const { sse_read_timeout, timeout } = yield* decodeSseTimes(times)
      const defaults = parameterDefaults.sse
      return {
        type,
        server_parameters: {
          url,
          headers,
          timeout: timeout ?? defaults.timeout,
          sse_read_timeout: sse_read_timeout ?? defaults.sse_read_timeout
        }
      }
    }
    const { sse_read_timeout, terminate_on_close, timeout } = yield* decodeStreamableTimes(times)
    const defaults = parameterDefaults.streamable
    return {
      type,
      server_parameters: {
        url,
        headers,
        timeout: isoDuration(timeout ?? defaults.timeout),
        sse_read_timeout: isoDuration(sse_read_timeout ?? defaults.sse_read_timeout),
        terminate_on_close: terminate_on_close ?? defaults.terminate_on_close
      }
    }
  })

const isoDuration = (duration: string | number): string => typeof duration === "number" ? `PT${duration}S` : duration

/** What tells the server from others when it has no name that could. */
export const identity = (connection: Connection): BundleId.ConnectionIdentity => {
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
