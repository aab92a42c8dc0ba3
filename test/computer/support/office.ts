import { Context, Effect, Layer, References } from "effect"
import * as Computer from "../../../src/computer/Computer.ts"
import * as ConfigFile from "../../../src/computer/ConfigFile.ts"
import * as Consent from "../../../src/computer/Consent.ts"
import type * as Host from "../../../src/computer/Host.ts"
import * as McpManager from "../../../src/computer/McpManager.ts"
import * as ClientEvent from "../../../src/protocol/ClientEvent.ts"
import * as NotifyEvent from "../../../src/protocol/NotifyEvent.ts"
import * as RequestId from "../../../src/protocol/RequestId.ts"
import * as Revision from "../../../src/protocol/Revision.ts"
import * as MemoryTransport from "../../../src/transport/MemoryTransport.ts"
import type * as ServerTransport from "../../../src/transport/ServerTransport.ts"
import { rawServer, type Received } from "./mcpClients.ts"
import { type Connectable, connectTo } from "./memoryServers.ts"

/** How the Server answers a join; by default it says yes. */
export type OnJoin = (office: Office) => Effect.Effect<ReadonlyArray<unknown>>

/** The part of the Server, played by a test. */
export class Office {
  readonly hub: MemoryTransport.Hub
  /** What the Computer said, in order. */
  readonly heard: Array<{ readonly event: string; readonly payload: unknown }> = []
  connection: ServerTransport.Connection | undefined
  onJoin: OnJoin = () => Effect.succeed([true, null])

  constructor(hub: MemoryTransport.Hub) {
    this.hub = hub
  }

  /** Asks the Computer and waits for its acknowledgement. */
  ask(event: ClientEvent.ClientEvent, payload: object): Effect.Effect<unknown> {
    return Effect.suspend(() => this.connection!.call(event.name, { value: payload }, 20_000)).pipe(
      Effect.map(({ args }) => {
        if (args.length !== 1) throw new Error(`${args.length} arguments in the acknowledgement`)
        return args[0]
      }),
      Effect.catch((failure) => Effect.die(new Error(`No acknowledgement: ${failure}`)))
    )
  }

  cancel(requestId: string): Effect.Effect<void> {
    return Effect.suspend(() => this.connection!.notify(NotifyEvent.ToolCallCancel, { agent: "A", req_id: requestId }))
  }

  /** How often the Computer has sent this event. */
  count(event: string): number {
    return this.heard.filter((each) => each.event === event).length
  }
}

/** A Server that listens to one Computer, until the scope closes. */
export const makeOffice = Effect.fnUntraced(function*(revision: Revision.Revision = Revision.defaultRevision) {
  const hub = yield* MemoryTransport.makeHub({ revisions: [revision] })
  const transport = yield* MemoryTransport.makeServer(hub)
  const office = new Office(hub)
  yield* transport.serve({
    authenticate: () => Effect.void,
    connected: (connection) =>
      Effect.sync(() => {
        office.connection = connection
      }),
    receive: (_connection, event, { value }) =>
      Effect.suspend(() => {
        office.heard.push({ event, payload: value })
        return Effect.map(
          event === "server:join_office" ? office.onJoin(office) : Effect.succeed([]),
          (args) => ({ args })
        )
      }),
    disconnected: () => Effect.void
  })
  return office
})

/** What differs from the defaults; `loud` leaves its log to the test's logger. */
export type ComputerOptions = Partial<
  Computer.SeatOptions & Computer.TransferOptions & Omit<Host.Options, "servers"> & {
    readonly loud: boolean
  }
>

/** Nothing is logged. */
export const quiet = Layer.succeed(References.MinimumLogLevel, "None")

/** A Computer named `PC` with the servers of this config, on its way into the office `R`. */
export const computerIn = (
  office: Office,
  config: object,
  { loud = false, ...options }: ComputerOptions = {},
  revision?: Revision.Revision
) =>
  Layer.unwrap(
    Effect.map(ConfigFile.fromValue(config, "test"), ({ inputs, servers }) =>
      Computer.layerOnTransport({
        name: "PC",
        office: "R",
        reportAfter: "20 millis",
        consent: Consent.layerAllowAll,
        inputs,
        servers,
        ...options
      }))
  ).pipe(
    Layer.provide(MemoryTransport.layerClient(office.hub, { revision })),
    Layer.provide(loud ? Layer.empty : quiet)
  )

/** What every request to `PC` carries. */
export const envelope = (rest: object = {}) => ({ agent: "A", req_id: RequestId.make(), computer: "PC", ...rest })

export const toolCall = (tool_name: string, params: object = {}, rest: object = {}) =>
  envelope({ tool_name, params, timeout: 10, ...rest })

export const raw = (settings: object = {}, rest: object = {}) => ({
  command: process.execPath,
  args: [rawServer, JSON.stringify(settings)],
  ...rest
})
/** The tools that the raw server has but does not list unless it is told to. */
export const listed = (...names: ReadonlyArray<string>) => ({
  toolPages: [names.map((name) => ({ name, inputSchema: { type: "object" } }))]
})

export const build = Effect.fnUntraced(function*(
  office: Office,
  config: object,
  options?: ComputerOptions,
  revision?: Revision.Revision
) {
  const context = yield* Layer.build(computerIn(office, config, options, revision))
  const manager = Context.get(context, McpManager.McpManager)
  yield* manager.ready
  return { computer: Context.get(context, Computer.Computer), manager }
})

/** A Computer in its office, with servers of this process. */
export const withServers = Effect.fnUntraced(function*(
  servers: Readonly<Record<string, Connectable>>,
  options: { readonly config?: object; readonly computer?: ComputerOptions } = {}
) {
  const office = yield* makeOffice()
  const config = {
    servers: Object.fromEntries(Object.keys(servers).map((key) => [key, { command: "-" }])),
    ...options.config
  }
  return { office, ...yield* build(office, config, { connector: connectTo(servers), ...options.computer }) }
})

/** A Computer in its office, with one raw server named `raw` that lists these tools. */
export const withRaw = Effect.fnUntraced(function*(...names: ReadonlyArray<string>) {
  const office = yield* makeOffice()
  const built = yield* build(office, { servers: { raw: raw(listed(...names)) } }, { connector: connectTo({}) })
  return { office, ...built }
})

/** A result of a tool call, as far as tests look into it. */
export interface Result {
  readonly content: ReadonlyArray<{ readonly type: string; readonly text: string }>
  readonly isError?: boolean
  readonly meta?: Readonly<Record<string, unknown>> | null
  readonly structuredContent?: Readonly<Record<string, unknown>> | null
}

export const call = (office: Office, ...request: Parameters<typeof toolCall>) =>
  Effect.map(office.ask(ClientEvent.ToolCall, toolCall(...request)), (answer) => answer as Result)

export const receivedBy = (office: Office) =>
  Effect.map(call(office, "raw__received"), ({ content }) => JSON.parse(content[0]!.text) as ReadonlyArray<Received>)

export const toolNames = (office: Office) =>
  Effect.map(
    office.ask(ClientEvent.GetTools, envelope()),
    (answer) => (answer as { tools: ReadonlyArray<{ name: string }> }).tools.map(({ name }) => name)
  )
