import * as Effect from "effect/Effect"
import type { McpClient } from "../../McpClient.ts"

const LINES = 200

/** The last lines that the processes of one server wrote to stderr. */
export interface LastWords {
  /** Those of earlier processes first. */
  readonly lines: Effect.Effect<ReadonlyArray<string>>
  /** Adds lines of a process that was never connected to. */
  readonly add: (lines: ReadonlyArray<string>) => void
  /** From now on a connection's lines belong to them. */
  readonly follow: (client: McpClient) => void
  /** Keeps the lines of a connection that is gone. */
  readonly keep: (client: McpClient) => Effect.Effect<void>
}

export const makeLastWords = (): LastWords => {
  let kept: ReadonlyArray<string> = []
  let followed: McpClient | undefined
  const linesOf = (client: McpClient) =>
    Effect.map(client.diagnostics, ({ stderrTail }) => [...kept, ...stderrTail].slice(-LINES))
  return {
    lines: Effect.suspend(() => followed === undefined ? Effect.succeed(kept) : linesOf(followed)),
    add: (lines) => {
      kept = [...kept, ...lines].slice(-LINES)
    },
    follow: (client) => {
      followed = client
    },
    keep: (client) =>
      Effect.map(Effect.suspend(() => linesOf(client)), (lines) => {
        kept = lines
        followed = undefined
      })
  }
}
