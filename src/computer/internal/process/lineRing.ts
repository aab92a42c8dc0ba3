/**
 * The last lines of an output that may be endless: bounded in lines and in characters.
 */

const MAX_LINES = 200
const MAX_LINE_LENGTH = 2_000
/** A line is looked at up to here before it is cut, so that a secret is not cut in half and thereby missed. */
const MAX_PENDING = 8_000

export interface LineRing {
  /** Adds text; lines may be split over several calls. */
  readonly write: (text: string) => void
  /** Adds one whole line. */
  readonly push: (line: string) => void
  /** The newest lines, oldest first, an unfinished line included. */
  readonly last: (count?: number) => ReadonlyArray<string>
}

/**
 * @param clean applied to every line before it is cut and kept, e.g. to hide secrets
 */
export const makeLineRing = (options?: {
  readonly clean?: (line: string) => string
  readonly lines?: number
  readonly lineLength?: number
}): LineRing => {
  const clean = options?.clean ?? ((line) => line)
  const maxLines = options?.lines ?? MAX_LINES
  const maxLength = options?.lineLength ?? MAX_LINE_LENGTH
  const kept: Array<string> = []
  let pending = ""
  const shorten = (line: string): string => {
    const text = clean(line.slice(0, MAX_PENDING)).trimEnd()
    return text.length > maxLength ? `${text.slice(0, maxLength)}…` : text
  }
  const push = (line: string): void => {
    const text = shorten(line)
    if (text === "") return
    kept.push(text)
    if (kept.length > maxLines) kept.shift()
  }
  const append = (text: string): void => {
    if (pending.length < MAX_PENDING) pending += text.slice(0, MAX_PENDING - pending.length)
  }
  return {
    push,
    write: (text) => {
      let start = 0
      for (let end = text.indexOf("\n"); end !== -1; end = text.indexOf("\n", start)) {
        append(text.slice(start, end))
        push(pending)
        pending = ""
        start = end + 1
      }
      append(text.slice(start))
    },
    last: (count = maxLines) => {
      const unfinished = shorten(pending)
      return (unfinished === "" ? kept : [...kept, unfinished]).slice(-count)
    }
  }
}
