/**
 * The server side of the in-memory transport: admission, connections, rooms.
 */
import type * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import type * as Ack from "../../protocol/Ack.ts"
import type { Revision } from "../../protocol/Revision.ts"
import * as SmcpError from "../../protocol/SmcpError.ts"
import type { Carried, Connection, Handlers, Handshake, Reply } from "../ServerTransport.ts"
import { Endpoint, type Medium, type Side, throughJson } from "./memoryEndpoint.ts"
import * as refusedPeer from "./refusedPeer.ts"
import { type Run, runTracked } from "./trackedFiber.ts"
import * as versionGate from "./versionGate.ts"

/** The server that a hub reaches, for as long as it serves. */
export class MemoryServer {
  readonly #medium: Medium
  readonly #revisions: Arr.NonEmptyReadonlyArray<Revision>
  readonly #handlers: Handlers
  readonly #run: Run
  readonly #rooms = new Map<string, Set<Endpoint>>()
  readonly #admissions = new Set<Fiber.Fiber<unknown, unknown>>()
  readonly #peers = new Set<Endpoint>()
  #open = true

  constructor(medium: Medium, revisions: Arr.NonEmptyReadonlyArray<Revision>, handlers: Handlers, run: Run) {
    this.#medium = medium
    this.#revisions = revisions
    this.#handlers = handlers
    this.#run = run
  }

  get isIdle(): boolean {
    return this.#admissions.size === 0
  }

