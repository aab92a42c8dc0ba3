import { assert, describe, it } from "@effect/vitest"
import { readWindow } from "../../../src/computer/internal/desktop/windowResource.ts"

type Expected =
  | "no window"
  | { readonly why: RegExp }
  | {
    readonly identity?: string
    readonly priority?: number
    readonly fullscreen?: boolean
    readonly remark?: RegExp
  }

/** What a resource is read as, and what it should be read as; of a text it only counts that it says what is expected. */
const compared = (
  resource: { readonly uri: unknown; readonly name?: string },
  source: "annotations" | "uri-query",
  expected: Expected
): [actual: unknown, expected: unknown] => {
  const read = readWindow(resource, source)
  const { uri } = resource
  if (expected === "no window" || read === undefined) return [read ?? "no window", expected]
  if ("why" in expected) return [{ ...read, why: "why" in read && expected.why.test(read.why) }, { uri, why: true }]
  const { fullscreen = false, identity = uri, priority = 0, remark = /^$/ } = expected
  const isSaid = "remarks" in read && remark.test(read.remarks.join())
  return [{ ...read, remarks: isSaid }, { uri, identity, priority, fullscreen, remarks: true }]
}

describe("readWindow", () => {
  const uris: ReadonlyArray<readonly [uri: unknown, expected: Expected]> = [
    ["window://com.example.browser/main/tab1", {}],
    ["window://com.example.logger", {}],
    ["window://com.example.editor/src%2Fmain/file%20name", {}],
    ["window://host/", {}],
    ["window://host/ä b", {}],
    ["file:///etc/passwd", "no window"],
    ["http://window", "no window"],
    ["windows://host", "no window"],
    ["skill://a/b", "no window"],
    ["", "no window"],
    [7, "no window"],
    [null, "no window"],
    ["window:", { why: /no host/ }],
    ["window:host/a", { why: /no host/ }],
    ["window:///path", { why: /no host/ }],
    ["window://?priority=1", { why: /no host/ }],
    ["window://host/a\nwindow://fake", { why: /control characters/ }]
  ]
  it.each(uris)("reads the URI %j in every revision", (uri, expected) => {
    assert.deepStrictEqual(...compared({ uri, name: "w" }, "annotations", expected))
    assert.deepStrictEqual(...compared({ uri, name: "w" }, "uri-query", expected))
  })

  const metadata: ReadonlyArray<readonly [metadata: object, expected: Expected]> = [
    [{}, {}],
    [{ annotations: null, _meta: null }, {}],
    [{ annotations: { priority: null }, _meta: { fullscreen: null } }, {}],
    [{ annotations: { priority: 0.25 } }, { priority: 0.25 }],
    [{ annotations: { priority: 1, audience: ["assistant", "user"] } }, { priority: 1 }],
    [{ annotations: { priority: 1.01 } }, { remark: /priority .* counts as 0/ }],
    [{ annotations: { priority: -0.1 } }, { remark: /priority/ }],
    [{ annotations: { priority: 50 } }, { remark: /priority/ }],
    [{ annotations: { priority: "0.5" } }, { remark: /priority/ }],
    [{ annotations: { priority: true } }, { remark: /priority/ }],
    [{ annotations: [] }, {}],
    [{ annotations: { audience: ["user"] } }, { remark: /audience .* shown all the same/ }],
    [{ _meta: { fullscreen: true } }, { fullscreen: true }],
    [{ _meta: { fullscreen: false } }, {}],
    [{ _meta: { fullscreen: "true" } }, { remark: /fullscreen .* counts as false/ }],
    [{ _meta: { fullscreen: 1 } }, { remark: /fullscreen/ }],
    [{ priority: 1, fullscreen: true }, {}]
  ]
  it.each(metadata)("takes the place of a window from its annotations and metadata: %j", (rest, expected) => {
    assert.deepStrictEqual(...compared({ uri: "window://host/a", ...rest }, "annotations", expected))
  })

  it("drops and remarks upon a query where the URI only identifies", () => {
    for (const rest of ["?priority=90&fullscreen=true", "?", "#top", "?a#b"]) {
      assert.deepStrictEqual(
        ...compared({ uri: `window://host/a${rest}` }, "annotations", {
          identity: "window://host/a",
          remark: /ignored/
        })
      )
    }
    assert.deepStrictEqual(
      ...compared({ uri: "window://host?priority=bad" }, "annotations", {
        identity: "window://host",
        remark: /ignored/
      })
    )
  })

  const queries: ReadonlyArray<readonly [query: string, expected: Expected]> = [
    ["", {}],
    ["?", {}],
    ["?priority=0", {}],
    ["?priority=100", { priority: 100 }],
    ["?priority=007", { priority: 7 }],
    ["?priority=50&fullscreen=true", { priority: 50, fullscreen: true }],
    ["?other=x&fullscreen=YES", { fullscreen: true }],
    ["?fullscreen=on", { fullscreen: true }],
    ["?fullscreen=1", { fullscreen: true }],
    ["?fullscreen=off", {}],
    ["?fullscreen=no", {}],
    ["?fullscreen=0", {}],
    ["?priority=101", { why: /priority/ }],
    ["?priority=-1", { why: /priority/ }],
    ["?priority=0.5", { why: /priority/ }],
    ["?priority=", { why: /priority/ }],
    ["?priority=high", { why: /priority/ }],
    ["?fullscreen=", { why: /fullscreen/ }],
    ["?fullscreen=maybe", { why: /fullscreen/ }]
  ]
  it.each(queries)(
    "takes the place of a window from its query %j where the revision has it there",
    (query, expected) => {
      const resource = { annotations: { priority: 0.5 }, _meta: { fullscreen: true } }
      assert.deepStrictEqual(...compared({ uri: `window://host/a${query}`, ...resource }, "uri-query", expected))
    }
  )
})
