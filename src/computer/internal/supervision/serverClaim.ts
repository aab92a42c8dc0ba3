/**
 * The use of a server by a call: waits for its connection, and keeps the server from being taken for idle.
 */
import * as Effect from "effect/Effect"
import type { McpClient } from "../../McpClient.ts"
import { McpError } from "../../McpError.ts"
import { monotonicMillis, monotonicNow } from "../monotonic.ts"
import type { Connection } from "./serverConnection.ts"
import { notRunning, summaryOf } from "./serverLoss.ts"
import type { Supervised } from "./serverSupervisor.ts"

/** How long a call waits for a server that was lost, in milliseconds. */
const PATIENCE = 10_000

/** Uses the connection of a server as soon as there is one. This is on the way of every call. */
export const claim = <A, E, R>(
  server: Supervised,
  use: (client: McpClient) => Effect.Effect<A, E, R>
): Effect.Effect<A, E | McpError, R> =>
  Effect.clockWith((clock) => {
    let taken: Connection | undefined
    // looking and taking happen without a suspension in between: a connection that is taken is not idle
    const take: Effect.Effect<A, E | McpError, R> = Effect.suspend(() => {
      taken = server.connection
      if (taken === undefined) return Effect.andThen(connected(server), take)
      taken.users++
      return use(taken.client)
    })
    return Effect.onExit(take, () => {
      if (taken !== undefined) {
        taken.users--
        taken.usedAt = monotonicMillis(clock)
      }
      return Effect.void
    })
  })

/** Waits until a server is connected, starting one that is idle; fails when it will not be soon. */
const connected = Effect.fnUntraced(function*(server: Supervised): Effect.fn.Return<void, McpError> {
  const deadline = (yield* monotonicNow) + PATIENCE
  let hasWaited = false
  while (server.connection === undefined) {
    const { shown, turn } = server
    const next = server.when(() => server.turn === turn ? undefined : true)
    if (shown._tag === "Waiting") {
      const left = deadline - (yield* monotonicNow)
      if (left <= 0) return yield* refusal(server)
      yield* Effect.timeoutOption(next, left)
    } else {
      // also what starts, if only to learn its tools: it is to stay
      if (isStartable(server, hasWaited) || (shown._tag === "Starting" && !hasWaited)) {
        server.dispatch({ _tag: "Demand" })
      } else if (shown._tag !== "Starting") return yield* refusal(server)
      yield* next
    }
    hasWaited = true
  }
})

/** An attempt that others waited for as well is not made again for each of them. */
const isStartable = ({ entry, shown }: Supervised, hasWaited: boolean): boolean =>
  shown._tag === "Idle"
    ? shown.problem === undefined || !hasWaited
    : shown._tag === "Failed" && entry.settings.lazy === true && !hasWaited

const refusal = ({ entry: { bundleId }, lastError, shown }: Supervised): McpError => {
  const why = lastError === undefined ? "" : `: ${summaryOf(lastError).replace(/\.$/, "")}`
  const restart = `"restart ${bundleId}" at the Computer starts it again`
  switch (shown._tag) {
    case "AuthorizationRequired":
      return lastError instanceof McpError ? lastError : notRunning("it wants a login")
    case "Disabled":
      return notRunning(
        `it is disabled in the configuration; "restart ${bundleId}" at the Computer starts it all the same`
      )
    case "Stopped":
      return notRunning(`it was stopped; ${restart}`)
    case "Waiting":
      return notRunning(`it was lost and is being started again${why}; ${restart} at once`)
    default:
      return notRunning(`it failed${why}; ${restart}`)
  }
}
