/**
 * The commands of a Computer's console as data. The interactive console, scripts, `smcp computer <command>`, the help and
 * the completion are all made of this one table.
 */

/** What belongs together in the help. */
export const groups = {
  server: "MCP servers",
  tools: "Tools and calls",
  desktop: "Desktop",
  inputs: "Inputs and their values",
  office: "Office",
  config: "Configuration",
  utility: "This console"
} as const

export type Group = keyof typeof groups

/** What a parameter stands for: completion offers it. */
export type ParameterKind =
  | "command"
  | "group"
  | "input"
  | "json"
  | "level"
  | "number"
  | "prompt"
  | "promptArgument"
  | "request"
  | "server"
  | "serverOrAll"
  | "text"
  | "file"
  | "tool"
  | "toolArgument"

/** A word that a command takes after its name. */
export interface Parameter {
  readonly name: string
  readonly kind: ParameterKind
  readonly optional?: true
  /** It takes all words that are left. */
  readonly rest?: true
}

/** A command. */
export interface CommandSpec {
  /** One or several words. */
  readonly name: string
  /** Other names, among them those that `a2c-computer` gives it. */
  readonly aliases?: ReadonlyArray<string>
  readonly group: Group
  readonly parameters: ReadonlyArray<Parameter>
  /** Switches such as `--reveal`, with what they do. */
  readonly switches?: Readonly<Record<string, string>>
  readonly help: string
  /** It means something only at a prompt: there is no `smcp computer` command for it. */
  readonly promptOnly?: true
  /** How long a line with it is remembered when a secret may be in it. Default: for good, in the history file. */
  readonly remember?: "session" | "never"
}

const json = { name: "json|@file", kind: "json" } as const
const server = { name: "server", kind: "server" } as const
const serverOrAll = { name: "server|all", kind: "serverOrAll" } as const
const input = { name: "input", kind: "input" } as const
const optional = { optional: true } as const
const count = { name: "n", kind: "number", ...optional } as const

const serverCommands = [
  {
    name: "server list",
    aliases: ["servers"],
    group: "server",
    parameters: [],
    help: "Every MCP server, its state and its tools"
  },
  {
    name: "server info",
    group: "server",
    parameters: [server],
    help: "What is known of one: version, capabilities, instructions, process, last errors"
  },
  {
    name: "server add",
    group: "server",
    parameters: [json],
    help: "Add a server, or change the one of this name: one entry with a name, or { \"name\": { \"command\": … } }",
    remember: "session"
  },
  {
    name: "server rm",
    aliases: ["server remove"],
    group: "server",
    parameters: [server],
    help: "End a server and forget it"
  },
  { name: "server start", aliases: ["start"], group: "server", parameters: [serverOrAll], help: "Start servers" },
  { name: "server stop", aliases: ["stop"], group: "server", parameters: [serverOrAll], help: "End servers" },
  {
    name: "server restart",
    aliases: ["restart"],
    group: "server",
    parameters: [serverOrAll],
    help: "End servers and start them with their current configuration"
  },
  { name: "server enable", group: "server", parameters: [server], help: "Take a server into use and start it" },
  { name: "server disable", group: "server", parameters: [server], help: "Put a server out of use and end it" },
  {
    name: "logs",
    group: "server",
    parameters: [server, count],
    help:
      "The last n lines that a server wrote on stderr [default 20]. What it sends as its MCP log is shown as it comes: see \"log\""
  },
  {
    name: "log",
    group: "server",
    parameters: [server, { name: "level", kind: "level" }],
    help: "From which level on a server should send its log: debug (shown with --debug), info, notice, warning, error"
  },
  {
    name: "login",
    group: "server",
    parameters: [server, { name: "address", kind: "text", optional: true }],
    help:
      "Show the page to log in to a remote server at; with the address where a browser on another machine ended, finish it",
    remember: "session"
  },
  { name: "logout", group: "server", parameters: [server], help: "Forget the login of a remote server" }
] as const satisfies ReadonlyArray<CommandSpec>

const toolCommands = [
  { name: "tools", group: "tools", parameters: [], help: "The tools as Agents see them" },
  {
    name: "call",
    group: "tools",
    parameters: [
      { name: "tool", kind: "tool" },
      { name: "json | key=value", kind: "toolArgument", optional: true, rest: true }
    ],
    help: "Call a tool the way an Agent would, with arguments as JSON or one by one"
  },
  {
    name: "tc",
    group: "tools",
    parameters: [json],
    help: "Run a call as an Agent sends it: { \"tool_name\": …, \"params\": { … }, \"timeout\": 60 }"
  },
  { name: "calls", group: "tools", parameters: [], help: "The calls that are running" },
  {
    name: "cancel",
    group: "tools",
    parameters: [{ name: "request", kind: "request", optional: true }],
    help: "Stop a running call; without an id the only one"
  },
  { name: "history", group: "tools", parameters: [count], help: "The last n calls [default 10]" },
  {
    name: "approvals list",
    aliases: ["approvals"],
    group: "tools",
    parameters: [],
    help: "Which tools may run without asking, and calls that wait for an answer"
  },
  {
    name: "approvals forget",
    group: "tools",
    parameters: [{ name: "server|all", kind: "serverOrAll", optional: true }, {
      name: "tool",
      kind: "text",
      optional: true
    }],
    help: "Ask again before tools that were allowed for good: all, those of a server, or one by its own name"
  },
  { name: "prompts", group: "tools", parameters: [], help: "The prompts that the servers offer" },
  {
    name: "prompt get",
    group: "tools",
    parameters: [
      server,
      { name: "prompt", kind: "prompt" },
      { name: "key=value", kind: "promptArgument", optional: true, rest: true }
    ],
    help: "One prompt of a server, filled in"
  },
  {
    name: "desktop",
    group: "desktop",
    parameters: [count, { name: "uri", kind: "text", ...optional }],
    help: "The windows as an Agent gets them: at most n, or the one with this URI"
  },
  {
    name: "windows",
    aliases: ["explain"],
    group: "desktop",
    parameters: [],
    help: "Every window, and why it is or is not shown"
  }
] as const satisfies ReadonlyArray<CommandSpec>

