/**
 * The requests of one connection that wait for their answers.
 *
 * They do not go through the MCP SDK: it would validate what it should pass on, and its signal, timer and promises for each
 * request cost more than the request.
 */
import { Effect } from "effect"
import { isRecord } from "../../../protocol/Json.ts"
import type { McpError } from "../../McpError.ts"
import type { Frame } from "./jsonRpcFrame.ts"
import type { Send } from "./listPages.ts"

type Result = Readonly<Record<string, unknown>>

export interface PendingRequestsOptions {
  readonly transport: { send(message: object): Promise<void> }
  /** What a request fails with whose message could not be sent. */
  readonly unsent: (error: unknown) => McpError
  /** What a request fails with that was answered by an error. */
  readonly refused: (error: Readonly<Record<string, unknown>>) => McpError
}

export interface PendingRequests {
  /** Sends a request and waits for its answer. Interrupting it tells the server. */
  readonly send: Send
  /** Takes a frame from the server; `false` when it is no answer. */
  readonly receive: (frame: Frame) => boolean
  /** Fails all that wait, and whatever is asked from now on. */
  readonly end: (error: McpError) => void
}

/** `first` is the first id that is free. */
export const makePendingRequests = (first: number, options: PendingRequestsOptions): PendingRequests => {
  const { refused, transport, unsent } = options
  const waiting = new Map<number, (answer: Effect.Effect<Result, McpError>) => void>()
  let next = first
  let ended: McpError | undefined

  const cancel = (requestId: number): void => {
    const params = { requestId, reason: "nobody waits for it any more" }
    // whoever does not take it has nothing to stop
    transport.send({ jsonrpc: "2.0", method: "notifications/cancelled", params }).catch(() => {})
  }

  return {
    send: (method, params) =>
      Effect.callback<Result, McpError>((resume) => {
        if (ended !== undefined) return resume(Effect.fail(ended))
        const id = next++
        waiting.set(id, resume)
        transport.send({ jsonrpc: "2.0", id, method, params }).catch((error: unknown) => {
          if (waiting.delete(id)) resume(Effect.fail(unsent(error)))
        })
        return Effect.sync(() => {
          if (waiting.delete(id)) cancel(id)
        })
      }),
    receive: ({ error, id, method, result }) => {
      if (method !== undefined) return false
      // some servers give numbers back as text
      const resume = waiting.get(Number(id))
      if (resume === undefined) return true
      waiting.delete(Number(id))
      if (isRecord(result)) resume(Effect.succeed(result))
      else if (isRecord(error)) resume(Effect.fail(refused(error)))
      return true
    },
    end: (error) => {
      ended = error
      const all = [...waiting.values()]
      waiting.clear()
      for (const resume of all) resume(Effect.fail(error))
    }
  }
}
