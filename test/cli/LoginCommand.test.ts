import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { handlers } from "../../src/cli/console/internal/handlers.ts"
import * as Questions from "../../src/cli/console/Questions.ts"
import type { Services } from "../../src/cli/console/Session.ts"
import * as Host from "../../src/computer/Host.ts"
import { McpManager } from "../../src/computer/McpManager.ts"
import { entryAt } from "../computer/support/authorized.ts"
import { browse, browseElsewhere, makeAuthServer, makeProtectedServer, SECRET } from "../computer/support/authServer.ts"
import { quiet } from "../computer/support/office.ts"

interface Asked {
  readonly about: string
  readonly prompt: string
}

const urlIn = (text: string): string => /http:\S+/.exec(text)?.[0] ?? ""

/** A host with one server that wants a login, and a person who answers. */
const open = Effect.fnUntraced(function*(answer: (asked: Asked) => Effect.Effect<string | undefined>) {
  const auth = yield* makeAuthServer()
  const mcp = yield* makeProtectedServer
  mcp.protect(auth)
  const context = yield* Layer.build(
    Layer.merge(Host.layer({ servers: [entryAt(mcp.url)] }), Questions.layer(answer)).pipe(Layer.provide(quiet))
  )
  const manager = Context.get(context, McpManager)
  yield* manager.ready
  const state = Effect.map(manager.states, ([first]) => first?.state._tag)
  const run = (name: "login" | "logout", server = "mcp") => {
    const command = handlers[name]
    assert.isDefined(command)
    // the commands for logins use nothing of the office
    return Effect.provideContext(
      command({ values: [server], switches: {} } as never),
      context as Context.Context<Services>
    )
  }
  return { auth, run, state, manager }
})

describe("the console's login", () => {
  it.live("ends when the browser comes back, and starts the server", () =>
    Effect.gen(function*() {
      const { manager, run, state } = yield* open(({ about }) => Effect.andThen(browse(urlIn(about)), Effect.never))
      assert.strictEqual(yield* state, "AuthorizationRequired")
      const { json, text } = yield* run("login")
      assert.strictEqual(text({ width: 80, colours: false }), "Logged in to mcp")
      assert.notInclude(JSON.stringify(json), SECRET)
      while ((yield* state) !== "Ready") yield* Effect.sleep("10 millis")
      yield* run("logout")
      yield* manager.restart("mcp")
      assert.strictEqual(yield* state, "AuthorizationRequired")
    }))

  it.live("takes what is pasted, once it fits", () =>
    Effect.gen(function*() {
      const seen: Array<string> = []
      let url = ""
      const { run } = yield* open(({ about }) => {
        seen.push(about)
        url ||= urlIn(about)
        return seen.length === 1
          ? Effect.succeed("")
          : seen.length === 2
          ? Effect.succeed("https://x/")
          : browseElsewhere(url)
      })
      yield* run("login")
      assert.include(seen[2], "Paste the whole address")
    }))

  it.live("fails when the person gives up, when it is refused, and for a server that has none", () =>
    Effect.gen(function*() {
      const given = yield* open(() => Effect.succeed(undefined))
      assert.deepInclude(yield* Effect.flip(given.run("login")), { exitCode: 5 })
      assert.deepInclude(yield* Effect.flip(given.run("login", "other")), { exitCode: 2 })
      const refused = yield* open(({ about }) => Effect.andThen(browse(urlIn(about)), Effect.never))
      refused.auth.behaviour = { redirect: (params) => params.set("error", "access_denied") }
      const { exitCode, message } = (yield* Effect.flip(refused.run("login"))) as { exitCode: number; message: string }
      assert.deepStrictEqual([exitCode, message], [1, "The login was refused (access_denied)."])
    }))
})
