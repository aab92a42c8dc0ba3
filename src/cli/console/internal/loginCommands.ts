/**
 * What the commands for logins to remote MCP servers do.
 */
import * as Effect from "effect/Effect"
import { Authorization, type LoginFlow } from "../../../computer/Authorization.ts"
import type { AuthorizationError, AuthorizationErrorReason } from "../../../computer/AuthorizationError.ts"
import { type ExitCode, exitCodes } from "../../internal/exitCodes.ts"
import { Failure } from "../../internal/failure.ts"
import { printable, say } from "../../internal/output.ts"
import { whileWaiting } from "../../internal/waiting.ts"
import { type Run, Session } from "../Session.ts"
import { said, type View } from "../View.ts"
import { quote } from "../Words.ts"
import { serverOf } from "./serverView.ts"

/**
 * Shows the page to log in at. At a prompt the login goes on beside it, and with an address behind the server's name it ends
 * with what a browser on another machine was sent to; elsewhere its end is waited for.
 */
export const login: Run = Effect.fnUntraced(function*({ values: [name = "", address] }) {
  const { bundleId } = yield* serverOf(name)
  const authorization = yield* Authorization
  const { beside } = yield* Session
  if (address !== undefined) {
    yield* Effect.mapError(authorization.complete(bundleId, address), failureOf)
    // who began it says how it ended
    return { json: yield* authorization.status(bundleId), text: () => "" }
  }
  const isUnderWay = (yield* authorization.status(bundleId)).loginUrl !== undefined
  const flow = yield* Effect.mapError(authorization.login(bundleId), failureOf)
  if (beside !== undefined) {
    if (!isUnderWay) yield* Effect.forkIn(tellOutcome(flow), beside)
    return pageView(flow, ELSEWHERE)
  }
  yield* say(pageText(flow, "Waiting for the browser of this machine. For another one, log in at the console."))
  yield* whileWaiting("Waiting for the browser")(Effect.mapError(flow.outcome, failureOf)).pipe(
    // one that nobody waits for any more is given up
    Effect.onExit(() => authorization.cancel(bundleId))
  )
  return said(`Logged in to ${bundleId}`, yield* authorization.status(bundleId))
})

/** Forgets the login. */
export const logout: Run = Effect.fnUntraced(function*({ values: [name = ""] }) {
  const { bundleId } = yield* serverOf(name)
  yield* Effect.mapError((yield* Authorization).logout(bundleId), failureOf)
  return said(`Logged out of ${bundleId}`)
})

// -----------------------------------------------------------------------------
// Internal
// -----------------------------------------------------------------------------

const ELSEWHERE =
  "The server starts when that is done. Is the browser on another machine? Then it ends at a page that does " +
  "not open: give the address of it"

const pageText = ({ bundleId, url }: LoginFlow, then: string): string =>
  `Open this page in a browser and log in to ${bundleId}:\n\n  ${printable(url)}\n\n${then}`

const pageView = (flow: LoginFlow, then: string): View => ({
  json: { server: flow.bundleId, url: flow.url },
  text: () => pageText(flow, `${then} with: login ${quote(flow.bundleId)} <address>`)
})

/** Says how a login ended that nobody waits for. One that was given up was so by the person, or by the end of all. */
const tellOutcome = ({ bundleId, outcome }: LoginFlow): Effect.Effect<void> =>
  Effect.matchEffect(outcome, {
    onSuccess: () => Effect.logInfo(`Logged in to ${bundleId}`),
    onFailure: ({ message, reason }) =>
      reason === "Cancelled"
        ? Effect.void
        : Effect.logError(`The login to ${bundleId} failed: ${message} "login ${quote(bundleId)}" begins another`)
  })

const failureOf = ({ message, reason }: AuthorizationError): Failure =>
  new Failure({ message, exitCode: codes[reason] ?? exitCodes.failed })

const codes: Partial<Record<AuthorizationErrorReason, ExitCode>> = {
  UnknownServer: exitCodes.usage,
  Callback: exitCodes.usage,
  Timeout: exitCodes.timedOut,
  Cancelled: exitCodes.cancelled
}
