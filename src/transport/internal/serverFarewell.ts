/**
 * Lets go of the connection of a peer that does not answer any more.
 *
 * A WebSocket is closed by a farewell that the peer answers, and `ws` waits half
 * a minute for it. A peer that did not answer a heartbeat will not answer that
 * either: until then its connection would stay open, with everything that
 * waits to be sent on it.
 */
import type { Socket } from "socket.io"

/** What Engine.IO has and does not tell in its types; a polling connection has none of it. */
interface WebSocketTransport {
  readonly socket?: { readonly _socket?: { readonly destroy: () => void } }
}

/** Closes the connection without a farewell once it missed a heartbeat. */
export const onlyForTheLiving = (connection: Socket["conn"]): void => {
  connection.once("close", (reason) => {
    if (reason === "ping timeout") cut(connection)
  })
}

/** Ends a connection at once, with all that waits on it. */
export const drop = (connection: Socket["conn"]): void => {
  connection.close(true)
  cut(connection)
}

const cut = (connection: Socket["conn"]): void => {
  const { socket } = connection.transport as unknown as WebSocketTransport
  socket?._socket?.destroy()
}
