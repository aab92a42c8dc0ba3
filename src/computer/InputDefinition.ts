/**
 * The definitions behind `${input:id}` as a configuration of this Computer may hold them: those of the protocol, and kinds
 * that peers do not know and are told of as a `promptString`.
 */
import * as Schema from "effect/Schema"
import { PickOption, type ServerInput } from "../protocol/ServerConfig.ts"

export {
  /** The environment variable that an input is read from: `A2C_SMCP_` and its id. */
  variableOf
} from "./internal/inputs/inputNames.ts"

const maybe = <S extends Schema.Constraint>(schema: S) => Schema.optionalKey(Schema.NullOr(schema))

const base = { id: Schema.NonEmptyString, description: maybe(Schema.String) } as const

const Count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

/** A text that is typed in. In a file: `min_length`, `max_length`, `pattern`, `pattern_message`. */
export const PromptString = Schema.Struct({
  ...base,
  type: Schema.tag("promptString"),
  default: maybe(Schema.String),
  /** Its value is a secret: not shown while it is typed, and nowhere afterwards. */
  password: maybe(Schema.Boolean),
  /** A regular expression that the whole text has to match. */
  pattern: maybe(Schema.String),
  /** What to say of a text that does not match. */
  patternMessage: maybe(Schema.String),
  minLength: maybe(Count),
  maxLength: maybe(Count)
}).pipe(Schema.encodeKeys({ patternMessage: "pattern_message", minLength: "min_length", maxLength: "max_length" }))

/** One of several values. An option that is a plain text is its own label. */
export const PickString = Schema.Struct({
  ...base,
  type: Schema.tag("pickString"),
  options: Schema.Array(Schema.Union([PickOption, Schema.String])),
  default: maybe(Schema.String)
})

/** What a command prints. The values of `args`, in the order of their keys, are its arguments. */
export const CommandOutput = Schema.Struct({
  ...base,
  type: Schema.tag("command"),
  command: Schema.String,
  args: maybe(Schema.Record(Schema.String, Schema.String))
})

/** A number. As a whole-string placeholder it stays a number. */
export const NumberInput = Schema.Struct({
  ...base,
  type: Schema.tag("number"),
  default: maybe(Schema.Finite),
  min: maybe(Schema.Finite),
  max: maybe(Schema.Finite),
  integer: maybe(Schema.Boolean)
})

/** Yes or no. In a file: `true_label`, `false_label`. As a whole-string placeholder it stays a boolean. */
export const BooleanInput = Schema.Struct({
  ...base,
  type: Schema.tag("boolean"),
  default: maybe(Schema.Boolean),
  /** What a person is shown for yes. Default: `yes`. */
  trueLabel: maybe(Schema.String),
  falseLabel: maybe(Schema.String)
}).pipe(Schema.encodeKeys({ trueLabel: "true_label", falseLabel: "false_label" }))

/** The path of a file or directory. In a file: `must_exist`, `suffixes`. */
export const FileInput = Schema.Struct({
  ...base,
  type: Schema.tag("file"),
  default: maybe(Schema.String),
  mustExist: maybe(Schema.Boolean),
  /** How its name may end, e.g. `.pem`. Default: in any way. */
  suffixes: maybe(Schema.Array(Schema.String))
}).pipe(Schema.encodeKeys({ mustExist: "must_exist" }))

/** A definition behind `${input:id}`; its encoded side is that of a configuration file. */
export const InputDefinition = Schema.Union([
  PromptString,
  PickString,
  CommandOutput,
  NumberInput,
  BooleanInput,
  FileInput
])
export type InputDefinition = typeof InputDefinition.Type

/** Every kind of input. */
export const kinds: ReadonlyArray<InputDefinition["type"]> = [
  "promptString",
  "pickString",
  "command",
  "number",
  "boolean",
  "file"
]

/** A choice of a `pickString` input in the labelled form, whichever form it was written in. */
export const labelled = (option: PickOption | string): PickOption =>
  typeof option === "string" ? { label: option, value: option } : option

/**
 * The definition as peers know it: what only this Computer checks is left out, and the kinds of its own are a `promptString`
 * whose description says what is expected.
 */
export const toServerInput = (input: InputDefinition): ServerInput => {
  const { description = null, id } = input
  switch (input.type) {
    case "promptString":
      return {
        id,
        description,
        type: "promptString",
        default: input.default ?? null,
        password: input.password ?? false
      }
    case "pickString":
    case "command":
      return input
    default:
      return {
        id,
        description: `${description ?? id} (${expectation(input)})`,
        type: "promptString",
        default: input.default === undefined || input.default === null ? null : String(input.default),
        password: false
      }
  }
}

/** What a value has to be, in a few words, for whoever is asked for it. */
export const expectation = (
  input: typeof NumberInput.Type | typeof BooleanInput.Type | typeof FileInput.Type
): string => {
  switch (input.type) {
    case "number": {
      const kind = input.integer === true ? "a whole number" : "a number"
      const { max = null, min = null } = input
      if (min !== null && max !== null) return `${kind} from ${min} to ${max}`
      if (min !== null) return `${kind}, at least ${min}`
      return max === null ? kind : `${kind}, at most ${max}`
    }
    case "boolean":
      return "true or false"
    case "file": {
      const what = input.mustExist === true ? "the path of an existing file" : "the path of a file"
      const suffixes = input.suffixes ?? []
      return suffixes.length === 0 ? what : `${what} ending in ${suffixes.join(" or ")}`
    }
  }
}
