/**
 * What a server says in a `WWW-Authenticate` header (RFC 6750, RFC 9728). All of it is somebody else's text.
 */
import { extractWWWAuthenticateParams } from "../mcp/mcpSdk.ts"

/** The parts of a challenge that are used. */
export interface BearerChallenge {
  /** Where the protected resource metadata is. */
  readonly resourceMetadata: URL | undefined
  /** The scopes that the server asks for, cleaned. */
  readonly scopes: ReadonlyArray<string>
  readonly error: string | undefined
}

const MOST_SCOPES = 50
const LONGEST_SCOPE = 200

/** The scopes in a text, without those that are no scope tokens (RFC 6749, appendix A.4) and without repetition. */
export const scopesIn = (text: string | undefined): ReadonlyArray<string> => cleanScopes((text ?? "").split(" "))

/** As many scopes as are believable, without repetition. */
export const cleanScopes = (scopes: ReadonlyArray<string>): ReadonlyArray<string> =>
  [...new Set(scopes.filter((scope) => scope.length <= LONGEST_SCOPE && /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(scope)))]
    .slice(0, MOST_SCOPES)

/** Reads a header; what cannot be read counts as absent. */
export const parseChallenge = (header: string | undefined): BearerChallenge => {
  const none: BearerChallenge = { resourceMetadata: undefined, scopes: [], error: undefined }
  if (header === undefined || header === "") return none
  try {
    const { error, resourceMetadataUrl, scope } = extractWWWAuthenticateParams(
      new Response(null, { status: 401, headers: { "www-authenticate": header } })
    )
    return { resourceMetadata: resourceMetadataUrl, scopes: scopesIn(scope), error }
  } catch {
    return none
  }
}
