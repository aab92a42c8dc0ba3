import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as ProtocolVersion from "../../src/protocol/ProtocolVersion.ts"

const parsed = (text: string): ProtocolVersion.ProtocolVersion => {
  const version = ProtocolVersion.parse(text)
  assert.isDefined(version, text)
  return version
}

const Part = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 999_999_999 }))

describe("ProtocolVersion", () => {
  it.each([
    ["0.4.0", { major: 0, minor: 4, patch: 0 }],
    ["1.2.3", { major: 1, minor: 2, patch: 3 }],
    ["10.20.30", { major: 10, minor: 20, patch: 30 }],
    ["0.0.0", { major: 0, minor: 0, patch: 0 }],
    ["00.04.000", { major: 0, minor: 4, patch: 0 }],
    ["999999999.0.0", { major: 999_999_999, minor: 0, patch: 0 }]
  ])("parses %j", (text, version) => {
    assert.deepStrictEqual(ProtocolVersion.parse(text), version)
  })

  it.each([
    "",
    "0",
    "0.4",
    "0.4.",
    ".4.0",
    "0..0",
    "0.4.0.0",
    "0.4.0-dev",
    "0.4.0+1",
    "v0.4.0",
    " 0.4.0",
    "0.4.0 ",
    "0.4.0\n",
    "\n0.4.0",
    "0.4.0\n1.0.0",
    "-0.4.0",
    "+0.4.0",
    "0.4.0e1",
    "0,4,0",
    "0x0.4.0",
    "latest",
    "٠.٤.٠",
    "0.4.１",
    "0.4.x",
    "0.4.0\u0000",
    "1000000000.0.0",
    "9".repeat(10_000)
  ])("does not parse %j", (text) => {
    assert.isUndefined(ProtocolVersion.parse(text))
  })

  it.prop("parses what three numbers look like", [Part, Part, Part], ([major, minor, patch]) => {
    assert.deepStrictEqual(ProtocolVersion.parse(`${major}.${minor}.${patch}`), { major, minor, patch })
  })

  it.each([
    ["0.4.0", "0.4.0", true],
    ["0.4.0", "0.4.999", true],
    ["0.4.9", "0.4.0", true],
    ["0.4.0", "0.3.0", false],
    ["0.4.0", "0.5.0", false],
    ["0.4.0", "1.4.0", false],
    ["1.4.0", "0.4.0", false],
    ["0.0.1", "0.0.2", true],
    ["1.0.0", "1.0.0", true],
    ["1.4.0", "1.0.0", true],
    ["1.4.0", "1.4.7", true],
    ["1.4.0", "1.5.0", false],
    ["2.0.0", "1.9.0", false],
    ["1.9.0", "2.0.0", false]
  ])("a server of %s and a client of %s may talk: %s", (server, client, compatible) => {
    assert.strictEqual(ProtocolVersion.isCompatible(parsed(server), parsed(client)), compatible)
  })

  it.each([
    ["0.4.0", "0.4.0", "0.4.999"],
    ["0.3.2", "0.3.0", "0.3.999"],
    ["1.4.2", "1.0.0", "1.4.999"]
  ])("a server of %s says that it accepts %s to %s", (server, min, max) => {
    assert.deepStrictEqual(ProtocolVersion.supportedRange(parsed(server)), { min, max })
  })

  const Small = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 3 }))

  it.prop("says it accepts exactly what it accepts", [Small, Small, Small, Small, Part], (
    [major, minor, otherMajor, otherMinor, patch]
  ) => {
    const server = { major, minor, patch: 0 }
    const client = { major: otherMajor, minor: otherMinor, patch: patch % 1000 }
    const { max, min } = ProtocolVersion.supportedRange(server)
    const order = (version: ProtocolVersion.ProtocolVersion) =>
      version.major * 1e6 + version.minor * 1e3 + version.patch
    const inRange = order(parsed(min)) <= order(client) && order(client) <= order(parsed(max))
    assert.strictEqual(ProtocolVersion.isCompatible(server, client), inRange)
  })
})
