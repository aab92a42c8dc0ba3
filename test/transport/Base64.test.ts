import { assert, describe, it } from "@effect/vitest"
import * as Effective from "effect/encoding/Base64"
import * as Schema from "effect/Schema"
import * as Base64 from "../../src/transport/Base64.ts"

describe("Base64", () => {
  it.prop("gives back all bytes, also those of a part of a buffer", { bytes: Schema.Uint8Array }, ({ bytes }) => {
    const part = new Uint8Array([1, 2, 3, ...bytes, 4]).subarray(3, 3 + bytes.length)
    const text = Base64.encode(part)
    assert.strictEqual(text, Effective.encode(bytes))
    assert.strictEqual(Base64.decodedSize(text), bytes.length)
    assert.deepStrictEqual(Base64.decode(text), bytes)
  })

  it.each(["A", "AA", "AAA", "AAA=A", "AA=A", "====", "AB==", "AAB=", "AA A", "AAAA\n", "AA-_", "AAAA====", "é==="])(
    "takes %j for no base64",
    (text) => assert.isUndefined(Base64.decode(text))
  )
})
