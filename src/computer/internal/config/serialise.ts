/**
 * A configuration as the value of a config file in the A2C shape.
 */
import * as Schema from "effect/Schema"
import { isAbsolute, join } from "node:path"
import * as BundleId from "../../../protocol/BundleId.ts"
import { isRecord } from "../../../protocol/Json.ts"
import type { ServerConfig } from "../../../protocol/ServerConfig.ts"
import { InputDefinition } from "../../InputDefinition.ts"
import type { CallLimits, SandboxSettings, ServerEntry, ServerSettings } from "../../ServerEntry.ts"
import { parameterDefaults } from "../mcp/connection.ts"
import { type Fields, withoutUndefined } from "./decoding.ts"
import { translated } from "./translate.ts"

/** The value. `directory` is the folder of the project that the file will belong to. */
export const configValue = (
  servers: ReadonlyArray<ServerEntry>,
  inputs: ReadonlyArray<InputDefinition>,
  directory: string | undefined
): Fields => {
  const named = new Map<string, Fields>()
  for (const entry of servers) {
    // servers of several files may have one key, but never one bundle id
    const key = named.has(entry.key) ? entry.bundleId : entry.key
    named.set(key, entryValue(key, entry, directory))
  }
  const definitions = inputs.map((input) => encodeInput(input))
  return { ...(definitions.length === 0 ? {} : { inputs: definitions }), servers: Object.fromEntries(named) }
}

const encodeInput = Schema.encodeSync(InputDefinition)

const entryValue = (key: string, entry: ServerEntry, directory: string | undefined): Fields => {
  const { bundleId, config, extra, origin, settings } = entry
  const translate = (value: unknown): unknown => translated(value, origin, directory)
  const identity = withoutUndefined({
    name: config.name === key ? undefined : config.name,
    bundle_id: BundleId.normalize(config.name) === bundleId ? undefined : bundleId,
    disabled: config.disabled || undefined
  })
  if (settings.custom !== undefined) {
    const { disabled: _, ...source } = settings.custom.source
    const values = Object.entries(source).map(([name, value]) => [name, isScript(name) ? value : translate(value)])
    return { ...Object.fromEntries(values) as Fields, ...identity }
  }
  const { server_parameters: strange, ...others } = extra ?? {}
  return {
    ...identity,
    // without a type both are tried
    ...(settings.fallBackToSse === true ? {} : { type: config.type }),
    ...withoutUndefined({
      forbidden_tools: config.forbidden_tools.length === 0 ? undefined : config.forbidden_tools,
      tool_meta: Object.keys(config.tool_meta).length === 0 ? undefined : config.tool_meta,
      default_tool_meta: config.default_tool_meta ?? undefined,
      vrl: config.vrl ?? undefined,
      jsonata: settings.transform?.language === "jsonata" ? settings.transform.script : undefined
    }),
    ...translate(settingsValue(settings, origin)) as Fields,
    server_parameters: { ...translate(parametersValue(config)) as Fields, ...(isRecord(strange) ? strange : {}) },
    ...others
  }
}

/** What is in a language of its own is not translated. */
const isScript = (name: string): boolean => name === "vrl" || name === "jsonata"

/** Without what is the same when nothing is said. */
const parametersValue = (config: ServerConfig): Fields => {
  const defaults: Fields = parameterDefaults[config.type]
  return Object.fromEntries(
    Object.entries(config.server_parameters).filter(([key, value]) =>
      JSON.stringify(value) !== JSON.stringify(defaults[key])
    )
  )
}

const settingsValue = (settings: ServerSettings, origin: ServerEntry["origin"]): Fields =>
  withoutUndefined({
    lazy: settings.lazy,
    idle_timeout: settings.idleTimeout,
    start_timeout: settings.startTimeout,
    call_timeout: settings.callTimeout,
    ...limitsValue(settings.limits ?? {}),
    tools: settings.toolLimits === undefined
      ? undefined
      : Object.fromEntries(Object.entries(settings.toolLimits).map(([tool, limits]) => [tool, limitsValue(limits)])),
    envFile: settings.envFile === undefined ? undefined : placed(settings.envFile, origin.directory),
    roots: settings.roots,
    log_level: settings.logLevel,
    sandbox: settings.sandbox === undefined ? undefined : sandboxValue(settings.sandbox, origin),
    validate_output: settings.validateOutput,
    oauth: settings.oauth === undefined ? undefined : withoutUndefined({
      client_id: settings.oauth.clientId,
      client_secret: settings.oauth.clientSecret,
      scopes: settings.oauth.scopes,
      callback_port: settings.oauth.callbackPort
    })
  })

const limitsValue = ({ cacheTtl, concurrency, maxWaiting, rateLimit }: CallLimits): Fields =>
  withoutUndefined({
    rate_limit: rateLimit === undefined ? undefined : withoutUndefined({ ...rateLimit }),
    concurrency,
    cache_ttl: cacheTtl,
    max_waiting: maxWaiting
  })

/** In the short form when nothing is said about it. */
const sandboxValue = (sandbox: SandboxSettings, { directory }: ServerEntry["origin"]): Fields | true => {
  const paths = (list: ReadonlyArray<string> | undefined) => list?.map((path) => placed(path, directory))
  const value = withoutUndefined({
    ...sandbox,
    writable: paths(sandbox.writable),
    readable: paths(sandbox.readable)
  })
  return Object.keys(value).length === 0 ? true : value
}

/** A path that was meant from the folder of its file. */
const placed = (path: string, directory: string | undefined): string =>
  directory === undefined || isAbsolute(path) || /^[~${]/.test(path) ? path : join(directory, path)
