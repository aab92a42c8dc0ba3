/**
 * `smcp desktop`: the windows that a Computer with this config file would show.
 */
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import * as flags from "./internal/flags.ts"

const settings = {
  config: flags.config,
  size: flags.size,
  window: flags.window,
  explain: flags.toggle("explain", "List every window with its server and priority, and why it is or is not shown"),
  revision: flags.revision,
  json: flags.json
}

/** `smcp desktop` */
export const desktopCommand = Command.make("desktop", settings, (options) =>
  // loaded only when it is asked for: few commands need the MCP SDK
  Effect.flatMap(Effect.promise(() => import("./internal/desktopProgram.ts")), ({ show }) => show(options))).pipe(
    Command.withDescription(
      "Starts the MCP servers of a config file, prints the windows they show as an Agent would get them, and ends the " +
        "servers. Nothing is connected to. Of a Computer that runs, \"smcp agent desktop\" tells."
    ),
    Command.withShortDescription("Show the windows of a config file's MCP servers"),
    Command.withExamples([
      { command: "smcp desktop --config mcp.json --explain", description: "Why a window is not shown" }
    ])
  )
