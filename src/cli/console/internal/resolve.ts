/**
 * From the words of a line to a command of the table and its arguments.
 */
import * as Result from "effect/Result"
import { commands, type CommandSpec, type KnownCommand, type Parameter, usageOf } from "../ConsoleCommand.ts"
import type { Word } from "../Words.ts"
import { didYouMean } from "./nearest.ts"

/** What a command is given. */
export interface Arguments {
  /** By the position of their parameters; those of one that takes the rest are in `rest`. */
  readonly values: ReadonlyArray<string | undefined>
  readonly rest: ReadonlyArray<string>
  readonly switches: ReadonlySet<string>
}

/** A command with its arguments. */
export interface Resolved {
  readonly command: KnownCommand
  readonly args: Arguments
}

interface Named {
  readonly words: ReadonlyArray<string>
  readonly command: KnownCommand
}

/** Every name, the longer ones first: "inputs value" is not "inputs" with an argument. */
const names: ReadonlyArray<Named> = commands
  .flatMap((command) => [command.name, ...command.aliases ?? []].map((name) => ({ words: name.split(" "), command })))
  .sort((a, b) => b.words.length - a.words.length)

/** Every name as it is typed. */
export const allNames: ReadonlyArray<string> = names.map(({ words }) => words.join(" ")).sort()

/** The command that words begin with, and what is left of them. */
export const commandOf = <W extends { readonly text: string }>(
  words: ReadonlyArray<W>
): { readonly command: KnownCommand; readonly left: ReadonlyArray<W> } | undefined => {
  const found = names.find((name) => name.words.every((word, index) => words[index]?.text === word))
  return found === undefined ? undefined : { command: found.command, left: words.slice(found.words.length) }
}

/** Finds the command and gives it its arguments, or says what is wrong. */
export const resolve = (words: ReadonlyArray<Word>): Result.Result<Resolved, string> => {
  const found = commandOf(words)
  if (found === undefined) return Result.fail(unknown(words.map(({ text }) => text)))
  const { command, left } = found
  return Result.map(bind(command, left.map(({ text }) => text)), (args) => ({ command, args }))
}

/** Gives a command its arguments. */
export const bind = (command: CommandSpec, words: ReadonlyArray<string>): Result.Result<Arguments, string> => {
  const known = Object.keys(command.switches ?? {})
  const switches = known.length === 0 ? [] : words.filter((word) => word.startsWith("--"))
  const strange = switches.find((word) => !known.includes(word.slice(2)))
  if (strange !== undefined) return Result.fail(`There is no ${strange}. Usage: ${usageOf(command)}`)
  const left = words.filter((word) => !switches.includes(word))
  const takesRest = command.parameters.at(-1)?.rest === true
  const positional = takesRest ? command.parameters.slice(0, -1) : command.parameters
  const missing = positional.find((parameter, index) => parameter.optional !== true && left[index] === undefined)
  if (missing !== undefined) return Result.fail(`<${missing.name}> is missing. Usage: ${usageOf(command)}`)
  if (!takesRest && left.length > positional.length) {
    const extra = left[positional.length] ?? ""
    return Result.fail(`"${short(extra)}" is too much; quote what has spaces. Usage: ${usageOf(command)}`)
  }
  const wrong = positional.flatMap((parameter, index) => complaint(parameter, left[index]) ?? [])
  if (wrong[0] !== undefined) return Result.fail(`${wrong[0]}. Usage: ${usageOf(command)}`)
  return Result.succeed({
    values: positional.map((_, index) => left[index]),
    rest: left.slice(positional.length),
    switches: new Set(switches.map((word) => word.slice(2)))
  })
}

const complaint = ({ kind, name }: Parameter, value: string | undefined): string | undefined =>
  kind === "number" && value !== undefined && !/^\d{1,9}$/.test(value)
    ? `[${name}] is a number, not "${short(value)}"`
    : undefined

const short = (text: string): string => text.length > 40 ? `${text.slice(0, 39)}…` : text

/** Says that there is no such command, and which was meant. */
const unknown = (words: ReadonlyArray<string>): string => {
  const [first = "", second] = words
  if (/^https?:/i.test(first)) {
    return "An address is no command; \"login <server> <address>\" takes the one where a login ended"
  }
  const below = allNames.filter((name) => name.startsWith(`${first} `))
  const typed = words.slice(0, 2).join(" ")
  const near = didYouMean(typed, allNames)
  if (below.length > 0) {
    return second === undefined || near === ""
      ? `${first} what? ${below.join(", ")}`
      : `There is no command "${short(typed)}"${near}`
  }
  const hint = near || didYouMean(first, allNames.map((name) => name.split(" ", 1).join("")))
  return `There is no command "${short(first)}"${hint} ("help" lists all)`
}
