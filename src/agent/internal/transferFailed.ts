import * as Effect from "effect/Effect"
import * as SmcpError from "../../protocol/SmcpError.ts"

/** Fails with `BlobTransferFailed`. */
export const transferFailed = (
  problem: SmcpError.BlobTransferFailed["problem"],
  message: string
): Effect.Effect<never, SmcpError.SmcpError> =>
  Effect.fail(SmcpError.make(new SmcpError.BlobTransferFailed({ problem, message })))
