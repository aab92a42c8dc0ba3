/**
 * Work beside what a role does for its callers.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** Ends a failure in an error line, never in silence; an interruption is no failure. */
export const logged = (message: string) => <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A | void, E, R> =>
  Effect.catchCauseIf(
    self,
    (cause) => !Cause.hasInterruptsOnly(cause),
    (cause) => Effect.logError(message, cause)
  )

/** Runs an effect in the background for as long as the scope lives, started at once; a failure ends in `… stopped`. */
export const fork =
  (what: string) => <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<void, never, R | Scope.Scope> =>
    self.pipe(logged(`${what} stopped`), Effect.forkScoped({ startImmediately: true }), Effect.asVoid)
