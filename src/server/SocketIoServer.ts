/**
 * The short way to a Server that stands on its own: HTTP side, Socket.IO, the
 * sessions in memory.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { SmcpError } from "../protocol/SmcpError.ts"
import * as SocketIoServerTransport from "../transport/SocketIoServerTransport.ts"
import type { Authenticator } from "./Authenticator.ts"
import * as HttpServer from "./HttpServer.ts"
import * as Server from "./Server.ts"
import * as SessionStore from "./SessionStore.ts"

/** Options of {@link layer}: those of its parts. */
export interface Options extends Server.Options, HttpServer.Options, Omit<SocketIoServerTransport.Options, "server"> {}

/** A Server that listens on its own port; `HttpServer` tells where. Bring an `Authenticator`. */
export const layer = (
  options: Options = {}
): Layer.Layer<
  Server.Server | HttpServer.HttpServer | SessionStore.SessionStore,
  SmcpError,
  Authenticator
> =>
  Server.layer(options).pipe(
    Layer.provide(Layer.unwrap(Effect.map(
      HttpServer.HttpServer,
      ({ server }) => SocketIoServerTransport.layer({ ...options, server })
    ))),
    Layer.provideMerge(HttpServer.layer(options)),
    // Shared by reference, two Servers in one program would have one set of offices.
    Layer.provideMerge(Layer.fresh(SessionStore.layerMemory))
  )
