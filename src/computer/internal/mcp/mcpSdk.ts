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
import type { JsonSchemaValidator } from "@modelcontextprotocol/sdk/validation/types.js"
export type {
  JsonSchemaValidator,
  jsonSchemaValidator as JsonSchemaCompiler
} from "@modelcontextprotocol/sdk/validation/types.js"

/** What compiles a JSON Schema to a function that looks whether a value fits it. */
export interface SchemaCompiler {
  /** Throws when the schema cannot be used. */
  readonly getValidator: (schema: Readonly<Record<string, unknown>>) => JsonSchemaValidator<unknown>
}

/** Makes compilers; loaded by whoever wants one. */
export const loadSchemaCompilers = async (): Promise<() => SchemaCompiler> => {
  const { AjvJsonSchemaValidator } = await import("@modelcontextprotocol/sdk/validation/ajv")
  return () => new AjvJsonSchemaValidator()
}
