import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { createRequire } from "node:module"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import * as ConfigFile from "../../src/computer/ConfigFile.ts"
import type * as ResultTransform from "../../src/computer/ResultTransform.ts"
import { builtFolder } from "../cli/support/build.ts"

const built = join(builtFolder, "computer", "ResultTransform.js")

/** The module and all it is made of in one file, as programs that are bundled have it. */
const bundle = (outfile: string): string => {
  const { buildSync } = createRequire(createRequire(import.meta.url).resolve("tsx"))("esbuild")
  buildSync({
    entryPoints: [built],
    outfile,
    bundle: true,
    keepNames: true,
    minify: true,
    platform: "node",
    format: "esm"
  })
  return outfile
}

/** What both engines of this copy of the module make of a result. */
const outputs = Effect.fnUntraced(function*(file: string) {
  const { jsonata, make, vrl }: typeof ResultTransform = yield* Effect.promise(() => import(pathToFileURL(file).href))
  const transform = yield* make({ engines: { vrl: vrl(), jsonata: jsonata() } })
  const { servers } = yield* ConfigFile.fromValue({ servers: { s: { command: "-", vrl: ". = .tool_name" } } }, "test")
  const entry = { ...servers[0]!, settings: { transform: { language: "jsonata", script: "parameters.q" } } }
  assert.isUndefined(yield* transform.check(entry))
  return (yield* transform.apply(entry, { result: { content: [] }, tool: "t", args: { q: 1 } })).meta
})

describe("ResultTransform, compiled", () => {
  it.live("finds its engines and their thread as part of the package", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* outputs(built), { a2c_vrl_transformed: "\"t\"", a2c_jsonata_transformed: "1" })
    }))

  it.live("finds them in one bundled file as well", () =>
    Effect.gen(function*() {
      // beside the package, where its dependencies are
      const folder = yield* Effect.acquireRelease(
        Effect.sync(() => mkdtempSync(join(builtFolder, "bundled-"))),
        (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
      )
      const file = bundle(join(folder, "bundled.mjs"))
      assert.deepStrictEqual(yield* outputs(file), { a2c_vrl_transformed: "\"t\"", a2c_jsonata_transformed: "1" })
    }))
})
