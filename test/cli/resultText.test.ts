import { assert, describe, it } from "@effect/vitest"
import { resultText } from "../../src/cli/internal/resultText.ts"

describe("a tool's result for people", () => {
  it.each([0, 1, 2, 3, 4, 200_000])("tells how large a part of %i bytes is", (size) => {
    const data = Buffer.alloc(size, 7).toString("base64")
    const text = resultText({
      content: [
        { type: "image", data, mimeType: "image/png" },
        { type: "resource", resource: { uri: "file:///a", mimeType: "a/b", blob: data } }
      ]
    })
    assert.strictEqual(text, `[image, image/png, ${size} bytes]\n[resource file:///a, a/b, ${size} bytes]`)
  })
})
