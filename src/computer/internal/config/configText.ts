/**
 * The text of a config file as a value: JSON as people write it, TOML, or YAML.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { type Node, type ParseError, parseTree, printParseErrorCode } from "jsonc-parser"
import { parse as parseToml, TomlError } from "smol-toml"

/** What a text says. */
export interface ConfigText {
  readonly value: unknown
  /** Keys that an object has more than once, of which only the last counts; the first of them. TOML and YAML have none. */
  readonly repeated: ReadonlyArray<{ readonly key: string; readonly place: string }>
}

/** Reads a text. A complaint says where it is wrong and shows nothing of it. */
export const configText = (text: string, sourceName: string): Effect.Effect<ConfigText, string> => {
  const plain = text.startsWith("\uFEFF") ? text.slice(1) : text
  if (/\.toml$/i.test(sourceName)) return Effect.fromResult(Result.map(tomlValue(plain), withoutRepeated))
  if (/\.ya?ml$/i.test(sourceName)) return Effect.map(yamlValue(plain), withoutRepeated)
  return Effect.fromResult(jsonValue(plain))
}

const withoutRepeated = (value: unknown): ConfigText => ({ value, repeated: [] })

const EMPTY = "is empty; write { \"mcpServers\": { … } }"

const jsonValue = (json: string): Result.Result<ConfigText, string> => {
  const errors: Array<ParseError> = []
  try {
    const root = parseTree(json, errors, { allowTrailingComma: true })
    if (root !== undefined && errors.length === 0) {
      const repeated = repeatedKeys(root).slice(0, MOST_REPEATED).map(({ offset, value: key }) => ({
        key: String(key),
        place: position(json, offset)
      }))
      return Result.succeed({ value: valueOf(root), repeated })
    }
  } catch (error) {
    if (error instanceof RangeError) return Result.fail("is nested too deeply")
    throw error
  }
  const [error] = errors
  return Result.fail(
    error === undefined || json.trim() === ""
      ? EMPTY
      : `is not valid JSON at ${position(json, error.offset)}: ${wordsOf(printParseErrorCode(error.error))}`
  )
}

/** What stands there. Unlike the value that the parser makes, it has every key, `__proto__` too, as one of its own. */
const valueOf = ({ children = [], type, value }: Node): unknown => {
  switch (type) {
    case "object":
      return Object.fromEntries(children.map(({ children: [key, item] = [] }) => [
        key?.value,
        item === undefined ? undefined : valueOf(item)
      ]))
    case "array":
      return children.map(valueOf)
    default:
      return value
  }
}

/** So many keys are named that are there more than once. */
const MOST_REPEATED = 20

/** The keys that came before in the same object. */
const repeatedKeys = ({ children = [], type }: Node): ReadonlyArray<Node> => {
  if (type !== "object") return children.flatMap(repeatedKeys)
  const seen = new Set<unknown>()
  return children.flatMap(({ children: [key, item] = [] }) => {
    const isRepeated = key !== undefined && seen.has(key.value)
    seen.add(key?.value)
    return [...isRepeated ? [key] : [], ...item === undefined ? [] : repeatedKeys(item)]
  })
}

const tomlValue = (toml: string): Result.Result<unknown, string> => {
  try {
    return Result.succeed(parseToml(toml))
  } catch (error) {
    // its message shows the line, which may hold a secret
    return Result.fail(
      error instanceof TomlError
        ? `is not valid TOML at line ${error.line}, column ${error.column}`
        : "is not valid TOML"
    )
  }
}

// few programs need it, and it takes a while to load
const yamlPackage = Effect.promise(() => import("yaml"))

const yamlValue = (yaml: string): Effect.Effect<unknown, string> =>
  Effect.flatMap(yamlPackage, ({ parseDocument }) =>
    Effect.suspend((): Effect.Effect<unknown, string> => {
      try {
        const document = parseDocument(yaml, { prettyErrors: false, logLevel: "error" })
        const [error] = document.errors
        if (error === undefined) {
          return document.contents === null
            ? Effect.fail(EMPTY)
            : Effect.succeed(document.toJS())
        }
        if (error.code === "RESOURCE_EXHAUSTION") return Effect.fail("is nested too deeply")
        // its message shows the text, which may be a secret
        const why = error.code.toLowerCase().replaceAll("_", " ")
        return Effect.fail(`is not valid YAML at ${position(yaml, error.pos[0])}: ${why}`)
      } catch (error) {
        // of aliases: one without an anchor, or more than anybody writes
        return Effect.fail(
          error instanceof ReferenceError ? "has YAML aliases that cannot be followed" : "is not valid YAML"
        )
      }
    }))

const position = (text: string, offset: number): string => {
  const before = text.slice(0, offset).split(/\r\n|\r|\n/)
  return `line ${before.length}, column ${(before.at(-1) ?? "").length + 1}`
}

/** `CloseBraceExpected` as `close brace expected`. */
const wordsOf = (code: string): string => code.replace(/(?!^)[A-Z]/g, (letter) => ` ${letter}`).toLowerCase()
