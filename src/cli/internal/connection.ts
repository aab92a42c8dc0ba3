/**
 * What the person at the terminal hears of the connection to the Server and of the seat.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { SmcpError } from "../../protocol/SmcpError.ts"
import type { MembershipState } from "../../transport/Membership.ts"

/** Logs every loss and every return of the connection and of the seat. */
export const logState = (changes: Stream.Stream<MembershipState>): Effect.Effect<void> => {
  let lost = false
  return Stream.runForEach(changes, (state) => {
    if (state._tag === "Disconnected" && !state.final) {
      lost = true
      return Effect.logWarning(`The connection to the Server is lost (${state.reason}); reconnecting`)
    }
    // The first attempt is as good as the return itself.
    if (state._tag === "Rejoining" && state.attempt === 2) {
      return Effect.logWarning(`Connected to the Server again, but the seat in office ${state.office} is still taken`)
    }
    if (state._tag !== "Joined" || !lost) return Effect.void
    lost = false
    return Effect.logInfo(`Connected to the Server again, and back in office ${state.office}`)
  })
}

/** Waits until the client is out for good: fails with the Server's reason, if it gave one, or why the seat is lost. */
export const stateEnd = (changes: Stream.Stream<MembershipState>): Effect.Effect<void, SmcpError> =>
  changes.pipe(
    Stream.takeUntil((state) => state._tag === "Disconnected" && state.final),
    Stream.runForEach((state) => {
      const error = endOf(state)
      return error === undefined ? Effect.void : Effect.fail(error)
    })
  )

const endOf = (state: MembershipState): SmcpError | undefined => {
  if (state._tag === "Lost") return state.final ? state.why : undefined
  return state._tag === "Disconnected" ? state.error : undefined
}
