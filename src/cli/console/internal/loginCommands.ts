/**
 * What the commands for logins to remote MCP servers do.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import { Authorization, type LoginFlow } from "../../../computer/Authorization.ts"
import type { AuthorizationError, AuthorizationErrorReason } from "../../../computer/AuthorizationError.ts"
import { type ExitCode, exitCodes } from "../../internal/exitCodes.ts"
import { Failure } from "../../internal/failure.ts"
import { printable, say } from "../../internal/output.ts"
import { Questions } from "../Questions.ts"
import type { Run } from "../Session.ts"
import { said } from "../View.ts"
import { serverOf } from "./serverView.ts"

/** Shows the page to log in at, and waits for the browser to come back, or for the address where it ended. */
export const login: Run = Effect.fnUntraced(function*({ values: [name = ""] }) {
  const { bundleId } = yield* serverOf(name)
  const authorization = yield* Authorization
  const questions = yield* Questions
  const flow = yield* Effect.mapError(authorization.login(bundleId), failureOf)
  const about = `Open this page in a browser and log in to ${bundleId}:\n\n  ${printable(flow.url)}\n`
  const ended = Effect.mapError(flow.outcome, failureOf)
  yield* Effect.raceFirst(
    ended,
    questions.available ? paste(questions, flow, about) : Effect.andThen(say(about), Effect.never)
  ).pipe(
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

const PROMPT = "Waiting for the browser; if it is on another machine, paste the address where it ended: "

/** Takes what is pasted until it fits; never ends by itself when nothing is. */
const paste = (questions: Questions["Service"], flow: LoginFlow, about: string): Effect.Effect<void, Failure> =>
  Effect.flatMap(
    questions.ask({ about, prompt: PROMPT, hidden: true, read: (answer) => Result.succeed(answer.trim()) }),
    Option.match({
      onNone: () => Effect.fail(new Failure({ message: "The login was given up", exitCode: exitCodes.cancelled })),
      onSome: (answer) =>
        answer === ""
          ? paste(questions, flow, "")
          : Effect.catch(flow.complete(answer), (error) =>
            error.reason === "State" ? paste(questions, flow, error.message) : Effect.fail(failureOf(error)))
    })
  )

const failureOf = ({ message, reason }: AuthorizationError): Failure =>
  new Failure({ message, exitCode: codes[reason] ?? exitCodes.failed })

const codes: Partial<Record<AuthorizationErrorReason, ExitCode>> = {
  UnknownServer: exitCodes.usage,
  Callback: exitCodes.usage,
  Timeout: exitCodes.timedOut,
  Cancelled: exitCodes.cancelled
}
