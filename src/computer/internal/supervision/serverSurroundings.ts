/**
 * What the servers of one manager share.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as FiberSet from "effect/FiberSet"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import type { Inputs } from "../../Inputs.ts"
import type { Connect } from "../../McpConnector.ts"
import type { HealthOptions } from "./serverConnection.ts"
import type { StartGate } from "./startGate.ts"
import type { ToolCache } from "./toolCache.ts"

/** What all servers of a manager share. */
export interface Shared {
  readonly inputs: Inputs["Service"]
  readonly connect: Connect
  readonly gate: StartGate
  readonly cache: ToolCache
  /** Delays between attempts, in milliseconds. */
  readonly delays: ReadonlyArray<number>
  readonly jitter: boolean
  readonly health: HealthOptions | false
  /** What a server does has changed. */
  readonly changed: () => void
}

/** Runs effects that end with the manager, starting them at once. */
type Run = <A>(effect: Effect.Effect<A>) => Fiber.Fiber<A>

/** What is needed of the surroundings of a manager to act without waiting. */
export interface Surroundings {
  readonly run: Run
  readonly clock: Clock.Clock
  readonly random: Random.Random
}

export const surroundings: Effect.Effect<Surroundings, never, Scope.Scope> = Effect.gen(function*() {
  return {
    run: yield* FiberSet.makeRuntime<never, unknown, never>(),
    clock: yield* Clock.Clock,
    random: yield* Random.Random
  }
})
