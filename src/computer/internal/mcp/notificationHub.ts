import { type Cause, Effect, Queue, Stream } from "effect"

export interface NotificationHub<A> {
  readonly publish: (value: A) => void
  /** Ends every stream, after what is buffered. */
  readonly close: () => void
  readonly stream: Stream.Stream<A>
}

/**
 * Hands values to any number of streams, each with a buffer of its own that keeps the newest `capacity` values, so that
 * nobody slow holds up anybody. What comes before there is any stream waits for the first one.
 */
export const makeNotificationHub = <A>(capacity: number): NotificationHub<A> => {
  const subscribers = new Set<Queue.Queue<A, Cause.Done>>()
  let early: Array<A> | undefined = []
  let closed = false

  const subscribe = Effect.gen(function*() {
    const queue = yield* Queue.sliding<A, Cause.Done>(capacity)
    for (const value of early ?? []) Queue.offerUnsafe(queue, value)
    early = undefined
    if (closed) Queue.endUnsafe(queue)
    else subscribers.add(queue)
    return queue
  })

  return {
    publish: (value) => {
      if (early !== undefined) {
        early.push(value)
        if (early.length > capacity) early.shift()
      }
      for (const queue of subscribers) Queue.offerUnsafe(queue, value)
    },
    close: () => {
      closed = true
      for (const queue of subscribers) Queue.endUnsafe(queue)
      subscribers.clear()
    },
    stream: Stream.unwrap(
      Effect.acquireRelease(
        subscribe,
        (queue) => Effect.sync(() => subscribers.delete(queue)).pipe(Effect.andThen(Queue.shutdown(queue)))
      ).pipe(
        Effect.map(Stream.fromQueue)
      )
    )
  }
}
