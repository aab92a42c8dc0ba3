import type { McpTool } from "../../McpClient.ts"
import type { ServerEntry } from "../../ServerEntry.ts"
import { jsonHash } from "../jsonHash.ts"

/**
 * What tells a tool from another that looks the same, and from what it was before: everything that a person or a model
 * decides by, and what runs it. `undefined` when it cannot be told, so that no decision on it can be remembered.
 */
export const toolHash = (entry: ServerEntry, tool: McpTool): string | undefined =>
  jsonHash({
    bundleId: entry.bundleId,
    name: tool.name,
    title: tool["title"],
    description: tool.description,
    inputSchema: tool.inputSchema,
    outputSchema: tool.outputSchema,
    annotations: tool.annotations,
    program: programOf(entry)
  })

/** What tells the program behind a server from others that are configured under the same name. */
export const programHash = (entry: ServerEntry): string => jsonHash(programOf(entry)) ?? ""

/**
 * As it is configured, without variables and headers: what is secret and changes by itself is in them. Whoever can change
 * those of a program has had it run by its start, before any call is decided on.
 */
const programOf = ({ config, extra, origin, settings }: ServerEntry) => {
  // what a transport of somebody else runs stands in keys of its own
  const transport = settings.custom === undefined ? undefined : { name: settings.custom.transport, ...extra }
  // the same words in another folder may run another program
  const { directory } = origin
  if (config.type !== "stdio") return { transport, directory, url: config.server_parameters.url }
  const { args, command, cwd } = config.server_parameters
  return { transport, directory, command, args, cwd }
}
