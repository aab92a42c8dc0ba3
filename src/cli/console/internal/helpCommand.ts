/**
 * The help, made of the table of commands.
 */
import * as Effect from "effect/Effect"
import { usage } from "../../internal/failure.ts"
import { commands, type CommandSpec, type Group, groups, usageOf } from "../ConsoleCommand.ts"
import type { Run } from "../Session.ts"
import { bold, type Page, type View } from "../View.ts"
import { didYouMean } from "./nearest.ts"
import { allNames } from "./resolve.ts"

export const help: Run = ({ rest }) => {
  const topic = rest.join(" ")
  if (topic === "") return Effect.succeed(helpView(commands))
  const isGroup = (text: string): text is Group => Object.hasOwn(groups, text)
  const found = commands.filter(({ aliases = [], group, name }) =>
    [name, ...aliases].some((each) => each === topic || each.startsWith(`${topic} `)) ||
    isGroup(topic) && group === topic
  )
  return found.length > 0
    ? Effect.succeed(helpView(found))
    : Effect.fail(
      usage(
        `No help on "${topic}"${
          didYouMean(topic, [...Object.keys(groups), ...allNames])
        } ("help" lists all; groups are ${Object.keys(groups).join(", ")})`
      )
    )
}

const helpView = (shown: ReadonlyArray<CommandSpec>): View => ({
  json: shown.map((command) => ({
    command: command.name,
    aliases: command.aliases ?? [],
    group: command.group,
    usage: usageOf(command),
    help: command.help
  })),
  text: (page) => helpText(shown, page)
})

const MOST_FOR_USAGE = 40

/** The commands by group, each with its arguments. */
export const helpText = (shown: ReadonlyArray<CommandSpec>, page: Page): string => {
  const widest = Math.max(...shown.map((command) => usageOf(command).length))
  const width = Math.min(MOST_FOR_USAGE, Math.floor(page.width * 0.45), widest)
  const sections = Object.entries(groups).flatMap(([group, title]) => {
    const lines = shown.filter((command) => command.group === group).map((command) => entry(command, width, page))
    return lines.length === 0 ? [] : [[bold(title, page), ...lines].join("\n")]
  })
  return sections.join("\n\n")
}

const INDENT = "  "
const NARROWEST = 20

const entry = (command: CommandSpec, width: number, page: Page): string => {
  const usage = usageOf(command)
  const also = command.aliases === undefined ? "" : ` (also ${command.aliases.join(", ")})`
  const switches = Object.entries(command.switches ?? {}).map(([name, what]) => `. --${name}: ${what}`)
  const column = INDENT.length + width + INDENT.length
  const text = wrap(`${command.help}${switches.join("")}${also}`, Math.max(NARROWEST, page.width - column))
  const first = usage.length > width ? [INDENT + usage, " ".repeat(column)] : [INDENT + usage.padEnd(width) + INDENT]
  return first.join("\n") + text.join(`\n${" ".repeat(column)}`)
}

/** Lines of whole words. */
const wrap = (text: string, width: number): ReadonlyArray<string> => {
  const lines: Array<string> = []
  for (const word of text.split(" ")) {
    const last = lines.at(-1)
    if (last === undefined || last.length + 1 + word.length > width) lines.push(word)
    else lines[lines.length - 1] = `${last} ${word}`
  }
  return lines
}
