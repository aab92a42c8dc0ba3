import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Supervision from "../../../src/computer/internal/supervision/supervision.ts"
import { assertHolds, assertNoticed } from "../../support/modelRuns.ts"
import { commands, property, type Tally } from "../support/supervisionModel.ts"

const sequences = { runs: 2000, size: 200 }

/** What no run may be without; otherwise the sequences are too tame to prove anything. */
const interesting = [
  "Off",
  "Idle",
  "Connecting",
  "Connected",
  "Ending",
  "Waiting",
  "AuthorizationRequired",
  "Failed",
  "transient",
  "permanent",
  "authorization",
  "fires",
  "prepared",
  "unprepared",
  "runs"
]

describe("the life of a server", () => {
  it.effect(
    "has one connection at most and ends as it was told, whatever happens and in whichever order",
    () =>
      Effect.gen(function*() {
        const tally: Tally = new Map()
        yield* assertHolds(commands, property(tally), sequences, tally, interesting, 6)
      }),
    60_000
  )
})

type Step = typeof Supervision.step

const inner = Supervision.step
/** Of a list, without the actions of one kind. */
const without = (tag: Supervision.Action["_tag"]): Step => (state, event, policy) => {
  const step = inner(state, event, policy)
  return { ...step, actions: step.actions.filter(({ _tag }) => _tag !== tag) }
}

const mutants: ReadonlyArray<readonly [rule: string, step: Step]> = [
  ["a stop ends the connection", without("Disconnect")],
  ["a timer ends with the waiting", without("Unschedule")],
  ["a preparation ends with the connection", without("Unprepare")],
  ["what was lost waits for its timer", without("Schedule")],
  ["a login is not retried", (state, event, policy) =>
    inner(
      state,
      event._tag === "Lost" && event.loss.kind === "authorization"
        ? { ...event, loss: { ...event.loss, kind: "transient" } }
        : event,
      policy
    )],
  ["a call does not start what wants a login", (state, event, policy) =>
    inner(
      state,
      event._tag === "Demand" && state.phase._tag === "AuthorizationRequired" ? { _tag: "Start" } : event,
      policy
    )],
  ["attempts are bounded", (state, event, policy) =>
    inner(
      state,
      event,
      event._tag === "Lost" && event.loss.kind === "transient" ? { ...policy, tries: policy.tries + 1 } : policy
    )],
  [
    "a new connection waits for the end of the old",
    (state, event, policy) =>
      event._tag === "Start" && state.phase._tag === "Ending"
        ? inner({ ...state, phase: { _tag: "Off", why: "Stopped" } }, event, policy)
        : inner(state, event, policy)
  ],
  [
    "a stop is heeded while the connection ends",
    (state, event, policy) =>
      event._tag === "Stop" && state.phase._tag === "Ending" ? { state, actions: [] } : inner(state, event, policy)
  ],
  [
    "a restart takes the new configuration",
    (state, event, policy) =>
      event._tag === "Restart" && state.phase._tag === "Connected"
        ? { state, actions: [] }
        : inner(state, event, policy)
  ],
  [
    "what comes too late is nothing",
    (state, event, policy) =>
      inner(state, event._tag === "Lost" && "id" in state.phase ? { ...event, id: state.phase.id } : event, policy)
  ]
]

describe("the model test notices when a rule is broken", () => {
  it.effect.each(mutants)("%s", ([, step]) => assertNoticed(commands, property(new Map(), step), sequences, 6), 60_000)
})
