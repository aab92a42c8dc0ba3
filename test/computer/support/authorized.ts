import { assert } from "@effect/vitest"
import { Context, Effect, Layer, Redacted } from "effect"
import * as Authorization from "../../../src/computer/Authorization.ts"
import type { AuthorizationError } from "../../../src/computer/AuthorizationError.ts"
import type { HttpAuthorization } from "../../../src/computer/HttpAuthorization.ts"
import type { McpError } from "../../../src/computer/McpError.ts"
import type { OAuthSettings, ServerEntry } from "../../../src/computer/ServerEntry.ts"
import { browse, makeAuthServer, makeProtectedServer } from "./authServer.ts"

/** An entry for the server at this URL. */
export const entryAt = (url: string, oauth?: OAuthSettings): ServerEntry => ({
  key: "mcp",
  bundleId: "mcp",
  config: {
    type: "streamable",
    name: "mcp",
    bundle_id: "mcp",
    disabled: false,
    forbidden_tools: [],
    tool_meta: {},
    default_tool_meta: null,
    vrl: null,
    server_parameters: { url, headers: null, timeout: "PT30S", sse_read_timeout: "PT5M", terminate_on_close: true }
  },
  settings: { oauth },
  origin: { source: "test", dialect: "a2c" }
})

/** One request as an HTTP transport makes it: with what there is, and once more when that is worth it. */
export const request = (
  http: HttpAuthorization,
  url: string,
  method = "tools/list"
): Effect.Effect<number, McpError> => {
  const send = (authorization: Redacted.Redacted | undefined) =>
    Effect.promise(() =>
      fetch(url, {
        method: "POST",
        headers: authorization === undefined ? {} : { authorization: Redacted.value(authorization) },
        body: JSON.stringify({ jsonrpc: "2.0", id: 1, method })
      })
    )
  return Effect.gen(function*() {
    const sent = yield* http.header
    const response = yield* send(sent)
    const { status } = response
    if (status !== 401 && status !== 403) return status
    const wwwAuthenticate = response.headers.get("www-authenticate") ?? undefined
    yield* http.refused({ status, url, wwwAuthenticate, sent })
    return (yield* send(yield* http.header)).status
  })
}

/** A service of its own, which ends with the scope. */
export const openAuthorization = (layer = Authorization.layerMemory) =>
  Effect.map(Layer.build(Layer.fresh(layer)), Context.get(Authorization.Authorization))

/** An authorization server, a server that it protects, and the logins of a Computer to it. */
export const makeWorld = Effect.fnUntraced(
  function*(options: { readonly oauth?: OAuthSettings; readonly path?: string } = {}) {
    const auth = yield* makeAuthServer(options.path)
    const mcp = yield* makeProtectedServer
    mcp.protect(auth)
    const authorization = yield* openAuthorization()
    const http = authorization.forServer(entryAt(mcp.url, options.oauth), new URL(mcp.url))
    return { auth, mcp, authorization, http, ask: request(http, mcp.url) }
  }
)

/** What {@link makeWorld} makes. */
export type World = Effect.Success<ReturnType<typeof makeWorld>>

/** The whole login of a person at the same machine. */
export const logIn = Effect.fnUntraced(function*({ ask, authorization }: World) {
  yield* Effect.exit(ask)
  const flow = yield* authorization.login("mcp")
  const end = yield* browse(flow.url)
  assert.strictEqual(end.status, 200)
  yield* flow.outcome
  return flow
})

/** Why it failed. */
export const reasonOf = <A>(self: Effect.Effect<A, AuthorizationError>) =>
  Effect.map(Effect.flip(self), ({ reason }) => reason)

/** The renewals that were asked for. */
export const refreshes = ({ auth }: World) =>
  auth.to("/token").filter(({ params }) => params.get("grant_type") === "refresh_token")

/** Five at the same time. */
export const five = <A, E>(self: Effect.Effect<A, E>) =>
  Effect.all(Array.from({ length: 5 }, () => self), { concurrency: 5 })
