/**
 * A result of the wire as a result of MCP: some peers write absent parts as nulls, which strict readers of MCP refuse,
 * and the protocol has a name of its own for the metadata.
 */
import { isRecord } from "../../protocol/Json.ts"
import type { CallToolResult } from "../../protocol/Tool.ts"

/** See `ToolOutcome.toMcp`. */
export const mcpResult = (result: CallToolResult): Readonly<Record<string, unknown>> => {
  const { content, ...rest } = result
  return { ...withMcpMeta(rest), content: (content ?? []).map(mcpItem) }
}

const mcpItem = (item: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> => {
  const { resource, ...rest } = item
  return { ...withMcpMeta(rest), ...(isRecord(resource) ? { resource: withMcpMeta(resource) } : {}) }
}

const withMcpMeta = (record: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> => {
  const { _meta, meta, ...rest } = Object.fromEntries(Object.entries(record).filter(([, value]) => value !== null))
  const metadata = meta ?? _meta
  return metadata === undefined ? rest : { ...rest, _meta: metadata }
}
