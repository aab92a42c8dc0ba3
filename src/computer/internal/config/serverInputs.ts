/**
 * The `inputs` of a config file.
 */
import * as Result from "effect/Result"
import { isRecord } from "../../../protocol/Json.ts"
import { InputDefinition, kinds, labelled } from "../../InputDefinition.ts"
import { collidingId, variableOf } from "../inputs/inputNames.ts"
import { decoderOf } from "./decoding.ts"

/** The definitions that can be used, and what is wrong with the others. Of two with one id the first counts. */
export const readInputs = (value: unknown): {
  readonly inputs: ReadonlyArray<InputDefinition>
  /** In sentences that name the place. */
  readonly problems: ReadonlyArray<string>
} => {
  if (value === undefined || value === null) return { inputs: [], problems: [] }
  if (!Array.isArray(value)) return { inputs: [], problems: ["inputs is not a list and was ignored"] }
  const inputs = new Map<string, InputDefinition>()
  const problems: Array<string> = []
  value.forEach((item: unknown, index) => {
    const read = Result.flatMap(decodeInput(item), (input) => {
      const problem = problemOf(input) ?? (inputs.has(input.id) ? "has the id of an earlier input" : undefined) ??
        problemBeside(input, inputs.keys())
      return problem === undefined ? Result.succeed(input) : Result.fail(problem)
    })
    if (Result.isSuccess(read)) inputs.set(read.success.id, read.success)
    else {
      const id = isRecord(item) && typeof item["id"] === "string" ? ` ("${item["id"]}")` : ""
      problems.push(`inputs[${index}]${id} was left out: ${read.failure}`)
    }
  })
  return { inputs: [...inputs.values()], problems }
}

const decode = decoderOf(InputDefinition)

const kindNames: ReadonlyArray<string> = kinds

const decodeInput = (item: unknown): Result.Result<InputDefinition, string> => {
  if (!isRecord(item)) return Result.fail("is not an object")
  return kindNames.includes(String(item["type"]))
    ? decode(item)
    : Result.fail(`has an unknown type; use one of ${kinds.join(", ")}`)
}

/** What no value could satisfy, or what the default does not. Of a default nothing is shown: it may be a secret. */
const problemOf = (input: InputDefinition): string | undefined => {
  switch (input.type) {
    case "promptString":
      return problemOfText(input)
    case "pickString":
      return problemOfChoice(input)
    case "number":
      return problemOfNumber(input)
    default:
      return undefined
  }
}

/** One of the two would get the value that is meant for the other, which may be a secret. */
const problemBeside = ({ id }: InputDefinition, others: Iterable<string>): string | undefined => {
  const other = collidingId(id, others)
  return other === undefined
    ? undefined
    : `would be read from the environment variable ${variableOf(id)}, as would "${other}"; rename one of them`
}

type Of<Type extends InputDefinition["type"]> = Extract<InputDefinition, { readonly type: Type }>

const problemOfText = ({ maxLength, minLength, pattern }: Of<"promptString">): string | undefined => {
  if (typeof pattern === "string" && !isPattern(pattern)) return "has a pattern that is no regular expression"
  return (minLength ?? 0) > (maxLength ?? Infinity) ? "has a min_length above its max_length" : undefined
}

const isPattern = (text: string): boolean => {
  try {
    new RegExp(text, "u").test("")
    return true
  } catch {
    return false
  }
}

const problemOfChoice = (input: Of<"pickString">): string | undefined => {
  const values = input.options.map((option) => labelled(option).value)
  if (values.length === 0) return "has no options; a pickString input needs at least one"
  if (values.includes("")) return "has an empty option"
  const chosen = input.default ?? undefined
  return chosen === undefined || values.includes(chosen) ? undefined : "has a default that is none of its options"
}

const problemOfNumber = (input: Of<"number">): string | undefined => {
  const min = input.min ?? -Infinity
  const max = input.max ?? Infinity
  if (min > max) return "has a min above its max"
  const chosen = input.default ?? undefined
  if (chosen === undefined) return undefined
  if (chosen < min || chosen > max) return "has a default that is not between its min and max"
  return input.integer === true && !Number.isInteger(chosen) ? "has a default that is no whole number" : undefined
}
