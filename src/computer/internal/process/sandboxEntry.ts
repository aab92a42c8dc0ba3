/**
 * Makes ready what holds a local server in.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { existsSync } from "node:fs"
import { mkdtemp, rm } from "node:fs/promises"
import { homedir, tmpdir } from "node:os"
import { isAbsolute, join } from "node:path"
import type { SandboxSettings } from "../../ServerEntry.ts"
import { attempt, isExecutable } from "../files.ts"
import { runCommand } from "./runCommand.ts"
import { type Plan, planSandbox, probeArguments, type Start } from "./sandbox.ts"

/**
 * How a server is to be started. Its temporary directory goes with the scope. Fails with a clause that says why it cannot be
 * started. `folder` is what relative paths in the settings are meant from.
 */
export const enterSandbox = Effect.fnUntraced(function*(
  settings: SandboxSettings,
  start: Start,
  folder: string | undefined
): Effect.fn.Return<Plan, string, Scope.Scope> {
  const bubblewrap = yield* Effect.result(bubblewrapFor(settings.network !== false))
  const temporary = yield* temporaryDirectory
  return yield* Effect.fromResult(planSandbox(settings, start, {
    platform: process.platform,
    bubblewrap,
    environment: process.env,
    home: homedir(),
    directory: process.cwd(),
    folder: folder ?? process.cwd(),
    temporary,
    exists: existsSync
  }))
})

const temporaryDirectory = Effect.acquireRelease(
  Effect.mapError(
    attempt(() => mkdtemp(join(tmpdir(), "a2c-sandbox-"))),
    ({ message }) => `its temporary directory could not be made: ${message}`
  ),
  (path) =>
    Effect.catch(
      attempt(() => rm(path, { recursive: true, force: true, maxRetries: 3 })),
      ({ message }) => Effect.logWarning(`The temporary directory ${path} of a server was not removed: ${message}`)
    )
)

// -----------------------------------------------------------------------------
// Bubblewrap
// -----------------------------------------------------------------------------

const PROBE_TIMEOUT = "5 seconds"

const working = new Map<boolean, string>()

/**
 * The path of bubblewrap, once it was seen to work, or why it cannot be used. That it works is found out once in the life of
 * this process; that it does not may be different for the next server: it was installed, or the machine was only busy.
 */
export const bubblewrapFor = (hasNetwork: boolean): Effect.Effect<string, string> =>
  Effect.suspend(() => {
    const known = working.get(hasNetwork)
    if (known !== undefined) return Effect.succeed(known)
    return Effect.tap(probe(hasNetwork), (path) => Effect.sync(() => working.set(hasNetwork, path)))
  })

const probe = (hasNetwork: boolean): Effect.Effect<string, string> => {
  if (process.platform !== "linux") return Effect.fail("bubblewrap is for Linux alone")
  const path = (process.env["PATH"] ?? "").split(":").filter(isAbsolute).map((directory) => join(directory, "bwrap"))
    .find(isExecutable)
  if (path === undefined) return Effect.fail("bubblewrap is not installed")
  return runCommand({
    // the shell becomes what its arguments say
    command: "exec",
    args: [path, ...probeArguments(hasNetwork)],
    env: { PATH: process.env["PATH"] },
    timeout: PROBE_TIMEOUT,
    clean: (line) => line
  }).pipe(
    Effect.as(path),
    Effect.mapError((why) => `bubblewrap does not work here (it ${why.replace(/\s*\n\s*/g, " ")})`)
  )
}
