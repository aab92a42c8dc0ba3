/**
 * The settings of an entry that concern this Computer alone.
 *
 * A setting that is wrong is left out with a remark and the server stays, but for the limits and the sandbox: they protect
 * what is behind a server and what is around it, and an entry in which they cannot be read is left out as a whole.
 */
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { isRecord } from "../../../protocol/Json.ts"
import type { CallLimits, OAuthSettings, RateLimit, ServerSettings } from "../../ServerEntry.ts"
import { decoderOf, type Fields, maybe, withoutUndefined } from "./decoding.ts"
import type { Program } from "./programs.ts"
import { readSandbox } from "./sandboxSettings.ts"

/** Settings, and remarks on those that were left out. */
export interface ReadSettings {
  readonly settings: ServerSettings
  readonly remarks: ReadonlyArray<string>
  /** Remarks on those that were read in another way than they were written. */
  readonly notes: ReadonlyArray<string>
}

/** The keys of an entry that {@link readSettings} reads; it reads `tools` only where it is an object. */
export const settingKeys: ReadonlyArray<string> = [
  "lazy",
  "idle_timeout",
  "start_timeout",
  "call_timeout",
  "timeout",
  "rate_limit",
  "concurrency",
  "cache_ttl",
  "max_waiting",
  "jsonata",
  "roots",
  "log_level",
  "sandbox",
  "sandboxEnabled",
  "validate_output",
  "envFile",
  "oauth",
  "auth"
]

/** Reads the settings of an entry. Fails for limits and a sandbox that cannot be read. */
export const readSettings = (entry: Fields, program: Program | undefined): Result.Result<ReadSettings, string> =>
  Result.gen(function*() {
    const limits = yield* decodeLimits(entry)
    const tools = yield* readTools(entry["tools"])
    const sandbox = yield* readSandbox(entry)
    const remarks: Array<string> = []
    const read = <A>(name: string, decode: (value: unknown) => Result.Result<A, string>): A | undefined => {
      const value = entry[name] ?? undefined
      if (value === undefined) return undefined
      const result = decode(value)
      if (Result.isSuccess(result)) return result.success
      remarks.push(`${name} was ignored: ${result.failure}`)
      return undefined
    }
    const other = foreignTimeout(entry, program)
    const settings: ServerSettings = {
      lazy: read("lazy", decodeBoolean),
      idleTimeout: read("idle_timeout", decodeSeconds),
      startTimeout: read("start_timeout", decodeSeconds) ?? other.start,
      callTimeout: read("call_timeout", decodeSeconds) ?? other.call,
      limits: limitsOf(limits),
      toolLimits: tools,
      transform: read(
        "jsonata",
        (value) => Result.map(decodeText(value), (script) => ({ language: "jsonata", script }))
      ),
      envFile: read("envFile", decodeText),
      oauth: read("oauth", readOAuth) ?? read("auth", readOAuth),
      roots: read("roots", decodeTexts),
      logLevel: read("log_level", decodeLogLevel),
      sandbox: sandbox.settings,
      validateOutput: read("validate_output", decodeValidation)
    }
    return {
      settings: withoutUndefined(settings),
      remarks: [...remarks, ...other.remarks],
      notes: sandbox.remarks
    }
  })

const Positive = Schema.Finite.check(Schema.isGreaterThan(0))

const decodeBoolean = decoderOf(Schema.Boolean)
const decodeSeconds = decoderOf(Positive)
const decodeText = decoderOf(Schema.NonEmptyString)
const decodeTexts = decoderOf(Schema.Array(Schema.NonEmptyString))

const decodeValidation = decoderOf(Schema.Literals(["warn", "error"]))
const decodeLogLevel = decoderOf(
  Schema.Literals(["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"])
)

// -----------------------------------------------------------------------------
// Limits
// -----------------------------------------------------------------------------

const Count = Schema.Int.check(Schema.isGreaterThan(0))

const decodeLimits = decoderOf(
  Schema.Struct({
    rate_limit: maybe(Schema.Unknown),
    concurrency: maybe(Count),
    cache_ttl: maybe(Positive),
    max_waiting: maybe(Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)))
  }).pipe(
    Schema.check(
      Schema.makeFilter(({ rate_limit }) =>
        rate_limit === undefined || rate_limit === null || Option.isSome(rateOf(rate_limit))
          ? undefined
          : { path: ["rate_limit"], issue: RATE_FORMS }
      )
    )
  )
)

const RATE_FORMS = "Expected \"10/s\", \"100/min\" or { \"calls\", \"seconds\", \"burst\" }"

const decodeRate = Schema.decodeUnknownOption(Schema.Struct({ calls: Count, seconds: Positive, burst: maybe(Count) }))

