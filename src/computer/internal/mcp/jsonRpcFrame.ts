/**
 * JSON-RPC frames as MCP servers really send them.
 *
 * The MCP SDK drops a frame that deviates from its schema, and the call that waits for it then waits for ever. Frames
 * are therefore brought into the expected form first; where that cannot be done, the call gets an error at once.
 */

import { isRecord } from "../../../protocol/Json.ts"
import { Decode, type McpErrorReason } from "../../McpError.ts"
import { describeType } from "./listPages.ts"

export type Frame = Readonly<Record<string, unknown>>

/** The `data` of an error response that was made here, in place of one that did not come or that nobody could read. */
export class LocalFailure {
  readonly reason: McpErrorReason
  constructor(reason: McpErrorReason) {
    this.reason = reason
  }
}

export const isId = (id: unknown): id is string | number => typeof id === "string" || Number.isSafeInteger(id)

const INVALID_PARAMS = -32602
const INTERNAL_ERROR = -32603

/**
 * The error response to a request that cannot be sent, `undefined` when the message is not a request. The SDK never
 * forgets a request whose `send` was rejected, so such a request is answered instead.
 */
export const refusal = (message: object, detail: string): Frame | undefined => {
  const id: unknown = "id" in message && "method" in message ? message.id : undefined
  return isId(id) ? { jsonrpc: "2.0", id, error: { code: INVALID_PARAMS, message: detail } } : undefined
}

/** The response to request `id` that ends it for a reason of ours. */
export const failedResponse = (id: string | number, reason: McpErrorReason): Frame => ({
  jsonrpc: "2.0",
  id,
  error: { code: INTERNAL_ERROR, message: reason.message, data: new LocalFailure(reason) }
})

const malformedResponse = (id: string | number, detail: string): Frame => failedResponse(id, new Decode({ detail }))

/** How much is kept of a text, for `McpError` to hide secrets in and to shorten. */
const LONGEST_TEXT = 8_000

/** Never as JSON: what is nested too deep cannot be written. */
const describeValue = (value: unknown): string =>
  typeof value === "string" ? JSON.stringify(value.slice(0, LONGEST_TEXT)) : describeType(value)

const errorResponse = (id: string | number, error: unknown): Frame => {
  if (!isRecord(error)) {
    return malformedResponse(id, `"error" is not an object but ${describeValue(error)}`)
  }
  return {
    jsonrpc: "2.0",
    id,
    error: {
      code: Number.isSafeInteger(error["code"]) ? error["code"] : INTERNAL_ERROR,
      message: typeof error["message"] === "string" ? error["message"] : "the server gave no error message",
      ...(error["data"] === undefined ? {} : { data: error["data"] })
    }
  }
}

/**
 * The frame in the form the SDK accepts, or `undefined` when it is not a JSON-RPC frame or belongs to no request.
 *
 * Results and parameters are kept as they are; only what stands around them is changed.
 */
export const normaliseFrame = (value: unknown): Frame | undefined => {
  if (!isRecord(value)) return undefined
  const { error, id, method, params, result } = value
  if (typeof method === "string") {
    if (id !== undefined && id !== null && !isId(id)) return undefined
    return { jsonrpc: "2.0", ...(isId(id) ? { id } : {}), method, ...(isRecord(params) ? { params } : {}) }
  }
  if (!isId(id)) return undefined
  if (error !== undefined && error !== null) return errorResponse(id, error)
  if (isRecord(result)) return { jsonrpc: "2.0", id, result }
  if (result !== undefined) {
    return malformedResponse(id, `"result" is not an object but ${describeValue(result)}`)
  }
  // a structured log line may well have an `id`: only a frame that claims to be JSON-RPC ends a call
  return value["jsonrpc"] === undefined ? undefined : malformedResponse(id, "neither result nor error")
}
