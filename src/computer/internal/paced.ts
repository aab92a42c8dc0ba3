import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"

export interface Paced {
  /** Asks for the work; asking often before it is done is asking once. */
  readonly ask: () => void
  /** Does the work whenever it was asked for, one after the other. */
  readonly run: Effect.Effect<never>
}

/** Work that notifications ask for, done at most ten times a second. */
export const makePaced = Effect.fnUntraced(function*(work: Effect.Effect<void>): Effect.fn.Return<Paced> {
  const asked = yield* Queue.sliding<void>(1)
  return {
    ask: () => {
      Queue.offerUnsafe(asked, undefined)
    },
    run: Queue.take(asked).pipe(
      Effect.andThen(work),
      Effect.andThen(Effect.sleep("100 millis")),
      Effect.forever
    )
  }
})
