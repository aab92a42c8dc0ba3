import { assert, describe, it } from "@effect/vitest"
import { maskedArguments, maskedText } from "../../../src/computer/internal/config/maskedConfig.ts"

/** Arguments with a secret in them, and how they may be shown. */
const hidden: ReadonlyArray<readonly [args: ReadonlyArray<string>, shown: ReadonlyArray<string>]> = [
  [["--api-key", "canary"], ["--api-key", "***"]],
  [["--api-key", "-canary"], ["--api-key", "***"]],
  [["--apiKey=canary", "x"], ["--apiKey=***", "x"]],
  [["--token=canary${env:T}"], ["--token=***${env:T}"]],
  [["--key", "canary"], ["--key", "***"]],
  [["--password", "${input:p}"], ["--password", "${input:p}"]],
  [["--password", "${P:-canary}"], ["--password", "${P:-***}"]],
  [["TOKEN=canary"], ["TOKEN=***"]],
  [["--dsn", "me:canary@tcp(db:3306)/x"], ["--dsn", "me:***@tcp(db:3306)/x"]],
  [["--pass", "canary"], ["--pass", "***"]],
  [["AccountName=me;AccountKey=canary+/==;EndpointSuffix=x"], ["AccountName=me;AccountKey=***;EndpointSuffix=x"]],
  [["-e", "ANY=canary", "image"], ["-e", "ANY=***", "image"]],
  [["--env", "ANY=${env:ANY}canary"], ["--env", "ANY=${env:ANY}***"]],
  [["-H", "X-Any: canary"], ["-H", "X-Any: ***"]],
  [["--header", "Authorization: Bearer ${input:t}"], ["--header", "Authorization: ***${input:t}"]],
  [["--header", "Authorization:canary"], ["--header", "Authorization:***"]],
  [["Authorization: canary"], ["Authorization: ***"]],
  [["https://me:canary@h/p"], ["https://***@h/p"]],
  [["https://canary@h"], ["https://***@h"]],
  [["https://h/?a=1&api_key=canary#x"], ["https://h/?a=1&api_key=***#x"]],
  [["https://h/?key=canary&b=${env:B}"], ["https://h/?key=***&b=${env:B}"]],
  [["https://h/?access%5Ftoken=canary"], ["https://h/?access%5Ftoken=***"]],
  [["https://h/mcp#token=canary"], ["https://h/mcp#token=***"]],
  [["https://h/s/canary0123456789abcdefABCDEF/mcp"], ["https://h/s/***/mcp"]],
  [["postgres://u:${env:P}canary@h/db"], ["postgres://***${env:P}***@h/db"]],
  [["{\"apiKey\":\"canary\",\"a\":1}"], ["{\"apiKey\":***,\"a\":1}"]],
  [["sh", "-c", "curl -H 'Authorization: Bearer canary0123' x"], ["sh", "-c", "curl -H 'Authorization: ***' x"]],
  [["sk-canary0123456789"], ["***"]],
  [["canary0123456789ABCDEFabcdef"], ["***"]],
  [["${TOKEN:-canary}"], ["${TOKEN:-***}"]],
  [["${STRIPE_KEY:-canary}"], ["${STRIPE_KEY:-***}"]],
  [["${A:-https://u:canary@h}"], ["${A:-***}"]]
]

/** What is no secret is shown as it is written. */
const plain: ReadonlyArray<ReadonlyArray<string>> = [
  ["-y", "@modelcontextprotocol/server-filesystem", "/home/me/Documents/some-folder-1"],
  ["mcp-remote", "https://mcp.example.com/v1/sse?profile=work", "--transport", "http-first"],
  ["run", "-i", "--rm", "ghcr.io/github/github-mcp-server:v0.5.0"],
  ["--port=8080", "--host", "127.0.0.1", "--author", "me", "--max-tokens", "100"],
  ["${input:pkg}", "${PORT:-8080}", "$${x}", "${workspaceFolder}/server.js"],
  ["--secret-name"],
  ["--pass-through", "--account", "me"],
  ["--token", "--verbose"]
]

describe("what is shown of arguments", () => {
  it.each(hidden)("hides what is secret in %j", (args, shown) => {
    const masked = maskedArguments(args, "a2c")
    assert.deepStrictEqual(masked, shown)
    assert.notInclude(JSON.stringify(masked), "canary")
  })

  it.each(plain.map((args) => [args] as const))("leaves %j", (args) => {
    assert.deepStrictEqual(maskedArguments(args, "a2c"), args)
  })

  it("knows the grammar", () => {
    assert.deepStrictEqual(maskedArguments(["--token={env:T}", "--key", "x$KEY"], "opencode"), [
      "--token={env:T}",
      "--key",
      "***"
    ])
    assert.strictEqual(maskedText("https://$USER:x@h", "gemini"), "https://$USER***@h")
    assert.deepStrictEqual(maskedArguments(["--token", "${env:T}"], "claude-desktop"), ["--token", "***"])
  })

  it("takes its time from no text", () => {
    // steps that grow with the square of the length would outlast the test
    for (const piece of ["a=", "https://", "--token ", "\"a\":", "x@", "?a=", "AB12", "a-"]) {
      assert.isNotEmpty(maskedText(piece.repeat(20_000), "a2c"))
      assert.strictEqual(maskedArguments([piece.repeat(20_000)], "a2c").length, 1)
    }
  })
})
