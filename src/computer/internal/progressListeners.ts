import { Cause, Duration, Effect, Exit, Fiber, Queue, Stream } from "effect"
import type { Progress } from "../McpClient.ts"

/** More than this that waits for a slow listener is dropped, oldest first. */
const BUFFERED = 256
/** What a slow listener still gets once the call has ended. */
const DRAIN = Duration.seconds(2)

/**
 * Who listens to the progress of which call. The SDK's own way loses the last progress when it arrives together with
 * the result, so calls carry a token of ours.
 */
export interface ProgressListeners {
  /** Takes the parameters of a `notifications/progress`. */
  readonly deliver: (params: Readonly<Record<string, unknown>>) => void
  /** Runs `onProgress` for all progress of a call, one after the other, and all of it before the call returns. */
  readonly listen: <A, E>(
    call: (progressToken: string) => Effect.Effect<A, E>,
    onProgress: (progress: Progress) => Effect.Effect<void>
  ) => Effect.Effect<A, E>
}

const readProgress = (params: Readonly<Record<string, unknown>>): Progress | undefined => {
  const { message, progress, total } = params
  if (typeof progress !== "number") return undefined
  return {
    progress,
    ...(typeof total === "number" ? { total } : {}),
    ...(typeof message === "string" ? { message } : {})
  }
}

export const makeProgressListeners = (): ProgressListeners => {
  const queues = new Map<unknown, Queue.Queue<Progress, Cause.Done>>()
  let tokens = 0

  const listen = Effect.fnUntraced(function*<A, E>(
    call: (progressToken: string) => Effect.Effect<A, E>,
    onProgress: (progress: Progress) => Effect.Effect<void>
  ): Effect.fn.Return<A, E> {
    const token = `a2c-${++tokens}`
    const queue = yield* Queue.sliding<Progress, Cause.Done>(BUFFERED)
    const consumer = yield* Stream.fromQueue(queue).pipe(
      Stream.runForEach((progress) =>
        Effect.suspend(() => onProgress(progress)).pipe(
          Effect.catchCauseIf(
            (cause) => !Cause.hasInterruptsOnly(cause),
            (cause) => Effect.logWarning("A progress listener failed", cause)
          )
        )
      ),
      Effect.forkChild({ startImmediately: true })
    )
    queues.set(token, queue)
    return yield* call(token).pipe(
      Effect.onExit((exit) => {
        if (Exit.isFailure(exit) && Cause.hasInterrupts(exit.cause)) return Effect.void
        Queue.endUnsafe(queue)
        return Effect.interruptible(Fiber.await(consumer)).pipe(Effect.timeoutOption(DRAIN))
      }),
      Effect.ensuring(
        Effect.suspend(() => {
          queues.delete(token)
          return Fiber.interrupt(consumer)
        })
      )
    )
  })

  return {
    deliver: (params) => {
      const progress = readProgress(params)
      const queue = queues.get(params["progressToken"])
      if (progress !== undefined && queue !== undefined) Queue.offerUnsafe(queue, progress)
    },
    listen
  }
}