const inputCommands = [
  { name: "inputs list", aliases: ["inputs"], group: "inputs", parameters: [], help: "The definitions of ${input:…}" },
  { name: "inputs get", group: "inputs", parameters: [input], help: "One definition" },
  {
    name: "inputs load",
    group: "inputs",
    parameters: [{ name: "@file", kind: "file" }],
    help: "Replace all definitions by those of a file"
  },
  {
    name: "inputs add",
    aliases: ["inputs update"],
    group: "inputs",
    parameters: [json],
    help: "Add definitions, or change those with the same id: one or a list"
  },
  { name: "inputs rm", aliases: ["inputs remove"], group: "inputs", parameters: [input], help: "Forget a definition" },
  {
    name: "inputs value list",
    aliases: ["inputs value"],
    group: "inputs",
    parameters: [],
    help: "The values that are known, those of passwords hidden"
  },
  { name: "inputs value get", group: "inputs", parameters: [input], help: "One value, hidden when it is a password" },
  {
    name: "inputs value set",
    group: "inputs",
    parameters: [input, { name: "value", kind: "text", ...optional }],
    help: "Give an input a value; without one its default. A password is better asked for: leave the value out",
    remember: "never"
  },
  {
    name: "inputs value rm",
    aliases: ["inputs value remove"],
    group: "inputs",
    parameters: [input],
    help: "Forget a value"
  },
  {
    name: "inputs value clear",
    group: "inputs",
    parameters: [{ ...input, ...optional }],
    help: "Forget all values, or this one"
  },
  {
    name: "render",
    group: "inputs",
    parameters: [json],
    switches: { reveal: "Show secret values" },
    help: "Replace the placeholders in JSON by their values and print it"
  }
] as const satisfies ReadonlyArray<CommandSpec>

const officeCommands = [
  {
    name: "socket connect",
    group: "office",
    parameters: [{ name: "url", kind: "text", ...optional }],
    help: "Connect to a Server [default --url, then http://localhost:3000]"
  },
  {
    name: "socket join",
    group: "office",
    parameters: [{ name: "office", kind: "text" }, { name: "name", kind: "text" }],
    help: "Take a seat in an office under a name; connects first when there is no connection"
  },
  { name: "socket leave", group: "office", parameters: [], help: "Give up the seat and stay connected" },
  { name: "socket disconnect", group: "office", parameters: [], help: "Leave, and close the connection" },
  {
    name: "notify update",
    group: "office",
    parameters: [],
    help: "Tell the office that the configuration changed, whether it did or not"
  }
] as const satisfies ReadonlyArray<CommandSpec>

const otherCommands = [
  {
    name: "mcp",
    aliases: ["config show"],
    group: "config",
    parameters: [],
    help: "The configuration as JSON, as Agents may see it: secrets are masked"
  },
  {
    name: "config save",
    group: "config",
    parameters: [{ name: "file", kind: "file" }],
    switches: { force: "Also when the file exists" },
    help: "Write the servers and the inputs to a new file, placeholders as they are"
  },
  { name: "status", group: "utility", parameters: [], help: "The connection, the office, the servers, the calls" },
  {
    name: "doctor",
    group: "utility",
    parameters: [],
    help: "What is wrong with the servers and the connection, and what to do"
  },
  {
    name: "help",
    aliases: ["?"],
    group: "utility",
    parameters: [{ name: "topic", kind: "command", optional: true, rest: true }],
    help: "All commands, those of a group, or one"
  },
  { name: "clear", group: "utility", parameters: [], help: "Empty the screen", promptOnly: true },
  {
    name: "quit",
    aliases: ["exit"],
    group: "utility",
    parameters: [],
    help: "Leave the office, end every server, and go; as does Ctrl-D",
    promptOnly: true
  }
] as const satisfies ReadonlyArray<CommandSpec>

const table = [...serverCommands, ...toolCommands, ...inputCommands, ...officeCommands, ...otherCommands] as const

/** The name of a command. */
export type CommandName = (typeof table)[number]["name"]

/** A command of the table. */
export interface KnownCommand extends CommandSpec {
  readonly name: CommandName
}

/** Every command. */
export const commands: ReadonlyArray<KnownCommand> = table

/** How a command is written: `logs <server> [n]`. */
export const usageOf = ({ name, parameters, switches }: CommandSpec): string =>
  [
    name,
    ...parameters.map((parameter) => {
      const inner = `${parameter.name}${parameter.rest === true ? " …" : ""}`
      return parameter.optional === true ? `[${inner}]` : `<${inner}>`
    }),
    ...Object.keys(switches ?? {}).map((each) => `[--${each}]`)
  ].join(" ")
