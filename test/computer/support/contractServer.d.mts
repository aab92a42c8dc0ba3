/** What the server needs of a transport of the SDK's shape. */
interface Connectable {
  start(): Promise<void>
  send(message: never): Promise<void>
  close(): Promise<void>
}

/** An SDK server, as far as it is used. */
export interface ContractServer {
  connect(transport: Connectable): Promise<void>
  close(): Promise<void>
  readonly transport?: { send(message: unknown): Promise<void> } | undefined
}

/** What a server needs of whoever runs it. */
export interface Environment {
  /** Ends the server without a word. */
  readonly crash: () => unknown
  /** Writes what is no MCP to the client. */
  readonly garbage: () => void
  /** Whether its questions go another way than the answer to the call in which they are asked. */
  readonly asksAside?: boolean
}

export const makeContractServer: (environment: Environment) => ContractServer
