/**
 * An authorization server and the MCP servers it protects, on real HTTP servers of this process.
 */
import { Effect } from "effect"
import { createHash, randomBytes } from "node:crypto"
import type { IncomingMessage, ServerResponse } from "node:http"
import { listening } from "../../support/httpServer.ts"

type Fields = Readonly<Record<string, unknown>>

/** What an authorization server can be made to do; everything is as it should be by default. */
export interface AuthBehaviour {
  /** Where its metadata is. */
  readonly wellKnown?: "oauth" | "oidc" | "none" | undefined
  /** Changes its metadata. */
  readonly metadata?: ((metadata: Fields) => Fields) | undefined
  /** Answers a path instead of it. */
  readonly instead?: Readonly<Record<string, (request: IncomingMessage, response: ServerResponse) => void>> | undefined
  /** Changes the parameters that the browser is sent back with. */
  readonly redirect?: ((params: URLSearchParams) => void) | undefined
  /** Seconds that an access token lives. */
  readonly expiresIn?: number | undefined
  /** When the secret of a client ends that is registered, in seconds since 1970. */
  readonly clientExpiresAt?: number | undefined
  readonly withoutRefresh?: boolean | undefined
  /** An OAuth error for every refresh, or a status. */
  readonly refuseRefresh?: string | number | undefined
  /** Tokens are issued, and told only when this is over. */
  readonly tokenGate?: Promise<void> | undefined
  /** What it grants instead of what is asked for. */
  readonly grant?: string | undefined
}

/** One request to the authorization server. */
export interface Seen {
  readonly path: string
  readonly params: URLSearchParams
}

/** An authorization server that checks all it is told. */
export class AuthServer {
  behaviour: AuthBehaviour = {}
  readonly seen: Array<Seen> = []
  /** Registered clients, and where they may be sent back to; undefined for anywhere. */
  readonly clients = new Map<string, { readonly redirectUris: ReadonlyArray<string> | undefined }>()
  private readonly codes = new Map<string, URLSearchParams>()
  private readonly refreshTokens = new Map<string, { readonly client: string; readonly scope: string }>()
  private readonly accessTokens = new Map<string, string>()
  readonly origin: string
  readonly path: string

  constructor(origin: string, path: string) {
    this.origin = origin
    this.path = path
  }

  get issuer(): string {
    return `${this.origin}${this.path}`
  }

  /** The requests to a path, such as `/token`. */
  to(path: string): ReadonlyArray<Seen> {
    return this.seen.filter((each) => each.path === `${this.path}${path}`)
  }

  /** The scope of an access token that is good, else undefined. */
  scopeOf(header: string | undefined): string | undefined {
    return this.accessTokens.get(header?.replace(/^Bearer /, "") ?? "")
  }

  /** Access tokens are no longer good; refresh tokens are. */
  expire(): void {
    this.accessTokens.clear()
  }

  get liveRefreshTokens(): ReadonlyArray<string> {
    return [...this.refreshTokens.keys()]
  }

  handle(request: IncomingMessage, response: ServerResponse, body: string): void {
    const url = new URL(request.url ?? "/", this.origin)
    const params = request.method === "POST" ? readForm(body) : url.searchParams
    this.seen.push({ path: url.pathname, params })
    const instead = this.behaviour.instead?.[url.pathname.slice(this.path.length)] ??
      this.behaviour.instead?.[url.pathname]
    if (instead !== undefined) return instead(request, response)
    const oauth = `/.well-known/oauth-authorization-server${this.path}`
    const oidc = [`/.well-known/openid-configuration${this.path}`, `${this.path}/.well-known/openid-configuration`]
    const { wellKnown = "oauth" } = this.behaviour
    if (wellKnown === "oauth" && url.pathname === oauth) return json(response, 200, this.metadata())
    if (wellKnown === "oidc" && oidc[1] === url.pathname) return json(response, 200, this.metadata())
    switch (url.pathname.slice(this.path.length)) {
      case "/register":
        return this.register(response, body)
      case "/authorize":
        return this.authorize(response, params)
      case "/token":
        return this.token(response, params)
      case "/revoke":
        this.refreshTokens.delete(params.get("token") ?? "")
        return json(response, 200, {})
      default:
        return json(response, 404, {})
    }
  }

  private metadata(): Fields {
    const { issuer } = this
    const metadata = {
      issuer,
      authorization_endpoint: `${issuer}/authorize`,
      token_endpoint: `${issuer}/token`,
      registration_endpoint: `${issuer}/register`,
      revocation_endpoint: `${issuer}/revoke`,
      jwks_uri: `${issuer}/jwks`,
      subject_types_supported: ["public"],
      id_token_signing_alg_values_supported: ["RS256"],
      response_types_supported: ["code"],
      grant_types_supported: ["authorization_code", "refresh_token"],
      token_endpoint_auth_methods_supported: ["none", "client_secret_post"],
      code_challenge_methods_supported: ["S256"],
      authorization_response_iss_parameter_supported: true
    }
    return this.behaviour.metadata?.(metadata) ?? metadata
  }

