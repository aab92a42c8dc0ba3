import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Scope } from "effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import * as AuditLog from "../../src/computer/AuditLog.ts"
import * as CallHistory from "../../src/computer/CallHistory.ts"
import type { CallRecord } from "../../src/computer/CallRecord.ts"
import * as ConfigFile from "../../src/computer/ConfigFile.ts"
import * as Consent from "../../src/computer/Consent.ts"
import * as Host from "../../src/computer/Host.ts"
import * as McpManager from "../../src/computer/McpManager.ts"
import * as ToolCalls from "../../src/computer/ToolCalls.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"
import { connectTo, ToolServer, until } from "./support/memoryServers.ts"
import { build, call, makeOffice, quiet, type Result } from "./support/office.ts"
import { eventually } from "./support/processes.ts"

/** Tools that count how often they were really called. */
const makeServer = () => {
  const called: Array<string> = []
  const server = new ToolServer({
    reads: () => {
      called.push("reads")
      return "read"
    },
    writes: () => {
      called.push("writes")
      return "written"
    },
    fails: () => {
      called.push("fails")
      return { content: [{ type: "text", text: "no such file for t0ps3cret" }], isError: true }
    },
    hangs: (_args, { signal }) => {
      called.push("hangs")
      return until(signal, () => called.push("stopped"))
    }
  })
  server.described = {
    reads: { annotations: { readOnlyHint: true } },
    hangs: { annotations: { readOnlyHint: true } },
    fails: { annotations: { readOnlyHint: true } }
  }
  return { called, server }
}

/** A host with that server, and what it records: in its history, and in a file once it has ended. */
const makeHost = Effect.fnUntraced(function*(consent?: Consent.Options, config: object = {}) {
  const { called, server } = makeServer()
  const path = join(yield* temporaryFolder, "audit.jsonl")
  const { servers } = yield* ConfigFile.fromValue({ servers: { s: { command: "-", ...config } } }, "test")
  const scope = yield* Scope.make()
  yield* Effect.addFinalizer(() => Scope.close(scope, Exit.void))
  const layer = Host.layer({
    servers,
    inputs: [],
    connector: connectTo({ s: server }),
    auditLog: AuditLog.layerFile({ path }),
    ...(consent === undefined ? {} : { consent: Consent.layer(consent) })
  })
  const context = yield* Layer.buildWithScope(Layer.provide(layer, quiet), scope)
  yield* Context.get(context, McpManager.McpManager).ready
  const calls = Context.get(context, ToolCalls.ToolCalls)
  const run = (tool: string, requestId: string, timeout = 10) =>
    calls.run({ agent: "A", req_id: requestId, tool_name: `s__${tool}`, params: { token: "t0ps3cret" }, timeout })
  return {
    called,
    calls,
    consent: Context.get(context, Consent.Consent),
    run: (...args: Parameters<typeof run>) => Effect.map(run(...args), (result) => result as unknown as Result),
    recent: Context.get(context, CallHistory.CallHistory).recent,
    close: Scope.close(scope, Exit.void),
    audited: () =>
      readFileSync(path, "utf8").trimEnd().split("\n").map((line) => JSON.parse(line) as Record<string, unknown>)
  }
})

const start = <A, E>(effect: Effect.Effect<A, E>) => Effect.forkChild(effect, { startImmediately: true })

const summary = ({ decidedBy, error, outcome, requestId, server, tool }: CallRecord) =>
  [requestId, server, tool, outcome, decidedBy, error] as const

