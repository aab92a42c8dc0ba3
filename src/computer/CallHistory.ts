/**
 * The history of tool calls: the newest ones, in memory, with what is secret in their arguments hidden.
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberHandle from "effect/FiberHandle"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { CallRecord } from "./CallRecord.ts"
import { redactArguments, textRedactor } from "./internal/secrets/argumentRedaction.ts"
import { redactText } from "./internal/secrets/secretText.ts"
import { shortName } from "./internal/shortName.ts"
import { makeSignal } from "./internal/signal.ts"

/** The newest tool calls. */
export class CallHistory extends Context.Service<CallHistory, {
  /** Hides what is secret in the arguments and the error, and keeps the rest of them shortened. */
  readonly add: (record: CallRecord) => Effect.Effect<void>
  /** The newest first. */
  readonly recent: Effect.Effect<ReadonlyArray<CallRecord>>
  /** The newest calls, now and again after each. */
  readonly changes: Stream.Stream<ReadonlyArray<CallRecord>>
}>()("a2c-smcp/computer/CallHistory") {}

/** Keeps so many calls. Default: 10. */
export const layer = (options: { readonly size?: number | undefined } = {}): Layer.Layer<CallHistory> =>
  Layer.effect(CallHistory, Effect.suspend(() => make(options.size ?? 10)))

/** Whether there is something in a text that the history would hide in it: what looks like a secret, or is called one. */
export const holdsSecret = (text: string): boolean => redactText(text) !== text

/** What is not looked at is made fit to be kept after this long. */
const RAW_FOR: Duration.Input = "1 second"

/**
 * Where calls come by the thousand most are gone before anybody looks. So a call is kept as it is at first; what is secret
 * in it is hidden, and the rest shortened, when it is looked at, and soon when it is not.
 */
const make = Effect.fnUntraced(function*(size: number): Effect.fn.Return<CallHistory["Service"], never, Scope.Scope> {
  const cleaning = yield* FiberHandle.make<void>()
  const fork = yield* FiberHandle.runtime(cleaning)()
  const { stream: changed, tell } = makeSignal()
  /** The newest last; those from `raw` on are not cleaned yet. */
  const kept: Array<CallRecord> = []
  let raw = 0
  let isCleaning = false

  const clean = (): void => {
    for (; raw < kept.length; raw++) kept[raw] = withoutSecrets(kept[raw]!)
  }
  const recent = (): ReadonlyArray<CallRecord> => {
    clean()
    return [...kept].reverse()
  }
  const cleanSoon = (): void => {
    if (isCleaning) return
    isCleaning = true
    fork(Effect.andThen(
      Effect.sleep(RAW_FOR),
      Effect.sync(() => {
        isCleaning = false
        clean()
      })
    ))
  }

  return CallHistory.of({
    add: (record) =>
      Effect.sync(() => {
        kept.push(record)
        if (kept.length > size) {
          kept.shift()
          raw = Math.max(0, raw - 1)
        }
        cleanSoon()
        tell()
      }),
    recent: Effect.sync(recent),
    changes: Stream.map(changed, recent)
  })
})

const withoutSecrets = (record: CallRecord): CallRecord => {
  const { args, error, inputSchema } = record
  return {
    ...record,
    requestId: shortName(record.requestId),
    agent: shortName(record.agent),
    tool: shortName(record.tool),
    exposedName: shortName(record.exposedName),
    args: redactArguments(args, inputSchema),
    error: error === undefined ? undefined : textRedactor(args, inputSchema)(error)
  }
}
