import { describe, it } from "@effect/vitest"
import { Effect, References, type Scope } from "effect"
import * as TransportCompliance from "../../src/testing/TransportCompliance.ts"

/** Runs the transport compliance suite, each case against a harness of its own. */
export const transportCompliance = <E>(
  transport: string,
  harness: Effect.Effect<TransportCompliance.Harness, E, Scope.Scope>
): void => {
  describe(`${transport} complies: it`, () => {
    for (const { name, run } of TransportCompliance.cases) {
      // Many cases provoke what a transport has to log.
      it.live(name, () => Effect.flatMap(harness, run).pipe(Effect.provideService(References.MinimumLogLevel, "None")))
    }
  })
}
