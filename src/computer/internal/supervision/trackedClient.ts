import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import type { McpClient } from "../../McpClient.ts"
import type { McpError } from "../../McpError.ts"
import { monotonicMillis } from "../monotonic.ts"

/** What a connection is used for, as far as it tells whether its server is well. */
export interface Activity {
  /** How many requests wait for an answer. */
  inFlight: number
  /** When it answered last, on the monotonic clock, in milliseconds. */
  answeredAt: number
}

/** Whether a request ended in an answer of the server, be it an error. */
const isAnswer = (exit: Exit.Exit<unknown, McpError>): boolean => {
  if (Exit.isSuccess(exit)) return true
  const found = Cause.findError(exit.cause)
  return Result.isSuccess(found) &&
    ["Rpc", "Decode", "TooLarge", "Http", "AuthRequired", "AuthFailed"].includes(found.success.reason._tag)
}

/** The same connection, which notes what it is used for. */
export const trackClient = (client: McpClient, activity: Activity, clock: Clock.Clock): McpClient => {
  const tracked = <A>(self: Effect.Effect<A, McpError>): Effect.Effect<A, McpError> =>
    Effect.suspend(() => {
      activity.inFlight++
      return Effect.onExit(self, (exit) => {
        activity.inFlight--
        if (isAnswer(exit)) activity.answeredAt = monotonicMillis(clock)
        return Effect.void
      })
    })
  return {
    ...client,
    listTools: tracked(client.listTools),
    list: (kind) => tracked(client.list(kind)),
    callTool: (name, args, options) => tracked(client.callTool(name, args, options)),
    request: (method, params) => tracked(client.request(method, params)),
    setLogLevel: (level) => tracked(client.setLogLevel(level))
  }
}
