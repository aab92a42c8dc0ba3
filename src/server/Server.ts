/**
 * The hub: offices, who sits in them, and the relay between their members
 * (specification, room model and events).
 */
import type * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Revision } from "../protocol/Revision.ts"
import * as SmcpError from "../protocol/SmcpError.ts"
import { type Connection, type Handshake, ServerTransport } from "../transport/ServerTransport.ts"
import { Authenticator } from "./Authenticator.ts"
import * as handlers from "./internal/handlers.ts"
import { type Counts, type Member, SessionStore } from "./SessionStore.ts"

/** Options of {@link layer}. */
export interface Options {
  /** Added to a tool call's own timeout until the Server gives it up. Default: 5 seconds. */
  readonly toolCallGrace?: Duration.Input | undefined
  /** How long a Computer may take for any other request. Default: 30 seconds. */
  readonly requestTimeout?: Duration.Input | undefined
  /** How long the `Authenticator` may take. Default: 900 milliseconds. */
  readonly authenticationTimeout?: Duration.Input | undefined
}

/** What holds for an option that is not given. */
export const defaults = {
  toolCallGrace: "5 seconds",
  requestTimeout: "30 seconds",
  authenticationTimeout: "900 millis"
} as const

/** A running Server. */
export class Server extends Context.Service<Server, {
  /** The revisions that peers may speak, the newest first. */
  readonly revisions: Arr.NonEmptyReadonlyArray<Revision>
  /** Everyone in an office: the Agent first, then the Computers in the order they came. */
  readonly members: (officeId: string) => Effect.Effect<ReadonlyArray<Member>>
  readonly counts: Effect.Effect<Counts>
}>()("a2c-smcp/server/Server") {}

/** Serves the peers of a transport for as long as the layer lives. */
export const layer = (
  options: Options = {}
): Layer.Layer<Server, never, ServerTransport | SessionStore | Authenticator> =>
  Layer.effect(
    Server,
    Effect.gen(function*() {
      const transport = yield* ServerTransport
      const store = yield* SessionStore
      const authenticator = yield* Authenticator
      const connections = new Map<string, Connection>()
      const office = handlers.make({
        transport,
        store,
        connections,
        deadlines: {
          toolCallGrace: millis(options.toolCallGrace ?? defaults.toolCallGrace),
          other: millis(options.requestTimeout ?? defaults.requestTimeout)
        }
      })
      yield* transport.serve({
        authenticate: withDeadline(authenticator, options.authenticationTimeout ?? defaults.authenticationTimeout),
        connected: (connection) =>
          Effect.suspend(() => {
            connections.set(connection.sid, connection)
            return store.open(connection.sid, connection.revision, connection.handshake.version)
          }),
        receive: office.receive,
        disconnected: (connection) =>
          Effect.suspend(() => {
            connections.delete(connection.sid)
            return office.vacate(connection)
          })
      })
      return { revisions: transport.revisions, members: store.members, counts: store.counts }
    })
  )

const millis = (duration: Duration.Input): number => Duration.toMillis(Duration.fromInputUnsafe(duration))

const rejected = (message: string) => SmcpError.make(new SmcpError.AuthenticationRejected({ message }))

/** Whatever the authenticator does, the handshake is decided in time, and a defect stays inside. */
const withDeadline = (authenticator: Authenticator["Service"], duration: Duration.Input) => (handshake: Handshake) =>
  Effect.suspend(() => authenticator.authenticate(handshake)).pipe(
    Effect.catchDefect((defect) =>
      Effect.andThen(
        Effect.logError("The Authenticator failed", Cause.die(defect)),
        Effect.fail(rejected("Authentication failed"))
      )
    ),
    Effect.timeoutOrElse({
      duration,
      orElse: () => Effect.fail(rejected("Authentication took too long; try again"))
    })
  )
