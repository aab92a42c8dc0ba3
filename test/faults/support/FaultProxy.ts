/**
 * A TCP proxy that stands between two peers and can do to them what a network does.
 */
import { Effect, type Scope } from "effect"
import { type AddressInfo, connect, createServer, type Socket } from "node:net"

/** `up` is from the client to the target, `down` the way back. */
export type Direction = "up" | "down"

/** What happens to the bytes of one direction. */
export type Flow =
  | "pass"
  /** Nothing is read: the sender's buffers fill, nothing is lost, `pass` delivers it. A slow reader, or packets that are sent again later. */
  | "hold"
  /** What is sent is swallowed, the end of the connection included. What lost a byte stays dead. */
  | "swallow"
  | { readonly delayMillis: number }

/** What a new connection meets. */
export type Admission = "forward" | "refuse" | "hold"

/** Whom a cut tells. The other side is left with half a connection. */
export type Side = "client" | "target"

export interface FaultProxy {
  readonly port: number
  readonly url: string
  /** How many connections are open on at least one side. */
  readonly open: () => number
  /** How many bytes were delivered in a direction. */
  readonly delivered: (direction: Direction) => number
  /** Changes what happens to the bytes of all connections, those to come included. */
  readonly flow: (flow: Flow, directions?: ReadonlyArray<Direction>) => Effect.Effect<void>
  /** Changes what happens to the bytes of the connections that are open now. */
  readonly flowOfOpen: (flow: Flow, directions?: ReadonlyArray<Direction>) => Effect.Effect<void>
  readonly admit: (admission: Admission) => Effect.Effect<void>
  /** Resets all open connections, for both sides or for one that then hears of it alone. */
  readonly cut: (sides?: ReadonlyArray<Side>) => Effect.Effect<void>
}

const both: ReadonlyArray<Direction> = ["up", "down"]

/** Forwards what comes to a free port of 127.0.0.1 to a port there, for as long as the scope lives. */
export const start = (targetPort: number): Effect.Effect<FaultProxy, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.callback<Listening>((resume) => {
        const listening = new Listening(targetPort)
        listening.server.listen(0, "127.0.0.1", () => resume(Effect.succeed(listening)))
      }),
      (listening) => Effect.callback<void>((resume) => listening.close(() => resume(Effect.void)))
    ),
    (listening) => {
      const { port } = listening.server.address() as AddressInfo
      return {
        port,
        url: `http://127.0.0.1:${port}`,
        open: () => listening.links.size,
        delivered: (direction) => listening.delivered[direction],
        flow: (flow, directions = both) =>
          Effect.sync(() => {
            for (const direction of directions) listening.flows[direction] = flow
            for (const link of listening.links) link.setFlow(flow, directions)
          }),
        flowOfOpen: (flow, directions = both) =>
          Effect.sync(() => listening.links.forEach((link) => link.setFlow(flow, directions))),
        admit: (admission) => Effect.sync(() => listening.admit(admission)),
        cut: (sides = ["client", "target"]) => Effect.sync(() => listening.links.forEach((link) => link.cut(sides)))
      }
    }
  )

class Listening {
  readonly server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) => this.#accept(client))
  readonly links = new Set<Link>()
  readonly flows: Record<Direction, Flow> = { up: "pass", down: "pass" }
  readonly delivered: Record<Direction, number> = { up: 0, down: 0 }
  readonly #targetPort: number
  #admission: Admission = "forward"
  #held: Array<Socket> = []

  constructor(targetPort: number) {
    this.#targetPort = targetPort
  }

  #accept(client: Socket): void {
    client.on("error", () => {})
    if (this.#admission === "refuse") client.resetAndDestroy()
    else if (this.#admission === "hold") this.#held.push(client)
    else this.links.add(new Link(client, this.#targetPort, this))
  }

  admit(admission: Admission): void {
    this.#admission = admission
    if (admission === "hold") return
    const held = this.#held
    this.#held = []
    for (const client of held) this.#accept(client)
  }

  close(done: () => void): void {
    this.admit("refuse")
    for (const link of this.links) link.cut(["client", "target"])
    this.server.close(done)
  }
}

/** One connection through the proxy. */
class Link {
  readonly #client: Socket
  readonly #target: Socket
  readonly #pipes: Record<Direction, Pipe>

  constructor(client: Socket, targetPort: number, { delivered, flows, links }: Listening) {
    const target = connect({ port: targetPort, host: "127.0.0.1", allowHalfOpen: true })
    this.#client = client
    this.#target = target
    const countOf = (direction: Direction) => (bytes: number) => void (delivered[direction] += bytes)
    this.#pipes = {
      up: new Pipe(client, target, flows.up, countOf("up")),
      down: new Pipe(target, client, flows.down, countOf("down"))
    }
    const gone = () => {
      if (client.destroyed && target.destroyed) links.delete(this)
    }
    client.on("close", gone)
    target.on("close", gone)
  }

  setFlow(flow: Flow, directions: ReadonlyArray<Direction>): void {
    for (const direction of directions) this.#pipes[direction].setFlow(flow)
  }

  cut(sides: ReadonlyArray<Side>): void {
    // whoever is not told must not learn of it from the other's end
    this.setFlow("swallow", both)
    if (sides.includes("client")) this.#client.resetAndDestroy()
    if (sides.includes("target")) this.#target.resetAndDestroy()
  }
}

/** One direction of a connection. */
class Pipe {
  readonly #from: Socket
  readonly #to: Socket
  readonly #count: (bytes: number) => void
  #flow: Flow
  #swallowed = false
  readonly #delayed: Array<{ readonly act: () => void; readonly due: number }> = []

  constructor(from: Socket, to: Socket, flow: Flow, count: (bytes: number) => void) {
    this.#from = from
    this.#to = to
    this.#flow = flow
    this.#count = count
    from.setNoDelay(true)
    from.on("data", (chunk: Buffer) => this.#pass(() => this.#write(chunk)))
    from.on("end", () => this.#pass(() => void to.end()))
    from.on("error", () => this.#pass(() => void to.resetAndDestroy()))
    from.on("close", () => this.#pass(() => void to.end()))
    to.on("drain", () => this.#read())
    this.#read()
  }

  setFlow(flow: Flow): void {
    this.#flow = flow
    this.#read()
  }

  #read(): void {
    if (this.#flow === "hold" && !this.#swallowed) this.#from.pause()
    else this.#from.resume()
  }

  #write(chunk: Buffer): void {
    if (this.#to.destroyed) return
    this.#count(chunk.length)
    if (!this.#to.write(chunk)) this.#from.pause()
  }

  #pass(act: () => void): void {
    if (this.#swallowed || this.#flow === "swallow") {
      this.#swallowed = true
      return
    }
    const delay = typeof this.#flow === "object" ? this.#flow.delayMillis : 0
    if (delay === 0 && this.#delayed.length === 0) return act()
    this.#delayed.push({ act, due: performance.now() + delay })
    if (this.#delayed.length === 1) this.#waitForNext()
  }

  /** One after the other: two timers for the same moment may run in either order. */
  #waitForNext(): void {
    const next = this.#delayed[0]
    if (next === undefined) return
    setTimeout(() => {
      this.#delayed.shift()
      next.act()
      this.#waitForNext()
    }, Math.max(0, next.due - performance.now()))
  }
}
