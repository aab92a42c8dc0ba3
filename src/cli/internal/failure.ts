/**
 * How a command fails: one line that says what is wrong and what to do, and an
 * exit code.
 */
import * as Cause from "effect/Cause"
import * as Schema from "effect/Schema"
import * as ProtocolVersion from "../../protocol/ProtocolVersion.ts"
import * as Revision from "../../protocol/Revision.ts"
import * as SmcpError from "../../protocol/SmcpError.ts"
import { type ExitCode, exitCodes } from "./exitCodes.ts"

/** A command that failed for a reason it can name. */
export class Failure extends Schema.TaggedError<Failure>()("Failure", {
  message: Schema.String,
  exitCode: Schema.Int
}) {}

/** The command line or a setting is wrong. */
export const usage = (message: string): Failure => new Failure({ message, exitCode: exitCodes.usage })

/** What is to be said about the end of a command. */
export interface Report {
  readonly exitCode: number
  /** One line, or undefined when everything was said. */
  readonly line: string | undefined
}

/** Reads why a command failed. */
export const report = (cause: Cause.Cause<unknown>): Report => {
  const error = Cause.squash(cause)
  if (error instanceof Failure) return { exitCode: error.exitCode, line: oneLine(error.message) }
  if (error instanceof SmcpError.SmcpError) return ofSmcpError(error)
  const message = error instanceof Error ? error.message : String(error)
  return { exitCode: exitCodes.failed, line: `Unexpected: ${oneLine(message)} (--debug shows more)` }
}

/** Joins lines and drops what a terminal would obey. */
export const oneLine = (text: string): string => text.replace(/[\s\p{Cc}]+/gu, " ").trim()

const ofSmcpError = (error: SmcpError.SmcpError): Report => {
  const { reason } = error
  const advice = adviceOn(reason)
  return { exitCode: exitCodeOf(reason), line: sentence(oneLine(reason.message), advice) }
}

const sentence = (what: string, advice: string | undefined): string =>
  advice === undefined ? what : `${what.replace(/[.;]$/, "")}. ${advice}`

const exitCodeOf = ({ _tag }: SmcpError.Reason): ExitCode => {
  switch (_tag) {
    case "ConfigInvalid":
    case "ListenFailed":
      return exitCodes.usage
    case "CallTimeout":
    case "RequestTimeout":
      return exitCodes.timedOut
    case "AlreadyInRoom":
    case "AuthenticationRejected":
    case "Forbidden":
    case "JoinRefused":
    case "NotConnected":
    case "ProtocolVersionMismatch":
    case "RoomFull":
    case "Unauthorized":
      return exitCodes.refused
    default:
      return exitCodes.failed
  }
}

const adviceOn = (reason: SmcpError.Reason): string | undefined => {
  switch (reason._tag) {
    case "AuthenticationRejected":
    case "Unauthorized":
      return "Give the Server's key with --api-key or SMCP_API_KEY"
    case "NotConnected":
      return "Check --url and that the Server runs"
    case "ProtocolVersionMismatch":
      return adviceOnVersion(reason)
    case "RoomFull":
    case "JoinRefused":
      return "An office has one seat for an Agent, and each Computer in it needs its own --name"
    case "NotFound":
      return "\"smcp agent computers\" lists who sits in the office"
    case "ConnectionLost":
      return reason.outcome === "unknown" ? "The call may have run; look before you repeat it" : undefined
    default:
      return undefined
  }
}

const adviceOnVersion = (
  { clientVersion, serverVersion }: { readonly clientVersion?: string; readonly serverVersion?: string }
): string => {
  const spoken = `The Server speaks ${serverVersion ?? "another version"}, this side ${
    clientVersion ?? "none it knows"
  }`
  const server = serverVersion === undefined ? undefined : ProtocolVersion.parse(serverVersion)
  const id = server === undefined ? undefined : `${server.major}.${server.minor}`
  return id !== undefined && id in Revision.revisions
    ? `${spoken}: use --revision ${id}`
    : `${spoken}: use a version of a2c-smcp that speaks it`
}
