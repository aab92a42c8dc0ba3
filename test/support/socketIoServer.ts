/**
 * A Socket.IO Server on a free port, and the odd peers that talk to it without
 * this package's client.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { io, type ManagerOptions, type Socket, type SocketOptions } from "socket.io-client"
import type { SmcpError } from "../../src/protocol/SmcpError.ts"
import * as Authenticator from "../../src/server/Authenticator.ts"
import * as HttpServer from "../../src/server/HttpServer.ts"
import type * as Server from "../../src/server/Server.ts"
import type * as SessionStore from "../../src/server/SessionStore.ts"
import * as SocketIoServer from "../../src/server/SocketIoServer.ts"

/** A whole Server that lets everyone in. */
export const layerOpenServer = (
  options?: SocketIoServer.Options
): Layer.Layer<Server.Server | HttpServer.HttpServer | SessionStore.SessionStore, SmcpError> =>
  SocketIoServer.layer(options).pipe(Layer.provide(Authenticator.layerAllowAll))

/** Where the Server listens. */
export const serverUrl = Effect.map(HttpServer.HttpServer, ({ url }) => url)

/** A plain Socket.IO client, connected for as long as the scope lives. */
export const rawPeer = Effect.fnUntraced(function*(
  options?: Partial<ManagerOptions & SocketOptions>
): Effect.fn.Return<Socket, Error, HttpServer.HttpServer | Scope.Scope> {
  const url = yield* serverUrl
  const socket = yield* Effect.acquireRelease(
    Effect.sync(() =>
      io(`${url}/smcp`, {
        forceNew: true,
        reconnection: false,
        transports: ["websocket"],
        query: { a2c_version: "0.4.0" },
        ...options
      })
    ),
    (socket) => Effect.sync(() => socket.disconnect())
  )
  yield* Effect.callback<void, Error>((resume) => {
    socket.once("connect", () => resume(Effect.void)).once("connect_error", (error) => resume(Effect.fail(error)))
  })
  return socket
})

/** Sends an event and gives all arguments of its acknowledgement; fails after two seconds without one. */
export const emitAll = (socket: Socket, event: string, ...args: ReadonlyArray<unknown>) =>
  Effect.callback<ReadonlyArray<unknown>, Error>((resume) => {
    socket.timeout(2000).emit(event, ...args, (error: Error | null, ...answer: ReadonlyArray<unknown>) => {
      resume(error === null ? Effect.succeed(answer) : Effect.fail(error))
    })
  })

/** Joins an office the way a peer of revision 0.4 does. */
export const join = (socket: Socket, role: "agent" | "computer", name: string, office_id = "R") =>
  emitAll(socket, "server:join_office", { role, name, office_id })

/** The next arguments of an event. */
export const once = (socket: Socket, event: string) =>
  Effect.callback<ReadonlyArray<unknown>>((resume) => {
    socket.once(event, (...args: ReadonlyArray<unknown>) => resume(Effect.succeed(args)))
  })
