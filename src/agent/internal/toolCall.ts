/**
 * One tool call: sent, awaited, cancelled, and its large parts fetched.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as ClientEvent from "../../protocol/ClientEvent.ts"
import * as RequestId from "../../protocol/RequestId.ts"
import * as ServerEvent from "../../protocol/ServerEvent.ts"
import * as ToolResult from "../../protocol/ToolResult.ts"
import type { Transport } from "../../transport/Transport.ts"
import type { RunningCall, ToolCall } from "../Agent.ts"
import * as ToolOutcome from "../ToolOutcome.ts"
import { type DownloadFrom, restoreBlobs } from "./restoreBlobs.ts"

const DEFAULT_TIMEOUT = "60 seconds"

/** Prepares calls of one Agent. */
export const prepareCall =
  (transport: Transport["Service"], agent: string, download: DownloadFrom) => (call: ToolCall): RunningCall => {
    const reqId = RequestId.make()
    const timeout = Duration.fromInputUnsafe(call.timeout ?? DEFAULT_TIMEOUT)
    const seconds = Math.max(1, Math.ceil(Duration.toSeconds(timeout)))
    const cancel = transport.send(ServerEvent.ToolCallCancel, { agent, req_id: reqId })
    const ended = transport.call(
      ClientEvent.ToolCall,
      {
        computer: call.computer,
        tool_name: call.tool,
        params: call.params ?? {},
        agent,
        req_id: reqId,
        timeout: seconds
      },
      { timeout: Duration.seconds(seconds) }
    ).pipe(
      Effect.map(ToolOutcome.fromResult),
      Effect.catchReason(
        "SmcpError",
        "CallTimeout",
        () => Effect.as(Effect.ignore(cancel), ToolOutcome.fromResult(ToolResult.timedOut(seconds)))
      ),
      Effect.onInterrupt(() => Effect.ignore(cancel))
    )
    const outcome = call.blobs === "keep"
      ? ended
      : Effect.flatMap(ended, (outcome) => restoreBlobs(outcome, download(call.computer), call.maxRestoredBytes))
    return { reqId, outcome, cancel }
  }
