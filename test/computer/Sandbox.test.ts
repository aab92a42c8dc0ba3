import { assert, describe, it, vi } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Logger, Redacted, Result, Scope } from "effect"
import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { homedir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import * as ConfigFile from "../../src/computer/ConfigFile.ts"
import * as Host from "../../src/computer/Host.ts"
import { bubblewrapFor } from "../../src/computer/internal/process/sandboxEntry.ts"
import type { McpClient } from "../../src/computer/McpClient.ts"
import * as McpConnector from "../../src/computer/McpConnector.ts"
import * as McpManager from "../../src/computer/McpManager.ts"
import type { SandboxSettings } from "../../src/computer/ServerEntry.ts"
import type { ServerConfig } from "../../src/protocol/ServerConfig.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"
import { expectReason, failure, textOf } from "./support/mcpClients.ts"
import { quiet } from "./support/office.ts"
import { eventually, membersOf } from "./support/processes.ts"

// what this machine has decides which of the tests can run; the names of the others say why they do not
const [open, closed] = await Effect.runPromise(Effect.all([
  Effect.result(bubblewrapFor(true)),
  Effect.result(bubblewrapFor(false))
]))
const why = Result.isFailure(open) ? open.failure : Result.isFailure(closed) ? closed.failure : undefined

/** A test that needs bubblewrap. */
const held = (name: string) => why === undefined ? name : `${name} (does not run: ${why})`
const itHolds = it.live.runIf(why === undefined)

/** A test of what happens where there is none. */
const itDoesNotHold = it.live.runIf(why !== undefined)
const unheld = (name: string) => why !== undefined ? name : `${name} (does not run: bubblewrap works here)`

const curiousServer = fileURLToPath(new URL("./support/curiousServer.mjs", import.meta.url))

/** Starts the server, with what our log says of it. */
const connect = Effect.fnUntraced(function*(
  sandbox: SandboxSettings,
  env: Readonly<Record<string, string>> = {}
) {
  const lines: Array<string> = []
  const config: ServerConfig = {
    name: "mine",
    disabled: false,
    forbidden_tools: [],
    tool_meta: {},
    default_tool_meta: null,
    vrl: null,
    type: "stdio",
    server_parameters: {
      command: process.execPath,
      args: [curiousServer],
      env,
      cwd: null,
      encoding: "utf-8",
      encoding_error_handler: "strict"
    }
  }
  const settings = { sandbox: { readable: [dirname(curiousServer)], ...sandbox }, startTimeout: 15 }
  const client = yield* McpConnector.McpConnector.use(({ connect }) =>
    connect(
      { key: "mine", bundleId: "mine", config, settings, origin: { source: "a test", dialect: "a2c" } },
      Redacted.make({ config, settings, secrets: [] })
    )
  ).pipe(
    Effect.provide(
      Layer.merge(McpConnector.layer, Logger.layer([Logger.map(Logger.formatSimple, (line) => void lines.push(line))]))
    )
  )
  return { client, lines }
})

/** What comes of this code in the server; an error is its code. */
const run = (client: McpClient, code: string): Effect.Effect<unknown> =>
  client.callTool("run", { code }).pipe(Effect.map((result): unknown => JSON.parse(textOf(result))), Effect.orDie)

const read = (client: McpClient, path: string) =>
  run(client, `return (await node("fs")).readFileSync(${JSON.stringify(path)}, "utf8")`)
const write = (client: McpClient, path: string) =>
  run(client, `(await node("fs")).writeFileSync(${JSON.stringify(path)}, "written")`)

/** The temporary directories of sandboxes; from now on they are made in a place of this test. */
const ownDirectories = Effect.gen(function*() {
  const place = yield* temporaryFolder
  const { TMPDIR } = process.env
  yield* Effect.acquireRelease(
    Effect.sync(() => process.env["TMPDIR"] = place),
    () =>
      Effect.sync(() => {
        if (TMPDIR === undefined) delete process.env["TMPDIR"]
        else process.env["TMPDIR"] = TMPDIR
      })
  )
  return () => readdirSync(place).map((name) => realpathSync(join(place, name)))
})

/** A file in the home directory that goes with the scope. */
const secretAtHome = Effect.acquireRelease(
  Effect.sync(() => {
    const folder = mkdtempSync(join(homedir(), ".a2c-smcp-test-"))
    writeFileSync(join(folder, "key"), "secret")
    return folder
  }),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

/** The address of an HTTP server of this process. */
const httpServer = Effect.acquireRelease(
  Effect.callback<{ readonly url: string; readonly close: () => void }>((resume) => {
    const server = createServer((_, response) => response.writeHead(204, { connection: "close" }).end())
    server.listen(0, "127.0.0.1", () => {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
      resume(Effect.succeed({ url, close: () => server.close() }))
    })
  }),
  ({ close }) => Effect.sync(close)
)

describe("a server in a sandbox", () => {
  it.live("has a directory of its own for as long as it runs, and a small environment", () =>
    Effect.gen(function*() {
      process.env["A2C_TEST_SECRET"] = "s"
      const scope = yield* Scope.make()
      const directories = yield* ownDirectories
      const { client } = yield* Scope.provide(connect({}, { GIVEN: "by name" }), scope)
      const [directory = "", ...others] = directories()
      assert.deepStrictEqual(others, [])
      const seen = yield* run(client, "return { env: process.env, cwd: process.cwd() }")
      const { cwd, env } = seen as { readonly env: Record<string, string>; readonly cwd: string }
      assert.strictEqual(realpathSync(cwd), directory)
      assert.deepStrictEqual([realpathSync(env["HOME"]!), realpathSync(env["TMPDIR"]!)], [directory, directory])
      assert.strictEqual(env["GIVEN"], "by name")
      for (const name of ["A2C_TEST_SECRET", "USER", "LOGNAME", "SHELL"]) assert.notProperty(env, name)
      assert.isNull(yield* write(client, join(cwd, "note")))
      assert.strictEqual(readFileSync(join(directory, "note"), "utf8"), "written")
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(directories(), [])
    }).pipe(Effect.ensuring(Effect.sync(() => delete process.env["A2C_TEST_SECRET"]))))

  itHolds(held("sees and changes no other files than those that are named"), () =>
    Effect.gen(function*() {
      const home = yield* secretAtHome
      const [writable, readable, other] = yield* Effect.all([temporaryFolder, temporaryFolder, temporaryFolder])
      for (const folder of [writable, readable, other]) writeFileSync(join(folder, "file"), "text")
      const { client, lines } = yield* connect({ writable: [writable], readable: [readable, dirname(curiousServer)] })
      assert.strictEqual(yield* read(client, join(home, "key")), "ENOENT")
      assert.strictEqual(yield* read(client, join(other, "file")), "ENOENT")
      assert.strictEqual(yield* read(client, join(readable, "file")), "text")
      assert.strictEqual(yield* write(client, join(readable, "file")), "EROFS")
      assert.strictEqual(yield* write(client, "/usr/a2c"), "EROFS")
      assert.strictEqual(yield* write(client, "/a2c"), "EROFS")
      assert.isNull(yield* write(client, join(writable, "new")))
      assert.strictEqual(readFileSync(join(writable, "new"), "utf8"), "written")
      assert.strictEqual(client.sandbox, "bubblewrap, with the network")
      assert.deepStrictEqual(lines, [])
    }))

  itHolds(held("sees no other processes, and the network only if it may"), () =>
    Effect.gen(function*() {
      const { url } = yield* httpServer
      const fetching = `return (await fetch(${JSON.stringify(url)})).status`
      const { client } = yield* connect({})
      assert.strictEqual(yield* run(client, fetching), 204)
      const processes = `return (await node("fs")).readdirSync("/proc").filter((name) => Number(name) > 0).length`
      assert.isAtMost(Number(yield* run(client, processes)), 3)
      const { client: alone } = yield* connect({ network: false })
      assert.strictEqual(yield* run(alone, fetching), "ECONNREFUSED")
      assert.strictEqual(alone.sandbox, "bubblewrap, without the network")
    }))

  itHolds(
    held("leaves no process, not even one that has left its group, however it ends"),
    () =>
      Effect.gen(function*() {
        const daemon = `
        const { spawn } = await node("child_process")
        const stubborn = "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000); console.log(1)"
        const daemon = spawn(process.execPath, ["-e", stubborn, "a2c-daemon-${process.pid}"],
          { detached: true, stdio: ["ignore", "pipe", "ignore"] })
        await new Promise((resolve) => daemon.stdout.once("data", resolve))`
        const daemons = () => commandLines().filter((line) => line.includes(`a2c-daemon-${process.pid}`)).length
        const endings: ReadonlyArray<(client: McpClient, scope: Scope.Closeable) => Effect.Effect<unknown>> = [
          (_, scope) => Scope.close(scope, Exit.void),
          (client) => Effect.sync(() => process.kill(client.pid!, "SIGKILL")),
          (client) => Effect.exit(client.callTool("run", { code: "process.exit(3)" }))
        ]
        for (const end of endings) {
          const scope = yield* Scope.make()
          const { client } = yield* Scope.provide(connect({}), scope)
          yield* run(client, daemon)
          assert.strictEqual(daemons(), 1)
          yield* end(client, scope)
          yield* eventually("the daemon has ended", () => daemons() === 0)
          yield* Scope.close(scope, Exit.void)
          assert.deepStrictEqual(membersOf(client.pid!), [])
        }
      })
  )

  itHolds(held("is held in once bubblewrap is there, although it was not before"), () =>
    Effect.gen(function*() {
      vi.resetModules()
      const fresh = yield* Effect.promise(() => import("../../src/computer/internal/process/sandboxEntry.ts"))
      const { PATH } = process.env
      process.env["PATH"] = yield* temporaryFolder
      const missing = yield* Effect.flip(fresh.bubblewrapFor(true)).pipe(
        Effect.ensuring(Effect.sync(() => process.env["PATH"] = PATH))
      )
      assert.include(missing, "not installed")
      assert.deepStrictEqual(yield* Effect.result(fresh.bubblewrapFor(true)), open)
    }))

  itHolds(held("is not started when a path is not there, and leaves nothing"), () =>
    Effect.gen(function*() {
      const directories = yield* ownDirectories
      const missing = join(yield* temporaryFolder, "missing")
      const { message, reason } = yield* Effect.scoped(failure(connect({ writable: [missing] })))
      expectReason(reason, "Spawn")
      assert.include(message, `"${missing}", which does not exist`)
      assert.deepStrictEqual(directories().filter((path) => path.includes("sandbox")), [])
    }))

  it.live("is read from its file, with placeholders, and tells its operator what holds it in", () =>
    Effect.gen(function*() {
      const server = { command: process.execPath, args: [curiousServer], sandbox: { readable: ["${workspaceFolder}"] } }
      const { diagnostics, servers } = yield* ConfigFile.fromValue({ mcpServers: { s: server } }, "test", {
        directory: dirname(curiousServer)
      })
      assert.deepStrictEqual(diagnostics, [])
      const context = yield* Layer.build(Host.layer({ servers, inputs: [] }).pipe(Layer.provide(quiet)))
      const manager = Context.get(context, McpManager.McpManager)
      yield* manager.ready
      const { sandbox, state } = yield* manager.inspect("s")
      assert.strictEqual(state._tag, "Ready")
      assert.match(sandbox ?? "", why === undefined ? /^bubblewrap, with/ : /^temporary directory and environment only/)
    }))

  itDoesNotHold(unheld("says at each start what does not hold it in"), () =>
    Effect.gen(function*() {
      const { client, lines } = yield* connect({})
      assert.match(client.sandbox ?? "", /^temporary directory and environment only, .*: bubblewrap /)
      assert.strictEqual(lines.length, 1)
      assert.include(lines[0], client.sandbox)
    }))

  itDoesNotHold(unheld("is not started where a sandbox is required"), () =>
    Effect.gen(function*() {
      const { message, reason } = yield* failure(connect({ required: true }))
      expectReason(reason, "Spawn")
      assert.match(message, /its sandbox is required, and bubblewrap /)
    }))
})

/** How the processes of this machine were started. */
const commandLines = (): ReadonlyArray<string> =>
  readdirSync("/proc").filter((name) => /^\d+$/.test(name)).flatMap((pid) => {
    try {
      return [readFileSync(`/proc/${pid}/cmdline`, "utf8")]
    } catch {
      return []
    }
  })
