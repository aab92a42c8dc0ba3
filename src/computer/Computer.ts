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
import * as SmcpError from "../protocol/SmcpError.ts"
import type { SmcpTool } from "../protocol/Tool.ts"
import * as ToolResult from "../protocol/ToolResult.ts"
import * as WireError from "../protocol/WireError.ts"
import * as Background from "../transport/Background.ts"
import * as Membership from "../transport/Membership.ts"
import * as SocketIoTransport from "../transport/SocketIoTransport.ts"
import { Transport } from "../transport/Transport.ts"
import * as Blobs from "./Blobs.ts"
import { configAnswer } from "./internal/configAnswer.ts"
import { makeToolCalls } from "./internal/toolCalls.ts"
import * as McpManager from "./McpManager.ts"
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
  /** How long the tools have to be unchanged before a change is reported. Default: 200 milliseconds. */
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
 * A Computer in its office. It answers `client:get_tools`, `client:tool_call`, `client:get_config`, `client:get_blob` and
 * `client:put_blob`, stops calls that are cancelled, and reports when its tools change.
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
    // The tools of this Computer: shared by reference, two Computers in one program would have one set.
    Layer.provideMerge(Layer.mergeAll(
      Layer.fresh(ToolRegistry.layer),
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
  | Blobs.Blobs
  | Uploads.Uploads
> => Layer.effect(Computer, make(seat))

// -----------------------------------------------------------------------------
// Internal
// -----------------------------------------------------------------------------

/** Every list of tools that somebody may take for the current one. */
type Told = Set<ReadonlyArray<SmcpTool>>

const make = Effect.fnUntraced(function*(seat: SeatOptions) {
  const { name, office } = seat
  const membership = yield* Membership.Membership
  const registry = yield* ToolRegistry.ToolRegistry
  const told: Told = new Set([yield* registry.list])
  const calls = yield* answerAgents(seat, told)
  yield* membership.join({ role: "computer", name, office_id: office })
  yield* reportTools(seat, told)
  return Computer.of({ name, office, inFlight: calls.size })
})

/** Registers the handlers of all events that a Computer answers; returns the calls that are running. */
const answerAgents = Effect.fnUntraced(function*(seat: SeatOptions, told: Told) {
  const transport = yield* Transport
  const manager = yield* McpManager.McpManager
  const registry = yield* ToolRegistry.ToolRegistry
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
      Effect.map(registry.list, (tools) => {
        told.add(tools)
        return { tools, req_id: request.req_id }
      })
    ))
  yield* transport.handle(ClientEvent.ToolCall, (request) =>
    addressed(
      seat,
      request,
      Effect.flatMap(registry.resolve(request.tool_name), (route) =>
        route === undefined
          ? Effect.succeed(ToolResult.unknownTool(request.tool_name))
          : calls.run(request, route))
    ))
  yield* transport.handle(ClientEvent.GetConfig, (request) =>
    addressed(
      seat,
      request,
      Effect.sync(() => configAnswer(manager.servers, seat.inputs ?? [], transport.revision))
    ))
  if (transport.revision.hasGetBlob) {
    yield* transport.handle(ClientEvent.GetBlob, (request) => addressed(seat, request, blobs.read(request)))
  }
  if (transport.revision.hasPutBlob) {
    yield* transport.handle(ClientEvent.PutBlob, (request) => addressed(seat, request, uploads.put(request)))
  }
  return calls
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

/** Tells the office when the tools are no longer those it knows; unlike a server's own notification, never without need. */
const reportTools = Effect.fnUntraced(function*(seat: SeatOptions, told: Told) {
  const transport = yield* Transport
  const membership = yield* Membership.Membership
  const registry = yield* ToolRegistry.ToolRegistry
  const report = Effect.gen(function*() {
    if ((yield* membership.state)._tag !== "Joined") return
    const current = yield* registry.list
    const before = [...told]
    told.clear()
    told.add(current)
    if (before.every((tools) => isSame(tools, current))) return
    yield* transport.send(ServerEvent.UpdateToolList, { computer: seat.name }).pipe(
      Effect.catch((error) => {
        before.forEach((tools) => told.add(tools))
        return Effect.logDebug(`The change of tools was not reported: ${error.message}`)
      })
    )
  })
  // what changed while the seat was lost is looked at again when it is back
  yield* Stream.merge(registry.changes, membership.changes).pipe(
    Stream.debounce(seat.reportAfter ?? "200 millis"),
    Stream.runForEach(() => report),
    Background.fork("Reporting tools")
  )
})

const isSame = (one: ReadonlyArray<SmcpTool>, other: ReadonlyArray<SmcpTool>): boolean =>
  one === other || JSON.stringify(one) === JSON.stringify(other)
