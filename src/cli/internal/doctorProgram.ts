/**
 * What `smcp doctor` runs.
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as References from "effect/References"
import { join } from "node:path"
import * as Authorization from "../../computer/Authorization.ts"
import type { ConfigFile } from "../../computer/ConfigFile.ts"
import * as Host from "../../computer/Host.ts"
import type { ServerEntry } from "../../computer/ServerEntry.ts"
import { stdoutPage } from "../console/View.ts"
import type { Options } from "../DoctorCommand.ts"
import { configPathsIfAny } from "./configPaths.ts"
import { about, examine, readConfigs } from "./doctorConfig.ts"
import { countsOf, type Finding, toJson, toText } from "./doctorFinding.ts"
import { checkKeychain, checkPrograms, checkState } from "./doctorMachine.ts"
import { startUp } from "./doctorMcp.ts"
import { checkServer } from "./doctorServer.ts"
import { exitCodes } from "./exitCodes.ts"
import { Failure } from "./failure.ts"
import { Debug } from "./logging.ts"
import { print, printJson } from "./output.ts"
import { packageVersion } from "./packageVersion.ts"
import { defaultStateDirectory } from "./stateDirectory.ts"
import { valueStores } from "./valueStores.ts"
import { whileWaiting } from "./waiting.ts"

/** Looks at everything, prints what it found, and fails when something of it is a problem. All that was started has ended by then. */
export const doctor = Effect.fnUntraced(function*(options: Options) {
  const busy = new Set<string>()
  const found = yield* whileWaiting(() => `Looking at ${[...busy].join(", ") || "everything"}`)(
    findings(options, (what) => whileBusy(busy, what))
  ).pipe(quietly)
  const shown = found.map((finding) => withoutKey(finding, options))
  yield* options.json
    ? printJson({ version: packageVersion(), node: process.versions.node, ...toJson(shown) })
    : print(toText(shown, stdoutPage()))
  if (countsOf(shown).problems > 0) return yield* new Failure({ message: "", exitCode: exitCodes.failed })
})

type Watch = (what: string) => <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

const whileBusy = (busy: Set<string>, what: string) => <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.acquireUseRelease(
    Effect.sync(() => busy.add(what)),
    () => self,
    () => Effect.sync(() => busy.delete(what))
  )

/** What there is to say is in the findings. */
const quietly = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(
    Debug,
    (debug) => debug ? self : Effect.provideService(self, References.MinimumLogLevel, "None")
  )

const SERVER_SECONDS = 10

const findings = Effect.fnUntraced(function*(options: Options, watch: Watch) {
  const state = Option.getOrElse(options.stateDir, () => defaultStateDirectory())
  const seconds = Option.getOrUndefined(options.timeout)
  const [keychain, configured, server] = yield* Effect.all([
    options.keychain ? Effect.map(checkKeychain.pipe(watch("the keychain")), (each) => [each]) : Effect.succeed([]),
    configuration(options, state, watch),
    Option.isNone(options.url) ? Effect.succeed([noServer]) : checkServer({
      url: options.url.value,
      apiKey: Option.getOrUndefined(options.apiKey),
      revision: options.revision,
      seconds: seconds ?? SERVER_SECONDS
    }).pipe(watch("the Server"))
  ], { concurrency: "unbounded" })
  return [...checkPrograms(), checkState(state), ...keychain, ...configured, ...seat(options), ...server]
})

const noServer: Finding = {
  group: "Server",
  check: "address",
  verdict: "warning",
  seen: "none was named, so no Server was looked at",
  advice: "Name it with --url or SMCP_URL"
}

/** A seat takes both; it is not taken. */
const seat = ({ name, office }: Options): ReadonlyArray<Finding> =>
  Option.isSome(name) === Option.isSome(office) ? [] : [{
    group: "Configuration",
    check: "seat",
    verdict: "warning",
    seen: Option.isSome(office) ? "there is an office and no name in it" : "there is a name and no office",
    advice: "A Computer takes its seat with both, --office and --name"
  }]

/** What may be anywhere, the key is not shown. */
const withoutKey = (finding: Finding, { apiKey }: Options): Finding => {
  const key = Option.isSome(apiKey) ? Redacted.value(apiKey.value) : ""
  return key === "" ? finding : { ...finding, seen: finding.seen.replaceAll(key, "••••") }
}

// -----------------------------------------------------------------------------
// Configuration and servers
// -----------------------------------------------------------------------------

const configuration = Effect.fnUntraced(function*(
  options: Options,
  state: string,
  watch: Watch
): Effect.fn.Return<ReadonlyArray<Finding>, never, FileSystem.FileSystem> {
  const paths = yield* configPathsIfAny(options.config)
  const { config, findings } = yield* readConfigs(paths)
  if (config.servers.length === 0) return findings
  const ofServers = yield* Effect.forEach(
    config.servers,
    (entry) => ofServer(entry, Option.getOrUndefined(options.timeout)).pipe(watch(entry.bundleId)),
    { concurrency: "unbounded" }
  ).pipe(Effect.provide(hostLayer(options, config, { paths, state })))
  return [...findings, ...ofServers.flat()]
})

/** A host without servers: each is added to it once it has been looked at. */
const hostLayer = (
  { keychain, revision }: Options,
  { inputs, servers }: ConfigFile,
  { paths, state }: { readonly paths: ReadonlyArray<string>; readonly state: string }
) =>
  Host.layer({
    servers: [],
    inputs,
    concurrency: servers.length,
    reconnect: false,
    health: false,
    ...valueStores({ keychain, state, paths }),
    authorization: Authorization.layerDirectory(join(state, "logins"))
  }, revision)

/** What cannot start for a reason that is known is not started. */
const ofServer = Effect.fnUntraced(function*(entry: ServerEntry, seconds: number | undefined) {
  if (entry.config.disabled) {
    return [{ ...about(entry, "start"), verdict: "ok", seen: "switched off, and not looked at" } satisfies Finding]
  }
  const before = yield* examine(entry)
  const isHopeless = before.some(({ check, verdict }) => verdict !== "ok" && check !== "script")
  return isHopeless ? before : [...before, ...yield* startUp(entry, seconds)]
})
