/**
 * What the placeholders of a configuration stand for at this moment.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { homedir } from "node:os"
import { basename, sep } from "node:path"
import { InputError } from "../../InputError.ts"
import { joinSegments, type Site, type Template } from "../config/template.ts"
import { isSecretVariable } from "../secrets/secretNames.ts"
import type { Needed } from "./inputSources.ts"
import type { InputValue, Resolved } from "./inputValues.ts"
import type { ConstantName, Placeholder, Segment } from "./placeholders.ts"

/** Where values are looked for. */
export interface Surroundings {
  readonly environment: Readonly<Record<string, string | undefined>>
  /** What `${workspaceFolder}` stands for. */
  readonly directory: string | undefined
  readonly isDefined: (id: string) => boolean
  readonly resolveInput: (id: string, needed: Needed) => Effect.Effect<Resolved, InputError>
}

/**
 * Finds everything that a template needs. What can be missing without asking anybody is looked for first, and is named all at
 * once; then inputs are resolved in the order in which they are written.
 */
export const resolveAll = Effect.fnUntraced(function*(
  template: Template,
  surroundings: Surroundings,
  server: string | undefined
): Effect.fn.Return<(placeholder: Placeholder) => Resolved, InputError> {
  const problems = template.sites.flatMap((site) => problemOf(site, surroundings))
  if (problems.length > 0) return yield* Effect.fail(nothingFor(problems))
  const found = new Map<Placeholder, Resolved>()
  const failures: Array<InputError> = []
  for (const { field, placeholder } of template.sites) {
    const result = yield* Effect.result(valueOf(placeholder, surroundings, { server, field }))
    if (result._tag === "Success") found.set(placeholder, result.success)
    else {
      const { message, reason } = result.failure
      failures.push(new InputError({ reason, message: `${placeholder.text} in ${field || "the value"}: ${message}` }))
      // a person who does not answer, or a command that fails, is not tried for the rest as well
      if (reason !== "missing") break
    }
  }
  const [first] = failures
  if (first !== undefined) {
    const last = failures.at(-1) ?? first
    const message = failures.map((failure) => failure.message).join(" ")
    return yield* Effect.fail(new InputError({ reason: last.reason, message }))
  }
  return (placeholder) => {
    const each = found.get(placeholder)
    if (each === undefined) throw new Error("A placeholder of another template")
    return each
  }
})

/** The value of a text that was taken apart: secret when a part of it is. */
export const joinValues = Effect.fnUntraced(function*(
  segments: ReadonlyArray<Segment>,
  surroundings: Surroundings,
  needed: Needed
): Effect.fn.Return<Resolved, InputError> {
  const found = new Map<Placeholder, Resolved>()
  for (const segment of segments) {
    if (typeof segment !== "string") found.set(segment, yield* valueOf(segment, surroundings, needed))
  }
  const value = joinSegments(segments, (placeholder) => {
    const each = found.get(placeholder)
    return each === undefined ? "" : Redacted.value(each.value)
  })
  return { value: Redacted.make(value), secret: [...found.values()].some(({ secret }) => secret) }
})

/** The value of a variable, or undefined when its default counts. One that is empty counts as not set where there is one. */
export const variableValue = (
  { fallback, name }: Extract<Placeholder, { readonly _tag: "Variable" }>,
  environment: Surroundings["environment"]
): string | undefined => {
  const value = Object.hasOwn(environment, name) ? environment[name] : undefined
  return value === "" && fallback !== undefined ? undefined : value
}

/** The value of a constant; undefined when there is no workspace folder. */
export const constantValue = (name: ConstantName, directory: string | undefined): string | undefined => {
  switch (name) {
    case "userHome":
      return homedir()
    case "pathSeparator":
      return sep
    case "workspaceFolder":
      return directory
    case "workspaceFolderBasename":
      return directory === undefined ? undefined : basename(directory)
  }
}

// -----------------------------------------------------------------------------
// Internal
// -----------------------------------------------------------------------------

const valueOf = (
  placeholder: Placeholder,
  surroundings: Surroundings,
  needed: Needed
): Effect.Effect<Resolved, InputError> => {
  const plain = (value: InputValue, secret = false): Effect.Effect<Resolved> =>
    Effect.succeed({ value: Redacted.make(value), secret })
  switch (placeholder._tag) {
    case "Input":
      return surroundings.resolveInput(placeholder.id, needed)
    case "Variable": {
      const secret = isSecretVariable(placeholder.name)
      const value = variableValue(placeholder, surroundings.environment)
      if (value !== undefined) return plain(value, secret)
      if (placeholder.fallback === undefined) break
      return Effect.map(
        joinValues(placeholder.fallback, surroundings, needed),
        (joined) => ({ value: joined.value, secret: secret || joined.secret })
      )
    }
    case "Constant": {
      const value = constantValue(placeholder.name, surroundings.directory)
      if (value === undefined) break
      return plain(value)
    }
    case "Unsupported":
      break
  }
  return Effect.fail(nothingFor(problemOf({ placeholder, field: needed.field ?? "" }, surroundings)))
}

interface Problem {
  readonly what: string
  readonly remedy: string
  readonly reason: "missing" | "undefined"
}

/** What has no value whoever is asked. */
const problemOf = ({ field, placeholder }: Site, surroundings: Surroundings): ReadonlyArray<Problem> => {
  const problem = (reason: Problem["reason"], remedy: string): ReadonlyArray<Problem> => [
    { what: `${placeholder.text} in ${field || "the value"}`, remedy, reason }
  ]
  switch (placeholder._tag) {
    case "Input":
      return surroundings.isDefined(placeholder.id)
        ? []
        : problem("undefined", `Define ${JSON.stringify(placeholder.id)} in "inputs" of the configuration.`)
    case "Variable":
      if (variableValue(placeholder, surroundings.environment) !== undefined) return []
      return placeholder.fallback === undefined
        ? problem("missing", `Set the environment variable before the start${escapeHint(placeholder.text)}.`)
        : placeholder.fallback.flatMap((segment) =>
          typeof segment === "string" ? [] : problemOf({ placeholder: segment, field }, surroundings)
        )
    case "Constant":
      return constantValue(placeholder.name, surroundings.directory) === undefined
        ? problem("missing", "There is a workspace folder only for a configuration that is read from a file.")
        : []
    case "Unsupported":
      return problem("undefined", `Such placeholders are not known here${escapeHint(placeholder.text)}.`)
  }
}

const escapeHint = (text: string): string => text.startsWith("${") ? ", or write $${ for a literal ${" : ""

const nothingFor = (problems: ReadonlyArray<Problem>): InputError =>
  new InputError({
    reason: problems.find(({ reason }) => reason === "undefined")?.reason ?? "missing",
    message: `Nothing to put in place of ${problems.map(({ what }) => what).join(", ")}. ${
      [...new Set(problems.map(({ remedy }) => remedy))].join(" ")
    }`
  })
