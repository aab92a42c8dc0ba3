/**
 * Files that say which MCP servers a Computer hosts, read unchanged: the A2C shape (`servers` with `server_parameters`),
 * the `mcpServers` maps of Claude Desktop, Claude Code, Cursor and others, the `servers` map of VS Code with its `inputs`,
 * and those of Zed, OpenCode, Crush, Codex (TOML), Goose and Continue (YAML). Comments, trailing commas and a byte order
 * mark are welcome.
 *
 * Beyond the A2C specification an entry may have settings of this Computer alone, in `snake_case`: `lazy`, `idle_timeout`,
 * `start_timeout`, `call_timeout` (seconds), `rate_limit` (`"10/s"`, `"100/min"` or `{ calls, seconds, burst }`),
 * `concurrency`, `cache_ttl`, `max_waiting`, `tools` (the last five for single tools), `roots`, `log_level`,
 * `sandbox`, `validate_output`, and `oauth` (`client_id`, `client_secret`, `scopes`, `callback_port`). Limits and a sandbox
 * that cannot be read leave the server out; any other setting that is wrong is left out alone. Both are diagnostics.
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import type * as PlatformError from "effect/PlatformError"
import * as Result from "effect/Result"
import type * as Stream from "effect/Stream"
import * as SmcpError from "../protocol/SmcpError.ts"
import type { Diagnostic } from "./Diagnostic.ts"
import type { InputDefinition } from "./InputDefinition.ts"
import { type ConfigText, configText } from "./internal/config/configText.ts"
import { type Field, fieldsOf } from "./internal/config/entryFields.ts"
import { withoutForeignKeys, withProject } from "./internal/config/foreign.ts"
import { mergeConfigs } from "./internal/config/mergeConfigs.ts"
import { programOf, projectOf } from "./internal/config/programs.ts"
import { configValue } from "./internal/config/serialise.ts"
import { readEntry } from "./internal/config/serverEntry.ts"
import { readInputs } from "./internal/config/serverInputs.ts"
import { shapeOf } from "./internal/config/shapes.ts"
import { watchFiles } from "./internal/config/watchFiles.ts"
import {
  type Machine,
  type Place,
  type ProgramName,
  programNames,
  wellKnownPlaces
} from "./internal/config/wellKnown.ts"
import { replaceFile } from "./internal/files.ts"
import type { Dialect, ServerEntry } from "./ServerEntry.ts"

export type { Field, Machine, Place, ProgramName, ServerEntry }
export { programNames }

// -----------------------------------------------------------------------------
// Models
// -----------------------------------------------------------------------------

/** What a config file says. */
export interface ConfigFile {
  /** In the order of the file; every `bundleId` is unique. Raw: placeholders are not rendered. */
  readonly servers: ReadonlyArray<ServerEntry>
  /** The definitions behind `${input:id}`. */
  readonly inputs: ReadonlyArray<InputDefinition>
  /**
   * Entries that were left out, settings that are not applied, and keys that nobody knows. Never holds the value of a
   * setting.
   */
  readonly diagnostics: ReadonlyArray<Diagnostic>
}

/** What is known of a configuration beside its text. */
export interface Source {
  /** How its variables are written. Default: what its name and its shape tell. */
  readonly dialect?: Dialect | undefined
  /** The folder that `${workspaceFolder}` stands for. Default: none. */
  readonly directory?: string | undefined
}

// -----------------------------------------------------------------------------
// Reading
// -----------------------------------------------------------------------------

/**
 * Reads a config file. Fails with `ConfigInvalid` when the file is missing, unreadable, no JSON (`.toml`: no TOML,
 * `.yaml`: no YAML), or names no servers; a bad entry is a diagnostic and leaves the others in place.
 */
export const load = (path: string): Effect.Effect<ConfigFile, SmcpError.SmcpError, FileSystem.FileSystem> =>
  Effect.flatMap(readText(path), (text) => parse(text, path, { directory: projectOf(path) }))

/**
 * Reads several config files as one. Of two servers with one bundle id, and of two inputs with one id, that of the later
 * file counts, and a diagnostic says so. Fails when one of the files does.
 */
