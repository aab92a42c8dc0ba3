/**
 * Questions to the person at the terminal, one at a time: who asks while another question is open waits for its turn.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Semaphore from "effect/Semaphore"

/** A question. */
export interface Question<A> {
  /** What it is about, in lines; shown above the prompt. */
  readonly about: string
  /** Stands before the answer, e.g. `Run it? [y/N]`. */
  readonly prompt: string
  /** The answer is not shown while it is typed, and kept nowhere. */
  readonly hidden?: boolean | undefined
  /** Reads an answer, or says what is wrong with it; then it is asked again. */
  readonly read: (answer: string) => Result.Result<A, string>
}

/** How a terminal asks: `undefined` when the person would rather not answer. */
export type AskLine = (question: {
  readonly about: string
  readonly prompt: string
  readonly hidden: boolean
}) => Effect.Effect<string | undefined>

/** Who asks the person. */
export class Questions extends Context.Service<Questions, {
  /** Whether there is anybody to ask. */
  readonly available: boolean
  /** None when nobody is there or the person would rather not answer (Ctrl-C). Interrupting it withdraws the question. */
  readonly ask: <A>(question: Question<A>) => Effect.Effect<Option.Option<A>>
  /** Asks several questions that belong together, with none of others in between. */
  readonly together: <A, E, R>(
    self: (ask: <B>(question: Question<B>) => Effect.Effect<Option.Option<B>>) => Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E, R>
}>()("a2c-smcp/cli/Questions") {}

/** Nobody is there. */
export const layerNobody: Layer.Layer<Questions> = Layer.succeed(Questions, {
  available: false,
  ask: () => Effect.succeed(Option.none()),
  together: (self) => self(() => Effect.succeed(Option.none()))
})

/** Asks the person at a terminal. */
export const layer = (askLine: AskLine): Layer.Layer<Questions> =>
  Layer.sync(Questions, () => {
    const turn = Semaphore.makeUnsafe(1)
    const ask = <A>({ about, hidden = false, prompt, read }: Question<A>): Effect.Effect<Option.Option<A>> => {
      const once = (heading: string): Effect.Effect<Option.Option<A>> =>
        Effect.flatMap(askLine({ about: heading, prompt, hidden }), (line) => {
          if (line === undefined) return Effect.succeed(Option.none())
          const answer = read(line)
          return Result.isSuccess(answer) ? Effect.succeed(Option.some(answer.success)) : once(answer.failure)
        })
      return once(about)
    }
    return Questions.of({
      available: true,
      ask: (question) => turn.withPermit(ask(question)),
      together: (self) => turn.withPermit(self(ask))
    })
  })
