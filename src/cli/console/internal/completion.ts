/**
 * What may follow what is typed: commands, and whatever their parameters stand for.
 */
import * as Effect from "effect/Effect"
import { readdirSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import { Inputs } from "../../../computer/Inputs.ts"
import { McpManager } from "../../../computer/McpManager.ts"
import { ToolCalls } from "../../../computer/ToolCalls.ts"
import { ToolRegistry } from "../../../computer/ToolRegistry.ts"
import { isRecord } from "../../../protocol/Json.ts"
import { groups, type Parameter } from "../ConsoleCommand.ts"
import type { Services } from "../Session.ts"
import { atEnd, quote } from "../Words.ts"
import { pathOf } from "./jsonArgument.ts"
import { promptsOf } from "./promptCommands.ts"
import { allNames, commandOf } from "./resolve.ts"
import type { Completion } from "./terminal.ts"

/** Completes a line of which the person has typed this much. */
export const complete = Effect.fnUntraced(function*(line: string): Effect.fn.Return<Completion, never, Services> {
  const { before, last } = atEnd(line)
  const words = before.map(({ text }) => text)
  const found = commandOf(before)
  const names = nextWords(words)
  const parameters = found === undefined ? [] : yield* valuesOf(
    found.command.parameters,
    found.left.map(({ text }) => text),
    last.text
  )
  const switches = last.text.startsWith("--")
    ? Object.keys(found?.command.switches ?? {}).map((name) => `--${name}`)
    : []
  const typed = line.slice(last.at)
  const all = [...new Set([...names, ...parameters.map(quote), ...switches])]
  return { words: all.filter((word) => word.startsWith(typed)).sort(), last: typed }
})

/** The words by which a command can go on. */
const nextWords = (words: ReadonlyArray<string>): ReadonlyArray<string> =>
  allNames.flatMap((name) => {
    const parts = name.split(" ")
    const next = parts[words.length]
    return next !== undefined && words.every((word, index) => parts[index] === word) ? [next] : []
  })

const valuesOf = (
  parameters: ReadonlyArray<Parameter>,
  given: ReadonlyArray<string>,
  typed: string
): Effect.Effect<ReadonlyArray<string>, never, Services> => {
  const parameter = parameters[given.length] ?? parameters.findLast(({ rest }) => rest === true)
  switch (parameter?.kind) {
    case "server":
      return servers
    case "serverOrAll":
      return Effect.map(servers, (ids) => [...ids, "all"])
    case "tool":
      return Effect.map(ToolRegistry.use(({ list }) => list), (tools) => tools.map(({ name }) => name))
    case "input":
      return Effect.map(Inputs.use(({ definitions }) => definitions), (all) => all.map(({ id }) => id))
    case "request":
      return Effect.map(ToolCalls.use(({ running }) => running), (all) => all.map(({ requestId }) => requestId))
    case "level":
      return Effect.succeed(["debug", "info", "notice", "warning", "error"])
    case "command":
      return Effect.succeed([...Object.keys(groups), ...nextWords(given)])
    case "prompt":
      return promptNames(given[0] ?? "")
    case "json":
    case "file":
      return Effect.sync(() => files(typed, parameter.kind === "json"))
    case "toolArgument":
      return keysOf(given[0] ?? "")
    case "promptArgument":
      return promptArguments(given[0] ?? "", given[1] ?? "", typed)
    default:
      return Effect.succeed([])
  }
}

const servers = Effect.map(McpManager.use(({ states }) => states), (all) => all.map(({ entry }) => entry.bundleId))

/** The arguments of a tool that may still be given. */
const keysOf = Effect.fnUntraced(function*(tool: string) {
  const route = yield* (yield* ToolRegistry).resolve(tool)
  const properties = route?.definition.inputSchema["properties"]
  return isRecord(properties) ? Object.keys(properties).map((key) => `${key}=`) : []
})

/** How long a server has for what it offers. */
const VALUES = "2 seconds"

const promptNames = Effect.fnUntraced(
  function*(server: string) {
    const prompts = yield* (yield* McpManager).withClient(server, promptsOf)
    return prompts.flatMap(({ name }) => typeof name === "string" ? [name] : [])
  },
  Effect.timeout(VALUES),
  Effect.orElseSucceed((): ReadonlyArray<string> => [])
)

/** The arguments of a prompt, and behind a `=` what its server offers for it. */
const promptArguments = Effect.fnUntraced(
  function*(server: string, name: string, typed: string) {
    const manager = yield* McpManager
    const [key = "", value] = typed.split("=", 2)
    if (value === undefined) {
      const prompts = yield* manager.withClient(server, promptsOf)
      const names = prompts.filter((prompt) => prompt["name"] === name).flatMap((prompt) => prompt["arguments"])
      return names.filter(isRecord).map((each) => `${String(each["name"])}=`)
    }
    const { completion } = yield* manager.withClient(
      server,
      (client) =>
        client.request("completion/complete", { ref: { type: "ref/prompt", name }, argument: { name: key, value } })
    )
    const values = isRecord(completion) && Array.isArray(completion["values"]) ? completion["values"] : []
    return values.map((each) => `${key}=${String(each)}`)
  },
  Effect.timeout(VALUES),
  Effect.orElseSucceed((): ReadonlyArray<string> => [])
)

/** Files below what is typed so far; `@` marks them where JSON may be typed as well. */
const files = (typed: string, mayBeJson: boolean): ReadonlyArray<string> => {
  const mark = typed.startsWith("@") ? "@" : mayBeJson ? undefined : ""
  if (mark === undefined) return typed === "" ? ["@"] : []
  const path = typed.slice(mark.length)
  const folder = path === "" || path.endsWith("/") ? path : path.slice(0, path.length - basename(path).length)
  try {
    return readdirSync(folder === "" ? "." : pathOf(folder === "/" ? "/" : join(dirname(`${folder}x`))), {
      withFileTypes: true
    }).map((entry) => `${mark}${folder}${entry.name}${entry.isDirectory() ? "/" : ""}`)
  } catch {
    return []
  }
}
