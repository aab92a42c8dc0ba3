/**
 * The office a client means to sit in: joins it, takes the seat again after
 * every reconnect, leaves it (specification, room model).
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import type { EnterOfficeReq } from "../protocol/Office.ts"
import * as ServerEvent from "../protocol/ServerEvent.ts"
import type { SmcpError } from "../protocol/SmcpError.ts"
import * as Background from "./Background.ts"
import { Transport } from "./Transport.ts"

/** Where the client sits. */
export type MembershipState =
  /** In no office, and not meaning to be. */
  | { readonly _tag: "Out" }
  /** In the office; `sid` is the session that holds the seat. */
  | { readonly _tag: "Joined"; readonly request: EnterOfficeReq; readonly sid: string }
  /** Reconnected under a new session that does not hold the seat yet. */
  | { readonly _tag: "Rejoining"; readonly request: EnterOfficeReq }
  /** The Server would not give the seat back. */
  | { readonly _tag: "Lost"; readonly request: EnterOfficeReq; readonly error: SmcpError }

/** The client's seat. */
export class Membership extends Context.Service<Membership, {
  /** Takes a seat; fails with the Server's refusal. A confirmed seat is taken again after every reconnect. */
  readonly join: (request: EnterOfficeReq) => Effect.Effect<void, SmcpError>
  /** Gives the seat up, and the intent to sit there. */
  readonly leave: Effect.Effect<void, SmcpError>
  readonly state: Effect.Effect<MembershipState>
  /** The state now and every change. */
  readonly changes: Stream.Stream<MembershipState>
}>()("a2c-smcp/transport/Membership") {}

// A seat may still be held by one's own lost session until the Server notices that it is gone.
const rejoinSchedule = Schedule.min([Schedule.exponential("1 second"), Schedule.spaced("5 seconds")]).pipe(
  Schedule.upTo({ duration: "45 seconds" })
)
const isTakenSeat = ({ reason }: SmcpError) => reason._tag === "RoomFull" || reason._tag === "JoinRefused"

/** Keeps the seat on a transport. */
export const layer: Layer.Layer<Membership, never, Transport> = Layer.effect(
  Membership,
  Effect.gen(function*() {
    const transport = yield* Transport
    const state = yield* SubscriptionRef.make<MembershipState>({ _tag: "Out" })

    const enter = Effect.fnUntraced(function*(request: EnterOfficeReq) {
      const connection = yield* transport.state
      yield* transport.call(ServerEvent.JoinOffice, request)
      const sid = connection._tag === "Connected" ? connection.sid : ""
      return { _tag: "Joined", request, sid } as const
    })

    const rejoin = Effect.fnUntraced(function*(request: EnterOfficeReq) {
      const rejoining: MembershipState = { _tag: "Rejoining", request }
      yield* SubscriptionRef.set(state, rejoining)
      const end = yield* Effect.retry(enter(request), { schedule: rejoinSchedule, while: isTakenSeat }).pipe(
        Effect.tapError((error) => Effect.logWarning(`Could not rejoin ${request.office_id}: ${error.message}`)),
        Effect.catch((error) => Effect.succeed({ _tag: "Lost", request, error } as const))
      )
      if ((yield* SubscriptionRef.get(state)) === rejoining) return yield* SubscriptionRef.set(state, end)
      // Whoever left in the meantime does not want the seat that was just taken.
      if (end._tag === "Joined") yield* Effect.ignore(vacate(request))
    })

    const vacate = (request: EnterOfficeReq) =>
      transport.call(ServerEvent.LeaveOffice, { office_id: request.office_id })

    const onConnected = Effect.fnUntraced(function*(sid: string) {
      const current = yield* SubscriptionRef.get(state)
      if (current._tag === "Out" || (current._tag === "Joined" && current.sid === sid)) return
      yield* rejoin(current.request)
    })

    yield* transport.changes.pipe(
      // A newer connection state makes a running rejoin pointless.
      Stream.switchMap((connection) =>
        connection._tag === "Connected" ? Stream.fromEffect(onConnected(connection.sid)) : Stream.empty
      ),
      Stream.runDrain,
      Background.fork("Membership")
    )

    return {
      join: (request) => Effect.flatMap(enter(request), (joined) => SubscriptionRef.set(state, joined)),
      leave: Effect.gen(function*() {
        const current = yield* SubscriptionRef.get(state)
        if (current._tag === "Out") return
        yield* SubscriptionRef.set(state, { _tag: "Out" })
        yield* vacate(current.request)
      }),
      state: SubscriptionRef.get(state),
      changes: SubscriptionRef.changes(state)
    }
  })
)
