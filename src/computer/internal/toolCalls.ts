/**
 * Tool calls that are running, each under its request id.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberMap from "effect/FiberMap"
import type * as Scope from "effect/Scope"
import * as SmcpError from "../../protocol/SmcpError.ts"
import type { CallToolResult, ToolCallReq } from "../../protocol/Tool.ts"
import * as ToolResult from "../../protocol/ToolResult.ts"
import * as WireError from "../../protocol/WireError.ts"
import type { Progress } from "../McpClient.ts"
import type { Route } from "../ToolRegistry.ts"
import { publicMessage } from "./publicMessage.ts"

export interface ToolCalls {
  /**
   * Runs a call until it ends, its deadline passes, it is cancelled, or its caller is interrupted. Whatever happens to the
   * tool is in the result. Fails with `BadRequest` when the request id is in use.
   */
  readonly run: (request: ToolCallReq, route: Route) => Effect.Effect<CallToolResult, SmcpError.SmcpError>
  /** Stops a call; nothing happens when none has this id. Does not wait. */
  readonly cancel: (requestId: string) => Effect.Effect<void>
  readonly size: Effect.Effect<number>
}

/** Makes a result fit to be sent; counts as part of the call. */
export type Prepare = (result: CallToolResult, route: Route) => Effect.Effect<CallToolResult>

/** The calls all end with the scope. */
export const makeToolCalls = Effect.fnUntraced(function*(
  prepare: Prepare
): Effect.fn.Return<ToolCalls, never, Scope.Scope> {
  const running = yield* FiberMap.make<string, CallToolResult, never>()
  const cancelled = new WeakSet<Fiber.Fiber<CallToolResult>>()

  const run = Effect.fnUntraced(function*(
    request: ToolCallReq,
    route: Route
  ): Effect.fn.Return<CallToolResult, SmcpError.SmcpError> {
    // looking and registering happen without a suspension in between
    if (FiberMap.hasUnsafe(running, request.req_id)) {
      return yield* Effect.fail(
        SmcpError.make(new WireError.BadRequest({ message: `A call with req_id "${request.req_id}" is still running` }))
      )
    }
    const fiber = yield* FiberMap.run(running, request.req_id, call(request, route, prepare), {
      startImmediately: true
    })
    const exit = yield* Effect.onInterrupt(Fiber.await(fiber), () => Fiber.interrupt(fiber))
    if (Exit.isSuccess(exit)) return exit.value
    if (cancelled.has(fiber)) {
      yield* Effect.annotateLogs(Effect.logInfo(`cancelled ${request.tool_name}`), { req_id: request.req_id })
      return ToolResult.cancelled
    }
    if (Cause.hasInterruptsOnly(exit.cause)) return ToolResult.executionFailed("the Computer is shutting down")
    yield* Effect.logError(`The call of ${request.tool_name} died`, exit.cause)
    return ToolResult.executionFailed("internal error")
  })

  return {
    run,
    cancel: (requestId) =>
      Effect.sync(() => {
        const fiber = FiberMap.getUnsafe(running, requestId)
        if (fiber._tag === "None") return
        cancelled.add(fiber.value)
        fiber.value.interruptUnsafe()
      }),
    size: FiberMap.size(running)
  }
})

const call = (request: ToolCallReq, route: Route, prepare: Prepare): Effect.Effect<CallToolResult> => {
  const { params, timeout, tool_name } = request
  return route.client.callTool(route.tool, params, {
    // the protocol has no event for progress, so it is for the operator's eyes
    onProgress: (progress) => Effect.logInfo(`progress ${tool_name} ${describeProgress(progress)}`)
  }).pipe(
    Effect.flatMap((result) => prepare(toWire(result), route)),
    Effect.catch((error) =>
      Effect.as(
        Effect.logWarning(`${tool_name} failed: ${error.message}`),
        ToolResult.executionFailed(publicMessage(error))
      )
    ),
    Effect.timeoutOrElse({
      duration: timeout * 1000,
      orElse: () => Effect.succeed(ToolResult.timedOut(timeout))
    }),
    Effect.annotateLogs({ req_id: request.req_id })
  )
}

/** The result as the MCP server gave it, with its metadata under the protocol's name for it, and only under that. */
const toWire = (result: Readonly<Record<string, unknown>>): CallToolResult => {
  if (!("_meta" in result)) return result
  const { _meta, ...rest } = result
  return { ...rest, meta: _meta } as CallToolResult
}

const describeProgress = ({ message, progress, total }: Progress): string =>
  [total === undefined ? `${progress}` : `${progress}/${total}`, message?.replace(/\s+/g, " ").slice(0, 200)]
    .filter((part) => part !== undefined)
    .join(" ")
