/**
 * The client side of the in-memory transport: one connection that is sought
 * again whenever it is lost.
 */
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as SubscriptionRef from "effect/SubscriptionRef"
import * as Ack from "../../protocol/Ack.ts"
import type { Revision } from "../../protocol/Revision.ts"
import * as SmcpError from "../../protocol/SmcpError.ts"
import * as WireError from "../../protocol/WireError.ts"
import type { Handshake } from "../ServerTransport.ts"
import type { ConnectionState, Credentials, Transport } from "../Transport.ts"
import * as clientCore from "./clientCore.ts"
import { type Endpoint, type Side, throughJson } from "./memoryEndpoint.ts"
import * as payloadLimit from "./payloadLimit.ts"
import type { Refusal } from "./refusedPeer.ts"
import type { Run } from "./trackedFiber.ts"

/** How a client finds its server and what it says there. */
export interface ClientOptions {
  readonly revision: Revision
  readonly credentials: Credentials
  /** What every handshake says besides the credentials. */
  readonly handshake: Omit<Handshake, "auth">
  readonly maxPayload: number
  readonly reconnectDelay: Duration.Duration
  readonly run: Run
  /** Asks to be let in; `adopt` gets the client's end in the same step in which it comes to be. */
  readonly open: (
    handshake: Handshake,
    client: Side,
    adopt: (end: Endpoint) => void
  ) => Effect.Effect<void, Refusal>
}

/** Connects; ends when the connection stands or with the reason why it does not. */
export const connect = Effect.fnUntraced(function*(
  options: ClientOptions
): Effect.fn.Return<Transport["Service"], SmcpError.SmcpError, Scope.Scope> {
  const { maxPayload, run } = options
  let end: Endpoint | undefined
  const core = yield* clientCore.make({ revision: options.revision, link: linkOf(() => end, options.maxPayload) })
  const setState = (state: ConnectionState) => SubscriptionRef.set(core.state, state)

  const open = Effect.gen(function*() {
    const auth = yield* Effect.mapError(options.credentials, (error): Refusal => ({ error, final: true }))
    const lost = Deferred.makeUnsafe<void>()
    const side: Side = {
      run,
      receive: (event, args) => jsonAck(event, core.receive(event, args), maxPayload),
      lost: (reason) => Effect.andThen(setState({ _tag: "Disconnected", reason }), Deferred.succeed(lost, undefined)),
      ended: () => Effect.void
    }
    yield* options.open({ ...options.handshake, auth: throughJson(auth) }, side, (opened) => {
      end = opened
    })
    if (end !== undefined) yield* setState({ _tag: "Connected", sid: end.sid })
    return lost
  })

  const reopen = Effect.fnUntraced(function*() {
    for (let attempt = 1;; attempt++) {
      yield* Effect.sleep(options.reconnectDelay)
      yield* setState({ _tag: "Connecting", attempt })
      const opened = yield* Effect.result(open)
      if (Result.isSuccess(opened)) return opened.success
      if (!opened.failure.final) continue
      yield* setState({ _tag: "Closed", error: opened.failure.error })
      return undefined
    }
  })

  const stayConnected = Effect.fnUntraced(function*(first: Deferred.Deferred<void>) {
    for (let lost: typeof first | undefined = first; lost !== undefined; lost = yield* reopen()) {
      yield* Deferred.await(lost)
    }
  })

  yield* Effect.addFinalizer(() =>
    Effect.gen(function*() {
      end?.close("io client disconnect", "client namespace disconnect")
      if (end !== undefined) yield* end.ended
      const state = yield* SubscriptionRef.get(core.state)
      if (state._tag !== "Closed") yield* setState({ _tag: "Closed", error: undefined })
    })
  )
  const lost = yield* Effect.mapError(open, (refusal) => refusal.error)
  yield* Effect.forkScoped(stayConnected(lost))
  return core.service
})

const linkOf = (current: () => Endpoint | undefined, maxPayload: number): clientCore.Link => {
  const online = Effect.suspend(() => {
    const end = current()
    return end?.isOpen === true
      ? Effect.succeed(end)
      : Effect.fail(SmcpError.make(new SmcpError.NotConnected({ message: "Not connected to the Server" })))
  })
  const sendable = (event: string, payload: unknown) => {
    const text = JSON.stringify([payload])
    const excess = payloadLimit.excess(event, text, maxPayload)
    return excess === undefined
      ? Effect.succeed(JSON.parse(text) as Ack.Args)
      : Effect.fail(SmcpError.make(excess))
  }
  return {
    maxPayload: Effect.succeed(maxPayload),
    emit: (event, payload) =>
      Effect.flatMap(online, (end) => Effect.map(sendable(event, payload), (args) => end.emit(event, args))),
    request: (event, payload, millis) =>
      Effect.flatMap(
        Effect.zip(online, Effect.suspend(() => sendable(event, payload))),
        ([end, args]) =>
          Effect.mapError(
            end.request(event, args, millis),
            (failure) =>
              SmcpError.make(
                failure === "timeout"
                  ? new SmcpError.CallTimeout({ event, millis })
                  : new SmcpError.ConnectionLost({
                    outcome: "unknown",
                    message: `The connection was lost during ${event}`
                  })
              )
          )
      )
  }
}

/** The acknowledgement as it arrives; a value that is not JSON is a failure of whoever made it. */
const jsonAck = (event: string, answer: Effect.Effect<Ack.Args>, maxPayload: number): Effect.Effect<Ack.Args> =>
  Effect.flatMap(answer, (args) =>
    Effect.catchCause(
      Effect.sync((): Ack.Args => {
        const text = JSON.stringify(args)
        const excess = payloadLimit.excess(event, text, maxPayload)
        return excess === undefined ? JSON.parse(text) : throughJson(payloadLimit.inPlaceOf(event, excess))
      }),
      (cause) =>
        Effect.as(
          Effect.logError(`The answer to ${event} is not JSON`, cause),
          Ack.failure(SmcpError.make(new WireError.InternalError({})))
        )
    ))
