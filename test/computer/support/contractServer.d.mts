import type { Server } from "@modelcontextprotocol/sdk/server/index.js"

/** What a server needs of whoever runs it. */
export interface Environment {
  /** Ends the server without a word. */
  readonly crash: () => unknown
  /** Writes what is no MCP to the client. */
  readonly garbage: () => void
  /** Whether its questions go another way than the answer to the call in which they are asked. */
  readonly asksAside?: boolean
}

export const makeContractServer: (environment: Environment) => Server
