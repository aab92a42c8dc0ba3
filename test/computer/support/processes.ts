import { Effect, Schedule } from "effect"
import { readdirSync, readFileSync } from "node:fs"

const stat = (pid: number): { readonly state: string; readonly parent: number; readonly group: number } | undefined => {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1")
    const [state = "", parent, group] = text.slice(text.lastIndexOf(")") + 2).split(" ")
    return { state, parent: Number(parent), group: Number(group) }
  } catch {
    return undefined
  }
}

const isDead = (state: string): boolean => state === "Z" || state === "X"

/** Whether the process runs. One that is dead but was not reaped by its parent does not. */
export const isAlive = (pid: number): boolean => {
  const found = stat(pid)
  return found !== undefined && !isDead(found.state)
}

const everyone = (): ReadonlyArray<number> => readdirSync("/proc").filter((entry) => /^\d+$/.test(entry)).map(Number)

/** The living direct children of a process. */
export const childrenOf = (parent: number): ReadonlyArray<number> =>
  everyone().filter((pid) => stat(pid)?.parent === parent && isAlive(pid))

/** The guards among them: each ends the servers of a program that has died. */
export const guardsOf = (parent: number): ReadonlyArray<number> =>
  childrenOf(parent).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("trap '' INT TERM HUP")
    } catch {
      return false
    }
  })

/** The living members of a process group. */
export const membersOf = (group: number): ReadonlyArray<number> =>
  everyone().filter((pid) => stat(pid)?.group === group && isAlive(pid))

/** Looks until the condition holds; after 10 seconds it fails with what was waited for. */
export const eventually = (what: string, condition: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => condition() ? Effect.void : Effect.fail("not yet")).pipe(
    Effect.retry(Schedule.spaced("20 millis")),
    Effect.timeoutOrElse({ duration: "20 seconds", orElse: () => Effect.die(new Error(`Did not happen: ${what}`)) }),
    Effect.orDie
  )
