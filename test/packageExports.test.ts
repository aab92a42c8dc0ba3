import { assert, describe, it } from "@effect/vitest"
import { existsSync, readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { loadedModules, packagesOf } from "./support/loadedModules.ts"

interface Manifest {
  readonly bin: Readonly<Record<string, string>>
  readonly exports: Readonly<Record<string, string | { readonly types: string; readonly default: string }>>
}

const root = new URL("../", import.meta.url)
const manifest = JSON.parse(readFileSync(new URL("package.json", root), "utf8")) as Manifest

/** The source that a file of `dist` is built from. */
const sourceOf = (built: string): string => built.replace(/^(\.\/)?dist\//, "src/").replace(/(\.d\.ts|\.js)$/, ".ts")

const entries = Object.entries(manifest.exports).flatMap(([subpath, target]) =>
  typeof target === "string" ? [] : [[subpath, target] as const]
)

describe("the package", () => {
  it.each(entries)("exports %s with its types from one source that exists", (_subpath, target) => {
    assert.strictEqual(sourceOf(target.types), sourceOf(target.default))
    assert.isTrue(existsSync(new URL(sourceOf(target.default), root)), sourceOf(target.default))
  })

  it.each(Object.entries(manifest.bin))("has the source of its command %s", (_name, target) => {
    const path = new URL(sourceOf(target), root)
    assert.isTrue(existsSync(path), sourceOf(target))
    assert.match(readFileSync(path, "utf8"), /^#!\/usr\/bin\/env node\n/)
  })

  it.each(["agent/internal/x", "agent/Agent", "agent/index.js", "cli", "transport", "dist/agent/index.js"])(
    "keeps a2c-smcp/%s to itself",
    (subpath) => {
      const require = createRequire(new URL("package.json", root))
      assert.throws(
        () => require.resolve(`a2c-smcp/${subpath}`),
        /ERR_PACKAGE_PATH_NOT_EXPORTED|not defined by "exports"/
      )
    }
  )
})

const packagesOfEntry = async (subpath: string): Promise<ReadonlyArray<string>> => {
  const modules = await loadedModules(`src/${subpath}/index.ts`)
  assert.include(modules.map((url) => url.replace(root.href, "")), `src/${subpath}/index.ts`)
  return packagesOf(modules)
}

const assertLoadsNone = (loaded: ReadonlyArray<string>, packages: ReadonlyArray<string>): void =>
  assert.deepStrictEqual(packages.filter((name) => loaded.includes(name)), [])

describe("a program that imports one entry", () => {
  it("loads for a2c-smcp/protocol nothing but effect", async () => {
    assert.deepStrictEqual(await packagesOfEntry("protocol"), ["effect"])
  })

  it("loads for a2c-smcp/agent the Socket.IO client, and neither its server nor the MCP SDK", async () => {
    const loaded = await packagesOfEntry("agent")
    assert.include(loaded, "socket.io-client")
    assertLoadsNone(loaded, ["@modelcontextprotocol/sdk", "socket.io", "engine.io", "@effect/platform-node"])
  })

  it("loads for a2c-smcp/server the Socket.IO server, and neither its client nor the MCP SDK", async () => {
    const loaded = await packagesOfEntry("server")
    assert.include(loaded, "socket.io")
    assertLoadsNone(loaded, ["@modelcontextprotocol/sdk", "socket.io-client", "@effect/platform-node"])
  })

  it("loads for a2c-smcp/computer the MCP SDK, and neither the Socket.IO server nor what few configs need", async () => {
    const loaded = await packagesOfEntry("computer")
    assert.include(loaded, "@modelcontextprotocol/sdk")
    assertLoadsNone(loaded, ["socket.io", "engine.io", "undici", "yaml", "jsonata"])
  })
})

describe("the list of loaded modules", () => {
  it("sees ESM, CommonJS, and what CommonJS requires", async () => {
    const loaded = packagesOf(await loadedModules("node_modules/socket.io/wrapper.mjs"))
    assert.includeMembers([...loaded], ["socket.io", "engine.io", "ws", "socket.io-parser"])
  })
})
