/**
 * How a local server is held in: with which command, environment and directory its process is started.
 *
 * Everywhere it has a temporary directory of its own and a small environment. With bubblewrap it is also in namespaces of
 * its own, with a file system in which there is nothing but what is named here.
 */
import * as Result from "effect/Result"
import { posix } from "node:path"
import type { SandboxSettings } from "../../ServerEntry.ts"

// -----------------------------------------------------------------------------
// Models
// -----------------------------------------------------------------------------

/** How a server would be started without a sandbox. */
export interface Start {
  readonly command: string
  readonly args: ReadonlyArray<string>
  /** What is given to it by name. */
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string | undefined
}

/** What there is to hold a server in with. */
export interface Machine {
  readonly platform: string
  /** The path of bubblewrap, or why there is none that works. */
  readonly bubblewrap: Result.Result<string, string>
  readonly environment: Readonly<Record<string, string | undefined>>
  /** The home directory of whoever runs this. */
  readonly home: string
  /** The working directory of this process. */
  readonly directory: string
  /** What relative paths in the settings are meant from. */
  readonly folder: string
  /** The new temporary directory. */
  readonly temporary: string
  readonly exists: (path: string) => boolean
}

/** How a server is started in its sandbox. */
export interface Plan {
  readonly command: string
  readonly args: ReadonlyArray<string>
  readonly cwd: string
  /** What it sees of our environment; what is given to it by name comes on top. */
  readonly environment: Readonly<Record<string, string>>
  /** What holds it in, and what does not, in one line. */
  readonly note: string
  /** Whether files and network are held back at all. */
  readonly isHeld: boolean
}

// -----------------------------------------------------------------------------
// Plan
// -----------------------------------------------------------------------------

/** How to start a server. Fails with a clause that says why it cannot be, and what to do. */
export const planSandbox = (settings: SandboxSettings, start: Start, machine: Machine): Result.Result<Plan, string> => {
  const environment = smallEnvironment(machine)
  const cwd = start.cwd ?? machine.temporary
  if (Result.isSuccess(machine.bubblewrap)) {
    const { success: bubblewrap } = machine.bubblewrap
    return Result.map(bubblewrapArguments(settings, start, machine), (args) => ({
      command: bubblewrap,
      args,
      cwd,
      environment,
      note: `bubblewrap, ${settings.network === false ? "without the network" : "with the network"}`,
      isHeld: true
    }))
  }
  const { failure: why } = machine.bubblewrap
  if (settings.required === true) {
    return Result.fail(`its sandbox is required, and ${why}; install what is missing, or leave out "required"`)
  }
  return Result.succeed({
    command: placedCommand(start, machine),
    args: start.args,
    cwd,
    environment,
    note: `temporary directory and environment only, files and network are open: ${why}`,
    isHeld: false
  })
}

/** A path to a command that was meant from our working directory. */
const placedCommand = ({ command, cwd }: Start, { directory, platform }: Machine): string =>
  cwd === undefined && platform !== "win32" && command.includes("/") ? posix.resolve(directory, command) : command

// -----------------------------------------------------------------------------
// Environment
// -----------------------------------------------------------------------------

const KEPT = ["LANG", "LC_ALL", "LC_CTYPE", "PATH", "TERM", "TZ"]
const MOVED = ["HOME", "TMPDIR"]

const KEPT_ON_WINDOWS = [
  "COMSPEC",
  "PATH",
  "PATHEXT",
  "PROCESSOR_ARCHITECTURE",
  "PROGRAMFILES",
  "SYSTEMDRIVE",
  "SYSTEMROOT"
]
const MOVED_ON_WINDOWS = ["APPDATA", "LOCALAPPDATA", "TEMP", "TMP", "USERPROFILE"]

const smallEnvironment = ({ environment, platform, temporary }: Machine): Readonly<Record<string, string>> => {
  const [kept, moved] = platform === "win32" ? [KEPT_ON_WINDOWS, MOVED_ON_WINDOWS] : [KEPT, MOVED]
  const entries = kept.flatMap((name) => {
    const value = environment[name]
    return value === undefined || value.startsWith("()") ? [] : [[name, value] as const]
  })
  return Object.fromEntries([...entries, ...moved.map((name) => [name, temporary] as const)])
}

// -----------------------------------------------------------------------------
// Bubblewrap
// -----------------------------------------------------------------------------

/** What everybody on a machine may read: programs, libraries, and how the machine is set up. */
const SYSTEM = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/opt", "/nix", "/gnu"]

/** Where `/etc/resolv.conf` and certificates really are, and what is running on NixOS. */
const SYSTEM_STATE = [
  "/run/systemd/resolve",
  "/run/resolvconf",
  "/run/NetworkManager/resolv.conf",
  "/run/current-system",
  "/mnt/wsl/resolv.conf",
  "/var/lib/ca-certificates"
]

