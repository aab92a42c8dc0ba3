/**
 * The history of tool calls: the newest ones, in memory, with what is secret in their arguments hidden.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import type { CallRecord } from "./CallRecord.ts"
import { redactArguments, textRedactor } from "./internal/argumentRedaction.ts"

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
  Layer.effect(
    CallHistory,
    Effect.map(SubscriptionRef.make<ReadonlyArray<CallRecord>>([]), (records) => ({
      add: (record) =>
        SubscriptionRef.update(records, (all) => [withoutSecrets(record), ...all].slice(0, options.size ?? 10)),
      recent: SubscriptionRef.get(records),
      changes: SubscriptionRef.changes(records)
    }))
  )

const withoutSecrets = (record: CallRecord): CallRecord => {
  const { args, error, inputSchema } = record
  return {
    ...record,
    args: redactArguments(args, inputSchema),
    error: error === undefined ? undefined : textRedactor(args, inputSchema)(error)
  }
}
