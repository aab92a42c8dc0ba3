import { isRecord } from "../../../protocol/Json.ts"
import { messageOf } from "../../../protocol/Thrown.ts"
import {
  AuthFailed,
  AuthRequired,
  Closed,
  Decode,
  Http,
  type McpErrorReason,
  UnsupportedProtocolVersion
} from "../../McpError.ts"
import { wireReason } from "./mcpReason.ts"

/** The longest text of a server that is shown. */
const SHOWN = 300
const LONGEST_CHALLENGE = 1000

const shorten = (text: string): string => {
  const line = text.replace(/\s+/g, " ").trim()
  return line.length > SHOWN ? `${line.slice(0, SHOWN)}…` : line
}

/** What a response says beside its body. */
export interface Refusal {
  readonly status: number
  readonly contentType: string
  readonly wwwAuthenticate: string | undefined
  readonly retryAfter: string | undefined
  readonly location: string | undefined
}

/** The reason for a refused login. `given`: whether there was one to refuse. */
export const authorizationReason = (
  refusal: Pick<Refusal, "status" | "wwwAuthenticate">,
  given: "nothing" | "a login" | "a renewed login"
): McpErrorReason => {
  const challenge = refusal.wwwAuthenticate === undefined
    ? {}
    : { challenge: refusal.wwwAuthenticate.slice(0, LONGEST_CHALLENGE) }
  if (refusal.status === 401 && given !== "a renewed login") {
    const detail = given === "nothing"
      ? "log in to it, or give it an Authorization header in its configuration (HTTP 401)"
      : "its login is not accepted, or no longer; log in again or change the Authorization header in its configuration " +
        "(HTTP 401)"
    return new AuthRequired({ detail, ...challenge })
  }
  return new AuthFailed({
    detail: refusal.status === 403
      ? "its login may not do this; check what it is allowed to do (HTTP 403)"
      : "it refuses a login that was just renewed; log in again (HTTP 401)",
    ...challenge
  })
}

/** The reason for a status that is no success. `body` is the beginning of what came with it. */
export const statusReason = (refusal: Refusal, body: string, clean: (text: string) => string): McpErrorReason => {
  const { contentType, location, status } = refusal
  if (status === 401 || status === 403) return authorizationReason(refusal, "nothing")
  const error = contentType === "application/json" ? rpcErrorOf(body) : undefined
  if (error !== undefined) {
    const reason = wireReason(error)
    if (reason instanceof UnsupportedProtocolVersion) return reason
  }
  const retryAfter = secondsOf(refusal.retryAfter)
  return new Http({
    status,
    detail: detailOf({ contentType, location, status, body, error, clean }),
    ...(retryAfter === undefined ? {} : { retryAfter })
  })
}

interface Described {
  readonly status: number
  readonly contentType: string
  readonly location: string | undefined
  readonly body: string
  readonly error: Readonly<Record<string, unknown>> | undefined
  readonly clean: (text: string) => string
}

const detailOf = ({ body, clean, contentType, error, location, status }: Described): string => {
  if (status >= 300 && status < 400) return `it redirects to ${clean(placeOf(location))}, which is not followed`
  // hidden before it is shortened: half of a secret is not known for one
  if (typeof error?.["message"] === "string") return shorten(clean(error["message"]))
  // pages for people say nothing in their first lines
  return contentType === "text/html" ? "" : shorten(clean(body))
}

/** A place without what may be secret in its URL. */
const placeOf = (location: string | undefined): string => {
  if (location === undefined) return "nowhere"
  return URL.canParse(location) ? new URL(location).origin : "another place"
}

const rpcErrorOf = (body: string): Readonly<Record<string, unknown>> | undefined => {
  try {
    const value: unknown = JSON.parse(body)
    return isRecord(value) && isRecord(value["error"]) ? value["error"] : undefined
  } catch {
    return undefined
  }
}

/** The seconds of a `Retry-After`, which names a time or a number of seconds. */
const secondsOf = (header: string | undefined): number | undefined => {
  if (header === undefined) return undefined
  if (/^\d+$/.test(header)) return Number(header)
  const at = Date.parse(header)
  return Number.isNaN(at) ? undefined : Math.max(0, Math.ceil((at - Date.now()) / 1000))
}

/** The reason for a request that got no response, or only a part of it. */
export const networkReason = (error: unknown, host: string): McpErrorReason => {
  const code = codeOf(error)
  if (code.startsWith("HPE_") || (error instanceof Error && error.name === "HTTPParserError")) {
    return new Decode({ detail: "it does not speak HTTP" })
  }
  return new Closed({ detail: describeNetwork(code, error, host), stderrTail: [] })
}

/** Whether nobody listens at the address, so that whatever was there before is gone. */
export const isRefusedConnection = (error: unknown): boolean => codeOf(error) === "ECONNREFUSED"

const codeOf = (error: unknown): string =>
  typeof error === "object" && error !== null && "code" in error && typeof error.code === "string" ? error.code : ""

const describeNetwork = (code: string, error: unknown, host: string): string => {
  switch (code) {
    case "ECONNREFUSED":
      return `nothing listens at ${host}`
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return `the host of ${host} is not known`
    case "UND_ERR_CONNECT_TIMEOUT":
    case "ETIMEDOUT":
      return `${host} could not be reached in time`
    case "ECONNRESET":
    case "EPIPE":
    case "UND_ERR_SOCKET":
      return `${host} broke off the connection`
    default:
      if (/CERT|TLS|SSL|SELF_SIGNED/.test(code)) return `the certificate of ${host} is not accepted (${code})`
      return `the request to ${host} failed (${shorten(code || messageOf(error))})`
  }
}