  /** Lets a peer in, in a revision, or says why not. The check is the Server's own work and ends when it closes. */
  admit(handshake: Handshake): Effect.Effect<Revision, refusedPeer.Refusal> {
    if (!this.#open) return unreachable
    return Effect.acquireUseRelease(
      Effect.sync(() => this.#admitting(this.#check(handshake))),
      (checking) =>
        Effect.flatMap(Fiber.await(checking), (exit) => this.#open && !Exit.hasInterrupts(exit) ? exit : unreachable),
      (checking) => Fiber.interrupt(checking)
    )
  }

  /** Opens the connection of a peer that was let in; returns the peer's end. */
  connect(sid: string, handshake: Handshake, revision: Revision, client: Side): Endpoint {
    const [clientEnd, serverEnd] = Endpoint.pair(this.#medium, sid, client, {
      run: this.#run,
      receive: (event, args) =>
        Effect.andThen(
          Effect.suspend(() => opened(welcome)),
          Effect.suspend(() => this.#handlers.receive(connection, event, new MemoryCarried(args[0]))).pipe(
            Effect.map(argsOf),
            Effect.tapCause((cause) =>
              Cause.hasInterruptsOnly(cause) ? Effect.void : Effect.logError(`The handler of ${event} failed`, cause)
            )
          )
        ),
      lost: () =>
        Effect.sync(() => {
          for (const room of [...this.#rooms.keys()]) this.#leave(room, serverEnd)
        }),
      ended: (reason) =>
        Effect.andThen(
          Effect.suspend(() => Fiber.interrupt(welcome)),
          Effect.suspend(() => this.#handlers.disconnected(connection, reason)).pipe(
            Effect.ensuring(Effect.sync(() => this.#peers.delete(serverEnd)))
          )
        )
    })
    const connection = this.#connection(serverEnd, handshake, revision)
    this.#peers.add(serverEnd)
    // Yields first: the handler may use the connection, which is not known to the peer yet.
    const welcome = this.#admitting(Effect.yieldNow.pipe(
      Effect.andThen(Effect.suspend(() => this.#handlers.connected(connection))),
      Effect.catchCause((cause) => Effect.logError("A new connection could not be handled", cause))
    ))
    return clientEnd
  }

  broadcast(room: string, event: string, args: Ack.Args, except: string | undefined): void {
    for (const peer of [...this.#rooms.get(room) ?? []]) if (peer.sid !== except) peer.emit(event, args)
  }

  /** Lets nobody in any more and drops everybody. */
  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    this.#open = false
    const peers = [...this.#peers]
    for (const peer of peers) peer.close("server shutting down", SERVER_DISCONNECT)
    return Effect.andThen(
      Fiber.interruptAll(this.#admissions),
      Effect.forEach(peers, (peer) => peer.ended, { discard: true })
    )
  })

  #admitting<A, E>(effect: Effect.Effect<A, E>): Fiber.Fiber<A, E> {
    return runTracked(this.#run, this.#admissions as Set<Fiber.Fiber<A, E>>, effect, this.#medium.changed)
  }

  #check(handshake: Handshake): Effect.Effect<Revision, refusedPeer.Refusal> {
    const told = ({ message }: { readonly message: string }) =>
      refusedPeer.logRefused({ address: handshake.address, message })
    return Effect.suspend(() =>
      Result.match(versionGate.choose(this.#revisions, handshake.version), {
        onFailure: (wrong) => Effect.andThen(told(wrong), Effect.fail({ error: SmcpError.make(wrong), final: true })),
        onSuccess: (revision): Effect.Effect<Revision, refusedPeer.Refusal> =>
          this.#handlers.authenticate(handshake).pipe(
            Effect.tapError(told),
            Effect.catchCause(refuse),
            Effect.as(revision)
          )
      })
    )
  }

  #connection(end: Endpoint, handshake: Handshake, revision: Revision): Connection {
    return {
      sid: end.sid,
      handshake,
      revision,
      call: (event, payload, millis) =>
        Effect.map(
          Effect.suspend(() => end.request(event, argsOfPayload(payload), millis)),
          (args) => new MemoryReply(args)
        ),
      notify: (event, payload) => Effect.sync(() => end.emit(event.name, throughJson([payload]))),
      join: (room) => Effect.sync(() => this.#join(room, end)),
      leave: (room) => Effect.sync(() => this.#leave(room, end)),
      dropCalls: Effect.sync(() => end.dropCalls()),
      close: Effect.sync(() => end.close("server namespace disconnect", SERVER_DISCONNECT))
    }
  }

  #join(room: string, end: Endpoint): void {
    if (!end.isOpen) return
    const members = this.#rooms.get(room)
    if (members === undefined) this.#rooms.set(room, new Set([end]))
    else members.add(end)
  }

  #leave(room: string, end: Endpoint): void {
    const members = this.#rooms.get(room)
    if (members?.delete(end) === true && members.size === 0) this.#rooms.delete(room)
  }
}

const SERVER_DISCONNECT = "io server disconnect"

/** What a client finds where no server serves. */
export const unreachable: Effect.Effect<never, refusedPeer.Refusal> = Effect.fail({
  error: SmcpError.make(new SmcpError.NotConnected({ message: "Cannot reach the Server" })),
  final: false
})

const refuse = (cause: Cause.Cause<SmcpError.SmcpError>): Effect.Effect<never, refusedPeer.Refusal> => {
  const payload = refusedPeer.payloadOf(cause)
  return Effect.fail({ error: refusedPeer.errorOf(payload, payload.message), final: true })
}

const opened = (welcome: Fiber.Fiber<unknown>): Effect.Effect<unknown> =>
  welcome.pollUnsafe() === undefined ? Fiber.await(welcome) : Effect.void

/** A payload that came in; handed on, it is not encoded again. */
class MemoryCarried implements Carried {
  readonly value: unknown
  constructor(value: unknown) {
    this.value = value
  }
}

/** Arguments of an acknowledgement that came in; handed on, they are not encoded again. */
class MemoryReply implements Reply {
  readonly args: Ack.Args
  constructor(args: Ack.Args) {
    this.args = args
  }
}

const argsOfPayload = (payload: Carried): Ack.Args =>
  payload instanceof MemoryCarried ? [payload.value] : throughJson([payload.value])

const argsOf = (reply: Reply): Ack.Args => reply instanceof MemoryReply ? reply.args : throughJson(reply.args)
