/**
 * Resources of a Computer's MCP servers as an Agent sees them (specification, data structures).
 */
import { isRecord, number, text } from "../protocol/Json.ts"
import type { GetResourcesRet, Resource } from "../protocol/Resource.ts"

/** One resource of one MCP server. */
export interface AgentResource {
  /** The Computer that hosts the server. */
  readonly computer: string
  /** The server's bundle id; its name for peers up to revision 0.2. */
  readonly mcpServer: string
  readonly uri: string
  /** Empty when the resource has none. */
  readonly name: string
  /** Empty when the resource has none. */
  readonly description: string
  readonly mimeType: string | undefined
  /** Bytes. */
  readonly size: number | undefined
  readonly annotations: ResourceAnnotations
  /** All metadata as it came. */
  readonly meta: Readonly<Record<string, unknown>>
}

/** What the MCP server says about the use of a resource. */
export interface ResourceAnnotations {
  /** For whom it is: `user`, `assistant`. Empty when nothing is said. */
  readonly audience: ReadonlyArray<string>
  /** From 0, the least, to 1. */
  readonly priority: number | undefined
  /** ISO 8601. */
  readonly lastModified: string | undefined
}

/** One page of the resources of one MCP server. */
export interface ResourcePage {
  readonly resources: ReadonlyArray<AgentResource>
  /** Where the next page begins; undefined on the last. */
  readonly nextCursor: string | undefined
}

/** Reads a page. Peers send nulls and omit keys; an empty cursor is none. */
export const pageFromWire = (computer: string, mcpServer: string, page: GetResourcesRet): ResourcePage => ({
  resources: (page.resources ?? []).map((resource) => fromWire(computer, mcpServer, resource)),
  nextCursor: page.next_cursor || undefined
})

/** Reads a listed resource. MCP's own names are understood beside the protocol's. */
export const fromWire = (computer: string, mcpServer: string, resource: Resource): AgentResource => ({
  computer,
  mcpServer,
  uri: resource.uri,
  name: resource.name ?? "",
  description: resource.description ?? "",
  mimeType: resource.mime_type ?? text(resource["mimeType"]),
  size: resource.size ?? undefined,
  annotations: readAnnotations(resource.annotations ?? {}),
  meta: resource._meta ?? (isRecord(resource["meta"]) ? resource["meta"] : {})
})

const readAnnotations = (raw: Readonly<Record<string, unknown>>): ResourceAnnotations => ({
  audience: Array.isArray(raw["audience"]) ? raw["audience"].filter((each) => typeof each === "string") : [],
  priority: number(raw["priority"]),
  lastModified: text(raw["last_modified"]) ?? text(raw["lastModified"])
})
