import * as Effect from "effect/Effect"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"

/** Waits until whoever writes to our standard input is gone. */
export const untilStdinEnds: Effect.Effect<void, never, Stdio.Stdio> = Effect.flatMap(
  Stdio.Stdio,
  ({ stdin }) => Effect.ignore(Stream.runDrain(stdin))
)
