/**
 * How a command fails: one line that says what is wrong and what to do, and an
 * exit code.
 */
import * as Cause from "effect/Cause"
import * as Schema from "effect/Schema"
import * as ProtocolVersion from "../../protocol/ProtocolVersion.ts"
import * as Revision from "../../protocol/Revision.ts"
import * as SmcpError from "../../protocol/SmcpError.ts"
import { messageOf } from "../../protocol/Thrown.ts"
import type * as WireError from "../../protocol/WireError.ts"
import { type ExitCode, exitCodes } from "./exitCodes.ts"

/** A command that failed for a reason it can name; the message is empty when everything was said. */
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
  if (error instanceof Failure) return { exitCode: error.exitCode, line: oneLine(error.message) || undefined }
  if (error instanceof SmcpError.SmcpError) return ofSmcpError(error)
  const message = messageOf(error)
  return { exitCode: exitCodes.failed, line: `Unexpected: ${oneLine(message)} (--debug shows more)` }
}

/** Joins lines and drops what a terminal would obey. */
export const oneLine = (text: string): string =>
  text.replace(/\p{Bidi_Control}/gu, "").replace(/[\s\p{Cc}]+/gu, " ").trim()

/** What is wrong, in one line, and what to do about it. */
export const explain = (
  { reason }: SmcpError.SmcpError
): { readonly what: string; readonly advice: string | undefined } => ({
  what: oneLine(whatOf(reason)),
  advice: adviceOn(reason)
})

const ofSmcpError = (error: SmcpError.SmcpError): Report => {
  const { advice, what } = explain(error)
  return { exitCode: exitCodeOf(error.reason), line: sentence(what, advice) }
}

/** The message, with the kind of trouble where the code alone says little. */
const whatOf = (reason: SmcpError.Reason): string =>
  "reason" in reason && reason.reason !== undefined && !reason.message.includes(reason.reason)
    ? `${reason.message}: ${reason.reason}`
    : reason.message

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
      return "An office has one seat for an Agent, a --name of its own for each Computer, and one --revision for all"
    case "NotFound":
      return "\"smcp agent computers\" lists who sits in the office"
    case "BlobWriteFailed":
      return reason.reason === "forbidden"
        ? "The Computer takes files only when started with --landing-root"
        : undefined
    case "ConnectionLost":
      return reason.outcome === "unknown"
        ? "The call may have run; look before you repeat it"
        : "The call was not sent, so it can be repeated"
    default:
      return undefined
  }
}

const adviceOnVersion = (
  { clientVersion, details, serverVersion }: WireError.ProtocolVersionMismatch
): string => {
  const several = details?.["supported_versions"]
  const versions = Array.isArray(several) ? several.map(String) : serverVersion === undefined ? [] : [serverVersion]
  const spoken = `The Server speaks ${versions.length === 0 ? "another version" : versions.join(", ")}, this side ${
    clientVersion ?? "none it knows"
  }`
  const ids = versions.flatMap((version) => {
    const parsed = ProtocolVersion.parse(version)
    const id = `${parsed?.major}.${parsed?.minor}`
    return Object.hasOwn(Revision.revisions, id) ? [id] : []
  })
  return ids.length === 0
    ? `${spoken}: use a version of a2c-smcp that speaks it`
    : `${spoken}: use --revision ${ids.join(" or ")}`
}
