import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import type { AgentTool } from "../../src/agent/AgentTool.ts"
import type { Catalog } from "../../src/agent/Catalog.ts"
import * as ServerEvent from "../../src/protocol/ServerEvent.ts"
import * as SmcpError from "../../src/protocol/SmcpError.ts"
import type { CallToolResult, SmcpTool } from "../../src/protocol/Tool.ts"
import * as ToolResult from "../../src/protocol/ToolResult.ts"
import * as WireError from "../../src/protocol/WireError.ts"
import type { Transport } from "../../src/transport/Transport.ts"
import { openAgent, openOffice, playComputer } from "../support/memoryOffice.ts"

const tool = (name: string): SmcpTool => ({
  name,
  bundle_id: "b",
  description: name,
  params_schema: { type: "object" }
})
const names = (tools: ReadonlyArray<AgentTool> | undefined) => tools?.map(({ name }) => name)

/** The tool names of each ready Computer, `failed` or `loading` for the others. */
const summary = (catalog: Catalog) =>
  Object.fromEntries(
    Array.from(
      catalog.values(),
      (entry) => [entry.computer, entry.status === "ready" ? names(entry.tools) : entry.status]
    )
  )

/** Waits until the live catalog looks like this. */
const catalogBecomes = (changes: Stream.Stream<Catalog>, expected: object) =>
  changes.pipe(
    Stream.filter((catalog) => JSON.stringify(summary(catalog)) === JSON.stringify(expected)),
    Stream.take(1),
    Stream.runDrain
  )

const cancellations = (transport: Transport["Service"]) =>
  Effect.gen(function*() {
    const heard = yield* Queue.unbounded<string>()
    yield* transport.notifications.pipe(
      Stream.runForEach((notification) =>
        notification.event === "notify:tool_call_cancel"
          ? Queue.offer(heard, notification.payload.req_id)
          : Effect.void
      ),
      Effect.forkScoped({ startImmediately: true })
    )
    return heard
  })

describe("the catalog", () => {
  it.effect("has the Computers that came before the Agent", () =>
    Effect.gen(function*() {
      const hub = yield* openOffice()
      yield* playComputer(hub, { name: "one", tools: Effect.succeed([tool("a"), tool("b")]) })
      yield* playComputer(hub, { name: "two", tools: Effect.succeed([tool("c")]) })
      const agent = yield* openAgent(hub)
      assert.deepStrictEqual(summary(yield* agent.catalogSettled), { one: ["a", "b"], two: ["c"] })
      assert.deepStrictEqual(names(yield* agent.tools()), ["a", "b", "c"])
      assert.deepStrictEqual(names(yield* agent.tools("two")), ["c"])
      assert.deepStrictEqual((yield* agent.computers).map(({ name }) => name), ["one", "two"])
    }))

  it.effect("follows Computers that enter and leave, and lists that change", () =>
    Effect.gen(function*() {
      const hub = yield* openOffice()
      const agent = yield* openAgent(hub)
      const away = yield* Scope.make()
      let tools = [tool("a")]
      const computer = yield* Scope.provide(
        playComputer(hub, { name: "C", tools: Effect.sync(() => tools) }),
        away
      )
      yield* catalogBecomes(agent.catalogChanges, { C: ["a"] })
      tools = [tool("b"), tool("c")]
      yield* computer.send(ServerEvent.UpdateToolList, { computer: "C" })
      yield* catalogBecomes(agent.catalogChanges, { C: ["b", "c"] })
      yield* Scope.close(away, Exit.void)
      yield* catalogBecomes(agent.catalogChanges, {})
    }))

  it.effect("shows a Computer that cannot answer as failed and hides nobody else", () =>
    Effect.gen(function*() {
      const hub = yield* openOffice()
      const broken = Effect.fail(SmcpError.make(new WireError.InternalError({ message: "broken" })))
      yield* playComputer(hub, { name: "bad", tools: broken })
      yield* playComputer(hub, { name: "good", tools: Effect.succeed([tool("a")]) })
      const agent = yield* openAgent(hub)
      const catalog = yield* agent.catalogSettled
      assert.deepStrictEqual(summary(catalog), { bad: "failed", good: ["a"] })
      assert.strictEqual(catalog.get("bad")?.error?.message, "broken")
    }))

  it.effect("is asked anew after a reconnect", () =>
    Effect.gen(function*() {
      const hub = yield* openOffice()
      const agent = yield* openAgent(hub)
      const [sid = ""] = yield* hub.connections
      yield* hub.disconnect(sid)
      // Nobody tells an absent Agent about this one.
      yield* playComputer(hub, { name: "C", tools: Effect.succeed([tool("a")]) })
      assert.deepStrictEqual(summary(yield* agent.catalog), {})
      yield* TestClock.adjust("2 seconds")
      yield* catalogBecomes(agent.catalogChanges, { C: ["a"] })
      assert.deepStrictEqual((yield* agent.callTool({ computer: "C", tool: "a" }))._tag, "Ok")
    }))

  it.effect("says what happens in the office", () =>
    Effect.gen(function*() {
      const hub = yield* openOffice()
      const agent = yield* openAgent(hub)
      const events = yield* agent.events.pipe(
        Stream.take(6),
        Stream.runCollect,
        Effect.forkChild({ startImmediately: true })
      )
      const computer = yield* playComputer(hub, { name: "C" })
      yield* computer.send(ServerEvent.UpdateToolList, { computer: "C" })
      yield* computer.send(ServerEvent.UpdateConfig, { computer: "C" })
      yield* computer.send(ServerEvent.UpdateDesktop, { computer: "C" })
      yield* computer.send(ServerEvent.UpdateSkills, { computer: "C" })
      yield* computer.call(ServerEvent.LeaveOffice, { office_id: "R" })
      assert.deepStrictEqual((yield* Fiber.join(events)).map(({ _tag, computer }) => `${_tag} ${computer}`), [
        "ComputerEntered C",
        "ToolsChanged C",
        "ConfigChanged C",
        "DesktopChanged C",
        "SkillsChanged C",
        "ComputerLeft C"
      ])
    }))
})

