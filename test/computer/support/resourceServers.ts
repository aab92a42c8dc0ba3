import { Server } from "@modelcontextprotocol/sdk/server/index.js"
import {
  CallToolRequestSchema,
  ErrorCode,
  ListResourcesRequestSchema,
  ListToolsRequestSchema,
  McpError as SdkError,
  ReadResourceRequestSchema,
  SubscribeRequestSchema,
  UnsubscribeRequestSchema
} from "@modelcontextprotocol/sdk/types.js"
import { Effect } from "effect"
import * as McpClient from "../../../src/computer/McpClient.ts"

/** A resource with what reading it gives: its text, contents as they are, or whatever that comes to. */
export interface Resource {
  readonly uri: string
  readonly content?: string | ReadonlyArray<object> | (() => Promise<string>)
  readonly [key: string]: unknown
}

/** What the server announces. */
export interface Announced {
  readonly subscribe?: boolean
  readonly listChanged?: boolean
}

/** An SDK server in this process with resources that can be changed while it runs, and one tool, `touch`. */
export class ResourceServer {
  resources: ReadonlyArray<Resource>
  pageSize = 1000
  /** Whether its list begins again after the last page. */
  repeats = false
  /** `undefined`: it does not announce resources. */
  announced: Announced | undefined
  /** Whether it leaves requests for its list unanswered. */
  keepsList = false
  /** Answers a request for its list in place of it. */
  answersList: (() => unknown) | undefined
  /** Refuses subscriptions as a server that does not know them. */
  refusesSubscriptions = false
  /** What subscriptions wait for. */
  subscribing = Promise.resolve()
  /** What was asked, as `method` or `method uri`. */
  asked: Array<string> = []
  /** Its tools; all do what `touched` says. */
  tools: ReadonlyArray<string> = ["touch"]
  /** Says, while its tools are listed for the first time, that they have changed to these. */
  nextTools: ReadonlyArray<string> | undefined
  /** What `touch` does. */
  touched: () => void = () => {}
  private server: Server | undefined

  constructor(
    resources: ReadonlyArray<Resource>,
    announced: Announced | undefined = { subscribe: true, listChanged: true }
  ) {
    this.resources = resources
    this.announced = announced
  }

  /** How often this was asked. */
  count(asked: string): number {
    return this.asked.filter((each) => each === asked).length
  }

  /** Says that the list changed, whether or not it did. */
  listChanged(): Promise<void> {
    return this.server?.sendResourceListChanged() ?? Promise.resolve()
  }

  /** Says that a resource changed, whether or not it did. */
  updated(uri: string): Promise<void> {
    return this.server?.sendResourceUpdated({ uri }) ?? Promise.resolve()
  }

  /** Gives a resource another content, and says so. */
  write(uri: string, content: NonNullable<Resource["content"]>): Promise<void> {
    this.resources = this.resources.map((resource) => resource.uri === uri ? { ...resource, content } : resource)
    return this.updated(uri)
  }

  /** Ends the connection from the server's side. */
  close(): Promise<void> {
    return this.server?.close() ?? Promise.resolve()
  }

  /** A new connection to it. */
  readonly connect = Effect.suspend(() => {
    const resources = this.announced === undefined ? {} : { resources: this.announced }
    const server = new Server({ name: "resources", version: "1" }, {
      capabilities: { tools: { listChanged: true }, ...resources }
    })
    this.server = server
    server.setRequestHandler(ListToolsRequestSchema, async () => {
      const { nextTools = this.tools, tools } = this
      this.tools = nextTools
      this.nextTools = undefined
      if (tools !== nextTools) await server.sendToolListChanged()
      return { tools: tools.map((name) => ({ name, inputSchema: { type: "object" as const } })) }
    })
    server.setRequestHandler(CallToolRequestSchema, () => {
      this.touched()
      return { content: [{ type: "text", text: "touched" }] }
    })
    if (this.announced !== undefined) this.serve(server)
    return McpClient.connectInMemory(server)
  })

  private serve(server: Server): void {
    server.setRequestHandler(ListResourcesRequestSchema, ({ params }) => {
      this.asked.push("list")
      if (this.keepsList) return new Promise<never>(() => {})
      if (this.answersList !== undefined) return this.answersList() as object
      const start = Number(params?.cursor ?? 0)
      if (!Number.isInteger(start)) throw new SdkError(ErrorCode.InvalidParams, "Unknown cursor")
      const end = start + this.pageSize
      return {
        resources: this.resources.slice(start, end).map(({ content: _, ...resource }) => ({ name: "w", ...resource })),
        ...(end < this.resources.length ? { nextCursor: String(end) } : this.repeats ? { nextCursor: "0" } : {})
      }
    })
    server.setRequestHandler(ReadResourceRequestSchema, async ({ params: { uri } }) => {
      this.asked.push(`read ${uri}`)
      const content = this.resources.find((resource) => resource.uri === uri)?.content ?? []
      const text = typeof content === "function" ? await content() : content
      return {
        contents: typeof text === "string" ? [{ uri, text }] : [...text] as Array<{ uri: string; text: string }>
      }
    })
    if (this.announced?.subscribe !== true) return
    server.setRequestHandler(SubscribeRequestSchema, async ({ params: { uri } }) => {
      this.asked.push(`subscribe ${uri}`)
      if (this.refusesSubscriptions) throw new SdkError(ErrorCode.MethodNotFound, "Method not found")
      await this.subscribing
      return {}
    })
    server.setRequestHandler(UnsubscribeRequestSchema, ({ params: { uri } }) => {
      this.asked.push(`unsubscribe ${uri}`)
      return {}
    })
  }
}
