/** A measured server in a process of its own. */
import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
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

const next = async <A>(child: ChildProcess): Promise<A> => {
  const ended = new AbortController()
  const onExit = () => ended.abort(new Error("A measured server ended by itself"))
  child.once("exit", onExit)
  try {
    const [message]: ReadonlyArray<unknown> = await once(child, "message", { signal: ended.signal })
    return message as A
  } finally {
    child.off("exit", onExit)
  }
}

/** Starts one of the programs in `servers/`; resolves when it listens. */
export const startServer = async (
  program: "ownServer" | "bareRelay" | "rawMcp",
  { args = [], profileTo }: StartOptions = {}
): Promise<ServerProcess> => {
  const file = fileURLToPath(new URL(`./servers/${program}.js`, import.meta.url))
  const execArgv = profileTo === undefined
    ? []
    : ["--cpu-prof", `--cpu-prof-dir=${profileTo}`, `--cpu-prof-name=${program}.cpuprofile`]
  const child = fork(file, args, { execArgv })
  const { url } = await next<{ readonly url: string }>(child)
  return {
    url,
    usage: () => {
      const usage = next<Usage>(child)
      child.send("usage")
      return usage
    },
    stop: async () => {
      const ended = once(child, "exit")
      child.disconnect()
      await ended
    }
  }
}
