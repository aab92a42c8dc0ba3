/**
 * What the person at the terminal is asked: consent, values of inputs, forms of MCP servers.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type { Elicitation, ElicitationAnswer } from "../../../computer/ClientHandlers.ts"
import type { Answer, Question } from "../../../computer/Consent.ts"
import { type PromptRequest, PromptUnavailable } from "../../../computer/Inputs.ts"
import { isRecord } from "../../../protocol/Json.ts"
import { oneLine } from "../../internal/failure.ts"
import { cut, printable } from "../../internal/output.ts"
import type { Question as Asked, Questions } from "../Questions.ts"
import { bold, type Page, toned } from "../View.ts"

type Ask = <A>(question: Asked<A>) => Effect.Effect<Option.Option<A>>

// -----------------------------------------------------------------------------
// Consent
// -----------------------------------------------------------------------------

const ARGUMENTS_SHOWN = 2000

const traits = (annotations: Readonly<Record<string, unknown>>): string =>
  [
    annotations["readOnlyHint"] === true ? "only reads" : "may change things",
    annotations["destructiveHint"] === true ? "may destroy" : "",
    annotations["openWorldHint"] === true ? "reaches outside" : "",
    annotations["idempotentHint"] === true ? "may be repeated" : ""
  ].filter((part) => part !== "").join(", ")

/** Whether a tool call may run. Who would rather not answer refuses. */
export const askConsent =
  (questions: Questions["Service"], page: () => Page) => (question: Question): Effect.Effect<Answer> => {
    const { agent, annotations, args, changed, description, exposedName, hash, server, tool } = question
    const where = page()
    const text = JSON.stringify(args, undefined, 2)
    const about = [
      bold(printable(`${oneLine(agent)} wants to call ${oneLine(exposedName)}`), where),
      `  server     ${oneLine(server)} (its own name for it: ${oneLine(tool)})`,
      description === undefined ? undefined : `  it does    ${cut(oneLine(description), where.width - 13)}`,
      `  it says    ${traits(annotations)} (servers may be wrong)`,
      `  arguments  ${
        printable(
          text.length > ARGUMENTS_SHOWN ? `${text.slice(0, ARGUMENTS_SHOWN)}… (${text.length} characters)` : text
        )
          .replaceAll("\n", "\n             ")
      }`,
      changed ? toned("  The tool is no longer what it was when you decided about it.", "waiting", where) : undefined
    ].filter((line) => line !== undefined).join("\n")
    const lasting = hash !== undefined
    return Effect.map(
      questions.ask({
        about,
        prompt: lasting ? "Run it? y(es), n(o), a(lways), never [n] " : "Run it? y(es), n(o) [n] ",
        read: (answer) => readAnswer(answer, lasting)
      }),
      Option.getOrElse((): Answer => "refuse")
    )
  }

const readAnswer = (typed: string, lasting: boolean): Result.Result<Answer, string> => {
  const answer = typed.trim().toLowerCase()
  if (answer === "" || "no".startsWith(answer)) return Result.succeed("refuse")
  if ("yes".startsWith(answer)) return Result.succeed("once")
  if (lasting && "always".startsWith(answer)) return Result.succeed("always")
  if (lasting && answer === "never") return Result.succeed("never")
  return Result.fail(lasting ? "Please answer y, n, a or never" : "Please answer y or n")
}

// -----------------------------------------------------------------------------
// Inputs
// -----------------------------------------------------------------------------

/** The value of an input. */
export const askInput =
  (questions: Questions["Service"]) => (request: PromptRequest): Effect.Effect<string, PromptUnavailable> => {
    const { default: fallback, description, expects, hidden, id, options, problem, server } = request
    const about = [
      problem === undefined ? undefined : `That cannot be: ${problem}`,
      `${description}${server === undefined ? "" : ` (for ${server})`}`,
      expects === undefined ? undefined : `  ${expects}`,
      ...options.map(({ label }, index) => `  ${String(index + 1).padStart(2)}  ${label}`)
    ].filter((line) => line !== undefined).map((line) => printable(line)).join("\n")
    const suffix = fallback === undefined ? "" : ` [${oneLine(fallback)}]`
    return Effect.flatMap(
      questions.ask({
        about,
        prompt: `${oneLine(id)}${suffix}: `,
        hidden,
        read: (typed) => Result.succeed(optionOf(typed, options) ?? typed)
      }),
      Option.match({ onNone: () => Effect.fail(new PromptUnavailable()), onSome: Effect.succeed })
    )
  }

/** An option is named by its number as well. */
const optionOf = (typed: string, options: PromptRequest["options"]): string | undefined =>
  /^\d+$/.test(typed.trim()) && !options.some(({ label, value }) => typed === label || typed === value)
    ? options[Number(typed) - 1]?.value
    : undefined

// -----------------------------------------------------------------------------
// Forms
// -----------------------------------------------------------------------------

/** What an MCP server wants to know. Ctrl-C cancels it. */
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

interface Field {
  readonly name: string
  readonly required: boolean
  readonly schema: Readonly<Record<string, unknown>>
}

const fieldsOf = (schema: Readonly<Record<string, unknown>>): ReadonlyArray<Field> => {
  const required = Array.isArray(schema["required"]) ? schema["required"] : []
  return Object.entries(isRecord(schema["properties"]) ? schema["properties"] : {}).flatMap(([name, field]) =>
    isRecord(field) ? [{ name, schema: field, required: required.includes(name) }] : []
  )
}

/** The values there are to choose from. */
const choicesOf = (schema: Field["schema"]): ReadonlyArray<string> => {
  const { enum: values, oneOf } = schema
  if (Array.isArray(values)) return values.map(String)
  return Array.isArray(oneOf) ? oneOf.filter(isRecord).map((each) => String(each["const"])) : []
}

const askField = (ask: Ask, field: Field): Effect.Effect<Option.Option<unknown>> => {
  const { name, required, schema } = field
  const choices = choicesOf(schema)
  const text = (key: string) => typeof schema[key] === "string" ? schema[key] : undefined
  const fallback = schema["default"]
  const about = [
    [text("title") ?? name, text("description")].filter((part) => part !== undefined).join(": "),
    ...choices.map((choice, index) => `  ${String(index + 1).padStart(2)}  ${choice}`)
  ].map((line) => printable(line)).join("\n")
  const suffix = fallback === undefined
    ? (required ? "" : " (may be empty)")
    : ` [${oneLine(JSON.stringify(fallback))}]`
  return ask({
    about,
    prompt: `${oneLine(name)}${suffix}: `,
    read: (typed) => typed.trim() === "" ? empty(field) : readField(schema, choices, typed)
  })
}

const empty = ({ required, schema }: Field): Result.Result<unknown, string> =>
  schema["default"] === undefined && required ? Result.fail("This is needed") : Result.succeed(schema["default"])

const readField = (
  schema: Field["schema"],
  choices: ReadonlyArray<string>,
  typed: string
): Result.Result<unknown, string> => {
  if (choices.length > 0) {
    const choice = choices.includes(typed) ? typed : choices[Number(typed) - 1]
    return choice === undefined ? Result.fail(`Please choose one of 1 to ${choices.length}`) : Result.succeed(choice)
  }
  switch (schema["type"]) {
    case "boolean":
      return readYesNo(typed)
    case "integer":
    case "number": {
      const number = Number(typed)
      return Number.isFinite(number) && (schema["type"] === "number" || Number.isInteger(number))
        ? Result.succeed(number)
        : Result.fail(`Please give ${schema["type"] === "integer" ? "a whole number" : "a number"}`)
    }
    default:
      return Result.succeed(typed)
  }
}