  private register(response: ServerResponse, body: string): void {
    const asked = JSON.parse(body) as { readonly redirect_uris: ReadonlyArray<string> }
    const client_id = `client-${this.clients.size + 1}`
    this.clients.set(client_id, { redirectUris: asked.redirect_uris })
    const { clientExpiresAt: client_secret_expires_at } = this.behaviour
    json(response, 201, { ...asked, client_id, client_secret_expires_at })
  }

  private authorize(response: ServerResponse, params: URLSearchParams): void {
    const client = this.clients.get(params.get("client_id") ?? "")
    const redirectUri = params.get("redirect_uri") ?? ""
    const mayReturn = client !== undefined && client.redirectUris?.includes(redirectUri) !== false
    const isRight = mayReturn && params.get("response_type") === "code" &&
      params.get("code_challenge_method") === "S256" && params.has("code_challenge") && params.has("resource")
    if (!isRight) return json(response, 400, { error: "invalid_request" })
    const code = secret("code")
    this.codes.set(code, params)
    const target = new URL(redirectUri)
    target.search = new URLSearchParams({ code, state: params.get("state") ?? "", iss: this.issuer }).toString()
    this.behaviour.redirect?.(target.searchParams)
    response.writeHead(302, { location: target.href }).end()
  }

  private token(response: ServerResponse, params: URLSearchParams): void {
    const client = params.get("client_id") ?? ""
    if (!this.clients.has(client)) return json(response, 401, { error: "invalid_client" })
    if (params.get("grant_type") === "refresh_token") return this.refresh(response, params, client)
    const asked = this.codes.get(params.get("code") ?? "")
    this.codes.delete(params.get("code") ?? "")
    const challenge = createHash("sha256").update(params.get("code_verifier") ?? "").digest("base64url")
    const isRight = asked?.get("code_challenge") === challenge && asked.get("client_id") === client &&
      asked.get("redirect_uri") === params.get("redirect_uri") && asked.get("resource") === params.get("resource")
    return isRight
      ? this.issue(response, client, this.behaviour.grant ?? asked.get("scope") ?? "")
      : json(response, 400, { error: "invalid_grant", error_description: "SECRET-DESCRIPTION" })
  }

  private refresh(response: ServerResponse, params: URLSearchParams, client: string): void {
    const { refuseRefresh } = this.behaviour
    if (typeof refuseRefresh === "number") return json(response, refuseRefresh, {})
    const known = this.refreshTokens.get(params.get("refresh_token") ?? "")
    if (refuseRefresh !== undefined || known?.client !== client) {
      return json(response, 400, { error: refuseRefresh ?? "invalid_grant", error_description: "SECRET-DESCRIPTION" })
    }
    // the old one is worth nothing from here on
    this.refreshTokens.delete(params.get("refresh_token") ?? "")
    return this.issue(response, client, known.scope)
  }

  private issue(response: ServerResponse, client: string, scope: string): void {
    const access_token = secret("access")
    this.accessTokens.set(access_token, scope)
    const refresh_token = secret("refresh")
    const { expiresIn = 3600, withoutRefresh = false } = this.behaviour
    if (!withoutRefresh) this.refreshTokens.set(refresh_token, { client, scope })
    const tokens = { access_token, token_type: "Bearer", expires_in: expiresIn, scope }
    const tell = () => json(response, 200, withoutRefresh ? tokens : { ...tokens, refresh_token })
    if (this.behaviour.tokenGate === undefined) tell()
    else void this.behaviour.tokenGate.then(tell)
  }
}

/** Starts with what no log, result or state may show. */
export const SECRET = "SECRET-"

const secret = (kind: string): string => `${SECRET}${kind}-${randomBytes(8).toString("hex")}`

/** An authorization server for as long as the scope lives; its issuer may have a path. */
export const makeAuthServer = Effect.fnUntraced(function*(path = "") {
  const { server, url } = yield* listening
  const auth = new AuthServer(url, path)
  server.removeAllListeners("request")
  server.on("request", (request: IncomingMessage, response: ServerResponse) => {
    void readBody(request).then((body) => auth.handle(request, response, body))
  })
  return auth
})

/** How an MCP server refuses. */
export interface Refusal {
  readonly status: number
  readonly wwwAuthenticate?: string | undefined
}

/** An MCP server with one tool, `hello`, that refuses whom it likes. */
export class ProtectedServer {
  readonly origin: string
  /** Decides about a request; undefined lets it pass. */
  guard: (method: string, authorization: string | undefined) => Refusal | undefined = () => undefined
  /** Its protected resource metadata; undefined for none. */
  resource: Fields | undefined
  /** The methods that were asked for, and whether they passed. */
  readonly seen: Array<readonly [method: string, passed: boolean]> = []
  /** Answers a path instead of it. */
  instead: Readonly<Record<string, (request: IncomingMessage, response: ServerResponse) => void>> = {}
  private streams = new Map<string, ServerResponse>()

