import { assert, describe, it } from "@effect/vitest"
import { remembrance } from "../../src/cli/console/internal/typedLines.ts"

describe("the lines typed at the prompt", () => {
  const lines: ReadonlyArray<readonly [line: string, how: "file" | "session" | "never"]> = [
    ["tools", "file"],
    ["call files__list path=/tmp/token-list", "file"],
    ["tc {\"tool_name\": \"x\", \"params\": {\"text\": \"passwords are hard\"}}", "file"],
    ["call web__get token=abc", "session"],
    ["call web__get url=https://me:hunter2@example.org/", "session"],
    ["call web__get header='Authorization: Bearer abcdefgh12345678'", "session"],
    ["tc {\"tool_name\": \"x\", \"params\": {\"api_key\": \"abc\"}}", "session"],
    ["tc {\"tool_name\": \"x\", \"params\": {\"text\": \"ghp_0123456789abcdefghij\"}}", "session"],
    ["inputs add {\"id\": \"a\", \"type\": \"promptString\", \"default\": \"eu\"}", "file"],
    ["inputs add {\"id\": \"a\", \"password\": true, \"default\": \"sk-0123456789abcdef\"}", "session"],
    ["call x password='hunter2", "session"],
    ["what-was-meant-for-a-question", "session"],
    ["http://127.0.0.1:1/callback?code=x", "session"],
    ["server add {\"name\": \"a\", \"command\": \"b\"}", "session"],
    ["login linear http://127.0.0.1:1/callback?code=x", "session"],
    ["inputs value set zone eu", "never"],
    ["render {} --reveal", "never"]
  ]
  it.each(lines)("%s", (line, how) => {
    assert.strictEqual(remembrance(line), how)
  })
})
