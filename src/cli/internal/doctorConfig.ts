/**
 * What `smcp doctor` finds in the config files, and about the servers in them without starting any.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as ConfigFile from "../../computer/ConfigFile.ts"
import { variableOf } from "../../computer/InputDefinition.ts"
import { type Explanation, Inputs } from "../../computer/Inputs.ts"
import { ResultTransform } from "../../computer/ResultTransform.ts"
import type { ServerEntry } from "../../computer/ServerEntry.ts"
import * as StdioCommand from "../../computer/StdioCommand.ts"
import type { Finding } from "./doctorFinding.ts"
import { counted } from "./output.ts"

// -----------------------------------------------------------------------------
// Files
// -----------------------------------------------------------------------------

/** Reads every file, also behind one that is broken. */
export const readConfigs = Effect.fnUntraced(function*(paths: ReadonlyArray<string>) {
  const findings: Array<Finding> = []
  const files: Array<ConfigFile.ConfigFile> = []
  for (const path of paths) {
    const read = yield* Effect.result(ConfigFile.load(path))
    if (Result.isSuccess(read)) files.push(read.success)
    findings.push(
      Result.isSuccess(read)
        ? {
          group,
          check: path,
          verdict: "ok",
          seen: `${counted(read.success.servers.length, "server")}, ${counted(read.success.inputs.length, "input")}`
        }
        : {
          group,
          check: path,
          verdict: "problem",
          seen: read.failure.message,
          advice: "Correct the file, or name another one with --config"
        }
    )
  }
  const config = ConfigFile.merge(files)
  findings.push(...config.diagnostics.map(({ message, severity, source }): Finding => ({
    group,
    check: source ?? "all files",
    verdict: severity === "error" ? "problem" : "warning",
    seen: message
  })))
  if (paths.length === 0) {
    findings.push({
      group,
      check: "config file",
      verdict: "warning",
      seen: "none was named, so no MCP server was looked at",
      advice: "Name one with --config or SMCP_CONFIG; \"smcp config import\" tells what other programs have"
    })
  } else if (config.servers.length === 0 && files.length > 0) {
    findings.push({ group, check: "servers", verdict: "warning", seen: "there is no MCP server that can be used" })
  }
  return { config, findings }
})

const group = "Configuration"

// -----------------------------------------------------------------------------
// Servers, before they start
// -----------------------------------------------------------------------------

/** What is found without starting a server: its placeholders, its command, its scripts. */
export const examine = Effect.fnUntraced(function*(
  entry: ServerEntry
): Effect.fn.Return<ReadonlyArray<Finding>, never, Inputs | ResultTransform> {
  const inputs = yield* Inputs
  const defined = new Set((yield* inputs.definitions).map(({ id }) => id))
  const explained = yield* inputs.explain(entry)
  const missing = explained.filter(({ from }) => from === "missing")
  // without its values nobody knows where the command is looked up, and nobody is asked for them here
  const isKnown = explained.every(({ from }) => from !== "missing" && from !== "prompt")
  const script = yield* (yield* ResultTransform).check(entry)
  return [
    ...missing.map((each) => ofMissing(entry, each, defined)),
    ...isKnown ? yield* ofCommand(entry) : [],
    ...script === undefined ? [] : [
      {
        ...about(entry, "script"),
        verdict: "problem",
        seen: `it is not used: ${script}`,
        advice: script.includes("not installed") ? undefined : "Correct the script, or leave it out"
      } satisfies Finding
    ]
  ]
})

/** Whose check it is. */
export const about = ({ bundleId }: ServerEntry, check: string) =>
  ({ group: "MCP servers", server: bundleId, check }) as const

