/**
 * What `smcp server` runs.
 */
import type * as Arr from "effect/Array"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Revision from "../../protocol/Revision.ts"
import type { SmcpError } from "../../protocol/SmcpError.ts"
import * as Authenticator from "../../server/Authenticator.ts"
import * as HttpServer from "../../server/HttpServer.ts"
import * as SocketIoServer from "../../server/SocketIoServer.ts"
import { exitCodes } from "./exitCodes.ts"
import { type Failure, usage } from "./failure.ts"
import { print, printJson } from "./output.ts"
import { signalMeans } from "./signals.ts"
import { untilStdinEnds } from "./stdin.ts"

export interface Options {
  readonly host: string
  readonly port: number
  readonly apiKey: ReadonlyArray<Redacted.Redacted>
  readonly allowAnonymous: boolean
  readonly path: string
  readonly revisions: Arr.NonEmptyReadonlyArray<Revision.Revision>
  readonly maxPayload: number
  readonly maxBacklog: number
  /** Seconds. */
  readonly pingInterval: number
  /** Seconds. */
  readonly pingTimeout: number
  readonly json: boolean
  readonly exitWithStdin: boolean
}

/** Prints the URL as its first line, then serves until a signal comes. */
export const serve = Effect.fnUntraced(function*(options: Options) {
  const { json } = options
  const versions = Revision.newestFirst(options.revisions).map(({ version }) => version).join(", ")
  const authenticator = yield* authenticatorOf(options)
  const heartbeats = { pingInterval: options.pingInterval * 1000, pingTimeout: options.pingTimeout * 1000 }
  yield* signalMeans(exitCodes.ok)
  yield* Effect.gen(function*() {
    const { url } = yield* HttpServer.HttpServer
    yield* json ? printJson({ url }) : print(url)
    yield* Effect.logInfo(`Listening on ${url}, protocol ${versions}`)
    if (options.allowAnonymous) yield* Effect.logWarning("Anyone who reaches this address is let in")
    yield* options.exitWithStdin ? untilStdinEnds : Effect.never
  }).pipe(Effect.provide(Layer.provide(SocketIoServer.layer({ ...options, ...heartbeats }), authenticator)))
})

const authenticatorOf = Effect.fnUntraced(function*(
  options: Options
): Effect.fn.Return<Layer.Layer<Authenticator.Authenticator, SmcpError>, Failure> {
  if (options.allowAnonymous) {
    return options.apiKey.length > 0
      ? yield* usage("--allow-anonymous lets everyone in, so --api-key means nothing: give one of them")
      : Authenticator.layerAllowAll
  }
  const keys = options.apiKey.length > 0 ? options.apiKey : yield* keysOfEnvironment
  if (keys.length === 0) {
    return yield* usage(
      "The Server needs an API key: give --api-key or SMCP_API_KEY, or --allow-anonymous to let everyone in"
    )
  }
  return Authenticator.layerApiKey({ keys })
})

const keysOfEnvironment = Config.String("SMCP_API_KEY").pipe(
  Config.withDefault(""),
  Effect.orDie,
  Effect.map((text) =>
    text.split(",").map((key) => key.trim()).filter((key) => key !== "").map((key) => Redacted.make(key))
  )
)
