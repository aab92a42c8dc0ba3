/**
 * The version check that stands before every handler (specification,
 * versioning): it chooses the revision of a session, or answers the handshake
 * with HTTP 400 and a flat error.
 */
import type * as Arr from "effect/Array"
import * as Result from "effect/Result"
import * as ErrorPayload from "../../protocol/ErrorPayload.ts"
import * as ProtocolVersion from "../../protocol/ProtocolVersion.ts"
import type { Revision } from "../../protocol/Revision.ts"
import * as WireError from "../../protocol/WireError.ts"

/** Why a handshake does not pass. */
export type Refusal = WireError.BadRequest | WireError.ProtocolVersionMismatch

/**
 * The revision, among those of a listener, that a handshake asks for.
 * `revisions` has the newest first.
 */
export const choose = (
  revisions: Arr.NonEmptyReadonlyArray<Revision>,
  announced: string | undefined
): Result.Result<Revision, Refusal> => {
  const unasked = revisions.find(({ handshake }) => handshake === "none")
  // Servers of such a revision look at no version, and clients of later ones rely on being let in.
  if (unasked !== undefined && revisions.length === 1) return Result.succeed(unasked)
  if (announced === undefined || announced === "") {
    return unasked === undefined ? refuse("Missing a2c_version query parameter") : Result.succeed(unasked)
  }
  const client = ProtocolVersion.parse(announced)
  if (client === undefined) return refuse(`Invalid a2c_version: Invalid version: ${announced.slice(0, 64)}`)
  const chosen = revisions.find((revision) => ProtocolVersion.isCompatible(versionOf(revision), client))
  return chosen === undefined ? Result.fail(mismatch(revisions, announced)) : Result.succeed(chosen)
}

const refuse = (message: string) => Result.fail(new WireError.BadRequest({ message }))

const versionOf = (revision: Revision) => ProtocolVersion.parse(revision.version)!

/** The range reaches from the oldest to the newest revision; where it has gaps, `details` says what lies in it. */
const mismatch = (revisions: Arr.NonEmptyReadonlyArray<Revision>, clientVersion: string) => {
  const [newest] = revisions
  const oldest = revisions[revisions.length - 1]!
  return new WireError.ProtocolVersionMismatch({
    serverVersion: newest.version,
    clientVersion,
    minSupported: ProtocolVersion.supportedRange(versionOf(oldest)).min,
    maxSupported: ProtocolVersion.supportedRange(versionOf(newest)).max,
    ...(revisions.length > 1 ? { details: { supported_versions: revisions.map(({ version }) => version) } } : {})
  })
}

/** The HTTP response of a refusal, for polling and for an upgrade alike. */
export const refusal = (error: Refusal) => {
  const body = flatJson(ErrorPayload.encode(error))
  return {
    status: 400,
    reason: "Bad Request",
    headers: {
      "Content-Type": "application/json",
      "Content-Length": String(Buffer.byteLength(body)),
      Connection: "close",
      ...(error._tag === "ProtocolVersionMismatch" ? { "X-A2C-Error-Code": "4008" } : {})
    },
    body
  } as const
}

// The official server writes a space after ":" and ","; some peers compare the bytes.
const flatJson = (payload: Readonly<Record<string, unknown>>): string =>
  `{${Object.entries(payload).map(([key, field]) => `${JSON.stringify(key)}: ${JSON.stringify(field)}`).join(", ")}}`