const outcomes: ReadonlyArray<readonly [string, CallToolResult]> = [
  ["Ok", { content: [{ type: "text", text: "hi" }] }],
  ["Ok", { ok: true, echo: { a: 1 } }],
  ["Ok", { content: null, structuredContent: null, isError: null, meta: null }],
  ["Failed", { content: [], isError: true }],
  ["Failed", ToolResult.unknownTool("x")],
  ["Cancelled", ToolResult.cancelled],
  ["Cancelled", { content: [], isError: true, _meta: { a2c_cancelled: true } }],
  ["TimedOut", ToolResult.timedOut(3)],
  ["AuthorizationRequired", { content: [], isError: true, meta: { error_code: 4006, mcp_server: "b" } }],
  ["AuthorizationFailed", { content: [], isError: true, meta: { error_code: 4007, mcp_server: "b" } }]
]

describe("a tool call", () => {
  for (const [tag, result] of outcomes) {
    it.effect(`ends as ${tag} for ${JSON.stringify(result).slice(0, 90)}`, () =>
      Effect.gen(function*() {
        const hub = yield* openOffice()
        yield* playComputer(hub, { name: "C", call: () => Effect.succeed(result) })
        const agent = yield* openAgent(hub)
        assert.deepStrictEqual<unknown>(yield* agent.callTool({ computer: "C", tool: "t" }), { _tag: tag, result })
      }))
  }

  it.effect("sends what the protocol asks for, whole seconds and a fresh id of 32 hex digits", () =>
    Effect.gen(function*() {
      const hub = yield* openOffice()
      const requests: Array<object> = []
      yield* playComputer(hub, {
        name: "C",
        call: (request) => Effect.sync(() => (requests.push(request), { content: [] }))
      })
      const agent = yield* openAgent(hub)
      yield* agent.callTool({ computer: "C", tool: "b__t", params: { a: [1, null] }, timeout: "1500 millis" })
      yield* agent.callTool({ computer: "C", tool: "b__t" })
      const [first, second] = requests as ReadonlyArray<{ readonly req_id: string }>
      assert.match(first!.req_id, /^[0-9a-f]{32}$/)
      assert.notStrictEqual(first!.req_id, second!.req_id)
      assert.deepStrictEqual<unknown>({ ...first, req_id: "" }, {
        computer: "C",
        tool_name: "b__t",
        params: { a: [1, null] },
        agent: "A",
        req_id: "",
        timeout: 2
      })
    }))

  it.effect("interrupted, is cancelled at the Computer under its own id", () =>
    Effect.gen(function*() {
      const hub = yield* openOffice()
      const started = yield* Deferred.make<string>()
      const computer = yield* playComputer(hub, {
        name: "C",
        call: ({ req_id }) => Effect.andThen(Deferred.succeed(started, req_id), Effect.never)
      })
      const heard = yield* cancellations(computer)
      const agent = yield* openAgent(hub)
      const call = yield* Effect.forkChild(agent.callTool({ computer: "C", tool: "t" }), { startImmediately: true })
      const reqId = yield* Deferred.await(started)
      yield* Fiber.interrupt(call)
      assert.strictEqual(yield* Queue.take(heard), reqId)
    }))

  it.effect("past its deadline, ends as TimedOut and is cancelled", () =>
    Effect.gen(function*() {
      const hub = yield* openOffice()
      const started = yield* Deferred.make<string>()
      const computer = yield* playComputer(hub, {
        name: "C",
        call: ({ req_id }) => Effect.andThen(Deferred.succeed(started, req_id), Effect.never)
      })
      const heard = yield* cancellations(computer)
      const agent = yield* openAgent(hub)
      const call = yield* Effect.forkChild(agent.callTool({ computer: "C", tool: "t", timeout: "10 seconds" }), {
        startImmediately: true
      })
      const reqId = yield* Deferred.await(started)
      yield* TestClock.adjust("9 seconds")
      assert.isUndefined(call.pollUnsafe())
      yield* TestClock.adjust("1 second")
      const outcome = yield* Fiber.join(call)
      assert.strictEqual(outcome._tag, "TimedOut")
      assert.strictEqual(outcome.result.meta?.["a2c_timeout"], true)
      assert.strictEqual(yield* Queue.take(heard), reqId)
    }))

  it.effect("cancelled from elsewhere, ends as the Computer says", () =>
    Effect.gen(function*() {
      const hub = yield* openOffice()
      const cancelled = yield* Deferred.make<void>()
      const started = yield* Deferred.make<void>()
      const computer = yield* playComputer(hub, {
        name: "C",
        call: () =>
          Deferred.succeed(started, undefined).pipe(
            Effect.andThen(Deferred.await(cancelled)),
            Effect.as(ToolResult.cancelled)
          )
      })
      const heard = yield* cancellations(computer)
      const agent = yield* openAgent(hub)
      const call = agent.prepareCall({ computer: "C", tool: "t" })
      const outcome = yield* Effect.forkChild(call.outcome, { startImmediately: true })
      yield* Deferred.await(started)
      yield* call.cancel
      assert.strictEqual(yield* Queue.take(heard), call.reqId)
      yield* Deferred.succeed(cancelled, undefined)
      assert.strictEqual((yield* Fiber.join(outcome))._tag, "Cancelled")
    }))

  it.effect("to a Computer that is not there is refused with 404, and so at once when it leaves during the call", () =>
    Effect.gen(function*() {
      const hub = yield* openOffice()
      const agent = yield* openAgent(hub)
      const unknown = yield* Effect.flip(agent.callTool({ computer: "nobody", tool: "t" }))
      assert.strictEqual(unknown.reason._tag, "NotFound")
      const away = yield* Scope.make()
      const started = yield* Deferred.make<void>()
      yield* Scope.provide(
        playComputer(hub, {
          name: "C",
          call: () => Effect.andThen(Deferred.succeed(started, undefined), Effect.never)
        }),
        away
      )
      const call = yield* Effect.forkChild(Effect.flip(agent.callTool({ computer: "C", tool: "t" })), {
        startImmediately: true
      })
      yield* Deferred.await(started)
      yield* Scope.close(away, Exit.void)
      assert.strictEqual((yield* Fiber.join(call)).reason._tag, "NotFound")
    }))

  it.effect("says when the connection went during it, and when there was none to send it on", () =>
    Effect.gen(function*() {
      const hub = yield* openOffice()
      const started = yield* Deferred.make<void>()
      let runs = 0
      yield* playComputer(hub, {
        name: "C",
        call: () =>
          Effect.sync(() => runs++).pipe(
            Effect.andThen(Deferred.succeed(started, undefined)),
            Effect.andThen(Effect.never)
          )
      })
      const agent = yield* openAgent(hub)
      const call = yield* Effect.forkChild(Effect.flip(agent.callTool({ computer: "C", tool: "t" })), {
        startImmediately: true
      })
      yield* Deferred.await(started)
      const [, sid = ""] = yield* hub.connections
      yield* hub.disconnect(sid)
      const lost = (yield* Fiber.join(call)).reason
      assert.deepStrictEqual([lost._tag, lost._tag === "ConnectionLost" ? lost.outcome : ""], [
        "ConnectionLost",
        "unknown"
      ])
      assert.strictEqual((yield* Effect.flip(agent.callTool({ computer: "C", tool: "t" }))).reason._tag, "NotConnected")
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(runs, 1)
    }))
})

