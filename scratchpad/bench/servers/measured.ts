/** A program whose memory and file descriptors are measured; run with `--expose-gc`. */
import { readdirSync } from "node:fs"
import { setTimeout as sleep } from "node:timers/promises"

/** Bytes of the heap that are in use once everything else is collected. */
export const liveHeap = async (): Promise<number> => {
  for (let round = 0; round < 4; round++) {
    globalThis.gc!()
    await sleep(20)
  }
  return process.memoryUsage().heapUsed
}

/** Open file descriptors; undefined where the system does not list them. */
export const openFiles = (): number | undefined => {
  try {
    return readdirSync("/proc/self/fd").length
  } catch {
    return undefined
  }
}

/** Gives the parent what was measured, and ends. */
export const report = (value: object): void => {
  process.send!(value, () => process.disconnect())
}
