/**
 * Shows a person at a terminal that something is under way. Where stderr is no
 * terminal it shows nothing.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"

const FRAMES = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"]
/** Goes to the beginning of the line and empties it. */
export const CLEAR_LINE = "\r\u001b[K"

/** Whether stderr is a terminal that shows something under way. */
export const canAnimate = (): boolean => process.stderr.isTTY && process.env["TERM"] !== "dumb"

const write = (text: string): Effect.Effect<void> => Effect.sync(() => void process.stderr.write(text))

/** Shows the text, as it is at the moment, and the seconds for as long as the effect runs. */
export const whileWaiting =
  (text: string | (() => string)) => <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.suspend(() =>
      canAnimate()
        ? Effect.acquireUseRelease(
          Effect.forkChild(animate(typeof text === "string" ? () => text : text), { startImmediately: true }),
          () => self,
          (animation) => Effect.andThen(Fiber.interrupt(animation), write(CLEAR_LINE))
        )
        : self
    )

const animate = Effect.fnUntraced(function*(text: () => string) {
  const start = yield* Clock.currentTimeMillis
  for (let round = 0;; round++) {
    const seconds = Math.floor(((yield* Clock.currentTimeMillis) - start) / 1000)
    yield* write(`${CLEAR_LINE}${FRAMES[round % FRAMES.length]} ${text()} ${seconds} s`)
    yield* Effect.sleep("100 millis")
  }
}, Effect.interruptible)

/** Makes room for a line while an indicator is shown; it comes back by itself. */
export const clearIndicator: Effect.Effect<void> = Effect.suspend(() => canAnimate() ? write(CLEAR_LINE) : Effect.void)
