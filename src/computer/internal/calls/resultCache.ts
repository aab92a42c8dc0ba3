/**
 * Results that are given again: kept for a while, not too many and not too large, and asked for only once when several want
 * the same at the same time.
 */
import type * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { CallToolResult } from "../../../protocol/Tool.ts"
import type { Progress } from "../../McpClient.ts"
import { monotonicMillis } from "../monotonic.ts"

/** What a result is good for: as long as the two are the same, the server has neither restarted nor changed its tools. */
export interface Generation {
  readonly client: unknown
  readonly tools: unknown
}

/** Someone who wants a result. */
export interface Wanted<E> {
  readonly key: string
  readonly ttlMillis: number
  /** Told of the progress of the call, whoever made it. */
  readonly onProgress: (progress: Progress) => Effect.Effect<void>
  /** Makes the call; `connected` is to be run when its connection is there. */
  readonly perform: (
    onProgress: (progress: Progress) => Effect.Effect<void>,
    connected: Effect.Effect<void>
  ) => Effect.Effect<CallToolResult, E>
}

/** Bounds of one cache. */
const MOST_RESULTS = 1_000
const MOST_CHARACTERS = 16 * 2 ** 20
/** One result may take this part of it. */
const LARGEST_PART = 4

interface Kept {
  readonly result: CallToolResult
  readonly size: number
  readonly until: number
  readonly generation: Generation
}

interface Flight<E> {
  readonly done: Deferred.Deferred<CallToolResult, E>
  readonly listeners: Set<Wanted<E>>
  generation: Generation | undefined
  fiber: Fiber.Fiber<void> | undefined
}

export interface ResultCache<E> {
  /**
   * The kept result, or that of the call that is under way for the same, or that of a new one. Interrupting it ends the call
   * when nobody else waits for it.
   */
  readonly get: (wanted: Wanted<E>) => Effect.Effect<CallToolResult, E>
}

export interface ResultCacheOptions {
  readonly clock: Clock.Clock
  /** Runs the calls: they belong to nobody who waits for them, but have to end with the owner. */
  readonly fork: (effect: Effect.Effect<void>) => Fiber.Fiber<void>
  /** What the server is now; undefined while it is not connected, when what it said last still counts. */
  readonly generation: Effect.Effect<Generation | undefined>
}

export const makeResultCache = <E>({ clock, fork, generation }: ResultCacheOptions): ResultCache<E> => {
  const store = makeStore()
  const flights = new Map<string, Flight<E>>()
  const now = () => monotonicMillis(clock)

  const keep = (
    wanted: Wanted<E>,
    flight: Flight<E>,
    result: CallToolResult,
    current: Generation | undefined
  ): void => {
    if (result.isError === true || flight.generation === undefined || !isSame(flight.generation, current)) return
    const time = now()
    store.put(wanted.key, { result, until: time + wanted.ttlMillis, generation: flight.generation }, time)
  }

  const depart = (wanted: Wanted<E>): Flight<E> => {
    const flight: Flight<E> = {
      done: Deferred.makeUnsafe(),
      listeners: new Set([wanted]),
      generation: undefined,
      fiber: undefined
    }
    const progressed = (progress: Progress) =>
      Effect.forEach([...flight.listeners], ({ onProgress }) => onProgress(progress), { discard: true })
    const connected = Effect.map(generation, (current) => {
      flight.generation = current
    })
    flights.set(wanted.key, flight)
    flight.fiber = fork(
      Effect.flatMap(
        wanted.perform(progressed, connected),
        (result) => Effect.map(generation, (current) => (keep(wanted, flight, result, current), result))
      ).pipe(
        Effect.onExit((exit) =>
          Effect.sync(() => {
            forget(wanted.key, flight)
            Deferred.doneUnsafe(flight.done, exit)
          })
        ),
        // it is told to those who wait
        Effect.exit,
        Effect.asVoid
      )
    )
    return flight
  }

  const forget = (key: string, flight: Flight<E>): void => {
    if (flights.get(key) === flight) flights.delete(key)
  }

  const leave = (wanted: Wanted<E>, flight: Flight<E>): Effect.Effect<void> => {
    flight.listeners.delete(wanted)
    if (flight.listeners.size > 0 || flight.fiber === undefined) return Effect.void
    // before it has ended: whoever comes now gets a call of its own
    forget(wanted.key, flight)
    return Fiber.interrupt(flight.fiber)
  }

  return {
    get: (wanted) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(generation, (current) => {
          const kept = store.get(wanted.key, now())
          if (kept !== undefined && (current === undefined || isSame(kept.generation, current))) {
            return Effect.succeed(kept.result)
          }
          const under = flights.get(wanted.key)
          const joins = under !== undefined &&
            (under.generation === undefined || current === undefined || isSame(under.generation, current))
          const flight = joins ? under : depart(wanted)
          flight.listeners.add(wanted)
          return Effect.onExit(
            restore(Deferred.await(flight.done)),
            (exit) => Exit.isSuccess(exit) ? Effect.void : leave(wanted, flight)
          )
        })
      )
  }
}

const isSame = (one: Generation, other: Generation | undefined): boolean =>
  one.client === other?.client && one.tools === other?.tools

/** The results by key, the one that was wanted last at the end. */
const makeStore = () => {
  const all = new Map<string, Kept>()
  let characters = 0
  const remove = (key: string, kept: Kept): void => {
    all.delete(key)
    characters -= kept.size
  }
  return {
    get: (key: string, time: number): Kept | undefined => {
      const kept = all.get(key)
      if (kept === undefined) return undefined
      if (kept.until <= time) {
        remove(key, kept)
        return undefined
      }
      all.delete(key)
      all.set(key, kept)
      return kept
    },
    put: (key: string, entry: Omit<Kept, "size">, time: number): void => {
      const before = all.get(key)
      if (before !== undefined) remove(key, before)
      const size = key.length + JSON.stringify(entry.result).length
      if (size > MOST_CHARACTERS / LARGEST_PART) return
      for (const [each, kept] of all) {
        if (kept.until <= time) remove(each, kept)
      }
      all.set(key, { ...entry, size })
      characters += size
      for (const [each, kept] of all) {
        if (all.size <= MOST_RESULTS && characters <= MOST_CHARACTERS) return
        remove(each, kept)
      }
    }
  }
}
