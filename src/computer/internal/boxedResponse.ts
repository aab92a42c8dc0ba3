/**
 * Results and errors travel through the MCP SDK in a box: it validates, strips or rewrites what it can see, and drops a
 * response, and with it the end of the call, for a `_meta` that is not to its liking.
 */
import { isRecord } from "../../protocol/Json.ts"
import type { Frame } from "./jsonRpcFrame.ts"

/** The `data` of a boxed error: the error as the server sent it. */
export class BoxedError {
  readonly error: Readonly<Record<string, unknown>>
  constructor(error: Readonly<Record<string, unknown>>) {
    this.error = error
  }
}

/** Boxes the result or the error of a response, in place, because the SDK goes on with the same object. */
export const boxResponse = (frame: { -readonly [Key in keyof Frame]: Frame[Key] }): void => {
  if (isRecord(frame["result"])) frame["result"] = { boxed: frame["result"] }
  else if (isRecord(frame["error"])) {
    const { code, message } = frame["error"]
    frame["error"] = { code, message, data: new BoxedError(frame["error"]) }
  }
}

/** The result that `boxResponse` has boxed. */
export const unboxResult = (result: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> =>
  isRecord(result["boxed"]) ? result["boxed"] : result
