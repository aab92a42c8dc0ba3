import { assert, describe, it } from "@effect/vitest"
import type { InputDefinition } from "../../../src/computer/InputDefinition.ts"
import { chainProblem } from "../../../src/computer/internal/inputs/inputChain.ts"

const WIDTH = 9

/** Inputs in layers, each of which needs all of the next layer; those of the last one need `last`. */
const layers = (depth: number, last: string): ReadonlyMap<string, InputDefinition> =>
  new Map(
    Array.from({ length: depth * WIDTH }, (_, index) => {
      const layer = Math.floor(index / WIDTH)
      const next = Array.from({ length: WIDTH }, (_, column) => `\${input:${layer + 1}-${column}}`).join("")
      const id = `${layer}-${index % WIDTH}`
      return [id, { id, type: "promptString", default: layer === depth - 1 ? last : next }]
    })
  )

describe("inputs that need others", () => {
  it("are looked through once, however many share one", () => {
    // 9¹⁰ ways through them would outlast the test
    assert.isUndefined(chainProblem("0-0", layers(10, "x")))
  })

  it("are refused where a chain is too long or comes back, wherever it does", () => {
    assert.match(chainProblem("0-0", layers(11, "x")) ?? "", /more than 10 deep/)
    assert.match(
      chainProblem("0-0", layers(4, "${A:-${input:2-8}}")) ?? "",
      /needs itself: "0-0" → .* → "2-8" → "3-0"\.$/
    )
  })
})
