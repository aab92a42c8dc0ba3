/**
 * What an MCP server may ask of its Computer. Nothing by default: what there is no handler for is not announced to servers
 * and refused when they ask for it all the same.
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"

/** A server asks the person at the Computer for something. */
export interface Elicitation {
  /** The bundle id of the server. */
  readonly server: string
  /** What it says to the person. */
  readonly message: string
  /** `form`: fields to fill in; `url`: a page to visit. */
  readonly mode: "form" | "url"
  /** The JSON schema of the fields, as the server sent it. Empty for a page. */
  readonly requestedSchema: Readonly<Record<string, unknown>>
  /** The page. */
  readonly url?: string | undefined
}

/** The answer of the person. `content` has the fields of an accepted form. */
export interface ElicitationAnswer {
  readonly action: "accept" | "decline" | "cancel"
  readonly content?: Readonly<Record<string, unknown>> | undefined
}

/** A server asks for an answer of a language model. */
export interface Sampling {
  /** The bundle id of the server. */
  readonly server: string
  /** The parameters of `sampling/createMessage`, as the server sent them. */
  readonly params: Readonly<Record<string, unknown>>
}

/**
 * Handlers are interrupted when the server takes its request back, when the connection ends, and after `deadline`. What
 * they die of is logged; the server learns only that it failed.
 */
export interface Handlers {
  readonly elicitation?: ((request: Elicitation) => Effect.Effect<ElicitationAnswer>) | undefined
  /** The result of `sampling/createMessage`; `undefined` refuses. */
  readonly sampling?:
    | ((request: Sampling) => Effect.Effect<Readonly<Record<string, unknown>> | undefined>)
    | undefined
  /** How long a handler may take. Default: 5 minutes. */
  readonly deadline?: Duration.Input | undefined
}

/** The handlers of every connection that `McpConnector` makes. Default: none. */
export const ClientHandlers = Context.Reference<Handlers>("a2c-smcp/computer/ClientHandlers", {
  defaultValue: () => ({})
})