  constructor(origin: string) {
    this.origin = origin
  }

  /** Where it speaks Streamable HTTP. */
  get url(): string {
    return `${this.origin}/mcp`
  }

  /** Where it speaks the older HTTP+SSE. */
  get sseUrl(): string {
    return `${this.origin}/sse`
  }

  get metadataUrl(): string {
    return `${this.origin}/.well-known/oauth-protected-resource/mcp`
  }

  /** Lets in who has a good token of this authorization server, and says where it is. */
  protect(auth: AuthServer, scopes: ReadonlyArray<string> = []): void {
    this.resource = { resource: this.url, authorization_servers: [auth.issuer], scopes_supported: ["read", "write"] }
    this.guard = (_method, authorization) => {
      const scope = auth.scopeOf(authorization)
      if (scope === undefined) return { status: 401, wwwAuthenticate: `Bearer resource_metadata="${this.metadataUrl}"` }
      const missing = scopes.filter((each) => !scope.split(" ").includes(each))
      if (missing.length === 0) return undefined
      return { status: 403, wwwAuthenticate: `Bearer error="insufficient_scope", scope="${missing.join(" ")}"` }
    }
  }

  handle(request: IncomingMessage, response: ServerResponse, body: string): void {
    const url = new URL(request.url ?? "/", this.origin)
    const instead = this.instead[url.pathname]
    if (instead !== undefined) return instead(request, response)
    if (url.pathname === new URL(this.metadataUrl).pathname && this.resource !== undefined) {
      return json(response, 200, this.resource)
    }
    if (url.pathname === "/sse" && request.method === "GET") return this.openStream(response)
    if (url.pathname !== "/mcp" && url.pathname !== "/messages") return json(response, 404, {})
    if (request.method !== "POST") return void response.writeHead(405).end()
    const { id, method } = JSON.parse(body) as { readonly id?: unknown; readonly method: string }
    const refusal = this.guard(method, request.headers.authorization)
    this.seen.push([method, refusal === undefined])
    if (refusal !== undefined) {
      const { status, wwwAuthenticate } = refusal
      return void response.writeHead(
        status,
        wwwAuthenticate === undefined ? {} : { "www-authenticate": wwwAuthenticate }
      ).end()
    }
    if (id === undefined) return void response.writeHead(202).end()
    const answer = { jsonrpc: "2.0", id, result: answers[method]?.() ?? {} }
    const stream = this.streams.get(url.searchParams.get("session") ?? "")
    if (stream === undefined) return json(response, 200, answer)
    response.writeHead(202).end()
    stream.write(`event: message\ndata: ${JSON.stringify(answer)}\n\n`)
  }

  private openStream(response: ServerResponse): void {
    const session = String(this.streams.size + 1)
    this.streams.set(session, response)
    response.writeHead(200, { "content-type": "text/event-stream" })
    response.write(`event: endpoint\ndata: /messages?session=${session}\n\n`)
  }
}

const answers: Readonly<Record<string, () => unknown>> = {
  initialize: () => ({
    protocolVersion: "2025-06-18",
    capabilities: { tools: {} },
    serverInfo: { name: "protected", version: "1" }
  }),
  "tools/list": () => ({ tools: [{ name: "hello", inputSchema: { type: "object" } }] }),
  "tools/call": () => ({ content: [{ type: "text", text: "hello" }] })
}

/** A protected server for as long as the scope lives. */
export const makeProtectedServer = Effect.gen(function*() {
  const { server, url } = yield* listening
  const mcp = new ProtectedServer(url)
  server.removeAllListeners("request")
  server.on("request", (request: IncomingMessage, response: ServerResponse) => {
    void readBody(request).then((body) => mcp.handle(request, response, body))
  })
  return mcp
})

/** Plays the person at the browser: opens the page, says yes, and is sent back. Where it ended, and what it was told there. */
export const browse = (url: string): Effect.Effect<{ readonly location: string; readonly status: number }> =>
  Effect.promise(async () => {
    const page = await fetch(url, { redirect: "manual" })
    const location = page.headers.get("location")
    if (location === null) throw new Error(`The page answered with ${page.status}: ${await page.text()}`)
    const { status } = await fetch(location)
    return { location, status }
  })

/** As far as {@link browse} comes when nothing of this machine can be reached: the address it would be sent to. */
export const browseElsewhere = (url: string): Effect.Effect<string> =>
  Effect.promise(async () => (await fetch(url, { redirect: "manual" })).headers.get("location") ?? "")

const readBody = async (request: IncomingMessage): Promise<string> => {
  const chunks: Array<Buffer> = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString("utf8")
}

const readForm = (body: string): URLSearchParams =>
  body.startsWith("{") ? new URLSearchParams() : new URLSearchParams(body)

const json = (response: ServerResponse, status: number, body: unknown): void => {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body))
}
