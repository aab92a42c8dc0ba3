import { assert, describe, it } from "@effect/vitest"
import { adviceOn, launcherOf, startSeconds } from "../../../src/computer/internal/supervision/startAdvice.ts"
import { entryOf } from "../support/managers.ts"

const entry = (line: string) => {
  const [command = "", ...args] = line.split(" ")
  return entryOf("a", { command, args })
}

describe("a program that fetches a server before it starts it", () => {
  const launchers: ReadonlyArray<readonly [line: string, name: string, fetched: string | undefined]> = [
    ["npx -y @scope/server@1 --port 3", "npx", "@scope/server@1"],
    ["C:\\node\\npx.cmd -p some-package some-bin", "npx", "some-package"],
    ["npx --package=pkg bin", "npx", "pkg"],
    ["uvx --from git+x server", "uvx", "git+x"],
    ["uvx --python 3.12 mcp-server-git", "uvx", "mcp-server-git"],
    ["pnpm dlx thing", "pnpm dlx", "thing"],
    ["npm exec -- thing", "npm exec", "thing"],
    ["bun x thing", "bun x", "thing"],
    ["docker run -i --rm -e TOKEN -v /a:/b mcp/fetch --x", "docker", "mcp/fetch"],
    ["npx", "npx", undefined]
  ]
  it.each(launchers)("is known: %s", (line, name, fetched) => {
    assert.deepStrictEqual(launcherOf(entry(line)), { name, fetched })
    assert.strictEqual(startSeconds(entry(line)), 60)
  })

  it.each(["node server.js", "/opt/npx-like", "docker compose up", "npm start"])("is not: %s", (line) => {
    assert.isUndefined(launcherOf(entry(line)))
    assert.strictEqual(startSeconds(entry(line)), 30)
  })

  const failures: ReadonlyArray<readonly [line: string, stderr: string, advice: string | undefined]> = [
    [
      "npx -y pkg",
      "npm error code ENOTFOUND\nnpm error network request to https://x failed",
      "could not download \"pkg\""
    ],
    ["npx -y pkg", "npm ERR! code ENOTCACHED", "could not download \"pkg\""],
    ["npx -y pkg", "npm error code E404", "found no \"pkg\""],
    ["uvx tool", "error: Failed to fetch\n  Caused by: dns error", "could not download \"tool\""],
    ["docker run img", "dial tcp: lookup x: no such host", "could not download \"img\""],
    ["npx -y pkg", "The MCP server did not answer within 60 s", "may still be downloading \"pkg\""],
    ["npx -y pkg", "TypeError: x is not a function", undefined],
    ["node server.js", "connect ENOTFOUND db", undefined]
  ]
  it.each(failures)("explains its failures: %s, %s", (line, stderr, advice) => {
    const text = adviceOn(entry(line), stderr)
    if (advice === undefined) assert.isUndefined(text)
    else assert.include(text, advice)
  })
})
