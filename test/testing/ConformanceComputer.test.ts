import { assert, describe, it, layer } from "@effect/vitest"
import { Context, Effect, Layer, Stream } from "effect"
import { readdirSync } from "node:fs"
import * as Computer from "../../src/computer/Computer.ts"
import * as ConfigFile from "../../src/computer/ConfigFile.ts"
import * as Consent from "../../src/computer/Consent.ts"
import * as McpManager from "../../src/computer/McpManager.ts"
import * as ClientEvent from "../../src/protocol/ClientEvent.ts"
import * as Revision from "../../src/protocol/Revision.ts"
import * as Conformance from "../../src/testing/Conformance.ts"
import { connectTo, ToolServer } from "../computer/support/memoryServers.ts"
import { listed, raw } from "../computer/support/office.ts"
import { ResourceServer } from "../computer/support/resourceServers.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"
import { everyRevision, Harness, quiet, startServer } from "./support/conformance.ts"
import { brokenComputers, goodComputer, startComputer } from "./support/scriptedComputer.ts"

const tools = () => {
  const server = new ToolServer({ plain: () => "done", rich: () => "done" })
  server.described = {
    rich: {
      description: "Does it richly",
      outputSchema: { type: "object", properties: { a: { type: "string" } } },
      annotations: { readOnlyHint: true, title: "Rich" },
      _meta: {
        a2c_tool_meta: { tags: ["read"], auto_apply: true },
        deep: { er: [1, "2", null] },
        list: [1, 2.5],
        on: true
      }
    }
  }
  return server
}

const windows = () =>
  new ResourceServer([
    { uri: "window://memory/one", annotations: { priority: 0.5 }, content: "first\nwindow" },
    { uri: "window://memory/two", content: "second" },
    { uri: "file:///a.txt", mimeType: "text/plain", size: 3, annotations: { lastModified: "2026-01-01T00:00:00Z" } }
  ])

const config = {
  servers: {
    tools: {
      command: "-",
      env: { TOKEN: "${input:token}" },
      tool_meta: { plain: { tags: ["a"], alias: "other" } },
      default_tool_meta: { auto_apply: true }
    },
    windows: { command: "-", args: ["--x"] },
    raw: raw(listed("echo")),
    stream: { type: "streamable", url: "http://127.0.0.1:9/mcp", headers: { a: "b" }, disabled: true },
    events: { type: "sse", url: "http://127.0.0.1:9/sse", disabled: true }
  },
  inputs: [
    { id: "token", type: "promptString", description: "The token", password: true },
    { id: "level", type: "pickString", description: "How much", options: [{ label: "Low", value: "low" }] },
    { id: "user", type: "command", description: "Who", command: "whoami" }
  ]
}

const OFFICE = "office-of-the-computer"

/** Our Server, and our Computer with real MCP servers in an office of it. */
const startOffice = Effect.fnUntraced(function*(revision: Revision.Revision, landingRoot?: string) {
  const harness = yield* startServer(revision)
  const { inputs, servers } = yield* ConfigFile.fromValue(config, "test")
  const context = yield* Layer.build(
    Computer.layer({
      url: harness.url,
      apiKey: harness.apiKey,
      revision,
      name: "PC",
      office: OFFICE,
      servers,
      inputs,
      consent: Consent.layerAllowAll,
      connector: connectTo({ tools: tools(), windows: windows() }),
      landingRoot
    }).pipe(Layer.provide(quiet))
  )
  yield* Context.get(context, McpManager.McpManager).ready
  return { ...harness, computer: { name: "PC", office: OFFICE } }
})

const toolOf = (revision: Revision.Revision): string => revision.toolNames === "exposed" ? "raw__echo" : "echo"

/** A case that passes says nothing, but for these. */
const expected: Readonly<Record<string, Conformance.Outcome>> = {
  "computer.get_skills": { _tag: "Passed", remarks: ["the Computer has no skill"] },
  "computer.call": { _tag: "Skipped", reason: "no tool was named that may be called" }
}

