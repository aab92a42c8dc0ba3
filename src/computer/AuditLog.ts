/**
 * The audit log: every tool call, one line of JSON each, appended to a file that is never rewritten.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { CallRecord } from "./CallRecord.ts"
import { makeAppendedFile } from "./internal/appendedFile.ts"
import { jsonHash } from "./internal/jsonHash.ts"
import { shortName } from "./internal/shortName.ts"

/** Where tool calls are written down. */
export class AuditLog extends Context.Service<AuditLog, {
  /** Does not wait for the disk, and never fails. */
  readonly write: (record: CallRecord) => Effect.Effect<void>
}>()("a2c-smcp/computer/AuditLog") {}

/** Nothing is written. */
export const layerNone: Layer.Layer<AuditLog> = Layer.succeed(AuditLog, { write: () => Effect.void })

/** Options of {@link layerFile}. */
export interface FileOptions {
  /**
   * Made when it does not exist, readable by its owner only; its directory has to be there. What exists keeps its
   * permissions, and a link is followed.
   */
  readonly path: string
}

/**
 * Appends to a file, in the order in which calls end, one JSON object a line:
 *
 * - `time`: when the call began, ISO 8601 in UTC; `duration_ms`
 * - `request_id`, and `agent`: who called, or `console`
 * - `server` (null when no tool has the name), `tool`, and `name`, under which it was called
 * - `outcome`, and `decided_by`: what let it run or refused it
 * - `arguments_sha256`: of the arguments as JSON without spaces, keys sorted
 *
 * Neither arguments nor results are in it. The hash proves to whoever has the arguments that the call had them; who has only
 * the hash can find out what is easy to guess, which is why the file is private.
 *
 * Lines are written in the background, and before the layer ends. A file that was moved away or removed is made anew. When
 * writing fails calls go on, a warning is logged once, and 10,000 lines wait until it works again; some may then be there
 * twice.
 */
export const layerFile = ({ path }: FileOptions): Layer.Layer<AuditLog> =>
  Layer.effect(
    AuditLog,
    Effect.map(makeAppendedFile({ path, what: "audit log" }), (append) => ({
      write: (record) => append(lineOf(record))
    }))
  )

const lineOf = (record: CallRecord): string =>
  JSON.stringify({
    time: new Date(record.time).toISOString(),
    request_id: shortName(record.requestId),
    agent: shortName(record.agent),
    server: record.server ?? null,
    tool: shortName(record.tool),
    name: shortName(record.exposedName),
    outcome: record.outcome,
    decided_by: record.decidedBy ?? null,
    duration_ms: Math.round(record.durationMillis),
    arguments_sha256: jsonHash(record.args) ?? null
  })
