/**
 * The office of a console: a connection and a seat that can be taken and given up while the MCP servers run on.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import { join as joinPath } from "node:path"
import * as Computer from "../../computer/Computer.ts"
import type * as Host from "../../computer/Host.ts"
import type { Revision } from "../../protocol/Revision.ts"
import * as ServerEvent from "../../protocol/ServerEvent.ts"
import type { SmcpError } from "../../protocol/SmcpError.ts"
import * as Background from "../../transport/Background.ts"
import * as Membership from "../../transport/Membership.ts"
import * as SocketIoTransport from "../../transport/SocketIoTransport.ts"
import { type ConnectionState, Transport } from "../../transport/Transport.ts"
import { logState, stateEnd } from "../internal/connection.ts"
import { exitCodes } from "../internal/exitCodes.ts"
import { Failure, usage } from "../internal/failure.ts"
import { isHttpUrl } from "../internal/flags.ts"
import { seatDirectory } from "../internal/stateDirectory.ts"

/** What a connection and a seat need. */
export interface Options {
  /** The Server of a connection that names none. Default: http://localhost:3000. */
  readonly url: string | undefined
  readonly apiKey: Redacted.Redacted | undefined
  readonly revision: Revision
  readonly landingRoot: string | undefined
  /** The state directory; each seat has a directory of its own in it. */
  readonly state: string
  /** Logs why a seat is lost for good, where nobody else does. */
  readonly logEnd: boolean
}

/** A seat in an office. */
export interface Seat {
  readonly office: string
  readonly name: string
  readonly membership: Membership.MembershipState
}

/** Where the console stands. */
export interface OfficeState {
  /** The Server that is connected to; undefined when nobody wants a connection. */
  readonly url: string | undefined
  readonly connection: ConnectionState | undefined
  readonly seat: Seat | undefined
}

const DEFAULT_URL = "http://localhost:3000"

/** The office. What it holds ends with the scope it was made in. */
export class Office extends Context.Service<Office, {
  /** The Server of the command line, if it names one. */
  readonly server: Pick<Options, "url" | "apiKey">
  readonly state: Effect.Effect<OfficeState>
  readonly changes: Stream.Stream<OfficeState>
  /** Connects to a Server, by default that of the options; leaves another one first. */
  readonly connect: (url?: string) => Effect.Effect<string, SmcpError | Failure>
  /** Takes a seat; gives up another one first, and connects when there is no connection. */
  readonly join: (office: string, name: string) => Effect.Effect<void, SmcpError | Failure, Host.Services>
  /** Gives up the seat. Tells whether there was one. */
  readonly leave: Effect.Effect<boolean, SmcpError>
  /** Gives up the seat and the connection. Tells whether there was one. */
  readonly disconnect: Effect.Effect<boolean>
  /** Tells the office that the configuration changed. Fails without a seat. */
  readonly notifyUpdate: Effect.Effect<void, SmcpError | Failure>
  /** What the seat tells of itself, for whoever has one; empty without. */
  readonly membership: Effect.Effect<Stream.Stream<Membership.MembershipState>>
}>()("a2c-smcp/cli/Office") {}

/** An office that nobody sits in yet. */
export const layer = (options: Options): Layer.Layer<Office> => Layer.effect(Office, make(options))

interface Link {
  readonly url: string
  readonly scope: Scope.Closeable
  readonly transport: Transport["Service"]
  seat:
    | { readonly name: string; readonly scope: Scope.Closeable; readonly membership: Membership.Membership["Service"] }
    | undefined
}

const nowhere: OfficeState = { url: undefined, connection: undefined, seat: undefined }

/** What a console holds of a Server, and how it is given up. */
const makeHeld = (state: SubscriptionRef.SubscriptionRef<OfficeState>) => {
  const held: { link: Link | undefined } = { link: undefined }
  const closeSeat = Effect.suspend(() => {
    const seat = held.link?.seat
    if (held.link !== undefined) held.link.seat = undefined
    return Effect.andThen(
      seat === undefined ? Effect.void : Scope.close(seat.scope, Exit.void),
      SubscriptionRef.update(state, (before) => ({ ...before, seat: undefined }))
    )
  })
  const closeLink = Effect.suspend(() => {
    const open = held.link
    held.link = undefined
    return (open === undefined ? Effect.void : Scope.close(open.scope, Exit.void)).pipe(
      Effect.andThen(SubscriptionRef.set(state, nowhere)),
      Effect.as(open !== undefined)
    )
  })
  const leave = Effect.gen(function*() {
    const seat = held.link?.seat
    if (seat === undefined) return false
    yield* seat.membership.leave
    yield* closeSeat
    return true
  })
  return { held, leave, close: Effect.andThen(closeSeat, closeLink) }
}

