import { Effect } from "effect"
import type { McpTool, ToolList } from "../McpClient.ts"
import { InvalidResponse, McpError } from "../McpError.ts"
import { isRecord } from "./jsonRpcFrame.ts"

type Skipped = ToolList["skipped"][number]

/** Sends one request to a server. */
export type Send = (
  method: string,
  params: Readonly<Record<string, unknown>>
) => Effect.Effect<Readonly<Record<string, unknown>>, McpError>

const MAX_PAGES = 200
const METHOD_NOT_FOUND = -32601

/** Optional fields and what they have to be; a field that is something else (often `null`) is left out. */
const OPTIONAL_FIELDS: Readonly<Record<string, (value: unknown) => boolean>> = {
  description: (value) => typeof value === "string",
  title: (value) => typeof value === "string",
  outputSchema: isRecord,
  annotations: isRecord,
  _meta: isRecord
}

const describe = (value: unknown): string =>
  value === undefined ? "missing" : value === null ? "null" : Array.isArray(value) ? "an array" : `a ${typeof value}`

const skip = (name: string | undefined, why: string): { readonly skipped: Skipped } => ({ skipped: { name, why } })

const readTool = (value: unknown): { readonly tool: McpTool } | { readonly skipped: Skipped } => {
  if (!isRecord(value)) return skip(undefined, `the tool is not an object but ${describe(value)}`)
  const { inputSchema, name } = value
  if (name === "") return skip(undefined, "its name is empty")
  if (typeof name !== "string") return skip(undefined, `its name is not a string but ${describe(name)}`)
  if (!isRecord(inputSchema)) return skip(name, `its inputSchema is not an object but ${describe(inputSchema)}`)
  const fields = Object.entries(value).filter(([key, field]) => OPTIONAL_FIELDS[key]?.(field) ?? true)
  return { tool: { ...Object.fromEntries(fields), name, inputSchema } }
}

/** All pages of `tools/list`; every tool is judged on its own. */
export const listTools = Effect.fnUntraced(
  function*(send: Send, capabilities: Readonly<Record<string, unknown>>): Effect.fn.Return<ToolList, McpError> {
    const tools: Array<McpTool> = []
    const skipped: Array<Skipped> = []
    const cursors = new Set<unknown>()
    let cursor: unknown
    do {
      const result: Readonly<Record<string, unknown>> = yield* send(
        "tools/list",
        cursor === undefined ? {} : { cursor }
      ).pipe(
        // some servers have tools without saying so, so they are asked all the same
        Effect.catchReason(
          "McpError",
          "RequestFailed",
          (reason, error) =>
            reason.code === METHOD_NOT_FOUND && capabilities["tools"] === undefined
              ? Effect.succeed({ tools: [] })
              : Effect.fail(error)
        )
      )
      const page: unknown = result["tools"]
      if (!Array.isArray(page)) {
        const detail = `the tools of tools/list are not an array but ${describe(page)}`
        return yield* new McpError({ reason: new InvalidResponse({ detail }) })
      }
      for (const value of page) {
        const read = readTool(value)
        if ("tool" in read) tools.push(read.tool)
        else skipped.push(read.skipped)
      }
      cursor = result["nextCursor"]
      const ends = typeof cursor !== "string" || cursor === ""
      const why = ends
        ? undefined
        : cursors.has(cursor)
        ? "the list repeats a page; what comes after it is unknown"
        : cursors.size === MAX_PAGES
        ? `the list has more than ${MAX_PAGES} pages`
        : undefined
      if (why !== undefined) skipped.push({ name: undefined, why })
      if (ends || why !== undefined) return { tools, skipped }
      cursors.add(cursor)
    } while (true)
  }
)
