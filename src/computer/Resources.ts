/**
 * The resources of one MCP server as it lists them, page by page (specification, events: `client:get_resources`).
 */
import * as Effect from "effect/Effect"
import { isRecord } from "../protocol/Json.ts"
import type { GetResourcesReq, GetResourcesRet, Resource } from "../protocol/Resource.ts"
import type { Revision } from "../protocol/Revision.ts"
import * as SmcpError from "../protocol/SmcpError.ts"
import * as WireError from "../protocol/WireError.ts"
import { describeType, nextCursor } from "./internal/mcp/listPages.ts"
import { publicMessage } from "./internal/publicMessage.ts"
import type { McpClient } from "./McpClient.ts"
import { Decode, McpError } from "./McpError.ts"
import type { ServerStatus } from "./McpManager.ts"

/**
 * The page of `resources/list` that a request asks for. Nothing is filtered and the server's cursor is passed on as it
 * is, even when it repeats.
 *
 * Fails with `McpCapabilityNotSupported` when the server has no resources, and with `McpServerNotFound`, whose message says
 * which, when no such server is configured, it is not running, it does not answer in time, or it answers with an error or
 * nonsense. There is no other code: official Servers leave an Agent without an answer when they see one they do not expect.
 */
export const page = Effect.fnUntraced(function*(
  servers: ReadonlyArray<ServerStatus>,
  request: Pick<GetResourcesReq, "mcp_server" | "cursor" | "req_id">,
  revision: Revision
): Effect.fn.Return<GetResourcesRet, SmcpError.SmcpError> {
  const { cursor, mcp_server, req_id } = request
  const client = yield* clientOf(servers, mcp_server, revision)
  const result = yield* client.request("resources/list", typeof cursor === "string" ? { cursor } : {}).pipe(
    Effect.filterOrFail(
      ({ resources }) => Array.isArray(resources),
      ({ resources }) => {
        const detail = `the resources of resources/list are not an array but ${describeType(resources)}`
        return new McpError({ reason: new Decode({ detail }) })
      }
    ),
    Effect.tapError((error) => Effect.logWarning(`The resources of "${mcp_server}" were not listed: ${error.message}`)),
    Effect.mapError((error) => SmcpError.make(wireError(error, mcp_server)))
  )
  const next = nextCursor(result)
  return {
    resources: (result["resources"] as ReadonlyArray<unknown>).flatMap(toWire),
    ...(next === undefined ? {} : { next_cursor: next }),
    req_id
  }
})

// -----------------------------------------------------------------------------
// Internal
// -----------------------------------------------------------------------------

/** The connection to the server that has this key in `client:get_config`. */
const clientOf = (
  servers: ReadonlyArray<ServerStatus>,
  key: string,
  revision: Revision
): Effect.Effect<McpClient, SmcpError.SmcpError> => {
  const server = servers.find(({ entry: { bundleId, config } }) =>
    (revision.serverKey === "bundle_id" ? bundleId : config.name) === key
  )
  const refused = (error: WireError.CodedError) => Effect.fail(SmcpError.make(error))
  if (server === undefined) return refused(new WireError.McpServerNotFound({ mcpServer: key }))
  if (server.state._tag !== "Ready") return refused(notRunning(key))
  const { client } = server.state
  return hasResources(client) ? Effect.succeed(client) : refused(withoutResources(key))
}

/** Whether a server announced that it has resources. */
export const hasResources = ({ capabilities }: McpClient): boolean => isRecord(capabilities["resources"])

const notRunning = (mcpServer: string) =>
  new WireError.McpServerNotFound({ message: "MCP Server is registered but not running", mcpServer })

const withoutResources = (mcpServer: string) =>
  new WireError.McpCapabilityNotSupported({
    message: "MCP Server does not support 'resources' capability",
    mcpServer,
    capability: "resources"
  })

const METHOD_NOT_FOUND = -32601

const wireError = (error: McpError, mcpServer: string): WireError.CodedError => {
  const { reason } = error
  if (reason._tag === "Exit" || reason._tag === "Closed") return notRunning(mcpServer)
  if (reason._tag === "Rpc" && reason.code === METHOD_NOT_FOUND) return withoutResources(mcpServer)
  return new WireError.McpServerNotFound({
    message: `MCP Server did not list its resources: ${publicMessage(error)}`,
    mcpServer
  })
}

/** What is no resource at all, for want of a URI, cannot be said on the wire. */
const toWire = (value: unknown): ReadonlyArray<Resource> => {
  if (!isRecord(value) || typeof value["uri"] !== "string") return []
  const { _meta, annotations, description, mimeType, name, size, uri } = value
  return [{
    uri,
    ...(typeof name === "string" ? { name } : {}),
    ...(typeof description === "string" ? { description } : {}),
    ...(typeof mimeType === "string" ? { mime_type: mimeType } : {}),
    ...(typeof size === "number" ? { size } : {}),
    ...(isRecord(annotations) ? { annotations: wireAnnotations(annotations) } : {}),
    ...(isRecord(_meta) ? { _meta } : {})
  }]
}

const wireAnnotations = ({ lastModified, ...rest }: Readonly<Record<string, unknown>>) =>
  lastModified === undefined ? rest : { ...rest, last_modified: lastModified }
