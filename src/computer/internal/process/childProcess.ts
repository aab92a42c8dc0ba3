/**
 * Child processes that leave nothing behind.
 *
 * Each child leads its own process group, and the whole group is ended with it: a server behind `npx` or `sh -c` is
 * several processes. A process that leaves its group on purpose (a daemon) is not followed.
 *
 * Windows has no process groups, and no guard here: a child is ended with its descendants by `taskkill`, but what has lost
 * its parent is not found. Commands are looked up as its users expect, so that `npx` is `npx.cmd`.
 */
import * as Result from "effect/Result"
import { type ChildProcess, spawn } from "node:child_process"
import { readdirSync, readFileSync, statSync } from "node:fs"
import { stat } from "node:fs/promises"
import type { Readable, Writable } from "node:stream"
import type { LineRing } from "./lineRing.ts"
import { type Invocation, invocationOf, killTree, mergeEnvironment } from "./windowsCommand.ts"

const onWindows = process.platform === "win32"

/** How long a child may take to end after its stdin was closed, and again after SIGTERM. Milliseconds. */
const DEFAULT_GRACE_MILLIS = 1_500
const KILL_GRACE_MILLIS = 2_000

export interface ChildExit {
  readonly code: number | null
  readonly signal: string | null
}

export interface ChildOptions {
  readonly command: string
  readonly args: ReadonlyArray<string>
  readonly env: Readonly<Record<string, string>>
  readonly cwd?: string | undefined
  /** Takes everything the child writes to stderr, so that the child never blocks on it. */
  readonly stderr: LineRing
  readonly eofGraceMillis?: number | undefined
  readonly termGraceMillis?: number | undefined
}

export interface Child {
  readonly pid: number
  readonly stdin: Writable
  readonly stdout: Readable
  /** How the child ended, `undefined` while it runs. */
  readonly exit: () => ChildExit | undefined
  /** Calls back once: `exit` when the child ended, `drained` when its output is read to the end as well. */
  readonly on: (event: "exit" | "drained", listener: () => void) => void
  /** Ends the whole group, however stubborn; resolves when it is gone. Never rejects, may be called again. */
  readonly stop: () => Promise<void>
}

/** A child that could not be started; the message says why in words. */
export class SpawnError extends Error {
  override readonly name = "SpawnError"
}

// =============================================================================
// Environment
// =============================================================================

/** What every child may know of our environment. All else, secrets above all, has to be given by name. */
const INHERITED = onWindows
  ? [
    "APPDATA",
    "COMSPEC",
    "HOMEDRIVE",
    "HOMEPATH",
    "LOCALAPPDATA",
    "PATH",
    "PATHEXT",
    "PROCESSOR_ARCHITECTURE",
    "PROGRAMFILES",
    "SYSTEMDRIVE",
    "SYSTEMROOT",
    "TEMP",
    "TMP",
    "USERNAME",
    "USERPROFILE"
  ]
  : ["HOME", "LANG", "LC_ALL", "LC_CTYPE", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "TZ", "USER"]

/** The safe part of our environment, or another one in its place, and what is given on top of it. */
export const childEnvironment = (
  given: Readonly<Record<string, string>> = {},
  base: Readonly<Record<string, string>> = safeEnvironment()
): Record<string, string> => onWindows ? mergeEnvironment(base, given) : { ...base, ...given }

const safeEnvironment = (): Record<string, string> => {
  const env: Record<string, string> = {}
  for (const name of INHERITED) {
    const value = process.env[name]
    // exported shell functions are code, not settings
    if (value !== undefined && !value.startsWith("()")) env[name] = value
  }
  return env
}

// =============================================================================
// Process groups
// =============================================================================

const signalGroup = (leader: ChildProcess, signal: NodeJS.Signals): void => {
  try {
    if (onWindows) endTree(leader)
    else if (leader.pid !== undefined) process.kill(-leader.pid, signal)
  } catch {
    // nobody left to be signalled
  }
}

/** There are no signals to be caught on Windows: whatever it is asked with, the tree is ended at once. */
const endTree = (leader: ChildProcess): void => {
  if (leader.pid === undefined || leader.exitCode !== null) return
  const { args, file } = killTree(leader.pid, process.env)
  const ending = spawn(file, args, { stdio: "ignore", windowsHide: true })
  ending.once("error", () => leader.kill())
  ending.unref()
}

