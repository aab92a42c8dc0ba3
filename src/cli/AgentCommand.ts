/**
 * `smcp agent`: an Agent for one question, one call or one upload.
 */
import * as Command from "effect/cli/Command"
import { callCommand } from "./agent/CallCommand.ts"
import { computersCommand } from "./agent/ComputersCommand.ts"
import { desktopCommand } from "./agent/DesktopCommand.ts"
import { resourcesCommand } from "./agent/ResourcesCommand.ts"
import { toolsCommand } from "./agent/ToolsCommand.ts"
import { uploadCommand } from "./agent/UploadCommand.ts"
import { watchCommand } from "./agent/WatchCommand.ts"

/** `smcp agent` */
export const agentCommand = Command.make("agent").pipe(
  Command.withDescription(
    "Sits in an office as its Agent for one question, one call or one upload. An office has one seat for an Agent: while another " +
      "Agent has it, these commands are refused."
  ),
  Command.withShortDescription("Ask and call the tools of an office"),
  Command.withSubcommands([
    toolsCommand,
    callCommand,
    computersCommand,
    resourcesCommand,
    desktopCommand,
    uploadCommand,
    watchCommand
  ])
)
