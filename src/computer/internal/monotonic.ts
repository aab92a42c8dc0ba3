/**
 * Time that only goes forward, however the time of day is set: for deadlines, and for how long something is good.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

/** Milliseconds since some moment, with fractions. */
export const monotonicMillis = (clock: Clock.Clock): number => Number(clock.monotonicTimeNanosUnsafe()) / 1e6

/** As {@link monotonicMillis}. */
export const monotonicNow: Effect.Effect<number> = Effect.map(Clock.Clock, monotonicMillis)
