import { assert, describe, it, layer } from "@effect/vitest"
import { Effect } from "effect"
import { KEY, layer as layerOffice, Office } from "./support/office.ts"
import { errorLine, hasTerminal, smcp, startInTerminal, startSmcp } from "./support/smcp.ts"

const run = (args: ReadonlyArray<string>, more: Readonly<Record<string, string>> = {}) =>
  Effect.flatMap(Office, ({ env }) => smcp(["conformance", ...args], { ...env, ...more }))

const lines = (text: string) => text.trimEnd().split("\n")

describe("smcp conformance", () => {
  layer(layerOffice, { excludeTestServices: true, timeout: "60 seconds" })("on a running office", (it) => {
    it.effect("prints a table with the section of each case, a summary, and exits with 0", () =>
      Effect.gen(function*() {
        const { env } = yield* Office
        const ended = yield* run([env.SMCP_URL!, "--only", "join"], { SMCP_URL: "" })
        const [head, first] = lines(ended.stdout)
        assert.match(head!, /^RESULT +CASE +SECTION +WHAT HAS TO BE$/)
        assert.match(first!, /^passed +join\.ack +events\.md, server:join_office +a join is acknowledged/)
        assert.match(
          lines(ended.stdout).at(-1)!,
          /^5 passed, 0 failed, 0 warnings, 0 skipped \(.*, revision 0\.4, .* s\)$/
        )
        assert.match(ended.stderr, /^Checking http:.*: 5 cases$/m)
        assert.match(ended.stderr, /^\[5\/5\] passed +join\./m)
        assert.strictEqual(ended.exitCode, 0)
        assert.notInclude(ended.stdout + ended.stderr, KEY)
      }))

    it.effect("prints one line of JSON a case and one for the summary", () =>
      Effect.gen(function*() {
        const ended = yield* run(["--only", "connect", "--json"])
        const values = lines(ended.stdout).map((line) => JSON.parse(line))
        const told = values.slice(0, -1).map((value) => `${value.case} ${value.outcome} ${value.level}`)
        assert.sameMembers(told, [
          "connect.namespace passed must",
          "connect.within-a-second passed should",
          "connect.wrong-key passed should",
          "connect.no-key passed should"
        ])
        const { seconds, ...summary } = values.at(-1).summary
        assert.deepStrictEqual(summary, { passed: 4, failed: 0, warnings: 0, skipped: 0, total: 4, revision: "0.4" })
        assert.isNumber(seconds)
        assert.strictEqual(ended.exitCode, 0)
      }))

    it.effect("checks the upgrade to a WebSocket, which the suite alone cannot", () =>
      Effect.gen(function*() {
        const ended = yield* run(["--only", "handshake"])
        assert.match(ended.stdout, /^passed +handshake\.upgrade-refused/m)
      }))

    it.effect("checks a Computer, and calls only the tool it is told to", () =>
      Effect.gen(function*() {
        const computer = ["--computer", "laptop", "--office", "office"]
        const ended = yield* run(computer)
        assert.match(lines(ended.stdout).at(-1)!, /^\d+ passed, 0 failed, 0 warnings, 2 skipped \(the Computer laptop/)
        assert.match(ended.stdout, /^skipped computer\.call: no tool was named/m)
        assert.match(ended.stdout, /^skipped computer\.get_resources: no server/m)
        assert.strictEqual(ended.exitCode, 0)
        const called = yield* run([...computer, "--only", "computer.call", "--call", "raw__echo"])
        assert.match(called.stdout, /^passed +computer\.call/m)
      }))

    it.effect("exits with 1 when a case fails, and shows what was expected and what came", () =>
      Effect.gen(function*() {
        const ended = yield* run(["--computer", "nobody", "--office", "empty", "--only", "computer.present"])
        assert.match(ended.stdout, /^failed +computer\.present/m)
        assert.match(
          ended.stdout,
          /\n {2}expected \{"name":"nobody","role":"computer"\}\n {2}got +\[\{.*"role":"agent"/
        )
        assert.match(errorLine(ended), /A case failed/)
        assert.strictEqual(ended.exitCode, 1)
      }))

    it.effect("exits with 1 as JSON, too", () =>
      Effect.gen(function*() {
        const ended = yield* run(["--computer", "nobody", "--office", "empty", "--only", "computer.present", "--json"])
        const [failed, { summary }] = lines(ended.stdout).map((line) => JSON.parse(line))
        assert.deepInclude(failed, { outcome: "failed", message: "It is not listed" })
        assert.strictEqual(summary.failed, 1)
        assert.strictEqual(ended.exitCode, 1)
      }))

    it.effect("exits with 6 when the office has its Agent", () =>
      Effect.gen(function*() {
        const { env } = yield* Office
        const watching = yield* startSmcp(["agent", "watch", "--office", "busy"], env)
        yield* watching.stderrHas(/Watching/)
        const ended = yield* run(["--computer", "laptop", "--office", "busy"])
        assert.match(errorLine(ended), /already has an agent.*one seat/)
        assert.deepStrictEqual([ended.exitCode, ended.stdout], [6, ""])
      }))

    const refused: ReadonlyArray<readonly [what: string, args: ReadonlyArray<string>, said: RegExp]> = [
      ["a wrong key", ["--api-key", "wrong-secret"], /the API key is wrong.*--api-key or SMCP_API_KEY/],
      ["another revision", ["--revision", "0.5"], /The Server speaks 0\.4\.0, this side 0\.5\.0: use --revision 0\.4/],
      ["an unreachable Server", ["http://127.0.0.1:59999"], /Cannot reach.*:59999.*Check --url/],
      ["another path", ["--path", "/elsewhere"], /Cannot reach.*HTTP 404/]
    ]
    it.effect.each(refused)("exits with 6 for %s, and checks nothing", ([, args, said]) =>
      Effect.gen(function*() {
        const ended = yield* run(args)
        assert.match(errorLine(ended), said)
        assert.deepStrictEqual([ended.exitCode, ended.stdout], [6, ""])
        assert.notInclude(ended.stderr, "wrong-secret")
      }))

    it.effect("counts at a terminal, and ends on Ctrl-C with 130", (context) =>
      Effect.gen(function*() {
        if (!hasTerminal) return context.skip("needs python3 for a terminal")
        const { env } = yield* Office
        const command = yield* startInTerminal(["conformance"], env)
        yield* command.stdoutHas(/Checked \d+ of 97/)
        command.stdin.write("\u0003")
        assert.strictEqual((yield* command.ended).exitCode, 130)
      }))
  })

  it.live("speaks 0.5 with a Server of 0.5, and plays the scenarios of its room model", () =>
    Effect.gen(function*() {
      const server = yield* startSmcp(["server", "--allow-anonymous", "--revisions", "0.5"])
      const ended = yield* smcp(["conformance", yield* server.firstLine, "--revision", "0.5", "--only", "room"])
      assert.match(lines(ended.stdout).at(-1)!, /^9 passed, 0 failed, 0 warnings, 0 skipped/)
      assert.strictEqual(ended.exitCode, 0)
    }))

  const wrong: ReadonlyArray<readonly [what: string, args: ReadonlyArray<string>, said: RegExp]> = [
    ["no URL", [], /url/],
    ["no http", ["localhost:80"], /http:\/\/host:port/],
    ["a Computer without an office", ["http://x", "--computer", "c"], /--computer and --office belong together/],
    ["an office without a Computer", ["http://x", "--office", "o"], /--computer and --office belong together/],
    ["a tool without a Computer", ["http://x", "--call", "t"], /--call is a tool of a Computer/],
    ["a prefix of no case", ["http://x", "--only", "nothing"], /ids begin with handshake, connect, join/],
    ["a case of another revision", ["http://x", "--only", "room"], /No case of revision 0\.4/]
  ]
  it.live.each(wrong)("%s is a wrong command line", ([, args, said]) =>
    Effect.gen(function*() {
      const ended = yield* smcp(["conformance", ...args])
      assert.match(errorLine(ended), said)
      assert.deepStrictEqual([ended.exitCode, ended.stdout], [2, ""])
    }))

  it.live("teaches in its help what it does, what it leaves alone, and its exit codes", () =>
    Effect.gen(function*() {
      const { exitCode, stdout } = yield* smcp(["conformance", "--help"])
      assert.strictEqual(exitCode, 0)
      for (
        const word of ["in use", "without calling a tool", "Exit codes: 0", "SMCP_API_KEY", "EXAMPLES", "--computer"]
      ) {
        assert.include(stdout, word)
      }
    }))
})
