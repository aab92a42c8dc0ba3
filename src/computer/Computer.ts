/**
 * The Computer: hosts MCP servers and answers what an Agent asks of them (specification, events: `client:*`).
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as ClientEvent from "../protocol/ClientEvent.ts"
import type { ServerInput } from "../protocol/ServerConfig.ts"
import * as ServerEvent from "../protocol/ServerEvent.ts"
import * as Skill from "../protocol/Skill.ts"
import * as SmcpError from "../protocol/SmcpError.ts"
import type { SmcpTool } from "../protocol/Tool.ts"
import * as ToolResult from "../protocol/ToolResult.ts"
import * as WireError from "../protocol/WireError.ts"
import * as Background from "../transport/Background.ts"
import * as Membership from "../transport/Membership.ts"
import * as SocketIoTransport from "../transport/SocketIoTransport.ts"
import { Transport } from "../transport/Transport.ts"
import * as Blobs from "./Blobs.ts"
import * as Desktop from "./Desktop.ts"
import { configAnswer } from "./internal/configAnswer.ts"
import { makeReport, type Report } from "./internal/reports.ts"
import { makeToolCalls } from "./internal/toolCalls.ts"
import * as McpManager from "./McpManager.ts"
import * as Resources from "./Resources.ts"
import * as ToolRegistry from "./ToolRegistry.ts"
import * as Uploads from "./Uploads.ts"

// -----------------------------------------------------------------------------
// Options
// -----------------------------------------------------------------------------

/** Where the Computer sits and what it tells. */
export interface SeatOptions {
  /** The name by which Agents address this Computer; unique in its office. */
  readonly name: string
  /** The id of the office to sit in. */
  readonly office: string
  /** The definitions of inputs that `client:get_config` tells. Default: none. */
  readonly inputs?: ReadonlyArray<ServerInput> | undefined
  /**
   * How long the tools, or the desktop, have to be unchanged before a change is reported; what never rests is reported
   * after five times this. Default: 200 milliseconds.
   */
  readonly reportAfter?: Duration.Input | undefined
}

/** How the Computer carries what is too large for one message. */
export interface TransferOptions {
  /** Large results of tools: how they are kept until the Agent fetches them. */
  readonly blobs?: Blobs.Options | undefined
  /** The directory for files that the Agent uploads. Default: none, and every upload is refused. */
  readonly landingRoot?: string | undefined
  /** How much the Agent may upload at a time. */
  readonly uploads?: Uploads.Limits | undefined
}

/** Options of {@link layer}. */
export interface Options
  extends SeatOptions, TransferOptions, Membership.Options, McpManager.McpManagerOptions, SocketIoTransport.Options
{}

// -----------------------------------------------------------------------------
// Service
// -----------------------------------------------------------------------------

/**
 * A Computer in its office. It answers `client:get_tools`, `client:tool_call`, `client:get_config`,
 * `client:get_desktop`, `client:get_resources`, `client:get_blob` and `client:put_blob`, says that it has no skills, stops
 * calls that are cancelled, and reports when its tools or its desktop change.
 */
export class Computer extends Context.Service<Computer, {
  readonly name: string
  readonly office: string
  /** How many tool calls are running. */
  readonly inFlight: Effect.Effect<number>
}>()("a2c-smcp/computer/Computer") {}

/** What {@link layer} and {@link layerOnTransport} provide. */
export type Services =
  | Computer
  | McpManager.McpManager
  | ToolRegistry.ToolRegistry
  | Desktop.Desktop
  | Membership.Membership
  | Blobs.Blobs
  | Uploads.Uploads

/**
 * A Computer with its MCP servers on a Server that is reached over Socket.IO: connects, starts the servers in the
 * background, and joins. Building it ends when it sits in its office, or with the reason why it does not.
 */
export const layer = (options: Options): Layer.Layer<Services, SmcpError.SmcpError> =>
  layerOnTransport(options).pipe(Layer.provide(SocketIoTransport.layer(options)))

/** A Computer with its MCP servers on any `Transport`. */
export const layerOnTransport = (
  options: SeatOptions & TransferOptions & Membership.Options & McpManager.McpManagerOptions
): Layer.Layer<Services, SmcpError.SmcpError, Transport> =>
  layerNoDeps(options).pipe(
    // Of this Computer alone: shared by reference, two Computers in one program would have one set.
    Layer.provideMerge(Layer.mergeAll(
      Layer.fresh(ToolRegistry.layer),
      Layer.fresh(Desktop.layer),
      Membership.layer(options),
      Blobs.layer(options.blobs),
      Uploads.layer({ ...options.uploads, landingRoot: options.landingRoot })
    )),
    Layer.provideMerge(McpManager.layer(options))
  )

/** The Computer alone. It answers from before it joins until after it has left. */
export const layerNoDeps = (
  seat: SeatOptions
): Layer.Layer<
  Computer,
  SmcpError.SmcpError,
  | Transport
  | Membership.Membership
  | McpManager.McpManager
  | ToolRegistry.ToolRegistry
  | Desktop.Desktop
  | Blobs.Blobs
  | Uploads.Uploads
> => Layer.effect(Computer, make(seat))

// -----------------------------------------------------------------------------
// Internal
// -----------------------------------------------------------------------------

