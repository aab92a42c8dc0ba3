import { assert, describe, it, layer } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { readdirSync, readFileSync } from "node:fs"
import * as Revision from "../../src/protocol/Revision.ts"
import * as Conformance from "../../src/testing/Conformance.ts"
import { everyRevision, Harness, layerHarness, startServer } from "./support/conformance.ts"

/** What has passed says nothing that it noticed, unless it has to. */
const noticed = (outcome: Conformance.Outcome): ReadonlyArray<string> =>
  outcome._tag === "Passed" ? outcome.remarks : [JSON.stringify(outcome)]

describe("the conformance suite", () => {
  for (const revision of everyRevision) {
    const cases = Conformance.casesFor({ url: "", revision })
    layer(layerHarness(revision), { excludeTestServices: true })(
      `finds that our Server keeps ${revision.id}:`,
      (it) => {
        it.effect.each(cases.map((one) => [one.id, one] as const))("%s", ([, one]) =>
          Effect.gen(function*() {
            const { outcome } = yield* Conformance.runCase(one, yield* Harness)
            assert.deepStrictEqual(noticed(outcome), [])
          }))
      }
    )
  }

  it.live("finds that a Server of all revisions keeps each of them", () =>
    Effect.gen(function*() {
      const [first, ...rest] = everyRevision
      const { url, ...harness } = yield* startServer(Revision.defaultRevision, { revisions: [first!, ...rest] })
      for (const revision of everyRevision) {
        const one = { ...harness, url, revision }
        const cases = Conformance.casesFor(one).filter(({ id }) =>
          /^(handshake|connect|join|seats|names|room)\./.test(id)
        )
        const reports = yield* Stream.runCollect(Conformance.run(one, { cases }))
        assert.strictEqual(reports.length, cases.length)
        const told = reports.flatMap(({ outcome }) => noticed(outcome))
        assert.deepStrictEqual(
          told,
          revision.handshake === "none"
            ? []
            : ["peers without a version are let in, as a Server that also serves 0.1 has to"]
        )
      }
      const health = yield* Effect.promise(() => fetch(`${url}/health`).then((response) => response.json()))
      assert.deepInclude(health, { sessions: 0, offices: 0 })
    }))

  it("names every case once, and says where the protocol says it", () => {
    const ids = Conformance.cases.map(({ id }) => id)
    assert.strictEqual(new Set(ids).size, ids.length)
    for (const { id, section, title } of Conformance.cases) {
      assert.match(id, /^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/)
      assert.match(section, /^(\w[\w-]*\.md|python-sdk)\b/)
      assert.isAbove(title.length, 20)
    }
  })

  it("has every scenario of the room model in 0.5, and none in 0.4", () => {
    const scenarios = (id: Revision.RevisionId) =>
      Conformance.casesFor({ url: "", revision: Revision.revisions[id] }).filter((one) => one.id.startsWith("room."))
    assert.deepStrictEqual(scenarios("0.5").map((one) => one.id), [1, 2, 3, 4, 5, 6, 7, 8, 9].map((n) => `room.${n}`))
    assert.deepStrictEqual(scenarios("0.4"), [])
  })

  it("speaks the wire without a library", () => {
    const folder = new URL("../../src/testing/internal/", import.meta.url)
    for (const name of readdirSync(folder).filter((name) => /^(conformance|raw)/.test(name))) {
      assert.notMatch(
        readFileSync(new URL(name, folder), "utf8"),
        /from "(socket\.io|engine\.io|node:|\.\.\/\.\.\/transport)/
      )
    }
  })
})

describe("Conformance.reach", () => {
  const refused: ReadonlyArray<readonly [what: string, change: Partial<Conformance.Harness>, tag: string]> = [
    ["no key", { apiKey: undefined }, "AuthenticationRejected"],
    ["another revision", { revision: Revision.revisions["0.5"] }, "ProtocolVersionMismatch"],
    ["no version", { revision: Revision.revisions["0.1"] }, "BadRequest"],
    ["another path", { path: "/elsewhere" }, "NotConnected"],
    ["nobody there", { url: "http://127.0.0.1:9" }, "NotConnected"]
  ]
  it.live.each(refused)("fails as a client would: %s", ([, change, tag]) =>
    Effect.gen(function*() {
      const harness = yield* startServer(Revision.defaultRevision)
      const error = yield* Effect.flip(Conformance.reach({ ...harness, ...change }))
      assert.strictEqual(error.reason._tag, tag)
    }))

  it.live("succeeds, and leaves no session behind", () =>
    Effect.gen(function*() {
      const harness = yield* startServer(Revision.defaultRevision)
      yield* Conformance.reach(harness)
      const health = yield* Effect.promise(() => fetch(`${harness.url}/health`).then((response) => response.json()))
      assert.deepInclude(health, { sessions: 0, offices: 0 })
    }))
})
