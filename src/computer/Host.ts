/**
 * What a Computer does without an office: its MCP servers, their tools and windows, and calls of them. A seat in an office
 * (`Computer`) is taken on top of it; a program or a console may do without.
 */
import * as Layer from "effect/Layer"
import type * as Revision from "../protocol/Revision.ts"
import * as AuditLog from "./AuditLog.ts"
import * as Authorization from "./Authorization.ts"
import * as CallHistory from "./CallHistory.ts"
import * as Consent from "./Consent.ts"
import * as Desktop from "./Desktop.ts"
import * as Inputs from "./Inputs.ts"
import { layerConnector, layerLoginStarts } from "./internal/oauth/oauthHost.ts"
import * as ScriptChecks from "./internal/transform/scriptChecks.ts"
import type * as McpConnector from "./McpConnector.ts"
import * as McpManager from "./McpManager.ts"
import * as ResultTransform from "./ResultTransform.ts"
import * as ToolCalls from "./ToolCalls.ts"
import * as ToolRegistry from "./ToolRegistry.ts"

/** Options of {@link layer}. Each part can be replaced by one of your own. */
export interface Options extends McpManager.McpManagerOptions, Inputs.Options {
  /** How servers are reached. Default: every transport of MCP. */
  readonly connector?: Layer.Layer<McpConnector.McpConnector> | undefined
  /** The logins to remote servers. Default: `Authorization.layerMemory`, which forgets them at its end. */
  readonly authorization?: Layer.Layer<Authorization.Authorization> | undefined
  /** Which calls run. Default: those of tools that are declared read-only. */
  readonly consent?: Layer.Layer<Consent.Consent> | undefined
  /** Where calls are written down. Default: nowhere. */
  readonly auditLog?: Layer.Layer<AuditLog.AuditLog> | undefined
  /** What becomes of results. Default: what the scripts of the configuration say. */
  readonly resultTransform?: Layer.Layer<ResultTransform.ResultTransform> | undefined
  /** How many calls the history keeps. Default: 10. */
  readonly historySize?: number | undefined
}

/** What {@link layer} provides. */
export type Services =
  | McpManager.McpManager
  | ToolRegistry.ToolRegistry
  | Desktop.Desktop
  | ToolCalls.ToolCalls
  | Inputs.Inputs
  | Consent.Consent
  | CallHistory.CallHistory
  | AuditLog.AuditLog
  | ResultTransform.ResultTransform
  | McpConnector.McpConnector
  | Authorization.Authorization

/**
 * Starts the MCP servers in the background, with tools and windows named as a revision has it. All of it ends with the
 * layer. Building it twice makes two hosts.
 */
export const layer = (options: Options, revision?: Revision.Revision): Layer.Layer<Services> =>
  Layer.fresh(
    Layer.mergeAll(Layer.fresh(ToolCalls.layer), ScriptChecks.layer, layerLoginStarts).pipe(
      Layer.provideMerge(Layer.mergeAll(ToolRegistry.layerOf(revision), Desktop.layerOf(revision))),
      Layer.provideMerge(McpManager.layer(options)),
      Layer.provideMerge(Layer.mergeAll(
        Inputs.layer(options),
        options.connector ?? layerConnector,
        options.consent ?? Consent.layer({ mode: "read-only" }),
        CallHistory.layer({ size: options.historySize }),
        options.auditLog ?? AuditLog.layerNone,
        options.resultTransform ?? ResultTransform.layer
      )),
      Layer.provideMerge(options.authorization ?? Authorization.layerMemory)
    )
  )
