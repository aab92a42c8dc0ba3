/**
 * A peer of the wire without any library: Engine.IO 4 long-polling over the
 * global `fetch`, and Socket.IO packets as text, so that a case sees exactly what
 * a Server sends and says exactly what it means to say.
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { messageOf } from "../../protocol/Thrown.ts"
import * as RawFrame from "./rawFrame.ts"

/** How a peer reaches the Server. */
export interface Address {
  readonly url: string
  /** Where Socket.IO listens. Default: `/socket.io`. */
  readonly path?: string | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
}

/** The Server did not open an Engine.IO session, or the session went away. */
export class RawFailure extends Schema.TaggedError<RawFailure>()("RawFailure", {
  message: Schema.String
}) {}

/** An HTTP response. */
export interface Response {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** A response with the cookies it sets, as the next request sends them. */
interface Answer extends Response {
  readonly cookie: string
}

/** What the Server tells when it opens a session. */
export interface OpenPacket {
  readonly sid: string
  readonly upgrades?: unknown
  readonly pingInterval?: unknown
  readonly pingTimeout?: unknown
  readonly maxPayload?: unknown
}

/** One Engine.IO session. */
export interface RawPeer {
  readonly open: OpenPacket
  /** Sends messages in one request, in this order. */
  readonly send: (...frames: ReadonlyArray<string>) => Effect.Effect<void, RawFailure>
  /** Sends a body as it is; gives the status, or why there was none. */
  readonly post: (body: string) => Effect.Effect<Response, RawFailure>
  /** The first unread message that matches; undefined when none comes in time. Fails when the session ends instead. */
  readonly take: (
    matches: (frame: RawFrame.RawFrame) => boolean,
    millis: number
  ) => Effect.Effect<RawFrame.RawFrame | undefined, RawFailure>
  /** Every unread message that matches, without waiting. */
  readonly drain: (matches: (frame: RawFrame.RawFrame) => boolean) => ReadonlyArray<RawFrame.RawFrame>
  /** A new id for an acknowledgement. */
  readonly nextId: () => number
  /** Ends the session as a client does; the scope does so too. */
  readonly close: Effect.Effect<void>
  /** Ends with the reason once the session is over. */
  readonly closed: Effect.Effect<string>
}

const REQUEST_MILLIS = 8000
const CLOSE_MILLIS = 1000
const LONGEST_POLL_MILLIS = 120_000
const SEPARATOR = "\u001e"

/** The URL of the handshake, whatever the query of the address has besides. */
export const handshakeUrl = (address: Address, query: Readonly<Record<string, string>>): string => {
  const url = new URL(address.url)
  url.protocol = url.protocol.replace(/^ws/, "http")
  url.pathname = `${(address.path ?? "/socket.io").replace(/\/+$/, "")}/`
  for (const [key, value] of Object.entries({ EIO: "4", transport: "polling", ...query })) {
    url.searchParams.set(key, value)
  }
  return url.href
}

/** One HTTP request. */
export const request = (
  url: string,
  options: { readonly body?: string; readonly headers?: Readonly<Record<string, string>> | undefined } = {},
  millis = REQUEST_MILLIS
): Effect.Effect<Answer, RawFailure> =>
  Effect.tryPromise({
    try: async (signal): Promise<Answer> => {
      const response = await fetch(url, {
        headers: {
          ...(options.body === undefined ? {} : { "Content-Type": "text/plain;charset=UTF-8" }),
          ...options.headers
        },
        signal,
        ...(options.body === undefined ? {} : { method: "POST", body: options.body })
      })
      return {
        status: response.status,
        headers: Object.fromEntries(response.headers.entries()),
        cookie: response.headers.getSetCookie().map((each) => each.split(";")[0]).join("; "),
        body: await response.text()
      }
    },
    catch: (error) => new RawFailure({ message: networkReason(error) })
  }).pipe(Effect.timeoutOrElse({
    duration: millis,
    orElse: () => Effect.fail(new RawFailure({ message: `no HTTP response within ${millis / 1000} s` }))
  }))

const networkReason = (error: unknown): string => {
  const cause = error instanceof Error ? error.cause : undefined
  if (Predicate.isReadonlyObject(cause) && typeof cause["code"] === "string") return cause["code"]
  return cause instanceof Error ? cause.message : messageOf(error)
}

/** Reads the body of a handshake: one message that opens the session. */
export const openPacketOf = (body: string): OpenPacket | undefined => {
  const [first = ""] = body.split(SEPARATOR)
  if (!first.startsWith("0")) return undefined
  try {
    const packet: unknown = JSON.parse(first.slice(1))
    return Predicate.isReadonlyObject(packet) && typeof packet["sid"] === "string"
      ? { ...packet, sid: packet["sid"] }
      : undefined
  } catch {
    return undefined
  }
}

/** Opens an Engine.IO session for as long as the scope lives. */
export const make = Effect.fnUntraced(function*(
  address: Address,
  query: Readonly<Record<string, string>>
): Effect.fn.Return<RawPeer, RawFailure, Scope.Scope> {
  const response = yield* request(handshakeUrl(address, query), { headers: address.headers })
  const open = openPacketOf(response.body)
  if (response.status !== 200 || open === undefined) {
    return yield* new RawFailure({
      message: `the handshake was answered with HTTP ${response.status}: ${response.body.slice(0, 200)}`
    })
  }
  const url = handshakeUrl(address, { ...query, sid: open.sid })
  // What balances the load of several Servers may remember this session by it.
  const headers = response.cookie === "" ? address.headers : { ...address.headers, Cookie: response.cookie }
  const inbox = new Inbox()
  // Two requests of one session at once end it.
  const oneAtATime = yield* Semaphore.make(1)
  const post = (body: string, millis?: number) => oneAtATime.withPermits(1)(request(url, { body, headers }, millis))
  const send = (...frames: ReadonlyArray<string>) =>
    Effect.flatMap(
      post(frames.join(SEPARATOR)),
      ({ body, status }) =>
        status === 200 ? Effect.void : new RawFailure({ message: `HTTP ${status} to a message: ${body.slice(0, 200)}` })
    )

  const poll = Effect.gen(function*() {
    while (!inbox.isClosed) {
      const { body, status } = yield* request(url, { headers }, LONGEST_POLL_MILLIS)
      if (status !== 200) return inbox.close(`polling was answered with HTTP ${status}`)
      for (const message of body.split(SEPARATOR)) {
        if (message === "2") yield* send("3")
        else inbox.receive(message)
      }
    }
  }).pipe(
    Effect.catchCause((cause) => Effect.sync(() => inbox.close(describeCause(cause)))),
    Effect.interruptible
  )
  const leave = Effect.suspend(() =>
    inbox.isClosed ? Effect.void : Effect.ignore(post([RawFrame.disconnect, "1"].join(SEPARATOR), CLOSE_MILLIS)).pipe(
      Effect.andThen(Effect.sync(() => inbox.close("closed by this side")))
    )
  )
  yield* Effect.forkScoped(poll, { startImmediately: true })
  yield* Effect.addFinalizer(() => leave)
  let ids = 0
  return {
    open,
    send,
    post,
    take: (matches, millis) => inbox.take(matches, millis),
    drain: (matches) => inbox.drain(matches),
    nextId: () => ids++,
    close: leave,
    closed: inbox.closed
  }
})

const describeCause = (cause: Cause.Cause<RawFailure>): string =>
  Cause.hasInterruptsOnly(cause) ? "closed by this side" : String((Cause.squash(cause) as Error).message)

type Waiter = {
  readonly matches: (frame: RawFrame.RawFrame) => boolean
  readonly resume: (frame: RawFrame.RawFrame) => void
}

/** What came in and nobody has read. */
class Inbox {
  readonly #unread: Array<RawFrame.RawFrame> = []
  readonly #waiters = new Set<Waiter>()
  readonly #closed = Deferred.makeUnsafe<string>()
  isClosed = false

