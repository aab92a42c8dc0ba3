const NEWLINE = 10

/**
 * Cuts a stream of bytes into lines, in time linear in its length: what is unfinished is kept as parts and joined once.
 *
 * @param onOverflow called once, when a line grows beyond `maxBytes`; nothing is read after it
 */
export const makeLineSplitter = (options: {
  readonly maxBytes: number
  readonly onLine: (line: string) => void
  readonly onOverflow: () => void
}): (chunk: Buffer) => void => {
  let parts: Array<Buffer> = []
  let length = 0
  let stopped = false
  const add = (part: Buffer): boolean => {
    length += part.length
    if (length > options.maxBytes) {
      stopped = true
      parts = []
      options.onOverflow()
      return false
    }
    parts.push(part)
    return true
  }
  return (chunk) => {
    if (stopped) return
    let start = 0
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      if (!add(chunk.subarray(start, end))) return
      const [only] = parts
      const line = parts.length === 1 && only !== undefined ? only : Buffer.concat(parts)
      parts = []
      length = 0
      start = end + 1
      options.onLine(line.toString("utf8"))
    }
    if (start < chunk.length) add(chunk.subarray(start))
  }
}
