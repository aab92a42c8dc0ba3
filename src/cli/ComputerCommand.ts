/**
 * `smcp computer`: hosts the MCP servers of a config file in an office.
 */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as flags from "./internal/flags.ts"

const settings = {
  config: flags.config,
  url: flags.url,
  office: flags.office,
  name: flags.name,
  apiKey: flags.apiKey,
  landingRoot: Flag.String("landing-root").pipe(
    Flag.withMetavar("<dir>"),
    Flag.withDescription(
      "Put files that the Agent uploads into this directory, which is created when its parent exists. " +
        "Without it every upload is refused [env SMCP_LANDING_ROOT]"
    ),
    Flag.withFallbackConfig(Config.String("SMCP_LANDING_ROOT")),
    Flag.optional
  ),
  stateDir: Flag.String("state-dir").pipe(
    Flag.withMetavar("<dir>"),
    Flag.withDescription(
      "Keep large results here until the Agent has fetched them, each for 24 h and 1 GiB at most " +
        "[env SMCP_STATE_DIR, default $XDG_STATE_HOME/a2c-smcp or ~/.local/state/a2c-smcp]"
    ),
    Flag.withFallbackConfig(Config.String("SMCP_STATE_DIR")),
    Flag.optional
  ),
  revision: flags.revision,
  json: flags.json,
  exitWithStdin: flags.exitWithStdin
}

/** `smcp computer` */
export const computerCommand = Command.make("computer", settings, (options) =>
  // loaded only when it is asked for: no other command needs the MCP SDK
  Effect.flatMap(Effect.promise(() => import("./internal/computerProgram.ts")), ({ host }) => host(options))).pipe(
    Command.withDescription(
      "Hosts the MCP servers of a config file in an office, so that its Agent can call their tools. " +
        "The file may be the mcp.json you already have (Claude Desktop, Claude Code, Cursor, VS Code: stdio servers). " +
        "Prints one line on stdout when it has joined and its servers have started (after 5 s it no longer waits for " +
        "them); what happens to each server goes to stderr. Ctrl-C or SIGTERM ends it and every MCP server."
    ),
    Command.withShortDescription("Host the MCP servers of this machine in an office"),
    Command.withExamples([
      {
        command: "smcp computer --config ~/.cursor/mcp.json --url http://127.0.0.1:7000 --office demo --name laptop",
        description: "Offer the tools of your MCP servers, with the key in SMCP_API_KEY"
      }
    ])
  )
