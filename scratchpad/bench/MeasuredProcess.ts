/** A program that measures itself in a process of its own. */
import { fork } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"

/** Runs one of the programs in `servers/` to its end and gives what it has measured. */
export const measure = async <A>(program: "idleHost" | "soakHost", args: ReadonlyArray<string>): Promise<A> => {
  const file = fileURLToPath(new URL(`./servers/${program}.js`, import.meta.url))
  const child = fork(file, args, { execArgv: ["--expose-gc"] })
  let measured: A | undefined
  child.once("message", (message) => {
    measured = message as A
  })
  const [code]: ReadonlyArray<unknown> = await once(child, "exit")
  if (measured === undefined) throw new Error(`${program} ended with ${String(code)} and has measured nothing`)
  return measured
}
