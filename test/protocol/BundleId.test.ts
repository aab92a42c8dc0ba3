import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { createHash } from "node:crypto"
import * as BundleId from "../../src/protocol/BundleId.ts"

const stdio = (
  command: string,
  args: ReadonlyArray<string> = [],
  env: Readonly<Record<string, string>> = {}
): BundleId.ConnectionIdentity => ({ type: "stdio", command, args, env })

const streamable = (url: string, headers: Readonly<Record<string, string>> = {}): BundleId.ConnectionIdentity => ({
  type: "streamable",
  url,
  headers
})

// -----------------------------------------------------------------------------
// The frame once more, written for the test alone
// -----------------------------------------------------------------------------

const size = (n: number): Buffer => Buffer.from([n >>> 24, (n >>> 16) & 255, (n >>> 8) & 255, n & 255])
const text = (value: string): Buffer => {
  const bytes = Buffer.from(value, "utf8")
  return Buffer.concat([size(bytes.length), bytes])
}
const hashOf = (...parts: ReadonlyArray<Buffer>): string =>
  `bundle_${createHash("sha256").update(Buffer.concat(parts)).digest("hex").slice(0, 16)}`

/** The specification's own conformance vectors. */
const vectors: ReadonlyArray<{
  readonly says: string
  readonly name: string
  readonly explicit?: string
  readonly connection: BundleId.ConnectionIdentity
  readonly id: string
}> = [
  {
    says: "keeps an ASCII name",
    name: "everything",
    connection: stdio("npx", ["-y", "everything"]),
    id: "everything"
  },
  { says: "replaces blanks and symbols and trims", name: "My Server!", connection: stdio("npx"), id: "My_Server" },
  { says: "makes one of two underscores", name: "a__b", connection: stdio("x"), id: "a_b" },
  { says: "replaces dots", name: "a.b.c", connection: stdio("x"), id: "a_b_c" },
  { says: "keeps runs of hyphens", name: "a-b--c", connection: stdio("x"), id: "a-b--c" },
  { says: "trims underscores at both ends", name: "__lead_trail__", connection: stdio("x"), id: "lead_trail" },
  { says: "keeps the case", name: "MyServer", connection: stdio("x"), id: "MyServer" },
  {
    says: "takes an explicit id as it is",
    name: "whatever",
    explicit: "custom_id",
    connection: stdio("x"),
    id: "custom_id"
  },
  {
    says: "hashes a stdio server without a usable name, arguments in order",
    name: "你好世界",
    connection: stdio("npx", ["-y", "everything"]),
    id: "bundle_8d2a9232fa76e8a5"
  },
  {
    says: "hashes a stdio server whose name is all symbols",
    name: "!!!@@@",
    connection: stdio("uvx", ["mcp-server-git"]),
    id: "bundle_62515edd7632e701"
  },
  {
    says: "hashes the environment, its keys sorted",
    name: "服务器",
    connection: stdio("node", ["a.js"], { TOKEN: "x", DEBUG: "1" }),
    id: "bundle_05020ad7c2cc048d"
  },
  {
    says: "hashes a streamable server without headers",
    name: "",
    connection: streamable("https://api.example.com/mcp"),
    id: "bundle_b413b61fe2e77b15"
  },
  {
    says: "hashes the headers of a streamable server",
    name: "",
    connection: streamable("https://api.example.com/mcp", { Authorization: "Bearer z" }),
    id: "bundle_0706e7b45613df7a"
  },
  {
    says: "hashes an SSE server",
    name: "",
    connection: { type: "sse", url: "https://api.example.com/sse", headers: {} },
    id: "bundle_e1d7b1216a270815"
  },
  {
    says: "takes a placeholder in the environment literally",
    name: "",
    connection: stdio("node", ["server.js"], { API_KEY: "${input:api_key}" }),
    id: "bundle_68ae00fea9122c01"
  },
  {
    says: "takes a placeholder in a header literally",
    name: "",
    connection: streamable("https://api.example.com/mcp", { Authorization: "Bearer ${input:token}" }),
    id: "bundle_6366b4fd89f56f6a"
  }
]

const names: ReadonlyArray<readonly [name: string, normalized: string]> = [
  ["a😀b", "a_b"],
  ["👩‍💻", ""],
  ["👩‍💻 laptop", "laptop"],
  ["a\ud800b", "a_b"],
  ["\udc00\ud800", ""],
  ["a\ud800", "a"],
  ["Cafe\u0301 bar", "Cafe_bar"],
  ["Caf\u00e9 bar", "Caf_bar"],
  ["a\u0000b\nc\td\u007fe", "a_b_c_d_e"],
  ["\u0000", ""],
  ["a\n", "a"],
  [" a ", "a"],
  ["a\u2028b\ufeffc", "a_b_c"],
  ["Ａ１", ""],
  ["٣", ""],
  ["ﬁle", "le"],
  ["_-_", ""],
  ["-a-", "a"],
  ["_-a-_-b-_", "a-_-b"],
  ["a-_ _-b", "a-_-b"],
  ["----", ""],
  ["a_-", "a"],
  ["x".repeat(10_000), "x".repeat(10_000)],
  ["_".repeat(10_000), ""],
  ["-_".repeat(5_000), ""],
  ["é".repeat(10_000), ""],
  [`a${" ".repeat(9_998)}b`, "a_b"],
  [`${"-".repeat(5_000)}a${"_".repeat(5_000)}`, "a"],
  ["😀a".repeat(5_000), "a_".repeat(4_999) + "a"]
]

