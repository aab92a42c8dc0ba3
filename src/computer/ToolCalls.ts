/**
 * Tool calls: consent, the call itself, what becomes of its result, and the record of it. An Agent's call and one from the
 * console take the same way.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberMap from "effect/FiberMap"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import * as SmcpError from "../protocol/SmcpError.ts"
import type { CallToolResult, ToolCallReq } from "../protocol/Tool.ts"
import * as ToolResult from "../protocol/ToolResult.ts"
import * as WireError from "../protocol/WireError.ts"
import { AuditLog } from "./AuditLog.ts"
import { CallHistory } from "./CallHistory.ts"
import type { CallRecord } from "./CallRecord.ts"
import { Consent, unanswered, type Verdict } from "./Consent.ts"
import { Desktop } from "./Desktop.ts"
import { Inputs } from "./Inputs.ts"
import { authResult } from "./internal/authResult.ts"
import { hasLimits, makeCallLimiter } from "./internal/callLimits.ts"
import { errorText, outcomeOf, toWire } from "./internal/callResult.ts"
import { publicMessage } from "./internal/publicMessage.ts"
import type { RateLimited } from "./internal/turnstile.ts"
import type { Progress } from "./McpClient.ts"
import type { McpError } from "./McpError.ts"
import { McpManager } from "./McpManager.ts"
import { ResultTransform } from "./ResultTransform.ts"
import { type Route, ToolRegistry } from "./ToolRegistry.ts"

// -----------------------------------------------------------------------------
// Models
// -----------------------------------------------------------------------------

/** What is asked for; `timeout` is in seconds. */
export type ToolCall = Pick<ToolCallReq, "agent" | "req_id" | "tool_name" | "params" | "timeout">

/** A call that has not ended yet. */
export interface RunningCall {
  readonly requestId: string
  /** Who called: the Agent's name, or `console`. */
  readonly agent: string
  /** The bundle id of the server. */
  readonly server: string
  /** The name under which the tool was called. */
  readonly exposedName: string
  /** When it began, in milliseconds since 1970. */
  readonly since: number
  /** How far its server says it has come. */
  readonly progress: Progress | undefined
}

/** Makes a result fit to be sent; counts as part of the call. */
export type Prepare = (result: CallToolResult, route: Route) => Effect.Effect<CallToolResult>

// -----------------------------------------------------------------------------
// Service
// -----------------------------------------------------------------------------

/** The tool calls of a Computer. They all end with the layer. */
export class ToolCalls extends Context.Service<ToolCalls, {
  /**
   * Runs a call until it ends, its deadline passes, it is cancelled, or its caller is interrupted. Whatever happens to the
   * tool is in the result. Fails with `BadRequest` when the request id is in use.
   */
  readonly run: (call: ToolCall, prepare?: Prepare) => Effect.Effect<CallToolResult, SmcpError.SmcpError>
  /** Stops a call; nothing happens when none has this id. Does not wait. */
  readonly cancel: (requestId: string) => Effect.Effect<void>
  /** The calls that are running, the oldest first. */
  readonly running: Effect.Effect<ReadonlyArray<RunningCall>>
  /** The calls that are running now, and again whenever one begins, comes further or ends. */
  readonly changes: Stream.Stream<ReadonlyArray<RunningCall>>
}>()("a2c-smcp/computer/ToolCalls") {}

type Dependencies =
  | ToolRegistry
  | McpManager
  | Desktop
  | Consent
  | ResultTransform
  | CallHistory
  | AuditLog
  | Inputs

/** Tool calls on the servers of the `McpManager`. */
export const layer: Layer.Layer<ToolCalls, never, Dependencies> = Layer.effect(ToolCalls, Effect.suspend(() => make()))

// -----------------------------------------------------------------------------
// Internal
// -----------------------------------------------------------------------------

