import { assert, describe, it } from "@effect/vitest"
import { Array as Arr, Result } from "effect"
import * as Revision from "../../../src/protocol/Revision.ts"
import * as versionGate from "../../../src/transport/internal/versionGate.ts"

type Id = Revision.RevisionId
const chosen = (listed: Arr.NonEmptyReadonlyArray<Id>, announced: string | undefined) =>
  Result.match(versionGate.choose(Revision.newestFirst(Arr.map(listed, (id) => Revision.revisions[id])), announced), {
    onFailure: ({ _tag }) => _tag === "BadRequest" ? 400 : 4008,
    onSuccess: ({ id }) => id
  })

const announcements = [undefined, "", "0.1.0", "0.2.3", "0.3.999", "0.4.0", "0.5.1", "1.4.0", "0.4", "0.4.0-dev", "x"]

/** Who gets in where, and as what; one column for each announcement. */
const table: ReadonlyArray<readonly [listed: Arr.NonEmptyReadonlyArray<Id>, ReadonlyArray<Id | 400 | 4008>]> = [
  [["0.4"], [400, 400, 4008, 4008, 4008, "0.4", 4008, 4008, 400, 400, 400]],
  [["0.2"], [400, 400, 4008, "0.2", 4008, 4008, 4008, 4008, 400, 400, 400]],
  [["0.1"], ["0.1", "0.1", "0.1", "0.1", "0.1", "0.1", "0.1", "0.1", "0.1", "0.1", "0.1"]],
  [["0.3", "0.5"], [400, 400, 4008, 4008, "0.3", 4008, "0.5", 4008, 400, 400, 400]],
  [["0.5", "0.3"], [400, 400, 4008, 4008, "0.3", 4008, "0.5", 4008, 400, 400, 400]],
  [["0.4", "0.1"], ["0.1", "0.1", "0.1", 4008, 4008, "0.4", 4008, 4008, 400, 400, 400]],
  [["0.1", "0.2", "0.3", "0.4", "0.5"], ["0.1", "0.1", "0.1", "0.2", "0.3", "0.4", "0.5", 4008, 400, 400, 400]]
]

describe("the version gate", () => {
  for (const [listed, expected] of table) {
    it(`of ${listed.join(", ")} chooses the revision`, () => {
      assert.deepStrictEqual(announcements.map((announced) => chosen(listed, announced)), [...expected])
    })
  }
})
