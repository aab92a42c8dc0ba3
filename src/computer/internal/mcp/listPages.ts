import { Effect } from "effect"
import { Decode, McpError } from "../../McpError.ts"

/** Sends one request to a server. */
export type Send = (
  method: string,
  params: Readonly<Record<string, unknown>>
) => Effect.Effect<Readonly<Record<string, unknown>>, McpError>

/** What an MCP server lists over all pages. */
export interface Pages {
  readonly items: ReadonlyArray<unknown>
  /** Why there may be more than these. */
  readonly cut: string | undefined
}

/** What MCP servers have lists of, and how each is asked for. */
export const LIST_METHODS = {
  tools: "tools/list",
  resources: "resources/list",
  resourceTemplates: "resources/templates/list",
  prompts: "prompts/list"
} as const
export type ListKind = keyof typeof LIST_METHODS

/** All pages of one of MCP's lists, e.g. `tools` of `tools/list`; ends also when the server's pages do not. */
export const listPages = Effect.fnUntraced(function*(
  send: Send,
  kind: ListKind,
  maxPages: number
): Effect.fn.Return<Pages, McpError> {
  const method = LIST_METHODS[kind]
  const items: Array<unknown> = []
  const cursors = new Set<string>()
  let cursor: string | undefined
  do {
    const result: Readonly<Record<string, unknown>> = yield* send(method, cursor === undefined ? {} : { cursor })
    const page = result[kind]
    if (!Array.isArray(page)) {
      const detail = `the ${kind} of ${method} are not an array but ${describeType(page)}`
      return yield* new McpError({ reason: new Decode({ detail }) })
    }
    for (const item of page) items.push(item)
    cursor = nextCursor(result)
    if (cursor === undefined) return { items, cut: undefined }
    if (cursors.has(cursor)) return { items, cut: "the list repeats a page; what comes after it is unknown" }
    if (cursors.size === maxPages) return { items, cut: `the list has more than ${maxPages} pages` }
    cursors.add(cursor)
  } while (true)
})

/** Where the page after this one begins; `undefined` when this is the last. */
export const nextCursor = ({ nextCursor: cursor }: Readonly<Record<string, unknown>>): string | undefined =>
  typeof cursor === "string" && cursor !== "" ? cursor : undefined

/** The type of a JSON value that is not what it should be, for a message. */
export const describeType = (value: unknown): string =>
  value === undefined ? "missing" : value === null ? "null" : Array.isArray(value) ? "an array" : `a ${typeof value}`
