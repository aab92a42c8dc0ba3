/**
 * What the commands for inputs and their values do.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as ConfigFile from "../../../computer/ConfigFile.ts"
import * as Inputs from "../../../computer/Inputs.ts"
import { isRecord } from "../../../protocol/Json.ts"
import type { SmcpError } from "../../../protocol/SmcpError.ts"
import { exitCodes } from "../../internal/exitCodes.ts"
import { Failure, usage } from "../../internal/failure.ts"
import { Questions } from "../Questions.ts"
import type { Run } from "../Session.ts"
import { jsonView, said, tableView } from "../View.ts"
import { readJson, readJsonFile } from "./jsonArgument.ts"
import { didYouMean } from "./nearest.ts"

/** What an input lacks is a matter of the command line, or of the configuration. */
const failed = ({ message }: Inputs.InputError): Failure => new Failure({ message, exitCode: exitCodes.usage })

const idsOf = Effect.map(
  Inputs.Inputs.use(({ definitions }) => definitions),
  (definitions) => definitions.map(({ id }) => id)
)

const noSuchInput = Effect.fnUntraced(function*(id: string) {
  const ids = yield* idsOf
  const there = ids.length === 0 ? "; there is none at all" : `; there are ${ids.join(", ")}`
  return yield* usage(`There is no such input: "${id}"${didYouMean(id, ids) || there}`)
})

/** The definition, or a failure that names those there are. */
const definitionOf = Effect.fnUntraced(function*(id: string) {
  const definitions = yield* (yield* Inputs.Inputs).definitions
  return definitions.find((each) => each.id === id) ?? (yield* noSuchInput(id))
})

const isPassword = (input: Inputs.InputDefinition): boolean => input.type === "promptString" && input.password === true

const shown = (input: Inputs.InputDefinition) =>
  isPassword(input) && "default" in input && typeof input.default === "string" && input.default !== ""
    ? { ...input, default: Inputs.MASKED }
    : input

// -----------------------------------------------------------------------------
// Definitions
// -----------------------------------------------------------------------------

export const list: Run = () =>
  Effect.map(Inputs.Inputs.use(({ definitions }) => definitions), (definitions) =>
    tableView({
      json: definitions.map(shown),
      headings: ["INPUT", "TYPE", "SECRET", "DESCRIPTION"],
      rows: definitions.map((input) => ({
        cells: [input.id, input.type, isPassword(input) ? "yes" : "", input.description ?? ""]
      })),
      none: "No inputs are defined; \"inputs add\" adds one"
    }))

export const get: Run = ({ values: [id = ""] }) => Effect.map(definitionOf(id), (input) => jsonView(shown(input)))

/** One definition, a list of them, or a file with both servers and inputs. */
const definitionsIn = Effect.fnUntraced(function*(
  value: unknown
): Effect.fn.Return<ReadonlyArray<Inputs.InputDefinition>, Failure | SmcpError> {
  const given = isRecord(value) && Array.isArray(value["inputs"]) ? value["inputs"] : value
  const { diagnostics, inputs } = yield* ConfigFile.fromValue(
    { mcpServers: {}, inputs: Array.isArray(given) ? given : [given] },
    "console"
  )
  if (diagnostics[0] !== undefined) return yield* usage(diagnostics.map(({ message }) => message).join("; "))
  return inputs
})

export const load: Run = Effect.fnUntraced(function*({ values: [file = ""] }) {
  const definitions = yield* definitionsIn(yield* readJsonFile(file))
  yield* Effect.mapError((yield* Inputs.Inputs).replace(definitions), failed)
  return said(`${definitions.length} inputs are defined now`, { inputs: definitions.map(({ id }) => id) })
})

export const add: Run = Effect.fnUntraced(function*({ values: [argument = ""] }) {
  const definitions = yield* definitionsIn(yield* readJson(argument))
  const inputs = yield* Inputs.Inputs
  yield* Effect.forEach(definitions, inputs.put, { discard: true }).pipe(Effect.mapError(failed))
  const ids = definitions.map(({ id }) => id)
  return said(`Defined ${ids.join(", ")}`, { inputs: ids })
})

export const remove: Run = Effect.fnUntraced(function*({ values: [id = ""] }) {
  yield* definitionOf(id)
  yield* Effect.mapError((yield* Inputs.Inputs).remove(id), failed)
  return said(`${id} is no longer defined`, { input: id, removed: true })
})

// -----------------------------------------------------------------------------
// Values
// -----------------------------------------------------------------------------

const textOf = (value: Inputs.InputValue): string => typeof value === "string" ? value : JSON.stringify(value)

export const listValues: Run = () =>
  Effect.map(Inputs.Inputs.use(({ values }) => values.list), (values) =>
    tableView({
      json: values,
      headings: ["INPUT", "FROM", "VALUE"],
      rows: values.map(({ from, id, value }) => ({ cells: [id, from, textOf(value)] })),
      none: "No input has a value"
    }))

export const getValue: Run = Effect.fnUntraced(function*({ values: [id = ""] }) {
  yield* definitionOf(id)
  const known = yield* Effect.mapError((yield* Inputs.Inputs).values.get(id), failed)
  return { json: known ?? null, text: () => known === undefined ? `${id} has no value yet` : textOf(known.value) }
})

export const setValue: Run = Effect.fnUntraced(function*({ values: [id = "", given] }) {
  const definition = yield* definitionOf(id)
  const questions = yield* Questions
  const asks = given === undefined && isPassword(definition) && questions.available
  const typed = asks
    ? yield* questions.ask({ about: "", prompt: `${id}: `, hidden: true, read: Result.succeed })
    : Option.fromUndefinedOr(given)
  if (asks && Option.isNone(typed)) return said(`${id} was left as it is`, { input: id, set: false })
  yield* Effect.mapError((yield* Inputs.Inputs).values.set(id, Option.getOrUndefined(typed)), failed)
  return said(`${id} has a value; servers see it when they start`, { input: id, set: true })
})

export const removeValue: Run = Effect.fnUntraced(function*({ values: [id = ""] }) {
  yield* definitionOf(id)
  yield* Effect.mapError((yield* Inputs.Inputs).values.remove(id), failed)
  return said(`The value of ${id} is forgotten`, { input: id, removed: true })
})

export const clearValues: Run = Effect.fnUntraced(function*({ values: [id] }) {
  if (id !== undefined) yield* definitionOf(id)
  yield* Effect.mapError((yield* Inputs.Inputs).values.clear(id), failed)
  return said(id === undefined ? "All values are forgotten" : `The value of ${id} is forgotten`, {
    cleared: id ?? "all"
  })
})

export const render: Run = Effect.fnUntraced(function*({ switches, values: [argument = ""] }) {
  const value = yield* readJson(argument)
  const inputs = yield* Inputs.Inputs
  return jsonView(yield* Effect.mapError(inputs.renderValue(value, { reveal: switches.has("reveal") }), failed))
})