describe("the seat", () => {
  it.effect("is refused with the Server's words when another Agent has it (0.4)", () =>
    Effect.gen(function*() {
      const hub = yield* openOffice()
      yield* openAgent(hub, "A")
      const { reason } = yield* Effect.flip(openAgent(hub, "B"))
      assert.deepStrictEqual([reason._tag, reason.message], ["JoinRefused", "Room already has an agent"])
    }))

  it.effect("is refused with 4101 when another Agent has it (0.5)", () =>
    Effect.gen(function*() {
      const { revisions } = yield* Effect.promise(() => import("../../src/protocol/Revision.ts"))
      const hub = yield* openOffice({ revisions: [revisions["0.5"]] })
      yield* openAgent(hub, "A", "0.5")
      const { reason } = yield* Effect.flip(openAgent(hub, "B", "0.5"))
      assert.strictEqual(reason._tag, "RoomFull")
      assert.deepStrictEqual(reason._tag === "RoomFull" ? [reason.officeId, reason.role] : [], ["R", "agent"])
    }))

  it.effect("is given up when the Agent's scope closes, and nothing is left connected", () =>
    Effect.gen(function*() {
      const hub = yield* openOffice()
      const scope = yield* Scope.make()
      yield* Scope.provide(openAgent(hub, "A"), scope)
      yield* Scope.close(scope, Exit.void)
      yield* hub.settled
      assert.deepStrictEqual(yield* hub.connections, [])
      yield* openAgent(hub, "B")
    }))
})
