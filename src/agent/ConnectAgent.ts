/**
 * An Agent for programs without Effect: promises, an `AbortSignal`, plain data.
 */
import * as Effect from "effect/Effect"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import type { SessionInfo } from "../protocol/Office.ts"
import type { GetConfigRet } from "../protocol/ServerConfig.ts"
import * as Agent from "./Agent.ts"
import type { ResourcePage } from "./AgentResource.ts"
import type { AgentSkill, SkillFile } from "./AgentSkill.ts"
import type { AgentTool } from "./AgentTool.ts"
import type { AgentWindow, DesktopOptions } from "./AgentWindow.ts"
import type { Download, DownloadOptions } from "./BlobDownload.ts"
import type { Catalog } from "./Catalog.ts"
import type { OfficeEvent } from "./OfficeEvent.ts"
import type { ToolOutcome } from "./ToolOutcome.ts"
import type { Progress, Uploaded } from "./Upload.ts"

/** Options of {@link connectAgent}. */
export interface ConnectOptions extends Omit<Agent.Options, "apiKey" | "credentials"> {
  /** Sent as `auth.token`. */
  readonly apiKey?: string | undefined
}

/** Options of a call. */
export interface SignalOptions {
  /** Aborting it cancels the call at the Computer; the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
}

/** Options of an upload. */
export interface UploadOptions extends SignalOptions {
  /** The file name the Computer may build its own on. */
  readonly nameHint?: string | undefined
  /** Told at the start and after every confirmed chunk. */
  readonly onProgress?: ((progress: Progress) => void) | undefined
}

/** A connected Agent. Every promise that is not aborted rejects with an `SmcpError` whose `reason` says why. */
export interface ConnectedAgent {
  readonly tools: (computer?: string, options?: SignalOptions) => Promise<ReadonlyArray<AgentTool>>
  readonly callTool: (call: Agent.ToolCall, options?: SignalOptions) => Promise<ToolOutcome>
  readonly computers: (options?: SignalOptions) => Promise<ReadonlyArray<SessionInfo>>
  readonly config: (computer: string, options?: SignalOptions) => Promise<GetConfigRet>
  /** One page of the resources of one MCP server; the next begins at its `nextCursor`. */
  readonly resources: (
    computer: string,
    mcpServer: string,
    options?: { readonly cursor?: string | undefined } & SignalOptions
  ) => Promise<ResourcePage>
  /** The windows of a Computer's desktop, the most important first. */
  readonly desktop: (computer: string, options?: DesktopOptions & SignalOptions) => Promise<ReadonlyArray<AgentWindow>>
  readonly skills: (computer: string, options?: SignalOptions) => Promise<ReadonlyArray<AgentSkill>>
  /** One file of a skill; `SKILL.md` unless `path` says otherwise. */
  readonly skillFile: (
    computer: string,
    name: string,
    options?: { readonly path?: string | undefined } & SignalOptions
  ) => Promise<SkillFile>
  /** The bytes behind a handle, checked. */
  readonly download: (computer: string, handle: string, options?: DownloadOptions & SignalOptions) => Promise<Download>
  /** The same piece by piece; the last piece comes only when the hash of all is right. */
  readonly blob: (computer: string, handle: string) => AsyncIterable<Uint8Array>
  /** Writes bytes to a file on the Computer. */
  readonly upload: (computer: string, bytes: Uint8Array, options?: UploadOptions) => Promise<Uploaded>
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
      .catch((error: unknown) => {
        signals?.signal?.throwIfAborted()
        throw error
      })
  return {
    tools: (computer, signals) => run(agent.tools(computer), signals),
    callTool: (call, signals) => run(agent.callTool(call), signals),
    computers: (signals) => run(agent.computers, signals),
    config: (computer, signals) => run(agent.config(computer), signals),
    resources: (computer, mcpServer, options) => run(agent.resources(computer, mcpServer, options), options),
    desktop: (computer, options) => run(agent.desktop(computer, options), options),
    skills: (computer, signals) => run(agent.skills(computer), signals),
    skillFile: (computer, name, options) => run(agent.skillFile(computer, name, options), options),
    download: (computer, handle, options) => run(agent.download(computer, handle, options), options),
    blob: (computer, handle) => Stream.toAsyncIterable(agent.blob(computer, handle)),
    upload: (computer, bytes, options = {}) => {
      const { nameHint, onProgress } = options
      return run(
        agent.upload(computer, bytes, {
          nameHint,
          onProgress: onProgress && ((progress) => Effect.sync(() => onProgress(progress)))
        }),
        options
      )
    },
    catalog: () => run(agent.catalog),
    events: () => Stream.toAsyncIterable(agent.events),
    close: () => runtime.dispose()
  }
}
