/**
 * `smcp agent`: an Agent for one question or one call.
 */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import * as Agent from "../agent/Agent.ts"
import type { AgentTool } from "../agent/AgentTool.ts"
import type { OfficeEvent } from "../agent/OfficeEvent.ts"
import type { Revision } from "../protocol/Revision.ts"
import { call } from "./internal/agentCall.ts"
import { logState, stateEnd } from "./internal/connection.ts"
import { exitCodes } from "./internal/exitCodes.ts"
import { Failure, usage } from "./internal/failure.ts"
import * as flags from "./internal/flags.ts"
import { lineWidth, print, printJson, say, table } from "./internal/output.ts"
import { signalMeans } from "./internal/signals.ts"
import { whileWaiting } from "./internal/waiting.ts"

// -----------------------------------------------------------------------------
// What all of them share
// -----------------------------------------------------------------------------

const seat = {
  url: flags.url,
  office: flags.office,
  name: flags.agentName,
  apiKey: flags.apiKey,
  revision: flags.revision,
  json: flags.json
}

interface Seat {
  readonly url: string
  readonly office: string
  readonly name: string
  readonly apiKey: Option.Option<Redacted.Redacted>
  readonly revision: Revision
  readonly json: boolean
}

/** Connects as the options say. */
const agentOf = (options: Seat) => Agent.layer({ ...options, apiKey: Option.getOrUndefined(options.apiKey) })

const seated = (options: Seat) => <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.scoped(Effect.provide(self, agentOf(options)))

const byName = (left: { readonly name: string }, right: { readonly name: string }): number =>
  left.name < right.name ? -1 : left.name > right.name ? 1 : 0

const computerFilter = Flag.String("computer").pipe(
  Flag.withAlias("c"),
  Flag.withMetavar("<name>"),
  Flag.withDescription("Only the tools of this Computer"),
  Flag.optional
)

// -----------------------------------------------------------------------------
// tools
// -----------------------------------------------------------------------------

const tools = Effect.fnUntraced(function*(options: Seat & { readonly computer: Option.Option<string> }) {
  const agent = yield* Agent.Agent
  const computer = Option.getOrUndefined(options.computer)
  const found = yield* (computer === undefined ? everyTool(agent) : Effect.map(agent.tools(computer), (tools) => ({
    tools,
    silent: 0
  }))).pipe(whileWaiting("Asking for the tools"))
  yield* options.json ? printJson(found.tools.map(toolJson)) : printTools(found.tools)
  if (found.silent > 0) {
    return yield* new Failure({ message: "Not every Computer told its tools", exitCode: exitCodes.failed })
  }
})

/** The tools of all Computers; one that does not answer does not hide the others. */
const everyTool = Effect.fnUntraced(function*(agent: Agent.Agent["Service"]) {
  const catalog = Array.from((yield* agent.catalogSettled).values())
  const silent = catalog.filter(({ error }) => error !== undefined)
  for (const { computer, error } of silent) yield* say(`smcp: ${computer} did not tell its tools: ${error?.message}`)
  return { tools: catalog.flatMap(({ tools }) => tools), silent: silent.length }
})

const toolJson = ({ bundleId, computer, description, inputSchema, name, outputSchema, toolMeta }: AgentTool) => ({
  name,
  computer,
  bundleId,
  description,
  inputSchema,
  outputSchema,
  toolMeta
})

const printTools = (tools: ReadonlyArray<AgentTool>): Effect.Effect<void> =>
  tools.length === 0
    ? say("No tools: no Computer sits in the office, or its MCP servers offer none")
    : print(table(
      ["TOOL", "COMPUTER", "DESCRIPTION"],
      tools.map(({ computer, description, name }) => [name, computer, description]),
      lineWidth()
    ))

const toolsCommand = Command.make(
  "tools",
  { ...seat, computer: computerFilter },
  (options) => tools(options).pipe(seated(options))
).pipe(
  Command.withDescription("Lists the tools of one Computer, or of all Computers in the office."),
  Command.withShortDescription("List the tools of the office"),
  Command.withExamples([
    { command: "smcp agent tools --url http://127.0.0.1:7000 --office demo", description: "As a table" },
    { command: "smcp agent tools --computer laptop --json | jq '.[].name'", description: "As JSON, for a script" }
  ])
)

// -----------------------------------------------------------------------------
// call
// -----------------------------------------------------------------------------

