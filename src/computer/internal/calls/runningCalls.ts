/**
 * The tool calls that have not ended: each a fiber of its own, which ends when it is cancelled, when its deadline passes,
 * when its caller is interrupted, and with the scope.
 *
 * This is on the way of every call. One alarm serves all deadlines, and who watches is told that something changed, not what.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as References from "effect/References"
import * as Stream from "effect/Stream"
import type { Progress } from "../../McpClient.ts"
import type { RunningCall } from "../../ToolCalls.ts"
import { monotonicMillis } from "../monotonic.ts"
import { makeSignal } from "../signal.ts"

/** Why a call was ended from outside, if it was. */
export type EndedBy = "cancel" | "deadline" | undefined

/** How a call ended. */
export interface Ended<A> {
  readonly exit: Exit.Exit<A>
  readonly by: EndedBy
}

interface Run {
  call: RunningCall
  /** On the monotonic clock, in milliseconds. */
  readonly deadline: number
  fiber: Fiber.Fiber<unknown> | undefined
  by: EndedBy
}

/** The longest that a timer can wait. */
const LONGEST_SLEEP = 2_000_000_000

export const makeRunningCalls = Effect.gen(function*() {
  const clock = yield* Clock.Clock
  const fork = Effect.runForkWith(yield* Effect.context<never>())
  const runs = new Map<string, Run>()
  const { stream: changed, tell } = makeSignal()
  let alarm: { readonly at: number; readonly fiber: Fiber.Fiber<void> } | undefined
  const now = () => monotonicMillis(clock)
  const list = (): ReadonlyArray<RunningCall> => Array.from(runs.values(), ({ call }) => call)

  const end = (run: Run, by: EndedBy): void => {
    run.by ??= by
    run.fiber?.interruptUnsafe()
  }

  const watch = (deadline: number): void => {
    if (alarm !== undefined && alarm.at <= deadline) return
    alarm?.fiber.interruptUnsafe()
    const millis = Math.min(Math.max(1, Math.ceil(deadline - now())), LONGEST_SLEEP)
    // at least one, so that it does not ring before it is set
    alarm = { at: deadline, fiber: fork(Effect.andThen(Effect.sleep(millis), Effect.sync(ring))) }
  }

  /** Ends what is over, and watches what is next. */
  const ring = (): void => {
    alarm = undefined
    const time = now()
    let next = Infinity
    for (const run of runs.values()) {
      if (run.by !== undefined) continue
      if (run.deadline <= time) end(run, "deadline")
      else next = Math.min(next, run.deadline)
    }
    if (next !== Infinity) watch(next)
  }

  yield* Effect.addFinalizer(() =>
    Effect.suspend(() => {
      alarm?.fiber.interruptUnsafe()
      return Fiber.interruptAll(Array.from(runs.values(), ({ fiber }) => fiber).filter((fiber) => fiber !== undefined))
    })
  )

  return {
    has: (requestId: string): boolean => runs.has(requestId),
    list,
    /** The calls now, and again after every change. */
    changes: Stream.map(changed, list),
    cancel: (requestId: string): void => {
      const run = runs.get(requestId)
      if (run !== undefined) end(run, "cancel")
    },
    progressed: (requestId: string, progress: Progress): void => {
      const run = runs.get(requestId)
      if (run === undefined) return
      run.call = { ...run.call, progress }
      tell()
    },
    /** Runs a call whose id is free, in a fiber of its own, and tells how it ended. */
    run: <A>(call: RunningCall, timeoutMillis: number, effect: Effect.Effect<A>): Effect.Effect<Ended<A>> =>
      Effect.withFiber((caller) => {
        const { requestId } = call
        const run: Run = { call, deadline: now() + timeoutMillis, fiber: undefined, by: undefined }
        runs.set(requestId, run)
        const fiber = Effect.runForkWith(annotated(caller.context, requestId))(effect)
        run.fiber = fiber
        watch(run.deadline)
        tell()
        return Effect.callback((resume) => {
          fiber.addObserver((exit) => {
            runs.delete(requestId)
            tell()
            resume(Effect.succeed({ exit, by: run.by }))
          })
          return Fiber.interrupt(fiber)
        })
      })
  }
})

/** With the id of the request in all that is logged. */
const annotated = (context: Context.Context<never>, req_id: string): Context.Context<never> =>
  Context.add(context, References.CurrentLogAnnotations, {
    ...Context.get(context, References.CurrentLogAnnotations),
    req_id
  })
