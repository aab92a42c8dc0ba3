/** A measured server in a process of its own. */
import { type Program, startProcess } from "./BenchProcess.ts"
import type { Usage } from "./servers/parent.ts"

export interface ServerProcess {
  readonly url: string
  readonly usage: () => Promise<Usage>
  readonly stop: () => Promise<void>
}

export interface StartOptions {
  readonly args?: ReadonlyArray<string>
  /** Write a CPU profile of the process into this directory when it ends. */
  readonly profileTo?: string | undefined
}

/** Starts one of the servers; resolves when it listens. */
export const startServer = async (
  program: Exclude<Program, "mcpCaller">,
  { args = [], profileTo }: StartOptions = {}
): Promise<ServerProcess> => {
  const execArgv = profileTo === undefined
    ? []
    : ["--cpu-prof", `--cpu-prof-dir=${profileTo}`, `--cpu-prof-name=${program}.cpuprofile`]
  const { ask, next, stop } = startProcess(program, { args, execArgv })
  const { url } = await next<{ readonly url: string }>()
  return { url, usage: () => ask("usage"), stop }
}
