/**
 * A Server that acknowledges what a test tells it to, whatever the protocol says, and an Agent in office "R" on it.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Agent from "../../../src/agent/Agent.ts"
import type { NotifyEvent } from "../../../src/protocol/NotifyEvent.ts"
import { PROTOCOL_VERSION, type RevisionId, revisions } from "../../../src/protocol/Revision.ts"
import type { SmcpError } from "../../../src/protocol/SmcpError.ts"
import * as MemoryTransport from "../../../src/transport/MemoryTransport.ts"
import type { Connection } from "../../../src/transport/ServerTransport.ts"

export type Args = ReadonlyArray<unknown>

/** What was sent, of whatever shape the test knows it to have. */
// oxlint-disable-next-line typescript/no-explicit-any
export type Payload = any

/** What was asked. */
export interface Heard {
  readonly event: string
  readonly payload: Payload
}

/** Acknowledges one event; undefined leaves it to the default: joins succeed, the office is empty, nothing else is known. */
export type Script = (heard: Heard) => Args | Effect.Effect<Args> | undefined

const byDefault = ({ event, payload }: Heard): Args => {
  switch (event) {
    case "server:join_office":
    case "server:leave_office":
      return [true, null]
    case "server:list_room":
      return [{ sessions: [], req_id: payload.req_id }]
    default:
      return []
  }
}

export interface PlayedServer {
  readonly hub: MemoryTransport.Hub
  /** Everything that was asked, in order. */
  readonly heard: ReadonlyArray<Heard>
  /** The payloads of one event. */
  readonly all: (event: string) => ReadonlyArray<Payload>
  /** Tells the youngest connection something, well-formed or not. */
  readonly tell: (event: NotifyEvent, payload: object) => Effect.Effect<void>
}

export const playServer = Effect.fnUntraced(function*(
  script: Script,
  options?: MemoryTransport.HubOptions
): Effect.fn.Return<PlayedServer, never, Scope.Scope> {
  const hub = yield* MemoryTransport.makeHub(options)
  const transport = yield* MemoryTransport.makeServer(hub)
  const heard: Array<Heard> = []
  let youngest: Connection | undefined
  yield* transport.serve({
    authenticate: () => Effect.void,
    connected: (connection) => Effect.sync(() => void (youngest = connection)),
    receive: (_, event, { value }) =>
      Effect.suspend(() => {
        const each = { event, payload: value }
        heard.push(each)
        const answer = script(each) ?? byDefault(each)
        return Effect.map(Effect.isEffect(answer) ? answer : Effect.succeed(answer), (args) => ({ args }))
      }),
    disconnected: () => Effect.void
  })
  return {
    hub,
    heard,
    all: (event) => heard.filter((each) => each.event === event).map(({ payload }) => payload),
    tell: (event, payload) => Effect.suspend(() => youngest!.notify(event, payload as never))
  }
})

/** The Server and its Agent. */
export const playedOffice = Effect.fnUntraced(function*(
  script: Script,
  options?: MemoryTransport.HubOptions & { readonly speaks?: RevisionId }
) {
  const server = yield* playServer(script, options)
  const context = yield* Layer.build(
    Agent.layerOnTransport({ office: "R", name: "A" }).pipe(
      Layer.provide(MemoryTransport.layerClient(server.hub, {
        revision: revisions[options?.speaks ?? "0.4"],
        // The played Server lets everybody in.
        version: PROTOCOL_VERSION
      }))
    )
  )
  return { ...server, agent: Context.get(context, Agent.Agent) }
})

/** How an effect failed, as `Reason` or `Reason detail`. */
export const failure = <A, R>(effect: Effect.Effect<A, SmcpError, R>): Effect.Effect<string, never, R> =>
  Effect.match(effect, {
    onSuccess: (value) => `succeeded with ${JSON.stringify(value)}`,
    onFailure: ({ reason }) => {
      const detail = "problem" in reason ? reason.problem : "reason" in reason ? reason.reason : undefined
      return detail === undefined ? reason._tag : `${reason._tag} ${detail}`
    }
  })
