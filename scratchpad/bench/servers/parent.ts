/** The measured side of a benchmark: tells the parent process where it listens and what it has used so far. */

/** What a server process has used since it started. */
export interface Usage {
  /** User and system time in microseconds. */
  readonly cpu: number
  /** The most memory it ever had, in bytes. */
  readonly peakRss: number
}

/** Announces the URL, answers questions about usage, and ends with the parent. */
export const serveParent = (url: string): void => {
  process.on("message", () => {
    const { system, user } = process.cpuUsage()
    process.send!({ cpu: user + system, peakRss: process.resourceUsage().maxRSS * 1024 } satisfies Usage)
  })
  process.on("disconnect", () => process.exit(0))
  process.send!({ url })
}
