/**
 * Where the command of a local MCP server is found, for whoever wants to know before it is started.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { statSync } from "node:fs"
import { resolve } from "node:path"
import type { StdioServerConfig } from "../protocol/ServerConfig.ts"
import { isExecutable } from "./internal/files.ts"
import { childEnvironment } from "./internal/process/childProcess.ts"
import { invocationOf } from "./internal/process/windowsCommand.ts"

/** What is found in the place of a command. */
export type Location =
  | { readonly _tag: "Found"; readonly path: string }
  /** No such file; `path` are the directories that were looked through, or undefined when the command names one itself. */
  | { readonly _tag: "NotFound"; readonly path: string | undefined }
  | { readonly _tag: "NotExecutable"; readonly path: string }
  /** The directory that it is to be started in cannot be used. */
  | { readonly _tag: "NoDirectory"; readonly path: string }
  /** It cannot be started like this; `reason` says why. */
  | { readonly _tag: "Unsuitable"; readonly reason: string }

/** Looks the command up the way it is looked up at the start: with the `PATH` and from the directory that the server gets. */
export const locate = (parameters: StdioServerConfig["server_parameters"]): Effect.Effect<Location> =>
  Effect.sync(() => {
    const directory = resolve(parameters.cwd ?? ".")
    if (kindOf(directory) !== "directory") return { _tag: "NoDirectory", path: directory }
    const env = childEnvironment(parameters.env ?? {})
    return process.platform === "win32" ? onWindows(parameters, directory, env) : onPosix(parameters, directory, env)
  })

// -----------------------------------------------------------------------------
// Internal
// -----------------------------------------------------------------------------

type Environment = Readonly<Record<string, string>>
type Parameters = StdioServerConfig["server_parameters"]

/** What the operating system looks through when there is no `PATH`. */
const WITHOUT_PATH = "/bin:/usr/bin"

const onPosix = ({ command }: Parameters, directory: string, env: Environment): Location => {
  const isPath = command.includes("/")
  const path = env["PATH"] ?? WITHOUT_PATH
  const candidates = (isPath ? [command] : path.split(":").map((each) => `${each === "" ? "." : each}/${command}`))
    .map((each) => resolve(directory, each))
    .filter((each) => kindOf(each) === "file")
  const found = candidates.find(isExecutable)
  if (found !== undefined) return { _tag: "Found", path: found }
  const [first] = candidates
  return first === undefined
    ? { _tag: "NotFound", path: isPath ? undefined : path }
    : { _tag: "NotExecutable", path: first }
}

const onWindows = ({ args, command }: Parameters, cwd: string, env: Environment): Location => {
  const seen: Array<string> = []
  const fileExists = (path: string): boolean => {
    const isFile = kindOf(path) === "file"
    if (isFile) seen.push(path)
    return isFile
  }
  const invocation = invocationOf({ command, args, env, cwd, fileExists })
  if (Result.isFailure(invocation)) return { _tag: "Unsuitable", reason: invocation.failure }
  const [found] = seen
  return found === undefined
    ? { _tag: "NotFound", path: /[\\/:]/.test(command) ? undefined : env["PATH"] ?? env["Path"] ?? "" }
    : { _tag: "Found", path: found }
}

const kindOf = (path: string): "file" | "directory" | undefined => {
  try {
    const found = statSync(path)
    return found.isDirectory() ? "directory" : "file"
  } catch {
    return undefined
  }
}
