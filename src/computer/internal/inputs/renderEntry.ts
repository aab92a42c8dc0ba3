/**
 * The configuration of a server with its placeholders replaced.
 */
import * as Effect from "effect/Effect"
import { inspect } from "node:util"
import type { ServerConfig, StdioServerConfig } from "../../../protocol/ServerConfig.ts"
import type { InputError } from "../../InputError.ts"
import type { ServerEntry, ServerSettings } from "../../ServerEntry.ts"
import { maskedText } from "../config/maskedConfig.ts"
import { compile, type Template } from "../config/template.ts"
import { isSecretOption, isSecretVariable } from "../secrets/secretNames.ts"
import { readEnvFile } from "./envFile.ts"
import { resolveAll, type Surroundings } from "./placeholderValues.ts"

/** A configuration that can be started. It shows nothing of itself when it is printed or written as JSON. */
export interface Rendered {
  readonly config: ServerConfig
  readonly settings: ServerSettings
  /** Every value in it that came from somewhere secret, for whoever writes down what may repeat it. */
  readonly secrets: ReadonlyArray<string>
}

/** In scripts, `${…}` and `$name` have a meaning of their own. */
const scripts: ReadonlySet<string> = new Set(["transform.script", "custom.source.jsonata", "custom.source.vrl"])

/** The parts of an entry in which placeholders are rendered: its parameters and its settings. */
export const templateOf = ({ config, origin, settings }: ServerEntry): Template =>
  compile([config.server_parameters, settings], origin.dialect, scripts)

/** Fails when something in it has no value, or cannot be read. */
export const renderEntry = Effect.fnUntraced(function*(
  entry: ServerEntry,
  surroundings: Surroundings
): Effect.fn.Return<Rendered, InputError> {
  const { bundleId, config, origin } = entry
  const secrets = new Set<string>()
  const onSecret = (text: string) => secrets.add(text)
  const template = templateOf(entry)
  const resolved = yield* resolveAll(template, surroundings, bundleId)
  // as before, but for what became a number or a boolean
  const [parameters, settings] = template.fill(resolved, { onSecret }) as [
    ServerConfig["server_parameters"],
    ServerSettings
  ]
  const rendered = { ...config, server_parameters: parameters } as ServerConfig
  const { envFile, oauth } = settings
  if (oauth?.clientSecret !== undefined) onSecret(String(oauth.clientSecret))
  if (rendered.type === "stdio") {
    const fromFile = envFile === undefined ? {} : yield* readEnvFile(
      String(envFile),
      origin.directory,
      maskedText(entry.settings.envFile ?? "", origin.dialect)
    )
    const local = localParameters(rendered.server_parameters, fromFile)
    for (const value of Object.values(local.env ?? {})) onSecret(value)
    return hide({ config: { ...rendered, server_parameters: local }, settings, secrets: [...secrets] })
  }
  for (const secret of remoteSecrets(rendered.server_parameters)) onSecret(secret)
  return hide({ config: rendered, settings, secrets: [...secrets] })
})

// -----------------------------------------------------------------------------
// Internal
// -----------------------------------------------------------------------------

type LocalParameters = StdioServerConfig["server_parameters"]

/** Only text can stand here: a number or a boolean becomes one. What is given by name wins over the file. */
const localParameters = (
  parameters: LocalParameters,
  fromFile: Readonly<Record<string, string>>
): LocalParameters => ({
  ...parameters,
  command: String(parameters.command),
  args: parameters.args.map(String),
  cwd: parameters.cwd === null ? null : String(parameters.cwd),
  env: { ...fromFile, ...textValues(parameters.env ?? {}) }
})

const textValues = (record: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [name, String(value)]))

/** A credential is often repeated without the word before it (`Bearer`). */
const LONG_WORD = 8

const remoteSecrets = function*(
  { headers, url }: { readonly headers: Readonly<Record<string, unknown>> | null; readonly url: string }
): Generator<string> {
  for (const value of Object.values(textValues(headers ?? {}))) {
    yield value
    for (const word of value.split(/\s+/)) if (word.length >= LONG_WORD) yield word
  }
  if (!URL.canParse(url)) return
  const { password, searchParams } = new URL(url)
  if (password !== "") yield* [password, unescaped(password)]
  for (const [name, value] of searchParams) if (isSecretVariable(name) || isSecretOption(name)) yield value
}

const unescaped = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

const hide = (rendered: Rendered): Rendered => {
  const hidden = { enumerable: false, value: () => "<redacted>" }
  return Object.defineProperties({ ...rendered }, { toJSON: hidden, [inspect.custom]: hidden })
}
