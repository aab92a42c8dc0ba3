/**
 * Tool calls: consent, the call itself, what becomes of its result, and the record of it. An Agent's call and one from the
 * console take the same way.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import type * as Stream from "effect/Stream"
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
import { hasLimits, makeCallLimiter } from "./internal/calls/callLimits.ts"
import { errorText, outcomeOf, toWire } from "./internal/calls/callResult.ts"
import { makeOutputValidation } from "./internal/calls/outputValidation.ts"
import { type Ended, makeRunningCalls } from "./internal/calls/runningCalls.ts"
import type { RateLimited } from "./internal/calls/turnstile.ts"
import { authResult } from "./internal/oauth/authResult.ts"
import { publicMessage } from "./internal/publicMessage.ts"
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
export const layer: Layer.Layer<ToolCalls, never, Dependencies> = Layer.effect(ToolCalls, Effect.suspend(() => make))

// -----------------------------------------------------------------------------
// Internal
// -----------------------------------------------------------------------------

const make = Effect.gen(function*() {
  const registry = yield* ToolRegistry
  const desktop = yield* Desktop
  const runs = yield* makeRunningCalls
  const record = yield* makeRecorder
  const call = yield* makeCall(runs.progressed)

  const ended = ({ by, exit }: Ended<CallToolResult>, begun: Begun): Effect.Effect<CallToolResult> => {
    if (Exit.isSuccess(exit)) return Effect.succeed(exit.value)
    const { request } = begun
    if (by === "cancel") {
      return Effect.as(
        Effect.annotateLogs(Effect.logInfo(`cancelled ${request.tool_name}`), { req_id: request.req_id }),
        ToolResult.cancelled
      )
    }
    if (by === "deadline") {
      if (begun.verdict !== undefined) return Effect.succeed(ToolResult.timedOut(request.timeout))
      begun.verdict = unanswered({ exposedName: request.tool_name })
      return Effect.succeed(ToolResult.notConfirmed(begun.verdict.message))
    }
    return Cause.hasInterruptsOnly(exit.cause)
      ? Effect.succeed(ToolResult.executionFailed("the Computer is shutting down"))
      : Effect.as(
        Effect.logError(`The call of ${request.tool_name} died`, exit.cause),
        ToolResult.executionFailed("internal error")
      )
  }

  const conduct = (begun: Routed, prepare: Prepare): Effect.Effect<CallToolResult> => {
    const { request, route, since } = begun
    const running: RunningCall = {
      requestId: request.req_id,
      agent: request.agent,
      server: route.bundleId,
      exposedName: request.tool_name,
      since,
      progress: undefined
    }
    return Effect.andThen(
      desktop.used(route.bundleId),
      Effect.flatMap(runs.run(running, request.timeout * 1000, call(begun, prepare)), (end) => ended(end, begun))
    )
  }

  /** Follows every call. It does not fail: without a result nobody waits for one any more. */
  const concluded = (begun: Begun) => (exit: Exit.Exit<CallToolResult>): Effect.Effect<void> => {
    const recorded = record(begun, Exit.isSuccess(exit) ? exit.value : ToolResult.cancelled)
    // during the call its windows may have changed as well as at its beginning
    return begun.route === undefined ? recorded : Effect.andThen(desktop.used(begun.route.bundleId), recorded)
  }

  return ToolCalls.of({
    run: (request, prepare = Effect.succeed) =>
      Effect.flatMap(registry.resolve(request.tool_name), (route) =>
        Effect.clockWith((clock) => {
          // looking and registering happen without a suspension in between
          if (runs.has(request.req_id)) return Effect.fail(stillRunning(request.req_id))
          const begun: Begun = { request, route, since: clock.currentTimeMillisUnsafe(), verdict: undefined }
          const result = isRouted(begun)
            ? conduct(begun, prepare)
            : Effect.succeed(ToolResult.unknownTool(request.tool_name))
          return Effect.onExit(result, concluded(begun))
        })),
    cancel: (requestId) => Effect.sync(() => runs.cancel(requestId)),
    running: Effect.sync(runs.list),
    changes: runs.changes
  })
})

const stillRunning = (requestId: string): SmcpError.SmcpError =>
  SmcpError.make(new WireError.BadRequest({ message: `A call with req_id "${requestId}" is still running` }))

/** Writes down how a call ended, in the history and the audit log. */
const makeRecorder = Effect.gen(function*() {
  const history = yield* CallHistory
  const audit = yield* AuditLog
  const inputs = yield* Inputs
  return ({ request, route, since, verdict }: Begun, result: CallToolResult): Effect.Effect<void> =>
    Effect.clockWith((clock) => {
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
        durationMillis: clock.currentTimeMillisUnsafe() - since
      }
      return Effect.andThen(history.add(record), audit.write(record))
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

/** A call of a tool that there is. */
type Routed = Begun & { readonly route: Route }

const isRouted = (begun: Begun): begun is Routed => begun.route !== undefined

/** The way of one call: consent, the server, what becomes of its result. */
const makeCall = Effect.fnUntraced(
  function*(progressed: (requestId: string, progress: Progress) => void) {
    const consent = yield* Consent
    const manager = yield* McpManager
    const transform = yield* ResultTransform

    const validation = makeOutputValidation()
    const limiter = yield* makeCallLimiter<McpError>(manager)

    /** What the server answers. */
    const ask = ({ request, route, since }: Routed) => {
      const call = (onProgress: OnProgress, connected?: Effect.Effect<void>) =>
        manager.withClient(route.bundleId, (client) => {
          const { callTimeout } = route.entry.settings
          // the caller's own deadline goes on beside it
          const idleTimeout = callTimeout === undefined ? undefined : callTimeout * 1000
          const called = client.callTool(route.tool, request.params, { onProgress, idleTimeout })
          return connected === undefined ? called : Effect.andThen(connected, called)
        })
      const validated = (result: Readonly<Record<string, unknown>>): Effect.Effect<CallToolResult> =>
        route.entry.settings.validateOutput === undefined
          ? Effect.succeed(toWire(result))
          : Effect.map(validation.check(route, result), (other) => other ?? toWire(result))
      // the protocol has no event for progress, so it is for the operator's eyes
      const onProgress: OnProgress = (progress) =>
        Effect.suspend(() => {
          progressed(request.req_id, progress)
          return Effect.logInfo(`progress ${request.tool_name} ${describeProgress(progress)}`)
        })
      if (!hasLimits(route.entry)) return Effect.flatMap(call(onProgress), validated)
      return Effect.flatMap(Clock.currentTimeMillis, (now) =>
        limiter.run({
          route,
          args: request.params,
          patience: since + request.timeout * 1000 - now,
          onProgress,
          request: call,
          transform: validated
        }))
    }

    const execute = (begun: Routed, prepare: Prepare) => {
      const { request, route } = begun
      return ask(begun).pipe(
        Effect.flatMap((result) => prepare(result, route)),
        // last: scripts have no use for bytes that are not sent, and would send a copy of them
        Effect.flatMap((result) => transform.apply(route.entry, { result, tool: route.tool, args: request.params })),
        Effect.catch((error) =>
          Effect.as(
            Effect.logWarning(`${request.tool_name} failed: ${error.message}`),
            failureOf(error, route.bundleId)
          )
        )
      )
    }

    return (begun: Routed, prepare: Prepare): Effect.Effect<CallToolResult> => {
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
        })
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
