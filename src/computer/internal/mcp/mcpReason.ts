import { isRecord } from "../../../protocol/Json.ts"
import { Closed, Exit, type McpErrorReason, Rpc, TooLarge, UnsupportedProtocolVersion } from "../../McpError.ts"
import type { LineRing } from "../process/lineRing.ts"
import { LocalFailure } from "./jsonRpcFrame.ts"
import type { Loss } from "./wireTransport.ts"

const UNSUPPORTED_PROTOCOL = -32022
/** How many versions of a server are named. */
const MAX_VERSIONS = 20

/** The reason for a connection that was lost. */
export const lossReason = (loss: Loss | undefined, stderr: LineRing): McpErrorReason => {
  const stderrTail = stderr.last()
  if (loss?.limit !== undefined) return new TooLarge({ limit: loss.limit })
  return loss?.exit === undefined
    ? new Closed({ detail: loss?.detail ?? "it was closed", stderrTail })
    : new Exit({ ...loss.exit, stderrTail })
}

/** The reason for an error response. */
export const wireReason = (error: Readonly<Record<string, unknown>>): McpErrorReason => {
  const { code, data, message } = error
  if (data instanceof LocalFailure) return data.reason
  if (code === UNSUPPORTED_PROTOCOL && isRecord(data) && Array.isArray(data["supported"])) {
    const supported = data["supported"].filter((version) => typeof version === "string").slice(0, MAX_VERSIONS)
    return new UnsupportedProtocolVersion({ supported })
  }
  return new Rpc({
    code: Number(code),
    // a server that relays for another one with the SDK repeats its prefix
    message: String(message).replace(/^(MCP error -?\d+: )+/, ""),
    ...(data === undefined ? {} : { data })
  })
}
