/**
 * One connection to an MCP server, from its start to its loss.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Background from "../../../transport/Background.ts"
import type { Rendered } from "../../Inputs.ts"
import type { McpClient, ToolList } from "../../McpClient.ts"
import type { Connect } from "../../McpConnector.ts"
import { Handshake, McpError, Timeout } from "../../McpError.ts"
import type { Health } from "../../McpManager.ts"
import type { ServerEntry } from "../../ServerEntry.ts"
import { monotonicMillis, monotonicNow } from "../monotonic.ts"
import { makePaced, type Paced } from "../paced.ts"
import { slowHint, startSeconds } from "./startAdvice.ts"
import { type Activity, trackClient } from "./trackedClient.ts"

/** A connection that can be used. */
export interface Connection {
  /** The same object for as long as the connection lasts. */
  readonly client: McpClient
  readonly since: number
  readonly activity: Activity
  /** How many calls use it, and when the last of them ended. */
  users: number
  usedAt: number
}

/** After this long it is said what a slow start may be busy with. */
const HINT_AFTER: Duration.Input = "5 seconds"
/** A connector that does not keep to the deadline of a start gets this much longer. */
const GRACE_SECONDS = 1

export interface Opening {
  readonly entry: ServerEntry
  readonly rendered: Redacted.Redacted<Rendered>
  readonly connect: Connect
  /** It takes long; this is what it may be busy with. */
  readonly hinted: (hint: string) => void
}

/** Connects to a server and lists its tools, all within the deadline of its start. */
export const openConnection = (opening: Opening) => {
  const hint = slowHint(opening.entry)
  if (hint === undefined) return open(opening)
  const hinting = Effect.andThen(Effect.sleep(HINT_AFTER), Effect.sync(() => opening.hinted(hint)))
  return Effect.raceFirst(open(opening), Effect.andThen(hinting, Effect.never))
}

const open = Effect.fnUntraced(function*(
  { connect, entry, rendered }: Opening
): Effect.fn.Return<{ readonly connection: Connection; readonly list: ToolList }, McpError, Scope.Scope> {
  const clock = yield* Clock.Clock
  const begun = monotonicMillis(clock)
  const seconds = startSeconds(entry)
  const client = yield* connect({ ...entry, settings: { ...entry.settings, startTimeout: seconds } }, rendered).pipe(
    Effect.timeoutOrElse({
      duration: Duration.seconds(seconds + GRACE_SECONDS),
      orElse: () => {
        const detail = `did not answer within ${seconds} s of its start.`
        return Effect.fail(new McpError({ reason: new Handshake({ detail, stderrTail: [] }) }))
      }
    })
  )
  const now = monotonicMillis(clock)
  const activity: Activity = { inFlight: 0, answeredAt: now }
  const tracked = trackClient(client, activity, clock)
  const list = yield* tracked.listTools.pipe(
    Effect.timeoutOrElse({
      duration: Math.max(1000, begun + seconds * 1000 - now),
      orElse: () => Effect.fail(new McpError({ reason: new Timeout({ method: "tools/list", seconds }) }))
    })
  )
  const since = clock.currentTimeMillisUnsafe()
  return { connection: { client: tracked, since, activity, users: 0, usedAt: monotonicMillis(clock) }, list }
})

/** Listens from now on, and lists the tools again, once it runs, whenever the server says that they changed. */
export const refreshTools = Effect.fnUntraced(function*(
  client: McpClient,
  use: (list: ToolList) => Effect.Effect<void>
): Effect.fn.Return<Paced, never, Scope.Scope> {
  const refreshing = yield* makePaced(
    client.listTools.pipe(
      Effect.flatMap(use),
      Effect.catch(({ message }) => Effect.logWarning(`The tools could not be listed again: ${message}`))
    )
  )
  yield* client.notifications.pipe(
    Stream.runForEach(({ method }) =>
      Effect.sync(() => method === "notifications/tools/list_changed" && refreshing.ask())
    ),
    Background.fork("Listening to an MCP server")
  )
  return refreshing
})

// -----------------------------------------------------------------------------
// Health
// -----------------------------------------------------------------------------

/** How a server that runs is checked. */
export interface HealthOptions {
  /** How long it may be silent before it is asked. Default: 30 seconds. */
  readonly interval?: Duration.Input | undefined
  /** How long it may take to answer. Default: 5 seconds. */
  readonly timeout?: Duration.Input | undefined
}

const HEALTH_INTERVAL: Duration.Input = "30 seconds"
const HEALTH_TIMEOUT: Duration.Input = "5 seconds"

/** Asks whether the server is there. Any answer will do, also that it does not know the question. */
export const ping = (
  { client }: Pick<Connection, "client">,
  { timeout = HEALTH_TIMEOUT }: HealthOptions
): Effect.Effect<{ readonly health: Health; readonly error: McpError | undefined }> =>
  Effect.gen(function*() {
    const clock = yield* Clock.Clock
    const checkedAt = clock.currentTimeMillisUnsafe()
    const error = yield* client.request("ping").pipe(
      Effect.timeoutOrElse({
        duration: timeout,
        orElse: () => {
          const seconds = Duration.toSeconds(Duration.fromInputUnsafe(timeout))
          return Effect.fail(new McpError({ reason: new Timeout({ method: "ping", seconds }) }))
        }
      }),
      Effect.catchReason("McpError", "Rpc", () => Effect.void),
      Effect.match({ onFailure: (error) => error, onSuccess: () => undefined })
    )
    const responseTimeMillis = clock.currentTimeMillisUnsafe() - checkedAt
    return { health: { checkedAt, responseTimeMillis, error: error?.summary }, error }
  })

/**
 * Pings a server that was silent for the interval, again and again; fails when it does not answer. One that has something
 * to do is left to do it.
 */
export const watchHealth = (
  connection: Connection,
  options: HealthOptions,
  checked: (health: Health) => void
): Effect.Effect<never, McpError> => {
  const interval = Duration.toMillis(Duration.fromInputUnsafe(options.interval ?? HEALTH_INTERVAL))
  const { activity } = connection
  const round = Effect.gen(function*() {
    const left = activity.answeredAt + interval - (yield* monotonicNow)
    if (activity.inFlight > 0 || left > 0) return yield* Effect.sleep(activity.inFlight > 0 ? interval : left)
    const { error, health } = yield* ping(connection, options)
    // what came in the meantime keeps it busy
    if (error !== undefined && activity.inFlight > 0) return yield* Effect.sleep(interval)
    checked(health)
    if (error !== undefined) return yield* error
    return yield* Effect.sleep(interval)
  })
  return Effect.andThen(Effect.sleep(interval), Effect.forever(round))
}

// -----------------------------------------------------------------------------
// Use
// -----------------------------------------------------------------------------

/** Tells, again and again, when no call has used the connection for so long. */
export const watchUse = (
  connection: Connection,
  idleMillis: number,
  unused: () => void
): Effect.Effect<never> =>
  Effect.forever(Effect.gen(function*() {
    const left = connection.users > 0
      ? idleMillis
      : connection.usedAt + idleMillis - (yield* monotonicNow)
    if (left > 0) return yield* Effect.sleep(left)
    unused()
    yield* Effect.sleep(idleMillis)
  }))
