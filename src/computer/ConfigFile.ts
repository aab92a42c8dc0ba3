/**
 * Files that say which MCP servers a Computer hosts, read unchanged: the A2C shape (`servers` with `server_parameters`),
 * the `mcpServers` maps of Claude Desktop, Claude Code, Cursor and others, and the `servers` map of VS Code with its
 * `inputs`. Comments, trailing commas and a byte order mark are welcome.
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import type * as PlatformError from "effect/PlatformError"
import * as Result from "effect/Result"
import { parse as parseJsonc, type ParseError, printParseErrorCode } from "jsonc-parser"
import { isRecord } from "../protocol/Json.ts"
import * as SmcpError from "../protocol/SmcpError.ts"
import type { Diagnostic } from "./Diagnostic.ts"
import type { InputDefinition } from "./InputDefinition.ts"
import { readEntry } from "./internal/serverEntry.ts"
import { readInputs } from "./internal/serverInputs.ts"
import type { ServerEntry } from "./ServerEntry.ts"

export type { ServerEntry }

/** What a config file says. */
export interface ConfigFile {
  /** In the order of the file; every `bundleId` is unique. Raw: placeholders are not rendered. */
  readonly servers: ReadonlyArray<ServerEntry>
  /** The definitions behind `${input:id}`. */
  readonly inputs: ReadonlyArray<InputDefinition>
  /** Entries that were left out, and settings that are not applied. Never holds the value of a setting. */
  readonly diagnostics: ReadonlyArray<Diagnostic>
}

/**
 * Reads a config file. Fails with `ConfigInvalid` when the file is missing, unreadable, no JSON, or names no servers; a
 * bad entry is a diagnostic and leaves the others in place.
 */
export const load = (path: string): Effect.Effect<ConfigFile, SmcpError.SmcpError, FileSystem.FileSystem> =>
  FileSystem.FileSystem.use((fs) => fs.readFileString(path)).pipe(
    Effect.mapError((error) => invalid(unreadable(path, error))),
    Effect.flatMap((text) => parse(text, path))
  )

/** Reads the text of a config file. `sourceName` stands in messages for where it came from. */
export const parse = (text: string, sourceName: string): Effect.Effect<ConfigFile, SmcpError.SmcpError> => {
  const errors: Array<ParseError> = []
  const json = text.startsWith("\uFEFF") ? text.slice(1) : text
  const value: unknown = parseJsonc(json, errors, { allowTrailingComma: true })
  const [error] = errors
  if (error === undefined) return fromValue(value, sourceName)
  const what = json.trim() === ""
    ? "is empty; write { \"mcpServers\": { … } }"
    : `is not valid JSON at ${position(json, error.offset)}: ${wordsOf(printParseErrorCode(error.error))}`
  return Effect.fail(invalid(`${sourceName} ${what}`))
}

/** Reads a config that is already JSON, such as one that a program builds. */
export const fromValue = Effect.fnUntraced(function*(
  value: unknown,
  sourceName: string
): Effect.fn.Return<ConfigFile, SmcpError.SmcpError> {
  const maps = serverMaps(value)
  if (Result.isFailure(maps)) return yield* Effect.fail(invalid(`${sourceName} ${maps.failure}`))
  const servers = new Map<string, ServerEntry>()
  const diagnostics: Array<Diagnostic> = []
  for (const [key, item] of maps.success.flatMap((map) => Object.entries(map))) {
    const read = yield* readEntry(key, item, sourceName)
    if (Result.isFailure(read)) {
      diagnostics.push({ server: key, message: `The server "${key}" was left out: ${asSentence(read.failure)}` })
      continue
    }
    const { entry, remarks } = read.success
    const earlier = servers.get(entry.bundleId)
    if (earlier === undefined) servers.set(entry.bundleId, entry)
    else {
      diagnostics.push({
        server: key,
        message: `The server "${key}" was left out: its bundle id "${entry.bundleId}" is that of "${earlier.key}"; ` +
          "rename one of them or give it a bundle_id"
      })
      continue
    }
    diagnostics.push(...remarks.map((remark) => ({ server: key, message: `Server "${key}": ${remark}` })))
  }
  const inputs = readInputs(isRecord(value) ? value["inputs"] : undefined)
  return {
    servers: [...servers.values()],
    inputs: inputs.inputs,
    diagnostics: [...diagnostics, ...inputs.diagnostics]
  }
})

// -----------------------------------------------------------------------------
// Internal
// -----------------------------------------------------------------------------

const invalid = (message: string): SmcpError.SmcpError => SmcpError.make(new SmcpError.ConfigInvalid({ message }))

const serverMaps = (value: unknown): Result.Result<ReadonlyArray<Readonly<Record<string, unknown>>>, string> => {
  const remedy = "write { \"mcpServers\": { \"<name>\": { \"command\": … } } }"
  if (!isRecord(value)) return Result.fail(`is not a JSON object; ${remedy}`)
  const names = ["servers", "mcpServers"].filter((name) => value[name] !== undefined)
  if (names.length === 0) return Result.fail(`has neither "mcpServers" nor "servers"; ${remedy}`)
  const maps: Array<Readonly<Record<string, unknown>>> = []
  for (const name of names) {
    const map = value[name]
    if (!isRecord(map)) return Result.fail(`has a "${name}" that is not an object; ${remedy}`)
    maps.push(map)
  }
  return Result.succeed(maps)
}

/** A complaint of a decoder begins with the place, the others with a verb. */
const asSentence = (complaint: string): string => /^(is|has) /.test(complaint) ? `it ${complaint}` : complaint

const position = (text: string, offset: number): string => {
  const before = text.slice(0, offset).split(/\r\n|\r|\n/)
  return `line ${before.length}, column ${(before.at(-1) ?? "").length + 1}`
}

/** `CloseBraceExpected` as `close brace expected`. */
const wordsOf = (code: string): string => code.replace(/(?!^)[A-Z]/g, (letter) => ` ${letter}`).toLowerCase()

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
