import { Cause, type Context, Duration, Effect, Exit, Fiber } from "effect"
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
    on: Listener
  ) => Effect.Effect<A, E>
}

/** Who listens to the progress of a call. */
export interface Listener {
  readonly progress?: ((progress: Progress) => Effect.Effect<void>) | undefined
  /** Called the moment that progress arrives. */
  readonly alive?: (() => void) | undefined
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
  return {
    deliver: (params) => {
      const progress = readProgress(params)
      if (progress !== undefined) inboxes.get(params["progressToken"])?.(progress)
    },
    listen: <A, E>(call: (progressToken: string) => Effect.Effect<A, E>, on: Listener) =>
      Effect.withFiber((fiber): Effect.Effect<A, E> => {
        const token = `a2c-${++tokens}`
        const inbox = makeInbox(on, fiber.context)
        inboxes.set(token, inbox.take)
        return Effect.onExit(call(token), (exit) => {
          inboxes.delete(token)
          return inbox.end(Exit.isFailure(exit) && Cause.hasInterrupts(exit.cause))
        })
      })
  }
}

/** Most calls report nothing: a reader runs only while something waits. */
const makeInbox = ({ alive, progress: onProgress }: Listener, context: Context.Context<never>) => {
  const waiting: Array<Progress> = []
  let reader: Fiber.Fiber<void> | undefined
  let reading = false
  const read = (use: NonNullable<typeof onProgress>) =>
    Effect.whileLoop({
      while: () => waiting.length > 0,
      body: () => report(use, waiting.shift()!),
      step: () => {}
    }).pipe(Effect.ensuring(Effect.sync(() => {
      reading = false
    })))
  return {
    take: (progress: Progress): void => {
      alive?.()
      if (onProgress === undefined) return
      if (waiting.push(progress) > BUFFERED) waiting.shift()
      if (reading) return
      reading = true
      reader = Effect.runForkWith(context)(read(onProgress))
    },
    /** Waits until all is read, though not for ever, and in a hurry not at all. */
    end: (hurry: boolean): Effect.Effect<void> => {
      if (reader === undefined) return Effect.void
      const stop = Fiber.interrupt(reader)
      return hurry
        ? stop
        : Effect.ensuring(
          Effect.interruptible(Fiber.await(reader)).pipe(Effect.timeoutOption(DRAIN), Effect.asVoid),
          stop
        )
    }
  }
}

const report = (onProgress: (progress: Progress) => Effect.Effect<void>, progress: Progress): Effect.Effect<void> =>
  Effect.suspend(() => onProgress(progress)).pipe(
    Effect.catchCauseIf(
      (cause) => !Cause.hasInterruptsOnly(cause),
      (cause) => Effect.logWarning("A progress listener failed", cause)
    )
  )
