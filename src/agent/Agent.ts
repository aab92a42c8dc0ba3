/**
 * The caller: sits in one office, sees the tools of its Computers, calls them.
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as PubSub from "effect/PubSub"
import * as Stream from "effect/Stream"
import * as ClientEvent from "../protocol/ClientEvent.ts"
import type { SessionInfo } from "../protocol/Office.ts"
import * as RequestId from "../protocol/RequestId.ts"
import type { GetConfigRet } from "../protocol/ServerConfig.ts"
import * as ServerEvent from "../protocol/ServerEvent.ts"
import type { SmcpError } from "../protocol/SmcpError.ts"
import * as Background from "../transport/Background.ts"
import * as Membership from "../transport/Membership.ts"
import * as SocketIoTransport from "../transport/SocketIoTransport.ts"
import { Transport } from "../transport/Transport.ts"
import type * as AgentResource from "./AgentResource.ts"
import type * as AgentSkill from "./AgentSkill.ts"
import * as AgentTool from "./AgentTool.ts"
import type * as AgentWindow from "./AgentWindow.ts"
import type * as BlobDownload from "./BlobDownload.ts"
import * as Catalog from "./Catalog.ts"
import { asking, questions } from "./internal/questions.ts"
import { prepareCall } from "./internal/toolCall.ts"
import * as OfficeEvent from "./OfficeEvent.ts"
import type { ToolOutcome } from "./ToolOutcome.ts"
import type * as Upload from "./Upload.ts"

/** Where the Agent sits. */
export interface SeatOptions {
  /** The office's id. */
  readonly office: string
  /** The Agent's name in it. */
  readonly name: string
}

/** Options of {@link layer}. */
export interface Options extends SeatOptions, Membership.Options, SocketIoTransport.Options {}

/** One tool call. */
export interface ToolCall {
  /** The Computer's name. */
  readonly computer: string
  /** The tool's exposed name. */
  readonly tool: string
  /** Default: no parameters. */
  readonly params?: Readonly<Record<string, unknown>> | undefined
  /** How long the tool may take, rounded up to whole seconds. Default: 60 seconds. */
  readonly timeout?: Duration.Input | undefined
  /**
   * What becomes of large binary parts of the result, which stay at the Computer:
   * `restore` fetches them and puts them where the MCP server had them, after the
   * tool's own time; a part that cannot be had keeps its handle and is named in the
   * outcome's `unrestored`, because the tool ran all the same. `keep` leaves the
   * handles for `download` or `blob`. Default: `restore`.
   */
  readonly blobs?: "restore" | "keep" | undefined
  /** The most bytes to fetch for one result; what is beyond keeps its handle. Default: 100 MiB. */
  readonly maxRestoredBytes?: number | undefined
}

/** A tool call under way. */
export interface RunningCall {
  readonly reqId: string
  /** How it ended. Interrupting the wait cancels the call. To be run once. */
  readonly outcome: Effect.Effect<ToolOutcome, SmcpError>
  /** Asks the Computer to stop; `outcome` waits on, until its own deadline, and tells whether it did. */
  readonly cancel: Effect.Effect<void, SmcpError>
}

/**
 * An Agent in its office. What asks a Computer fails with the peer's refusal and its code (404 for a name that is not in
 * the office), or with a reason of this side: `NotConnected` (nothing was sent), `ConnectionLost` (it may have run),
 * `CallTimeout`, `InvalidResponse`, `UnsupportedByPeer` (also when the revision in force has no such question).
 * Nothing is repeated by itself.
 */
export class Agent extends Context.Service<Agent, {
  readonly name: string
  readonly office: string
  /** Asks one Computer for its tools, or all of them at once; with all, one that does not answer fails the whole. */
  readonly tools: (computer?: string) => Effect.Effect<ReadonlyArray<AgentTool.AgentTool>, SmcpError>
  /** The live catalog: what the office offers, without asking. */
  readonly catalog: Effect.Effect<Catalog.Catalog>
  readonly catalogChanges: Stream.Stream<Catalog.Catalog>
  /** The live catalog once no Computer is being asked any more. */
  readonly catalogSettled: Effect.Effect<Catalog.Catalog>
  /**
   * Calls a tool. Interrupting it cancels the call at the Computer and its MCP
   * server, and so does its own deadline, which ends in `TimedOut`.
   */
  readonly callTool: (call: ToolCall) => Effect.Effect<ToolOutcome, SmcpError>
  /** Prepares a call that can be cancelled while its outcome is awaited elsewhere. Nothing is sent before `outcome` runs. */
  readonly prepareCall: (call: ToolCall) => RunningCall
  /** The Computers that sit in the office now. */
  readonly computers: Effect.Effect<ReadonlyArray<SessionInfo>, SmcpError>
  /** A Computer's configuration: raw, with placeholders unrendered. */
  readonly config: (computer: string) => Effect.Effect<GetConfigRet, SmcpError>
  /** One page of the resources of one MCP server; 4014 when there is no such server, 4015 when it has no resources. */
  readonly resources: (
    computer: string,
    mcpServer: string,
    options?: { readonly cursor?: string | undefined }
  ) => Effect.Effect<AgentResource.ResourcePage, SmcpError>
  /** All pages, each asked for when it is wanted. A cursor that comes twice ends in `InvalidResponse`. */
  readonly allResources: (
    computer: string,
    mcpServer: string
  ) => Stream.Stream<AgentResource.AgentResource, SmcpError>
  /** The windows of a Computer's desktop, the most important first. */
  readonly desktop: (
    computer: string,
    options?: AgentWindow.DesktopOptions
  ) => Effect.Effect<ReadonlyArray<AgentWindow.AgentWindow>, SmcpError>
  /** The skills of a Computer. */
  readonly skills: (computer: string) => Effect.Effect<ReadonlyArray<AgentSkill.AgentSkill>, SmcpError>
  /**
   * One file of a skill, `SKILL.md` unless another path inside its folder is given. Fails with 4014 when there is no such
   * skill, 4016 when the name has no skill's form, and 4017, with its reason, when the file cannot be had.
   */
  readonly skillFile: (
    computer: string,
    name: string,
    options?: { readonly path?: string | undefined }
  ) => Effect.Effect<AgentSkill.SkillFile, SmcpError>
  /** The bytes behind a handle, in order and checked; see `BlobDownload.stream`. Fails with 4018 and its reason. */
  readonly blob: (
    computer: string,
    handle: string,
    options?: BlobDownload.BlobOptions
  ) => Stream.Stream<Uint8Array, SmcpError>
  /** The bytes behind a handle at once, in parallel ranges; see `BlobDownload.download`. */
  readonly download: (
    computer: string,
    handle: string,
    options?: BlobDownload.DownloadOptions
  ) => Effect.Effect<BlobDownload.Download, SmcpError>
  /** Writes bytes to a file on the Computer; see `Upload`. Fails with 4019 and its reason, and as the source does. */
  readonly upload: <E = never>(
    computer: string,
    source: Upload.Source<E>,
    options?: Upload.Options
  ) => Effect.Effect<Upload.Uploaded, SmcpError | E>
  /** What happens in the office, from the moment the stream starts. */
  readonly events: Stream.Stream<OfficeEvent.OfficeEvent>
  /** Where the Agent stands: whether it is connected, sits in its office, is on its way back or has lost its seat. */
  readonly state: Effect.Effect<Membership.MembershipState>
  /** The state now and every change. */
  readonly stateChanges: Stream.Stream<Membership.MembershipState>
}>()("a2c-smcp/agent/Agent") {}

