/**
 * The version check that stands before every handler (specification,
 * versioning): a handshake whose `a2c_version` is missing, malformed or
 * incompatible is answered with HTTP 400 and a flat error.
 */
import * as ErrorPayload from "../../protocol/ErrorPayload.ts"
import * as ProtocolVersion from "../../protocol/ProtocolVersion.ts"
import type { Revision } from "../../protocol/Revision.ts"
import * as WireError from "../../protocol/WireError.ts"

/** Why a version does not pass, or undefined when it does. */
export const check = (
  revision: Revision,
  announced: string | undefined
): WireError.BadRequest | WireError.ProtocolVersionMismatch | undefined => {
  if (revision.handshake === "none") return undefined
  if (announced === undefined || announced === "") {
    return new WireError.BadRequest({ message: "Missing a2c_version query parameter" })
  }
  const client = ProtocolVersion.parse(announced)
  if (client === undefined) {
    return new WireError.BadRequest({ message: `Invalid a2c_version: Invalid version: ${announced.slice(0, 64)}` })
  }
  const server = ProtocolVersion.parse(revision.version)!
  if (ProtocolVersion.isCompatible(server, client)) return undefined
  const range = ProtocolVersion.supportedRange(server)
  return new WireError.ProtocolVersionMismatch({
    serverVersion: revision.version,
    clientVersion: announced,
    minSupported: range.min,
    maxSupported: range.max
  })
}

/** The HTTP response of a refusal, for polling and for an upgrade alike. */
export const refusal = (error: WireError.BadRequest | WireError.ProtocolVersionMismatch) => {
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
