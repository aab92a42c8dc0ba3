/**
 * Calls that wait for their turn: at the gate of their server and at the one of their tool, for a token of its rate and a
 * free place. Who came first goes first at each gate, and nobody waits for a gate that is not their own.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import type { CallLimits } from "../../ServerEntry.ts"
import { monotonicMillis } from "../monotonic.ts"
import { makeRateBucket, type RateBucket, take, waitFor } from "./rateBucket.ts"

/** A call that is not let in. `retryAfter` is in whole seconds. */
export class RateLimited extends Schema.TaggedError<RateLimited>("smcp/computer/RateLimited")("RateLimited", {
  detail: Schema.String,
  retryAfter: Schema.Int
}) {
  override get message(): string {
    return `${this.detail}; try again in ${this.retryAfter} s`
  }
}

const DEFAULT_WAITING = 100
const LONGEST_SLEEP = 2_000_000_000

/** What calls have to pass. */
export interface Gate {
  readonly rate: RateBucket | undefined
  readonly concurrency: number
  readonly maxWaiting: number
  /** Calls that are through and have not ended. */
  inside: number
}

/** A gate; undefined when nothing is limited. */
export const makeGate = ({ concurrency, maxWaiting, rateLimit }: CallLimits): Gate | undefined =>
  rateLimit === undefined && concurrency === undefined ? undefined : {
    rate: rateLimit === undefined ? undefined : makeRateBucket(rateLimit),
    concurrency: Math.max(1, concurrency ?? Infinity),
    maxWaiting: maxWaiting ?? DEFAULT_WAITING,
    inside: 0
  }

interface Ticket {
  readonly gates: ReadonlyArray<Gate>
  /** Whether it is through. */
  admitted: boolean
  resume: (() => void) | undefined
}

export interface Turnstile {
  /**
   * Runs an effect once it is its turn at all of these gates. Refused at once when too many wait already, or when it would
   * not be its turn within `patience` milliseconds. Interrupting it while it waits costs nothing.
   */
  readonly pass: <A, E, R>(
    gates: ReadonlyArray<Gate>,
    patience: number,
    effect: Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | RateLimited, R>
}

/** `fork` runs what waits for the next token; what it runs has to end with the owner. */
export const makeTurnstile = (
  clock: Clock.Clock,
  fork: (effect: Effect.Effect<void>) => Fiber.Fiber<void>
): Turnstile => {
  const queue = new Set<Ticket>()
  let alarm: { readonly at: number; readonly fiber: Fiber.Fiber<void> } | undefined
  const now = () => monotonicMillis(clock)

  /** Lets in whoever can, and sets the alarm for who is next. */
  const turn = (): void => {
    const time = now()
    const through: Array<Ticket> = []
    let next = Infinity
    for (const ticket of queue) {
      const wait = Math.max(...ticket.gates.map((gate) => waitAt(gate, time)))
      if (wait > 0) {
        next = Math.min(next, wait)
        continue
      }
      admit(ticket, time)
      queue.delete(ticket)
      through.push(ticket)
    }
    wakeAfter(next, time)
    // last: what is resumed runs at once, and may come back here
    for (const ticket of through) ticket.resume?.()
  }

  const wakeAfter = (wait: number, time: number): void => {
    if (wait === Infinity) {
      alarm?.fiber.interruptUnsafe()
      alarm = undefined
      return
    }
    const millis = Math.min(Math.ceil(wait), LONGEST_SLEEP)
    const at = time + millis
    if (alarm !== undefined && alarm.at <= at) return
    alarm?.fiber.interruptUnsafe()
    const fiber = fork(Effect.andThen(
      Effect.sleep(millis),
      Effect.sync(() => {
        alarm = undefined
        turn()
      })
    ))
    alarm = { at, fiber }
  }

  const enter = (ticket: Ticket, patience: number): RateLimited | undefined => {
    const earlier = [...queue]
    queue.add(ticket)
    turn()
    if (ticket.admitted) return undefined
    const refusal = refuse(ticket, earlier, patience, now())
    if (refusal !== undefined) queue.delete(ticket)
    return refusal
  }

  const leave = (ticket: Ticket): void => {
    if (ticket.admitted) { for (const gate of ticket.gates) gate.inside-- }
    else queue.delete(ticket)
    turn()
  }

  return {
    pass: <A, E, R>(gates: ReadonlyArray<Gate>, patience: number, effect: Effect.Effect<A, E, R>) =>
      Effect.uninterruptibleMask((restore): Effect.Effect<A, E | RateLimited, R> => {
        const ticket: Ticket = { gates, admitted: false, resume: undefined }
        const refusal = enter(ticket, patience)
        if (refusal !== undefined) return Effect.fail(refusal)
        return Effect.ensuring(restore(Effect.andThen(admission(ticket), effect)), Effect.sync(() => leave(ticket)))
      })
  }
}

const waitAt = (gate: Gate, time: number): number =>
  gate.inside >= gate.concurrency ? Infinity : gate.rate === undefined ? 0 : waitFor(gate.rate, time)

const admit = (ticket: Ticket, time: number): void => {
  ticket.admitted = true
  for (const gate of ticket.gates) {
    gate.inside++
    if (gate.rate !== undefined) take(gate.rate, time)
  }
}

const admission = (ticket: Ticket): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    // looking and listening happen without a suspension in between
    if (ticket.admitted) resume(Effect.void)
    else ticket.resume = () => resume(Effect.void)
  })

/** Why a call may not wait that cannot go through now. */
const refuse = (
  { gates }: Ticket,
  earlier: ReadonlyArray<Ticket>,
  patience: number,
  time: number
): RateLimited | undefined => {
  // only these surely go first; of others it is not known when their turn comes
  const ahead = earlier.filter((other) => other.gates.every((gate) => gates.includes(gate)))
  const turn = Math.max(
    ...gates.map(({ rate }) => rate === undefined ? 0 : waitFor(rate, time) + ahead.length * rate.interval)
  )
  const retryAfter = Math.max(1, Math.ceil(turn / 1000))
  for (const gate of gates) {
    const waiting = earlier.filter((other) => other.gates.includes(gate)).length
    if (waitAt(gate, time) > 0 && waiting >= gate.maxWaiting) {
      return new RateLimited({ detail: `the limit of calls is reached, and ${waiting} wait already`, retryAfter })
    }
  }
  return turn > patience
    ? new RateLimited({ detail: "the limit of calls is reached, and its turn would come too late", retryAfter })
    : undefined
}
