/**
 * The MCP stdio transport over a child process: one JSON-RPC frame a line.
 *
 * It has the shape of the MCP SDK's `Transport`. Unlike the SDK's own it ends the whole process group, notices a dead
 * child whose pipes somebody else holds open, keeps stderr drained, and repairs frames (see `jsonRpcFrame.ts`).
 */
import { type Child, type ChildExit, type ChildOptions, spawnChild } from "./childProcess.ts"
import { type Frame, normaliseFrame, refusal } from "./jsonRpcFrame.ts"
import { type LineRing, makeLineRing } from "./lineRing.ts"
import { makeLineSplitter } from "./lineSplitter.ts"

/** How long output may still come after the child ended, or the child may live after its stdout ended. Milliseconds. */
const DRAIN_MILLIS = 250
const DEFAULT_MAX_FRAME_BYTES = 64 * 1024 * 1024
const STRAY_LINES_KEPT = 20
const STRAY_LINE_LENGTH = 500

/** Why a connection ended. */
export interface Loss {
  readonly detail: string
  readonly exit?: ChildExit | undefined
  /** It ended for a message larger than this many bytes. */
  readonly limit?: number | undefined
}

export interface StdioTransportOptions extends ChildOptions {
  /** The longest frame that is read, in bytes; also the most that waits to be written. */
  readonly maxFrameBytes?: number | undefined
  readonly clean: (line: string) => string
}

export class StdioTransport {
  onmessage: ((message: Frame) => void) | undefined = undefined
  onerror: ((error: Error) => void) | undefined = undefined
  onclose: (() => void) | undefined = undefined

  /** Set before `onclose` is called. */
  loss: Loss | undefined = undefined
  strayLines = 0

  readonly #options: StdioTransportOptions
  readonly #maxFrameBytes: number
  readonly #stray: LineRing
  readonly #starting = new AbortController()
  #child: Child | undefined = undefined
  #started: Promise<void> | undefined = undefined
  #losing: NodeJS.Timeout | undefined = undefined

  constructor(options: StdioTransportOptions) {
    this.#options = options
    this.#maxFrameBytes = options.maxFrameBytes ?? DEFAULT_MAX_FRAME_BYTES
    this.#stray = makeLineRing({ clean: options.clean, lines: STRAY_LINES_KEPT, lineLength: STRAY_LINE_LENGTH })
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  get lastStrayLines(): ReadonlyArray<string> {
    return this.#stray.last()
  }

  /** @throws SpawnError */
  start(): Promise<void> {
    this.#started ??= this.#spawn()
    return this.#started
  }

  async #spawn(): Promise<void> {
    const child = await spawnChild(this.#options, this.#starting.signal)
    this.#child = child
    if (this.loss !== undefined) return await child.stop()
    child.stdout.on(
      "data",
      makeLineSplitter({
        maxBytes: this.#maxFrameBytes,
        onLine: (line) => this.#receive(line),
        onOverflow: () => this.#lose("it sent too large a frame", this.#maxFrameBytes)
      })
    )
    const loseSoon = (detail: string) => {
      // the usual reason is that the child ends: its exit code, and what it still says, are worth the wait
      this.#losing ??= setTimeout(() => this.#lose(detail), DRAIN_MILLIS)
    }
    child.stdout.on("error", (error) => loseSoon(`its stdout failed: ${error.message}`))
    child.stdout.once("end", () => loseSoon("it closed its stdout"))
    child.stdin.on("error", () => loseSoon("it closed its stdin"))
    child.on("exit", () => {
      // somebody else may hold the pipes open, so their end is not waited for any longer than this
      loseSoon("it ended")
      child.on("drained", () => this.#lose("it ended"))
    })
  }

  #receive(line: string): void {
    // what is still read while the child is being ended is of no use to anybody
    if (this.loss !== undefined) return
    const text = line.trim()
    if (text === "") return
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch {
      return this.#skip(text)
    }
    const frames = Array.isArray(value) && value.length > 0 ? value : [value]
    for (const each of frames) {
      const frame = normaliseFrame(each)
      if (frame === undefined) this.#skip(text)
      else this.#deliver(frame)
    }
  }

  #skip(line: string): void {
    this.strayLines += 1
    this.#stray.push(line)
  }

  #deliver(frame: Frame): void {
    try {
      this.onmessage?.(frame)
    } catch (error) {
      this.onerror?.(error instanceof Error ? error : new Error(String(error)))
    }
  }

  send(message: object): Promise<void> {
    const stdin = this.#child?.stdin
    if (stdin === undefined || this.loss !== undefined) return Promise.reject(new Error("Not connected"))
    // the loss of the connection is about to be noticed, and says more than the failed write
    if (!stdin.writable) return Promise.resolve()
    let text: string
    try {
      text = JSON.stringify(message)
    } catch (error) {
      return this.#refuse(message, `the request cannot be written as JSON: ${String(error)}`)
    }
    if (stdin.writableLength > this.#maxFrameBytes) return this.#refuse(message, "the server does not read its stdin")
    return new Promise((resolve) => stdin.write(text + "\n", () => resolve()))
  }

  #refuse(message: object, detail: string): Promise<void> {
    const answer = refusal(message, detail)
    if (answer === undefined) return Promise.reject(new Error(detail))
    queueMicrotask(() => this.#deliver(answer))
    return Promise.resolve()
  }

  /** Ends the connection and the process group; resolves when both are gone. Never rejects, may be called again. */
  async close(): Promise<void> {
    this.#starting.abort()
    this.#lose("it was closed on this side")
    await this.#started?.catch(() => {})
    await this.#child?.stop()
  }

  #lose(detail: string, limit?: number): void {
    if (this.loss !== undefined) return
    clearTimeout(this.#losing)
    const exit = this.#child?.exit()
    this.loss = exit === undefined ? { detail, limit } : { detail: "it ended", exit, limit }
    void this.#child?.stop()
    this.onclose?.()
  }
}
