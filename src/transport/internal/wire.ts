/**
 * Constants of the Socket.IO wire (specification, events).
 */

/** The Socket.IO namespace of the protocol. */
export const NAMESPACE = "/smcp"

/** The default path of Socket.IO; not fixed by the protocol. */
export const DEFAULT_PATH = "/socket.io"

/** Answers one received event. */
export type AckFunction = (...args: ReadonlyArray<unknown>) => void

/** Takes the acknowledgement function off the arguments of a received event; undefined when the peer wants none. */
export const takeAck = (args: Array<unknown>): AckFunction | undefined =>
  typeof args.at(-1) === "function" ? args.pop() as AckFunction : undefined