const callFlags = {
  computer: Flag.String("computer").pipe(
    Flag.withAlias("c"),
    Flag.withMetavar("<name>"),
    Flag.withDescription("The Computer that has the tool")
  ),
  tool: Flag.String("tool").pipe(
    Flag.withAlias("t"),
    Flag.withMetavar("<name>"),
    Flag.withDescription("The tool, as \"smcp agent tools\" names it")
  ),
  params: Flag.String("params").pipe(
    Flag.withMetavar("<json>"),
    Flag.withDescription("The parameters, a JSON object, or @file to read it from a file [default {}]"),
    Flag.withDefault("{}")
  ),
  timeout: Flag.Finite("timeout").pipe(
    Flag.withMetavar("<seconds>"),
    Flag.withDescription("How long the tool may take, in seconds [default 60]"),
    Flag.withDefault(60),
    Flag.filter((seconds) => seconds > 0, () => "Expected seconds above 0")
  )
}

const readParams = Effect.fnUntraced(function*(given: string) {
  const file = given.startsWith("@") ? given.slice(1) : undefined
  const where = file === undefined ? "--params" : `--params: ${file}`
  const text = file === undefined ? given : yield* FileSystem.FileSystem.use((fs) => fs.readFileString(file)).pipe(
    Effect.mapError(() => usage(`${where} cannot be read; check the path`))
  )
  const value = yield* Effect.try({
    try: (): unknown => JSON.parse(text),
    catch: () => usage(`${where} is not JSON; write an object such as '{"message":"hi"}'`)
  })
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return yield* usage(`${where} is not a JSON object; write one such as '{"message":"hi"}'`)
  }
  return value as Readonly<Record<string, unknown>>
})

const callCommand = Command.make(
  "call",
  { ...seat, ...callFlags },
  Effect.fnUntraced(function*(options) {
    const params = yield* readParams(options.params)
    yield* call({ ...options, params }).pipe(seated(options))
  })
).pipe(
  Command.withDescription(
    "Calls a tool and prints its result: the text of it, or with --json the whole result as the MCP server gave it. " +
      "Ctrl-C cancels the call at the Computer and waits for its answer. Exit codes: 0 done, 3 the tool failed, " +
      "4 timed out, 5 cancelled, 1, 2 and 6 as \"smcp --help\" says."
  ),
  Command.withShortDescription("Call a tool and print its result"),
  Command.withExamples([
    {
      command:
        "smcp agent call --url http://127.0.0.1:7000 --office demo --computer laptop --tool fs__read --params '{\"path\":\"/tmp/a\"}'",
      description: "Parameters on the command line"
    },
    {
      command: "smcp agent call --computer laptop --tool fs__write --params @params.json --timeout 10 --json",
      description: "Parameters from a file, the rest from the environment"
    }
  ])
)

// -----------------------------------------------------------------------------
// computers
// -----------------------------------------------------------------------------

const computers = Effect.fnUntraced(function*({ json }: Seat) {
  const agent = yield* Agent.Agent
  const present = [...yield* agent.computers].sort(byName)
  if (json) return yield* printJson(present.map(({ name, sid }) => ({ name, sid })))
  if (present.length === 0) return yield* say("No Computer sits in the office")
  yield* print(table(["COMPUTER", "SESSION"], present.map(({ name, sid }) => [name, sid]), lineWidth()))
})

const computersCommand = Command.make("computers", seat, (options) => computers(options).pipe(seated(options))).pipe(
  Command.withDescription("Lists the Computers that sit in the office."),
  Command.withShortDescription("List the Computers of the office")
)

// -----------------------------------------------------------------------------
// watch
// -----------------------------------------------------------------------------

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

const watchCommand = Command.make("watch", seat, (options) => watch(options).pipe(seated(options))).pipe(
  Command.withDescription(
    "Prints what happens in the office, one line each, until Ctrl-C: Computers that come and go, and changes of their " +
      "tools, configuration, desktop and skills. It takes the office's seat for an Agent for as long as it runs."
  ),
  Command.withShortDescription("Print what happens in the office")
)

/** `smcp agent` */
export const agentCommand = Command.make("agent").pipe(
  Command.withDescription(
    "Sits in an office as its Agent for one question or one call. An office has one seat for an Agent: while another " +
      "Agent has it, these commands are refused."
  ),
  Command.withShortDescription("Ask and call the tools of an office"),
  Command.withSubcommands([toolsCommand, callCommand, computersCommand, watchCommand])
)
