import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Semaphore from "effect/Semaphore"

/** Runs an effect when there is room for it. */
export type StartGate = <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/**
 * Lets `permits` effects run at a time, so that starting many servers does not overwhelm the machine. Whoever takes longer
 * than `patience` goes on but is no longer counted: it waits rather than works, and must not keep the others out.
 */
export const makeStartGate = (options: {
  readonly permits: number
  readonly patience: Duration.Input
}): Effect.Effect<StartGate> =>
  Effect.map(
    Semaphore.make(options.permits),
    (semaphore) => (self) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.gen(function*() {
          yield* restore(semaphore.take(1))
          let counted = true
          const giveBack = Effect.suspend(() => {
            if (!counted) return Effect.void
            counted = false
            return Effect.asVoid(semaphore.release(1))
          })
          const impatience = yield* Effect.sleep(options.patience).pipe(
            Effect.andThen(giveBack),
            Effect.interruptible,
            Effect.forkChild
          )
          return yield* restore(self).pipe(Effect.ensuring(Effect.andThen(giveBack, Fiber.interrupt(impatience))))
        })
      )
  )
