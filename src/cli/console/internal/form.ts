/**
 * Forms: what an MCP server wants to know of the person at the terminal, field by field.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type { Elicitation, ElicitationAnswer } from "../../../computer/ClientHandlers.ts"
import { isRecord } from "../../../protocol/Json.ts"
import { oneLine } from "../../internal/failure.ts"
import { printable } from "../../internal/output.ts"
import type { Question, Questions } from "../Questions.ts"

type Ask = <A>(question: Question<A>) => Effect.Effect<Option.Option<A>>

/** Asks for the fields of a form, or shows a page. Ctrl-C cancels it. */
export const askForm = (questions: Questions["Service"]) => (request: Elicitation): Effect.Effect<ElicitationAnswer> =>
  questions.together((ask) =>
    Effect.gen(function*(): Effect.fn.Return<ElicitationAnswer> {
      const wanted = yield* ask({
        about: [
          `The MCP server ${request.server} asks: ${printable(request.message)}`,
          ...request.url === undefined ? [] : [`  ${oneLine(request.url)}`]
        ].join("\n"),
        prompt: request.mode === "url" ? "Done there? y(es), n(o) [y] " : "Answer it? y(es), n(o) [y] ",
        read: readYesNo
      })
      if (Option.isNone(wanted)) return { action: "cancel" }
      if (!wanted.value) return { action: "decline" }
      if (request.mode === "url") return { action: "accept" }
      const content: Record<string, unknown> = {}
      for (const field of fieldsOf(request.requestedSchema)) {
        const value = yield* askField(ask, field)
        if (Option.isNone(value)) return { action: "cancel" }
        if (value.value !== undefined) content[field.name] = value.value
      }
      return { action: "accept", content }
    })
  )

const readYesNo = (typed: string): Result.Result<boolean, string> => {
  const answer = typed.trim().toLowerCase()
  if ("yes".startsWith(answer)) return Result.succeed(true)
  return "no".startsWith(answer) ? Result.succeed(false) : Result.fail("Please answer y or n")
}

// -----------------------------------------------------------------------------
// Fields
// -----------------------------------------------------------------------------

type Schema = Readonly<Record<string, unknown>>

interface Choice {
  readonly value: string
  readonly label: string
}

interface Field {
  readonly name: string
  readonly required: boolean
  readonly schema: Schema
  /** What there is to choose from; empty when anything may be typed. */
  readonly choices: ReadonlyArray<Choice>
  /** Several may be chosen. */
  readonly several: boolean
}

const fieldsOf = (schema: Schema): ReadonlyArray<Field> => {
  const required = Array.isArray(schema["required"]) ? schema["required"] : []
  return Object.entries(isRecord(schema["properties"]) ? schema["properties"] : {}).flatMap(([name, field]) => {
    if (!isRecord(field)) return []
    const several = field["type"] === "array"
    const items = several && isRecord(field["items"]) ? field["items"] : field
    return [{ name, schema: field, required: required.includes(name), choices: choicesOf(items), several }]
  })
}

const choicesOf = (schema: Schema): ReadonlyArray<Choice> => {
  const titled = schema["oneOf"] ?? schema["anyOf"]
  if (Array.isArray(titled)) {
    return titled.filter(isRecord).map((each) => {
      const value = String(each["const"])
      return { value, label: typeof each["title"] === "string" ? each["title"] : value }
    })
  }
  const names = Array.isArray(schema["enumNames"]) ? schema["enumNames"] : []
  return Array.isArray(schema["enum"])
    ? schema["enum"].map((value, index) => ({ value: String(value), label: String(names[index] ?? value) }))
    : []
}

const textOf = (schema: Schema, key: string): string | undefined =>
  typeof schema[key] === "string" ? schema[key] : undefined

const askField = (ask: Ask, field: Field): Effect.Effect<Option.Option<unknown>> => {
  const { choices, name, required, schema, several } = field
  const fallback = schema["default"]
  const about = [
    [textOf(schema, "title") ?? name, textOf(schema, "description")].filter((part) => part !== undefined).join(": "),
    ...choices.map(({ label }, index) => `  ${String(index + 1).padStart(2)}  ${label}`),
    ...several ? ["  several, joined by commas"] : []
  ].map((line) => printable(line)).join("\n")
  const suffix = fallback === undefined ? (required ? "" : " (may be empty)") : ` [${describe(fallback)}]`
  return ask({
    about,
    prompt: `${oneLine(name)}${suffix}: `,
    read: (typed) => typed.trim() === "" ? empty(field) : read(field, typed.trim())
  })
}

const describe = (value: unknown): string =>
  oneLine(
    Array.isArray(value) ? value.map(String).join(", ") : typeof value === "string" ? value : JSON.stringify(value)
  )

const empty = ({ required, schema }: Field): Result.Result<unknown, string> =>
  schema["default"] === undefined && required ? Result.fail("This is needed") : Result.succeed(schema["default"])

const read = (field: Field, typed: string): Result.Result<unknown, string> => {
  if (field.several) return Result.all(typed.split(",").map((each) => readChoice(field, each.trim())))
  if (field.choices.length > 0) return readChoice(field, typed)
  switch (field.schema["type"]) {
    case "boolean":
      return readYesNo(typed)
    case "integer":
    case "number":
      return readNumber(field.schema, typed)
    default:
      return Result.succeed(typed)
  }
}

/** By value, label or number. */
const readChoice = ({ choices }: Field, typed: string): Result.Result<string, string> => {
  const choice = choices.find(({ label, value }) => typed === value || typed === label) ?? choices[Number(typed) - 1]
  if (choices.length === 0) return Result.succeed(typed)
  return choice === undefined
    ? Result.fail(`Please choose of 1 to ${choices.length}, not "${oneLine(typed)}"`)
    : Result.succeed(choice.value)
}

const readNumber = (schema: Schema, typed: string): Result.Result<number, string> => {
  const number = Number(typed)
  const { maximum, minimum } = schema
  if (!Number.isFinite(number)) return Result.fail("Please give a number")
  if (schema["type"] === "integer" && !Number.isInteger(number)) return Result.fail("Please give a whole number")
  if (typeof minimum === "number" && number < minimum) return Result.fail(`Please give ${minimum} or more`)
  if (typeof maximum === "number" && number > maximum) return Result.fail(`Please give ${maximum} or less`)
  return Result.succeed(number)
}
