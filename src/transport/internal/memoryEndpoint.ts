/**
 * One end of an in-memory connection: packets out and in, calls that wait for
 * their acknowledgement, requests at work. Both sides are the same machine.
 */
import type * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Ack from "../../protocol/Ack.ts"
import * as SmcpError from "../../protocol/SmcpError.ts"
import * as WireError from "../../protocol/WireError.ts"
import type { Direction, Faults, PacketInfo } from "../MemoryTransport.ts"
import type { CallFailure } from "../ServerTransport.ts"
import { type Run, runTracked } from "./trackedFiber.ts"

/** What all connections of a hub share. */
export interface Medium {
  readonly clock: Clock.Clock
  faults: Faults
  /** Every end that is open or still ending. */
  readonly endpoints: Set<Endpoint>
  /** Something came to rest. */
  readonly changed: () => void
}

/** What one side brings to a connection. Arguments are JSON data on both ways. */
export interface Side {
  readonly run: Run
  /** One event came in; the result is acknowledged when the peer asked. */
  readonly receive: (event: string, args: Ack.Args) => Effect.Effect<Ack.Args>
  /** The connection is over. Runs at once. */
  readonly lost: (reason: string) => Effect.Effect<void>
  /** No request of the connection runs any more. Runs last. */
  readonly ended: (reason: string) => Effect.Effect<void>
}

type Packet =
  | { readonly kind: "event"; readonly event: string; readonly args: Ack.Args; readonly id: number | undefined }
  | { readonly kind: "ack"; readonly event: string; readonly args: Ack.Args; readonly id: number }
  | { readonly kind: "close"; readonly reason: string }

interface Arrival {
  readonly packet: Packet
  /** Time of arrival in milliseconds. */
  readonly at: number
}

const failed = Ack.failure(SmcpError.make(new WireError.InternalError({})))
const late: Effect.Effect<never, CallFailure> = Effect.fail("timeout")
const lost: Effect.Effect<never, CallFailure> = Effect.fail("disconnected")

/** What arrives at a peer of `value`: JSON data that shares nothing with it. */
export const throughJson = <A>(value: A): A => JSON.parse(JSON.stringify(value)) as A

/** See the module. */
export class Endpoint {
  readonly sid: string
  readonly #medium: Medium
  readonly #direction: Direction
  readonly #side: Side
  readonly #calls = new Map<number, (result: Effect.Effect<Ack.Args, CallFailure>) => void>()
  readonly #requests = new Set<Fiber.Fiber<Ack.Args>>()
  readonly #deliveries = new Set<Fiber.Fiber<void>>()
  readonly #inbox: Array<Arrival> = []
  #delivering = false
  #lastCall = 0
  #other: Endpoint | undefined
  readonly #ended = Deferred.makeUnsafe<void>()
  #open = true

  private constructor(medium: Medium, sid: string, direction: Direction, side: Side) {
    this.#medium = medium
    this.sid = sid
    this.#direction = direction
    this.#side = side
    medium.endpoints.add(this)
  }

  /** Two ends of a new connection. */
  static pair(medium: Medium, sid: string, client: Side, server: Side): readonly [client: Endpoint, server: Endpoint] {
    const clientEnd = new Endpoint(medium, sid, "to-server", client)
    const serverEnd = new Endpoint(medium, sid, "to-client", server)
    clientEnd.#other = serverEnd
    serverEnd.#other = clientEnd
    return [clientEnd, serverEnd]
  }

  get isOpen(): boolean {
    return this.#open
  }

