/**
 * Consent: which tool calls run, and who says so (specification, Computer: confirmation of tool calls).
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { McpTool } from "./McpClient.ts"

/** A tool call that is about to run. */
export interface PendingCall {
  readonly requestId: string
  /** Who asks: the Agent's name, or `console`. */
  readonly agent: string
  /** The bundle id of the server. */
  readonly server: string
  /** The name under which the server itself knows the tool. */
  readonly tool: string
  /** The name under which the tool was called. */
  readonly exposedName: string
  readonly args: Readonly<Record<string, unknown>>
  /** The tool as its server describes it now. */
  readonly definition: McpTool
  /** `auto_apply` of the configuration. */
  readonly autoApply: boolean
}

/** Whether a call may run. */
export type Verdict =
  /** `by` says what allowed it, for the records: `auto_apply`, `policy`, `read-only`, `all`, `remembered`, `person`. */
  | { readonly _tag: "Allowed"; readonly by: string }
  /** `message` tells the Agent why, and the person at the Computer how to allow it. */
  | { readonly _tag: "Refused"; readonly by: string; readonly message: string }

/** Decides whether a tool call runs. */
export class Consent extends Context.Service<Consent, {
  /** May wait for a person; interrupting it withdraws the question. Never fails: what goes wrong is a refusal. */
  readonly check: (call: PendingCall) => Effect.Effect<Verdict>
}>()("a2c-smcp/computer/Consent") {}

/** Everything runs. */
export const layerAllowAll: Layer.Layer<Consent> = Layer.succeed(Consent, {
  check: () => Effect.succeed({ _tag: "Allowed", by: "all" })
})
