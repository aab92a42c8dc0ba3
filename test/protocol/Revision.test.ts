import { assert, describe, it } from "@effect/vitest"
import * as ProtocolVersion from "../../src/protocol/ProtocolVersion.ts"
import * as Revision from "../../src/protocol/Revision.ts"

const ids = ["0.1", "0.2", "0.3", "0.4", "0.5"] as const

/** One row for each fact; its five cells are the revisions 0.1 to 0.5. */
const facts: { readonly [Key in Exclude<keyof Revision.Revision, "id">]: ReadonlyArray<Revision.Revision[Key]> } = {
  version: ["0.1.2", "0.2.3", "0.3.2", "0.4.0", "0.5.0"],
  handshake: ["none", "query", "query", "query", "query"],
  joinAck: ["tuple", "tuple", "tuple", "tuple", "payload"],
  toolCallErrors: ["result", "flat", "flat", "flat", "flat"],
  computersPerOffice: [Infinity, Infinity, Infinity, Infinity, 1],
  cancel: ["ignored", "should", "should", "should", "must"],
  cancelAwaitsAck: [false, false, false, false, true],
  serverKey: ["name", "name", "bundle_id", "bundle_id", "bundle_id"],
  toolNames: ["original", "original", "exposed", "exposed", "exposed"],
  pickOptions: ["string", "string", "labelled", "labelled", "labelled"],
  inputsReResolved: [false, false, true, true, true],
  inputEnvironment: ["none", "upper-case", "segment", "segment", "segment"],
  windowMetadata: ["uri-query", "annotations", "annotations", "annotations", "annotations"],
  toolMeta: ["config", "config", "config", "three-layer", "three-layer"],
  plugins: ["none", "active-on-install", "enabled-separately", "enabled-separately", "enabled-separately"],
  hasGetConfigRelay: [false, true, true, true, true],
  hasGetResources: [false, true, true, true, true],
  hasSkills: [false, true, true, true, true],
  hasSkillTags: [false, false, false, true, true],
  hasGetBlob: [false, true, true, true, true],
  hasPutBlob: [false, false, false, true, true]
}

describe("Revision", () => {
  it("knows five revisions, each under its id", () => {
    assert.deepStrictEqual(Object.keys(Revision.revisions), [...ids])
    for (const id of ids) assert.strictEqual(Revision.revisions[id].id, id)
  })

  it.each(Object.entries(facts))("says %s of each revision", (key, row) => {
    const cells = ids.map((id) => Revision.revisions[id][key as keyof Revision.Revision])
    assert.deepStrictEqual(cells, [...row])
  })

  it("has no fact that the table leaves out", () => {
    for (const id of ids) {
      assert.sameMembers(Object.keys(Revision.revisions[id]), ["id", ...Object.keys(facts)])
    }
  })

  it("speaks 0.4.0 unless told otherwise", () => {
    assert.strictEqual(Revision.PROTOCOL_VERSION, "0.4.0")
    assert.strictEqual(Revision.defaultRevision, Revision.revisions["0.4"])
    assert.strictEqual(Revision.defaultRevision.version, Revision.PROTOCOL_VERSION)
  })

  it("announces versions that belong to its id and that the reference parser takes", () => {
    for (const id of ids) {
      const version = ProtocolVersion.parse(Revision.revisions[id].version)
      assert.strictEqual(`${version?.major}.${version?.minor}`, id)
    }
  })
})
