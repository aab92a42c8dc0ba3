import { assert, describe, it, layer } from "@effect/vitest"
import { Effect } from "effect"
import { layer as layerOffice, Office } from "./support/office.ts"
import { configFile, errorLine, hasTerminal, smcp, startInTerminal, startSmcp, temporaryFile } from "./support/smcp.ts"

const run = (...args: ReadonlyArray<string>) => Effect.flatMap(Office, ({ env }) => smcp(["agent", ...args], env))

const call = (tool: string, ...args: ReadonlyArray<string>) =>
  run("call", "--computer", "laptop", "--tool", tool, ...args)

describe("smcp agent", () => {
  layer(layerOffice, { excludeTestServices: true, timeout: "60 seconds" })("in an office", (it) => {
    it.effect("lists the tools as a table", () =>
      Effect.gen(function*() {
        const { exitCode, stderr, stdout } = yield* run("tools")
        assert.deepStrictEqual([exitCode, stderr], [0, ""])
        const [head, first] = stdout.split("\n")
        assert.match(head!, /^TOOL +COMPUTER +DESCRIPTION$/)
        assert.match(first!, /^raw__echo +laptop +Does echo$/)
      }))

    it.effect("lists the tools of one Computer as JSON", () =>
      Effect.gen(function*() {
        const { exitCode, stdout } = yield* run("tools", "--computer", "laptop", "--json")
        assert.strictEqual(exitCode, 0)
        const [tool] = JSON.parse(stdout)
        assert.deepStrictEqual([tool.name, tool.computer, tool.bundleId], ["raw__echo", "laptop", "raw"])
      }))

    it.effect("lists the Computers", () =>
      Effect.gen(function*() {
        assert.match((yield* run("computers")).stdout, /^COMPUTER +SESSION\nlaptop +\S+\n$/)
        assert.deepStrictEqual(
          JSON.parse((yield* run("computers", "--json")).stdout).map(({ name }: { readonly name: string }) => name),
          ["laptop"]
        )
      }))

    it.effect("calls a tool and prints its text", () =>
      Effect.gen(function*() {
        const ended = yield* call("raw__echo", "--params", "{\"message\":\"hi\"}")
        assert.deepStrictEqual([ended.exitCode, ended.stdout, ended.stderr], [0, "{\"message\":\"hi\"}\n", ""])
      }))

    it.effect("calls a tool with parameters from a file and prints the whole result", () =>
      Effect.gen(function*() {
        const result = { content: [{ type: "text", text: "a" }], structuredContent: { b: [1, null] }, own: "kept" }
        const file = yield* temporaryFile("params.json", JSON.stringify({ json: JSON.stringify(result) }))
        const ended = yield* call("raw__result", "--params", `@${file}`, "--json")
        assert.deepStrictEqual([ended.exitCode, ended.stderr], [0, ""])
        assert.deepStrictEqual(JSON.parse(ended.stdout), result)
      }))

    it.effect("exits with 3 when the tool reports an error, and prints what it said", () =>
      Effect.gen(function*() {
        const json = JSON.stringify({ content: [{ type: "text", text: "no such file\nat all" }], isError: true })
        const ended = yield* call("raw__result", "--params", JSON.stringify({ json }))
        assert.deepStrictEqual([ended.exitCode, ended.stdout], [3, "no such file\nat all\n"])
        assert.match(errorLine(ended), /raw__result on laptop reported an error/)
      }))

    it.effect("exits with 3 when there is no such tool", () =>
      Effect.gen(function*() {
        const ended = yield* call("raw__nothing")
        assert.match(errorLine(ended), /'raw__nothing' not found.*smcp agent tools --computer laptop/)
        assert.deepStrictEqual([ended.exitCode, ended.stdout], [3, ""])
      }))

    it.effect("exits with 4 when the tool takes too long", () =>
      Effect.gen(function*() {
        const ended = yield* call("raw__never", "--timeout", "1")
        assert.match(errorLine(ended), /raw__never on laptop took longer than 1 s.*--timeout/)
        assert.deepStrictEqual([ended.exitCode, ended.stdout], [4, ""])
      }))

    it.effect("exits with 1 when there is no such Computer", () =>
      Effect.gen(function*() {
        const ended = yield* run("call", "--computer", "nobody", "--tool", "raw__echo")
        assert.match(errorLine(ended), /'nobody' not found.*smcp agent computers/)
        assert.deepStrictEqual([ended.exitCode, ended.stdout], [1, ""])
      }))

    it.effect("cancels the call on Ctrl-C, down to the MCP server, and exits with 5", () =>
      Effect.gen(function*() {
        const { computer, env } = yield* Office
        const agent = yield* startSmcp(["agent", "call", "--computer", "laptop", "--tool", "slow__slow"], env)
        yield* computer.stderrHas(/INFO progress slow__slow 1/)
        yield* agent.kill("SIGINT")
        const ended = yield* agent.ended
        assert.match(errorLine(ended), /Cancelled: the Computer stopped the call and confirmed it after \d+ ms/)
        assert.deepStrictEqual([ended.exitCode, ended.stdout], [5, ""])
        yield* computer.stderrHas(/INFO cancelled slow__slow/)
        assert.strictEqual((yield* call("slow__cancelled")).stdout, "1\n")
      }))

    it.effect("shows in a terminal that it waits, and takes Ctrl-C", (context) =>
      Effect.gen(function*() {
        if (!hasTerminal) return context.skip("needs python3 for a terminal")
        const { env } = yield* Office
        const agent = yield* startInTerminal(["agent", "call", "--computer", "laptop", "--tool", "slow__slow"], env)
        yield* agent.stdoutHas(/Waiting for slow__slow \(Ctrl-C cancels\) 1 s/)
        agent.stdin.write("\u0003")
        const ended = yield* agent.ended
        // oxlint-disable-next-line no-control-regex -- what a terminal is told is what this is about
        assert.match(ended.stdout, /\u001b\[K(\^C)?.*smcp: Cancelled: the Computer stopped the call/s)
        assert.strictEqual(ended.exitCode, 5)
      }))

    it.effect("watches the office until Ctrl-C", () =>
      Effect.gen(function*() {
        const { env } = yield* Office
        const agent = yield* startSmcp(["agent", "watch", "--json"], env)
        yield* agent.stderrHas(/INFO Watching office office/)
        const computer = yield* startSmcp(["computer", "--config", yield* configFile({}), "--name", "other"], env)
        yield* agent.stdoutHas(/ComputerEntered/)
        yield* computer.firstLine
        yield* computer.kill("SIGTERM")
        yield* agent.stdoutHas(/ComputerLeft/)
        yield* agent.kill("SIGINT")
        const ended = yield* agent.ended
        assert.deepStrictEqual(ended.stdout.trimEnd().split("\n").map((line) => JSON.parse(line)), [
          { event: "ComputerEntered", computer: "other" },
          { event: "ComputerLeft", computer: "other" }
        ])
        assert.strictEqual(ended.exitCode, 0)
      }))

    it.effect("is refused while another Agent has the seat", () =>
      Effect.gen(function*() {
        const { env } = yield* Office
        const watching = yield* startSmcp(["agent", "watch"], env)
        yield* watching.stderrHas(/Watching/)
        const ended = yield* smcp(["agent", "tools"], env)
        assert.match(errorLine(ended), /already has an agent.*one seat/)
        assert.strictEqual(ended.exitCode, 6)
        yield* watching.kill("SIGTERM")
        assert.strictEqual((yield* watching.ended).exitCode, 0)
      }))

    const refused: ReadonlyArray<readonly [what: string, args: ReadonlyArray<string>, said: RegExp]> = [
      ["a wrong key", ["--api-key", "wrong"], /the API key is wrong.*--api-key or SMCP_API_KEY/],
      ["another revision", ["--revision", "0.5"], /The Server speaks 0\.4\.0, this side 0\.5\.0: use --revision 0\.4/],
      ["an unreachable Server", ["--url", "http://127.0.0.1:9"], /Cannot reach.*:9.*Check --url/]
    ]
    it.effect.each(refused)("exits with 6 for %s", ([, args, said]) =>
      Effect.gen(function*() {
        const ended = yield* run("tools", ...args)
        assert.match(errorLine(ended), said)
        assert.deepStrictEqual([ended.exitCode, ended.stdout], [6, ""])
      }))

    it.effect("exits with 6 without a key", () =>
      Effect.gen(function*() {
        const { env: { SMCP_API_KEY: _, ...env } } = yield* Office
        const ended = yield* smcp(["agent", "tools"], env)
        assert.match(errorLine(ended), /no API key.*SMCP_API_KEY/)
        assert.strictEqual(ended.exitCode, 6)
      }))
  })

  const badParams: ReadonlyArray<readonly [what: string, params: string, said: RegExp]> = [
    ["no JSON", "{a:1}", /--params is not JSON/],
    ["no object", "[1]", /--params is not a JSON object/],
    ["a file that is missing", "@/nowhere.json", /\/nowhere\.json cannot be read/]
  ]
  it.live.each(badParams)(
    "--params that are %s are a wrong command line",
    ([, params, said]) =>
      Effect.gen(function*() {
        const ended = yield* smcp([
          ...["agent", "call", "--url", "http://127.0.0.1:9", "--office", "o"],
          ...["--computer", "c", "--tool", "t", "--params", params]
        ])
        assert.match(errorLine(ended), said)
        assert.strictEqual(ended.exitCode, 2)
      })
  )
})
