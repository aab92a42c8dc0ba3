/**
 * Reading what peers leave open.
 */

/** Whether a value is a JSON object, not an array and not null. */
export const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** The text that a value is, if it is one. */
export const text = (value: unknown): string | undefined => typeof value === "string" ? value : undefined

/** The number that a value is, if it is one. */
export const number = (value: unknown): number | undefined => typeof value === "number" ? value : undefined

/** JSON with the keys of objects in one order: values that say the same have the same text. */
export const canonicalJson = (value: unknown): string => JSON.stringify(value, sorted) ?? "undefined"

const sorted = (_key: string, value: unknown): unknown =>
  isRecord(value)
    ? Object.fromEntries(Object.entries(value).sort(([left], [right]) => left < right ? -1 : left > right ? 1 : 0))
    : value