const ratePattern = /^\s*(\d{1,9})\s*(?:\/|\bper\b)\s*(?:(\d{1,9})\s*)?(s|sec|second|m|min|minute|h|hour|d|day)s?\s*$/i

const unitSeconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 }

const rateOf = (value: unknown): Option.Option<RateLimit> => {
  if (typeof value !== "string") {
    return Option.map(
      decodeRate(value),
      ({ burst, calls, seconds }) =>
        burst === undefined || burst === null ? { calls, seconds } : { calls, seconds, burst }
    )
  }
  const [, calls, count, unit = ""] = ratePattern.exec(value) ?? []
  const seconds = (count === undefined ? 1 : Number(count)) * (unitSeconds[unit.slice(0, 1).toLowerCase()] ?? NaN)
  return Number(calls) > 0 && seconds > 0 ? Option.some({ calls: Number(calls), seconds }) : Option.none()
}

type ReadLimits = typeof decodeLimits extends (value: unknown) => Result.Result<infer A, string> ? A : never

const limitsOf = ({ cache_ttl, concurrency, max_waiting, rate_limit }: ReadLimits): CallLimits | undefined => {
  const limits = withoutUndefined<CallLimits>({
    rateLimit: Option.getOrUndefined(rateOf(rate_limit)),
    concurrency: concurrency ?? undefined,
    cacheTtl: cache_ttl ?? undefined,
    maxWaiting: max_waiting ?? undefined
  })
  return Object.keys(limits).length === 0 ? undefined : limits
}

/** What single tools are held to. Other programs have a list of tools in its place. */
const readTools = (value: unknown): Result.Result<ServerSettings["toolLimits"], string> => {
  if (!isRecord(value)) return Result.succeed(undefined)
  const limits: Array<readonly [string, CallLimits]> = []
  for (const [tool, item] of Object.entries(value)) {
    const read = isRecord(item) ? decodeLimits(item) : Result.fail("expected object")
    if (Result.isFailure(read)) return Result.fail(`tools.${tool}.${read.failure}`)
    const own = limitsOf(read.success)
    if (own !== undefined) limits.push([tool, own])
  }
  return Result.succeed(limits.length === 0 ? undefined : Object.fromEntries(limits))
}

// -----------------------------------------------------------------------------
// Settings of other programs
// -----------------------------------------------------------------------------

/** The longest timeout in seconds that any of these programs takes. What is above it was meant as milliseconds. */
const MOST_SECONDS = 3600

/** The `timeout` of other programs is in seconds or milliseconds, and for a call or for the start. */
const foreignTimeout = (entry: Fields, program: Program | undefined): {
  readonly start?: number
  readonly call?: number
  readonly remarks: ReadonlyArray<string>
} => {
  const value = entry["timeout"] ?? undefined
  if (value === undefined) return { remarks: [] }
  if (typeof value !== "number" || !(value > 0)) return { remarks: ["timeout was ignored: expected a number above 0"] }
  const unit = program?.timeout ?? (value > MOST_SECONDS ? "milliseconds" : "seconds")
  const seconds = unit === "seconds" ? value : value / 1000
  return program?.name === "opencode" ? { start: seconds, remarks: [] } : { call: seconds, remarks: [] }
}

const decodeOAuth = decoderOf(Schema.Struct({
  clientId: maybe(Schema.NonEmptyString),
  clientSecret: maybe(Schema.NonEmptyString),
  scopes: maybe(Schema.Union([Schema.Array(Schema.String), Schema.String])),
  callbackPort: maybe(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 65_535 })))
}))

const oauthNames: ReadonlyMap<string, string> = new Map([
  ["client_id", "clientId"],
  ["CLIENT_ID", "clientId"],
  ["client_secret", "clientSecret"],
  ["CLIENT_SECRET", "clientSecret"],
  ["scope", "scopes"],
  ["callback_port", "callbackPort"]
])

/** Cursor, Claude Code, VS Code, OpenCode and this Computer each spell it in a way of their own. */
const readOAuth = (value: unknown): Result.Result<OAuthSettings | undefined, string> => {
  // OpenCode switches it off like this
  if (value === false) return Result.succeed(undefined)
  if (!isRecord(value)) return Result.fail("expected object")
  const named = Object.fromEntries(Object.entries(value).map(([name, item]) => [oauthNames.get(name) ?? name, item]))
  return Result.map(decodeOAuth(named), ({ callbackPort, clientId, clientSecret, scopes }) => {
    const list = typeof scopes === "string" ? scopes.split(/[\s,]+/).filter((scope) => scope !== "") : scopes
    const settings = withoutUndefined<OAuthSettings>({
      clientId: clientId ?? undefined,
      clientSecret: clientSecret ?? undefined,
      scopes: list ?? undefined,
      callbackPort: callbackPort ?? undefined
    })
    return Object.keys(settings).length === 0 ? undefined : settings
  })
}