describe("a tool call", () => {
  it.live("is recorded once, however it ends", () =>
    Effect.gen(function*() {
      const host = yield* makeHost()
      const { called, calls, run } = host
      assert.strictEqual((yield* run("reads", "ok")).content[0]!.text, "read")
      yield* run("fails", "failed")
      yield* run("writes", "refused")
      yield* run("nothing", "unknown")
      yield* run("hangs", "timed out", 0.1)
      const cancelled = yield* start(run("hangs", "cancelled"))
      const interrupted = yield* start(run("hangs", "interrupted"))
      yield* eventually("the server has both calls", () => called.filter((tool) => tool === "hangs").length === 3)
      yield* calls.cancel("cancelled")
      yield* Fiber.join(cancelled)
      yield* Fiber.interrupt(interrupted)
      const records = yield* host.recent
      const refusal = records.find(({ requestId }) => requestId === "refused")!.error
      assert.match(refusal!, /needs confirmation/)
      const decidedBy = "read-only"
      assert.deepStrictEqual(records.toReversed().map(summary), [
        ["ok", "s", "reads", "ok", decidedBy, undefined],
        ["failed", "s", "fails", "failed", decidedBy, "no such file for ***"],
        ["refused", "s", "writes", "refused", decidedBy, refusal],
        ["unknown", undefined, "s__nothing", "failed", undefined, "Tool 's__nothing' not found in any active server"],
        ["timed out", "s", "hangs", "timed-out", decidedBy, "Tool call timed out after 0.1 s"],
        ["cancelled", "s", "hangs", "cancelled", decidedBy, "Tool call cancelled"],
        ["interrupted", "s", "hangs", "cancelled", decidedBy, "Tool call cancelled"]
      ])
      assert.deepStrictEqual(records.map(({ args }) => args), records.map(() => ({ token: "***" })))
      assert.deepStrictEqual(called.filter((tool) => tool === "writes"), [])
      yield* host.close
      assert.deepStrictEqual(
        host.audited().map((
          line
        ) => [line["request_id"], line["server"], line["tool"], line["outcome"], line["decided_by"]]),
        records.toReversed().map((each) => [
          each.requestId,
          each.server ?? null,
          each.tool,
          each.outcome,
          each.decidedBy ?? null
        ])
      )
      assert.notInclude(JSON.stringify(host.audited()), "t0ps3cret")
    }))

  it.live("is recorded when the Computer ends in the middle of it", () =>
    Effect.gen(function*() {
      const host = yield* makeHost()
      const running = yield* start(host.run("hangs", "cut off"))
      yield* eventually("the server has the call", () => host.called.includes("hangs"))
      yield* host.close
      yield* Fiber.join(running)
      assert.deepStrictEqual(host.audited().map((line) => [line["request_id"], line["outcome"]]), [[
        "cut off",
        "failed"
      ]])
    }))

  it.live("never reaches its server while a person has not allowed it", () =>
    Effect.gen(function*() {
      const asked: Array<string> = []
      const answer = yield* Deferred.make<Consent.Answer>()
      const ask = ({ requestId }: Consent.Question) => {
        asked.push(requestId)
        return requestId === "yes"
          ? Deferred.await(answer)
          : requestId === "no"
          ? Effect.succeed("refuse" as const)
          : Effect.never
      }
      const { called, calls, consent, recent, run } = yield* makeHost({ mode: "ask", ask })
      const allowed = yield* start(run("writes", "yes"))
      yield* eventually("it is asked about", () => asked.length === 1)
      assert.deepStrictEqual(called, [])
      yield* Deferred.succeed(answer, "once")
      assert.strictEqual((yield* Fiber.join(allowed)).content[0]!.text, "written")

      const refused = yield* run("writes", "no")
      assert.deepStrictEqual(refused, {
        meta: { error_code: 4005 },
        content: [{
          type: "text",
          text: "The call of the tool \"s__writes\" was refused by the person at the Computer."
        }],
        structuredContent: null,
        isError: true
      })
      // the deadline of the call withdraws the question; no tool has run, so it is not one that timed out
      const late = yield* run("writes", "late", 0.1)
      assert.deepStrictEqual(late.meta, { error_code: 4005 })
      assert.match(late.content[0]!.text, /needs confirmation, but the confirmation timed out/)
      const cancelled = yield* start(run("writes", "cancelled"))
      yield* eventually("it is asked about", () => asked.length === 4)
      yield* calls.cancel("cancelled")
      assert.strictEqual((yield* Fiber.join(cancelled)).meta?.["a2c_cancelled"], true)
      assert.deepStrictEqual(yield* consent.pending, [])
      assert.deepStrictEqual(called, ["writes"])
      assert.deepStrictEqual((yield* recent).map((each) => [each.requestId, each.outcome, each.decidedBy]), [
        ["cancelled", "cancelled", undefined],
        ["late", "refused", "timeout"],
        ["no", "refused", "person"],
        ["yes", "ok", "person"]
      ])
    }))

  it.live("runs without a question where the configuration says so, for this tool or all of the server's", () =>
    Effect.gen(function*() {
      const ask = () => Effect.die("nobody is to be asked")
      const config = { tool_meta: { writes: { auto_apply: true } } }
      const one = yield* makeHost({ mode: "ask", ask }, config)
      assert.strictEqual((yield* one.run("writes", "1")).content[0]!.text, "written")
      assert.match((yield* one.run("reads", "2")).content[0]!.text, /confirmation failed/)
      const all = yield* makeHost(undefined, {
        default_tool_meta: { auto_apply: true },
        tool_meta: { reads: { auto_apply: false } }
      })
      assert.strictEqual((yield* all.run("writes", "1")).content[0]!.text, "written")
      assert.match((yield* all.run("reads", "2")).content[0]!.text, /"auto_apply": false/)
    }))

  it.live("of an Agent is refused like this", () =>
    Effect.gen(function*() {
      const { called, server } = makeServer()
      const office = yield* makeOffice()
      const config = { servers: { s: { command: "-" } } }
      const consent = Consent.layer({ mode: "read-only", policy: [{ action: "deny", tool: "reads" }] })
      yield* build(office, config, { connector: connectTo({ s: server }), consent })
      for (const [tool, text] of [["reads", /denies/], ["writes", /SMCP_APPROVE=all/]] as const) {
        const result = yield* call(office, `s__${tool}`)
        assert.deepStrictEqual([result.isError, result.meta], [true, { error_code: 4005 }])
        assert.match(result.content[0]!.text, text)
      }
      assert.deepStrictEqual(called, [])
    }))
})
