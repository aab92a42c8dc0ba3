/**
 * A client's transport whose connection and whose Server's every answer are
 * given by a test, in any order, also one that no real transport would have.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as SubscriptionRef from "effect/SubscriptionRef"
import type * as Ack from "../../../src/protocol/Ack.ts"
import * as Revision from "../../../src/protocol/Revision.ts"
import * as SmcpError from "../../../src/protocol/SmcpError.ts"
import * as clientCore from "../../../src/transport/internal/clientCore.ts"
import * as Membership from "../../../src/transport/Membership.ts"
import { type ConnectionState, Transport } from "../../../src/transport/Transport.ts"

/** An event that the Server has received. */
export interface Packet {
  readonly sid: string
  readonly event: string
  readonly payload: { readonly office_id: string; readonly name?: string }
  /** When it came, in seconds. */
  readonly at: number
  /** Ends the call; undefined when nobody waits for an answer, or not any more. */
  reply: ((result: Effect.Effect<Ack.Args, SmcpError.SmcpError>) => void) | undefined
}

/** See the module. */
export class ScriptedServer {
  /** Everything that came, the oldest first. */
  readonly received: Array<Packet> = []
  /** What came under the present session and has no answer yet. */
  readonly pending: Array<Packet> = []
  /** What has no answer yet from sessions that are gone, when their calls were left hanging. */
  readonly stale: Array<Packet> = []
  /** What is answered at once; undefined leaves it pending. */
  answer: (packet: Packet) => Ack.Args | undefined = () => undefined
  sid: string | undefined
  #sessions = 0
  #state: SubscriptionRef.SubscriptionRef<ConnectionState> | undefined

  /** The client's transport, offline at first. */
  readonly transport: Effect.Effect<Transport["Service"], never, Scope.Scope> = Effect.map(
    Effect.suspend(() => clientCore.make({ revision: Revision.defaultRevision, link: this.#link })),
    ({ service, state }) => {
      this.#state = state
      return service
    }
  )

  setState(state: ConnectionState): Effect.Effect<void> {
    return Effect.suspend(() => SubscriptionRef.set(this.#state!, state))
  }

  /** A new session. */
  readonly connect: Effect.Effect<string> = Effect.suspend(() => {
    const sid = `s${++this.#sessions}`
    this.sid = sid
    return Effect.as(this.setState({ _tag: "Connected", sid }), sid)
  })

  /** The connection goes. Its calls fail, unless they are left hanging. */
  lose(state: ConnectionState = { _tag: "Disconnected", reason: "transport close" }, hanging = false) {
    return Effect.suspend(() => {
      this.sid = undefined
      const calls = this.pending.splice(0)
      if (hanging) this.stale.push(...calls)
      else for (const { event, reply } of calls) reply?.(Effect.fail(connectionLost(event)))
      return this.setState(state)
    })
  }

  /** Answers the oldest pending call and returns it. */
  reply(args: Ack.Args): Packet | undefined {
    const packet = this.pending.shift()
    if (packet !== undefined) end(packet, Effect.succeed(args))
    return packet
  }

  /** Whether a call of the client waits for an answer, from whichever session. */
  get isAwaited(): boolean {
    return this.received.some(({ reply }) => reply !== undefined)
  }

  /** When joins came under a session, in seconds. */
  joins(sid = this.sid): ReadonlyArray<number> {
    return this.received.filter((packet) => packet.event === "server:join_office" && packet.sid === sid)
      .map(({ at }) => at)
  }

  /** All events by their short names, with the office. */
  get said(): ReadonlyArray<string> {
    return this.received.map(({ event, payload }) =>
      `${event.slice("server:".length, -"_office".length)} ${payload.office_id}`
    )
  }

  #receive(event: string, payload: unknown, reply: Packet["reply"], millis: number): void {
    const packet: Packet = {
      sid: this.sid!,
      event,
      payload: payload as Packet["payload"],
      at: millis / 1000,
      reply
    }
    this.received.push(packet)
    const answer = this.answer(packet)
    if (answer === undefined) this.pending.push(packet)
    else end(packet, Effect.succeed(answer))
  }

  readonly #link: clientCore.Link = {
    maxPayload: Effect.succeed(1_000_000),
    emit: (event, payload) =>
      this.#online((millis) => Effect.sync(() => this.#receive(event, payload, undefined, millis))),
    request: (event, payload, timeout) =>
      this.#online((millis) =>
        Effect.callback<Ack.Args, SmcpError.SmcpError>((resume) => {
          this.#receive(event, payload, resume, millis)
          const packet = this.received.at(-1)!
          return Effect.sync(() => packet.reply = undefined)
        }).pipe(Effect.timeoutOrElse({
          duration: Duration.millis(timeout),
          orElse: () => Effect.fail(SmcpError.make(new SmcpError.CallTimeout({ event, millis: timeout })))
        }))
      )
  }

  #online<A>(then: (millis: number) => Effect.Effect<A, SmcpError.SmcpError>): Effect.Effect<A, SmcpError.SmcpError> {
    return Effect.flatMap(Clock.currentTimeMillis, (millis) => this.sid === undefined ? offline : then(millis))
  }
}

/** Ends the call of a packet. */
export const end = (packet: Packet, result: Effect.Effect<Ack.Args, SmcpError.SmcpError>): void => {
  packet.reply?.(result)
  packet.reply = undefined
}

const offline = Effect.fail(SmcpError.make(new SmcpError.NotConnected({ message: "offline" })))

const connectionLost = (event: string) =>
  SmcpError.make(new SmcpError.ConnectionLost({ outcome: "unknown", message: `lost during ${event}` }))

/** The seat of a scripted connection. */
export const membershipOn = Effect.fnUntraced(function*(
  server: ScriptedServer,
  options?: Membership.Options,
  wrap: (transport: Transport["Service"]) => Transport["Service"] = (transport) => transport
) {
  const transport = Layer.effect(Transport, Effect.map(server.transport, wrap))
  return Context.get(
    yield* Layer.build(Membership.layer(options).pipe(Layer.provide(transport))),
    Membership.Membership
  )
})

/** Lets everything run that need not wait for time. */
export const settle: Effect.Effect<void> = Effect.forEach(Array.from({ length: 40 }), () => Effect.yieldNow, {
  discard: true
})

/** What a Server says. */
export const says = {
  yes: [true, null],
  no: (text: string): Ack.Args => [false, text],
  code: (code: number): Ack.Args => [{ code, message: `refused with ${code}` }]
} as const