const make = Effect.fnUntraced(function*(options: Options) {
  const state = yield* SubscriptionRef.make(nowhere)
  const exclusively = (yield* Semaphore.make(1)).withPermit
  const { close, held, leave } = makeHeld(state)
  yield* Effect.addFinalizer(() => close)

  const connect = Effect.fnUntraced(function*(given: string | undefined) {
    const url = given ?? options.url ?? DEFAULT_URL
    if (!isHttpUrl(url)) {
      return yield* usage(`"${url}" is no address of a Server; expected something like http://host:port`)
    }
    yield* Effect.ignore(leave)
    yield* close
    yield* SubscriptionRef.set(state, { ...nowhere, url, connection: { _tag: "Connecting", attempt: 1 } })
    yield* open(options, url, (connection) => SubscriptionRef.update(state, (before) => ({ ...before, connection })))
      .pipe(
        Effect.tap((opened) => Effect.sync(() => held.link = opened)),
        Effect.onError(() => SubscriptionRef.set(state, nowhere)),
        Effect.uninterruptible
      )
    return url
  })

  const join = Effect.fnUntraced(function*(office: string, name: string) {
    yield* leave
    const closed = (yield* SubscriptionRef.get(state)).connection?._tag === "Closed"
    if (held.link === undefined || closed) yield* connect(held.link?.url)
    const joined = held.link
    if (joined === undefined) return yield* notConnected
    const seat = yield* sit(
      options,
      joined,
      { office, name },
      (membership) => SubscriptionRef.update(state, (before) => ({ ...before, seat: { office, name, membership } }))
    )
    joined.seat = { name, ...seat }
  })

  return Office.of({
    server: { url: options.url, apiKey: options.apiKey },
    state: SubscriptionRef.get(state),
    changes: SubscriptionRef.changes(state),
    connect: (url) => exclusively(connect(url)),
    join: (office, name) => exclusively(join(office, name)),
    leave: exclusively(leave),
    disconnect: exclusively(Effect.andThen(Effect.ignore(leave), close)),
    notifyUpdate: Effect.suspend((): Effect.Effect<void, SmcpError | Failure> => {
      const open = held.link
      return open?.seat === undefined
        ? Effect.fail(notSeated)
        : open.transport.send(ServerEvent.UpdateConfig, { computer: open.seat.name })
    }),
    membership: Effect.sync(() => held.link?.seat?.membership.changes ?? Stream.empty)
  })
})

const notConnected = new Failure({ message: "Not connected to a Server", exitCode: exitCodes.refused })

const notSeated = new Failure({
  message: "This Computer sits in no office; \"socket join <office> <name>\" takes a seat",
  exitCode: exitCodes.refused
})

/** A connection in a scope of its own. */
const open = Effect.fnUntraced(function*(
  { apiKey, revision }: Options,
  url: string,
  tell: (connection: ConnectionState) => Effect.Effect<void>
): Effect.fn.Return<Link, SmcpError> {
  const scope = yield* Scope.make()
  return yield* Effect.gen(function*() {
    const transport = yield* Effect.interruptible(SocketIoTransport.make({ url, revision, apiKey }))
    yield* transport.changes.pipe(Stream.runForEach(tell), Background.fork("Following the connection"))
    return { url, scope, transport, seat: undefined }
  }).pipe(
    Scope.provide(scope),
    Effect.onError(() => Scope.close(scope, Exit.void))
  )
})

/** A seat in a scope of its own. What it tells of the connection is logged. */
const sit = (
  { landingRoot, logEnd, state }: Options,
  { transport }: Link,
  seat: { readonly office: string; readonly name: string },
  tell: (membership: Membership.MembershipState) => Effect.Effect<void>
) =>
  Effect.uninterruptibleMask(Effect.fnUntraced(function*(restore) {
    const scope = yield* Scope.make()
    return yield* Effect.gen(function*() {
      const layer = Computer.layerSeat({
        ...seat,
        landingRoot,
        blobs: { spoolDirectory: joinPath(seatDirectory(state, seat), "spool") }
      }).pipe(Layer.provide(Layer.succeed(Transport, transport)))
      const membership = Context.get(yield* restore(Layer.buildWithScope(layer, scope)), Membership.Membership)
      yield* Background.fork("Telling of the connection")(logState(membership.changes))
      if (logEnd) yield* Background.fork("Waiting for the end")(logReason(membership.changes))
      yield* membership.changes.pipe(Stream.runForEach(tell), Background.fork("Following the seat"))
      yield* tell(yield* membership.state)
      return { scope, membership }
    }).pipe(
      Scope.provide(scope),
      Effect.onError(() => Scope.close(scope, Exit.void))
    )
  }))

const logReason = (changes: Stream.Stream<Membership.MembershipState>) =>
  Effect.catch(
    stateEnd(changes),
    ({ message }) => Effect.logError(`The seat is lost: ${message}. "socket join" takes one again`)
  )
