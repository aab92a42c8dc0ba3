/**
 * `smcp doctor`: what is wrong here, and what to do about it.
 */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as flags from "./internal/flags.ts"

const settings = {
  config: flags.configs,
  // its form is one of the things that are looked at
  url: Flag.String("url").pipe(
    Flag.withAlias("u"),
    Flag.withMetavar("<url>"),
    Flag.withDescription("Where the Server is, http://host:port [env SMCP_URL]"),
    Flag.withFallbackConfig(Config.String("SMCP_URL")),
    Flag.optional
  ),
  office: Flag.optional(flags.office),
  name: Flag.optional(flags.name),
  apiKey: flags.apiKey,
  revision: flags.revision,
  stateDir: flags.stateDir("The state directory of \"smcp computer\" [env SMCP_STATE_DIR]"),
  keychain: flags.toggle("keychain", "The Computer keeps secrets in the keychain of this system: look at that as well"),
  timeout: Flag.Finite("timeout").pipe(
    Flag.withMetavar("<s>"),
    Flag.withDescription(
      "How many seconds each MCP server has for its start, and each step on the way to the Server " +
        "[default what the configuration says, and 10]"
    ),
    Flag.filter((seconds) => seconds > 0, () => "Expected more than 0"),
    Flag.optional
  ),
  json: flags.toggle("json", "Print one JSON object")
}

/** What the command line says. */
export type Options = Command.Command.Config.Infer<typeof settings>

/** `smcp doctor` */
export const doctorCommand = Command.make("doctor", settings, (options) =>
  // loaded only when it is asked for
  Effect.flatMap(Effect.promise(() => import("./internal/doctorProgram.ts")), ({ doctor }) => doctor(options))).pipe(
    Command.withDescription(
      "Looks at everything that \"smcp computer\" needs with the same flags, and says what is wrong and what to do: Node.js, " +
        "the state directory, the config files, the values of their placeholders, the commands of the MCP servers and the " +
        "start of each, scripts on results, and the way to the Server: address, TLS, protocol version, key.\n\n" +
        "  Nobody is asked for anything, no office is joined, no tool is called, and everything that was started has ended " +
        "before the findings are printed. Secrets are not shown.\n\n" +
        "  Exit codes: 0 no problem (there may be warnings), 1 a problem was found, 2 the command line is wrong."
    ),
    Command.withShortDescription("Find out what is wrong, and what to do"),
    Command.withExamples([
      {
        command: "smcp doctor --config mcp.json --url http://127.0.0.1:7000",
        description: "Whether a Computer could work like this"
      },
      {
        command: "smcp doctor --config mcp.json --json | jq '.checks[] | select(.verdict == \"problem\")'",
        description: "Only the problems"
      }
    ])
  )
