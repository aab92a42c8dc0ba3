/**
 * What `smcp config` runs.
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import { homedir } from "node:os"
import * as ConfigFile from "../../computer/ConfigFile.ts"
import type { Diagnostic } from "../../computer/Diagnostic.ts"
import * as Inputs from "../../computer/Inputs.ts"
import { configPaths } from "./configPaths.ts"
import { usage } from "./failure.ts"
import { writeConfig } from "./newConfigFile.ts"
import { counted, lineWidth, print, printForeign, printJson, say, table } from "./output.ts"

interface Given {
  readonly configs: ReadonlyArray<string>
}

/** What is to be known goes to stderr. */
const loaded = Effect.fnUntraced(function*({ configs }: Given) {
  const paths = yield* configPaths(configs)
  const config = yield* ConfigFile.loadAll(paths)
  for (const { message } of config.diagnostics) yield* Effect.logWarning(message)
  return { paths, config }
})

// -----------------------------------------------------------------------------
// show
// -----------------------------------------------------------------------------

export interface ShowOptions extends Given {
  readonly resolved: boolean
  readonly json: boolean
}

/** Prints the servers, value by value. */
export const show = Effect.fnUntraced(function*(options: ShowOptions) {
  const { config, paths } = yield* loaded(options)
  const explained = yield* explain(config, options.resolved)
  const servers = config.servers.map((entry) => ({
    server: entry.bundleId,
    name: entry.config.name,
    disabled: entry.config.disabled,
    source: entry.origin.source,
    dialect: entry.origin.dialect,
    values: ConfigFile.fields(entry).map((field) => ({
      ...field,
      ...(options.resolved ? { resolved: resolvedFrom(field, explained.get(entry.bundleId)) } : {})
    })),
    ignored: Object.keys(entry.extra ?? {})
  }))
  if (options.json) return yield* Effect.forEach(servers, printJson, { discard: true })
  if (servers.length === 0) return yield* say(`No MCP server that can be used in ${paths.join(", ")}`)
  yield* print(table(
    ["SERVER", "KEY", "FROM", ...(options.resolved ? ["RESOLVED"] : []), "VALUE"],
    servers.flatMap(({ dialect, disabled, server, source, values }) => [
      [server, "", source, ...(options.resolved ? [""] : []), `${dialect}${disabled ? ", disabled" : ""}`],
      ...values.map((field) => [
        server,
        field.path,
        field.from.join(" "),
        ...("resolved" in field ? [resolvedText(field.resolved)] : []),
        field.value
      ])
    ]),
    lineWidth()
  ))
})

type Origins = ReadonlyMap<string, string>

/** Where the placeholders of each server would get their values from. */
const explain = (
  { inputs, servers }: ConfigFile.ConfigFile,
  wanted: boolean
): Effect.Effect<ReadonlyMap<string, Origins>> =>
  wanted
    ? Effect.gen(function*() {
      const service = yield* Inputs.Inputs
      const found = yield* Effect.forEach(servers, (entry) =>
        Effect.map(service.explain(entry), (all) =>
          [
            entry.bundleId,
            new Map(all.map(({ from, kind, name }) => [`${prefixes[kind]}${name}`, from] as const))
          ] as const))
      return new Map(found)
    }).pipe(Effect.provide(Inputs.layer({ inputs })), Effect.scoped)
    : Effect.succeed(new Map())

const prefixes: Readonly<Record<Inputs.Explanation["kind"], string>> = {
  input: "input:",
  variable: "env:",
  constant: "",
  unsupported: ""
}

interface Resolution {
  readonly placeholder: string
  /** `missing` when the server could not start. */
  readonly from: string
}

const resolvedFrom = ({ from }: ConfigFile.Field, origins: Origins | undefined): ReadonlyArray<Resolution> =>
  from.flatMap((part) => {
    const found = origins?.get(part)
    return found === undefined ? [] : [{ placeholder: part, from: found }]
  })

const resolvedText = (resolutions: ReadonlyArray<Resolution>): string => {
  const [first] = resolutions
  return first !== undefined && resolutions.length === 1
    ? first.from
    : resolutions.map(({ from, placeholder }) => `${placeholder}=${from}`).join(" ")
}

// -----------------------------------------------------------------------------
// validate
// -----------------------------------------------------------------------------

export interface ValidateOptions extends Given {
  readonly json: boolean
}

