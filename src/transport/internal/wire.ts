/**
 * Constants of the Socket.IO wire (specification, events).
 */

/** The Socket.IO namespace of the protocol. */
export const NAMESPACE = "/smcp"

/** The default path of Socket.IO; not fixed by the protocol. */
export const DEFAULT_PATH = "/socket.io"
