import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Logger, Option, type Scope } from "effect"
import * as TestConsole from "effect/testing/TestConsole"
import { handlers } from "../../src/cli/console/internal/handlers.ts"
import { type Services, Session } from "../../src/cli/console/Session.ts"
import { Authorization } from "../../src/computer/Authorization.ts"
import * as Host from "../../src/computer/Host.ts"
import { McpManager } from "../../src/computer/McpManager.ts"
import * as Revision from "../../src/protocol/Revision.ts"
import { entryAt } from "../computer/support/authorized.ts"
import { browse, browseElsewhere, makeAuthServer, makeProtectedServer, SECRET } from "../computer/support/authServer.ts"

const urlIn = (text: string): string => /http:\S+/.exec(text)?.[0] ?? ""

/** A host with one server that wants a login; `beside` is the scope of a prompt. */
const open = Effect.fnUntraced(function*(beside: Scope.Scope | undefined) {
  const auth = yield* makeAuthServer()
  const mcp = yield* makeProtectedServer
  mcp.protect(auth)
  const logged: Array<string> = []
  const log = Logger.layer([Logger.make(({ message }) => void logged.push(String(message)))])
  const context = yield* Layer.build(
    Layer.mergeAll(
      Host.layer({ servers: [entryAt(mcp.url)] }),
      Layer.succeed(Session, { beside, revision: Revision.defaultRevision })
    ).pipe(Layer.provideMerge(log))
  )
  const manager = Context.get(context, McpManager)
  yield* manager.ready
  const state = Effect.map(manager.states, ([first]) => first?.state._tag)
  const run = (name: "login" | "logout", ...values: ReadonlyArray<string>) =>
    // the commands for logins use nothing of the office
    Effect.provideContext(
      handlers[name]({ values: values.length === 0 ? ["mcp"] : values, rest: [], switches: new Set() }),
      context as unknown as Context.Context<Services>
    )
  const says = (pattern: RegExp) =>
    Effect.gen(function*() {
      while (!logged.some((line) => pattern.test(line))) yield* Effect.sleep("10 millis")
    }).pipe(Effect.timeout("20 seconds"))
  return { auth, run, state, manager, authorization: Context.get(context, Authorization), says, logged }
})

const plain = { width: 80, colours: false }

const becomes = <A>(wanted: A, state: Effect.Effect<A>) =>
  Effect.gen(function*() {
    while ((yield* state) !== wanted) yield* Effect.sleep("10 millis")
  }).pipe(Effect.timeout("20 seconds"))

describe("the login of a command line", () => {
  it.live("shows the page on stderr, ends when the browser comes back, and starts the server", () =>
    Effect.gen(function*() {
      const { manager, run, state } = yield* open(undefined)
      assert.strictEqual(yield* state, "AuthorizationRequired")
      const browser = Effect.gen(function*() {
        for (;;) {
          const url = urlIn((yield* TestConsole.errorLines).join("\n"))
          if (url !== "") return yield* Effect.andThen(browse(url), Effect.never)
          yield* Effect.sleep("10 millis")
        }
      })
      const { json, text } = yield* Effect.raceFirst(run("login"), browser).pipe(Effect.provide(TestConsole.layer))
      assert.strictEqual(text(plain), "Logged in to mcp")
      assert.notInclude(JSON.stringify(json), SECRET)
      yield* becomes("Ready", state)
      yield* run("logout")
      yield* manager.restart("mcp")
      assert.strictEqual(yield* state, "AuthorizationRequired")
    }))

  it.live("is given up by whoever stops waiting, and fails for a server that has none", () =>
    Effect.gen(function*() {
      const { authorization, run } = yield* open(undefined)
      const stopped = yield* run("login").pipe(Effect.timeoutOption("300 millis"), Effect.provide(TestConsole.layer))
      assert.isTrue(Option.isNone(stopped))
      assert.notProperty(yield* authorization.status("mcp"), "loginUrl")
      assert.deepInclude(yield* Effect.flip(run("login", "other")), { exitCode: 2 })
    }))
})

describe("the login at a prompt", () => {
  it.live("shows the page and goes on beside it, and tells how it ended", () =>
    Effect.gen(function*() {
      const { run, says, state } = yield* open(yield* Effect.scope)
      const url = urlIn((yield* run("login")).text(plain))
      // the same page again, and one line about its end
      assert.strictEqual(urlIn((yield* run("login")).text(plain)), url)
      yield* browse(url)
      yield* says(/^Logged in to mcp$/)
      yield* becomes("Ready", state)
    }))

  it.live("takes the address where another browser ended, once it fits", () =>
    Effect.gen(function*() {
      const { run, says, state } = yield* open(yield* Effect.scope)
      assert.match(
        String(yield* Effect.flip(run("login", "mcp", "https://x/?code=1"))),
        /No login to "mcp" is under way/
      )
      const url = urlIn((yield* run("login")).text(plain))
      assert.match(String(yield* Effect.flip(run("login", "mcp", "https://x/"))), /Paste the whole address/)
      const ended = yield* browseElsewhere(url)
      assert.strictEqual((yield* run("login", "mcp", ended)).text(plain), "")
      yield* says(/^Logged in to mcp$/)
      yield* becomes("Ready", state)
    }))

  it.live("says why it was refused and how to begin another, and nothing when it is given up", () =>
    Effect.gen(function*() {
      const { auth, logged, run, says } = yield* open(yield* Effect.scope)
      yield* run("login")
      yield* run("logout")
      auth.behaviour = { redirect: (params) => params.set("error", "access_denied") }
      yield* browse(urlIn((yield* run("login")).text(plain)))
      yield* says(/^The login to mcp failed: The login was refused \(access_denied\)\. "login mcp" begins another$/)
      assert.lengthOf(logged.filter((line) => line.startsWith("The login to mcp")), 1)
    }))
})
