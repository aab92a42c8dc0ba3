import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { chmodSync, mkdirSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { checkPrograms, checkState } from "../../src/cli/internal/doctorMachine.ts"
import { listenOn } from "../computer/support/mcpContract.ts"
import { eventually } from "../computer/support/processes.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"
import { KEY, startServer } from "./support/office.ts"
import {
  configFile,
  errorLine,
  listing,
  marked,
  mcpServerEntry,
  noneMarked,
  smcp,
  temporaryFile
} from "./support/smcp.ts"
import { startSmcpInPty } from "./support/terminal.ts"

const CANARY = "c4nary-of-the-doctor"

const everything = fileURLToPath(
  new URL("../../node_modules/@modelcontextprotocol/server-everything/dist/index.js", import.meta.url)
)

interface Check {
  readonly group: string
  readonly server: string | null
  readonly check: string
  readonly verdict: string
  readonly seen: string
  readonly advice: string | null
}

/** Runs `smcp doctor --json` and gives what it found. */
const doctor = Effect.fnUntraced(function*(args: ReadonlyArray<string>, env: Readonly<Record<string, string>> = {}) {
  const state = yield* temporaryFolder
  const { exitCode, stderr, stdout } = yield* smcp(["doctor", "--json", ...args], { SMCP_STATE_DIR: state, ...env })
  assert.strictEqual(stderr, "")
  const found = JSON.parse(stdout) as {
    readonly ok: boolean
    readonly problems: number
    readonly checks: ReadonlyArray<Check>
  }
  assert.strictEqual(exitCode, found.ok ? 0 : 1)
  assert.notInclude(stdout, CANARY)
  const of = (server: string | null, check: string): Check => {
    const all = found.checks.filter((each) => each.server === server && each.check === check)
    assert.lengthOf(all, 1, `${server}, ${check} in ${stdout}`)
    return all[0]!
  }
  const bad = found.checks.filter(({ verdict }) => verdict !== "ok").map(({ check, server, verdict }) =>
    [server ?? "", check, verdict].join(" ").trim()
  )
  return { ...found, of, bad }
})

/** A port at which nothing listens. */
const deadPort = Effect.callback<number>((resume) => {
  const server = createServer().listen(0, "127.0.0.1", () => {
    const address = server.address()
    server.close(() => resume(Effect.succeed(typeof address === "object" ? address?.port ?? 0 : 0)))
  })
})

describe("smcp doctor", () => {
  it.live("finds nothing wrong with what works, and ends what it started", () =>
    Effect.gen(function*() {
      const { url } = yield* startServer
      const config = yield* configFile({
        everything: { command: "node", args: [everything], env: { SMCP_TEST_MARK: "doctor-good" } },
        lazy: { ...mcpServerEntry(listing("echo"), "doctor-good"), lazy: true },
        off: { command: "no-such-command", disabled: true }
      })
      const args = ["--config", config, "--url", url, "--api-key", KEY]
      const { bad, of, ok, problems } = yield* doctor(args)
      assert.deepStrictEqual([ok, problems, bad], [true, 0, []])
      assert.match(of("everything", "command").seen, /\/node$/)
      assert.match(of("everything", "start").seen, /^ready after [\d.]+ s, \d+ tools \(mcp-servers\/everything /)
      assert.match(of("lazy", "start").seen, /1 tool \(raw 1\.2\.3\)/)
      assert.match(of("off", "start").seen, /switched off/)
      assert.match(of(null, "GET /health").seen, /^up for \d+ s, 0 offices, 0 Agents, 0 Computers$/)
      assert.match(of(null, "protocol").seen, /0\.4/)
      assert.strictEqual(of(null, "key").verdict, "ok")
      assert.strictEqual(of(null, "Node.js").verdict, "ok")
      yield* noneMarked("doctor-good")
    }))

  it.live("says of each server why it does not start, and what to do", () =>
    Effect.gen(function*() {
      const port = yield* deadPort
      const config = yield* temporaryFile(
        "mcp.json",
        JSON.stringify({
          inputs: [{ id: "given", type: "promptString", password: true }, { id: "who", type: "promptString" }],
          mcpServers: {
            good: { ...mcpServerEntry(listing("echo"), "doctor-bad"), args: mcpServerEntry(listing("echo")).args },
            "no-command": { command: "uvx", args: ["some-server"], env: { PATH: "/nowhere" } },
            "no-directory": { command: "node", cwd: "/no/such/directory" },
            crash: {
              command: process.execPath,
              args: ["-e", "console.error('no database at ' + process.env.DSN); process.exit(3)"],
              env: { DSN: CANARY }
            },
            silent: { ...mcpServerEntry({ silent: true }, "doctor-bad"), start_timeout: 1 },
            variable: { command: "node", env: { TOKEN: "${SMCP_TEST_NOT_SET}" } },
            input: { command: "node", args: ["${input:who}", "${input:given}"] },
            undefined: { command: "node", args: ["${input:nobody}"] },
            remote: { url: `http://127.0.0.1:${port}/mcp?key=${CANARY}`, headers: { Authorization: CANARY } },
            script: { ...mcpServerEntry(listing("echo")), vrl: "a = (" }
          }
        })
      )
      const { bad, of } = yield* doctor(["--config", config], { A2C_SMCP_given: CANARY })
      assert.deepStrictEqual([...bad].sort(), [
        "address warning",
        "crash start problem",
        "input args[0] warning",
        "no-command command problem",
        "no-directory command problem",
        "remote start problem",
        "script script problem",
        "silent start problem",
        "undefined args[0] problem",
        "variable env.TOKEN problem"
      ])
      const crash = of("crash", "start")
      assert.match(crash.seen, /exit code 3[^]*no database at \*\*\*/)
      assert.match(of("no-command", "command").seen, /"uvx" is in no directory of the PATH .*\/nowhere/)
      assert.match(of("no-command", "command").advice ?? "", /Install uv/)
      assert.match(of("no-directory", "command").seen, /\/no\/such\/directory/)
      assert.match(of("silent", "start").seen, /did not answer within 1 s/)
      assert.match(of("silent", "start").advice ?? "", /start_timeout/)
      assert.match(of("variable", "env.TOKEN").advice ?? "", /Set SMCP_TEST_NOT_SET/)
      assert.match(of("input", "args[0]").advice ?? "", /A2C_SMCP_who, or .*inputs value set who/)
      assert.match(of("undefined", "args[0]").seen, /no input "nobody"/)
      assert.match(of("remote", "start").seen, /nothing listens/)
      assert.match(of("script", "script").seen, /line 1, column 6/)
      assert.strictEqual(of("script", "start").verdict, "ok")
      assert.strictEqual(of("good", "start").verdict, "ok")
      yield* noneMarked("doctor-bad")
    }))

  it.live("tells a wrong key, another revision, a dead port and a strange address apart", () =>
    Effect.gen(function*() {
      const { url } = yield* startServer
      const at = (...args: ReadonlyArray<string>) => doctor(["--url", ...args])
      const [wrong, none, revision, dead, strange] = yield* Effect.all([
        at(url, "--api-key", CANARY),
        at(url),
        at(url, "--api-key", KEY, "--revision", "0.2"),
        at(`http://127.0.0.1:${yield* deadPort}`),
        at(`localhost:7000?key=${CANARY}`)
      ], { concurrency: 3 })
      assert.deepStrictEqual(wrong.bad, ["config file warning", "key problem"])
      assert.match(wrong.of(null, "key").seen, /^it is refused/)
      assert.deepStrictEqual(none.bad, ["config file warning", "key problem"])
      assert.match(none.of(null, "key").seen, /^none was given/)
      assert.match(none.of(null, "key").advice ?? "", /--api-key or SMCP_API_KEY/)
      assert.deepStrictEqual(revision.bad, ["config file warning", "protocol problem"])
      assert.match(revision.of(null, "protocol").advice ?? "", /0\.4\.0.*use --revision 0\.4/)
      assert.deepStrictEqual(dead.bad, ["config file warning", "address problem"])
      assert.match(dead.of(null, "address").seen, /nothing listens there \(ECONNREFUSED\)/)
      assert.match(dead.of(null, "address").advice ?? "", /smcp server/)
      assert.deepStrictEqual(strange.bad, ["config file warning", "address problem"])
    }))

  it.live("tells servers apart that are there and cannot be used", () =>
    Effect.gen(function*() {
      const { url: other } = yield* listenOn((_request, response) => void response.writeHead(404).end("nothing here"))
      const { url: mute } = yield* listenOn(() => {})
      const { url: guarded } = yield* listenOn((_request, response) =>
        void response.writeHead(401, { "WWW-Authenticate": "Bearer" }).end()
      )
      const config = yield* configFile({ guarded: { type: "http", url: `${guarded}/mcp` } })
      const [strange, silent, plain, login] = yield* Effect.all([
        doctor(["--url", other]),
        doctor(["--url", mute, "--timeout", "1"]),
        doctor(["--url", other.replace("http:", "https:")]),
        doctor(["--config", config])
      ], { concurrency: 2 })
      assert.deepStrictEqual(strange.bad, ["config file warning", "GET /health warning", "connection problem"])
      assert.match(strange.of(null, "GET /health").seen, /HTTP 404/)
      assert.deepStrictEqual(silent.bad, ["config file warning", "GET /health warning", "connection problem"])
      assert.match(silent.of(null, "connection").seen, /within 1 s/)
      assert.deepStrictEqual(plain.bad, ["config file warning", "address problem"])
      assert.match(plain.of(null, "address").advice ?? "", /Use http:/)
      assert.deepStrictEqual(login.bad, ["guarded start problem", "address warning"])
      assert.match(login.of("guarded", "start").advice ?? "", /"login guarded"/)
    }))

  it.live("shows at a terminal what it is busy with, and ends what it started at Ctrl-C", () =>
    Effect.gen(function*() {
      const mark = "doctor-interrupted"
      const config = yield* configFile({ silent: mcpServerEntry({ silent: true }, mark) })
      const state = yield* temporaryFolder
      const terminal = yield* startSmcpInPty(["doctor", "--config", config, "--state-dir", state])
      yield* terminal.shows(/Looking at silent \d+ s/)
      yield* eventually("the server has been started", () => marked(mark).length === 1)
      yield* terminal.press("ctrlC")
      assert.strictEqual((yield* terminal.ended).exitCode, 130)
      yield* noneMarked(mark)
    }))

  it.live("is in colour at a terminal, and without where that is not wanted", () =>
    Effect.gen(function*() {
      const config = yield* configFile({})
      const state = yield* temporaryFolder
      const args = ["doctor", "--config", config, "--state-dir", state]
      const coloured = yield* startSmcpInPty(args)
      assert.strictEqual((yield* coloured.ended).exitCode, 0)
      const plain = yield* startSmcpInPty(args, { env: { NO_COLOR: "1" } })
      assert.strictEqual((yield* plain.ended).exitCode, 0)
      // oxlint-disable-next-line no-control-regex -- colours are what this is about
      const colour = /\u001b\[[0-9;]*m/
      assert.match(yield* coloured.written, colour)
      assert.notMatch(yield* plain.written, colour)
      assert.strictEqual(yield* coloured.text, yield* plain.text)
    }))

  it.live("reads every config file, also behind a broken one, and shows all of it as text", () =>
    Effect.gen(function*() {
      const broken = yield* temporaryFile("broken.json", "{ \"mcpServers\": ")
      const good = yield* configFile({ raw: mcpServerEntry(listing("echo")), bad: { args: [] } })
      const state = yield* temporaryFolder
      const { exitCode, stderr, stdout } = yield* smcp(
        ["doctor", "--config", broken, "--config", good, "--office", "only"],
        { SMCP_STATE_DIR: state }
      )
      assert.deepStrictEqual([exitCode, stderr], [1, ""])
      assert.notInclude(stdout, "\u001b")
      assert.match(stdout, /^This machine\n {2}ok {7}Node\.js: /)
      assert.match(stdout, /\n {2}problem {2}\S*broken\.json: .*not valid JSON.*\n {11}→ /)
      assert.match(stdout, /\n {2}ok {7}\S*mcp\.json: 1 server, 0 inputs\n/)
      assert.match(stdout, /\n {2}problem {2}\S*mcp\.json: The server "bad" was left out/)
      assert.match(stdout, /\n {2}warning {2}seat: there is an office and no name/)
      assert.match(stdout, /\n {2}ok {7}raw, start: ready/)
      assert.match(stdout, /\n\n2 problems, 2 warnings\n$/)
    }))

  it.live("ends with 2 when the command line is wrong", () =>
    Effect.gen(function*() {
      const wrong = yield* smcp(["doctor", "--timeout", "0"])
      assert.strictEqual(wrong.exitCode, 2)
      assert.match(errorLine(wrong), /--timeout.*more than 0/)
    }))

  it.live("is a command of the console that looks at what runs", () =>
    Effect.gen(function*() {
      const { url } = yield* startServer
      const config = yield* configFile({
        raw: mcpServerEntry(listing("echo"), "doctor-console"),
        crash: { command: process.execPath, args: ["-e", "process.exit(3)"] }
      })
      const script = yield* temporaryFile("script", `server stop crash\ndoctor\nsocket join office laptop\ndoctor\n`)
      const { exitCode, stdout } = yield* smcp(
        ["computer", "--config", config, "--url", url, "--api-key", KEY, "--script", script, "--json"]
      )
      const [, before, , after] = stdout.trimEnd().split("\n").map((line) => JSON.parse(line))
      const seen = (found: { readonly checks: ReadonlyArray<Check> }, check: string) =>
        found.checks.filter((each) => each.check === check).map(({ seen, server, verdict }) => [server, verdict, seen])
      assert.match(String(seen(before, "start")[0]), /^raw,ok,it runs and answered in \d+ ms, 1 tool \(raw 1\.2\.3\)$/)
      assert.match(String(seen(before, "connection")), /ok,there is none; "socket join/)
      assert.match(String(seen(before, "key")), /,ok,/)
      assert.match(String(seen(after, "seat")), /ok,office office as laptop: joined/)
      assert.strictEqual(exitCode, 0)
      yield* noneMarked("doctor-console")
    }))
})

describe("the doctor of a console without a seat", () => {
  it.live("finds out why the Server of the command line takes none", () =>
    Effect.gen(function*() {
      const { url } = yield* startServer
      const args = ["computer", "doctor", "--url", url, "--api-key", "not-the-key", "--json"]
      const { exitCode, stdout } = yield* smcp(args)
      const { checks } = JSON.parse(stdout) as { readonly checks: ReadonlyArray<Check> }
      assert.deepStrictEqual(
        checks.filter(({ verdict }) => verdict === "problem").map(({ check }) => check),
        ["key"]
      )
      assert.strictEqual(exitCode, 1)
    }))
})

describe("what smcp doctor says of this machine", () => {
  it.each([["20.18.9", "problem"], ["18.0.0", "problem"], ["20.19.0", "ok"], ["24.1.0", "ok"], ["22.0.0", "ok"]])(
    "Node.js %s is %s",
    (version, verdict) => {
      assert.strictEqual(checkPrograms(version)[0]?.verdict, verdict)
    }
  )

  it.live("finds a state directory that cannot be used, and makes none", () =>
    Effect.gen(function*() {
      const folder = yield* temporaryFolder
      const file = join(folder, "file")
      writeFileSync(file, "")
      assert.strictEqual(checkState(join(folder, "not", "yet")).verdict, "ok")
      assert.strictEqual(checkState(join(folder, "not", "yet")).seen.includes("which is made"), true)
      assert.strictEqual(checkState(folder).seen, folder)
      assert.deepInclude(checkState(join(file, "below")), { verdict: "problem" })
      const closed = join(folder, "closed")
      mkdirSync(closed)
      chmodSync(closed, 0o500)
      // whoever is root may write everywhere
      assert.strictEqual(checkState(closed).verdict, process.getuid?.() === 0 ? "ok" : "problem")
    }))
})
