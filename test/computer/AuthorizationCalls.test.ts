import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import * as Authorization from "../../src/computer/Authorization.ts"
import * as Consent from "../../src/computer/Consent.ts"
import * as McpManager from "../../src/computer/McpManager.ts"
import * as ClientEvent from "../../src/protocol/ClientEvent.ts"
import { browse, makeAuthServer, makeProtectedServer, type ProtectedServer, SECRET } from "./support/authServer.ts"
import { atOnce } from "./support/mcpClients.ts"
import {
  call,
  computerIn,
  type ComputerOptions,
  envelope,
  makeOffice,
  type Office,
  toolNames
} from "./support/office.ts"
import { eventually } from "./support/processes.ts"

const config = (mcp: ProtectedServer, transport: "http" | "sse" = "http") => ({
  mcpServers: { protected: { type: transport, url: transport === "http" ? mcp.url : mcp.sseUrl } }
})

const start = Effect.fnUntraced(function*(office: Office, settings: object, options: ComputerOptions = {}) {
  const context = yield* Layer.build(computerIn(office, settings, { consent: Consent.layerAllowAll, ...options }))
  const manager = Context.get(context, McpManager.McpManager)
  yield* manager.ready
  const authorization = Context.get(context, Authorization.Authorization)
  let state: string | undefined
  const watch = Effect.map(manager.states, ([first]) => state = first?.state._tag)
  const becomes = (tag: string) =>
    Effect.raceFirst(
      Effect.forever(Effect.andThen(watch, Effect.sleep("20 millis"))),
      Effect.suspend(() => eventually(`the server is ${tag}, and not ${state}`, () => state === tag))
    )
  return { authorization, becomes, manager }
})

describe("Authorization in an office", () => {
  // the cases of the protocol's own conformance vectors: `initialize` passes, only the call is refused
  const vectors: ReadonlyArray<
    readonly [transport: "http" | "sse", status: number, wwwAuthenticate: string | undefined, code: number]
  > = [
    ["http", 403, undefined, 4007],
    ["http", 401, undefined, 4006],
    ["http", 401, "Bearer realm=\"mcp\"", 4006],
    ["sse", 401, undefined, 4006],
    // and beyond them
    ["http", 401, "Basic realm=\"mcp\"", 4006],
    ["http", 403, "Bearer error=\"insufficient_scope\", scope=\"files:write ignore https://u:p@x?code=1\"", 4007],
    ["sse", 403, undefined, 4007]
  ]
  for (const [transport, status, wwwAuthenticate, code] of vectors) {
    it.live(`answers a call that is refused with ${status} (${wwwAuthenticate}) over ${transport} with ${code}`, () =>
      Effect.gen(function*() {
        const mcp = yield* makeProtectedServer
        const office = yield* makeOffice()
        yield* start(office, config(mcp, transport))
        assert.deepStrictEqual(yield* toolNames(office), ["protected__hello"])
        mcp.guard = (method) => method === "tools/call" ? { status, wwwAuthenticate } : undefined
        const refused = yield* atOnce(call(office, "protected__hello"))
        const { auth_hint, error_code, mcp_server } = refused.meta as Record<string, unknown>
        assert.deepStrictEqual([refused.isError, error_code, mcp_server], [true, code, "protected"])
        const { action, message } = auth_hint as { readonly action: string; readonly message: string }
        assert.match(action, /^[a-z_]+$/)
        assert.include(message, "\"protected\"")
        assert.notMatch(JSON.stringify(refused), /127\.0\.0\.1|https?:|code=|Bearer|realm/)
        // the session is as good as before
        mcp.guard = () => undefined
        assert.strictEqual((yield* atOnce(call(office, "protected__hello"))).content[0]?.text, "hello")
        assert.strictEqual(mcp.seen.filter(([method]) => method === "initialize").length, 1)
      }))
  }

  it.live("goes from no tools to a login, through its renewals, to its end", () =>
    Effect.gen(function*() {
      const auth = yield* makeAuthServer()
      const mcp = yield* makeProtectedServer
      mcp.protect(auth)
      const office = yield* makeOffice()
      const { authorization, becomes } = yield* start(office, config(mcp), { health: { interval: "3 seconds" } })
      yield* becomes("AuthorizationRequired")
      assert.deepStrictEqual(yield* toolNames(office), [])
      assert.deepStrictEqual((yield* authorization.pending).map(({ bundleId }) => bundleId), ["protected"])
      const shown: Array<unknown> = []

      auth.behaviour = { expiresIn: 3 }
      const flow = yield* authorization.login("protected")
      yield* browse(flow.url)
      yield* flow.outcome
      yield* becomes("Ready")
      yield* eventually("the office is told", () => office.count("server:update_tool_list") > 0)
      assert.deepStrictEqual(yield* toolNames(office), ["protected__hello"])

      const five = Effect.all(Array.from({ length: 5 }, () => call(office, "protected__hello")), { concurrency: 5 })
      yield* Effect.sleep("1600 millis")
      shown.push(...(yield* five))
      assert.deepStrictEqual(
        shown.map((each) => (each as { content: ReadonlyArray<{ text: string }> }).content[0]?.text),
        [
          ...Array.from({ length: 5 }, () => "hello")
        ]
      )
      assert.strictEqual(
        auth.to("/token").filter(({ params }) => params.get("grant_type") === "refresh_token").length,
        1
      )
      assert.strictEqual(auth.liveRefreshTokens.length, 1)

      auth.behaviour = { refuseRefresh: "invalid_grant" }
      yield* Effect.sleep("1600 millis")
      const lost = yield* atOnce(call(office, "protected__hello"))
      assert.strictEqual(lost.meta?.["error_code"], 4007)
      // the next check of its health finds out
      yield* becomes("AuthorizationRequired")
      assert.strictEqual((yield* authorization.status("protected")).state, "login-needed")
      // its tools stay, so that a call tells what is missing
      assert.deepStrictEqual(yield* toolNames(office), ["protected__hello"])
      assert.strictEqual((yield* atOnce(call(office, "protected__hello"))).meta?.["error_code"], 4007)

      yield* authorization.logout("protected")
      assert.strictEqual((yield* authorization.status("protected")).state, "none")
      shown.push(
        lost,
        yield* office.ask(ClientEvent.GetConfig, envelope()),
        yield* authorization.statuses,
        office.heard
      )
      assert.notInclude(JSON.stringify(shown), SECRET)
    }))

  it.live("starts no server after a login that was stopped meanwhile", () =>
    Effect.gen(function*() {
      const auth = yield* makeAuthServer()
      const mcp = yield* makeProtectedServer
      mcp.protect(auth)
      const office = yield* makeOffice()
      const { authorization, becomes, manager } = yield* start(office, config(mcp))
      yield* becomes("AuthorizationRequired")
      const flow = yield* authorization.login("protected")
      yield* manager.stop("protected")
      yield* browse(flow.url)
      yield* flow.outcome
      yield* Effect.sleep("300 millis")
      yield* becomes("Stopped")
      yield* manager.start("protected")
      yield* becomes("Ready")
    }))

  it.live("leaves servers alone that bring their own login", () =>
    Effect.gen(function*() {
      const auth = yield* makeAuthServer()
      const mcp = yield* makeProtectedServer
      mcp.protect(auth)
      const office = yield* makeOffice()
      const settings = { mcpServers: { own: { type: "http", url: mcp.url, headers: { Authorization: "Bearer old" } } } }
      const { authorization, becomes } = yield* start(office, settings)
      yield* becomes("AuthorizationRequired")
      assert.deepStrictEqual(yield* authorization.statuses, [])
    }))
})
