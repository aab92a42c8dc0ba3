/**
 * The result of a tool call for people.
 */
import { isRecord } from "../../protocol/Json.ts"
import type { CallToolResult } from "../../protocol/Tool.ts"
import * as Base64 from "../../transport/Base64.ts"

type Part = Readonly<Record<string, unknown>>

/** The text parts as they are, the others described, one below the other; structured content when there is nothing else. */
export const resultText = ({ content, structuredContent }: CallToolResult): string => {
  const parts = (content ?? []).map(describe)
  if (parts.length > 0) return parts.join("\n")
  return structuredContent === undefined || structuredContent === null
    ? ""
    : JSON.stringify(structuredContent, undefined, 2)
}

const describe = (part: Part): string => {
  switch (part["type"]) {
    case "text":
      return String(part["text"])
    case "image":
    case "audio":
      return `[${part["type"]}, ${named(part["mimeType"])}, ${size(part["data"])}]`
    case "resource":
      return describeResource(isRecord(part["resource"]) ? part["resource"] : {})
    case "resource_link":
      return `[link to ${named(part["uri"])}]`
    default:
      return JSON.stringify(part)
  }
}

const describeResource = ({ blob, mimeType, text, uri }: Part): string =>
  typeof text === "string" ? text : `[resource ${named(uri)}, ${named(mimeType)}, ${size(blob)}]`

const named = (value: unknown): string => typeof value === "string" ? value : "unknown"

const size = (data: unknown): string => `${typeof data === "string" ? Base64.decodedSize(data) ?? "?" : 0} bytes`
