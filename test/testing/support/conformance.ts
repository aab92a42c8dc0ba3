/**
 * Servers for the conformance suite, on sockets: the real one, and such that break a rule each.
 */
import { Context, Effect, Layer, Redacted, References, type Scope } from "effect"
import type * as Arr from "effect/Array"
import { upgrade } from "../../../src/cli/internal/upgradeProbe.ts"
import * as Revision from "../../../src/protocol/Revision.ts"
import type * as SmcpError from "../../../src/protocol/SmcpError.ts"
import * as Authenticator from "../../../src/server/Authenticator.ts"
import * as HttpServer from "../../../src/server/HttpServer.ts"
import * as Server from "../../../src/server/Server.ts"
import * as SessionStore from "../../../src/server/SessionStore.ts"
import type * as Conformance from "../../../src/testing/Conformance.ts"
import { ServerTransport } from "../../../src/transport/ServerTransport.ts"
import * as SocketIoServerTransport from "../../../src/transport/SocketIoServerTransport.ts"

export const KEY = "the-key-of-this-server"

/** The suite provokes what a Server has to log. */
export const quiet = Layer.succeed(References.MinimumLogLevel, "None")

/** What a Server breaks. */
export interface Breakage {
  readonly wrapStore?: (store: SessionStore.SessionStore["Service"]) => SessionStore.SessionStore["Service"]
  readonly wrapTransport?: (transport: ServerTransport["Service"]) => ServerTransport["Service"]
  readonly server?: Server.Options
  /** What its listener speaks. Default: the revision of the harness. */
  readonly revisions?: Arr.NonEmptyReadonlyArray<Revision.Revision>
  /** Lets in everyone. */
  readonly open?: boolean
}

const wrapped = <I, S, E, R>(
  tag: Context.Key<I, S>,
  layer: Layer.Layer<I, E, R>,
  wrap: ((service: S) => S) | undefined
): Layer.Layer<I, E, R> =>
  wrap === undefined ? layer : Layer.effect(tag, Effect.map(tag, wrap)).pipe(Layer.provide(layer))

/** A Server that has everything of the real one but what is broken. */
export const startServer = Effect.fnUntraced(function*(
  revision: Revision.Revision,
  { open = false, revisions = [revision], server, wrapStore, wrapTransport }: Breakage = {}
): Effect.fn.Return<Conformance.Harness, SmcpError.SmcpError, Scope.Scope> {
  const store = wrapped(SessionStore.SessionStore, Layer.fresh(SessionStore.layerMemory), wrapStore)
  const transport = wrapped(
    ServerTransport,
    Layer.unwrap(
      Effect.map(HttpServer.HttpServer, ({ server }) => SocketIoServerTransport.layer({ server, revisions }))
    ),
    wrapTransport
  )
  const authenticator = open
    ? Authenticator.layerAllowAll
    : Authenticator.layerApiKey({ keys: [Redacted.make(KEY)] })
  const layer = Server.layer({ toolCallGrace: "500 millis", ...server }).pipe(
    Layer.provide([transport, authenticator]),
    Layer.provideMerge(HttpServer.layer()),
    Layer.provide(store),
    Layer.provide(quiet)
  )
  const { url } = Context.get(yield* Layer.build(layer), HttpServer.HttpServer)
  return { url, revision, apiKey: Redacted.make(KEY), upgrade }
})

/** The harness of a Server that runs as long as the layer. */
export class Harness extends Context.Service<Harness, Conformance.Harness>()("test/testing/Harness") {}

export const layerHarness = (revision: Revision.Revision, breakage?: Breakage) =>
  Layer.effect(Harness, startServer(revision, breakage))

export const everyRevision = Object.values(Revision.revisions)
