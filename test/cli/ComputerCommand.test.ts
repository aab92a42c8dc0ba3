import { assert, describe, it, layer } from "@effect/vitest"
import { Effect } from "effect"
import { randomUUID } from "node:crypto"
import { readdirSync, statSync } from "node:fs"
import { join } from "node:path"
import { temporaryFolder } from "../support/temporaryFolder.ts"
import { layer as layerOffice, Office, startServer } from "./support/office.ts"
import {
  configFile,
  errorLine,
  listing,
  marked,
  mcpServerEntry,
  noneMarked,
  smcp,
  startSmcp,
  temporaryFile
} from "./support/smcp.ts"

const anywhere = ["--url", "http://127.0.0.1:9", "--office", "o", "--name", "n"]

describe("smcp computer", () => {
  describe("a config file that cannot be used", () => {
    it.live("is missing", () =>
      Effect.gen(function*() {
        const ended = yield* smcp(["computer", "--config", "/nowhere/mcp.json", ...anywhere])
        assert.match(errorLine(ended), /no config file \/nowhere\/mcp\.json; check the path/)
        assert.deepStrictEqual([ended.exitCode, ended.stdout], [2, ""])
      }))

    it.live("is not JSON", () =>
      Effect.gen(function*() {
        const file = yield* temporaryFile("mcp.json", "{ \"mcpServers\": [")
        const ended = yield* smcp(["computer", "--config", file, ...anywhere])
        assert.match(errorLine(ended), /not valid JSON at line 1/)
        assert.deepStrictEqual([ended.exitCode, ended.stdout], [2, ""])
      }))
  })

  it.live("says when the Server cannot be reached, and leaves no MCP server", () =>
    Effect.gen(function*() {
      const mark = randomUUID()
      const config = yield* configFile({ raw: mcpServerEntry({}, mark) })
      const ended = yield* smcp(["computer", "--config", config, ...anywhere])
      assert.match(errorLine(ended), /Cannot reach the Server at http:\/\/127\.0\.0\.1:9.*ECONNREFUSED.*--url/)
      assert.deepStrictEqual([ended.exitCode, ended.stdout], [6, ""])
      yield* noneMarked(mark)
    }))

  layer(layerOffice, { excludeTestServices: true, timeout: "60 seconds" })("in an office", (it) => {
    it.effect("joins with the MCP servers that start and says what is wrong with the others", () =>
      Effect.gen(function*() {
        const { env } = yield* Office
        const mark = randomUUID()
        const config = yield* configFile({
          good: mcpServerEntry(listing("echo", "never"), mark),
          wrong: { command: 3 },
          absent: { command: "no-such-mcp-server" },
          ends: mcpServerEntry({ exit: 3 }, mark),
          babbles: mcpServerEntry({ banner: "hello\nworld\n", silent: true }, mark)
        })
        const computer = yield* startSmcp(
          ["computer", "--config", config, "--name", "mixed", "--json", "--log-format", "text"],
          env
        )
        assert.deepStrictEqual(JSON.parse(yield* computer.firstLine), {
          office: "office",
          name: "mixed",
          servers: 4,
          ready: 1,
          tools: 2
        })
        assert.isNotEmpty(marked(mark))
        yield* computer.kill("SIGTERM")
        const ended = yield* computer.ended
        assert.strictEqual(ended.exitCode, 0)
        assert.strictEqual(ended.stdout.trimEnd().split("\n").length, 1)
        assert.match(ended.stderr, /WARN The server "wrong" was left out/)
        assert.match(ended.stderr, /WARN The MCP server "absent" failed: .*"no-such-mcp-server".*was not found/)
        assert.match(ended.stderr, /WARN The MCP server "ends" .*exit code 3/)
        assert.match(ended.stderr, /INFO The MCP server "good" is ready, with 2 tools/)
        yield* noneMarked(mark)
      }))

    it.effect("keeps large results in its state directory, also for the next one of this name", () =>
      Effect.gen(function*() {
        const { env } = yield* Office
        const state = join(yield* temporaryFolder, "state")
        const config = yield* configFile({ raw: mcpServerEntry(listing("result")) })
        const args = ["computer", "--config", config, "--name", "keeper/../x", "--state-dir", state, "--approve", "all"]
        const result = {
          content: [{ type: "image", data: Buffer.alloc(40_000).toString("base64"), mimeType: "image/png" }]
        }
        const params = JSON.stringify({ json: JSON.stringify(result) })
        const call = smcp(
          ["agent", "call", "--computer", "keeper/../x", "--tool", "raw__result", "--params", params],
          env
        )
        for (let run = 1; run <= 2; run++) {
          const computer = yield* startSmcp(args, env)
          yield* computer.firstLine
          assert.strictEqual((yield* call).exitCode, 0)
          yield* computer.kill("SIGTERM")
          assert.strictEqual((yield* computer.ended).exitCode, 0)
          const [seat = "", ...others] = readdirSync(state)
          assert.match(seat, /^office-keeper_x-[0-9a-f]{16}$/)
          assert.deepStrictEqual(others, [])
          const files = readdirSync(join(state, seat, "spool")).sort()
          assert.lengthOf(files, 2)
          assert.strictEqual(files[1], "key")
          assert.deepStrictEqual(
            [state, join(state, seat), join(state, seat, "spool", "key")].map((path) => statSync(path).mode & 0o777),
            [0o700, 0o700, 0o600]
          )
        }
      }))

    it.effect("is told when a directory of its own cannot be used", () =>
      Effect.gen(function*() {
        const { env } = yield* Office
        const config = yield* configFile({})
        const table = [
          [
            ["--landing-root", "/no/such/place"],
            /landing root \/no\/such\/place cannot be created.*\/no\/such does not exist/
          ],
          [["--landing-root", config], /The landing root .* is not a directory/],
          [["--state-dir", config], /The state directory .* cannot be used: it is not a directory/]
        ] as const
        for (const [flags, expected] of table) {
          const ended = yield* smcp(["computer", "--config", config, "--name", "n", ...flags], env)
          assert.match(errorLine(ended), expected)
          assert.deepStrictEqual([ended.exitCode, ended.stdout], [2, ""])
        }
      }))

    it.effect("logs one JSON object a line where nobody reads along", () =>
      Effect.gen(function*() {
        const { env } = yield* Office
        const config = yield* configFile({
          raw: mcpServerEntry(listing("echo")),
          absent: { command: "no-such-server" }
        })
        const computer = yield* startSmcp(["computer", "--config", config, "--name", "json"], env)
        yield* computer.firstLine
        yield* computer.kill("SIGTERM")
        const lines = (yield* computer.ended).stderr.trim().split("\n").map((line) =>
          JSON.parse(line) as Record<string, string>
        )
        assert.isTrue(lines.some(({ level, message = "" }) => level === "WARN" && message.includes("absent")))
        for (const { timestamp = "" } of lines) assert.isFalse(Number.isNaN(Date.parse(timestamp)))
      }))

    it.effect("is refused a name that is taken", () =>
      Effect.gen(function*() {
        const { env } = yield* Office
        const ended = yield* smcp(["computer", "--config", yield* configFile({}), "--name", "laptop"], env)
        assert.match(errorLine(ended), /'laptop' already exists.*--name/)
        assert.deepStrictEqual([ended.exitCode, ended.stdout], [6, ""])
      }))
  })

  it.live("ends with the reason when the Server that comes back refuses it", () =>
    Effect.gen(function*() {
      const { env, server, url } = yield* startServer
      const mark = randomUUID()
      const config = yield* configFile({ raw: mcpServerEntry({}, mark) })
      const computer = yield* startSmcp(["computer", "--config", config, "--name", "n", "--log-format", "text"], env)
      assert.match(yield* computer.firstLine, /^Joined office office as n: 1 of 1 MCP servers ready, 1 tools$/)
      yield* server.kill("SIGTERM")
      yield* computer.stderrHas(/WARN The connection to the Server is lost/)
      yield* server.ended
      const { port } = new URL(url)
      yield* startSmcp(["server", "--port", port, "--api-key", "k", "--revisions", "0.5"])
      const ended = yield* computer.ended
      assert.match(errorLine(ended), /The Server speaks 0\.5\.0, this side 0\.4\.0: use --revision 0\.5/)
      assert.strictEqual(ended.exitCode, 6)
      yield* noneMarked(mark)
    }))
})
