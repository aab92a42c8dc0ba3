/**
 * `smcp agent tools`
 */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Agent from "../../agent/Agent.ts"
import type { AgentTool } from "../../agent/AgentTool.ts"
import { type Seat, seat, seated } from "../internal/agentSeat.ts"
import { exitCodes } from "../internal/exitCodes.ts"
import { Failure } from "../internal/failure.ts"
import { lineWidth, print, printJson, say, table } from "../internal/output.ts"
import { whileWaiting } from "../internal/waiting.ts"

const computerFilter = Flag.String("computer").pipe(
  Flag.withAlias("c"),
  Flag.withMetavar("<name>"),
  Flag.withDescription("Only the tools of this Computer"),
  Flag.optional
)

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

/** `smcp agent tools` */
export const toolsCommand = Command.make(
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