const make = Effect.fnUntraced(function*(): Effect.fn.Return<ToolCalls["Service"], never, Dependencies | Scope.Scope> {
  const registry = yield* ToolRegistry
  const desktop = yield* Desktop
  const history = yield* CallHistory
  const audit = yield* AuditLog
  const inputs = yield* Inputs
  const fibers = yield* FiberMap.make<string, CallToolResult, never>()
  const running = yield* SubscriptionRef.make<ReadonlyArray<RunningCall>>([])
  const cancelled = new WeakSet<Fiber.Fiber<CallToolResult>>()
  const call = yield* makeCall((requestId, progress) =>
    SubscriptionRef.update(
      running,
      (all) => all.map((each) => each.requestId === requestId ? { ...each, progress } : each)
    )
  )

  const ended = Effect.fnUntraced(function*(
    request: ToolCall,
    exit: Exit.Exit<CallToolResult>,
    wasCancelled: boolean
  ): Effect.fn.Return<CallToolResult> {
    if (Exit.isSuccess(exit)) return exit.value
    if (wasCancelled) {
      yield* Effect.annotateLogs(Effect.logInfo(`cancelled ${request.tool_name}`), { req_id: request.req_id })
      return ToolResult.cancelled
    }
    if (Cause.hasInterruptsOnly(exit.cause)) return ToolResult.executionFailed("the Computer is shutting down")
    yield* Effect.logError(`The call of ${request.tool_name} died`, exit.cause)
    return ToolResult.executionFailed("internal error")
  })

  const recorded = Effect.fnUntraced(function*(begun: Begun, result: CallToolResult) {
    const { request, route, since, verdict } = begun
    const outcome = verdict?._tag === "Refused" ? "refused" : outcomeOf(result)
    const record: CallRecord = {
      time: since,
      requestId: request.req_id,
      agent: request.agent,
      server: route?.bundleId,
      tool: route?.tool ?? request.tool_name,
      exposedName: request.tool_name,
      args: request.params,
      inputSchema: route?.definition.inputSchema,
      outcome,
      error: outcome === "ok"
        ? undefined
        : errorText(result, (text) => route === undefined ? text : inputs.hideSecrets(route.bundleId, text)),
      decidedBy: verdict?.by,
      durationMillis: (yield* Clock.currentTimeMillis) - since
    }
    yield* history.add(record)
    yield* audit.write(record)
  })

  const runRoute = Effect.fnUntraced(function*(
    begun: Begun & { readonly route: Route },
    prepare: Prepare
  ): Effect.fn.Return<CallToolResult> {
    const { request, route, since } = begun
    const fiber = yield* FiberMap.run(fibers, request.req_id, call(begun, prepare), { startImmediately: true })
    const mine: RunningCall = {
      requestId: request.req_id,
      agent: request.agent,
      server: route.bundleId,
      exposedName: request.tool_name,
      since,
      progress: undefined
    }
    yield* SubscriptionRef.update(running, (all) => [...all, mine])
    const exit = yield* Effect.onInterrupt(Fiber.await(fiber), () => Fiber.interrupt(fiber)).pipe(
      Effect.ensuring(
        SubscriptionRef.update(running, (all) => all.filter(({ requestId }) => requestId !== request.req_id))
      )
    )
    return yield* ended(request, exit, cancelled.has(fiber))
  })

  const run: ToolCalls["Service"]["run"] = Effect.fnUntraced(
    function*(request, prepare = (result) => Effect.succeed(result)) {
      const begun: Begun = {
        request,
        route: yield* registry.resolve(request.tool_name),
        since: yield* Clock.currentTimeMillis,
        verdict: undefined
      }
      const { route } = begun
      // looking and registering happen without a suspension in between
      if (FiberMap.hasUnsafe(fibers, request.req_id)) {
        return yield* Effect.fail(
          SmcpError.make(
            new WireError.BadRequest({ message: `A call with req_id "${request.req_id}" is still running` })
          )
        )
      }
      const result = route === undefined
        ? Effect.succeed(ToolResult.unknownTool(request.tool_name))
        // during the call its windows may change as well as at its end
        : Effect.andThen(desktop.used(route.bundleId), runRoute(Object.assign(begun, { route }), prepare)).pipe(
          Effect.ensuring(desktop.used(route.bundleId))
        )
      // it does not fail: without a result nobody waits for one any more
      return yield* Effect.onExit(
        result,
        (exit) => recorded(begun, Exit.isSuccess(exit) ? exit.value : ToolResult.cancelled)
      )
    }
  )

  return ToolCalls.of({
    run,
    cancel: (requestId) =>
      Effect.sync(() => {
        const fiber = FiberMap.getUnsafe(fibers, requestId)
        if (fiber._tag === "None") return
        cancelled.add(fiber.value)
        fiber.value.interruptUnsafe()
      }),
    running: SubscriptionRef.get(running),
    changes: SubscriptionRef.changes(running)
  })
})