/** In a container whose first process reaps nobody, the dead stay listed for ever: they do not count. */
const hasLivingMember = (pgid: number): boolean => {
  let entries: ReadonlyArray<string>
  try {
    entries = readdirSync("/proc")
  } catch {
    return true
  }
  return entries.some((entry) => {
    if (!/^\d+$/.test(entry)) return false
    try {
      const text = readFileSync(`/proc/${entry}/stat`, "latin1")
      const [state, , group] = text.slice(text.lastIndexOf(")") + 2).split(" ")
      return Number(group) === pgid && state !== "Z" && state !== "X"
    } catch {
      return false
    }
  })
}

const isGroupAlive = (pgid: number): boolean => {
  if (onWindows) return false
  try {
    process.kill(-pgid, 0)
  } catch (error) {
    // macOS answers EPERM for a group of which only the dead are left
    return (error as NodeJS.ErrnoException).code === "EPERM" && process.platform !== "darwin"
  }
  return process.platform !== "linux" || hasLivingMember(pgid)
}

const sleep = (millis: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, millis))

const waitUntil = async (condition: () => boolean, millis: number): Promise<boolean> => {
  // not the time of day, which may be set back
  const end = performance.now() + millis
  for (let pause = 5; !condition(); pause = Math.min(pause * 2, 50)) {
    if (performance.now() >= end) return false
    await sleep(pause)
  }
  return true
}

// =============================================================================
// Guard
// =============================================================================

/**
 * The guard outlives us. It learns the groups over its stdin and sees the end of that pipe when we are gone, in whatever
 * way: then it ends every group that is still listed. Its own session keeps it clear of the terminal's Ctrl-C.
 */
const GUARD_SCRIPT = `
trap '' INT TERM HUP
groups=' '
while IFS= read -r line; do
  group=\${line#?}
  case $line in
    +*) groups="$groups$group " ;;
    -*) case $groups in *" $group "*) groups="\${groups%% $group *} \${groups#* $group }" ;; esac ;;
  esac
done
signal() {
  found=1
  for group in $groups; do kill -s "$1" -- "-$group" 2>/dev/null && found=0; done
  return $found
}
signal TERM || exit 0
for round in 1 2 3 4 5 6 7 8 9 10; do
  sleep 0.1 2>/dev/null || sleep 1
  signal 0 || exit 0
done
signal KILL
exit 0
`

/** A guard that is ended at once cannot work here (no usable shell); it is not started over and over. */
const MAX_GUARD_RESTARTS = 3

const guarded = new Set<number>()
let guard: ChildProcess | undefined
let guardRestarts = 0

const startGuard = (): ChildProcess => {
  const started = spawn("/bin/sh", ["-c", GUARD_SCRIPT], {
    cwd: "/",
    env: { PATH: process.env["PATH"] ?? "/usr/bin:/bin" },
    stdio: ["pipe", "ignore", "ignore"],
    detached: true
  })
  const onEnd = () => {
    if (guard !== started) return
    guard = undefined
    if (guarded.size > 0 && guardRestarts++ < MAX_GUARD_RESTARTS) {
      guard = startGuard()
      guard.stdin?.write([...guarded].map((pgid) => `+${pgid}\n`).join(""))
    }
  }
  started.once("error", onEnd)
  started.once("exit", onEnd)
  started.stdin?.on("error", () => {})
  // neither the guard nor the pipe to it may keep Node running
  started.unref()
  unrefStream(started.stdin)
  return started
}

const unrefStream = (stream: unknown): void => {
  if (typeof stream === "object" && stream !== null && "unref" in stream && typeof stream.unref === "function") {
    stream.unref()
  }
}

const prepareGuard = (): void => {
  if (!onWindows) guard ??= startGuard()
}

const guardGroup = (pgid: number): void => {
  guarded.add(pgid)
  guard?.stdin?.write(`+${pgid}\n`)
}

/** Forgets a group; the guard ends with the last one. */
const releaseGroup = async (pgid: number): Promise<void> => {
  if (guarded.delete(pgid)) guard?.stdin?.write(`-${pgid}\n`)
  await releaseGuard()
}

const releaseGuard = async (): Promise<void> => {
  const ending = guard
  if (guarded.size > 0 || ending === undefined) return
  guard = undefined
  guardRestarts = 0
  ending.ref()
  ending.stdin?.end()
  if (!await waitUntil(() => ending.exitCode !== null || ending.signalCode !== null, 1_000)) ending.kill("SIGKILL")
}

// =============================================================================
// Children
// =============================================================================

