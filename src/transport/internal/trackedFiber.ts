/**
 * Background fibers that somebody has to be able to interrupt.
 */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"

/** Runs an effect in the background; it starts before this returns. */
export type Run = <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>

/**
 * Runs an effect in a fiber that is in the set from its first step to its last.
 * Adding the fiber after it was started would miss an effect that ends, in its
 * first steps, the very thing whose end interrupts the set.
 */
export const runTracked = <A, E>(
  run: Run,
  fibers: Set<Fiber.Fiber<A, E>>,
  effect: Effect.Effect<A, E>,
  onEnd: () => void
): Fiber.Fiber<A, E> =>
  run(Effect.withFiber<A, E>((self) => {
    const fiber = self as Fiber.Fiber<A, E>
    fibers.add(fiber)
    fiber.addObserver(() => {
      fibers.delete(fiber)
      onEnd()
    })
    return effect
  }))
