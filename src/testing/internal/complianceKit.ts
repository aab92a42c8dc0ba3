/**
 * What the cases of the transport compliance suite are made of.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as ClientEvent from "../../protocol/ClientEvent.ts"
import type { Notification } from "../../protocol/NotifyEvent.ts"
import * as ServerEvent from "../../protocol/ServerEvent.ts"
import type { Reason, SmcpError } from "../../protocol/SmcpError.ts"
import type {
  CallFailure,
  Connection,
  Handlers,
  Handshake,
  Reply,
  ServerTransport
} from "../../transport/ServerTransport.ts"
import type { ConnectionState, Credentials, Transport } from "../../transport/Transport.ts"

/** A transport does not do what a case expects of it. */
export class ComplianceFailure extends Schema.TaggedError<ComplianceFailure>()("ComplianceFailure", {
  message: Schema.String,
  cause: Schema.optionalKey(Schema.Defect())
}) {}

/** How a case connects a client. */
export interface ConnectOptions {
  /** The `auth` object of the handshake. Default: empty. */
  readonly auth?: Credentials | undefined
  /** The announced version. Default: that of the server's newest revision; an empty text: none. */
  readonly version?: string | undefined
}

/** A transport under test: a fresh server side that nobody serves yet, and clients for it. */
export interface Harness {
  readonly server: ServerTransport["Service"]
  readonly connect: (options?: ConnectOptions) => Effect.Effect<Transport["Service"], SmcpError, Scope.Scope>
}

/** One behaviour, named by a sentence. */
export interface Case {
  readonly name: string
  readonly run: (harness: Harness) => Effect.Effect<void, ComplianceFailure, Scope.Scope>
}

const CASE_DEADLINE = "15 seconds"

/** Makes a case; whatever fails in it, and not ending at all, is a failure of the transport. */
export const behaviour = (
  name: string,
  body: (harness: Harness) => Effect.Effect<unknown, ComplianceFailure | SmcpError | CallFailure, Scope.Scope>
): Case => ({
  name,
  run: (harness) =>
    Effect.suspend(() => body(harness)).pipe(
      Effect.asVoid,
      Effect.mapError((error) =>
        typeof error === "object" && error._tag === "ComplianceFailure" ? error : new ComplianceFailure({
          message: `Unexpected failure: ${
            typeof error === "string" ? error : `${error.reason._tag}, ${error.message}`
          }`,
          cause: error
        })
      ),
      Effect.catchDefect((defect) =>
        Effect.fail(new ComplianceFailure({ message: `Unexpected defect: ${String(defect)}`, cause: defect }))
      ),
      Effect.timeoutOrElse({
        duration: CASE_DEADLINE,
        orElse: () => Effect.fail(new ComplianceFailure({ message: `Did not end within ${CASE_DEADLINE}` }))
      })
    )
})

// -----------------------------------------------------------------------------
// What is said
// -----------------------------------------------------------------------------

/** An event of a client that carries anything and is answered with anything. */
export const Ask = ServerEvent.make("server:compliance_ask", {
  payload: Schema.Unknown,
  success: Schema.Unknown,
  ack: "value",
  senders: ["agent", "computer"]
})

/** A request to a client that carries anything and is answered with anything. */
export const Order = ClientEvent.make("client:compliance_order", { payload: Schema.Unknown, success: Schema.Unknown })

/** Anything JSON can say, and text that is easily broken on the way. */
export const anything = {
  text: "grüße 你好 👩‍💻 \u0000 \u2028 \" \\ \ud800",
  numbers: [0, -1, 2.5, 1e21, Number.MAX_SAFE_INTEGER],
  "a key: with everything": { list: [[], {}, null, true, false, ""] },
  "": 1
}

/** Milliseconds that no call of a case really takes. */
export const LONG = 60_000

// -----------------------------------------------------------------------------
// Expectations
// -----------------------------------------------------------------------------

/** Fails unless both are structurally equal. */
export const expectEqual = (what: string, actual: unknown, expected: unknown): Effect.Effect<void, ComplianceFailure> =>
  Equal.equals(actual, expected)
    ? Effect.void
    : Effect.fail(new ComplianceFailure({ message: `${what}: expected ${show(expected)}, got ${show(actual)}` }))

const show = (value: unknown): string => value === undefined ? "undefined" : JSON.stringify(value)

