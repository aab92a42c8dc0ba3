/**
 * Random sequences against a model, in batches: chance must not decide whether
 * a test of the model passes.
 */
import { Arbitrary, Effect } from "effect"

/** A failure prints the seed; A2C_MODEL_SEED=<seed> runs the same sequences again. */
export const seed = process.env["A2C_MODEL_SEED"] ?? String(Date.now())

/**
 * How many batches there may be. One alone fails to show what it should at most a few times in a hundred: all of
 * them together never do.
 */
const BATCHES = 12

export type Options = Required<Pick<Arbitrary.CheckOptions, "runs" | "size">>

/** Runs batches, each from a seed of its own, until a result is good enough; gives the last result. */
export const until = Effect.fnUntraced(function*<A, E, R>(
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

/** Runs batches until one breaks the rule with no more than so many commands. */
export const notice = <A, E, R>(
  arbitrary: Arbitrary.Arbitrary<ReadonlyArray<A>>,
  property: (value: ReadonlyArray<A>) => Effect.Effect<boolean, E, R>,
  options: Options,
  commands: number
) =>
  until(
    arbitrary,
    property,
    options,
    (result) => result._tag === "Falsified" && result.shrunkInput.length <= commands
  )

/** Runs batches until everything has happened often enough, or one fails. */
export const untilSeen = <A, E, R>(
  arbitrary: Arbitrary.Arbitrary<A>,
  property: (value: A) => Effect.Effect<boolean, E, R>,
  options: Options,
  tally: ReadonlyMap<string, number>,
  labels: ReadonlyArray<string>,
  times = 1
) =>
  until(
    arbitrary,
    property,
    options,
    (result) => result._tag !== "Passed" || labels.every((label) => (tally.get(label) ?? 0) >= times)
  )
