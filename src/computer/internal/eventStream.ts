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
  /** An id that the stream can be resumed after. */
  readonly onId?: ((id: string) => void) | undefined
  /** How long to wait before the stream is opened again, in milliseconds. */
  readonly onRetry?: ((millis: number) => void) | undefined
}

/** Reads the events of a `text/event-stream` as its bytes arrive. */
export const makeEventStreamReader = (options: EventStreamOptions): (chunk: Buffer) => void => {
  let event = ""
  let data: Array<string> = []
  let size = 0
  let isFirst = true

  const dispatch = (): void => {
    const complete = { event: event === "" ? "message" : event, data: data.join("\n") }
    const isEmpty = data.length === 0
    event = ""
    data = []
    size = 0
    if (!isEmpty) options.onEvent(complete)
  }
  const addData = (value: string): void => {
    size += value.length
    if (size > options.maxBytes) {
      const head = data[0] ?? value
      data = []
      return options.onOverflow({ head: head.slice(0, 1024), tail: value.slice(-1024) })
    }
    data.push(value)
  }
  const field = (name: string, value: string): void => {
    switch (name) {
      case "data":
        return addData(value)
      case "event":
        event = value
        return
      case "id":
        if (!value.includes("\0")) options.onId?.(value)
        return
      case "retry":
        if (/^\d+$/.test(value)) options.onRetry?.(Number(value))
        return
    }
  }
  const withoutField = ({ head, tail }: Overflow): Overflow => ({ head: head.replace(/^\s*data:/, ""), tail })
  return makeLineSplitter({
    maxBytes: options.maxBytes,
    onOverflow: (overflow) => options.onOverflow(withoutField(overflow)),
    onLine: (raw) => {
      const text = isFirst ? raw.replace(/^\uFEFF/, "") : raw
      isFirst = false
      const line = text.endsWith("\r") ? text.slice(0, -1) : text
      if (line === "") return dispatch()
      const colon = line.indexOf(":")
      if (colon === 0) return
      if (colon === -1) return field(line, "")
      const value = line.slice(colon + 1)
      field(line.slice(0, colon), value.startsWith(" ") ? value.slice(1) : value)
    }
  })
}
