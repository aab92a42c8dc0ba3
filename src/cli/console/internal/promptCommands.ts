/**
 * What the commands for the prompts of MCP servers do. Prompts are for the person here: the protocol does not carry them.
 */
import * as Effect from "effect/Effect"
import type { McpClient } from "../../../computer/McpClient.ts"
import type { McpError } from "../../../computer/McpError.ts"
import { McpManager } from "../../../computer/McpManager.ts"
import { isRecord } from "../../../protocol/Json.ts"
import { exitCodes } from "../../internal/exitCodes.ts"
import { Failure, usage } from "../../internal/failure.ts"
import { printable } from "../../internal/output.ts"
import { resultText } from "../../internal/resultText.ts"
import type { Run } from "../Session.ts"
import { tableView } from "../View.ts"
import { serverOf } from "./serverView.ts"

type Prompt = Readonly<Record<string, unknown>>

const MOST_PAGES = 50

/** All pages of `prompts/list`; none of a server without prompts. */
export const promptsOf = Effect.fnUntraced(function*(
  client: McpClient
): Effect.fn.Return<ReadonlyArray<Prompt>, McpError> {
  if (client.capabilities["prompts"] === undefined) return []
  const found: Array<Prompt> = []
  let cursor: unknown
  for (let page = 0; page < MOST_PAGES; page++) {
    const result = yield* client.request("prompts/list", typeof cursor === "string" ? { cursor } : {})
    if (Array.isArray(result["prompts"])) found.push(...result["prompts"].filter(isRecord))
    cursor = result["nextCursor"]
    if (typeof cursor !== "string") break
  }
  return found
})

const textOf = (value: unknown): string => typeof value === "string" ? value : ""

const argumentNames = (prompt: Prompt): string =>
  (Array.isArray(prompt["arguments"]) ? prompt["arguments"] : []).filter(isRecord)
    .map((each) => each["required"] === true ? textOf(each["name"]) : `[${textOf(each["name"])}]`)
    .join(" ")

export const list: Run = Effect.fnUntraced(function*() {
  const manager = yield* McpManager
  const ready = (yield* manager.states).filter(({ state }) => state._tag === "Ready")
  const found = yield* Effect.forEach(ready, ({ entry: { bundleId } }) =>
    manager.withClient(bundleId, promptsOf).pipe(
      Effect.map((prompts) => prompts.map((prompt) => ({ server: bundleId, prompt }))),
      Effect.catch(({ message }) => Effect.as(Effect.logWarning(`The prompts of ${bundleId}: ${message}`), []))
    ), { concurrency: "unbounded" })
  const prompts = found.flat()
  return tableView({
    json: prompts.map(({ prompt, server }) => ({ ...prompt, server })),
    headings: ["PROMPT", "SERVER", "ARGUMENTS", "DESCRIPTION"],
    rows: prompts.map(({ prompt, server }) => ({
      cells: [textOf(prompt["name"]), server, argumentNames(prompt), textOf(prompt["description"])]
    })),
    none: "No MCP server that is ready offers prompts"
  })
})

export const get: Run = Effect.fnUntraced(function*({ rest, values: [server = "", name = ""] }) {
  const { bundleId } = yield* serverOf(server)
  const strange = rest.find((word) => word.indexOf("=") < 1)
  if (strange !== undefined) return yield* usage(`"${strange}" is no argument; write key=value`)
  const args = Object.fromEntries(
    rest.map((word) => [word.slice(0, word.indexOf("=")), word.slice(word.indexOf("=") + 1)])
  )
  const result = yield* (yield* McpManager).withClient(
    bundleId,
    (client) => client.request("prompts/get", { name, arguments: args })
  ).pipe(
    Effect.mapError(({ message }) => new Failure({ message, exitCode: exitCodes.failed }))
  )
  const messages = Array.isArray(result["messages"]) ? result["messages"].filter(isRecord) : []
  return {
    json: result,
    text: () =>
      printable(
        messages.map(({ content, role }) => {
          const parts = (Array.isArray(content) ? content : [content]).filter(isRecord)
          return `${textOf(role)}: ${resultText({ content: parts })}`
        }).join("\n")
      )
  }
})