export const loadAll = (
  paths: ReadonlyArray<string>
): Effect.Effect<ConfigFile, SmcpError.SmcpError, FileSystem.FileSystem> =>
  Effect.map(Effect.forEach(paths, load), merge)

/** Several configurations as one, as {@link loadAll} has it. */
export const merge = (files: ReadonlyArray<ConfigFile>): ConfigFile => mergeConfigs(files)

/** Reads the text of a config file. `sourceName` stands in messages for where it came from. */
export const parse = (
  text: string,
  sourceName: string,
  source: Source = {}
): Effect.Effect<ConfigFile, SmcpError.SmcpError> =>
  Effect.flatMap(readValue(text, sourceName), ({ repeated, value }) => {
    const remarks = repeated.map(({ key, place }): Diagnostic => ({
      server: undefined,
      message: `"${key}" stands there again at ${place}: only the last one counts; rename or remove one of them`,
      severity: "error",
      source: sourceName
    }))
    return Effect.map(
      fromValue(value, sourceName, source),
      (file) => remarks.length === 0 ? file : { ...file, diagnostics: [...remarks, ...file.diagnostics] }
    )
  })

/** Reads a config that is already JSON, such as one that a program builds. */
export const fromValue = Effect.fnUntraced(function*(
  value: unknown,
  sourceName: string,
  source: Source = {}
): Effect.fn.Return<ConfigFile, SmcpError.SmcpError> {
  const shape = shapeOf(value)
  if (Result.isFailure(shape)) return yield* Effect.fail(invalid(`${sourceName} ${shape.failure}`))
  const { directory } = source
  const dialect = source.dialect ?? programOf(sourceName)?.dialect ?? shape.success.dialect
  const origin = { source: sourceName, dialect, ...(directory === undefined ? {} : { directory }) }
  const servers = new Map<string, ServerEntry>()
  const strange = new Map<string, Array<string>>()
  const diagnostics: Array<Diagnostic> = []
  const say = (severity: "error" | "warning", server: string | undefined, message: string) => {
    diagnostics.push({ server, message, severity, source: sourceName })
  }
  for (const [key, item] of shape.success.servers) {
    const read = yield* readEntry(key, item, origin)
    if (Result.isFailure(read)) {
      say("error", key, `The server "${key}" was left out: ${asSentence(read.failure)}`)
      continue
    }
    const { entry, remarks, unknown, wrong } = read.success
    const earlier = servers.get(entry.bundleId)
    if (earlier !== undefined) {
      say(
        "error",
        key,
        `The server "${key}" was left out: its bundle id "${entry.bundleId}" is that of "${earlier.key}"; ` +
          "rename one of them or give it a bundle_id"
      )
      continue
    }
    servers.set(entry.bundleId, entry)
    for (const each of wrong) say("error", key, `Server "${key}": ${each}`)
    for (const each of remarks) say("warning", key, `Server "${key}": ${each}`)
    for (const name of unknown) strange.set(name, [...strange.get(name) ?? [], key])
  }
  for (const [name, keys] of strange) {
    say(
      "warning",
      undefined,
      `"${name}" means nothing here and is ignored (${keys.map((key) => `"${key}"`).join(", ")})`
    )
  }
  for (const each of shape.success.remarks) say("warning", undefined, each)
  const inputs = readInputs(shape.success.inputs)
  inputs.problems.forEach((problem) => say("error", undefined, problem))
  return { servers: [...servers.values()], inputs: inputs.inputs, diagnostics }
})

// -----------------------------------------------------------------------------
// Watching
// -----------------------------------------------------------------------------

/** What has become of watched files: a configuration, or why there is none. */
export type Watched = Result.Result<ConfigFile, SmcpError.SmcpError>

/**
 * The configuration of some files, read as {@link loadAll} does: now, and again after each change that has lasted for 300
 * milliseconds. While a file is missing or broken there is one failure, which says what is wrong with it; whoever follows
 * keeps what they had. The files may be replaced, deleted and made again, or be links.
 */
