/**
 * `smcp computer`: hosts MCP servers, at a terminal as a console, without one in the background; and each command of that
 * console as a command of its own.
 */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { commands, type Group, groups, type KnownCommand, type Parameter } from "./console/ConsoleCommand.ts"
import { exitCodeLines } from "./internal/exitCodes.ts"
import * as flags from "./internal/flags.ts"

const settings = {
  config: Flag.String("config").pipe(
    Flag.withAlias("c"),
    Flag.withMetavar("<file>"),
    Flag.withDescription(
      "The MCP servers to host: an mcp.json with \"mcpServers\" or \"servers\". Of several files the later ones count " +
        "more [env SMCP_CONFIG]"
    ),
    Flag.atLeast(0)
  ),
  url: Flag.optional(flags.url),
  office: Flag.optional(flags.office),
  name: Flag.optional(flags.name),
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
  stateDir: flags.stateDir(
    "Keep here what is to survive: logins, decisions on tools, values of inputs, known tools, the lines typed at the " +
      "prompt, and large results until the Agent has fetched them, each for 24 h and 1 GiB at most [env SMCP_STATE_DIR, default $XDG_STATE_HOME/a2c-smcp or " +
      "~/.local/state/a2c-smcp]"
  ),
  approve: flags.approve,
  policy: Flag.String("policy").pipe(
    Flag.withMetavar("<file>"),
    Flag.withDescription(
      "Rules on tool calls that count more than --approve: a JSON list of { \"action\": \"allow\" | \"ask\" | \"deny\", " +
        "\"server\", \"tool\", \"annotation\" }, of which the first that fits decides"
    ),
    Flag.optional
  ),
  auditLog: Flag.String("audit-log").pipe(
    Flag.withMetavar("<file>"),
    Flag.withDescription("Append one line of JSON about every call to this file, with a hash of its arguments"),
    Flag.optional
  ),
  keychain: flags.toggle(
    "keychain",
    "Keep the values of password inputs in the keychain of this system (needs @napi-rs/keyring)"
  ),
  watch: flags.toggle(
    "watch",
    "Follow the config files: servers that are added, changed or removed in them are taken over"
  ),
  concurrency: Flag.Int("concurrency").pipe(
    Flag.withMetavar("<n>"),
    Flag.withDescription("Start so many MCP servers at a time [default as the machine bears it]"),
    Flag.filter((count) => count > 0, () => "Expected 1 or more"),
    Flag.optional
  ),
  history: Flag.Int("history").pipe(
    Flag.withMetavar("<n>"),
    Flag.withDescription("Remember so many calls [default 100]"),
    Flag.filter((count) => count >= 0, () => "Expected 0 or more"),
    Flag.optional
  ),
  revision: flags.revision,
  json: flags.json,
  headless: flags.toggle("headless", "No console, also at a terminal: join, print one line, and host"),
  logFormat: Flag.Literals("log-format", ["text", "json"]).pipe(
    Flag.withDescription(
      "How the log on stderr is written [default text at a terminal, one JSON object a line elsewhere]"
    ),
    Flag.optional
  ),
  script: Flag.String("script").pipe(
    Flag.withMetavar("<file>"),
    Flag.withDescription(
      "Run the console commands of this file, or of standard input for \"-\", a command a line, and end"
    ),
    Flag.optional
  ),
  keepGoing: flags.toggle("keep-going", "Go on with a script after a command that failed"),
  exitWithStdin: flags.exitWithStdin
}

const description =
  "Hosts the MCP servers of your config files in an office, so that its Agent can call their tools. A file may be the " +
  "mcp.json you already have (Claude Desktop, Claude Code, Cursor, VS Code).\n\n" +
  "  At a terminal it is a console (\"help\" lists its commands), and --config, --url, --office and --name may be left out " +
  "and given there. Elsewhere, and with --headless or --json, it joins, prints one line on stdout when its servers have " +
  "started (after 5 s it no longer waits for them), logs on stderr, and hosts until Ctrl-C or SIGTERM ends it and every " +
  "MCP server.\n\n" +
  "  Script: with --script, or when standard input is a pipe or a file and neither --office nor --exit-with-stdin is " +
  "given, the commands of the console are read from there, one a line, \"#\" begins a comment. The first that fails ends " +
  "it with its exit code (--keep-going: the last line does). With --json every command prints one line of JSON.\n\n" +
  "  Each command of the console is also a command below: it starts the servers, runs, and ends them.\n\n" +
  `  Exit codes:\n${exitCodeLines("  ")}`

