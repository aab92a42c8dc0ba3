/**
 * The Computer: hosts MCP servers and answers what an Agent asks of them (specification, events: `client:*`).
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { ServerInput } from "../protocol/ServerConfig.ts"
import * as ServerEvent from "../protocol/ServerEvent.ts"
import type * as SmcpError from "../protocol/SmcpError.ts"
import type { SmcpTool } from "../protocol/Tool.ts"
import * as Membership from "../transport/Membership.ts"
import * as SocketIoTransport from "../transport/SocketIoTransport.ts"
import type { Transport } from "../transport/Transport.ts"
import * as Blobs from "./Blobs.ts"
import * as Desktop from "./Desktop.ts"
import { answerAgents } from "./internal/answers.ts"
import { makeReport } from "./internal/reports.ts"
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

const isSame = (one: ReadonlyArray<SmcpTool>, other: ReadonlyArray<SmcpTool>): boolean =>
  one === other || JSON.stringify(one) === JSON.stringify(other)