const assertDirectory = async (cwd: string): Promise<void> => {
  const found = await stat(cwd).catch((error: NodeJS.ErrnoException) => {
    throw new SpawnError(`the working directory ${JSON.stringify(cwd)} cannot be used (${error.code ?? error.message})`)
  })
  if (!found.isDirectory()) throw new SpawnError(`the working directory ${JSON.stringify(cwd)} is not a directory`)
}

const describeSpawnError = (error: unknown): SpawnError => {
  const { code, message } = error as NodeJS.ErrnoException
  switch (code) {
    case "ENOENT":
      return new SpawnError("the command was not found; install it, or give its full path")
    case "EACCES":
      return new SpawnError("the command may not be executed; check its permissions")
    case "E2BIG":
      return new SpawnError("the arguments and environment are too large")
    default:
      return new SpawnError(message)
  }
}

/** What to start. @throws SpawnError */
const invocation = ({ args, command, cwd = process.cwd(), env }: ChildOptions): Invocation => {
  if (!onWindows) return { file: command, args, verbatim: false }
  const found = invocationOf({ command, args, env, cwd, fileExists: isFile })
  if (Result.isFailure(found)) throw new SpawnError(found.failure)
  return found.success
}

const isFile = (path: string): boolean => {
  try {
    return statSync(path).isFile()
  } catch {
    return false
  }
}

const launch = (options: ChildOptions): ChildProcess => {
  const { args, file, verbatim } = invocation(options)
  try {
    return spawn(file, args, {
      env: { ...options.env },
      cwd: options.cwd,
      windowsVerbatimArguments: verbatim,
      stdio: ["pipe", "pipe", "pipe"],
      detached: !onWindows,
      windowsHide: true
    })
  } catch (error) {
    throw describeSpawnError(error)
  }
}

/**
 * Starts a child in a process group of its own.
 *
 * @param signal when it is aborted before the child was started, none is started
 * @throws SpawnError
 */
export const spawnChild = async (options: ChildOptions, signal?: AbortSignal): Promise<Child> => {
  if (options.cwd !== undefined) await assertDirectory(options.cwd)
  if (signal?.aborted === true) throw new SpawnError("it was stopped before it had started")
  prepareGuard()
  let leader: ChildProcess
  try {
    leader = launch(options)
  } catch (error) {
    await releaseGuard()
    throw error
  }
  const { pid, stderr, stdin, stdout } = leader
  if (pid === undefined || stdin === null || stdout === null || stderr === null) {
    const error = await new Promise<unknown>((resolve) => leader.once("error", resolve))
    await releaseGuard()
    throw describeSpawnError(error)
  }
  if (!onWindows) guardGroup(pid)
  // a write to a child that is gone is reported where it was made
  stdin.on("error", () => {})
  leader.on("error", () => {})
  stderr.setEncoding("utf8")
  stderr.on("data", options.stderr.write)
  stderr.on("error", () => {})
  return makeChild(options, leader, { pid, stderr, stdin, stdout })
}

const makeChild = (
  options: ChildOptions,
  leader: ChildProcess,
  io: { readonly pid: number; readonly stdin: Writable; readonly stdout: Readable; readonly stderr: Readable }
): Child => {
  let exit: ChildExit | undefined
  let drained = false
  leader.once("exit", (code, signal) => {
    exit = { code, signal }
  })
  leader.once("close", () => {
    drained = true
  })
  const isGone = () => exit !== undefined && !isGroupAlive(io.pid)

  const end = async (): Promise<void> => {
    io.stdin.end()
    await waitUntil(() => exit !== undefined, options.eofGraceMillis ?? DEFAULT_GRACE_MILLIS)
    if (!isGone()) {
      signalGroup(leader, "SIGTERM")
      if (!await waitUntil(isGone, options.termGraceMillis ?? DEFAULT_GRACE_MILLIS)) {
        signalGroup(leader, "SIGKILL")
        await waitUntil(isGone, KILL_GRACE_MILLIS)
      }
    }
    io.stdin.destroy()
    io.stdout.destroy()
    io.stderr.destroy()
    await releaseGroup(io.pid)
  }
  let ending: Promise<void> | undefined

  return {
    pid: io.pid,
    stdin: io.stdin,
    stdout: io.stdout,
    exit: () => exit,
    on: (event, listener) => {
      if (event === "exit" ? exit !== undefined : drained) queueMicrotask(listener)
      else leader.once(event === "exit" ? "exit" : "close", listener)
    },
    stop: () => ending ??= end()
  }
}
