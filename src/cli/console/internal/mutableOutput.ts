/**
 * Standard output as an editor of lines sees it: it can be silenced while somebody types a secret.
 */
import { Writable } from "node:stream"
import type { WriteStream } from "node:tty"

/** Passes on what is written, unless it is muted. Tells of changes of the size of the terminal. */
export class MutableOutput extends Writable {
  muted = false
  readonly isTTY = true
  private readonly terminal: WriteStream
  private readonly onResize = () => void this.emit("resize")

  constructor(terminal: WriteStream) {
    super({ decodeStrings: false })
    this.terminal = terminal
    terminal.on("resize", this.onResize)
  }

  get columns(): number {
    return this.terminal.columns || 80
  }

  get rows(): number {
    return this.terminal.rows || 24
  }

  override _write(chunk: string | Buffer, _encoding: BufferEncoding, done: () => void): void {
    if (!this.muted) this.terminal.write(chunk)
    done()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.terminal.off("resize", this.onResize)
    done(error)
  }
}
