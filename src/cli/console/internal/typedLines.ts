/**
 * The lines typed at the prompt, from one run to the next. What may hold a secret is not among them.
 */
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname } from "node:path"
import { holdsSecret } from "../../../computer/CallHistory.ts"
import { commandOf } from "./resolve.ts"

const MOST = 500

/** How long a line may be remembered: for good, until the console ends, or not at all. */
export const remembrance = (line: string): "file" | "session" | "never" => {
  // not parsed: a line with a missing quote may hold a secret as well
  const words = line.trim().split(/\s+/).map((text) => ({ text }))
  if (words.some(({ text }) => text === "--reveal")) return "never"
  const known = commandOf(words)?.command
  // what is no command may have been meant for a question
  return known === undefined ? "session" : known.remember ?? (holdsSecret(line) ? "session" : "file")
}

/** The lines of earlier runs, the newest first; none when the file cannot be read. */
export const load = (path: string): ReadonlyArray<string> => {
  try {
    const lines = readFileSync(path, "utf8").split("\n").filter((line) => line !== "")
    if (lines.length > 2 * MOST) writeFileSync(path, `${lines.slice(-MOST).join("\n")}\n`, { mode: 0o600 })
    return lines.slice(-MOST).reverse()
  } catch {
    return []
  }
}

/** Adds a line. A history that cannot be written is no reason to fail. */
export const append = (path: string, line: string): void => {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    appendFileSync(path, `${line}\n`, { mode: 0o600 })
  } catch {
    // the next run knows less
  }
}