const base = Command.make("computer").pipe(Command.withSharedFlags(settings))

/** What the command line says. */
export type Settings = Effect.Success<typeof base>

// -----------------------------------------------------------------------------
// The console's commands
// -----------------------------------------------------------------------------

/** loaded only when it is asked for: no other command needs the MCP SDK */
const program = Effect.promise(() => import("./internal/computerProgram.ts"))

const argumentOf = ({ name, optional, rest }: Parameter): Argument.Argument<ReadonlyArray<string>> => {
  const argument = Argument.String(name)
  if (rest === true) return Argument.variadic(argument)
  return optional === true
    ? Argument.map(Argument.optional(argument), (value) => Option.isSome(value) ? [value.value] : [])
    : Argument.map(argument, (value) => [value])
}

const switchOf = (name: string, what: string): Flag.Flag<ReadonlyArray<string>> =>
  flags.toggle(name, what).pipe(Flag.map((given) => given ? [`--${name}`] : []))

const leaf = (word: string, command: KnownCommand) =>
  Command.make(word, {
    words: command.parameters.map(argumentOf),
    switches: Object.entries(command.switches ?? {}).map(([name, what]) => switchOf(name, what))
  }, ({ switches, words }) =>
    Effect.gen(function*() {
      const options = yield* base
      const { oneShot } = yield* program
      yield* oneShot(options, command, [...switches, ...words].flat())
    })).pipe(Command.withDescription(command.help))

type Leaf = ReturnType<typeof leaf>

interface Node {
  readonly children: Map<string, Node>
  command: KnownCommand | undefined
}

const treeOf = (known: ReadonlyArray<KnownCommand>): Node => {
  const root: Node = { children: new Map(), command: undefined }
  for (const command of known) {
    for (const name of [command.name, ...command.aliases ?? []]) {
      let node = root
      for (const word of name.split(" ")) {
        const child = node.children.get(word) ?? { children: new Map(), command: undefined }
        node.children.set(word, child)
        node = child
      }
      node.command = command
    }
  }
  return root
}

const build = (word: string, { children, command }: Node): Leaf => {
  const below = [...children].map(([next, node]) => build(next, node))
  const own = command === undefined
    ? Command.make(word).pipe(Command.withDescription(`${word} ${[...children.keys()].join(" | ")}`)) as unknown as Leaf
    : leaf(word, command)
  return below.length === 0 ? own : Command.withSubcommands(own, below)
}

const subcommands = (Object.entries(groups) as ReadonlyArray<[Group, string]>).map(([group, title]) => ({
  group: title,
  commands: [
    ...treeOf(
      commands.filter((command) => command.group === group && command.promptOnly !== true && command.name !== "help")
    )
      .children
  ].map(([word, node]) => build(word, node))
}))

/** `smcp computer` */
export const computerCommand = base.pipe(
  Command.withHandler((options) => Effect.flatMap(program, ({ host }) => host(options))),
  Command.withSubcommands(subcommands),
  Command.withDescription(description),
  Command.withShortDescription("Host the MCP servers of this machine in an office"),
  Command.withExamples([
    {
      command: "smcp computer --config ~/.cursor/mcp.json --url http://127.0.0.1:7000 --office demo --name laptop",
      description: "Offer the tools of your MCP servers, with the key in SMCP_API_KEY"
    },
    { command: "smcp computer tools --config mcp.json --json", description: "What the servers of a file offer" },
    { command: "echo status | smcp computer --config mcp.json", description: "A script" }
  ])
)
