/**
 * Why a Socket.IO connection did not come about, as a typed error.
 */
import type { Socket } from "socket.io-client"
import * as ErrorPayload from "../../protocol/ErrorPayload.ts"
import * as SmcpError from "../../protocol/SmcpError.ts"
import * as refusedPeer from "./refusedPeer.ts"

/** Reads a `connect_error` of a socket that was to reach `url`. */
export const refusalOf = (socket: Socket, url: string, cause: Error): refusedPeer.Refusal => {
  const details: ConnectError = cause
  if (details.smcp !== undefined) return { error: details.smcp, final: true }
  const body = parse(details.context?.responseText)
  if (ErrorPayload.is(body) && details.description === 400 && body.code >= 400) {
    return { error: SmcpError.fromPayload(body), final: true }
  }
  // Socket.IO gives up on a socket that the namespace refused, and only then.
  if (!socket.active) return { error: refusedPeer.errorOf(details.data, details.message), final: true }
  const reason = describe(details.context?.statusText) ?? describe(details.description) ?? cause.message
  return {
    error: SmcpError.make(new SmcpError.NotConnected({ message: `Cannot reach the Server at ${url}: ${reason}` })),
    final: false
  }
}

interface ConnectError extends Error {
  /** Set by this package when it ends the connection itself. */
  readonly smcp?: SmcpError.SmcpError
  /** The data of a refusal by the namespace. */
  readonly data?: unknown
  /** The HTTP status or the error of a failed request. */
  readonly description?: unknown
  /** The request; its status text is the network error when no response came. */
  readonly context?: { readonly responseText?: string; readonly statusText?: unknown }
}

const describe = (description: unknown): string | undefined => {
  if (typeof description === "number") return `HTTP status ${description}`
  if (description instanceof Error && description.message !== "") return description.message
  const nested = (description as { readonly error?: unknown } | undefined)?.error
  return nested instanceof Error ? describe(nested) : undefined
}

const parse = (text: string | undefined): unknown => {
  try {
    return text === undefined ? undefined : JSON.parse(text)
  } catch {
    return undefined
  }
}
