/**
 * What a Computer makes of the results of a server whose configuration has a script (specification, data structures: `vrl`).
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { CallToolResult } from "../protocol/Tool.ts"
import type { ServerEntry } from "./ServerEntry.ts"

/** A result with what it belongs to. */
export interface TransformEvent {
  readonly result: CallToolResult
  /** The original name of the tool. */
  readonly tool: string
  readonly args: Readonly<Record<string, unknown>>
}

/** Transforms results. */
export class ResultTransform extends Context.Service<ResultTransform, {
  /** What is wrong with the script of a server, with line and column; undefined when it can be used or there is none. */
  readonly check: (entry: ServerEntry) => Effect.Effect<string | undefined>
  /** The result with what the script made of it in its `meta`. Never fails: what goes wrong is a warning. */
  readonly apply: (entry: ServerEntry, event: TransformEvent) => Effect.Effect<CallToolResult>
}>()("a2c-smcp/computer/ResultTransform") {}

/** Results stay as they are. */
export const layerNone: Layer.Layer<ResultTransform> = Layer.succeed(ResultTransform, {
  check: () => Effect.succeed(undefined),
  apply: (_entry, { result }) => Effect.succeed(result)
})
