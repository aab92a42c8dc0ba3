import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as BundleId from "../../src/protocol/BundleId.ts"
import * as RequestId from "../../src/protocol/RequestId.ts"
import * as ToolName from "../../src/protocol/ToolName.ts"

describe("RequestId", () => {
  it("makes 32 lower-case hex digits, never the same twice", () => {
    const ids = Array.from({ length: 1000 }, RequestId.make)
    for (const id of ids) {
      assert.match(id, /^[0-9a-f]{32}$/)
      assert.isTrue(RequestId.isCanonical(id))
    }
    assert.strictEqual(new Set(ids).size, ids.length)
  })

  it.each([
    ["", false],
    ["0".repeat(31), false],
    ["0".repeat(33), false],
    ["0".repeat(32), true],
    ["F".repeat(32), false],
    [`${"0".repeat(32)}\n`, false],
    ["123e4567-e89b-12d3-a456-426614174000", false],
    [`${"0".repeat(31)}g`, false]
  ])("knows whether %j looks like one of ours: %s", (text, canonical) => {
    assert.strictEqual(RequestId.isCanonical(text), canonical)
  })

  it("names the request for a room's list after Agent and office", () => {
    assert.strictEqual(RequestId.forListRoom("a", "o"), "list_computers_a_o")
  })
})

describe("ToolName", () => {
  it.each(
    [
      [["git", "status"], "git__status"],
      [["git", "status", "state"], "git__state"],
      [["git", "status", null], "git__status"],
      [["git", "status", undefined], "git__status"],
      [["git", "status", ""], "git__"],
      [["my_server-1", "a__b"], "my_server-1__a__b"]
    ] as const
  )("exposes %j as %s", ([bundleId, original, alias], name) => {
    assert.strictEqual(ToolName.exposed(bundleId, original, alias), name)
  })

  const Part = Schema.Array(Schema.Literals(["_", "-", "a", "B", "__", "é"]))
  const idOf = (parts: ReadonlyArray<string>) => BundleId.normalize(parts.join("")) || "bundle_0"

  it.prop("gives different names to different tools of servers with derived ids", [Part, Part, Part, Part], (
    [id1, tool1, id2, tool2]
  ) => {
    const [a, b] = [[idOf(id1), tool1.join("")], [idOf(id2), tool2.join("")]] as const
    const same = a[0] === b[0] && a[1] === b[1]
    assert.strictEqual(ToolName.exposed(...a) === ToolName.exposed(...b), same)
  }, { arbitrary: { runs: 2000 } })

  it("cannot tell apart an explicit id that ends with an underscore from a tool that begins with one", () => {
    assert.isTrue(BundleId.isValid("a_"))
    assert.strictEqual(ToolName.exposed("a_", "b"), ToolName.exposed("a", "_b"))
  })
})
