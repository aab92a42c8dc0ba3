const NEWLINE = 10
/** How much of both ends of a line that is too long is looked at. */
const EDGE = 1024

/** A line that is longer than allowed, as far as it is known. */
export interface Overflow {
  /** Its first characters. */
  readonly head: string
  /** Its last characters; absent while it has not ended. */
  readonly tail?: string | undefined
}

export interface LineSplitterOptions {
  readonly maxBytes: number
  readonly onLine: (line: string) => void
  /**
   * Called when a line grows beyond `maxBytes`, and again when it has ended. Nothing is kept of it but both ends; the next
   * line is read as ever.
   */
  readonly onOverflow: (overflow: Overflow) => void
}

/** Cuts a stream of bytes into lines, in time linear in its length: what is unfinished is kept as parts and joined once. */
export const makeLineSplitter = (options: LineSplitterOptions): (chunk: Buffer) => void => {
  let parts: Array<Buffer> = []
  let length = 0
  /** Set while the rest of a line that is too long is skipped. */
  let skipping: { readonly head: string; tail: Buffer } | undefined

  const overflow = (): void => {
    const kept = Buffer.concat(parts)
    skipping = { head: kept.toString("utf8", 0, EDGE), tail: Buffer.from(kept.subarray(-EDGE)) }
    parts = []
    options.onOverflow({ head: skipping.head })
  }
  const add = (part: Buffer): void => {
    length += part.length
    if (skipping !== undefined) {
      skipping.tail = part.length >= EDGE
        ? part.subarray(-EDGE)
        : Buffer.concat([skipping.tail, part]).subarray(-EDGE)
      return
    }
    parts.push(part)
    if (length > options.maxBytes) overflow()
  }
  const end = (): void => {
    length = 0
    if (skipping !== undefined) {
      const { head, tail } = skipping
      skipping = undefined
      return options.onOverflow({ head, tail: tail.toString("utf8") })
    }
    const [only] = parts
    const line = parts.length === 1 && only !== undefined ? only : Buffer.concat(parts)
    parts = []
    options.onLine(line.toString("utf8"))
  }
  return (chunk) => {
    let start = 0
    for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, start)) {
      add(chunk.subarray(start, at))
      end()
      start = at + 1
    }
    if (start < chunk.length) add(chunk.subarray(start))
  }
}
