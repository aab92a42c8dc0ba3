/**
 * The Computer: hosts MCP servers and answers what an Agent asks of them (specification, events: `client:*`).
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as ServerEvent from "../protocol/ServerEvent.ts"
import type * as SmcpError from "../protocol/SmcpError.ts"
import type { SmcpTool } from "../protocol/Tool.ts"
import * as Membership from "../transport/Membership.ts"
import * as SocketIoTransport from "../transport/SocketIoTransport.ts"
import { Transport } from "../transport/Transport.ts"
import * as Blobs from "./Blobs.ts"
import * as Desktop from "./Desktop.ts"
import * as Host from "./Host.ts"
import { Inputs } from "./Inputs.ts"
import { answerAgents } from "./internal/answers.ts"
import { configAnswer } from "./internal/config/configAnswer.ts"
import { makeReport } from "./internal/reports.ts"
import * as McpManager from "./McpManager.ts"
import { ToolCalls } from "./ToolCalls.ts"
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
  /**
   * How long the tools, the desktop or the configuration have to be unchanged before a change is reported; what never rests is reported
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
  extends SeatOptions, TransferOptions, Membership.Options, Host.Options, SocketIoTransport.Options
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

/** What {@link layerSeat} provides on top of a `Host`. */
export type SeatServices = Computer | Membership.Membership | Blobs.Blobs | Uploads.Uploads

/** What {@link layer} and {@link layerOnTransport} provide. */
export type Services = SeatServices | Host.Services

/**
 * A Computer with its MCP servers on a Server that is reached over Socket.IO: connects, starts the servers in the
 * background, and joins. Building it ends when it sits in its office, or with the reason why it does not.
 */
export const layer = (options: Options): Layer.Layer<Services, SmcpError.SmcpError> =>
  layerOnTransport(options).pipe(Layer.provide(SocketIoTransport.layer(options)))

/** A Computer with its MCP servers on any `Transport`. */
export const layerOnTransport = (
  options: SeatOptions & TransferOptions & Membership.Options & Host.Options
): Layer.Layer<Services, SmcpError.SmcpError, Transport> =>
  Layer.unwrap(
    Effect.map(Transport, ({ revision }) => layerSeat(options).pipe(Layer.provideMerge(Host.layer(options, revision))))
  )

/** A seat in an office for a `Host`, which stays when the seat is given up. */
export const layerSeat = (
  options: SeatOptions & TransferOptions & Membership.Options
): Layer.Layer<SeatServices, SmcpError.SmcpError, Transport | Host.Services> =>
  layerNoDeps(options).pipe(
    // Of this Computer alone: shared by reference, two Computers in one program would have one set.
    Layer.provideMerge(Layer.mergeAll(
      Membership.layer(options),
      Blobs.layer(options.blobs),
      Uploads.layer({ ...options.uploads, landingRoot: options.landingRoot })
    ))
  )

/** The Computer alone. It answers from before it joins until after it has left. */
export const layerNoDeps = (
  seat: SeatOptions
): Layer.Layer<
  Computer,
  SmcpError.SmcpError,
  Transport | Membership.Membership | Blobs.Blobs | Uploads.Uploads | Host.Services
> => Layer.effect(Computer, make(seat))

/** The configuration as `client:get_config` tells it: nothing rendered, nothing secret. */
export const describeConfig: typeof configAnswer = configAnswer

// -----------------------------------------------------------------------------
// Internal
// -----------------------------------------------------------------------------

const make = Effect.fnUntraced(function*(seat: SeatOptions) {
  const { name, office } = seat
  const membership = yield* Membership.Membership
  const reports = yield* makeReports(seat)
  const calls = yield* ToolCalls
  yield* answerAgents(seat, reports)
  yield* membership.join({ role: "computer", name, office_id: office })
  yield* reports.tools.start
  yield* reports.desktop.start
  yield* reports.config.start
  return Computer.of({ name, office, inFlight: Effect.map(calls.running, (running) => running.length) })
})

/** What the office is told about. */
const makeReports = Effect.fnUntraced(function*({ name, reportAfter }: SeatOptions) {
  const registry = yield* ToolRegistry.ToolRegistry
  const desktop = yield* Desktop.Desktop
  const manager = yield* McpManager.McpManager
  const inputs = yield* Inputs
  const { revision } = yield* Transport
  const config = Effect.map(
    Effect.all([manager.states, inputs.definitions]),
    ([states, definitions]) => configAnswer(states.map(({ entry }) => entry), definitions, revision)
  )
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
    }, options),
    config: {
      current: config,
      ...yield* makeReport({
        name: "configuration",
        event: ServerEvent.UpdateConfig,
        current: config,
        changes: Stream.merge(manager.changes, inputs.changes),
        isSame: (one, other) => JSON.stringify(one) === JSON.stringify(other)
      }, options)
    }
  }
})

const isSame = (one: ReadonlyArray<SmcpTool>, other: ReadonlyArray<SmcpTool>): boolean =>
  one === other || JSON.stringify(one) === JSON.stringify(other)
