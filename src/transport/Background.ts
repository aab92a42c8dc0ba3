/**
 * Work beside what a role does for its callers.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/**
 * Runs an effect in the background for as long as the scope lives, started at
 * once. A failure ends in an error line `… stopped`, never in silence; an
 * interruption is no failure.
 */
export const fork =
  (what: string) => <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<void, never, R | Scope.Scope> =>
    self.pipe(
      Effect.catchCauseIf(
        (cause) => !Cause.hasInterruptsOnly(cause),
        (cause) => Effect.logError(`${what} stopped`, cause)
      ),
      Effect.forkScoped({ startImmediately: true }),
      Effect.asVoid
    )
