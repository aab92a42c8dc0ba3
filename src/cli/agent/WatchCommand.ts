/**
 * `smcp agent watch`
 */
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as Agent from "../../agent/Agent.ts"
import type { OfficeEvent } from "../../agent/OfficeEvent.ts"
import { type Seat, seat, seated } from "../internal/agentSeat.ts"
import { logState, stateEnd } from "../internal/connection.ts"
import { exitCodes } from "../internal/exitCodes.ts"
import { print, printJson } from "../internal/output.ts"
import { signalMeans } from "../internal/signals.ts"

const watch = Effect.fnUntraced(function*({ json, name, office }: Seat) {
  const agent = yield* Agent.Agent
  yield* signalMeans(exitCodes.ok)
  yield* Effect.forkScoped(logState(agent.stateChanges), { startImmediately: true })
  const events = yield* Effect.forkScoped(
    Stream.runForEach(agent.events, (event) => json ? printJson(eventJson(event)) : print(eventText(event))),
    { startImmediately: true }
  )
  yield* Effect.logInfo(`Watching office ${office} as ${name}; Ctrl-C ends it`)
  yield* Effect.raceFirst(stateEnd(agent.stateChanges), Fiber.join(events))
})

const eventJson = ({ _tag, computer }: OfficeEvent) => ({ event: _tag, computer })

const eventText = ({ _tag, computer }: OfficeEvent): string => `${_tag} ${computer}`

/** `smcp agent watch` */
export const watchCommand = Command.make("watch", seat, (options) => watch(options).pipe(seated(options))).pipe(
  Command.withDescription(
    "Prints what happens in the office, one line each, until Ctrl-C: Computers that come and go, and changes of their " +
      "tools, configuration, desktop and skills. It takes the office's seat for an Agent for as long as it runs."
  ),
  Command.withShortDescription("Print what happens in the office")
)
