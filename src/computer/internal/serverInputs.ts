/**
 * The `inputs` of a config file.
 */
import * as Result from "effect/Result"
import { isRecord } from "../../protocol/Json.ts"
import { type PickOption, ServerInput } from "../../protocol/ServerConfig.ts"
import type { Diagnostic } from "../Diagnostic.ts"
import { decoderOf } from "./serverEntry.ts"

/** The definitions that can be used, and what is wrong with the others. Of two with one id the first counts. */
export const readInputs = (value: unknown): {
  readonly inputs: ReadonlyArray<ServerInput>
  readonly diagnostics: ReadonlyArray<Diagnostic>
} => {
  if (value === undefined || value === null) return { inputs: [], diagnostics: [] }
  if (!Array.isArray(value)) {
    return { inputs: [], diagnostics: [{ server: undefined, message: "inputs is not a list and was ignored" }] }
  }
  const inputs = new Map<string, ServerInput>()
  const diagnostics: Array<Diagnostic> = []
  value.forEach((item: unknown, index) => {
    const read = Result.flatMap(decodeInput(item), (input) => {
      const problem = problemOf(input) ?? (inputs.has(input.id) ? "has the id of an earlier input" : undefined)
      return problem === undefined ? Result.succeed(input) : Result.fail(problem)
    })
    if (Result.isSuccess(read)) inputs.set(read.success.id, read.success)
    else {
      const id = isRecord(item) && typeof item["id"] === "string" ? ` ("${item["id"]}")` : ""
      diagnostics.push({ server: undefined, message: `inputs[${index}]${id} was left out: ${read.failure}` })
    }
  })
  return { inputs: [...inputs.values()], diagnostics }
}

/** A choice of a `pickString` input in the labelled form, whichever form it was written in. */
export const labelled = (option: PickOption | string): PickOption =>
  typeof option === "string" ? { label: option, value: option } : option

const decode = decoderOf(ServerInput)

const decodeInput = (item: unknown): Result.Result<ServerInput, string> => {
  if (!isRecord(item)) return Result.fail("is not an object")
  return ["promptString", "pickString", "command"].includes(String(item["type"]))
    ? decode(item)
    : Result.fail("has an unknown type; use \"promptString\", \"pickString\" or \"command\"")
}

const problemOf = (input: ServerInput): string | undefined => {
  if (input.type !== "pickString") return undefined
  const values = input.options.map((option) => labelled(option).value)
  if (values.length === 0) return "has no options; a pickString input needs at least one"
  if (values.includes("")) return "has an empty option"
  const chosen = input.default ?? undefined
  return chosen === undefined || values.includes(chosen) ? undefined : "has a default that is none of its options"
}
