/**
 * Random sequences against a model, in batches: chance must not decide whether
 * a test of the model passes.
 */
import { assert } from "@effect/vitest"
import { Arbitrary, Effect, Formatter } from "effect"

/** A failure prints the seed; A2C_MODEL_SEED=<seed> runs the same sequences again. */
export const seed = process.env["A2C_MODEL_SEED"] ?? String(Date.now())

/**
 * How many batches there may be. One alone fails to show what it should at most a few times in a hundred: all of
 * them together never do.
 */
const BATCHES = 12

export type Options = Required<Pick<Arbitrary.CheckOptions, "runs" | "size">>

/** Runs batches, each from a seed of its own, until a result is good enough; gives the last result. */
const until = Effect.fnUntraced(function*<A, E, R>(
  arbitrary: Arbitrary.Arbitrary<A>,
  property: (value: A) => Effect.Effect<boolean, E, R>,
  options: Options,
  isEnough: (result: Arbitrary.CheckResult<A, E>) => boolean
) {
  const batch = (index: number) =>
    Arbitrary.checkEffect(arbitrary, property, { ...options, seed: `${seed}/${index}`, maxShrinks: 2000 })
  let result = yield* batch(0)
  for (let index = 1; index < BATCHES && !isEnough(result); index++) result = yield* batch(index)
  return result
})

/** Runs batches until one breaks the rule with no more than so many commands, and fails when none does. */
export const assertNoticed = Effect.fnUntraced(function*<A, E, R>(
  arbitrary: Arbitrary.Arbitrary<ReadonlyArray<A>>,
  property: (value: ReadonlyArray<A>) => Effect.Effect<boolean, E, R>,
  options: Options,
  commands: number
) {
  const result = yield* until(
    arbitrary,
    property,
    options,
    (result) => result._tag === "Falsified" && result.shrunkInput.length <= commands
  )
  assert(result._tag === "Falsified", `seed ${seed}: not noticed`)
  assert.isAtMost(result.shrunkInput.length, commands, `seed ${seed}: ${Formatter.format(result.shrunkInput)}`)
  return result
})

/** Runs batches until everything has happened so often, and fails when a batch does, or when something hardly happens. */
export const assertHolds = Effect.fnUntraced(function*<A, E, R>(
  arbitrary: Arbitrary.Arbitrary<A>,
  property: (value: A) => Effect.Effect<boolean, E, R>,
  options: Options,
  tally: ReadonlyMap<string, number>,
  labels: ReadonlyArray<string>,
  times = 1
) {
  const seen = (label: string) => tally.get(label) ?? 0
  const result = yield* until(
    arbitrary,
    property,
    options,
    (result) => result._tag !== "Passed" || labels.every((label) => seen(label) >= times)
  )
  const failure = Arbitrary.formatCheckFailure(result)
  if (failure !== undefined) assert.fail(`seed ${seed}: ${failure}`)
  for (const label of labels) {
    assert.isAtLeast(seen(label), times, `seed ${seed}: "${label}" hardly ever happened`)
  }
})
