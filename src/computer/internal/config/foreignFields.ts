/**
 * What it takes to write an entry of another program in the words of the common shape, with our variables.
 */
import { isRecord } from "../../../protocol/Json.ts"
import type { Fields } from "./decoding.ts"
import { escapedText, mapTexts } from "./translate.ts"

/** The servers of another program in the words of the common shape; variables are written as ours. */
export interface Foreign {
  readonly servers: ReadonlyArray<readonly [key: string, value: unknown]>
  /** What there is to say of entries that only the other program can use, and that are not among the servers. */
  readonly remarks: ReadonlyArray<string>
}

/** The name that an item of a list gives itself. */
export const nameIn = (item: unknown): string | undefined =>
  isRecord(item)
    ? [item["name"], item["bundle_id"]].find((name): name is string => typeof name === "string" && name !== "")
    : undefined

export const recordOf = (value: unknown): Fields => isRecord(value) ? value : {}

/** The texts in a list. */
export const namesOf = (value: unknown): ReadonlyArray<string> =>
  Array.isArray(value) ? value.filter((name): name is string => typeof name === "string") : []

/** Each key with the variable of this name. */
export const variables = (names: ReadonlyArray<readonly [key: string, name: unknown]>): Fields =>
  Object.fromEntries(names.map(([key, name]) => [key, `\${env:${String(name)}}`]))

/** A value whose texts stand for themselves, whatever they look like. */
export const escaped = (value: unknown): unknown => mapTexts(value, escapedText)

/** A text in which what `pattern` finds is replaced, and the rest stands for itself. */
export const replaced = (text: string, pattern: RegExp, by: (match: RegExpExecArray) => string): string => {
  let result = ""
  let end = 0
  for (const match of text.matchAll(pattern)) {
    result += escapedText(text.slice(end, match.index)) + by(match)
    end = match.index + match[0].length
  }
  return result + escapedText(text.slice(end))
}

/** A map, or nothing when it is empty. */
export const unlessEmpty = (map: Fields): Fields | undefined => Object.keys(map).length === 0 ? undefined : map
