/**
 * A way of your own to carry the messages of MCP, for `McpClient.connectWith` and `McpConnector.layerWith`.
 *
 * It is the shape that transports of the MCP SDK have, so those can be used as they are.
 */

/** A JSON-RPC message. */
export type McpMessage = Readonly<Record<string, unknown>>

/** One connection to one MCP server. */
export interface McpTransport {
  /** Called for every message of the server. Set before `start`. */
  onmessage?: ((message: McpMessage) => void) | undefined
  /** Called when the connection has ended, whoever ended it. Set before `start`. */
  onclose?: (() => void) | undefined
  /** Called for what went wrong beside a message. Set before `start`. */
  onerror?: ((error: Error) => void) | undefined
  /** Connects. Its failure fails the connect. */
  start(): Promise<void>
  /** Sends a message that is plain JSON. A failure fails the request it was for. */
  send(message: McpMessage): Promise<void>
  /** Disconnects, and leaves nothing behind. May be called more than once, and before `start` has come to an end. */
  close(): Promise<void>
  /** Told of the version that was agreed on. */
  setProtocolVersion?(version: string): void
}
