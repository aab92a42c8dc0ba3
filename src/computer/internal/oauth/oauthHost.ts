/**
 * What logins do in a host: the requests to remote servers carry them, and a server that waited for one is started.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as Background from "../../../transport/Background.ts"
import { Authorization } from "../../Authorization.ts"
import * as McpConnector from "../../McpConnector.ts"
import { McpManager } from "../../McpManager.ts"
import type { ServerEntry } from "../../ServerEntry.ts"

/** Every transport of MCP, with logins for the servers whose configuration does not bring its own. */
export const layerConnector: Layer.Layer<McpConnector.McpConnector, never, Authorization> = Layer.unwrap(
  Effect.map(Authorization, ({ forServer }) =>
    McpConnector.layerWith({
      authorizationOf: (entry, url) => hasOwnLogin(entry) ? undefined : forServer(entry, url)
    }))
)

/** Starts a server once somebody has logged in to it. One that runs, or that was stopped or switched off, is left alone. */
export const layerLoginStarts: Layer.Layer<never, never, Authorization | McpManager> = Layer.effectDiscard(
  Effect.gen(function*() {
    const authorization = yield* Authorization
    const manager = yield* McpManager
    const start = Effect.fnUntraced(function*(bundleId: string) {
      const server = (yield* manager.states).find(({ entry }) => entry.bundleId === bundleId)
      // a server may have been removed meanwhile
      if (server === undefined || server.state._tag === "Stopped" || server.state._tag === "Disabled") return
      yield* Effect.ignore(manager.start(bundleId))
    })
    yield* authorization.logins.pipe(
      // one that starts slowly must not keep the others waiting
      Stream.mapEffect(start, { concurrency: "unbounded" }),
      Stream.runDrain,
      Background.fork("Starting servers after a login")
    )
  })
)

const hasOwnLogin = ({ config }: ServerEntry): boolean =>
  config.type !== "stdio" &&
  Object.keys(config.server_parameters.headers ?? {}).some((name) => name.toLowerCase() === "authorization")
