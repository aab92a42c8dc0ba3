/**
 * An Agent for programs without Effect: promises, an `AbortSignal`, plain data.
 */
import type * as Effect from "effect/Effect"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import type { SessionInfo } from "../protocol/Office.ts"
import type { GetConfigRet } from "../protocol/ServerConfig.ts"
import * as Agent from "./Agent.ts"
import type { AgentTool } from "./AgentTool.ts"
import type { Catalog } from "./Catalog.ts"
import type { OfficeEvent } from "./OfficeEvent.ts"
import type { ToolOutcome } from "./ToolOutcome.ts"

/** Options of {@link connectAgent}. */
export interface ConnectOptions extends Omit<Agent.Options, "apiKey" | "credentials"> {
  /** Sent as `auth.token`. */
  readonly apiKey?: string | undefined
}

/** Options of a call. */
export interface SignalOptions {
  /** Aborting it cancels the call at the Computer; the promise rejects. */
  readonly signal?: AbortSignal | undefined
}

/** A connected Agent. Every promise rejects with an `SmcpError` whose `reason` says why. */
export interface ConnectedAgent {
  readonly tools: (computer?: string, options?: SignalOptions) => Promise<ReadonlyArray<AgentTool>>
  readonly callTool: (call: Agent.ToolCall, options?: SignalOptions) => Promise<ToolOutcome>
  readonly computers: (options?: SignalOptions) => Promise<ReadonlyArray<SessionInfo>>
  readonly config: (computer: string, options?: SignalOptions) => Promise<GetConfigRet>
  /** What the office offers now, without asking. */
  readonly catalog: () => Promise<Catalog>
  /** What happens in the office from now on; ends with `close`. */
  readonly events: () => AsyncIterable<OfficeEvent>
  /** Leaves the office and disconnects. */
  readonly close: () => Promise<void>
}

/** Connects, takes the seat, and resolves when the Agent sits in its office. */
export const connectAgent = async (options: ConnectOptions): Promise<ConnectedAgent> => {
  const { apiKey, ...rest } = options
  const runtime = ManagedRuntime.make(
    Agent.layer({ ...rest, apiKey: apiKey === undefined ? undefined : Redacted.make(apiKey) })
  )
  const agent = await runtime.runPromise(Agent.Agent).catch(async (error: unknown) => {
    await runtime.dispose()
    throw error
  })
  const run = <A, E>(effect: Effect.Effect<A, E>, signals?: SignalOptions): Promise<A> =>
    runtime.runPromise(effect, signals?.signal === undefined ? {} : { signal: signals.signal })
  return {
    tools: (computer, signals) => run(agent.tools(computer), signals),
    callTool: (call, signals) => run(agent.callTool(call), signals),
    computers: (signals) => run(agent.computers, signals),
    config: (computer, signals) => run(agent.config(computer), signals),
    catalog: () => run(agent.catalog),
    events: () => Stream.toAsyncIterable(agent.events),
    close: () => runtime.dispose()
  }
}