/** A path that is to be seen inside, deeper ones on top of those above them. */
interface Mount {
  readonly how: "--bind" | "--ro-bind" | "--ro-bind-try" | "--tmpfs" | "--proc" | "--dev"
  readonly path: string
}

const systemMounts: ReadonlyArray<Mount> = [
  ...[...SYSTEM, ...SYSTEM_STATE].map((path): Mount => ({ how: "--ro-bind-try", path })),
  { how: "--proc", path: "/proc" },
  { how: "--dev", path: "/dev" },
  { how: "--tmpfs", path: "/tmp" }
]

const namespaces = (hasNetwork: boolean): ReadonlyArray<string> => [
  "--die-with-parent",
  "--unshare-pid",
  "--unshare-ipc",
  "--unshare-uts",
  "--unshare-cgroup-try",
  ...(hasNetwork ? [] : ["--unshare-net"])
]

const mounted = (mounts: ReadonlyArray<Mount>): ReadonlyArray<string> =>
  mounts.flatMap(({ how, path }) => how.includes("bind") ? [how, path, path] : [how, path])

/** What shows whether bubblewrap works here. */
export const probeArguments = (hasNetwork: boolean): ReadonlyArray<string> => [
  ...namespaces(hasNetwork),
  ...mounted(systemMounts),
  "--",
  "true"
]

const bubblewrapArguments = (
  { network, readable = [], writable = [] }: SandboxSettings,
  start: Start,
  machine: Machine
): Result.Result<ReadonlyArray<string>, string> => {
  const { exists, folder, home, temporary } = machine
  const place = (path: string): string => posix.resolve(folder, path.replace(/^~(?=\/|$)/, () => home))
  const mayRead = readable.map(place)
  const mayWrite = writable.map(place)
  const missing = [...mayRead, ...mayWrite].find((path) => !exists(path))
  if (missing !== undefined) {
    return Result.fail(`its sandbox is to have ${JSON.stringify(missing)}, which does not exist`)
  }
  const command = placedCommand(start, machine)
  const directories = (start.env["PATH"] ?? machine.environment["PATH"] ?? "").split(":").filter(posix.isAbsolute)
  if (!command.includes("/") && !directories.some((directory) => exists(posix.join(directory, command)))) {
    return Result.fail("the command was not found; install it, or give its full path")
  }
  const cwd = start.cwd === undefined ? temporary : posix.resolve(machine.directory, start.cwd)
  const seen = [...SYSTEM, ...mayRead, ...mayWrite, temporary]
  const programs = posix.isAbsolute(command) ? [posix.dirname(command), ...directories] : directories
  const mounts = inOrder([
    ...systemMounts,
    ...(SYSTEM.some((path) => isWithin(path, home)) ? [] : [{ how: "--tmpfs", path: home } as const]),
    ...programs.flatMap((directory) => programPaths(directory, machine)).map(readOnly),
    ...(isWithin(home, cwd) || seen.some((path) => isWithin(cwd, path)) ? [] : [readOnly(cwd)]),
    ...mayRead.map(readOnly),
    { how: "--bind", path: temporary },
    ...mayWrite.map((path): Mount => ({ how: "--bind", path }))
  ])
  return Result.succeed([
    ...namespaces(network !== false),
    ...mounted(mounts),
    ...(seen.includes("/") ? [] : ["--remount-ro", "/"]),
    "--chdir",
    cwd,
    "--",
    command,
    ...start.args
  ])
}

const readOnly = (path: string): Mount => ({ how: "--ro-bind", path })

/** Of two mounts of one path the later one counts. */
const inOrder = (mounts: ReadonlyArray<Mount>): ReadonlyArray<Mount> =>
  [...new Map(mounts.map((mount) => [mount.path, mount])).values()]
    .sort((one, other) => depthOf(one.path) - depthOf(other.path))

const depthOf = (path: string): number => path === "/" ? 0 : path.split("/").length

/** A program beside which its libraries are, such as `bin` and `lib` of a Node or Python of one's own. */
const BESIDE = ["lib", "lib64", "libexec", "pyvenv.cfg"]

/** What a program needs that lies outside of the system, but never all of the home directory. */
const programPaths = (directory: string, { exists, home }: Machine): ReadonlyArray<string> => {
  const path = posix.normalize(directory).replace(/(?<=.)\/$/, "")
  if (isWithin(home, path) || SYSTEM.some((root) => isWithin(path, root))) return []
  const above = posix.dirname(path)
  const beside = posix.basename(path) === "bin" && !isWithin(home, above)
    ? BESIDE.map((name) => posix.join(above, name))
    : []
  return [path, ...beside].filter(exists)
}

const isWithin = (path: string, root: string): boolean =>
  path === root || path.startsWith(root === "/" ? "/" : `${root}/`)
