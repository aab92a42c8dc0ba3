/**
 * What every way of `smcp computer` is made of: the configuration, the host, the office.
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { join } from "node:path"
import * as AuditLog from "../../computer/AuditLog.ts"
import * as Authorization from "../../computer/Authorization.ts"
import * as ConfigFile from "../../computer/ConfigFile.ts"
import * as Consent from "../../computer/Consent.ts"
import * as Host from "../../computer/Host.ts"
import { Inputs, type Prompt } from "../../computer/Inputs.ts"
import { McpManager } from "../../computer/McpManager.ts"
import { ToolRegistry } from "../../computer/ToolRegistry.ts"
import * as Background from "../../transport/Background.ts"
import type { Settings } from "../ComputerCommand.ts"
import * as Office from "../console/Office.ts"
import { configPathsIfAny } from "./configPaths.ts"
import { usage } from "./failure.ts"
import { defaultStateDirectory, usable } from "./stateDirectory.ts"
import { valueStores } from "./valueStores.ts"

// -----------------------------------------------------------------------------
// Configuration
// -----------------------------------------------------------------------------

/** The configuration, and the files it is from. */
export interface Loaded extends ConfigFile.ConfigFile {
  readonly paths: ReadonlyArray<string>
}

/** Reads the files of the command line. What is odd in them is logged. */
export const loadConfig = Effect.fnUntraced(function*({ config }: Settings) {
  const paths = yield* configPathsIfAny(config)
  const loaded: Loaded = { paths, ...yield* ConfigFile.loadAll(paths) }
  yield* logRemarks(loaded)
  return loaded
})

const logRemarks = ({ diagnostics }: ConfigFile.ConfigFile) =>
  Effect.forEach(diagnostics, ({ message }) => Effect.logWarning(message), { discard: true })

/** Follows the files of a configuration, where that is wanted: what changes in them is taken over. */
export const followConfig = Effect.fnUntraced(function*({ watch }: Settings, { paths }: Loaded) {
  if (!watch || paths.length === 0) return
  const manager = yield* McpManager
  const inputs = yield* Inputs
  yield* ConfigFile.watch(paths).pipe(
    Stream.drop(1),
    Stream.runForEach(Effect.fnUntraced(function*(changed) {
      if (Result.isFailure(changed)) {
        return yield* Effect.logWarning(`${changed.failure.message}; the servers stay as they are`)
      }
      yield* logRemarks(changed.success)
      yield* Effect.catch(inputs.replace(changed.success.inputs), ({ message }) => Effect.logWarning(message))
      // what was added at the console is in none of the files
      yield* manager.reconcile(changed.success.servers, { keep: ({ origin }) => !paths.includes(origin.source) })
      yield* Effect.logInfo(`Took over the changes of ${paths.join(", ")}`)
    })),
    Background.fork("Watching the configuration")
  )
})

// -----------------------------------------------------------------------------
// Host and office
// -----------------------------------------------------------------------------

/** The state directory. */
export const stateOf = ({ stateDir }: Settings) =>
  Option.isSome(stateDir) ? usable(stateDir.value) : Effect.sync(() => defaultStateDirectory())

/** The person who can be asked. */
export interface Person {
  readonly prompt: Prompt
  readonly ask: (question: Consent.Question) => Effect.Effect<Consent.Answer, unknown>
}

const HISTORY = 100

/** The MCP servers and all that belongs to them. */
export const hostLayer = Effect.fnUntraced(function*(
  options: Settings,
  { inputs, paths, servers }: Loaded,
  state: string,
  person: Person | undefined
) {
  const policy = yield* policyOf(options)
  return Host.layer({
    servers,
    inputs,
    concurrency: Option.getOrUndefined(options.concurrency),
    toolCache: join(state, "tools"),
    historySize: Option.getOrElse(options.history, () => HISTORY),
    prompt: person?.prompt,
    ...valueStores({ keychain: options.keychain, state, paths }),
    consent: Consent.layer({
      mode: Option.getOrElse(options.approve, () => Consent.defaultMode({ canAsk: person !== undefined })),
      policy,
      ask: person?.ask,
      memoryFile: join(state, "approvals.json")
    }),
    authorization: Authorization.layerDirectory(join(state, "logins")),
    auditLog: Option.isSome(options.auditLog) ? AuditLog.layerFile({ path: options.auditLog.value }) : undefined
  }, options.revision)
})

const policyOf = Effect.fnUntraced(function*({ policy }: Settings) {
  if (Option.isNone(policy)) return []
  const text = yield* FileSystem.FileSystem.use((fs) => fs.readFileString(policy.value)).pipe(
    Effect.mapError(({ reason }) => usage(`The policy ${policy.value} cannot be read (${reason._tag})`))
  )
  const value = yield* Effect.try({
    try: (): unknown => JSON.parse(text),
    catch: (cause) => usage(`The policy ${policy.value} is not valid JSON: ${(cause as Error).message}`)
  })
  return yield* Effect.mapError(
    Consent.rulesFromJson(value),
    ({ problem }) => usage(`The policy ${policy.value}: ${problem}`)
  )
})

/** The office that a seat can be taken in. */
export const officeLayer = (options: Settings, state: string, { logEnd }: { readonly logEnd: boolean }) =>
  Office.layer({
    url: Option.getOrUndefined(options.url),
    apiKey: Option.getOrUndefined(options.apiKey),
    revision: options.revision,
    landingRoot: Option.getOrUndefined(options.landingRoot),
    state,
    logEnd
  })

/** Says each remark on the tools once. */
export const logDiagnostics = Effect.gen(function*() {
  const registry = yield* ToolRegistry
  const said = new Set<string>()
  yield* registry.changes.pipe(
    Stream.mapEffect(() => registry.diagnostics),
    Stream.runForEach(Effect.forEach(({ message, server }) => {
      const text = server === undefined ? message : `${server}: ${message}`
      if (said.has(text)) return Effect.void
      said.add(text)
      return Effect.logWarning(text)
    }, { discard: true })),
    Background.fork("Watching for remarks on tools")
  )
})