  get closed(): Effect.Effect<string> {
    return Deferred.await(this.#closed)
  }

  receive(message: string): void {
    if (message === "1") return this.close("the Server closed the session")
    // what is not of Socket.IO has nothing to say
    if (!/^[4b]/.test(message)) return
    const frame = RawFrame.parse(message)
    for (const waiter of this.#waiters) {
      if (!waiter.matches(frame)) continue
      this.#waiters.delete(waiter)
      return waiter.resume(frame)
    }
    this.#unread.push(frame)
  }

  close(reason: string): void {
    if (this.isClosed) return
    this.isClosed = true
    Deferred.doneUnsafe(this.#closed, Effect.succeed(reason))
  }

  take(
    matches: (frame: RawFrame.RawFrame) => boolean,
    millis: number
  ): Effect.Effect<RawFrame.RawFrame | undefined, RawFailure> {
    return Effect.callback<RawFrame.RawFrame>((resume) => {
      const index = this.#unread.findIndex(matches)
      if (index !== -1) return resume(Effect.succeed(this.#unread.splice(index, 1)[0]!))
      const waiter: Waiter = { matches, resume: (frame) => resume(Effect.succeed(frame)) }
      this.#waiters.add(waiter)
      return Effect.sync(() => void this.#waiters.delete(waiter))
    }).pipe(
      Effect.raceFirst(
        Effect.flatMap(this.closed, (reason) => new RawFailure({ message: `the session is over: ${reason}` }))
      ),
      Effect.timeoutOrElse({ duration: millis, orElse: () => Effect.succeed(undefined) })
    )
  }

  drain(matches: (frame: RawFrame.RawFrame) => boolean): ReadonlyArray<RawFrame.RawFrame> {
    const found = this.#unread.filter(matches)
    this.#unread.splice(0, this.#unread.length, ...this.#unread.filter((frame) => !matches(frame)))
    return found
  }
}
