/**
 * `smcp agent resources`
 */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as Agent from "../../agent/Agent.ts"
import type { AgentResource, ResourcePage } from "../../agent/AgentResource.ts"
import { computer, type Seat, seat, seated } from "../internal/agentSeat.ts"
import { oneLine, usage } from "../internal/failure.ts"
import { toggle } from "../internal/flags.ts"
import { lineWidth, print, printJson, say, table } from "../internal/output.ts"
import { whileWaiting } from "../internal/waiting.ts"

const resourcesFlags = {
  computer: computer("The Computer that hosts the MCP server"),
  server: Flag.String("server").pipe(
    Flag.withAlias("s"),
    Flag.withMetavar("<bundle-id>"),
    Flag.withDescription("The MCP server: the bundle id in \"smcp agent tools --json\"")
  ),
  cursor: Flag.String("cursor").pipe(
    Flag.withMetavar("<cursor>"),
    Flag.withDescription("Where to begin, as the page before told it [default the first page]"),
    Flag.optional
  ),
  all: toggle("all", "All pages")
}

interface Options extends Seat {
  readonly computer: string
  readonly server: string
  readonly cursor: Option.Option<string>
  readonly all: boolean
}

const resources = Effect.fnUntraced(function*(options: Options) {
  const agent = yield* Agent.Agent
  const { resources, nextCursor } = yield* whileWaiting("Asking for the resources")(ask(agent, options))
  if (options.json) return yield* printJson({ resources: resources.map(resourceJson), nextCursor })
  yield* resources.length === 0 ? say("No resources on this page") : print(resourceTable(resources))
  if (nextCursor !== undefined) yield* say(`smcp: There are more: --cursor '${oneLine(nextCursor)}', or --all`)
})

const ask = (agent: Agent.Agent["Service"], { all, computer, cursor, server }: Options) =>
  all
    ? Effect.map(
      Stream.runCollect(agent.allResources(computer, server)),
      (resources): ResourcePage => ({ resources, nextCursor: undefined })
    )
    : agent.resources(computer, server, { cursor: Option.getOrUndefined(cursor) })

const resourceJson = ({ computer: _computer, mcpServer: _server, ...resource }: AgentResource) => resource

const resourceTable = (resources: ReadonlyArray<AgentResource>): string =>
  table(
    ["URI", "TYPE", "BYTES", "NAME", "DESCRIPTION"],
    resources.map(({ description, mimeType = "", name, size, uri }) => [
      uri,
      mimeType,
      size === undefined ? "" : String(size),
      name,
      description
    ]),
    lineWidth()
  )

/** `smcp agent resources` */
export const resourcesCommand = Command.make(
  "resources",
  { ...seat, ...resourcesFlags },
  Effect.fnUntraced(function*(options) {
    if (options.all && Option.isSome(options.cursor)) return yield* usage("Give either --cursor or --all")
    yield* resources(options).pipe(seated(options))
  })
).pipe(
  Command.withDescription(
    "Lists the resources of one MCP server of a Computer, as the server lists them: one page, or with --all every page. " +
      "With --json one object of resources and nextCursor."
  ),
  Command.withShortDescription("List the resources of an MCP server"),
  Command.withExamples([
    { command: "smcp agent resources --computer laptop --server fs", description: "The first page" },
    {
      command: "smcp agent resources --computer laptop --server fs --all --json | jq -r '.resources[].uri'",
      description: "All of them, for a script"
    }
  ])
)
