import { Duration, Effect } from "effect"
import { McpError, Timeout } from "../../McpError.ts"
import { monotonicMillis } from "../monotonic.ts"

export interface CallDeadline {
  /** How long a call may go without an answer or a sign of life. */
  readonly idle: Duration.Input | undefined
  /** How long it may take at all. */
  readonly max: Duration.Input | undefined
}

/**
 * Ends a call, with `Timeout`, that says nothing for too long, or that takes too long. The call is given what to do at a
 * sign of life; as long as `isBusy` it is not idle either.
 */
export const withCallDeadline = <A>(
  method: string,
  deadline: CallDeadline,
  isBusy: () => boolean,
  call: (alive: (() => void) | undefined) => Effect.Effect<A, McpError>
): Effect.Effect<A, McpError> => {
  const idle = toMillis(deadline.idle)
  const max = toMillis(deadline.max)
  if (idle === Infinity && max === Infinity) return call(undefined)
  return Effect.clockWith((clock) => {
    const since = monotonicMillis(clock)
    let last = since
    const watch = Effect.gen(function*() {
      while (true) {
        const now = monotonicMillis(clock)
        if (isBusy()) last = now
        const left = Math.min(last + idle, since + max) - now
        if (left <= 0) {
          const isIdle = since + max > now
          const seconds = (isIdle ? idle : max) / 1000
          return yield* new McpError({ reason: new Timeout({ method, seconds, ...(isIdle ? { idle: true } : {}) }) })
        }
        yield* Effect.sleep(Math.min(left, isBusy() ? BUSY_MILLIS : left))
      }
    })
    return Effect.raceFirst(
      call(() => {
        last = monotonicMillis(clock)
      }),
      watch
    )
  })
}

/** How often it is looked whether somebody is still being asked. Milliseconds. */
const BUSY_MILLIS = 1_000

const toMillis = (duration: Duration.Input | undefined): number =>
  duration === undefined ? Infinity : Duration.toMillis(duration)
