/**
 * The audit log: every tool call, one line of JSON each, appended to a file that is never rewritten.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { CallRecord } from "./CallRecord.ts"

/** Where tool calls are written down. */
export class AuditLog extends Context.Service<AuditLog, {
  readonly write: (record: CallRecord) => Effect.Effect<void>
}>()("a2c-smcp/computer/AuditLog") {}

/** Nothing is written. */
export const layerNone: Layer.Layer<AuditLog> = Layer.succeed(AuditLog, { write: () => Effect.void })
