/**
 * The engines that scripts on results can be written for, as they are loaded into their threads.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { createRequire } from "node:module"
import { isRecord, number, text } from "../../../protocol/Json.ts"
import { makeTransformThread, TransformError } from "./transformThread.ts"

/** An engine by the package it is in. */
export interface PackagedEngine {
  readonly package: string
  readonly glue: string
  /** One line that says what the engine's complaint is, and where. */
  readonly describe: (complaint: unknown, script: string) => string
}

/** Finds the package, and nothing more: it is loaded by the first script. */
export const makePackagedEngine = Effect.fnUntraced(function*(
  { describe, glue, package: name }: PackagedEngine,
  budget: number
): Effect.fn.Return<
  {
    readonly check: (script: string) => Effect.Effect<string | undefined, TransformError>
    readonly run: (script: string, event: Readonly<Record<string, unknown>>) => Effect.Effect<string, TransformError>
  },
  TransformError,
  Scope.Scope
> {
  const module = yield* Effect.try({
    try: () => createRequire(import.meta.url).resolve(name),
    catch: () =>
      new TransformError({
        message: `its engine is the package ${name}, which is not installed; install it with \`npm install ${name}\``
      })
  })
  const { check, run } = yield* makeTransformThread({ module, glue, budget })
  return {
    check: (script) =>
      Effect.map(check(script), (complaint) => complaint === null ? undefined : describe(complaint, script)),
    run
  }
})

/** The last lines of an error tell what the script itself has met. */
const VRL_GLUE = `
return {
  check: (script) => module.check(script).errors[0] ?? null,
  run: (script, event) => module.execute(script, event).event
}`

/** VRL. The engine compiles a script each time it is run. */
export const vrl: PackagedEngine = {
  package: "@bpinternal/verel",
  glue: VRL_GLUE,
  describe: (complaint, script) => {
    const { code, labels, message } = isRecord(complaint) ? complaint : {}
    const label: unknown = Array.isArray(labels) ? labels[0] : undefined
    const span: unknown = isRecord(label) ? label["span"] : undefined
    const start = Array.isArray(span) ? number(span[0]) : undefined
    const detail = isRecord(label) ? text(label["message"]) : undefined
    return place(script, start === undefined ? undefined : charactersIn(script, start)) +
      `${text(message) ?? "cannot be compiled"} (${String(code)})${detail === undefined ? "" : `: ${detail}`}`
  }
}

const JSONATA_GLUE = `
const compiled = new Map()
const compile = (script) => {
  let expression = compiled.get(script)
  if (expression === undefined) {
    if (compiled.size >= 100) compiled.clear()
    compiled.set(script, expression = module(script))
  }
  return expression
}
return {
  check: (script) => {
    try {
      compile(script)
      return null
    } catch ({ code, message, position }) {
      return { code, message, position }
    }
  },
  run: (script, event) => compile(script).evaluate(event)
}`

/** JSONata. A script is compiled once. */
export const jsonata: PackagedEngine = {
  package: "jsonata",
  glue: JSONATA_GLUE,
  describe: (complaint, script) => {
    const { code, message, position } = isRecord(complaint) ? complaint : {}
    return `${place(script, number(position))}${text(message) ?? "cannot be compiled"} (${String(code)})`
  }
}

/** `line 2, column 5: `, both from 1. */
const place = (script: string, at: number | undefined): string => {
  if (at === undefined) return ""
  const before = script.slice(0, at).split("\n")
  return `line ${before.length}, column ${Array.from(before.at(-1)!).length + 1}: `
}

/** An offset in bytes of UTF-8 as one in characters. */
const charactersIn = (script: string, bytes: number): number =>
  Buffer.from(script, "utf8").subarray(0, bytes).toString("utf8").length
