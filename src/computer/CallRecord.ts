/**
 * What is remembered of a tool call, for the person at the Computer.
 */

/** How a call ended. */
export type CallOutcome = "ok" | "failed" | "cancelled" | "timed-out" | "refused" | "authorization"

/** A tool call that has ended. */
export interface CallRecord {
  /** When it began, in milliseconds since 1970. */
  readonly time: number
  readonly requestId: string
  /** Who called: the Agent's name, or `console`. */
  readonly agent: string
  /** The bundle id of the server; undefined when no tool has this name. */
  readonly server: string | undefined
  /** The name under which the server knows the tool, or the name that was called when there is no such tool. */
  readonly tool: string
  /** The name under which the tool was called. */
  readonly exposedName: string
  /** As they came: whoever keeps or shows them hides what is secret. */
  readonly args: Readonly<Record<string, unknown>>
  /** JSON Schema of the arguments, as far as it is known. */
  readonly inputSchema: Readonly<Record<string, unknown>> | undefined
  readonly outcome: CallOutcome
  /** The text of a result that is an error, shortened; undefined when it went well. */
  readonly error: string | undefined
  /** What allowed or refused it. */
  readonly decidedBy: string | undefined
  readonly durationMillis: number
}
