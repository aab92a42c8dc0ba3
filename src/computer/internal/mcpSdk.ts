/**
 * All that is used of the MCP SDK, which keeps another version of it one file away. What it types with its own schemas
 * stays behind `McpClient` and the authorization.
 */
export {
  discoverAuthorizationServerMetadata,
  discoverOAuthProtectedResourceMetadata,
  exchangeAuthorization,
  extractWWWAuthenticateParams,
  refreshAuthorization,
  registerClient,
  startAuthorization
} from "@modelcontextprotocol/sdk/client/auth.js"
export { Client } from "@modelcontextprotocol/sdk/client/index.js"
export { OAuthError } from "@modelcontextprotocol/sdk/server/auth/errors.js"
export { checkResourceAllowed } from "@modelcontextprotocol/sdk/shared/auth-utils.js"
export type {
  AuthorizationServerMetadata,
  OAuthClientInformationFull,
  OAuthClientInformationMixed,
  OAuthClientMetadata,
  OAuthProtectedResourceMetadata,
  OAuthTokens
} from "@modelcontextprotocol/sdk/shared/auth.js"
export { McpError as SdkError } from "@modelcontextprotocol/sdk/types.js"
export type {
  JsonSchemaValidator,
  jsonSchemaValidator as JsonSchemaCompiler
} from "@modelcontextprotocol/sdk/validation/types.js"
