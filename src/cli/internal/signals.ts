/**
 * SIGINT and SIGTERM interrupt the running command; each command says which
 * exit code that makes.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as MutableRef from "effect/MutableRef"
import { type ExitCode, exitCodes } from "./exitCodes.ts"

/** The exit code of this process when a signal ends it. */
export const SignalExitCode = Context.Reference<MutableRef.MutableRef<ExitCode>>("a2c-smcp/cli/SignalExitCode", {
  defaultValue: () => MutableRef.make<ExitCode>(exitCodes.interrupted)
})

/** From here on, a signal ends the process with this exit code. */
export const signalMeans = (code: ExitCode): Effect.Effect<void> =>
  Effect.map(SignalExitCode, (reference) => void MutableRef.set(reference, code))
