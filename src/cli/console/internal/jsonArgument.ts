/**
 * JSON that a command is given: in the line, or in a file as `@file`.
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { parse, type ParseError, printParseErrorCode } from "jsonc-parser"
import { homedir } from "node:os"
import { type Failure, usage } from "../../internal/failure.ts"

/** Reads JSON, comments and trailing commas included. Fails with the place of what is wrong. */
export const readJson = Effect.fnUntraced(function*(
  argument: string
): Effect.fn.Return<unknown, Failure, FileSystem.FileSystem> {
  const path = argument.startsWith("@") ? argument.slice(1) : undefined
  return yield* parseJson(path === undefined ? argument : yield* readText(path), path)
})

/** Reads JSON of a file, named with or without `@`. */
export const readJsonFile = Effect.fnUntraced(function*(
  argument: string
): Effect.fn.Return<unknown, Failure, FileSystem.FileSystem> {
  const path = argument.replace(/^@/, "")
  return yield* parseJson(yield* readText(path), path)
})

/** A path as it is typed: `~` is the home directory. */
export const pathOf = (typed: string): string => typed.replace(/^~(?=$|[\\/])/, () => homedir())

/** Reads a file that somebody named. */
export const readText = (path: string): Effect.Effect<string, Failure, FileSystem.FileSystem> =>
  FileSystem.FileSystem.use((fs) => fs.readFileString(pathOf(path))).pipe(
    Effect.mapError(({ reason }) =>
      usage(
        reason._tag === "NotFound" ? `There is no file ${path}` : `The file ${path} cannot be read (${reason._tag})`
      )
    )
  )

/** Reads a text as JSON. `path` stands in the message for where it came from. */
export const parseJson = (text: string, path?: string): Effect.Effect<unknown, Failure> => {
  const errors: Array<ParseError> = []
  const value: unknown = parse(text.replace(/^\uFEFF/, ""), errors, { allowTrailingComma: true })
  const [error] = errors
  if (error === undefined) return Effect.succeed(value)
  const what = printParseErrorCode(error.error).replace(/(?!^)[A-Z]/g, (letter) => ` ${letter}`).toLowerCase()
  return Effect.fail(usage(`${path ?? "This"} is not valid JSON at ${position(text, error.offset)}: ${what}`))
}

const position = (text: string, offset: number): string => {
  const lines = text.slice(0, offset).split(/\r\n|\r|\n/)
  const column = (lines.at(-1) ?? "").length + 1
  return lines.length === 1 && !text.includes("\n") ? `column ${column}` : `line ${lines.length}, column ${column}`
}
