/**
 * The tools of a Computer as Agents see them: which are listed, under which name, and where a call goes.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as Revision from "../protocol/Revision.ts"
import type { SmcpTool } from "../protocol/Tool.ts"
import * as ToolName from "../protocol/ToolName.ts"
import { Transport } from "../transport/Transport.ts"
import type { Diagnostic } from "./Diagnostic.ts"
import * as ToolMeta from "./internal/toolMeta.ts"
import type { McpTool, ToolList } from "./McpClient.ts"
import { McpManager, type ServerState, type ServerStatus } from "./McpManager.ts"
import type { ServerEntry } from "./ServerEntry.ts"

// -----------------------------------------------------------------------------
// Models
// -----------------------------------------------------------------------------

/** Where a call of an exposed tool goes. */
export interface Route {
  readonly bundleId: string
  /** The name under which the server itself knows the tool. */
  readonly tool: string
  /** As the server describes it. */
  readonly definition: McpTool
  readonly entry: ServerEntry
  /** Whether the configuration lets it run without asking; `undefined` when it says nothing. */
  readonly autoApply: boolean | undefined
}

/** What the servers' states come to. */
export interface Projection {
  /** The tools as they are listed: servers in the order of the configuration, each one's tools in its own order. */
  readonly tools: ReadonlyArray<SmcpTool>
  /** By exposed name. */
  readonly routes: ReadonlyMap<string, Route>
  /** Tools that are not listed although nobody forbade them, and settings that fit no tool. */
  readonly diagnostics: ReadonlyArray<Diagnostic>
}

// -----------------------------------------------------------------------------
// Service
// -----------------------------------------------------------------------------

/** The tools of a Computer. */
export class ToolRegistry extends Context.Service<ToolRegistry, {
  /**
   * The tools as `client:get_tools` lists them: of the servers that are ready or idle, and, as they were last, of those that
   * are being started again or want a login.
   */
  readonly list: Effect.Effect<ReadonlyArray<SmcpTool>>
  /** Where the tool with this name is to be called; `undefined` when nothing, or a forbidden tool, has it. */
  readonly resolve: (name: string) => Effect.Effect<Route | undefined>
  readonly diagnostics: Effect.Effect<ReadonlyArray<Diagnostic>>
  /** The list now, and again whenever it may have changed. */
  readonly changes: Stream.Stream<ReadonlyArray<SmcpTool>>
}>()("a2c-smcp/computer/ToolRegistry") {}

/** The tools of the `McpManager`, named as the revision that the `Transport` speaks has it. */
export const layer: Layer.Layer<ToolRegistry, never, McpManager | Transport> = Layer.unwrap(
  Effect.map(Transport, ({ revision }) => layerOf(revision))
)

/** The tools of the `McpManager`, named as a revision has it. */
export const layerOf = (
  revision: Revision.Revision = Revision.defaultRevision
): Layer.Layer<ToolRegistry, never, McpManager> =>
  Layer.effect(
    ToolRegistry,
    Effect.map(McpManager, ({ changes, states }) => {
      let last: { readonly states: ReadonlyArray<ServerStatus>; readonly projection: Projection } | undefined
      const projectionOf = (states: ReadonlyArray<ServerStatus>): Projection => {
        if (last?.states !== states) last = { states, projection: project(states, revision) }
        return last.projection
      }
      const current = Effect.map(states, projectionOf)
      return ToolRegistry.of({
        list: Effect.map(current, ({ tools }) => tools),
        resolve: (name) => Effect.map(current, ({ routes }) => routes.get(name)),
        diagnostics: Effect.map(current, ({ diagnostics }) => diagnostics),
        changes: Stream.map(changes, (states) => projectionOf(states).tools)
      })
    })
  )

// -----------------------------------------------------------------------------
// Projection
// -----------------------------------------------------------------------------

/**
 * The tools of a server that a call may reach: also those of one that is idle or that is being started again, and of one that
 * wants a login, so that calls tell so.
 */
const toolsOf = (state: ServerState): ToolList | undefined => {
  switch (state._tag) {
    case "Ready":
    case "Idle":
      return state
    case "Starting":
    case "Waiting":
    case "AuthorizationRequired":
      return state.known
    default:
      return undefined
  }
}