/** Succeeds with the failure of an effect that is expected to fail. */
export const failureOf = <A, E>(what: string, effect: Effect.Effect<A, E>): Effect.Effect<E, ComplianceFailure> =>
  Effect.matchEffect(effect, {
    onSuccess: (value) => Effect.fail(new ComplianceFailure({ message: `${what} ended with ${show(value)}` })),
    onFailure: Effect.succeed
  })

/** Succeeds with the reason of a call that is expected to fail with this one. */
export const expectReason = <A, Tag extends Reason["_tag"]>(
  what: string,
  tag: Tag,
  effect: Effect.Effect<A, SmcpError>
): Effect.Effect<Extract<Reason, { readonly _tag: Tag }>, ComplianceFailure> =>
  Effect.flatMap(failureOf(what, effect), ({ reason }) =>
    reason._tag === tag
      ? Effect.succeed(reason as Extract<Reason, { readonly _tag: Tag }>)
      : Effect.fail(
        new ComplianceFailure({ message: `${what}: expected ${tag}, got ${reason._tag}, ${reason.message}` })
      ))

// -----------------------------------------------------------------------------
// Actors
// -----------------------------------------------------------------------------

/** The reply with one value. */
export const replyWith = (...args: ReadonlyArray<unknown>): Effect.Effect<Reply> => Effect.succeed({ args })

/** One event that the server side saw. */
interface Request {
  readonly connection: Connection
  readonly event: string
  readonly payload: unknown
}

/** One connection that the server side saw end. */
interface Departure {
  readonly sid: string
  readonly reason: string
}

/** What the server side of a case saw, in order. */
export interface Office {
  readonly connections: Queue.Queue<Connection>
  readonly requests: Queue.Queue<Request>
  readonly departures: Queue.Queue<Departure>
}

/** A server side that notes what it sees. It lets everybody in and acknowledges with nothing unless told otherwise. */
export const serve = Effect.fnUntraced(function*(
  { server }: Harness,
  script: Partial<Handlers> = {}
): Effect.fn.Return<Office, never, Scope.Scope> {
  const office: Office = {
    connections: yield* Queue.unbounded<Connection>(),
    requests: yield* Queue.unbounded<Request>(),
    departures: yield* Queue.unbounded<Departure>()
  }
  yield* server.serve({
    authenticate: script.authenticate ?? ((_: Handshake) => Effect.void),
    connected: (connection) =>
      Effect.andThen(script.connected?.(connection) ?? Effect.void, Queue.offer(office.connections, connection)),
    receive: (connection, event, payload) =>
      Effect.suspend(() => {
        Queue.offerUnsafe(office.requests, { connection, event, payload: payload.value })
        return script.receive?.(connection, event, payload) ?? replyWith()
      }),
    disconnected: (connection, reason) =>
      Effect.andThen(
        script.disconnected?.(connection, reason) ?? Effect.void,
        Queue.offer(office.departures, { sid: connection.sid, reason })
      )
  })
  return office
})

/** A connected client together with the server's side of its connection. */
export const meet = Effect.fnUntraced(function*(harness: Harness, office: Office, options?: ConnectOptions) {
  const client = yield* harness.connect(options)
  const connection = yield* Queue.take(office.connections)
  return { client, connection }
})

/** Everything a stream brings, from now on. */
const collect = Effect.fnUntraced(function*<A>(stream: Stream.Stream<A>) {
  const queue = yield* Queue.unbounded<A>()
  yield* Stream.runForEach(stream, (item) => Queue.offer(queue, item)).pipe(
    Effect.catchCauseIf(
      (cause) => !Cause.hasInterruptsOnly(cause),
      (cause) => Effect.logError("A stream of the transport failed", cause)
    ),
    Effect.forkScoped({ startImmediately: true })
  )
  return queue
})

/** The notifications of a client, from now on. */
export const notificationsOf = (client: Transport["Service"]): Effect.Effect<
  Queue.Queue<Notification>,
  never,
  Scope.Scope
> => collect(client.notifications)

/** The states of a client, beginning with the present one. */
export const statesOf = (client: Transport["Service"]): Effect.Effect<
  Queue.Queue<ConnectionState>,
  never,
  Scope.Scope
> => collect(client.changes)

/** Waits until the client's state is this one. */
export const awaitState = Effect.fnUntraced(function*<Tag extends ConnectionState["_tag"]>(
  client: Transport["Service"],
  tag: Tag
) {
  const states = yield* statesOf(client)
  for (;;) {
    const state = yield* Queue.take(states)
    if (state._tag === tag) return state as Extract<ConnectionState, { readonly _tag: Tag }>
  }
})
