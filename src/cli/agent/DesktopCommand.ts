/**
 * `smcp agent desktop`
 */
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Agent from "../../agent/Agent.ts"
import { computer, type Seat, seat, seated } from "../internal/agentSeat.ts"
import * as flags from "../internal/flags.ts"
import { whileWaiting } from "../internal/waiting.ts"
import { printWindows } from "../internal/windows.ts"

const desktopFlags = {
  computer: computer("The Computer whose desktop it is"),
  size: flags.size,
  window: flags.window
}

interface Options extends Seat {
  readonly computer: string
  readonly size: Option.Option<number>
  readonly window: Option.Option<string>
}

const desktop = Effect.fnUntraced(function*({ computer, json, size, window }: Options) {
  const agent = yield* Agent.Agent
  const windows = yield* agent.desktop(computer, {
    size: Option.getOrUndefined(size),
    window: Option.getOrUndefined(window)
  }).pipe(whileWaiting("Asking for the desktop"))
  yield* printWindows(windows, { json, none: "No windows: the MCP servers of the Computer show none, or not this one" })
})

/** `smcp agent desktop` */
export const desktopCommand = Command.make(
  "desktop",
  { ...seat, ...desktopFlags },
  (options) => desktop(options).pipe(seated(options))
).pipe(
  Command.withDescription(
    "Prints the desktop of a Computer: the windows that its MCP servers show, the most important first, each with its " +
      "URI and its text. With --json a list of objects of uri and text."
  ),
  Command.withShortDescription("Print the windows of a Computer"),
  Command.withExamples([
    { command: "smcp agent desktop --computer laptop --size 3", description: "The three most important windows" },
    {
      command: "smcp agent desktop --computer laptop --window window://editor/main --json | jq -r '.[0].text'",
      description: "The text of one"
    }
  ])
)
