/**
 * What is thrown by code that is not ours: anything.
 */

/** What it says of itself. */
export const messageOf = (thrown: unknown): string => thrown instanceof Error ? thrown.message : String(thrown)
