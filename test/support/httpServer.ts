/**
 * A bare HTTP server on a free port.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Http from "node:http"
import type { AddressInfo } from "node:net"

/** Listens for as long as the scope lives and answers every request with `mine`. */
export const listening: Effect.Effect<{ readonly server: Http.Server; readonly url: string }, never, Scope.Scope> =
  Effect.acquireRelease(
    Effect.callback((resume) => {
      const server = Http.createServer((_request, response) => response.end("mine"))
      server.listen(0, "127.0.0.1", () => {
        resume(Effect.succeed({ server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }))
      })
    }),
    ({ server }) =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
  )
