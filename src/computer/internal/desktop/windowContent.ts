import { createHash } from "node:crypto"
import { isRecord } from "../../../protocol/Json.ts"
import type { ListedWindow } from "./windowResource.ts"

/** What reading a window came to. */
export type WindowContent =
  | { readonly _tag: "Text"; readonly texts: ReadonlyArray<string> }
  /** Nothing to show. `failed` when that is nobody's intention. */
  | { readonly _tag: "Nothing"; readonly why: string; readonly failed: boolean }

/** There is nothing to show, as its server means it. */
const empty = (why: string): WindowContent => ({ _tag: "Nothing", why, failed: false })

/** Reading failed. */
export const failed = (why: string): WindowContent => ({ _tag: "Nothing", why, failed: true })

/** The text in a result of `resources/read`. */
export const readContent = ({ contents }: Readonly<Record<string, unknown>>): WindowContent => {
  if (!Array.isArray(contents)) return failed("its server's answer has no contents")
  if (contents.length === 0) return empty("it is empty")
  const texts = contents.map((item) => isRecord(item) ? item["text"] : undefined).filter((text) =>
    typeof text === "string"
  )
  return texts.length === 0 ? empty("it has no text, and only text can be shown") : { _tag: "Text", texts }
}

/** A window as the Agent gets it: its identity, and its text after an empty line. */
export const render = ({ identity }: ListedWindow, texts: ReadonlyArray<string>): string => {
  const body = texts.filter((text) => text !== "").join("\n\n")
  return body.trim() === "" ? identity : `${identity}\n\n${body}`
}

/** Equal exactly for what looks equal on a desktop. */
export const digest = (content: WindowContent): string =>
  content._tag === "Nothing"
    ? content.why
    : createHash("sha256").update(JSON.stringify(content.texts)).digest("base64")

/** How many characters of a content may be kept at most. */
const LARGEST_KEPT = 65_536
const MOST_KEPT = 256

interface Kept {
  readonly content: WindowContent
  readonly until: number
}

export interface ContentCache<K> {
  /** What is kept for a key and not out of date; times are milliseconds. */
  readonly get: (key: K, now: number) => WindowContent | undefined
  readonly set: (key: K, content: WindowContent, until: number) => void
  readonly delete: (key: K) => void
}

/** Keeps the newest texts, unless they are very long. */
export const makeContentCache = <K>(): ContentCache<K> => {
  const kept = new Map<K, Kept>()
  return {
    get: (key, now) => {
      const found = kept.get(key)
      if (found === undefined || now < found.until) return found?.content
      kept.delete(key)
      return undefined
    },
    set: (key, content, until) => {
      kept.delete(key)
      if (content._tag === "Nothing" || content.texts.reduce((sum, { length }) => sum + length, 0) > LARGEST_KEPT) {
        return
      }
      kept.set(key, { content, until })
      const [oldest] = kept.keys()
      if (kept.size > MOST_KEPT) kept.delete(oldest!)
    },
    delete: (key) => {
      kept.delete(key)
    }
  }
}
