import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"

/** Says that something changed. Costs nothing while nobody listens. */
export interface Signal {
  readonly tell: () => void
  /** Once from the beginning, and again after every change; changes that nobody has taken yet are one. */
  readonly stream: Stream.Stream<void>
}

export const makeSignal = (): Signal => {
  const listeners = new Set<Queue.Queue<void, Cause.Done>>()
  return {
    tell: () => {
      for (const listener of listeners) Queue.offerUnsafe(listener, undefined)
    },
    stream: Stream.callback<void>((queue) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          listeners.add(queue)
          Queue.offerUnsafe(queue, undefined)
        }),
        () => Effect.sync(() => listeners.delete(queue))
      ), { bufferSize: 1, strategy: "sliding" })
  }
}