/** Prints what there is to say of each file; all of them are looked at. */
export const validate = Effect.fnUntraced(function*({ configs, json }: ValidateOptions) {
  const paths = yield* configPaths(configs)
  const files: Array<ConfigFile.ConfigFile> = []
  const found: Array<Diagnostic> = []
  for (const path of paths) {
    const read = yield* Effect.result(ConfigFile.load(path))
    if (Result.isSuccess(read)) files.push(read.success)
    else found.push({ source: path, server: undefined, message: read.failure.message, severity: "error" })
  }
  const { diagnostics, inputs, servers } = ConfigFile.merge(files)
  found.push(...diagnostics)
  yield* Effect.forEach(found, json ? printDiagnostic : (each) => printForeign(diagnosticLine(each)), { discard: true })
  const errors = found.filter(({ severity }) => severity === "error").length
  if (errors > 0) {
    return yield* usage(`${counted(errors, "error")} in ${counted(paths.length, "config file")}`)
  }
  yield* say(`No error: ${counted(servers.length, "server")}, ${counted(inputs.length, "input")}`)
})

const printDiagnostic = ({ message, server, severity = "warning", source }: Diagnostic) =>
  printJson({ source: source ?? null, server: server ?? null, severity, message })

const diagnosticLine = ({ message, severity = "warning", source }: Diagnostic): string =>
  `${source === undefined ? "" : `${source}: `}${severity}: ${message}`

// -----------------------------------------------------------------------------
// save
// -----------------------------------------------------------------------------

export interface SaveOptions extends Given {
  readonly output: string
  readonly force: boolean
}

/** Writes the files as one. */
export const save = Effect.fnUntraced(function*(options: SaveOptions) {
  const { config, paths } = yield* loaded(options)
  yield* say(yield* writeConfig({ path: options.output, force: options.force, sources: paths }, config))
})

// -----------------------------------------------------------------------------
// import
// -----------------------------------------------------------------------------

export interface ImportOptions {
  readonly name: Option.Option<string>
  readonly from: Option.Option<string>
  readonly output: Option.Option<string>
  readonly force: boolean
  readonly json: boolean
}

/** Takes over the servers of another program, or says what there is. */
export const importFrom = Effect.fnUntraced(function*(options: ImportOptions) {
  if (Option.isNone(options.name) && Option.isNone(options.from)) return yield* list(options)
  const paths = Option.isSome(options.from)
    ? [options.from.value]
    : yield* existing(Option.getOrElse(options.name, () => ""))
  const project = process.cwd()
  // what belongs to the project counts more than what belongs to the person
  const files = yield* Effect.forEach(paths.toReversed(), (path) => ConfigFile.loadForeign(path, project))
  const config = ConfigFile.merge(files)
  for (const { message } of config.diagnostics) yield* Effect.logWarning(message)
  if (Option.isSome(options.output)) {
    const written = yield* writeConfig({ path: options.output.value, force: options.force, sources: paths }, config)
    return yield* say(written)
  }
  yield* print(ConfigFile.serialise(config.servers, config.inputs).trimEnd())
})

const places = Effect.sync(() =>
  ConfigFile.wellKnown({ platform: process.platform, home: homedir(), cwd: process.cwd(), env: process.env })
)

const present = Effect.fnUntraced(function*(wanted: ReadonlyArray<ConfigFile.Place>) {
  const fs = yield* FileSystem.FileSystem
  return yield* Effect.filter(wanted, ({ path }) => Effect.orElseSucceed(fs.exists(path), () => false))
})

const existing = Effect.fnUntraced(function*(name: string) {
  const known = (yield* places).filter(({ program }) => program === name)
  if (known.length === 0) {
    return yield* usage(`There is no "${name}" to import from; use one of ${ConfigFile.programNames.join(", ")}`)
  }
  const found = yield* present(known)
  if (found.length === 0) {
    return yield* usage(`No config file of ${name} was found (${known.map(({ path }) => path).join(", ")}); use --from`)
  }
  return found.map(({ path }) => path)
})

/** Every file that was found, with how many servers it has. */
const list = Effect.fnUntraced(function*({ json }: ImportOptions) {
  const found = yield* present(yield* places)
  const rows = yield* Effect.forEach(found, ({ path, program, scope }) =>
    Effect.map(
      Effect.result(ConfigFile.loadForeign(path, process.cwd())),
      (file) => ({
        program,
        scope,
        path,
        servers: Result.isSuccess(file) ? file.success.servers.length : null,
        ...(Result.isSuccess(file) ? {} : { problem: file.failure.message })
      })
    ))
  if (json) return yield* Effect.forEach(rows, printJson, { discard: true })
  if (rows.length === 0) return yield* say(`Nothing was found of ${ConfigFile.programNames.join(", ")}`)
  yield* print(table(
    ["PROGRAM", "SERVERS", "SCOPE", "FILE"],
    rows.map((
      { path, program, scope, servers }
    ) => [program, servers === null ? "none" : String(servers), scope, path]),
    lineWidth()
  ))
})
