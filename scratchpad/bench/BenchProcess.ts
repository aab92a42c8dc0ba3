/** A program of `servers/` in a process of its own, which answers each message with one of its own. */
import { fork } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"

export type Program = "ownServer" | "bareRelay" | "rawMcp" | "mcpCaller"

export interface BenchProcess {
  /** The next message. */
  readonly next: <A>() => Promise<A>
  /** Sends a message and waits for the answer. */
  readonly ask: <A>(message: string | object) => Promise<A>
  /** Lets go of the process, and waits until it has ended. */
  readonly stop: () => Promise<void>
}

export const startProcess = (
  program: Program,
  { args = [], execArgv = [] }: { readonly args?: ReadonlyArray<string>; readonly execArgv?: Array<string> }
): BenchProcess => {
  const child = fork(fileURLToPath(new URL(`./servers/${program}.js`, import.meta.url)), args, { execArgv })
  const next = async <A>(): Promise<A> => {
    const ended = new AbortController()
    const onExit = () => ended.abort(new Error(`${program} ended by itself`))
    child.once("exit", onExit)
    try {
      const [message]: ReadonlyArray<unknown> = await once(child, "message", { signal: ended.signal })
      return message as A
    } finally {
      child.off("exit", onExit)
    }
  }
  return {
    next,
    ask: (message) => {
      const answer = next<never>()
      child.send(message)
      return answer
    },
    stop: async () => {
      const ended = once(child, "exit")
      child.disconnect()
      await ended
    }
  }
}
