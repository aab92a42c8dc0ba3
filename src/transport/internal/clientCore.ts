/**
 * What every client-side transport does alike: payloads through their schemas,
 * acknowledgements read and written, handlers, notifications, state.
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as PubSub from "effect/PubSub"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import * as Ack from "../../protocol/Ack.ts"
import type * as ClientEvent from "../../protocol/ClientEvent.ts"
import * as NotifyEvent from "../../protocol/NotifyEvent.ts"
import type { Revision } from "../../protocol/Revision.ts"
import * as SmcpError from "../../protocol/SmcpError.ts"
import * as WireError from "../../protocol/WireError.ts"
import * as Transport from "../Transport.ts"

/** What a transport has to bring: raw events out. */
export interface Link {
  /** Sends an event and waits for the arguments of its acknowledgement. */
  readonly request: (event: string, payload: unknown, millis: number) => Effect.Effect<Ack.Args, SmcpError.SmcpError>
  /** Sends an event that wants no acknowledgement. */
  readonly emit: (event: string, payload: unknown) => Effect.Effect<void, SmcpError.SmcpError>
  /** See `Transport`. */
  readonly maxPayload: Effect.Effect<number>
}

/** What a transport gets for it. */
export interface ClientCore {
  readonly service: Transport.Transport["Service"]
  readonly state: SubscriptionRef.SubscriptionRef<Transport.ConnectionState>
  /** One event came in; the result is what to acknowledge, if the peer asked. Never fails. */
  readonly receive: (event: string, args: Ack.Args) => Effect.Effect<Ack.Args>
}

const NOTIFICATION_BUFFER = 4096

/** Builds the service over a link. */
export const make = Effect.fnUntraced(function*(options: {
  readonly revision: Revision
  readonly link: Link
}): Effect.fn.Return<ClientCore, never, Scope.Scope> {
  const { link, revision } = options
  const state = yield* SubscriptionRef.make<Transport.ConnectionState>({ _tag: "Connecting", attempt: 1 })
  const notifications = yield* Effect.acquireRelease(
    PubSub.sliding<NotifyEvent.Notification>(NOTIFICATION_BUFFER),
    PubSub.shutdown
  )
  const handlers = new Map<string, (payload: unknown) => Effect.Effect<Ack.Args>>()

  const receive = (event: string, args: Ack.Args): Effect.Effect<Ack.Args> => {
    const handler = handlers.get(event)
    if (handler !== undefined) return handler(args[0])
    const decode = notificationDecoders.get(event)
    return decode === undefined ? Effect.succeed(Ack.empty) : Effect.as(publish(event, decode(args[0])), Ack.empty)
  }

  const publish = (event: string, decoded: Result.Result<NotifyEvent.Notification, Schema.SchemaError>) =>
    Result.isSuccess(decoded)
      ? PubSub.publish(notifications, decoded.success)
      : Effect.logWarning(`Dropped a malformed ${event}: ${decoded.failure.message}`)

  const service = Transport.Transport.of({
    revision,
    maxPayload: link.maxPayload,
    call: (event, payload, callOptions) =>
      encode(event, payload).pipe(
        Effect.flatMap((encoded) =>
          link.request(
            event.name,
            encoded,
            Duration.toMillis(Duration.fromInputUnsafe(callOptions?.timeout ?? Transport.DEFAULT_CALL_TIMEOUT))
          )
        ),
        Effect.flatMap((args) => Ack.read(event, args))
      ),
    send: (event, payload) => Effect.flatMap(encode(event, payload), (encoded) => link.emit(event.name, encoded)),
    handle: (event, handler) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          const answering = answer(event, handler)
          handlers.set(event.name, answering)
          return answering
        }),
        (answering) =>
          Effect.sync(() => {
            if (handlers.get(event.name) === answering) handlers.delete(event.name)
          })
      ),
    notifications: Stream.fromPubSub(notifications),
    state: SubscriptionRef.get(state),
    changes: SubscriptionRef.changes(state)
  })
  return { service, state, receive }
})

const encode = (
  event: { readonly name: string; readonly payload: Schema.Codec<any, any> },
  payload: unknown
): Effect.Effect<unknown, SmcpError.SmcpError> =>
  Effect.mapError(Schema.encodeUnknownEffect(event.payload)(payload), (error) => malformed(event.name, error))

const malformed = (event: string, error: Schema.SchemaError): SmcpError.SmcpError =>
  SmcpError.make(new WireError.BadRequest({ message: `Invalid ${event} payload: ${error.message}` }))

/** Runs one handler for one request and turns every outcome into an acknowledgement. */
const answer = <E extends ClientEvent.ClientEvent>(event: E, handler: Transport.Handler<E>) => {
  const decode = Schema.decodeUnknownEffect(event.payload)
  return (payload: unknown): Effect.Effect<Ack.Args> =>
    decode(payload).pipe(
      Effect.mapError((error) => malformed(event.name, error)),
      Effect.flatMap(handler),
      Effect.exit,
      Effect.flatMap((exit): Effect.Effect<Ack.Args> => {
        if (Exit.isSuccess(exit)) return Effect.succeed(Ack.value(exit.value))
        const error = Cause.findError(exit.cause)
        return Result.isSuccess(error)
          ? Effect.succeed(Ack.failure(error.success))
          : Effect.as(
            Effect.logError(`The handler of ${event.name} failed`, exit.cause),
            Ack.failure(SmcpError.make(new WireError.InternalError({})))
          )
      })
    )
}

type NotificationDecoder = (payload: unknown) => Result.Result<NotifyEvent.Notification, Schema.SchemaError>

const notificationDecoders = new Map<string, NotificationDecoder>(
  NotifyEvent.all.map((event) => {
    const decode = Schema.decodeUnknownResult(event.payload)
    return [
      event.name,
      (payload) =>
        Result.map(decode(payload), (decoded) => ({ event: event.name, payload: decoded }) as NotifyEvent.Notification)
    ]
  })
)