  /** Done when this side has ended and nothing of it is at work any more. */
  get ended(): Effect.Effect<void> {
    return Deferred.await(this.#ended)
  }

  /** Whether nothing is on its way to this end and nothing is at work here. */
  get isIdle(): boolean {
    return this.#open && this.#requests.size === 0 && this.#deliveries.size === 0
  }

  /** How many calls wait for their acknowledgement. */
  get waitingCalls(): number {
    return this.#calls.size
  }

  emit(event: string, args: Ack.Args): void {
    this.#send({ kind: "event", event, args, id: undefined })
  }

  request(event: string, args: Ack.Args, millis: number): Effect.Effect<Ack.Args, CallFailure> {
    const asking = Effect.callback<Ack.Args, CallFailure>((resume) => {
      if (!this.#open) return resume(lost)
      const id = ++this.#lastCall
      this.#calls.set(id, resume)
      this.#send({ kind: "event", event, args, id })
      return Effect.sync(() => void this.#calls.delete(id))
    })
    return Effect.timeoutOrElse(asking, { duration: Duration.millis(millis), orElse: () => late })
  }

  /** Ends this side now, and the other after it got what was sent before. */
  close(reason: string, reasonOfOther: string): void {
    this.#send({ kind: "close", reason: reasonOfOther })
    this.end(reason)
  }

  /** Ends both sides now; whatever is on its way is lost. */
  lose(reason: string): void {
    this.end(reason)
    this.#other?.end(reason)
  }

  /** Fails every call under way; answers that still come are ignored. */
  dropCalls(): void {
    const calls = [...this.#calls.values()]
    this.#calls.clear()
    for (const resume of calls) resume(lost)
  }

  /** Ends this side now: nothing arrives any more, calls fail, requests are interrupted. */
  end(reason: string): void {
    if (!this.#open) return
    this.#open = false
    this.#inbox.length = 0
    this.dropCalls()
    const { ended, lost: told, run } = this.#side
    run(
      Effect.suspend(() => told(reason)).pipe(
        Effect.andThen(Effect.suspend(() => Fiber.interruptAll([...this.#deliveries, ...this.#requests]))),
        Effect.andThen(Effect.suspend(() => ended(reason))),
        Effect.catchCause((cause) => Effect.logError("The end of a connection could not be handled", cause))
      )
    ).addObserver(() => {
      this.#medium.endpoints.delete(this)
      this.#medium.changed()
      Deferred.doneUnsafe(this.#ended, Effect.void)
    })
  }

  #send(packet: Packet): void {
    const other = this.#other
    if (this.#open && other !== undefined) other.#accept(packet, this.#direction)
  }

  #accept(packet: Packet, direction: Direction): void {
    if (!this.#open) return
    const { clock, faults } = this.#medium
    let delay = 0
    let overtaking = false
    if (packet.kind !== "close") {
      const info: PacketInfo = { direction, sid: this.sid, event: packet.event, kind: packet.kind }
      if (faults.drop(info)) return
      delay = Duration.toMillis(Duration.fromInputUnsafe(faults.delay(info)))
      overtaking = faults.reorder(info)
    }
    const arrival = { packet, at: clock.currentTimeMillisUnsafe() + delay }
    if (overtaking) return this.#deliver(Effect.andThen(Effect.yieldNow, this.#arrive(arrival)))
    this.#inbox.push(arrival)
    if (this.#delivering) return
    this.#delivering = true
    this.#deliver(this.#deliverInOrder)
  }

  #deliver(delivery: Effect.Effect<void>): void {
    this.#run(this.#deliveries, delivery)
  }

  readonly #deliverInOrder: Effect.Effect<void> = Effect.gen({ self: this }, function*() {
    // A sender never meets its receiver within one step, as on a socket.
    yield* Effect.yieldNow
    for (let next = this.#inbox.shift(); next !== undefined; next = this.#inbox.shift()) yield* this.#arrive(next)
    this.#delivering = false
  })

  #arrive({ at, packet }: Arrival): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { clock } = this.#medium
      const wait = at - clock.currentTimeMillisUnsafe()
      const handle = Effect.sync(() => this.#handle(packet))
      return wait > 0 ? Effect.andThen(clock.sleep(Duration.millis(wait)), handle) : handle
    })
  }

  #handle(packet: Packet): void {
    switch (packet.kind) {
      case "event":
        return this.#answer(packet)
      case "ack": {
        const resume = this.#calls.get(packet.id)
        this.#calls.delete(packet.id)
        return resume?.(Effect.succeed(packet.args))
      }
      case "close":
        return this.end(packet.reason)
    }
  }

  #answer({ args, event, id }: Packet & { readonly kind: "event" }): void {
    const answer = Effect.suspend(() => this.#side.receive(event, args))
    this.#run(
      this.#requests,
      id === undefined ? answer : Effect.onExit(answer, (exit) =>
        Effect.sync(() => {
          this.#send({ kind: "ack", event, id, args: Exit.isSuccess(exit) ? exit.value : failed })
        }))
    )
  }

  #run<A>(fibers: Set<Fiber.Fiber<A>>, effect: Effect.Effect<A>): Fiber.Fiber<A> {
    return runTracked(this.#side.run, fibers, effect, () => {
      if (this.isIdle) this.#medium.changed()
    })
  }
}
