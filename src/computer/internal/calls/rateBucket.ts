/**
 * A bucket of tokens, kept as the time at which the next one is due: what is let through never exceeds `burst` and an even
 * refill in any stretch of time, however often it is asked.
 */
import type { RateLimit } from "../../ServerEntry.ts"

export interface RateBucket {
  /** Milliseconds from one token to the next. */
  readonly interval: number
  /** How far back tokens are kept, in milliseconds. */
  readonly reach: number
  /** When the next token is due, on the clock of the caller. */
  due: number
}

/** A full bucket. */
export const makeRateBucket = ({ burst, calls, seconds }: RateLimit): RateBucket => {
  const interval = (seconds * 1000) / calls
  return { interval, reach: (Math.max(1, Math.floor(burst ?? calls)) - 1) * interval, due: -Infinity }
}

const dueAt = ({ due, reach }: RateBucket, now: number): number => Math.max(due, now - reach)

/** How long until there is a token, in milliseconds. */
export const waitFor = (bucket: RateBucket, now: number): number => {
  const wait = dueAt(bucket, now) - now
  return wait < NEGLIGIBLE ? 0 : wait
}

/** Sums of fractions are not exact: what is off by less than this is on time. It does not add up. */
const NEGLIGIBLE = 0.001

/** Takes a token; only when there is nothing to wait for. */
export const take = (bucket: RateBucket, now: number): void => {
  bucket.due = dueAt(bucket, now) + bucket.interval
}
