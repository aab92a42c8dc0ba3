import { createHash } from "node:crypto"
import { canonicalJson } from "../../protocol/Json.ts"

/** The SHA-256 of a JSON value, whatever the order of its keys, in hexadecimal. `undefined` when it is nested too deeply. */
export const jsonHash = (value: unknown): string | undefined => {
  try {
    return createHash("sha256").update(canonicalJson(value)).digest("hex")
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}
