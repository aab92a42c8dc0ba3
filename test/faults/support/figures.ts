import { appendFileSync, readFileSync } from "node:fs"

/** A field of `/proc/<pid>/status` in MiB; `undefined` where there is no such file. */
const memory = (pid: number, field: "VmRSS" | "VmHWM"): number | undefined => {
  try {
    const kib = new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]
    return kib === undefined ? undefined : Math.round(Number(kib) / 1024)
  } catch {
    return undefined
  }
}

/** Memory that a process has in use now, in MiB. */
export const residentMiB = (pid: number): number | undefined => memory(pid, "VmRSS")

/** The most memory that a process ever had in use, in MiB. */
export const peakMiB = (pid: number): number | undefined => memory(pid, "VmHWM")

export const percentile = (values: ReadonlyArray<number>, share: number): number => {
  const sorted = [...values].sort((one, other) => one - other)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN
}

/** Adds a line of JSON to the file that the environment variable `A2C_FAULTS_REPORT` names, if it does. */
export const report = (scenario: string, figures: object): void => {
  const file = process.env["A2C_FAULTS_REPORT"]
  if (file !== undefined && file !== "") appendFileSync(file, JSON.stringify({ scenario, ...figures }) + "\n")
}
