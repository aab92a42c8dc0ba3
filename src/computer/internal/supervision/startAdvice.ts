/**
 * Programs that fetch an MCP server before they start it: how much longer they may take, and what their failures mean.
 */
import type { ServerEntry } from "../../ServerEntry.ts"

interface Launcher {
  /** As it is called, e.g. `npx` or `docker`. */
  readonly name: string
  /** The package or image that it starts, if that can be told. */
  readonly fetched: string | undefined
}

/** Options of launchers that are followed by a value of their own. */
const valued = new Set([
  "-p",
  "--package",
  "--from",
  "--with",
  "--python",
  "-c",
  "--call",
  "--registry",
  "-e",
  "--env",
  "--env-file",
  "-v",
  "--volume",
  "--mount",
  "--name",
  "--network",
  "--platform",
  "--pull",
  "--user",
  "-u",
  "-w",
  "--workdir"
])
/** Of these the value is what is fetched, whatever follows. */
const naming = new Set(["-p", "--package", "--from"])

/** The launcher behind a server, `undefined` when its command starts it directly. */
export const launcherOf = ({ config }: ServerEntry): Launcher | undefined => {
  if (config.type !== "stdio") return undefined
  const { args, command } = config.server_parameters
  const words = [command.replace(/^.*[\\/]/, "").replace(/\.(cmd|exe|bat|ps1)$/i, ""), ...args]
  const [first, second] = words
  switch (first) {
    case "npx":
    case "bunx":
    case "uvx":
    case "pnpx":
      return { name: first, fetched: operand(words.slice(1)) }
    case "npm":
    case "pnpm":
    case "yarn":
    case "bun":
      return second === "dlx" || second === "exec" || second === "x"
        ? { name: `${first} ${second}`, fetched: operand(words.slice(2)) }
        : undefined
    case "docker":
    case "podman":
      return second === "run" ? { name: first, fetched: operand(words.slice(2)) } : undefined
    default:
      return undefined
  }
}

const operand = (words: ReadonlyArray<string>): string | undefined => {
  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? ""
    const named = /^--(?:package|from)=(.+)$/.exec(word)?.[1]
    if (named !== undefined) return named
    if (naming.has(word)) return words[index + 1]
    if (valued.has(word)) index++
    else if (!word.startsWith("-")) return word
  }
  return undefined
}

const PLAIN_SECONDS = 30
const LAUNCHED_SECONDS = 60

/** How long a server may take from its start to its list of tools, in seconds. */
export const startSeconds = (entry: ServerEntry): number =>
  entry.settings.startTimeout ?? (launcherOf(entry) === undefined ? PLAIN_SECONDS : LAUNCHED_SECONDS)

/** What a server may be busy with that takes long to start. */
export const slowHint = (entry: ServerEntry): string | undefined => {
  const launcher = launcherOf(entry)
  return launcher === undefined
    ? undefined
    : `${launcher.name} may be downloading ${launcher.fetched ?? "the server"}, which can take minutes the first time`
}

/** What the operator can do about a failed start, beyond what its reason says. */
export const adviceOn = (entry: ServerEntry, reason: string): string | undefined => {
  const launcher = launcherOf(entry)
  if (launcher === undefined) return undefined
  const { name } = launcher
  const fetched = launcher.fetched === undefined ? "the server" : JSON.stringify(launcher.fetched)
  if (offline.test(reason)) {
    return `${name} could not download ${fetched}: there is no connection to where it is kept. ` +
      "Go online and start the server again, or install it beforehand."
  }
  if (absent.test(reason)) return `${name} found no ${fetched} to download: check how it is spelled.`
  return reason.includes("did not answer")
    ? `${name} may still be downloading ${fetched}: run the command once by hand, or allow more time ("start_timeout", in seconds).`
    : undefined
}

/** What launchers write when they cannot reach their registry. */
const offline = new RegExp(
  [
    "\\b(ENOTFOUND|EAI_AGAIN|ENETUNREACH|EHOSTUNREACH|ECONNREFUSED|ETIMEDOUT|ENOTCACHED|ERR_PNPM_META_FETCH_FAIL)\\b",
    "only-if-cached",
    "dns error",
    "error sending request",
    "no such host",
    "network is unreachable",
    "Could not resolve host"
  ].join("|"),
  "i"
)

const absent =
  /\b(E404|ETARGET|ERR_PNPM_FETCH_404)\b|404 Not Found|was not found in the package registry|manifest unknown/i