describe("the conformance suite for Computers", () => {
  for (const revision of everyRevision) {
    const cases = Conformance.casesFor({ url: "", revision, computer: { name: "PC", office: OFFICE } })
    const layerOffice = Layer.effect(Harness, startOffice(revision))
    layer(layerOffice, { excludeTestServices: true })(`finds that our Computer keeps ${revision.id}:`, (it) => {
      it.effect.each(cases.map((one) => [one.id, one] as const))("%s", ([, one]) =>
        Effect.gen(function*() {
          const { outcome } = yield* Conformance.runCase(one, yield* Harness)
          assert.deepStrictEqual(outcome, expected[one.id] ?? { _tag: "Passed", remarks: [] })
        }))
      it.effect("calls a tool when it may", () =>
        Effect.gen(function*() {
          const harness = yield* Harness
          const one = cases.find(({ id }) => id === "computer.call")!
          const computer = { ...harness.computer!, call: toolOf(revision) }
          assert.deepInclude((yield* Conformance.runCase(one, { ...harness, computer })).outcome, { _tag: "Passed" })
        }))
    })
  }

  it.live("leaves nothing behind: no file, and no session but the Computer's", () =>
    Effect.gen(function*() {
      const folder = yield* temporaryFolder
      const harness = yield* startOffice(Revision.defaultRevision, folder)
      const files = () => readdirSync(folder, { recursive: true })
      const before = files()
      const reports = yield* Stream.runCollect(Conformance.run(harness))
      const broken = reports.filter(({ outcome }) => outcome._tag === "Failed" || outcome._tag === "Warned")
      assert.deepStrictEqual(broken, [])
      assert.deepStrictEqual(files(), before)
      const health = yield* Effect.promise(() => fetch(`${harness.url}/health`).then((response) => response.json()))
      assert.deepInclude(health, { sessions: 1, offices: 1, computers: 1, agents: 0 })
    }))

  it.live("cannot tell anything of an office whose Agent's seat is taken, or of a Computer that is not there", () =>
    Effect.gen(function*() {
      const harness = yield* startServer(Revision.defaultRevision)
      const outcomeOf = (id: string, office: string) =>
        Effect.map(
          Conformance.runCase(Conformance.cases.find((one) => one.id === id)!, {
            ...harness,
            patience: 1000,
            computer: { name: "PC", office }
          }),
          ({ outcome }) => outcome
        )
      assert.deepInclude(yield* outcomeOf("computer.present", "empty"), { _tag: "Failed", message: "It is not listed" })
      assert.deepInclude(yield* outcomeOf("computer.get_tools", "empty"), { _tag: "Skipped" })
      yield* startComputer(harness, { ...goodComputer, role: "agent", office: "taken" })
      const outcome = yield* outcomeOf("computer.present", "taken")
      assert.strictEqual(outcome._tag, "Skipped")
    }))
})

describe("the conformance suite sees a Computer that", () => {
  const run = Effect.fnUntraced(function*(script: typeof goodComputer, ids?: ReadonlyArray<string>) {
    const server = yield* startServer(Revision.defaultRevision)
    yield* startComputer(server, script)
    const harness = { ...server, patience: 1000, computer: { name: script.name, office: script.office } }
    const cases = Conformance.casesFor(harness).filter(({ id }) => ids?.includes(id) ?? true)
    return yield* Stream.runCollect(Conformance.run(harness, { cases }))
  })

  it.live("answers as it has to", () =>
    Effect.gen(function*() {
      const reports = yield* run(goodComputer)
      const others = reports.filter(({ outcome }) => outcome._tag !== "Passed").map((report) => report.case.id)
      assert.deepStrictEqual(others, ["computer.call"])
    }))

  it.live.each(brokenComputers.map((broken) => [broken.what, broken] as const))(
    "%s",
    ([, { answers, fails }]) =>
      Effect.gen(function*() {
        const reports = yield* run({ ...goodComputer, answers: { ...goodComputer.answers, ...answers } }, fails)
        const ended = reports.map((report) => [report.case.id, report.outcome._tag])
        assert.deepStrictEqual(ended, fails.map((id) => [id, id.endsWith(".result") ? "Warned" : "Failed"]))
      })
  )

  it("has a script for every event that a Computer answers", () => {
    const events = ClientEvent.all.map(({ name }) => name)
    assert.deepStrictEqual(
      Object.keys(goodComputer.answers).sort(),
      [...events].filter((name) => name !== "client:get_skill").sort()
    )
  })
})
