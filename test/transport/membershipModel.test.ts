import { describe, it } from "@effect/vitest"
import { Effect, Layer, References } from "effect"
import * as ServerEvent from "../../src/protocol/ServerEvent.ts"
import { assertHolds, assertNoticed } from "../support/modelRuns.ts"
import { commands, property, type Tally, type Wrap } from "./support/membershipModel.ts"

const sequences = { runs: 600, size: 200 }
const quiet = Layer.succeed(References.MinimumLogLevel, "None")

/** What no run may be without; otherwise the sequences are too tame to prove anything. */
const interesting = [
  "Disconnected",
  "Connecting",
  "Connected",
  "Joined",
  "Rejoining",
  "Lost",
  "yes",
  "taken",
  "refused",
  "nonsense",
  "done",
  "dropped",
  "nobody waits",
  "stale answer",
  "interrupted",
  "at rest"
]

describe("the state of a client is true", () => {
  it.effect(
    "whatever the client, its connection and its Server do, and in whichever order",
    () =>
      Effect.gen(function*() {
        const tally: Tally = new Map()
        yield* assertHolds(commands, property(tally), sequences, tally, interesting, 6)
      }).pipe(Effect.provide(quiet)),
    120_000
  )
})

const mutants: ReadonlyArray<readonly [rule: string, wrap: Wrap]> = [
  ["a leave reaches the Server", (inner) => ({
    ...inner,
    call: (event, payload, options) =>
      event.name === ServerEvent.LeaveOffice.name ? Effect.void : inner.call(event, payload, options)
  })],
  ["a join in doubt is given up", (inner) => ({ ...inner, send: () => Effect.void })],
  ["a loss of the connection shows", (inner) => ({
    ...inner,
    state: Effect.map(inner.state, (state) => state._tag === "Disconnected" ? { _tag: "Connected", sid: "s1" } : state)
  })]
]

describe("the model test notices when a rule is broken", () => {
  it.effect.each(mutants)(
    "%s",
    ([, wrap]) => assertNoticed(commands, property(new Map(), wrap), sequences, 6).pipe(Effect.provide(quiet)),
    120_000
  )
})