const make = Effect.fnUntraced(function*(seat: SeatOptions) {
  const { name, office } = seat
  const membership = yield* Membership.Membership
  const reports = yield* makeReports(seat)
  const calls = yield* answerAgents(seat, reports)
  yield* membership.join({ role: "computer", name, office_id: office })
  yield* reports.tools.start
  yield* reports.desktop.start
  return Computer.of({ name, office, inFlight: calls.size })
})

interface Reports {
  readonly tools: Report
  readonly desktop: Report
}

/** What the office is told about. The configuration is not among it: it stays the same while a Computer runs. */
const makeReports = Effect.fnUntraced(function*({ name, reportAfter }: SeatOptions) {
  const registry = yield* ToolRegistry.ToolRegistry
  const desktop = yield* Desktop.Desktop
  const options = { computer: name, settle: reportAfter ?? "200 millis" }
  return {
    tools: yield* makeReport(
      { name: "tools", event: ServerEvent.UpdateToolList, current: registry.list, changes: registry.changes, isSame },
      options
    ),
    desktop: yield* makeReport({
      name: "desktop",
      event: ServerEvent.UpdateDesktop,
      current: desktop.fingerprint,
      changes: desktop.changes,
      isSame: (one, other) => one === other
    }, options)
  }
})

/** Registers the handlers of all events that a Computer answers; returns the calls that are running. */
const answerAgents = Effect.fnUntraced(function*(seat: SeatOptions, reports: Reports) {
  const transport = yield* Transport
  const manager = yield* McpManager.McpManager
  const registry = yield* ToolRegistry.ToolRegistry
  const desktop = yield* Desktop.Desktop
  const blobs = yield* Blobs.Blobs
  const uploads = yield* Uploads.Uploads
  const calls = yield* makeToolCalls(blobs.spool)

  yield* transport.notifications.pipe(
    Stream.runForEach((notification) =>
      notification.event === "notify:tool_call_cancel" ? calls.cancel(notification.payload.req_id) : Effect.void
    ),
    Background.fork("Listening for cancellations")
  )
  yield* transport.handle(ClientEvent.GetTools, (request) =>
    addressed(
      seat,
      request,
      Effect.map(reports.tools.telling(registry.list), (tools) => ({ tools, req_id: request.req_id }))
    ))
  yield* transport.handle(ClientEvent.GetDesktop, (request) =>
    addressed(
      seat,
      request,
      Effect.map(
        reports.desktop.telling(
          desktop.render({ size: request.desktop_size ?? undefined, window: request.window ?? undefined })
        ),
        (desktops) => ({ desktops, req_id: request.req_id })
      )
    ))
  yield* transport.handle(ClientEvent.ToolCall, (request) =>
    addressed(
      seat,
      request,
      Effect.flatMap(registry.resolve(request.tool_name), (route) =>
        route === undefined
          ? Effect.succeed(ToolResult.unknownTool(request.tool_name))
          // during the call its windows may change as well as at its end
          : Effect.andThen(desktop.used(route.bundleId), calls.run(request, route)).pipe(
            Effect.ensuring(desktop.used(route.bundleId))
          ))
    ))
  yield* transport.handle(ClientEvent.GetConfig, (request) =>
    addressed(
      seat,
      request,
      Effect.sync(() => configAnswer(manager.servers, seat.inputs ?? [], transport.revision))
    ))
  if (transport.revision.hasGetResources) {
    yield* transport.handle(ClientEvent.GetResources, (request) =>
      addressed(
        seat,
        request,
        Effect.flatMap(manager.states, (states) => Resources.page(states, request, transport.revision))
      ))
  }
  if (transport.revision.hasSkills) yield* answerForSkills(seat)
  if (transport.revision.hasGetBlob) {
    yield* transport.handle(ClientEvent.GetBlob, (request) => addressed(seat, request, blobs.read(request)))
  }
  if (transport.revision.hasPutBlob) {
    yield* transport.handle(ClientEvent.PutBlob, (request) => addressed(seat, request, uploads.put(request)))
  }
  return calls
})

/** A Computer of this package has no skills, and says so: some Servers take no answer for a broken Computer. */
const answerForSkills = Effect.fnUntraced(function*(seat: SeatOptions) {
  const transport = yield* Transport
  yield* transport.handle(
    ClientEvent.GetSkills,
    (request) => addressed(seat, request, Effect.succeed({ skills: [], req_id: request.req_id }))
  )
  yield* transport.handle(ClientEvent.GetSkill, (request) =>
    addressed(
      seat,
      request,
      Effect.fail(SmcpError.make(
        Skill.isName(request.name)
          ? new WireError.McpServerNotFound({ message: "Skill not found", details: { name: request.name } })
          : new WireError.InvalidSkillName({ name: request.name })
      ))
    ))
})

/** Refuses what is meant for another Computer, as the Server does. */
const addressed = <A, E>(
  { name }: SeatOptions,
  { computer }: { readonly computer: string },
  answer: Effect.Effect<A, E>
): Effect.Effect<A, E | SmcpError.SmcpError> =>
  computer === name ? answer : Effect.fail(SmcpError.make(
    new WireError.NotFound({ message: `Computer with name '${computer}' not found`, computerName: computer })
  ))

const isSame = (one: ReadonlyArray<SmcpTool>, other: ReadonlyArray<SmcpTool>): boolean =>
  one === other || JSON.stringify(one) === JSON.stringify(other)
