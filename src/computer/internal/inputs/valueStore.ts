/**
 * Values of inputs that are no secrets, in a plain file: a JSON object by id.
 */
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import { isRecord } from "../../../protocol/Json.ts"
import { InputError } from "../../InputError.ts"
import { readOwnFile, replaceFile } from "../files.ts"
import { whileLocked } from "../lockFile.ts"
import type { InputValue } from "./inputValues.ts"

export interface ValueStore {
  /** As it was written, or undefined. */
  readonly get: (id: string) => Effect.Effect<unknown, InputError>
  readonly set: (id: string, value: InputValue) => Effect.Effect<void, InputError>
  /** Whether any of them had a value. */
  readonly remove: (ids: ReadonlyArray<string>) => Effect.Effect<boolean, InputError>
}

/** Keeps nothing. */
export const noValueStore: ValueStore = {
  get: () => Effect.undefined,
  set: () => Effect.void,
  remove: () => Effect.succeed(false)
}

type Values = Readonly<Record<string, unknown>>

/** The file is read anew each time: another program may write it as well. */
export const makeValueStore = (path: string): ValueStore => {
  const turn = Semaphore.makeUnsafe(1)
  const failed = (why: string) =>
    new InputError({ reason: "store", message: `The file with the values of inputs, ${path}, ${why}.` })
  const all: Effect.Effect<Values, InputError> = readOwnFile(path).pipe(
    Effect.mapError(({ message }) => failed(`cannot be read: ${message}`)),
    Effect.flatMap((text) =>
      text === undefined ? Effect.succeed({}) : Effect.try({
        try: () => {
          const value: unknown = JSON.parse(text)
          if (!isRecord(value)) throw new Error("no object")
          return value
        },
        // it may hold what a person wants back: it is not replaced
        catch: () => failed("is not a JSON object; repair or remove it")
      })
    )
  )
  const replace = (values: Values) =>
    Effect.mapError(
      replaceFile(path, `${JSON.stringify(values, undefined, 2)}\n`),
      ({ message }) => failed(`cannot be written: ${message}`)
    )
  /** Whether `update` gave anything to write. When not, no file and no directory is made. */
  const change = (update: (values: Values) => Values | undefined): Effect.Effect<boolean, InputError> => {
    const whenChanged = (perform: (next: Values) => Effect.Effect<boolean, InputError>) =>
      Effect.flatMap(all, (values) => {
        const next = update(values)
        return next === undefined ? Effect.succeed(false) : perform(next)
      })
    const write = whenChanged((next) => Effect.as(replace(next), true))
    return turn.withPermit(whenChanged(() => whileLocked(`${path}.lock`, write)))
  }
  return {
    get: (id) => Effect.map(all, (values) => Object.hasOwn(values, id) ? values[id] : undefined),
    set: (id, value) =>
      Effect.asVoid(change((values) => values[id] === value ? undefined : { ...values, [id]: value })),
    remove: (ids) =>
      change((values) => {
        const kept = Object.entries(values).filter(([id]) => !ids.includes(id))
        return kept.length === Object.keys(values).length ? undefined : Object.fromEntries(kept)
      })
  }
}
