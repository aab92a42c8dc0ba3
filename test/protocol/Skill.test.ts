import { assert, describe, it } from "@effect/vitest"
import * as Skill from "../../src/protocol/Skill.ts"

const names = [
  "pdf",
  "code-review",
  "a1-2b",
  "x".repeat(64),
  "plugin:skill",
  "mcp:tools:code-review",
  "mcp:My_Server-1:csv",
  "mcp:pdf"
]

const others = [
  "",
  ":",
  "Skill",
  "-a",
  "a-",
  "a--b",
  "a_b",
  "a.b",
  "../etc",
  "x".repeat(65),
  "plugin:",
  ":skill",
  "other:server:skill",
  "mcp:a__b:skill",
  "mcp::skill",
  "mcp:server:Skill",
  "mcp:server:skill:more",
  "skill\n"
]

describe("Skill.isName", () => {
  it.each(names)("takes %j for a name", (name) => assert.isTrue(Skill.isName(name)))
  it.each(others)("takes %j for none", (name) => assert.isFalse(Skill.isName(name)))
})
