/**
 * What all commands of `smcp agent` share: the seat in the office.
 */
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import * as Agent from "../../agent/Agent.ts"
import type { Revision } from "../../protocol/Revision.ts"
import * as flags from "./flags.ts"

/** The flags. */
export const seat = {
  url: flags.url,
  office: flags.office,
  name: flags.agentName,
  apiKey: flags.apiKey,
  revision: flags.revision,
  json: flags.json
}

/** What the flags say. */
export interface Seat {
  readonly url: string
  readonly office: string
  readonly name: string
  readonly apiKey: Option.Option<Redacted.Redacted>
  readonly revision: Revision
  readonly json: boolean
}

/** Connects as the options say. */
const agentOf = (options: Seat) => Agent.layer({ ...options, apiKey: Option.getOrUndefined(options.apiKey) })

/** Runs with an Agent in its seat. */
export const seated = (options: Seat) => <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.scoped(Effect.provide(self, agentOf(options)))

/** The Computer that is asked. */
export const computer = (description: string): Flag.Flag<string> =>
  Flag.String("computer").pipe(
    Flag.withAlias("c"),
    Flag.withMetavar("<name>"),
    Flag.withDescription(description)
  )
