import { Effect } from "effect"

/** Long enough for a machine that has much else to do. */
const PATIENCE_MILLIS = 60_000

/** Looks every 20 milliseconds until the condition holds; a condition that never does ends the test with its name. */
export const until = (what: string, condition: () => boolean, millis = PATIENCE_MILLIS): Effect.Effect<void> =>
  untilEffect(what, Effect.sync(condition), millis)

/** {@link until} for a condition that is asked of somebody else. */
export const untilEffect = (
  what: string,
  condition: Effect.Effect<boolean>,
  millis = PATIENCE_MILLIS
): Effect.Effect<void> =>
  Effect.gen(function*() {
    while (!(yield* condition)) yield* Effect.sleep("20 millis")
  }).pipe(
    Effect.timeoutOrElse({
      duration: millis,
      orElse: () => Effect.die(new Error(`Did not happen within ${millis / 1000} s: ${what}`))
    })
  )
