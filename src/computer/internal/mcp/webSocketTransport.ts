/**
 * MCP over a WebSocket, one frame a message, with the subprotocol `mcp`. A message that is too large ends the connection.
 */
import { Closed } from "../../McpError.ts"
import { HttpChannel, type HttpChannelOptions } from "./httpChannel.ts"
import { BaseTransport, type Loss, TransportFailure } from "./wireTransport.ts"

const SUBPROTOCOL = "mcp"
const OPEN = 1

export class WebSocketTransport extends BaseTransport {
  readonly #options: HttpChannelOptions
  readonly #channel: HttpChannel
  readonly #starting = new AbortController()
  #socket: Awaited<ReturnType<HttpChannel["webSocket"]>> | undefined = undefined

  constructor(options: HttpChannelOptions) {
    super(options.clean)
    this.#options = options
    this.#channel = new HttpChannel(options)
  }

  async start(): Promise<void> {
    const socket = await this.#channel.webSocket(SUBPROTOCOL, this.#starting.signal)
    this.#socket = socket
    if (this.loss !== undefined) return socket.close()
    await new Promise<void>((resolve, reject) => {
      socket.addEventListener("open", () => resolve())
      socket.addEventListener("message", ({ data }) => this.receive(typeof data === "string" ? data : ""))
      socket.addEventListener("error", ({ error }) => {
        const failure = this.#channel.failure(error?.cause ?? error)
        this.lose({ detail: failure.detail })
        reject(failure)
      })
      socket.addEventListener("close", ({ code, reason }) => {
        const said = this.#options.clean(reason).slice(0, 200)
        const detail = `it ended the connection (code ${code}${said === "" ? "" : `: ${said}`})`
        this.lose({ detail })
        reject(new TransportFailure(new Closed({ detail, stderrTail: [] })))
      })
    })
  }

  async send(message: object): Promise<void> {
    const socket = this.#socket
    if (socket === undefined || this.loss !== undefined) throw new Error("Not connected")
    const text = this.write(message)
    // what a socket that is closing does not take is told of by its end
    if (text === undefined || socket.readyState !== OPEN) return
    if (socket.bufferedAmount + text.length > this.#options.maxMessageBytes) {
      return this.refuse(message, "the server does not read what it is sent")
    }
    socket.send(text)
  }

  async close(): Promise<void> {
    this.#starting.abort()
    this.lose({ detail: "it was closed on this side" })
    await this.#channel.close()
  }

  protected override lose(loss: Loss): boolean {
    if (!super.lose(loss)) return false
    if (this.#socket !== undefined && this.#socket.readyState <= OPEN) this.#socket.close()
    return true
  }
}