/** Lists and routes the tools of the servers that calls may reach. */
export const project = (states: ReadonlyArray<ServerStatus>, revision: Revision.Revision): Projection => {
  const tools: Array<SmcpTool> = []
  const routes = new Map<string, Route>()
  const diagnostics: Array<Diagnostic> = []
  for (const { entry, state } of states) {
    const list = toolsOf(state)
    if (list === undefined) continue
    const { bundleId, config } = entry
    const say = (message: string) => diagnostics.push({ server: bundleId, message })
    for (const { name, why } of list.skipped) {
      say(`${name === undefined ? "A tool" : `The tool "${name}"`} is left out: ${why}`)
    }
    const forbidden = new Set(config.forbidden_tools)
    const unused = new Set(forbidden)
    for (const tool of list.tools) {
      const alias = ToolMeta.aliasOf(config, tool.name)
      const name = revision.toolNames === "exposed"
        ? ToolName.exposed(bundleId, tool.name, alias)
        : alias ?? tool.name
      const names = ToolMeta.namesOf(config, bundleId, tool.name)
      if (names.some((each) => forbidden.has(each))) {
        names.forEach((each) => unused.delete(each))
        continue
      }
      const earlier = routes.get(name)
      if (earlier !== undefined) {
        say(
          `The tool "${tool.name}" is left out: "${name}" is already the tool "${earlier.tool}" of ` +
            `"${earlier.bundleId}"; give one of them an alias`
        )
        continue
      }
      const declared = ToolMeta.declaration(tool._meta)
      if (declared === "malformed") {
        say(`The tool "${tool.name}" declares metadata that is not understood; it is ignored`)
      }
      const meta = ToolMeta.merged(config, tool.name, revision.toolMeta === "three-layer" ? declared : "absent")
      routes.set(name, {
        bundleId,
        tool: tool.name,
        definition: tool,
        entry,
        autoApply: typeof meta?.["auto_apply"] === "boolean" ? meta["auto_apply"] : undefined
      })
      tools.push(describe(tool, { name, bundleId, meta }))
    }
    for (const name of unused) say(`forbidden_tools names "${name}", which is no tool of this server`)
  }
  return { tools, routes, diagnostics }
}

interface Exposure {
  readonly name: string
  readonly bundleId: string
  readonly meta: Readonly<Record<string, unknown>> | undefined
}

const describe = (tool: McpTool, { bundleId, meta, name }: Exposure): SmcpTool => ({
  name,
  bundle_id: bundleId,
  description: firstText(tool.description, tool["title"], tool.annotations?.["title"]) ?? tool.name,
  params_schema: tool.inputSchema,
  return_schema: tool.outputSchema ?? null,
  meta: wireMeta(tool, meta)
})

const firstText = (...candidates: ReadonlyArray<unknown>): string | undefined =>
  candidates.find((candidate): candidate is string => typeof candidate === "string" && candidate.trim() !== "")

const ANNOTATIONS = "MCP_TOOL_ANNOTATION"

const noAnnotations = {
  title: null,
  readOnlyHint: null,
  destructiveHint: null,
  idempotentHint: null,
  openWorldHint: null
}

/** Peers accept only simple values here; everything else travels as JSON text. */
const wireMeta = (tool: McpTool, meta: Exposure["meta"]): Readonly<Record<string, unknown>> => {
  const wire = Object.entries(tool._meta ?? {})
    .filter(([key]) => key !== ToolMeta.KEY)
    .map(([key, value]): readonly [string, unknown] => [key, isSimple(value) ? value : JSON.stringify(value)])
  return Object.fromEntries([
    ...wire,
    ...(meta === undefined ? [] : [[ToolMeta.KEY, JSON.stringify(meta)] as const]),
    ...(tool.annotations === undefined
      ? []
      : [[ANNOTATIONS, JSON.stringify({ ...noAnnotations, ...tool.annotations })] as const])
  ])
}

const isScalar = (value: unknown): boolean => ["string", "number", "boolean"].includes(typeof value)

const isSimple = (value: unknown): boolean =>
  isScalar(value) ||
  (Array.isArray(value) && value.every((item) => isScalar(item) && typeof item === typeof value[0]))
