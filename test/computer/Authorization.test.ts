import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Logger, Stream } from "effect"
import { TestClock } from "effect/testing"
import { once } from "node:events"
import { readdirSync } from "node:fs"
import { createServer } from "node:net"
import * as Authorization from "../../src/computer/Authorization.ts"
import type { AuthorizationError } from "../../src/computer/AuthorizationError.ts"
import type { OAuthSettings } from "../../src/computer/ServerEntry.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"
import { entryAt, logIn, makeWorld, openAuthorization, reasonOf, refreshes, request } from "./support/authorized.ts"
import { type AuthBehaviour, browse, browseElsewhere, type ProtectedServer, SECRET } from "./support/authServer.ts"
import { failure } from "./support/mcpClients.ts"

describe("Authorization", () => {
  describe("logging in", () => {
    const shapes: ReadonlyArray<readonly [string, string, AuthBehaviour]> = [
      ["an authorization server", "", {}],
      ["one whose issuer has a path", "/tenant", {}],
      ["an OpenID provider", "/tenant", { wellKnown: "oidc" }]
    ]
    for (const [what, path, behaviour] of shapes) {
      it.effect(`goes from a refusal to a login, with ${what}`, () =>
        Effect.gen(function*() {
          const world = yield* makeWorld({ path })
          const { ask, auth, authorization, mcp } = world
          auth.behaviour = behaviour
          const logins = yield* Effect.forkChild(Stream.runHead(authorization.logins), { startImmediately: true })
          assert.deepStrictEqual(yield* authorization.statuses, [{ bundleId: "mcp", state: "none" }])
          assert.strictEqual((yield* failure(ask)).reason._tag, "AuthRequired")
          assert.deepStrictEqual((yield* authorization.pending).map(({ need, state }) => [state, need?.why]), [
            ["login-needed", "login"]
          ])

          const flow = yield* authorization.login("mcp")
          assert.strictEqual((yield* authorization.status("mcp")).loginUrl, flow.url)
          const asked = new URL(flow.url).searchParams
          assert.deepStrictEqual(
            ["response_type", "code_challenge_method", "resource", "scope", "redirect_uri"].map((key) =>
              asked.get(key)
            ),
            ["code", "S256", mcp.url, "read write", flow.redirectUri]
          )
          assert.match(flow.redirectUri, /^http:\/\/127\.0\.0\.1:\d+\/callback$/)
          assert.isAbove(asked.get("state")?.length ?? 0, 40)
          assert.strictEqual((yield* browse(flow.url)).status, 200)
          yield* flow.outcome

          assert.deepStrictEqual(yield* Fiber.join(logins), yield* Stream.runHead(Stream.make("mcp")))
          assert.deepStrictEqual(yield* authorization.status("mcp"), {
            bundleId: "mcp",
            state: "authorized",
            issuer: auth.issuer,
            scopes: ["read", "write"],
            expiresAt: 3_600_000
          })
          assert.strictEqual(yield* ask, 200)
          // nothing listens any more
          const again = yield* Effect.exit(Effect.tryPromise(() => fetch(flow.redirectUri)))
          assert.strictEqual(again._tag, "Failure")
          assert.deepStrictEqual(yield* authorization.pending, [])
        }))
    }

    it.effect("is one flow for all who ask, and registers one client", () =>
      Effect.gen(function*() {
        const world = yield* makeWorld()
        const { auth, authorization } = world
        const one = yield* authorization.login("mcp")
        assert.strictEqual((yield* authorization.login("mcp")).url, one.url)
        yield* authorization.cancel("mcp")
        const two = yield* logIn(world)
        assert.notStrictEqual(two.url, one.url)
        yield* authorization.logout("mcp")
        assert.deepStrictEqual([auth.to("/revoke").length, auth.liveRefreshTokens], [1, []])
        yield* logIn(world)
        assert.strictEqual(auth.to("/register").length, 1)
      }))

    it.effect("registers anew where its client does not fit, or is no longer known", () =>
      Effect.gen(function*() {
        const world = yield* makeWorld()
        const { ask, auth, authorization } = world
        const { redirectUri } = yield* logIn(world)
        const taken = yield* Effect.acquireRelease(
          Effect.sync(() => createServer().listen(Number(new URL(redirectUri).port), "127.0.0.1")),
          (server) => Effect.sync(() => server.close())
        )
        yield* Effect.promise(() => once(taken, "listening"))
        assert.notStrictEqual((yield* logIn(world)).redirectUri, redirectUri)
        assert.strictEqual(auth.to("/register").length, 2)

        const late = yield* authorization.login("mcp")
        const end = yield* browseElsewhere(late.url)
        auth.clients.clear()
        assert.strictEqual(yield* reasonOf(late.complete(end)), "Refused")
        yield* logIn(world)
        assert.strictEqual(auth.to("/register").length, 3)
        assert.strictEqual(yield* ask, 200)
      }))

    it.effect("keeps one login a server, for the client that is configured", () =>
      Effect.gen(function*() {
        const world = yield* makeWorld()
        const { auth, mcp } = world
        const folder = yield* temporaryFolder
        const open = (oauth?: OAuthSettings) =>
          Effect.map(openAuthorization(Authorization.layerDirectory(folder)), (authorization) => {
            const http = authorization.forServer(entryAt(mcp.url, oauth), new URL(mcp.url))
            return { ...world, authorization, http, ask: request(http, mcp.url) }
          })
        const first = yield* open()
        yield* logIn(first)
        const files = readdirSync(folder).length
        // another client: the login of the first is not its own
        auth.clients.set("mine", { redirectUris: undefined })
        const second = yield* open({ clientId: "mine" })
        assert.strictEqual((yield* failure(second.ask)).reason._tag, "AuthRequired")
        yield* logIn(second)
        assert.strictEqual(readdirSync(folder).length, files)
      }))

    it.effect("uses the client and the scopes of the configuration", () =>
      Effect.gen(function*() {
        const world = yield* makeWorld({
          oauth: { clientId: "mine", clientSecret: `${SECRET}client`, scopes: ["only"] }
        })
        const { ask, auth, authorization } = world
        auth.clients.set("mine", { redirectUris: undefined })
        const flow = yield* logIn(world)
        assert.deepStrictEqual(
          ["client_id", "scope"].map((key) => new URL(flow.url).searchParams.get(key)),
          ["mine", "only"]
        )
        assert.deepStrictEqual(auth.to("/token").map(({ params }) => params.get("client_secret")), [`${SECRET}client`])
        assert.strictEqual(auth.to("/register").length, 0)
        assert.strictEqual(yield* ask, 200)
        assert.deepStrictEqual((yield* authorization.status("mcp")).scopes, ["only"])
      }))

    it.effect("takes tokens and clients that are said to be good for ever", () =>
      Effect.gen(function*() {
        for (const seconds of [1e15, 1e308]) {
          const world = yield* makeWorld()
          world.auth.behaviour = { expiresIn: seconds, clientExpiresAt: seconds }
          yield* logIn(world)
          assert.strictEqual(yield* world.ask, 200)
          const { expiresAt } = yield* world.authorization.status("mcp")
          assert.match(new Date(expiresAt ?? NaN).toISOString(), /^9999/)
        }
      }))

    it.effect("takes what was copied from a browser elsewhere, and nothing else", () =>
      Effect.gen(function*() {
        const { authorization, ask } = yield* makeWorld()
        const flow = yield* authorization.login("mcp")
        const end = new URL(yield* browseElsewhere(flow.url))
        const other = new URL(end)
        other.searchParams.set("state", "other")
        const elsewhere = new URL(end)
        elsewhere.port = "1"
        for (const wrong of [other.href, elsewhere.href, "", "two words", "https://example.com/callback"]) {
          assert.strictEqual(yield* reasonOf(authorization.complete("mcp", wrong)), "State", wrong)
        }
        assert.strictEqual(yield* reasonOf(authorization.complete("other", end.href)), "NoLogin")
        yield* authorization.complete("mcp", ` ${end.href}\n`)
        assert.strictEqual(yield* ask, 200)
      }))

    it.effect("takes the code alone where answers name no issuer", () =>
      Effect.gen(function*() {
        const { ask, auth, authorization } = yield* makeWorld()
        auth.behaviour = {
          metadata: ({ authorization_response_iss_parameter_supported: _, ...metadata }) => metadata,
          redirect: (params) => params.delete("iss")
        }
        const { complete, url } = yield* authorization.login("mcp")
        yield* complete(new URL(yield* browseElsewhere(url)).searchParams.get("code") ?? "")
        assert.strictEqual(yield* ask, 200)
      }))

    it.effect("asks a server without metadata to authorize for itself, by its address without a query", () =>
      Effect.gen(function*() {
        const { auth, authorization } = yield* makeWorld()
        const url = `${auth.origin}/mcp?api_key=${SECRET}key`
        authorization.forServer({ ...entryAt(url), bundleId: "own" }, new URL(url))
        const flow = yield* authorization.login("own")
        assert.strictEqual(new URL(flow.url).searchParams.get("resource"), `${auth.origin}/mcp`)
        assert.notInclude(flow.url, SECRET)
        yield* browse(flow.url)
        yield* flow.outcome
        assert.strictEqual((yield* authorization.status("own")).state, "authorized")
      }))

    it.effect("does not take an answer with another state for its own", () =>
      Effect.gen(function*() {
        const { ask, authorization } = yield* makeWorld()
        const flow = yield* authorization.login("mcp")
        const end = new URL(yield* browseElsewhere(flow.url))
        const statusOf = (url: URL) => Effect.promise(async () => (await fetch(url)).status)
        const wrong = new URL(end)
        wrong.searchParams.set("state", "wrong")
        assert.strictEqual(yield* statusOf(wrong), 400)
        assert.strictEqual(yield* statusOf(new URL("/else", end)), 404)
        assert.strictEqual(yield* statusOf(end), 200)
        yield* flow.outcome
        assert.strictEqual(yield* ask, 200)
      }))
  })

  describe("a login that fails", () => {
    type Failing = readonly [
      what: string,
      reason: AuthorizationError["reason"],
      AuthBehaviour,
      resource?: (mcp: ProtectedServer) => object
    ]
    const before: ReadonlyArray<Failing> = [
      [
        "the authorization server is at a metadata address",
        "Unsafe",
        {},
        () => ({ authorization_servers: ["http://169.254.169.254"] })
      ],
      ["… over https", "Unsafe", {}, () => ({ authorization_servers: ["https://169.254.169.254/latest"] })],
      ["… in IPv6", "Unsafe", {}, () => ({ authorization_servers: ["https://[::ffff:169.254.169.254]/"] })],
      ["it is asked over plain http", "Unsafe", {}, () => ({ authorization_servers: ["http://192.0.2.1"] })],
      ["the metadata is for another resource", "Discovery", {}, () => ({ resource: "https://example.com/mcp" })],
      ["the metadata is that of another issuer", "Issuer", {
        metadata: (each) => ({ ...each, issuer: "https://example.com" })
      }],
      ["there is no metadata", "Discovery", { wellKnown: "none" }],
      ["the metadata is in trouble", "Unreachable", {
        instead: { "/.well-known/oauth-authorization-server": (_, response) => response.writeHead(503).end() }
      }],
      ["the metadata is nonsense", "Discovery", {
        instead: { "/.well-known/oauth-authorization-server": (_, response) => response.end("<html>") }
      }],
      ["the metadata is elsewhere", "Unsafe", {
        instead: {
          "/.well-known/oauth-authorization-server": (_, response) =>
            response.writeHead(302, { location: "http://localhost:1/" }).end()
        }
      }],
      ["the metadata has no end", "Discovery", {
        instead: { "/.well-known/oauth-authorization-server": (_, response) => response.end(Buffer.alloc(2_000_000)) }
      }],
      ["the page is a script", "Discovery", {
        metadata: (each) => ({ ...each, authorization_endpoint: "javascript:alert(1)" })
      }],
      ["the page is not safe", "Unsafe", {
        metadata: (each) => ({ ...each, authorization_endpoint: "http://example.com/" })
      }],
      ["there is no S256", "Discovery", {
        metadata: (each) => ({ ...each, code_challenge_methods_supported: ["plain"] })
      }],
      ["there is no word of PKCE", "Discovery", {
        metadata: ({ code_challenge_methods_supported: _, ...each }) => each
      }],
      ["no client is registered", "Registration", {
        instead: { "/register": (_, response) => response.writeHead(403).end("{}") }
      }],
      ["clients cannot be registered", "Discovery", { metadata: ({ registration_endpoint: _, ...each }) => each }]
    ]
    for (const [what, reason, behaviour, resource] of before) {
      it.effect(`fails before there is a page when ${what}`, () =>
        Effect.gen(function*() {
          const { auth, authorization, mcp } = yield* makeWorld()
          auth.behaviour = behaviour
          mcp.resource = { ...mcp.resource, ...resource?.(mcp) }
          assert.strictEqual(yield* reasonOf(authorization.login("mcp")), reason)
          assert.isUndefined((yield* authorization.status("mcp")).loginUrl)
        }))
    }

    const after: ReadonlyArray<readonly [what: string, reason: AuthorizationError["reason"], AuthBehaviour]> = [
      ["is from another issuer", "Issuer", { redirect: (params) => params.set("iss", "https://example.com") }],
      ["names no issuer", "Issuer", { redirect: (params) => params.delete("iss") }],
      ["says no", "Refused", {
        redirect: (params) => {
          params.delete("code")
          params.set("error", "access_denied")
        }
      }],
      ["holds no code", "Refused", { redirect: (params) => params.delete("code") }],
      ["holds a wrong code", "Refused", { redirect: (params) => params.set("code", "wrong") }],
      ["leads to no bearer token", "Discovery", {
        instead: { "/token": (_, response) => response.end(`{"access_token":"a","token_type":"mac"}`) }
      }],
      ["leads to trouble", "Unreachable", { instead: { "/token": (_, response) => response.writeHead(500).end() } }],
      ["leads elsewhere", "Unsafe", {
        instead: { "/token": (_, response) => response.writeHead(307, { location: "https://example.com/" }).end() }
      }]
    ]
    for (const [what, reason, behaviour] of after) {
      it.effect(`fails when the answer ${what}`, () =>
        Effect.gen(function*() {
          const { auth, authorization } = yield* makeWorld()
          auth.behaviour = behaviour
          const flow = yield* authorization.login("mcp")
          yield* browse(flow.url)
          const error = yield* Effect.flip(flow.outcome)
          assert.strictEqual(error.reason, reason)
          assert.notInclude(error.message, SECRET)
          assert.strictEqual((yield* authorization.status("mcp")).state, "none")
        }))
    }

    it.effect("ends when a token endpoint does not answer", () =>
      Effect.gen(function*() {
        const { auth, authorization } = yield* makeWorld()
        let asked = () => {}
        const isAsked = new Promise<void>((resolve) => (asked = resolve))
        auth.behaviour = { instead: { "/token": () => asked() } }
        const flow = yield* authorization.login("mcp")
        yield* browse(flow.url)
        yield* Effect.promise(() => isAsked)
        yield* TestClock.adjust("10 seconds")
        assert.strictEqual(yield* reasonOf(flow.outcome), "Unreachable")
      }))

    it.effect("ends when nobody logs in, and when it is given up", () =>
      Effect.gen(function*() {
        const { authorization } = yield* makeWorld()
        const late = yield* authorization.login("mcp")
        yield* TestClock.adjust("299 seconds")
        assert.strictEqual((yield* authorization.status("mcp")).loginUrl, late.url)
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* reasonOf(late.outcome), "Timeout")
        assert.isUndefined((yield* authorization.status("mcp")).loginUrl)

        const dropped = yield* authorization.login("mcp")
        yield* authorization.cancel("mcp")
        assert.strictEqual(yield* reasonOf(dropped.outcome), "Cancelled")
        assert.strictEqual(yield* reasonOf(dropped.complete("x")), "Cancelled")
        assert.strictEqual(yield* reasonOf(authorization.login("unknown")), "UnknownServer")
      }))
  })

  it.effect("asks once for more permissions", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld({ oauth: { scopes: ["read"] } })
      const { ask, auth, authorization, mcp } = world
      yield* logIn(world)
      mcp.protect(auth, ["admin"])
      assert.strictEqual((yield* failure(ask)).reason._tag, "AuthFailed")
      const { need, state } = yield* authorization.status("mcp")
      assert.deepStrictEqual([state, need], ["authorized", { why: "permissions", scopes: ["admin", "read"] }])
      // a renewal changes nothing about it
      yield* TestClock.adjust("3550 seconds")
      mcp.protect(auth)
      assert.strictEqual(yield* ask, 200)
      assert.strictEqual(refreshes(world).length, 1)
      mcp.protect(auth, ["admin"])
      assert.strictEqual((yield* authorization.pending)[0]?.need?.why, "permissions")
      // granted without them: it is not asked again
      auth.behaviour = { grant: "read" }
      const flow = yield* authorization.login("mcp")
      assert.strictEqual(new URL(flow.url).searchParams.get("scope"), "admin read")
      yield* browse(flow.url)
      yield* flow.outcome
      assert.strictEqual((yield* failure(ask)).reason._tag, "AuthFailed")
      assert.deepStrictEqual(yield* authorization.pending, [])
    }))

  it.effect("shows no secret in errors, logs and states", () => {
    const shown: Array<unknown> = []
    const listening = Logger.layer([Logger.make(({ cause, message }) => void shown.push(message, cause))])
    return Effect.gen(function*() {
      const world = yield* makeWorld({ oauth: { clientId: "mine", clientSecret: `${SECRET}client` } })
      const { ask, auth, authorization } = world
      auth.clients.set("mine", { redirectUris: undefined })
      yield* logIn(world)
      const show = Effect.map(authorization.statuses, (all) => shown.push(all))
      yield* show
      auth.behaviour = { refuseRefresh: "invalid_grant" }
      yield* TestClock.adjust("1 hour")
      shown.push(yield* Effect.flip(ask))
      yield* show
      auth.behaviour = { redirect: (params) => params.set("code", `${SECRET}wrong`) }
      const flow = yield* authorization.login("mcp")
      yield* browse(flow.url)
      shown.push(yield* Effect.flip(flow.outcome))
      yield* show
      assert.isAbove(shown.length, 5)
      assert.notInclude(JSON.stringify(shown), SECRET)
      assert.notInclude(shown.map(String).join("\n"), SECRET)
    }).pipe(Effect.provide(listening))
  })
})
