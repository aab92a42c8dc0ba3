/**
 * Windows among the resources of an MCP server (specification, desktop: URI and metadata).
 */
import { isRecord } from "../../../protocol/Json.ts"
import type { Revision } from "../../../protocol/Revision.ts"

/** A window as its server lists it. */
export interface ListedWindow {
  /** The resource's URI, to the letter: what is read, subscribed to and asked for. */
  readonly uri: string
  /** What identifies it to the Agent. */
  readonly identity: string
  /** Larger comes first among the windows of its server. */
  readonly priority: number
  readonly fullscreen: boolean
  /** What is wrong with it and stops nothing. */
  readonly remarks: ReadonlyArray<string>
}

/** A resource that means to be a window and is none. */
export interface RejectedWindow {
  readonly uri: string
  readonly why: string
}

/** Whether a URI means a window, valid or not. */
export const isWindowUri = (uri: string): boolean => /^window:/i.test(uri)

/** Reads one entry of `resources/list`; `undefined` when it is no window and does not mean to be one. */
export const readWindow = (
  resource: unknown,
  source: Revision["windowMetadata"]
): ListedWindow | RejectedWindow | undefined => {
  if (!isRecord(resource) || typeof resource["uri"] !== "string" || !isWindowUri(resource["uri"])) return undefined
  const { uri } = resource
  const reject = (why: string): RejectedWindow => ({ uri, why })
  const [, identity, host, query] = /^(window:\/\/([^/?#]+)(?:\/[^?#]*)?)(?:\?([^#]*))?(?:#.*)?$/is.exec(uri) ?? []
  if (identity === undefined || host?.trim() === "") return reject("it has no host: write window://host/path")
  if (/\p{Cc}/u.test(uri)) return reject("its URI contains control characters")
  return source === "uri-query" ? fromQuery(uri, query) : fromAnnotations(resource, uri, identity)
}

/** Up to 0.1: an integer from 0 to 100 and a word, in the query. */
const fromQuery = (uri: string, query: string | undefined): ListedWindow | RejectedWindow => {
  const parameters = new URLSearchParams(query)
  const priority = (parameters.get("priority") ?? "0").trim()
  if (!/^\d+$/.test(priority) || Number(priority) > 100) {
    return { uri, why: `its priority is ${JSON.stringify(priority)}; use an integer from 0 to 100` }
  }
  const fullscreen = (parameters.get("fullscreen") ?? "false").trim().toLowerCase()
  if (![...YES, ...NO].includes(fullscreen)) {
    return { uri, why: `its fullscreen is ${JSON.stringify(fullscreen)}; use true or false` }
  }
  return { uri, identity: uri, priority: Number(priority), fullscreen: YES.includes(fullscreen), remarks: [] }
}

const YES = ["1", "true", "yes", "on"]
const NO = ["0", "false", "no", "off"]

/** From 0.2 on: a number from 0 to 1 in the annotations, a boolean in the metadata, and a URI that only identifies. */
const fromAnnotations = (
  resource: Readonly<Record<string, unknown>>,
  uri: string,
  identity: string
): ListedWindow => {
  const remarks: Array<string> = []
  const annotations = isRecord(resource["annotations"]) ? resource["annotations"] : {}
  const { audience, priority = null } = annotations
  const { fullscreen = null } = isRecord(resource["_meta"]) ? resource["_meta"] : {}
  const isPriority = typeof priority === "number" && priority >= 0 && priority <= 1
  if (!isPriority && priority !== null) remarks.push("annotations.priority is no number from 0 to 1 and counts as 0")
  if (typeof fullscreen !== "boolean" && fullscreen !== null) {
    remarks.push("_meta.fullscreen is no boolean and counts as false")
  }
  if (identity !== uri) remarks.push("its URI carries more than host and path, which is ignored; use annotations")
  if (Array.isArray(audience) && audience.length > 0 && !audience.includes("assistant")) {
    remarks.push("annotations.audience leaves out \"assistant\"; it is shown all the same")
  }
  return { uri, identity, priority: isPriority ? priority : 0, fullscreen: fullscreen === true, remarks }
}
