/**
 * The office a client means to sit in: joins it, takes the seat again after
 * every reconnect, leaves it (specification, room model). Its state joins
 * connection and seat, so that one stream tells everything.
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import type { EnterOfficeReq, Role } from "../protocol/Office.ts"
import * as SmcpError from "../protocol/SmcpError.ts"
import * as Background from "./Background.ts"
import { keepSeat } from "./internal/keepSeat.ts"
import * as membershipIntent from "./internal/membershipIntent.ts"
import * as seatCalls from "./internal/seatCalls.ts"
import { Transport } from "./Transport.ts"

/** A seat in an office. */
export interface Seat {
  readonly office: string
  readonly role: Role
  readonly name: string
}

/** Where a client stands. `sid` is the id of its present session, new after every reconnect. */
export type MembershipState =
  /**
   * Without a connection. Another one is sought unless `final`: then it was closed from this side, or ended by the
   * Server, whose reason is `error`. The meaning to sit in an office outlasts a connection that is sought again.
   */
  | {
    readonly _tag: "Disconnected"
    readonly reason: string
    readonly final: boolean
    readonly error: SmcpError.SmcpError | undefined
  }
  /** Seeking a connection; `attempt` counts from 1. */
  | { readonly _tag: "Connecting"; readonly attempt: number }
  /** Connected, in no office and not meaning to be. */
  | { readonly _tag: "Connected"; readonly sid: string }
  /** In the office: the Server confirmed it to this session. */
  | { readonly _tag: "Joined"; readonly sid: string } & Seat
  /** Connected, and taking the seat again that an earlier session had; `attempt` counts from 1. */
  | { readonly _tag: "Rejoining"; readonly sid: string; readonly attempt: number } & Seat
  /**
   * Connected, in no office: the seat could not be taken again. Not `final` when the Server only kept silent, as over a
   * connection that is dead and not known to be: the next session takes it up again. A later join is free to try.
   */
  | {
    readonly _tag: "Lost"
    readonly sid: string
    readonly why: SmcpError.SmcpError
    readonly final: boolean
  } & Seat

/** Options of {@link layer}. */
export interface Options {
  /**
   * For how long after a reconnect a seat that is taken is asked for again: after 1, 2, 4, 8, 8, … seconds, as long as
   * the next attempt begins within this time. Zero: once. Default: 60 seconds.
   */
  readonly rejoinBudget?: Duration.Input | undefined
  /** How long the Server may take to answer one join or leave. Default: 10 seconds. */
  readonly joinTimeout?: Duration.Input | undefined
}

/** What holds for an option that is not given. */
export const defaults = { rejoinBudget: "60 seconds", joinTimeout: "10 seconds" } as const

/**
 * The client's seat. A join that the Server has confirmed is repeated under every new session. Only a taken seat is
 * asked for more than once then, since one's own lost session may hold it until the Server notices; any other refusal
 * ends in `Lost`, and so does silence until there is a new session. Joins and leaves happen one after another.
 */
export class Membership extends Context.Service<Membership, {
  /**
   * Takes a seat; fails with the Server's refusal, with `CallTimeout`, or at once with `NotConnected`. A join whose
   * answer does not come, or that is interrupted, leaves no seat behind that was not there before.
   */
  readonly join: (request: EnterOfficeReq) => Effect.Effect<void, SmcpError.SmcpError>
  /** Gives up the seat and the meaning to sit there, also while it is being taken again. Succeeds without a seat. */
  readonly leave: Effect.Effect<void, SmcpError.SmcpError>
  readonly state: Effect.Effect<MembershipState>
  /** The state now and every change. */
  readonly changes: Stream.Stream<MembershipState>
}>()("a2c-smcp/transport/Membership") {}

/** Keeps the seat on a transport. Every call makes a layer of its own, as a seat belongs to one transport. */
export const layer = (options: Options = {}): Layer.Layer<Membership, never, Transport> =>
  Layer.effect(Membership, make(options))

// -----------------------------------------------------------------------------
// Internal
// -----------------------------------------------------------------------------

const make = Effect.fnUntraced(function*(options: Options) {
  const transport = yield* Transport
  const calls = seatCalls.make(transport, options.joinTimeout ?? defaults.joinTimeout)
  const oneAtATime = Semaphore.makeUnsafe(1).withPermit
  const model = yield* SubscriptionRef.make<membershipIntent.Model>({
    connection: yield* transport.state,
    intent: membershipIntent.none
  })
  const setIntent = (intent: membershipIntent.Intent) =>
    SubscriptionRef.update(model, (before) => ({ ...before, intent }))
  const intentNow = Effect.map(SubscriptionRef.get(model), ({ intent }) => intent)
  // The copy in the model comes a moment late; what is decided and shown now asks the connection itself.
  const modelNow = Effect.zipWith(transport.state, intentNow, (connection, intent) => ({ connection, intent }))
  const state = Effect.map(modelNow, membershipIntent.view)

  const join = (request: EnterOfficeReq) =>
    Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(sessionOf(transport), (sid) =>
        restore(calls.join(sid, request)).pipe(
          Effect.onExit((exit) => isInDoubt(exit) ? doubt(sid) : Effect.void),
          Effect.andThen(setIntent(membershipIntent.kept(request, sid)))
        ))
    )

  /** The Server may have given the seat of a join that failed here: back to where the client was before it. */
  const doubt = Effect.fnUntraced(function*(sid: string) {
    const intent = yield* intentNow
    if (intent._tag === "Kept") return yield* setIntent(membershipIntent.kept(intent.request, undefined))
    yield* calls.release(sid)
  })

  const forget = setIntent(membershipIntent.none)

  const leave = Effect.gen(function*() {
    yield* forget
    const { connection } = yield* modelNow
    if (connection._tag !== "Connected") return
    yield* Effect.catchIf(calls.vacate(connection.sid), seatCalls.isOffline, () => Effect.void)
  })

  yield* transport.changes.pipe(
    Stream.runForEach((connection) => SubscriptionRef.update(model, ({ intent }) => ({ connection, intent }))),
    Background.fork("Following the connection")
  )
  yield* keepSeat({
    calls,
    oneAtATime,
    budget: Duration.toMillis(Duration.fromInputUnsafe(options.rejoinBudget ?? defaults.rejoinBudget)),
    setIntent,
    targetNow: Effect.map(modelNow, membershipIntent.targetOf),
    targets: Stream.map(SubscriptionRef.changes(model), membershipIntent.targetOf)
  })

  return Membership.of({
    join: (request) => oneAtATime(join(request)),
    leave: Effect.gen(function*() {
      // A seat that is being taken again is not wanted from now on, whatever is still under way.
      if ((yield* state)._tag !== "Joined") yield* forget
      yield* oneAtATime(leave)
    }),
    state,
    changes: Stream.changes(Stream.map(SubscriptionRef.changes(model), membershipIntent.view))
  })
})

const sessionOf = (transport: Transport["Service"]): Effect.Effect<string, SmcpError.SmcpError> =>
  Effect.flatMap(
    transport.state,
    (connection) => connection._tag === "Connected" ? Effect.succeed(connection.sid) : Effect.fail(offline)
  )

const offline = SmcpError.make(new SmcpError.NotConnected({ message: "Not connected to the Server" }))

const isInDoubt = (exit: Exit.Exit<void, SmcpError.SmcpError>): boolean =>
  Exit.isFailure(exit) &&
  !exit.cause.reasons.some((reason) => reason._tag === "Fail" && seatCalls.isSettled(reason.error))
