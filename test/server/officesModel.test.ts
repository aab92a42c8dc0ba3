import { assert, describe, it } from "@effect/vitest"
import { Effect, Formatter } from "effect"
import { assertHolds, assertNoticed, seed } from "../support/modelRuns.ts"
import { commands, newTally, property, type Spoken } from "./support/officeModel.ts"
import { mutants } from "./support/officeMutants.ts"

const sequences = { runs: 500, size: 60 }

/** What no run may be without, beside `always`; otherwise the sequences are too tame to prove anything. */
const runs: ReadonlyArray<
  { readonly spoken: Spoken; readonly interesting: ReadonlyArray<string>; readonly times?: number }
> = [
  {
    spoken: ["0.4"],
    interesting: ["join name taken", "join 4101", "join 4106", "at once: join, join others of 0.4", "call 4103"]
  },
  {
    spoken: ["0.5"],
    interesting: ["join 4101", "join 4106", "at once: join, join 4101", "call 4103"]
  },
  {
    spoken: ["0.5", "0.4", "0.1"],
    interesting: [
      "join others of 0.1",
      "join others of 0.4",
      "join others of 0.5",
      "join 403 revision",
      "at once: join, join 403 revision",
      "call, no such event",
      "call 4103 result"
    ],
    // peers of one revision meet less often
    times: 1000
  }
]
const always = [
  "join",
  "join again",
  "switch",
  "join 400",
  "join 403 role",
  "join 403 name",
  "leave",
  "leave nothing",
  "leave under a foreign id",
  "list ok",
  "list 4103",
  "list 4104",
  "call",
  "call 4103",
  "call 403",
  "call 404",
  "call, it is lost",
  "call, it closes",
  "call, it leaves",
  "call, the caller goes",
  "update",
  "update unheard",
  "cancel",
  "cancel unheard",
  "disconnect",
  "reconnect"
]

describe("the Server keeps the rules of offices", () => {
  for (const { interesting, spoken, times = sequences.runs } of runs) {
    it.effect(`${spoken.join(", ")}: in any sequence of commands`, () =>
      Effect.gen(function*() {
        const tally = newTally()
        const labels = [...interesting, ...always]
        yield* assertHolds(commands, property(spoken, {}, tally), { ...sequences, runs: times }, tally.labels, labels)
        assert.isAbove(tally.steps, 5000)
        yield* Effect.sync(() => console.log(`offices ${spoken.join(", ")}: ${tally.steps} steps, seed ${seed}`))
      }), 120_000)
  }
})

describe("the model test notices a Server that breaks a rule", () => {
  for (const { options, rule, spoken } of mutants) {
    it.effect(`${spoken.join(", ")}: ${rule}`, () =>
      Effect.gen(function*() {
        const { failure } = yield* assertNoticed(commands, property(spoken, options), sequences, 5)
        assert(failure._tag === "PropertyError" && typeof failure.error === "object", String(Formatter.format(failure)))
      }), 120_000)
  }
})
