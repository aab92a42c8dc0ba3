/**
 * A tool as an Agent sees it.
 */
import { isRecord } from "../protocol/Json.ts"
import type { SmcpTool, ToolMeta } from "../protocol/Tool.ts"

/** One tool of one Computer. */
export interface AgentTool {
  /** The Computer that offers it. */
  readonly computer: string
  /** The exposed name: opaque, to be passed to `callTool` as it is. */
  readonly name: string
  /** The MCP server it belongs to; undefined for peers of revision 0.1. */
  readonly bundleId: string | undefined
  /** Empty when the tool has none. */
  readonly description: string
  /** JSON Schema of the parameters. */
  readonly inputSchema: Readonly<Record<string, unknown>>
  /** JSON Schema of the structured result, when the tool declares one. */
  readonly outputSchema: Readonly<Record<string, unknown>> | undefined
  /** How the Computer is configured to treat it: tags, alias, whether it runs without confirmation. */
  readonly toolMeta: ToolMeta
  /** All metadata as it came: simple values, and JSON strings for the rest. */
  readonly meta: Readonly<Record<string, unknown>>
}

/** Reads a listed tool. Peers send nulls, omit keys, and write `"None"` for an empty description. */
export const fromWire = (computer: string, tool: SmcpTool): AgentTool => ({
  computer,
  name: tool.name,
  bundleId: tool.bundle_id ?? undefined,
  description: tool.description === "None" ? "" : tool.description ?? "",
  inputSchema: tool.params_schema ?? { type: "object" },
  outputSchema: tool.return_schema ?? undefined,
  toolMeta: readToolMeta(tool.meta?.["a2c_tool_meta"]),
  meta: tool.meta ?? {}
})

// The specification asks for a JSON string; some peers send the object itself.
const readToolMeta = (raw: unknown): ToolMeta => {
  const value = typeof raw === "string" ? parse(raw) : raw
  return isRecord(value) ? value : {}
}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
