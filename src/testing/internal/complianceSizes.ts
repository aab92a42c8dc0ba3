/**
 * Compliance cases: messages larger than the server takes.
 */
import * as Effect from "effect/Effect"
import * as ClientEvent from "../../protocol/ClientEvent.ts"
import * as RequestId from "../../protocol/RequestId.ts"
import {
  Ask,
  behaviour,
  type Case,
  expectEqual,
  expectReason,
  LONG,
  meet,
  Order,
  replyWith,
  serve
} from "./complianceKit.ts"

/** Messages larger than the server takes. */
export const sizes: ReadonlyArray<Case> = [
  behaviour(
    "knows that a message is too large before it is sent, and stays connected",
    (harness) =>
      Effect.gen(function*() {
        const office = yield* serve(harness, { receive: (_, __, { value }) => replyWith(String(value).length) })
        const { client } = yield* meet(harness, office)
        const limit = yield* client.maxPayload
        // two bytes a letter
        const fits = "é".repeat(Math.floor(limit / 2) - 500)
        const reason = yield* expectReason("the call", "PayloadTooLarge", client.call(Ask, fits + "é".repeat(500)))
        yield* expectEqual("the limit", reason.limit, limit)
        yield* expectEqual("the answer to the largest", yield* client.call(Ask, fits), fits.length)
      })
  ),

  behaviour(
    "answers with an error in place of an answer that is too large, and stays connected",
    (harness) =>
      Effect.gen(function*() {
        const office = yield* serve(harness)
        const { client, connection } = yield* meet(harness, office)
        const limit = yield* client.maxPayload
        yield* client.handle(Order, (size) => Effect.succeed("x".repeat(Number(size))))
        yield* client.handle(
          ClientEvent.ToolCall,
          () => Effect.succeed({ content: [{ type: "text", text: "x".repeat(limit) }] })
        )
        const [error] = (yield* connection.call(Order.name, { value: limit }, LONG)).args
        yield* expectEqual("the code", (error as { readonly code?: number }).code, 500)
        const request = { agent: "A", req_id: RequestId.make(), computer: "C", tool_name: "t", params: {}, timeout: 10 }
        const [result] = (yield* connection.call(ClientEvent.ToolCall.name, { value: request }, LONG)).args
        yield* expectEqual("whether the tool's result is a failed one", (result as { isError?: unknown }).isError, true)
        yield* expectEqual("a small answer", (yield* connection.call(Order.name, { value: 2 }, LONG)).args, ["xx"])
      })
  )
]
