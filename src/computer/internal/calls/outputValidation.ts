/**
 * Whether the structured content of a result fits the output schema of its tool, for servers whose settings want it looked
 * at.
 */
import * as Effect from "effect/Effect"
import { canonicalJson } from "../../../protocol/Json.ts"
import type { CallToolResult } from "../../../protocol/Tool.ts"
import * as ToolResult from "../../../protocol/ToolResult.ts"
import type { ServerEntry } from "../../ServerEntry.ts"
import type { Route } from "../../ToolRegistry.ts"
import { loadSchemaCompilers, type SchemaCompiler } from "../mcp/mcpSdk.ts"

export interface OutputValidation {
  /**
   * The result in the place of one that does not fit, where the settings want it so; `undefined` when it may go on. It is to
   * be asked only about servers with `validateOutput`.
   */
  readonly check: (
    route: Route,
    result: Readonly<Record<string, unknown>>
  ) => Effect.Effect<CallToolResult | undefined>
}

/** Nothing is loaded or compiled before the first result that is to be looked at. */
export const makeOutputValidation = (): OutputValidation => {
  const servers = new WeakMap<ServerEntry, Map<string, Validator>>()
  let compilers: (() => SchemaCompiler) | undefined
  const loaded = Effect.suspend(() =>
    compilers === undefined
      ? Effect.map(Effect.promise(loadSchemaCompilers), (made) => compilers = made)
      : Effect.succeed(compilers)
  )

  const validatorOf = ({ entry, tool }: Route, schema: Schema, compiler: () => SchemaCompiler): Validator => {
    let tools = servers.get(entry)
    if (tools === undefined) servers.set(entry, tools = new Map<string, Validator>())
    const known = tools.get(tool)
    if (known?.schema === schema) return known
    const text = canonicalJson(schema)
    // the tools were listed again, which is no reason to say the same again
    const validator = known?.text === text
      ? Object.assign(known, { schema })
      : { schema, text, isTold: false, ...compile(schema, text, compiler()) }
    tools.set(tool, validator)
    return validator
  }

  return {
    check: (route, result) => {
      const { definition: { outputSchema }, entry, tool } = route
      if (outputSchema === undefined || result["isError"] === true) return Effect.undefined
      return Effect.flatMap(loaded, (compiler) => {
        const validator = validatorOf(route, outputSchema, compiler)
        if (validator.problemOf === undefined) {
          return warnOnce(
            validator,
            `The results of "${tool}" of "${entry.bundleId}" are not validated: ${validator.unusable}`
          )
        }
        const problem = validator.problemOf(result["structuredContent"])
        if (problem === undefined) return Effect.undefined
        return entry.settings.validateOutput === "error"
          ? Effect.succeed(ToolResult.undeliverable(`does not fit the tool's output schema: ${problem}`))
          : warnOnce(
            validator,
            `A result of "${tool}" of "${entry.bundleId}" does not fit the tool's output schema: ${problem}`
          )
      })
    }
  }
}

// -----------------------------------------------------------------------------
// Internal
// -----------------------------------------------------------------------------

type Schema = Readonly<Record<string, unknown>>

/** What one schema says about results. */
interface Compiled {
  /** The first thing that is wrong, with its place; absent when nothing can be validated. */
  readonly problemOf?: (structured: unknown) => string | undefined
  readonly unusable?: string
}

/** The schema of one tool. */
interface Validator extends Compiled {
  readonly schema: Schema
  readonly text: string
  /** Whether there was a warning. */
  isTold: boolean
}

const warnOnce = (validator: Validator, warning: string): Effect.Effect<undefined> => {
  if (validator.isTold) return Effect.undefined
  validator.isTold = true
  return Effect.as(Effect.logWarning(warning), undefined)
}

/** Each schema has a compiler of its own: two of them may have one `$id`. */
const compile = (schema: Schema, text: string, compiler: SchemaCompiler): Compiled => {
  // it would take the items behind those for all of them
  if (text.includes("\"prefixItems\":")) return { unusable: "its output schema has prefixItems" }
  try {
    const validate = compiler.getValidator(schema)
    return {
      problemOf: (structured) => {
        if (structured === undefined || structured === null) return "structuredContent is missing"
        const { errorMessage } = validate(structured)
        return errorMessage === undefined ? undefined : firstOf(errorMessage)
      }
    }
  } catch (error) {
    return { unusable: `its output schema cannot be used: ${shorten(error instanceof Error ? error.message : "")}` }
  }
}

/** The validator calls what it looks at `data`, and tells everything that is wrong in one line. */
const firstOf = (problems: string): string =>
  shorten(problems.split(/, data(?=[ /])/, 1).join("").replace(/^data/, "structuredContent"))

const LONGEST_PROBLEM = 300

const shorten = (text: string): string => text.replace(/\s+/g, " ").slice(0, LONGEST_PROBLEM)
