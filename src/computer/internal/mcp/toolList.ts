import { Effect } from "effect"
import { isRecord } from "../../../protocol/Json.ts"
import type { McpTool, ToolList } from "../../McpClient.ts"
import type { McpError } from "../../McpError.ts"
import { describeType, listPages, type Send } from "./listPages.ts"

type Skipped = ToolList["skipped"][number]

const MAX_PAGES = 200
const METHOD_NOT_FOUND = -32601
/** How deep a tool may be nested. Whoever reads JSON has a limit, and beyond it no list that holds the tool can be sent. */
const MAX_NESTING = 256

/** Optional fields and what they have to be; a field that is something else (often `null`) is left out. */
const OPTIONAL_FIELDS: Readonly<Record<string, (value: unknown) => boolean>> = {
  description: (value) => typeof value === "string",
  title: (value) => typeof value === "string",
  outputSchema: isRecord,
  annotations: isRecord,
  _meta: isRecord
}

const skip = (name: string | undefined, why: string): { readonly skipped: Skipped } => ({ skipped: { name, why } })

const isNestedDeeper = (value: unknown, levels: number): boolean =>
  typeof value === "object" && value !== null &&
  (levels === 0 || Object.values(value).some((each) => isNestedDeeper(each, levels - 1)))

const readTool = (value: unknown): { readonly tool: McpTool } | { readonly skipped: Skipped } => {
  if (!isRecord(value)) return skip(undefined, `the tool is not an object but ${describeType(value)}`)
  const { inputSchema, name } = value
  if (name === "") return skip(undefined, "its name is empty")
  if (typeof name !== "string") return skip(undefined, `its name is not a string but ${describeType(name)}`)
  if (!isRecord(inputSchema)) return skip(name, `its inputSchema is not an object but ${describeType(inputSchema)}`)
  if (isNestedDeeper(value, MAX_NESTING)) return skip(name, `it is nested deeper than ${MAX_NESTING} levels`)
  const fields = Object.entries(value).filter(([key, field]) => OPTIONAL_FIELDS[key]?.(field) ?? true)
  return { tool: { ...Object.fromEntries(fields), name, inputSchema } }
}

/** All pages of `tools/list`; every tool is judged on its own. */
export const listTools = (
  send: Send,
  capabilities: Readonly<Record<string, unknown>>
): Effect.Effect<ToolList, McpError> => {
  const sendLeniently: Send = (method, params) =>
    Effect.catchReason(
      send(method, params),
      "McpError",
      "Rpc",
      // some servers have tools without saying so, so they are asked all the same
      (reason, error) =>
        reason.code === METHOD_NOT_FOUND && capabilities["tools"] === undefined
          ? Effect.succeed({ tools: [] })
          : Effect.fail(error)
    )
  return Effect.map(listPages(sendLeniently, "tools", MAX_PAGES), ({ cut, items }) => {
    const tools: Array<McpTool> = []
    const skipped: Array<Skipped> = []
    for (const item of items) {
      const read = readTool(item)
      if ("tool" in read) tools.push(read.tool)
      else skipped.push(read.skipped)
    }
    if (cut !== undefined) skipped.push({ name: undefined, why: cut })
    return { tools, skipped }
  })
}
