/**
 * One text for every way to write the same JSON value, for hashes and keys.
 */
import { createHash } from "node:crypto"
import { isRecord } from "../../protocol/Json.ts"

/** The value as JSON without spaces, with the keys of every object in order. `undefined` when it is nested too deeply. */
export const canonicalJson = (value: unknown): string | undefined => {
  try {
    return JSON.stringify(value, (_key, each: unknown) => isRecord(each) ? sorted(each) : each) ?? "null"
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}

/** The SHA-256 of {@link canonicalJson}, in hexadecimal. */
export const canonicalSha256 = (value: unknown): string | undefined => {
  const text = canonicalJson(value)
  return text === undefined ? undefined : createHash("sha256").update(text).digest("hex")
}

// which keys an object has decides their order: those like array indices come first, whatever is done here
const sorted = (record: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> =>
  Object.fromEntries(Object.entries(record).sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0))
