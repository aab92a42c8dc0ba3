/** Our Server as a program of its own would run it, with everyone let in. */
import { Effect, Layer } from "effect"
import * as Authenticator from "../../../src/server/Authenticator.ts"
import * as HttpServer from "../../../src/server/HttpServer.ts"
import * as SocketIoServer from "../../../src/server/SocketIoServer.ts"
import { serveParent } from "./parent.ts"

const announce = Layer.effectDiscard(Effect.map(HttpServer.HttpServer, ({ url }) => serveParent(url)))

Effect.runFork(Layer.launch(
  announce.pipe(Layer.provide(SocketIoServer.layer()), Layer.provide(Authenticator.layerAllowAll))
))
