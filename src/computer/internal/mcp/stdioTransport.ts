/**
 * The MCP stdio transport over a child process: one JSON-RPC frame a line.
 *
 * It has the shape of the MCP SDK's `Transport`. Unlike the SDK's own it ends the whole process group, notices a dead
 * child whose pipes somebody else holds open, keeps stderr drained, and repairs frames (see `jsonRpcFrame.ts`).
 */
import { type Child, type ChildOptions, spawnChild } from "../process/childProcess.ts"
import { makeLineSplitter, type Overflow } from "./lineSplitter.ts"
import { overflowFailure } from "./oversizeFrame.ts"
import { BaseTransport } from "./wireTransport.ts"

/** How long output may still come after the child ended, or the child may live after its stdout ended. Milliseconds. */
const DRAIN_MILLIS = 250
/** How many messages are written at once at the most. */
const BURST = 16
const DEFAULT_MAX_FRAME_BYTES = 64 * 1024 * 1024

export interface StdioTransportOptions extends ChildOptions {
  /** The longest frame that is read, in bytes; also the most that waits to be written. */
  readonly maxFrameBytes?: number | undefined
  readonly clean: (line: string) => string
}

export class StdioTransport extends BaseTransport {
  readonly #options: StdioTransportOptions
  readonly #maxFrameBytes: number
  readonly #starting = new AbortController()
  #child: Child | undefined = undefined
  #started: Promise<void> | undefined = undefined
  #losing: NodeJS.Timeout | undefined = undefined
  #outgoing = ""
  #waiting = 0

  constructor(options: StdioTransportOptions) {
    super(options.clean)
    this.#options = options
    this.#maxFrameBytes = options.maxFrameBytes ?? DEFAULT_MAX_FRAME_BYTES
  }

  get pid(): number | undefined {
    return this.#child?.pid
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
        onLine: (line) => {
          const text = line.trim()
          if (text !== "" && this.loss === undefined) this.receive(text)
        },
        onOverflow: (overflow) => this.#overflow(overflow)
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

  /** Ends the request whose answer is too large; without knowing it, nothing that waits could be told. */
  #overflow(overflow: Overflow): void {
    if (this.loss !== undefined) return
    const failure = overflowFailure(overflow, this.#maxFrameBytes)
    if (failure === "lost") this.#lose("it sent too large a frame", this.#maxFrameBytes)
    else if (failure !== undefined) this.deliver(failure)
  }

  async send(message: object): Promise<void> {
    const stdin = this.#child?.stdin
    if (stdin === undefined || this.loss !== undefined) throw new Error("Not connected")
    // the loss of the connection is about to be noticed, and says more than the failed write
    if (!stdin.writable) return
    const text = this.write(message)
    if (text === undefined) return
    if (stdin.writableLength + this.#outgoing.length > this.#maxFrameBytes) {
      return this.refuse(message, "the server does not read its stdin")
    }
    this.#outgoing += `${text}\n`
    // calls come in bursts: some are written at once, but the server need not wait for all of them
    if (++this.#waiting === BURST) this.#flush()
    else if (this.#waiting === 1) process.nextTick(() => this.#flush())
  }

  #flush(): void {
    const text = this.#outgoing
    this.#outgoing = ""
    this.#waiting = 0
    if (text !== "") this.#child?.stdin.write(text)
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
    this.#flush()
    const exit = this.#child?.exit()
    void this.#child?.stop()
    this.lose(exit === undefined ? { detail, limit } : { detail: "it ended", exit, limit })
  }
}
