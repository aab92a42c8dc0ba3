import { isRecord } from "../../protocol/Json.ts"
import {
  ConnectionClosed,
  InvalidResponse,
  type McpErrorReason,
  RequestFailed,
  UnsupportedProtocol
} from "../McpError.ts"
import { MalformedFrame } from "./jsonRpcFrame.ts"
import type { LineRing } from "./lineRing.ts"
import type { Loss } from "./stdioTransport.ts"

const UNSUPPORTED_PROTOCOL = -32022

/** The reason for a connection that was lost. */
export const lossReason = (loss: Loss | undefined, stderr: LineRing): McpErrorReason => {
  if (loss?.kind === "invalid") return new InvalidResponse({ detail: loss.detail })
  const { code = null, signal = null } = loss?.exit ?? {}
  return new ConnectionClosed({
    detail: loss?.detail ?? "it was closed",
    ...(code === null ? {} : { exitCode: code }),
    ...(signal === null ? {} : { signal }),
    stderr: stderr.last()
  })
}

/** The reason for an error response. */
export const wireReason = (error: Readonly<Record<string, unknown>>): McpErrorReason => {
  const { code, data, message } = error
  if (data instanceof MalformedFrame) return new InvalidResponse({ detail: data.detail })
  if (code === UNSUPPORTED_PROTOCOL && isRecord(data) && Array.isArray(data["supported"])) {
    return new UnsupportedProtocol({ supported: data["supported"].map(String) })
  }
  return new RequestFailed({
    code: Number(code),
    // a server that relays for another one with the SDK repeats its prefix
    message: String(message).replace(/^(MCP error -?\d+: )+/, ""),
    ...(data === undefined ? {} : { data })
  })
}