/** Connects over Socket.IO and takes the seat; building it fails with what the Server refused. */
export const layer = (options: Options): Layer.Layer<Agent, SmcpError> =>
  layerOnTransport(options).pipe(Layer.provide(SocketIoTransport.layer(options)))

/** Takes a seat of its own on any `Transport`. */
export const layerOnTransport = (
  options: SeatOptions & Membership.Options
): Layer.Layer<Agent, SmcpError, Transport> => layerNoDeps(options).pipe(Layer.provide(Membership.layer(options)))

/** The Agent alone. */
export const layerNoDeps = (
  seat: SeatOptions
): Layer.Layer<Agent, SmcpError, Transport | Membership.Membership> => Layer.effect(Agent, make(seat))

const CONCURRENT_QUESTIONS = 8
const EVENT_BUFFER = 1024

const make = Effect.fnUntraced(function*(seat: SeatOptions) {
  const { name, office } = seat
  const transport = yield* Transport
  const membership = yield* Membership.Membership
  const ask = asking(transport, name)
  const asked = questions(transport, name)

  const sessions = Effect.map(
    Effect.suspend(() =>
      transport.call(ServerEvent.ListRoom, {
        agent: name,
        req_id: RequestId.forListRoom(name, office),
        office_id: office
      })
    ),
    (answer) => answer.sessions
  )
  const computers = Effect.map(sessions, (all) => all.filter((session) => session.role === "computer"))
  const computerNames = Effect.map(computers, (present) => present.map((session) => session.name))

  const toolsOf = (computer: string) =>
    Effect.map(
      ask(ClientEvent.GetTools, computer),
      (answer) => answer.tools.map((tool) => AgentTool.fromWire(computer, tool))
    )

  const catalog = yield* Catalog.make({ computers: computerNames, tools: toolsOf })
  const events = yield* Effect.acquireRelease(
    PubSub.sliding<OfficeEvent.OfficeEvent>(EVENT_BUFFER),
    PubSub.shutdown
  )

  // Listening starts before the join, so that nobody who enters in between is missed.
  yield* transport.notifications.pipe(
    Stream.map((notification) => OfficeEvent.fromNotification(office, notification)),
    Stream.filter((event) => event !== undefined),
    Stream.runForEach((event) => Effect.andThen(catalog.note(event), PubSub.publish(events, event))),
    Background.fork("The office's notifications")
  )
  yield* membership.join({ role: "agent", name, office_id: office })
  yield* Effect.addFinalizer(() => Effect.ignore(membership.leave))
  // An Agent hears nothing of Computers that came before it.
  yield* catalog.resync
  yield* membership.changes.pipe(
    Stream.drop(1),
    Stream.filter((state) => state._tag === "Joined"),
    Stream.runForEach(() =>
      Effect.catch(catalog.resync, (error) => Effect.logWarning(`The catalog is stale: ${error.message}`))
    ),
    Background.fork("The catalog")
  )

  const prepare = prepareCall(
    transport,
    name,
    (computer) => (handle, options) => asked.download(computer, handle, options)
  )
  return Agent.of({
    name,
    office,
    tools: (computer) =>
      computer === undefined
        ? Effect.flatMap(
          computerNames,
          (present) =>
            Effect.map(
              Effect.forEach(present, toolsOf, { concurrency: CONCURRENT_QUESTIONS }),
              (lists) => lists.flat()
            )
        )
        : toolsOf(computer),
    catalog: catalog.current,
    catalogChanges: catalog.changes,
    catalogSettled: catalog.settled,
    callTool: (call) => Effect.suspend(() => prepare(call).outcome),
    prepareCall: prepare,
    computers,
    config: (computer) => ask(ClientEvent.GetConfig, computer),
    ...asked,
    events: Stream.fromPubSub(events),
    state: membership.state,
    stateChanges: membership.changes
  })
})
