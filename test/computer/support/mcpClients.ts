import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { fileURLToPath } from "node:url"
import * as McpClient from "../../../src/computer/McpClient.ts"
import type { McpErrorReason } from "../../../src/computer/McpError.ts"

export const rawServer = fileURLToPath(new URL("./rawMcpServer.mjs", import.meta.url))
/** Connects to the raw server with these settings. */
export const connect = (
  settings: Record<string, unknown> = {},
  options: Partial<Parameters<typeof McpClient.connectStdio>[0]> = {}
) =>
  McpClient.connectStdio({
    command: process.execPath,
    args: [rawServer, JSON.stringify(settings)],
    eofGrace: "300 millis",
    termGrace: "300 millis",
    ...options
  })

/** How an effect fails that is expected to. */
export const failure = <A, R>(
  self: Effect.Effect<A, { readonly reason: McpErrorReason; readonly message: string }, R>
) => Effect.map(Effect.flip(self), ({ message, reason }) => ({ message, reason }))

export const expectReason = <Tag extends McpErrorReason["_tag"]>(
  reason: McpErrorReason,
  tag: Tag
): Extract<McpErrorReason, { readonly _tag: Tag }> => {
  assert.strictEqual(reason._tag, tag)
  return reason as Extract<McpErrorReason, { readonly _tag: Tag }>
}

/** The text of a tool's result. */
export const textOf = (result: Readonly<Record<string, unknown>>): string =>
  (result as { content: ReadonlyArray<{ text: string }> }).content[0]?.text ?? ""

/** What runs in this many seconds has not waited for any deadline. */
export const atOnce = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.timeoutOrElse(self, { duration: "20 seconds", orElse: () => Effect.die(new Error("it hangs")) })

/** A message as the raw server has received it. */
export interface Received {
  readonly id?: number
  readonly method?: string
  readonly params?: { readonly requestId?: number; readonly arguments?: Readonly<Record<string, unknown>> }
}

/** All that the server has received so far. */
export const received = (client: McpClient.McpClient) =>
  client.callTool("received", {}).pipe(
    Effect.map((result): ReadonlyArray<Received> => JSON.parse(textOf(result)))
  )
