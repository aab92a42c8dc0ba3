/**
 * The audit log: every tool call, one line of JSON each, appended to a file that is never rewritten.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { CallRecord } from "./CallRecord.ts"
import { makeAppendedFile } from "./internal/appendedFile.ts"
import { jsonHash } from "./internal/jsonHash.ts"

/** Where tool calls are written down. */
export class AuditLog extends Context.Service<AuditLog, {
  /** Does not wait for the disk, and never fails. */
  readonly write: (record: CallRecord) => Effect.Effect<void>
}>()("a2c-smcp/computer/AuditLog") {}

/** Nothing is written. */
export const layerNone: Layer.Layer<AuditLog> = Layer.succeed(AuditLog, { write: () => Effect.void })

/** Options of {@link layerFile}. */
export interface FileOptions {
  /** Made when it does not exist, readable by its owner only; its directory has to be there. */
  readonly path: string
}

/**
 * Appends to a file, in the order in which calls end: their time in ISO 8601 and UTC, request id, Agent, server, tool, the
 * name under which it was called, outcome, what decided that it runs, duration in milliseconds, and the SHA-256 of the
 * arguments as JSON with sorted keys and without spaces. The arguments and the result are not in it. The hash proves which arguments a call
 * had to whoever has them; who has only the hash can try those that are easy to guess, which is why the file is private.
 *
 * Lines are written in the background, and before the layer ends. A file that was moved away or removed is made anew. When
 * writing fails, calls go on: a warning is logged, and another line when it works again; lines that wait are kept, 10,000
 * of them at most.
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
    request_id: short(record.requestId),
    agent: short(record.agent),
    server: record.server ?? null,
    tool: short(record.tool),
    name: short(record.exposedName),
    outcome: record.outcome,
    decided_by: record.decidedBy ?? null,
    duration_ms: Math.round(record.durationMillis),
    arguments_sha256: jsonHash(record.args) ?? null
  })

/** What an Agent chooses must not fill the disk. */
const LONGEST = 256

const short = (text: string): string => text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text