/** Texts as bad as they come: any UTF-16 units, and often those that matter here. */
const AnyText = Schema.Array(
  Schema.Union([Schema.Literals(["_", "-", "a", "Z", "9", " ", "é", "😀", "\ud800", "\udc00", "__"]), Schema.String])
)

describe("BundleId", () => {
  for (const { connection, explicit, id, name, says } of vectors) {
    it.effect(`${says}: ${JSON.stringify(name)}`, () =>
      Effect.gen(function*() {
        assert.strictEqual(yield* BundleId.resolve({ explicit, name, connection }), id)
      }))
  }

  it.each(names)("normalises %j", (name, normalized) => {
    assert.strictEqual(BundleId.normalize(name), normalized)
  })

  it.prop("normalises what is normalised to itself", [AnyText], ([parts]) => {
    const once = BundleId.normalize(parts.join(""))
    assert.strictEqual(BundleId.normalize(once), once)
  })

  it.prop("normalises to an acceptable id without separators at its ends, or to nothing", [AnyText], ([parts]) => {
    const normalized = BundleId.normalize(parts.join(""))
    assert.isTrue(normalized === "" || BundleId.isValid(normalized))
    assert.notMatch(normalized, /^[_-]|[_-]$/)
  })

  it.prop("keeps each acceptable character of a name, in order", [AnyText], ([parts]) => {
    const name = parts.join("")
    const letters = (from: string) => from.replace(/[^A-Za-z0-9]/g, "")
    assert.strictEqual(letters(BundleId.normalize(name)), letters(name))
  })

  it.each([
    ["a", true],
    ["a_b-C9", true],
    ["_a", true],
    ["a_", true],
    ["-", true],
    ["", false],
    ["a__b", false],
    ["__", false],
    ["a b", false],
    ["a.b", false],
    ["a\n", false],
    ["é", false],
    ["a\u0000", false],
    ["x".repeat(10_000), true],
    [`${"x_".repeat(5_000)}_`, false]
  ])("knows whether %j is an acceptable explicit id: %s", (id, valid) => {
    assert.strictEqual(BundleId.isValid(id), valid)
  })

  it.effect("takes null for no explicit id", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* BundleId.resolve({ explicit: null, name: "n", connection: stdio("x") }), "n")
    }))

  describe("hashes", () => {
    const fallback = (connection: BundleId.ConnectionIdentity) => BundleId.resolve({ name: "", connection })

    it.effect("environment keys in the order of code points, not of UTF-16 units", () =>
      Effect.gen(function*() {
        // U+FF5E comes before U+1F600, but its UTF-16 unit after the pair's first.
        const [tilde, face] = ["\uff5e", "\u{1f600}"]
        assert.isTrue(face < tilde)
        const expected = hashOf(
          ...[text("stdio"), text("c"), size(0), size(3)],
          ...[text("A"), text("0"), text(tilde), text("1"), text(face), text("2")]
        )
        for (const env of [{ A: "0", [tilde]: "1", [face]: "2" }, { [face]: "2", [tilde]: "1", A: "0" }]) {
          assert.strictEqual(yield* fallback(stdio("c", [], env)), expected)
        }
      }))

    it.effect("environment keys that begin with each other, and such that look like numbers", () =>
      Effect.gen(function*() {
        const expected = hashOf(
          ...[text("stdio"), text("c"), size(0), size(5)],
          ...[text(""), text("e"), text("10"), text("a"), text("9"), text("b"), text("A"), text("c")],
          ...[text("AB"), text("d")]
        )
        assert.strictEqual(yield* fallback(stdio("c", [], { AB: "d", A: "c", 9: "b", 10: "a", "": "e" })), expected)
      }))

    it.effect("lengths in bytes, not in characters", () =>
      Effect.gen(function*() {
        const args = ["ü", "😀", "", "x".repeat(70_000)]
        const expected = hashOf(text("stdio"), text("né"), size(4), ...args.map(text), size(0))
        assert.strictEqual(yield* fallback(stdio("né", args)), expected)
      }))

    it.effect("headers of each kind of HTTP server under its own type", () =>
      Effect.gen(function*() {
        for (const type of ["streamable", "sse"] as const) {
          const expected = hashOf(text(type), text("http://h/"), size(1), text("X-Ä"), text("ß"))
          assert.strictEqual(yield* fallback({ type, url: "http://h/", headers: { "X-Ä": "ß" } }), expected)
        }
      }))

    it.effect("arguments so that none can pass for two", () =>
      Effect.gen(function*() {
        const ids = yield* Effect.forEach(
          [stdio("c", ["a b"]), stdio("c", ["a", "b"]), stdio("c", ["b", "a"]), stdio("ca", ["b"]), stdio("c", ["ab"])],
          fallback
        )
        assert.strictEqual(new Set(ids).size, ids.length)
      }))
  })
})
