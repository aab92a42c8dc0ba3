/**
 * `smcp config`: looks at config files of MCP servers, joins them, and takes them over from other programs.
 */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as flags from "./internal/flags.ts"

/** Loaded only when it is asked for: few commands read config files. */
const program = Effect.promise(() => import("./internal/configProgram.ts"))

const force = flags.toggle("force", "Also when the file exists")

const output = Flag.String("output").pipe(Flag.withMetavar("<file>"))

const show = Command.make("show", {
  configs: flags.configs,
  resolved: flags.toggle(
    "resolved",
    "Also where each placeholder would get its value from, without asking and without running commands"
  ),
  json: flags.json
}, (options) => Effect.flatMap(program, ({ show }) => show(options))).pipe(
  Command.withDescription(
    "Prints what the config files come to: every server with its values and what they are made of. Secrets are hidden: " +
      "variables, headers, and what looks like one in commands, arguments and addresses."
  ),
  Command.withShortDescription("Show what config files come to"),
  Command.withExamples([
    { command: "smcp config show --config mcp.json --resolved", description: "Which variables are missing" }
  ])
)

const save = Command.make("save", {
  configs: flags.configs,
  output: output.pipe(Flag.withDescription("The file to write; only its owner can read it")),
  force
}, (options) => Effect.flatMap(program, ({ save }) => save(options))).pipe(
  Command.withDescription(
    "Writes what the config files come to into one file, in the A2C shape. Placeholders stay placeholders. A file that " +
      "exists is left alone without --force, and never half written."
  ),
  Command.withShortDescription("Write several config files as one"),
  Command.withExamples([
    { command: "smcp config save --config a.json --config b.json --output all.json", description: "b.json counts more" }
  ])
)

const validate = Command.make("validate", {
  configs: flags.configs,
  json: flags.json
}, (options) => Effect.flatMap(program, ({ validate }) => validate(options))).pipe(
  Command.withDescription(
    "Says everything that is wrong with the config files, and where. Exit code 2 when something of them does not count as it was meant; what is only worth knowing is a warning."
  ),
  Command.withShortDescription("Check config files")
)

const importing = Command.make("import", {
  name: Argument.optional(Argument.String("program")).pipe(
    Argument.withDescription(
      "claude, claude-code, vscode, cursor, windsurf, cline, gemini, lmstudio, zed, opencode, codex, goose or continue. Without it: what was found where"
    )
  ),
  from: Flag.String("from").pipe(
    Flag.withMetavar("<file>"),
    Flag.withDescription("Read this file [default every file in which the program keeps its servers]"),
    Flag.optional
  ),
  output: output.pipe(
    Flag.withDescription("The file to write; only its owner can read it [default standard output]"),
    Flag.optional
  ),
  force,
  json: flags.json
}, (options) => Effect.flatMap(program, ({ importFrom }) => importFrom(options))).pipe(
  Command.withDescription(
    "Takes over the MCP servers of another program, as a config file in the A2C shape. Variables are written in our grammar, " +
      "approvals are not taken over, and the file of the other program stays as it is. Values are not hidden: what it has " +
      "in clear text is in the new file as well."
  ),
  Command.withShortDescription("Take over the MCP servers of another program"),
  Command.withExamples([
    { command: "smcp config import", description: "What was found where" },
    { command: "smcp config import cursor --output mcp.json", description: "A config file with the servers of Cursor" }
  ])
)

/** `smcp config` */
export const configCommand = Command.make("config").pipe(
  Command.withDescription(
    "Looks at the config files of MCP servers, joins several into one, and takes over those of other programs. Nothing is " +
      "connected to and no server is started."
  ),
  Command.withShortDescription("Show, check, join and import config files"),
  Command.withSubcommands([show, validate, save, importing])
)