export const watch = (paths: ReadonlyArray<string>): Stream.Stream<Watched, never, FileSystem.FileSystem> =>
  watchFiles(paths, (texts) =>
    Effect.result(Effect.map(
      Effect.forEach(texts, ({ path, text }) =>
        Result.isSuccess(text)
          ? parse(text.success, path, { directory: projectOf(path) })
          : Effect.fail(invalid(unreadable(path, text.failure)))),
      merge
    )))

// -----------------------------------------------------------------------------
// Writing
// -----------------------------------------------------------------------------

/**
 * The text of a config file, in the A2C shape, that says the same: placeholders stay placeholders, and keys that mean
 * nothing here stay where they were. A value that is written in the grammar of another program is translated, and so is
 * what depends on where a file lies, which `path` tells.
 */
export const serialise = (
  servers: ReadonlyArray<ServerEntry>,
  inputs: ReadonlyArray<InputDefinition>,
  options: { readonly path?: string | undefined } = {}
): string => {
  const directory = options.path === undefined ? undefined : projectOf(options.path)
  return `${JSON.stringify(configValue(servers, inputs, directory), null, 2)}\n`
}

/**
 * Writes a config file as {@link serialise} has it, readable by the owner only. Whoever reads the file meanwhile finds the
 * old or the new text whole. Fails with `ConfigInvalid` when it cannot be written.
 */
export const save = (
  path: string,
  config: Pick<ConfigFile, "servers" | "inputs">
): Effect.Effect<void, SmcpError.SmcpError> =>
  replaceFile(path, serialise(config.servers, config.inputs, { path })).pipe(
    Effect.mapError(({ message }) => invalid(`${path} cannot be written: ${message}`))
  )

// -----------------------------------------------------------------------------
// Showing
// -----------------------------------------------------------------------------

/** Every value of an entry that is not what it would be anyway, without secrets, and what it is made of. */
export const fields = (entry: ServerEntry): ReadonlyArray<Field> => fieldsOf(entry)

// -----------------------------------------------------------------------------
// Other programs
// -----------------------------------------------------------------------------

/** Every place where a program that is known here may keep its servers. */
export const wellKnown = (machine: Machine): ReadonlyArray<Place> => wellKnownPlaces(machine)

/**
 * Reads a file of another program as something of one's own: what only that program understands is dropped. `project` is
 * the folder whose servers are read as well from a file that has those of several projects (`~/.claude.json`).
 */
export const loadForeign = (
  path: string,
  project: string
): Effect.Effect<ConfigFile, SmcpError.SmcpError, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const text = yield* readText(path)
    const { value } = yield* readValue(text, path)
    const file = yield* fromValue(withProject(value, project), path, { directory: projectOf(path) })
    return { ...file, servers: file.servers.map(withoutForeignKeys) }
  })

// -----------------------------------------------------------------------------
// Internal
// -----------------------------------------------------------------------------

const invalid = (message: string): SmcpError.SmcpError => SmcpError.make(new SmcpError.ConfigInvalid({ message }))

const readValue = (text: string, sourceName: string): Effect.Effect<ConfigText, SmcpError.SmcpError> =>
  Effect.mapError(configText(text, sourceName), (complaint) => invalid(`${sourceName} ${complaint}`))

const readText = (path: string): Effect.Effect<string, SmcpError.SmcpError, FileSystem.FileSystem> =>
  FileSystem.FileSystem.use((fs) => fs.readFileString(path)).pipe(
    Effect.mapError((error) => invalid(unreadable(path, error)))
  )

/** A complaint of a decoder begins with the place, the others with a verb. */
const asSentence = (complaint: string): string => /^(is|has) /.test(complaint) ? `it ${complaint}` : complaint

const unreadable = (path: string, error: PlatformError.PlatformError): string => {
  switch (error.reason._tag) {
    case "NotFound":
      return `There is no config file ${path}; check the path or create it`
    case "PermissionDenied":
      return `The config file ${path} may not be read; check its permissions`
    default:
      return `The config file ${path} cannot be read (${error.reason._tag}); check that it is a file`
  }
}
