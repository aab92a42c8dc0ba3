/**
 * `smcp agent computers`
 */
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Agent from "../../agent/Agent.ts"
import { type Seat, seat, seated } from "../internal/agentSeat.ts"
import { lineWidth, print, printJson, say, table } from "../internal/output.ts"

const byName = (left: { readonly name: string }, right: { readonly name: string }): number =>
  left.name < right.name ? -1 : left.name > right.name ? 1 : 0

const computers = Effect.fnUntraced(function*({ json }: Seat) {
  const agent = yield* Agent.Agent
  const present = [...yield* agent.computers].sort(byName)
  if (json) return yield* printJson(present.map(({ name, sid }) => ({ name, sid })))
  if (present.length === 0) return yield* say("No Computer sits in the office")
  yield* print(table(["COMPUTER", "SESSION"], present.map(({ name, sid }) => [name, sid]), lineWidth()))
})

/** `smcp agent computers` */
export const computersCommand = Command.make("computers", seat, (options) => computers(options).pipe(seated(options)))
  .pipe(
    Command.withDescription("Lists the Computers that sit in the office."),
    Command.withShortDescription("List the Computers of the office")
  )
