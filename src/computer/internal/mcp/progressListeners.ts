import { Cause, type Context, Duration, Effect, Exit, Fiber } from "effect"
import type { Progress } from "../../McpClient.ts"

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
  const inboxes = new Map<unknown, Inbox>()
  let tokens = 0
  return {
    deliver: (params) => {
      const progress = readProgress(params)
      const inbox = inboxes.get(params["progressToken"])
      if (progress !== undefined && inbox !== undefined) take(inbox, progress)
    },
    listen: <A, E>(call: (progressToken: string) => Effect.Effect<A, E>, listener: Listener) =>
      Effect.withFiber((fiber): Effect.Effect<A, E> => {
        const token = `a2c-${++tokens}`
        const inbox: Inbox = { listener, context: fiber.context, waiting: undefined, reader: undefined }
        inboxes.set(token, inbox)
        return Effect.onExit(call(token), (exit) => {
          inboxes.delete(token)
          return inbox.reader === undefined
            ? Effect.void
            : finish(inbox.reader, Exit.isFailure(exit) && Cause.hasInterrupts(exit.cause))
        })
      })
  }
}

/** Most calls report nothing: there is a reader only while something waits. */
interface Inbox {
  readonly listener: Listener
  readonly context: Context.Context<never>
  /** What is not read yet; undefined while nobody reads. */
  waiting: Array<Progress> | undefined
  /** Whoever read last. */
  reader: Fiber.Fiber<void> | undefined
}

const take = (inbox: Inbox, progress: Progress): void => {
  const { alive, progress: onProgress } = inbox.listener
  alive?.()
  if (onProgress === undefined) return
  if (inbox.waiting !== undefined) {
    if (inbox.waiting.push(progress) > BUFFERED) inbox.waiting.shift()
    return
  }
  const waiting = [progress]
  inbox.waiting = waiting
  const read = Effect.whileLoop({
    while: () => waiting.length > 0,
    body: () => report(onProgress, waiting.shift()!),
    step: () => {}
  })
  inbox.reader = Effect.runForkWith(inbox.context)(Effect.ensuring(
    read,
    Effect.sync(() => {
      inbox.waiting = undefined
    })
  ))
}

/** Waits until all is read, though not for ever, and in a hurry not at all. */
const finish = (reader: Fiber.Fiber<void>, hurry: boolean): Effect.Effect<void> => {
  const stop = Fiber.interrupt(reader)
  return hurry
    ? stop
    : Effect.ensuring(Effect.interruptible(Fiber.await(reader)).pipe(Effect.timeoutOption(DRAIN), Effect.asVoid), stop)
}

const report = (onProgress: (progress: Progress) => Effect.Effect<void>, progress: Progress): Effect.Effect<void> =>
  Effect.suspend(() => onProgress(progress)).pipe(
    Effect.catchCauseIf(
      (cause) => !Cause.hasInterruptsOnly(cause),
      (cause) => Effect.logWarning("A progress listener failed", cause)
    )
  )
