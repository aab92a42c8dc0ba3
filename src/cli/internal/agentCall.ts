/**
 * One tool call at the terminal: waits, can be cancelled, prints the result,
 * and turns its outcome into an exit code.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Agent from "../../agent/Agent.ts"
import type { ToolOutcome } from "../../agent/ToolOutcome.ts"
import type { SmcpError } from "../../protocol/SmcpError.ts"
import * as ToolResult from "../../protocol/ToolResult.ts"
import { exitCodes } from "./exitCodes.ts"
import { Failure, oneLine } from "./failure.ts"
import { printForeign, printJson, say } from "./output.ts"
import { resultText } from "./resultText.ts"
import { signalMeans } from "./signals.ts"
import { whileWaiting } from "./waiting.ts"

export interface CallOptions {
  readonly computer: string
  readonly tool: string
  readonly params: Readonly<Record<string, unknown>>
  /** Seconds. */
  readonly timeout: number
  readonly json: boolean
}

/** Calls and prints. Fails unless the tool did what it was asked. */
export const call = Effect.fnUntraced(function*(options: CallOptions) {
  const agent = yield* Agent.Agent
  const running = agent.prepareCall({
    computer: options.computer,
    tool: options.tool,
    params: options.params,
    timeout: `${options.timeout} seconds`
  })
  yield* signalMeans(exitCodes.cancelled)
  // In a fiber of its own, so that a signal ends the wait and not yet the call.
  const fiber = yield* Effect.forkScoped(running.outcome, { startImmediately: true })
  const outcome = yield* Fiber.join(fiber).pipe(
    whileWaiting(`Waiting for ${oneLine(options.tool)} (Ctrl-C cancels)`),
    Effect.onInterrupt(() => cancel(running, fiber))
  )
  yield* show(outcome, options)
})

const CANCEL_PATIENCE = "3 seconds"

/** Asks the Computer to stop and says what became of it. */
const cancel = Effect.fnUntraced(function*(
  running: Agent.RunningCall,
  fiber: Fiber.Fiber<ToolOutcome, SmcpError>
): Effect.fn.Return<void> {
  const asked = yield* Clock.currentTimeMillis
  const sent = yield* Effect.exit(running.cancel)
  const exit = Exit.isSuccess(sent)
    ? yield* Effect.timeoutOption(Fiber.await(fiber), CANCEL_PATIENCE)
    : Option.none()
  const millis = (yield* Clock.currentTimeMillis) - asked
  yield* say(`smcp: ${describeCancel(Option.getOrUndefined(exit), millis)}`)
})

const describeCancel = (exit: Exit.Exit<ToolOutcome, SmcpError> | undefined, millis: number): string => {
  if (exit === undefined) return "Cancelled, but the Computer did not confirm it; the tool may still run"
  if (Exit.isFailure(exit)) return "Cancelled, but the connection was lost; the tool may still run"
  return exit.value._tag === "Cancelled"
    ? `Cancelled: the Computer stopped the call and confirmed it after ${millis} ms`
    : "Too late to cancel: the call had already ended"
}

const show = Effect.fnUntraced(function*(outcome: ToolOutcome, options: CallOptions) {
  const { result } = outcome
  const failure = failureOf(outcome, options)
  if (options.json) yield* printJson(result)
  // What the Computer says in the tool's place is the error line.
  else if (outcome._tag === "Ok" || isOfTool(outcome)) {
    const text = resultText(result)
    if (text !== "") yield* printForeign(text)
  }
  for (const { error, handle, index } of outcome.unrestored ?? []) {
    yield* say(
      `smcp: Part ${index} of the result stayed at the Computer, as ${oneLine(handle)}: ${oneLine(error.message)}`
    )
  }
  if (failure !== undefined) return yield* failure
})

const isOfTool = ({ _tag, result }: ToolOutcome): boolean =>
  _tag === "Failed" && typeof ToolResult.mark(result, "error_code") !== "number"

const TOOL_NOT_FOUND = 4001

const failureOf = (outcome: ToolOutcome, { computer, timeout, tool }: CallOptions): Failure | undefined => {
  const { toolFailed } = exitCodes
  const said = oneLine(resultText(outcome.result))
  switch (outcome._tag) {
    case "Ok":
      return undefined
    case "Failed": {
      if (isOfTool(outcome)) {
        return new Failure({ message: `${tool} on ${computer} reported an error`, exitCode: toolFailed })
      }
      const advice = ToolResult.mark(outcome.result, "error_code") === TOOL_NOT_FOUND
        ? `. "smcp agent tools --computer ${computer}" lists what it has`
        : ""
      return new Failure({ message: said.replace(/\.$/, "") + advice, exitCode: toolFailed })
    }
    case "TimedOut":
      return new Failure({
        message: `${tool} on ${computer} took longer than ${timeout} s and was stopped; allow more with --timeout`,
        exitCode: exitCodes.timedOut
      })
    case "Cancelled":
      return new Failure({ message: `The call was cancelled: ${said}`, exitCode: exitCodes.cancelled })
    case "AuthorizationRequired":
      return new Failure({
        message: `${tool} needs an authorization that ${computer} does not have yet: ${said}`,
        exitCode: toolFailed
      })
    case "AuthorizationFailed":
      return new Failure({
        message: `${computer}'s authorization for ${tool} was refused: ${said}`,
        exitCode: toolFailed
      })
  }
}
