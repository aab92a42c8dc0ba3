/**
 * Reports of a Computer to its office (specification, events: `server:update_*`).
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as ServerEvent from "../../protocol/ServerEvent.ts"
import * as Background from "../../transport/Background.ts"
import * as Membership from "../../transport/Membership.ts"
import { Transport } from "../../transport/Transport.ts"

/** Something that Agents pull and are told about when it is no longer what they pulled. */
export interface Projection<A> {
  /** For the log. */
  readonly name: string
  readonly event: typeof ServerEvent.UpdateToolList | typeof ServerEvent.UpdateDesktop | typeof ServerEvent.UpdateConfig
  readonly current: Effect.Effect<A>
  /** Emits whenever `current` may have changed; it need not have. */
  readonly changes: Stream.Stream<unknown>
  readonly isSame: (one: A, other: A) => boolean
}

export interface ReportOptions {
  /** The name of the Computer. */
  readonly computer: string
  /** How long nothing has to change before a change is reported; what never settles is reported after five times this. */
  readonly settle: Duration.Input
}

export interface Report {
  /** Marks an answer as telling an Agent what is current: all of that counts as told. */
  readonly telling: <A, E, R>(answer: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Tells the office, as long as the scope lives, when what was told is no longer current; never without need. */
  readonly start: Effect.Effect<void, never, Scope.Scope>
}

const HOW_OFTEN_UNSETTLED = 5

/** What is current now counts as told. */
export const makeReport = Effect.fnUntraced(function*<A>(
  { changes, current, event, isSame, name }: Projection<A>,
  { computer, settle }: ReportOptions
): Effect.fn.Return<Report, never, Transport | Membership.Membership> {
  const transport = yield* Transport
  const membership = yield* Membership.Membership
  /** Everything that somebody may take for current. */
  const told = new Set([yield* current])
  const note = Effect.map(current, (now) => told.add(now))

  const report = Effect.gen(function*() {
    if ((yield* membership.state)._tag !== "Joined") return
    const now = yield* current
    const before = [...told]
    told.clear()
    told.add(now)
    if (before.every((each) => isSame(each, now))) return
    yield* transport.send(event, { computer }).pipe(
      Effect.catch((error) => {
        before.forEach((each) => told.add(each))
        return Effect.logDebug(`The change of the ${name} was not reported: ${error.message}`)
      })
    )
  })

  return {
    // also before: what is told may be as old as that
    telling: (answer) => Effect.tap(Effect.andThen(note, answer), note),
    start: Effect.gen(function*() {
      const asked = yield* Queue.sliding<void>(1)
      const settled: Effect.Effect<void> = Effect.flatMap(
        Effect.timeoutOption(Queue.take(asked), settle),
        ({ _tag }) => _tag === "Some" ? settled : Effect.void
      )
      const atMost = Duration.times(Duration.fromInputUnsafe(settle), HOW_OFTEN_UNSETTLED)
      // what changed while the seat was lost is looked at again when it is back
      yield* Stream.merge(changes, membership.changes).pipe(
        Stream.runForEach(() => Queue.offer(asked, undefined)),
        Background.fork(`Watching the ${name}`)
      )
      yield* Queue.take(asked).pipe(
        Effect.andThen(Effect.timeoutOption(settled, atMost)),
        Effect.andThen(report),
        Effect.forever,
        Background.fork(`Reporting the ${name}`)
      )
    })
  }
})
