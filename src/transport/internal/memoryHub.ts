/**
 * The state of an in-memory hub.
 */
import type * as Arr from "effect/Array"
import type * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Revision } from "../../protocol/Revision.ts"
import type { Faults, Hub } from "../MemoryTransport.ts"
import type { Handshake } from "../ServerTransport.ts"
import type { Endpoint, Medium, Side } from "./memoryEndpoint.ts"
import { type MemoryServer, unreachable } from "./memoryServer.ts"
import type { Refusal } from "./refusedPeer.ts"

/** See `MemoryTransport.Hub`. */
export class MemoryHub implements Hub, Medium {
  readonly clock: Clock.Clock
  readonly revisions: Arr.NonEmptyReadonlyArray<Revision>
  readonly maxPayload: number
  readonly reconnectDelay: Duration.Duration
  readonly endpoints = new Set<Endpoint>()
  faults: Faults
  server: MemoryServer | undefined
  readonly #waiting = new Set<() => void>()
  #lastSid = 0

  constructor(options: {
    readonly clock: Clock.Clock
    readonly revisions: Arr.NonEmptyReadonlyArray<Revision>
    readonly maxPayload: number
    readonly reconnectDelay: Duration.Duration
    readonly faults: Faults
  }) {
    this.clock = options.clock
    this.revisions = options.revisions
    this.maxPayload = options.maxPayload
    this.reconnectDelay = options.reconnectDelay
    this.faults = options.faults
  }

  /** The hub behind its interface. */
  static of(hub: Hub): MemoryHub {
    if (hub instanceof MemoryHub) return hub
    throw new TypeError("Not a hub of MemoryTransport.makeHub")
  }

  readonly setFaults = (faults: Partial<Faults>): Effect.Effect<void> =>
    Effect.sync(() => void (this.faults = { ...this.faults, ...faults }))

  readonly disconnect = (sid: string, reason = "transport close"): Effect.Effect<void> =>
    Effect.sync(() => {
      for (const end of [...this.endpoints]) if (end.sid === sid) end.end(reason)
    })

  readonly connections: Effect.Effect<ReadonlyArray<string>> = Effect.sync(() => [
    ...new Set([...this.endpoints].filter((end) => end.isOpen).map((end) => end.sid))
  ])

  readonly settled: Effect.Effect<void> = Effect.callback<void>((resume) => {
    if (this.#isSettled) return resume(Effect.void)
    const wake = () => resume(Effect.void)
    this.#waiting.add(wake)
    return Effect.sync(() => void this.#waiting.delete(wake))
  })

  readonly changed = (): void => {
    if (this.#waiting.size === 0 || !this.#isSettled) return
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const wake of waiting) wake()
  }

  serve(server: MemoryServer): MemoryServer {
    if (this.server !== undefined) throw new Error("The hub has a server already")
    return this.server = server
  }

  unserve(server: MemoryServer): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.server === server) this.server = undefined
      return server.close
    })
  }

  /** Lets a client in, or not. */
  open(handshake: Handshake, client: Side, adopt: (end: Endpoint) => void): Effect.Effect<void, Refusal> {
    return Effect.suspend(() => {
      const { server } = this
      if (server === undefined || this.faults.refuseConnections) return unreachable
      return Effect.map(
        server.admit(handshake),
        (revision) => adopt(server.connect(`memory-${++this.#lastSid}`, handshake, revision, client))
      )
    })
  }

  get #isSettled(): boolean {
    return this.server?.isIdle !== false && [...this.endpoints].every((end) => end.isIdle)
  }
}
