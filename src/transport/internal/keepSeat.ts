/**
 * Takes the seat again under every session that does not have it.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as SmcpError from "../../protocol/SmcpError.ts"
import * as Background from "../Background.ts"
import { type Intent, kept, type Target } from "./membershipIntent.ts"
import * as seatCalls from "./seatCalls.ts"

/** What is needed for it. */
export interface Options {
  readonly calls: seatCalls.SeatCalls
  readonly oneAtATime: <A, E>(self: Effect.Effect<A, E>) => Effect.Effect<A, E>
  /** Milliseconds. */
  readonly budget: number
  readonly setIntent: (intent: Intent) => Effect.Effect<void>
  /** The seat to take again, if there is one. */
  readonly targetNow: Effect.Effect<Target | undefined>
  readonly targets: Stream.Stream<Target | undefined>
}

const LONGEST_WAIT = 8000

/** Does so for as long as the scope lives. */
export const keepSeat = (options: Options): Effect.Effect<void, never, Scope.Scope> => {
  const { budget, calls, oneAtATime, setIntent, targetNow, targets } = options
  const isWanted = (target: Target) =>
    Effect.map(targetNow, (now) => now?.sid === target.sid && now.request === target.request)
  const unwanted = (target: Target) =>
    Stream.runHead(Stream.filterEffect(targets, () => Effect.map(isWanted(target), (wanted) => !wanted)))

  const giveUp = Effect.fnUntraced(function*({ request, sid }: Target, why: SmcpError.SmcpError) {
    yield* calls.release(sid)
    const final = !seatCalls.isSilence(why)
    yield* setIntent({ _tag: "GivenUp", request, sid, why, final })
    const until = final ? "" : " (the next reconnect tries again)"
    yield* Effect.logWarning(`The seat in office ${JSON.stringify(request.office_id)} is lost: ${why.message}${until}`)
  })

  /** One attempt; returns the milliseconds to wait for the next one, if there is to be one. */
  const attemptOnce = Effect.fnUntraced(function*(target: Target, attempt: number, since: number) {
    const { request, sid } = target
    if (!(yield* isWanted(target))) return
    yield* setIntent({ _tag: "Kept", request, holder: undefined, tried: { sid, attempt } })
    const refused = yield* Effect.match(calls.join(sid, request), {
      onFailure: (error) => error,
      onSuccess: () => undefined
    })
    // Either the seat that was just taken is not wanted any more, or the answer came to a session that is gone.
    if (!(yield* isWanted(target))) return yield* Effect.ignore(calls.vacate(sid))
    if (refused === undefined) return yield* setIntent(kept(request, sid))
    const wait = Math.min(1000 * 2 ** (attempt - 1), LONGEST_WAIT)
    // The next session takes the seat; the wait only bridges the time until the loss of this one is told.
    if (seatCalls.isOffline(refused)) return wait
    const elapsed = (yield* Clock.currentTimeMillis) - since
    if (seatCalls.isTaken(refused) && elapsed + wait <= budget) return wait
    yield* giveUp(target, refused)
  })

  const take = Effect.fnUntraced(function*(target: Target) {
    const since = yield* Clock.currentTimeMillis
    for (let attempt = 1;; attempt++) {
      const wait = yield* oneAtATime(attemptOnce(target, attempt, since))
      if (wait === undefined) return
      yield* Effect.raceFirst(Effect.sleep(wait), unwanted(target))
    }
  })

  return targets.pipe(
    Stream.runForEach((target) => target === undefined ? Effect.void : take(target)),
    Background.fork("Keeping the seat")
  )
}
