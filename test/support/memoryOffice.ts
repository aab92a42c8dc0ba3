/**
 * A real Server on the in-memory transport, and peers that play Computers with
 * nothing but a transport.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Agent from "../../src/agent/Agent.ts"
import * as ClientEvent from "../../src/protocol/ClientEvent.ts"
import * as Revision from "../../src/protocol/Revision.ts"
import * as ServerEvent from "../../src/protocol/ServerEvent.ts"
import type { SmcpError } from "../../src/protocol/SmcpError.ts"
import type { CallToolResult, SmcpTool, ToolCallReq } from "../../src/protocol/Tool.ts"
import * as Authenticator from "../../src/server/Authenticator.ts"
import * as Server from "../../src/server/Server.ts"
import * as SessionStore from "../../src/server/SessionStore.ts"
import * as MemoryTransport from "../../src/transport/MemoryTransport.ts"
import type { Transport } from "../../src/transport/Transport.ts"

/** A hub with a Server on it for as long as the scope lives. */
export const openOffice = Effect.fnUntraced(function*(
  options?: MemoryTransport.HubOptions
): Effect.fn.Return<MemoryTransport.Hub, never, Scope.Scope> {
  const hub = yield* MemoryTransport.makeHub(options)
  yield* Layer.build(
    Server.layer().pipe(
      Layer.provide([MemoryTransport.layerServer(hub), SessionStore.layerMemory, Authenticator.layerAllowAll])
    )
  )
  return hub
})

const options = (revision: Revision.RevisionId) => ({ revision: Revision.revisions[revision] })

/** How a played Computer answers. */
export interface Behaviour {
  readonly name: string
  readonly tools?: Effect.Effect<ReadonlyArray<SmcpTool>, SmcpError>
  readonly call?: (request: ToolCallReq) => Effect.Effect<CallToolResult, SmcpError>
  readonly revision?: Revision.RevisionId
}

/** A Computer in office "R" made of a transport and two handlers. */
export const playComputer = Effect.fnUntraced(function*(
  hub: MemoryTransport.Hub,
  behaviour: Behaviour
): Effect.fn.Return<Transport["Service"], SmcpError, Scope.Scope> {
  const transport = yield* MemoryTransport.connect(hub, options(behaviour.revision ?? "0.4"))
  yield* transport.handle(
    ClientEvent.GetTools,
    ({ req_id }) => Effect.map(behaviour.tools ?? Effect.succeed([]), (tools) => ({ tools, req_id }))
  )
  yield* transport.handle(
    ClientEvent.ToolCall,
    (request) => behaviour.call?.(request) ?? Effect.succeed({ content: [] })
  )
  yield* transport.call(ServerEvent.JoinOffice, { role: "computer", name: behaviour.name, office_id: "R" })
  return transport
})

/** An Agent in office "R". */
export const layerAgent = (
  hub: MemoryTransport.Hub,
  name = "A",
  revision: Revision.RevisionId = "0.4"
): Layer.Layer<Agent.Agent, SmcpError> =>
  Agent.layerOnTransport({ office: "R", name }).pipe(
    Layer.provide(MemoryTransport.layerClient(hub, options(revision)))
  )

/** An Agent in office "R" for as long as the scope lives. */
export const openAgent = (hub: MemoryTransport.Hub, name?: string, revision?: Revision.RevisionId) =>
  Effect.map(Layer.build(layerAgent(hub, name, revision)), (context) => Context.get(context, Agent.Agent))
