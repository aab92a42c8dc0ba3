import { Cause, Duration, Effect, Exit, Fiber } from "effect"
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
    on: {
      readonly progress?: ((progress: Progress) => Effect.Effect<void>) | undefined
      /** Called the moment that progress arrives. */
      readonly alive?: (() => void) | undefined
    }
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
  const inboxes = new Map<unknown, (progress: Progress) => void>()
  let tokens = 0

  const listen = Effect.fnUntraced(function*<A, E>(
    call: (progressToken: string) => Effect.Effect<A, E>,
    { alive, progress: onProgress }: Parameters<ProgressListeners["listen"]>[1]
  ): Effect.fn.Return<A, E> {
    const token = `a2c-${++tokens}`
    const run = Effect.runForkWith(yield* Effect.context<never>())
    const waiting: Array<Progress> = []
    // most calls report nothing: a reader runs only while something waits
    let reader: Fiber.Fiber<void> | undefined
    let reading = false
    const read = Effect.whileLoop({
      while: () => waiting.length > 0,
      body: () => report(onProgress ?? ignore, waiting.shift()!),
      step: () => {}
    }).pipe(Effect.ensuring(Effect.sync(() => {
      reading = false
    })))
    inboxes.set(token, (progress) => {
      alive?.()
      if (onProgress === undefined) return
      if (waiting.push(progress) > BUFFERED) waiting.shift()
      if (reading) return
      reading = true
      reader = run(read)
    })
    return yield* call(token).pipe(
      Effect.onExit((exit) => {
        inboxes.delete(token)
        const hurry = Exit.isFailure(exit) && Cause.hasInterrupts(exit.cause)
        return reader === undefined || hurry
          ? Effect.void
          : Effect.interruptible(Fiber.await(reader)).pipe(Effect.timeoutOption(DRAIN), Effect.asVoid)
      }),
      Effect.ensuring(Effect.suspend(() => reader === undefined ? Effect.void : Fiber.interrupt(reader)))
    )
  })

  return {
    deliver: (params) => {
      const progress = readProgress(params)
      if (progress !== undefined) inboxes.get(params["progressToken"])?.(progress)
    },
    listen
  }
}

const ignore = () => Effect.void

const report = (onProgress: (progress: Progress) => Effect.Effect<void>, progress: Progress): Effect.Effect<void> =>
  Effect.suspend(() => onProgress(progress)).pipe(
    Effect.catchCauseIf(
      (cause) => !Cause.hasInterruptsOnly(cause),
      (cause) => Effect.logWarning("A progress listener failed", cause)
    )
  )
