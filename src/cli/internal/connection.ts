/**
 * What the person at the terminal hears of the connection to the Server.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { SmcpError } from "../../protocol/SmcpError.ts"
import type { ConnectionState } from "../../transport/Transport.ts"

/** Logs every loss and every return of the connection. */
export const logConnection = (changes: Stream.Stream<ConnectionState>): Effect.Effect<void> => {
  let lost = false
  return Stream.runForEach(changes, (state) => {
    if (state._tag === "Disconnected") {
      lost = true
      return Effect.logWarning(`The connection to the Server is lost (${state.reason}); reconnecting`)
    }
    if (state._tag !== "Connected" || !lost) return Effect.void
    lost = false
    return Effect.logInfo("Connected to the Server again")
  })
}

/** Waits until the connection is over for good: fails with the Server's reason, if it gave one. */
export const connectionEnd = (changes: Stream.Stream<ConnectionState>): Effect.Effect<void, SmcpError> =>
  changes.pipe(
    Stream.takeUntil((state) => state._tag === "Closed"),
    Stream.runForEach((state) =>
      state._tag === "Closed" && state.error !== undefined ? Effect.fail(state.error) : Effect.void
    )
  )
