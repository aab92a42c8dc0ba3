/** A closed loop: a fixed number of calls is always in flight, and each one that ends starts the next. */

/** Makes one call and says whether it was answered as it should. */
export type Caller = (done: (ok: boolean) => void) => void

export interface Sample {
  readonly calls: number
  readonly failures: number
  /** Calls per second. */
  readonly throughput: number
  /** Milliseconds. */
  readonly p50: number
  /** Milliseconds. */
  readonly p99: number
}

const PATIENCE = 10_000

/** Runs for a while; calls still in flight at the end are awaited and counted, but not for ever. */
export const closedLoop = (callers: ReadonlyArray<Caller>, inFlight: number, millis: number): Promise<Sample> =>
  new Promise((resolve, reject) => {
    const guard = setTimeout(() => reject(new Error("A call was never answered")), millis + PATIENCE)
    const latencies: Array<number> = []
    const startedAt = performance.now()
    const endsAt = startedAt + millis
    let failures = 0
    let running = inFlight
    const lane = (caller: Caller): void => {
      let calledAt = performance.now()
      const done = (ok: boolean): void => {
        const now = performance.now()
        latencies.push(now - calledAt)
        if (!ok) failures++
        if (now >= endsAt) {
          if (--running > 0) return
          clearTimeout(guard)
          resolve(summarise(latencies, failures, (now - startedAt) / 1000))
          return
        }
        calledAt = now
        caller(done)
      }
      caller(done)
    }
    for (let index = 0; index < inFlight; index++) lane(callers[index % callers.length]!)
  })

const summarise = (latencies: Array<number>, failures: number, seconds: number): Sample => {
  const sorted = Float64Array.from(latencies).sort()
  const at = (quantile: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * quantile))]!
  return { calls: sorted.length, failures, throughput: sorted.length / seconds, p50: at(0.5), p99: at(0.99) }
}

export const median = (values: ReadonlyArray<number>): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
