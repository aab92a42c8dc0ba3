import { makeLineSplitter, type Overflow } from "./lineSplitter.ts"

/** An event of a `text/event-stream`. */
export interface ServerSentEvent {
  /** `message` when the server named none. */
  readonly event: string
  readonly data: string
}

export interface EventStreamOptions {
  /** The most that the data of one event may have, in bytes. */
  readonly maxBytes: number
  readonly onEvent: (event: ServerSentEvent) => void
  /** An event that is too large; see `LineSplitterOptions`. */
  readonly onOverflow: (overflow: Overflow) => void
  /** An id that the stream can be resumed after: told when its event has ended, for what is cut off is sent again. */
  readonly onId?: ((id: string) => void) | undefined
  /** How long to wait before the stream is opened again, in milliseconds. */
  readonly onRetry?: ((millis: number) => void) | undefined
}

/** How much of both ends of an event that is too large is kept. */
const EDGE = 1024

/** Reads the events of a `text/event-stream` as its bytes arrive. */
export const makeEventStreamReader = (options: EventStreamOptions): (chunk: Buffer) => void => {
  let event = ""
  let data: Array<string> = []
  let id: string | undefined
  let size = 0
  /** The head of an event whose lines are too large together; the rest of it is skipped. */
  let skipped: string | undefined
  let tail = ""
  let isFirst = true

  const dispatch = (): void => {
    const complete = { event: event === "" ? "message" : event, data: data.join("\n") }
    const isEmpty = data.length === 0
    const overflow = skipped === undefined ? undefined : { head: skipped, tail }
    if (id !== undefined) options.onId?.(id)
    event = ""
    data = []
    id = undefined
    size = 0
    skipped = undefined
    if (overflow !== undefined) options.onOverflow(overflow)
    else if (!isEmpty) options.onEvent(complete)
  }
  const addData = (value: string): void => {
    tail = value.slice(-EDGE)
    if (skipped !== undefined) return
    // empty lines count as well, or there could be any number of them
    size += value.length + 1
    data.push(value)
    if (size <= options.maxBytes) return
    skipped = (data[0] ?? "").slice(0, EDGE)
    data = []
    options.onOverflow({ head: skipped })
  }
  const field = (name: string, value: string): void => {
    switch (name) {
      case "data":
        return addData(value)
      case "event":
        event = value
        return
      case "id":
        if (!value.includes("\0")) id = value
        return
      case "retry":
        if (/^\d+$/.test(value)) options.onRetry?.(Number(value))
        return
    }
  }
  const withoutField = ({ head, tail }: Overflow): Overflow => ({ head: head.replace(/^\s*data:/, ""), tail })
  return withNewlines(makeLineSplitter({
    maxBytes: options.maxBytes,
    onOverflow: (overflow) => options.onOverflow(withoutField(overflow)),
    onLine: (raw) => {
      const line = isFirst ? raw.replace(/^\uFEFF/, "") : raw
      isFirst = false
      if (line === "") return dispatch()
      const colon = line.indexOf(":")
      if (colon === 0) return
      if (colon === -1) return field(line, "")
      const value = line.slice(colon + 1)
      field(line.slice(0, colon), value.startsWith(" ") ? value.slice(1) : value)
    }
  }))
}

const NEWLINE = Buffer.from("\n")
const LINE_FEED = 10
const CARRIAGE_RETURN = 13

/** Lines may end in a line feed, a carriage return, or both: gives a line feed for each of them. */
const withNewlines = (write: (chunk: Buffer) => void): (chunk: Buffer) => void => {
  let isAfterReturn = false
  const skipFeed = (chunk: Buffer): Buffer => {
    if (!isAfterReturn || chunk.length === 0) return chunk
    isAfterReturn = false
    return chunk[0] === LINE_FEED ? chunk.subarray(1) : chunk
  }
  return (chunk) => {
    let rest = skipFeed(chunk)
    for (let at = rest.indexOf(CARRIAGE_RETURN); at !== -1; at = rest.indexOf(CARRIAGE_RETURN)) {
      write(rest.subarray(0, at))
      write(NEWLINE)
      isAfterReturn = true
      rest = skipFeed(rest.subarray(at + 1))
    }
    write(rest)
  }
}
