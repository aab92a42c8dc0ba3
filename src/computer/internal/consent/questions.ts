/**
 * Questions to a person, one at a time.
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import type * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import { messageOf } from "../../../protocol/Thrown.ts"

/** How a question ended. */
export type Reply<Answer> =
  | { readonly _tag: "Answered"; readonly answer: Answer }
  /** Somebody answered another question in a way that answers this one. */
  | { readonly _tag: "Settled"; readonly answer: Answer }
  | { readonly _tag: "TimedOut" }
  | { readonly _tag: "Failed"; readonly why: string }

/** Asks; interrupting it takes the question back. */
export type Ask<Question, Answer> = (question: Question) => Effect.Effect<Answer, unknown>

export interface Questions<Question, Answer> {
  /** The questions that wait, the one that is being asked included, the oldest first. */
  readonly pending: Effect.Effect<ReadonlyArray<Question>>
  readonly changes: Stream.Stream<ReadonlyArray<Question>>
  /** Waits for its turn, and then so long for an answer; `answered` is done before the next question has its turn. */
  readonly put: (
    question: Question,
    answered: (answer: Answer) => Effect.Effect<void>
  ) => Effect.Effect<Reply<Answer>>
  /** Answers the questions that wait and are like this. */
  readonly settle: (isMeant: (question: Question) => boolean, answer: Answer) => Effect.Effect<void>
}

interface Waiting<Question, Answer> {
  readonly question: Question
  readonly settled: Deferred.Deferred<Reply<Answer>>
}

/** How many questions wait at most: whoever calls must not fill the memory, nor what the person is shown. */
const MOST_WAITING = 100

/** Asks one question at a time, each for as long as `patience` says. */
export const makeQuestions = Effect.fnUntraced(function*<Question, Answer>(
  ask: Ask<Question, Answer>,
  patience: Duration.Input
): Effect.fn.Return<Questions<Question, Answer>> {
  const waiting = new Set<Waiting<Question, Answer>>()
  const pending = yield* SubscriptionRef.make<ReadonlyArray<Question>>([])
  const turn = yield* Semaphore.make(1)
  const show = Effect.suspend(() => SubscriptionRef.set(pending, [...waiting].map(({ question }) => question)))

  const asked = (question: Question) =>
    Effect.suspend(() => ask(question)).pipe(
      Effect.map((answer): Reply<Answer> => ({ _tag: "Answered", answer })),
      Effect.catchCause((cause) => Effect.succeed<Reply<Answer>>({ _tag: "Failed", why: describe(cause) })),
      Effect.timeoutOrElse({ duration: patience, orElse: () => Effect.succeed<Reply<Answer>>({ _tag: "TimedOut" }) })
    )

  return {
    pending: SubscriptionRef.get(pending),
    changes: SubscriptionRef.changes(pending),
    put: Effect.fnUntraced(function*(question, answered) {
      if (waiting.size >= MOST_WAITING) return { _tag: "Failed", why: "too many calls wait for an answer" }
      return yield* Effect.acquireUseRelease(
        Effect.gen(function*() {
          const mine = { question, settled: Deferred.makeUnsafe<Reply<Answer>>() }
          waiting.add(mine)
          yield* show
          return mine
        }),
        ({ settled }) =>
          Effect.raceFirst(
            Deferred.await(settled),
            turn.withPermits(1)(
              Effect.tap(
                asked(question),
                (reply) => reply._tag === "Answered" ? Effect.uninterruptible(answered(reply.answer)) : Effect.void
              )
            )
          ),
        (mine) => {
          waiting.delete(mine)
          return show
        }
      )
    }),
    settle: (isMeant, answer) =>
      Effect.sync(() => {
        for (const { question, settled } of waiting) {
          if (isMeant(question)) Deferred.doneUnsafe(settled, Effect.succeed({ _tag: "Settled", answer }))
        }
      })
  }
})

const LONGEST_REASON = 200

const describe = (cause: Cause.Cause<unknown>): string => {
  if (Cause.hasInterruptsOnly(cause)) return "the question was taken back"
  const error = Cause.squash(cause)
  const [line = ""] = messageOf(error).split("\n")
  return line.slice(0, LONGEST_REASON)
}
