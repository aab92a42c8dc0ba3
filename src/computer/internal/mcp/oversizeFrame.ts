import { TooLarge } from "../../McpError.ts"
import { failedResponse, type Frame } from "./jsonRpcFrame.ts"
import type { Overflow } from "./lineSplitter.ts"

/** What is known of a frame that is too large to be read. */
type OversizeFrame =
  /** The answer to the request with this id. */
  | { readonly _tag: "Response"; readonly id: string | number }
  /** A notification or a request of the server. */
  | { readonly _tag: "Message" }
  | { readonly _tag: "Unknown" }

const ID = String.raw`"id"\s*:\s*(-?\d+|"[^"\\]*")`
const VERSION = String.raw`"jsonrpc"\s*:\s*"2\.0"`
/** Programs write `id` before the result, or behind it at the very end. */
const ID_FIRST = new RegExp(String.raw`^\s*\{\s*(?:${VERSION}\s*,\s*)?${ID}\s*,`)
const ID_LAST = new RegExp(String.raw`,\s*${ID}\s*(?:,\s*${VERSION}\s*)?\}\s*$`)
const METHOD = new RegExp(String.raw`^\s*\{\s*(?:${VERSION}\s*,\s*)?(?:${ID}\s*,\s*)?"method"\s*:`)

/** Makes out what a frame was from both of its ends, without reading what is between them. */
const readOversizeFrame = ({ head, tail }: Overflow): OversizeFrame => {
  if (METHOD.test(head)) return { _tag: "Message" }
  const id = ID_FIRST.exec(head)?.[1] ?? (tail === undefined ? undefined : ID_LAST.exec(tail)?.[1])
  return id === undefined
    ? { _tag: "Unknown" }
    : { _tag: "Response", id: id.startsWith("\"") ? id.slice(1, -1) : Number(id) }
}

/**
 * What ends the request whose answer is too large. `lost`: nobody knows whose answer it was, so the connection has to end;
 * `undefined`: nobody waits for it, or the rest of it will tell.
 */
export const overflowFailure = (overflow: Overflow, limit: number): Frame | "lost" | undefined => {
  const frame = readOversizeFrame(overflow)
  if (frame._tag === "Response") return failedResponse(frame.id, new TooLarge({ limit }))
  return frame._tag === "Unknown" && overflow.tail !== undefined ? "lost" : undefined
}
