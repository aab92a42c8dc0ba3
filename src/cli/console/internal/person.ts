/**
 * What the person at the terminal is asked: consent, and values of inputs.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type { Answer, Question } from "../../../computer/Consent.ts"
import { type PromptRequest, PromptUnavailable } from "../../../computer/Inputs.ts"
import { oneLine } from "../../internal/failure.ts"
import { cut, printable } from "../../internal/output.ts"
import type { Questions } from "../Questions.ts"
import { bold, type Page, toned } from "../View.ts"

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
