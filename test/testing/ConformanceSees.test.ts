import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import * as Revision from "../../src/protocol/Revision.ts"
import * as Conformance from "../../src/testing/Conformance.ts"
import { brokenServers } from "./support/brokenServers.ts"
import { KEY, startServer } from "./support/conformance.ts"

describe("the conformance suite sees a Server that", () => {
  it.live.each(brokenServers.map((broken) => [broken.what, broken] as const))(
    "%s",
    ([, broken]) =>
      Effect.gen(function*() {
        const { breakage, fails, warns = [] } = broken
        const revision = Revision.revisions[broken.revision]
        const harness = { ...yield* startServer(revision, breakage), patience: 1000 }
        const cases = Conformance.casesFor(harness).filter(({ id }) => fails.includes(id) || warns.includes(id))
        const reports = yield* Stream.runCollect(Conformance.run(harness, { cases }))
        const ended = Object.fromEntries(reports.map((report) => [report.case.id, report.outcome._tag]))
        assert.deepStrictEqual(ended, {
          ...Object.fromEntries(fails.map((id) => [id, "Failed"])),
          ...Object.fromEntries(warns.map((id) => [id, "Warned"]))
        })
      })
  )

  it.live("gives back what it is shown, without telling the key", () =>
    Effect.gen(function*() {
      const harness = yield* startServer(Revision.defaultRevision, {
        wrapTransport: (inner) => ({
          ...inner,
          serve: (handlers) =>
            inner.serve({
              ...handlers,
              receive: ({ handshake: { auth } }) => Effect.succeed({ args: [auth] })
            })
        })
      })
      const one = Conformance.cases.find(({ id }) => id === "join.ack")!
      const { outcome } = yield* Conformance.runCase(one, harness)
      assert.deepInclude(outcome, {
        _tag: "Failed",
        expected: "43/smcp,0[true,null]",
        actual: "43/smcp,0[{\"token\":\"***\"}]"
      })
      const error = yield* Effect.flip(Conformance.check(one, harness))
      assert.include(error.message, "join.ack: ")
      assert.notInclude(error.message, KEY)
    }))

  it.live("is no A2C-SMCP Server at all: every case ends, and none passes", () =>
    Effect.gen(function*() {
      const { url } = yield* startServer(Revision.defaultRevision)
      const harness = { url, path: "/nothing-here", revision: Revision.defaultRevision, patience: 500 }
      const reports = yield* Stream.runCollect(Conformance.run(harness))
      const passed = reports.filter(({ outcome }) => outcome._tag === "Passed")
      assert.deepStrictEqual(passed.map((report) => report.case.id), [])
    }))
})