/** A call as far as it has come. */
interface Begun {
  readonly request: ToolCall
  readonly route: Route | undefined
  readonly since: number
  /** Set when there is one. */
  verdict: Verdict | undefined
}

/** The way of one call: consent, the server, the transform, all within the caller's deadline. */
const makeCall = Effect.fnUntraced(
  function*(progressed: (requestId: string, progress: Progress) => Effect.Effect<void>) {
    const consent = yield* Consent
    const manager = yield* McpManager
    const transform = yield* ResultTransform

    const limiter = yield* makeCallLimiter<McpError>(manager)

    /** What the server answers, transformed. */
    const ask = ({ request, route, since }: Begun & { readonly route: Route }) => {
      const call = (onProgress: OnProgress, connected?: Effect.Effect<void>) =>
        manager.withClient(route.bundleId, (client) => {
          const { callTimeout } = route.entry.settings
          // the caller's own deadline goes on beside it
          const idleTimeout = callTimeout === undefined ? undefined : callTimeout * 1000
          const called = Effect.map(client.callTool(route.tool, request.params, { onProgress, idleTimeout }), toWire)
          return connected === undefined ? called : Effect.andThen(connected, called)
        })
      const transformed = (result: CallToolResult) =>
        transform.apply(route.entry, { result, tool: route.tool, args: request.params })
      // the protocol has no event for progress, so it is for the operator's eyes
      const onProgress: OnProgress = (progress) =>
        Effect.andThen(
          progressed(request.req_id, progress),
          Effect.logInfo(`progress ${request.tool_name} ${describeProgress(progress)}`)
        )
      if (!hasLimits(route.entry)) return Effect.flatMap(call(onProgress), transformed)
      return Effect.flatMap(Clock.currentTimeMillis, (now) =>
        limiter.run({
          route,
          args: request.params,
          patience: since + request.timeout * 1000 - now,
          onProgress,
          request: call,
          transform: transformed
        }))
    }

    const execute = (begun: Begun & { readonly route: Route }, prepare: Prepare) =>
      ask(begun).pipe(
        Effect.flatMap((result) => prepare(result, begun.route)),
        Effect.catch((error) =>
          Effect.as(
            Effect.logWarning(`${begun.request.tool_name} failed: ${error.message}`),
            failureOf(error, begun.route.bundleId)
          )
        )
      )

    return (begun: Begun & { readonly route: Route }, prepare: Prepare): Effect.Effect<CallToolResult> => {
      const { request, route } = begun
      return consent.check({
        requestId: request.req_id,
        agent: request.agent,
        server: route.bundleId,
        tool: route.tool,
        exposedName: request.tool_name,
        args: request.params,
        definition: route.definition,
        entry: route.entry,
        autoApply: route.autoApply
      }).pipe(
        Effect.flatMap((verdict) => {
          begun.verdict = verdict
          return verdict._tag === "Refused"
            ? Effect.succeed(ToolResult.notConfirmed(verdict.message))
            : execute(begun, prepare)
        }),
        Effect.timeoutOrElse({
          duration: request.timeout * 1000,
          orElse: () =>
            Effect.sync(() => {
              if (begun.verdict !== undefined) return ToolResult.timedOut(request.timeout)
              begun.verdict = unanswered({ exposedName: request.tool_name })
              return ToolResult.notConfirmed(begun.verdict.message)
            })
        }),
        Effect.annotateLogs({ req_id: request.req_id })
      )
    }
  }
)

type OnProgress = (progress: Progress) => Effect.Effect<void>

const failureOf = (error: McpError | RateLimited, bundleId: string): CallToolResult => {
  if (error._tag === "RateLimited") return ToolResult.rateLimited(error.message, error.retryAfter)
  if (error.reason._tag === "Timeout") return ToolResult.timedOut(error.reason.seconds)
  return error.reason._tag === "AuthRequired" || error.reason._tag === "AuthFailed"
    ? authResult(bundleId, error.reason)
    : ToolResult.executionFailed(publicMessage(error))
}

const describeProgress = ({ message, progress, total }: Progress): string =>
  [total === undefined ? `${progress}` : `${progress}/${total}`, message?.replace(/\s+/g, " ").slice(0, 200)]
    .filter((part) => part !== undefined)
    .join(" ")