const ofMissing = (
  entry: ServerEntry,
  { field, kind, name, placeholder, secret }: Explanation,
  defined: ReadonlySet<string>
): Finding => {
  const common = { ...about(entry, field), verdict: "problem" } as const
  if (kind === "input" && defined.has(name)) {
    const variable = `Set the environment variable ${variableOf(name)}`
    return {
      ...common,
      // at a terminal it is asked for
      verdict: "warning",
      seen: `the input "${name}" has no value that can be used; without a terminal the server does not start`,
      advice: secret
        ? `${variable}; at a terminal "smcp computer" asks for it`
        : `${variable}, or keep a value: smcp computer inputs value set ${name} <value>`
    }
  }
  switch (kind) {
    case "input":
      return {
        ...common,
        seen: `${placeholder} stands for nothing: there is no input "${name}"`,
        advice: "Define it under \"inputs\" of the config file"
      }
    case "variable":
      return {
        ...common,
        seen: `the environment variable ${name} is not set`,
        advice: `Set ${name} where smcp is started, or write a default: \${${name}:-…}`
      }
    default:
      return {
        ...common,
        seen: `${placeholder} has no value here`,
        advice: "Write the value itself, ${env:NAME} or ${input:id}"
      }
  }
}

// -----------------------------------------------------------------------------
// Commands
// -----------------------------------------------------------------------------

const ofCommand = Effect.fnUntraced(function*(
  entry: ServerEntry
): Effect.fn.Return<ReadonlyArray<Finding>, never, Inputs> {
  if (entry.config.type !== "stdio") return []
  const rendered = yield* Effect.result((yield* Inputs).render(entry))
  if (Result.isFailure(rendered)) {
    return [{ ...about(entry, "configuration"), verdict: "problem", seen: rendered.failure.message }]
  }
  const { config } = Redacted.value(rendered.success)
  if (config.type !== "stdio") return []
  const { command } = config.server_parameters
  const hidden = (yield* Inputs).hideSecrets(entry.bundleId, command)
  return [{ ...about(entry, "command"), ...seenOf(hidden, yield* StdioCommand.locate(config.server_parameters)) }]
})

const seenOf = (command: string, location: StdioCommand.Location): Pick<Finding, "verdict" | "seen" | "advice"> => {
  switch (location._tag) {
    case "Found":
      return { verdict: "ok", seen: location.path }
    case "NotFound":
      return {
        verdict: "problem",
        seen: location.path === undefined
          ? `there is no file ${command}`
          : `"${command}" is in no directory of the PATH that the server gets (${location.path})`,
        advice: installing[nameOf(command)] ?? "Install it, or write its full path"
      }
    case "NotExecutable":
      return {
        verdict: "problem",
        seen: `${location.path} may not be executed`,
        advice: `Make it executable (chmod +x), or start it with the program that reads it`
      }
    case "NoDirectory":
      return {
        verdict: "problem",
        seen: `the directory to start it in, ${location.path}, cannot be used`,
        advice: "Make the directory, or correct \"cwd\""
      }
    case "Unsuitable":
      return { verdict: "problem", seen: location.reason }
  }
}

const nameOf = (command: string): string => command.replace(/^.*[\\/]/, "").replace(/\.(cmd|exe|bat|ps1)$/i, "")

const node = "Install Node.js (https://nodejs.org), which brings npx; or write its full path"
const uv = "Install uv (https://docs.astral.sh/uv/), which brings uvx; or write its full path"
const docker = "Install Docker (https://docs.docker.com/get-docker/); or write its full path"

/** How to come by the programs that MCP servers are usually started with. */
const installing: Readonly<Record<string, string>> = {
  node,
  npm: node,
  npx: node,
  uv,
  uvx: uv,
  docker,
  podman: "Install Podman (https://podman.io); or write its full path",
  bun: "Install Bun (https://bun.sh), which brings bunx; or write its full path",
  bunx: "Install Bun (https://bun.sh), which brings bunx; or write its full path",
  deno: "Install Deno (https://deno.com); or write its full path",
  python: "Install Python (https://www.python.org), or write \"python3\" when that is its name here",
  python3: "Install Python (https://www.python.org); or write its full path"
}
