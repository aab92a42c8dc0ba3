/**
 * Tool results for calls that failed for want of authorization (specification, error handling: MCP upstream authorization).
 */
import type { CallToolResult } from "../../../protocol/Tool.ts"
import * as ToolResult from "../../../protocol/ToolResult.ts"
import type { AuthFailed, AuthRequired } from "../../McpError.ts"
import { parseChallenge } from "./oauthChallenge.ts"

const MOST_SHOWN = 10
const LONGEST_SHOWN = 80

/**
 * The result for a refusal. Its hint is made of our own words and names nothing of the server's but the scopes it asks for:
 * no URL, no header, no token ever gets into it.
 */
export const authResult = (bundleId: string, reason: AuthRequired | AuthFailed): CallToolResult => {
  const server = `The MCP server "${bundleId}"`
  if (reason._tag === "AuthRequired") {
    return ToolResult.unauthorized(4006, bundleId, {
      action: "user_authorization_required",
      message: `${server} needs a login. Log in to it at its Computer, then call the tool again.`
    })
  }
  const { error, scopes } = parseChallenge(reason.challenge)
  if (error === "insufficient_scope") {
    return ToolResult.unauthorized(4007, bundleId, {
      action: "additional_permission_required",
      message: `${server} does not permit this to the login it has${shownScopes(scopes)}. ` +
        "Log in to it at its Computer with more permissions, then call the tool again."
    })
  }
  return ToolResult.unauthorized(4007, bundleId, {
    action: "user_reauthorization_required",
    message: `${server} refuses the login it has, or it can no longer be renewed. ` +
      "Check its permissions or log in to it again at its Computer, then call the tool again."
  })
}

/** Names of permissions, and nothing that could be more than a name. */
const shownScopes = (scopes: ReadonlyArray<string>): string => {
  const shown = scopes.filter((scope) => scope.length <= LONGEST_SHOWN && /^[\w.:/+-]+$/.test(scope)).slice(
    0,
    MOST_SHOWN
  )
  return shown.length === 0 ? "" : ` (it asks for ${shown.join(", ")})`
}
