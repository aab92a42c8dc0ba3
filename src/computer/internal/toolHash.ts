import type { McpTool } from "../McpClient.ts"
import { jsonHash } from "./jsonHash.ts"

/**
 * What tells a tool from what it was before: everything that a person or a model decides by. `undefined` when the tool
 * cannot be told from others, so that no decision on it can be remembered.
 */
export const toolHash = (bundleId: string, tool: McpTool): string | undefined =>
  jsonHash({
    bundleId,
    name: tool.name,
    title: tool["title"],
    description: tool.description,
    inputSchema: tool.inputSchema,
    outputSchema: tool.outputSchema,
    annotations: tool.annotations
  })
