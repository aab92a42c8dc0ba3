import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, FileSystem, Layer, PlatformError, Queue, Result, Schedule, Stream } from "effect"
import { mkdirSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as ConfigFile from "../../src/computer/ConfigFile.ts"
import * as Host from "../../src/computer/Host.ts"
import * as McpManager from "../../src/computer/McpManager.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"
import { eventually } from "./support/processes.ts"

const rawMcpServer = fileURLToPath(new URL("support/rawMcpServer.mjs", import.meta.url))

const eventuallyTrue = <R>(condition: Effect.Effect<boolean, never, R>) =>
  condition.pipe(
    Effect.flatMap((is) => is ? Effect.void : Effect.fail("not yet")),
    Effect.retry(Schedule.spaced("20 millis")),
    Effect.timeout("20 seconds")
  )

const servers = (...commands: ReadonlyArray<string>): string =>
  JSON.stringify({ mcpServers: Object.fromEntries(commands.map((command) => [command, { command }])) })

describe("ConfigFile.loadAll", () => {
  it.effect("lets the later file count, says so, and keeps the order", () =>
    Effect.gen(function*() {
      const folder = yield* temporaryFolder
      const [a, b] = [join(folder, "a.json"), join(folder, "b.json")]
      const input = (id: string, description: string) => ({ id, type: "promptString", description })
      writeFileSync(
        a,
        JSON.stringify({
          mcpServers: { one: { command: "a" }, two: { command: "a" }, bad: 3 },
          inputs: [input("x", "1"), input("y", "1"), input("z", "1")]
        })
      )
      writeFileSync(
        b,
        JSON.stringify({
          servers: { "TWO!": { command: "b", bundle_id: "two" }, three: { command: "b" } },
          inputs: [input("y", "2"), input("z", "1")]
        })
      )
      const config = yield* ConfigFile.loadAll([a, b])
      assert.deepStrictEqual(config.servers.map(({ bundleId, key, origin }) => [bundleId, key, origin.source]), [
        ["one", "one", a],
        ["two", "TWO!", b],
        ["three", "three", b]
      ])
      assert.deepStrictEqual(config.inputs.map(({ description, id }) => [id, description]), [
        ["x", "1"],
        ["y", "2"],
        ["z", "1"]
      ])
      assert.deepStrictEqual(config.diagnostics.map(({ message, severity }) => [severity, message.slice(0, 25)]), [
        ["error", "The server \"bad\" was left"],
        ["warning", `Server "TWO!" of ${b}`.slice(0, 25)],
        ["warning", "The input \"y\" of a later "]
      ])
      assert.include(config.diagnostics[1]?.message, `replaces "two" of ${a}: both have the bundle id "two"`)
      const missing = yield* Effect.flip(ConfigFile.loadAll([a, join(folder, "c.json")]))
      assert.match(missing.message, /^There is no config file .*c\.json/)
    }).pipe(Effect.provide(NodeServices.layer)))

  it.effect("knows the folder that a file belongs to", () =>
    Effect.gen(function*() {
      const folder = yield* temporaryFolder
      const directory = Effect.fnUntraced(function*(...path: ReadonlyArray<string>) {
        const file = join(folder, ...path)
        mkdirSync(join(file, ".."), { recursive: true })
        writeFileSync(file, servers("x"))
        return (yield* ConfigFile.load(file)).servers[0]?.origin.directory
      })
      assert.strictEqual(yield* directory("mcp.json"), folder)
      assert.strictEqual(yield* directory("p", ".vscode", "mcp.json"), join(folder, "p"))
      assert.strictEqual(yield* directory("q", ".kiro", "settings", "mcp.json"), join(folder, "q"))
      assert.strictEqual(yield* directory("settings", "mcp.json"), join(folder, "settings"))
    }).pipe(Effect.provide(NodeServices.layer)))
})

describe("ConfigFile.watch", () => {
  /** What is said about the files: the commands, or why there are none. */
  const follow = Effect.fnUntraced(function*(...paths: ReadonlyArray<string>) {
    const said = yield* Queue.unbounded<string>()
    yield* ConfigFile.watch(paths).pipe(
      Stream.runForEach((watched) =>
        Queue.offer(
          said,
          Result.isSuccess(watched)
            ? watched.success.servers.map(({ key }) => key).join(" ")
            : watched.failure.message
        )
      ),
      Effect.forkScoped({ startImmediately: true })
    )
    return {
      next: Effect.timeout(Queue.take(said), "20 seconds"),
      /** Longer than a change takes that is told of. */
      nothing: Effect.gen(function*() {
        yield* Effect.sleep("700 millis")
        assert.strictEqual(yield* Queue.size(said), 0)
      })
    }
  })

  it.live("follows writing, replacing, deleting and making anew, and says once that a file is broken", () =>
    Effect.gen(function*() {
      const folder = yield* temporaryFolder
      const path = join(folder, "mcp.json")
      writeFileSync(path, servers("a"))
      const { next, nothing } = yield* follow(path)
      assert.strictEqual(yield* next, "a")
      writeFileSync(path, servers("a", "b"))
      assert.strictEqual(yield* next, "a b")
      // as an editor saves
      writeFileSync(join(folder, "mcp.json~"), servers("c"))
      renameSync(join(folder, "mcp.json~"), path)
      assert.strictEqual(yield* next, "c")
      writeFileSync(path, "{")
      assert.match(yield* next, /is not valid JSON/)
      rmSync(path)
      assert.match(yield* next, /There is no config file/)
      writeFileSync(path, servers("c"))
      assert.strictEqual(yield* next, "c")
      // what does not last is not told
      rmSync(path)
      writeFileSync(path, servers("c"))
      writeFileSync(path, servers("x"))
      writeFileSync(path, "{")
      yield* Effect.sleep("50 millis")
      writeFileSync(path, servers("d"))
      assert.strictEqual(yield* next, "d")
      // neither is what changes nothing, nor another file
      writeFileSync(path, servers("d"))
      writeFileSync(join(folder, "other.json"), servers("z"))
      yield* nothing
    }).pipe(Effect.provide(NodeServices.layer)))

  it.live("follows several files, and a link to where it points", () =>
    Effect.gen(function*() {
      const folder = yield* temporaryFolder
      for (const version of ["v1", "v2"]) {
        mkdirSync(join(folder, version))
        writeFileSync(join(folder, version, "mcp.json"), servers(version))
      }
      const [link, second] = [join(folder, "link.json"), join(folder, "second.json")]
      symlinkSync(join(folder, "v1", "mcp.json"), link)
      writeFileSync(second, servers("x"))
      const { next } = yield* follow(link, second)
      assert.strictEqual(yield* next, "v1 x")
      writeFileSync(join(folder, "v1", "mcp.json"), servers("v1", "w"))
      assert.strictEqual(yield* next, "v1 w x")
      symlinkSync(join(folder, "v2", "mcp.json"), `${link}.new`)
      renameSync(`${link}.new`, link)
      assert.strictEqual(yield* next, "v2 x")
      // its folder was not watched from the start
      writeFileSync(join(folder, "v2", "mcp.json"), servers("v2", "w"))
      writeFileSync(second, servers("y"))
      assert.strictEqual(yield* next, "v2 w y")
    }).pipe(Effect.provide(NodeServices.layer)))

  it.live("looks by itself where nobody tells of changes", () =>
    Effect.gen(function*() {
      const folder = yield* temporaryFolder
      const path = join(folder, "mcp.json")
      writeFileSync(path, servers("a"))
      const { next } = yield* follow(path)
      assert.strictEqual(yield* next, "a")
      writeFileSync(path, servers("b"))
      assert.strictEqual(yield* next, "b")
    }).pipe(
      Effect.provide(
        Layer.effect(
          FileSystem.FileSystem,
          Effect.map(FileSystem.FileSystem, (fs) => ({
            ...fs,
            watch: () =>
              Stream.fail(PlatformError.systemError({ _tag: "Unknown", module: "FileSystem", method: "watch" }))
          }))
        ).pipe(Layer.provide(NodeServices.layer))
      )
    ))

  it.live("leaves no watcher and no timer behind", () =>
    Effect.gen(function*() {
      const folder = yield* temporaryFolder
      const path = join(folder, "mcp.json")
      writeFileSync(path, servers("a"))
      const watchers = () => process.getActiveResourcesInfo().filter((name) => name === "FSEventWrap").length
      const before = watchers()
      yield* Effect.scoped(Effect.gen(function*() {
        const { next } = yield* follow(path)
        yield* next
        assert.isAbove(watchers(), before)
      }))
      yield* eventually("every watcher is closed", () => watchers() === before)
    }).pipe(Effect.provide(NodeServices.layer)))
})

describe("ConfigFile.save", () => {
  it.live("writes what reads the same, for its owner alone", () =>
    Effect.gen(function*() {
      const folder = yield* temporaryFolder
      const [project, path] = [join(folder, "p", ".vscode", "mcp.json"), join(folder, "saved.json")]
      mkdirSync(join(project, ".."), { recursive: true })
      writeFileSync(
        project,
        JSON.stringify({
          inputs: [{ id: "n", type: "number", min: 1 }, { id: "p", type: "promptString", pattern_message: "x" }],
          servers: {
            a: {
              command: "${workspaceFolder}/run",
              args: ["${input:n}", "${workspaceFolderBasename}", "${PLAIN}"],
              env: { TOKEN: "${env:TOKEN}" },
              envFile: "local.env",
              nobodyKnows: [1]
            }
          }
        })
      )
      writeFileSync(path, "something else")
      const config = yield* ConfigFile.load(project)
      yield* ConfigFile.save(path, config)
      assert.strictEqual(statSync(path).mode & 0o777, 0o600)
      const { diagnostics, inputs, servers: [entry] } = yield* ConfigFile.load(path)
      assert.deepStrictEqual(inputs, config.inputs)
      assert.deepInclude(entry?.config.server_parameters as object, {
        command: join(folder, "p", "run"),
        // what is literal there would be a variable here
        args: ["${input:n}", "p", "$${PLAIN}"],
        env: { TOKEN: "${env:TOKEN}" }
      })
      assert.deepStrictEqual<unknown>([entry?.settings, entry?.extra], [
        { envFile: join(folder, "p", "local.env") },
        { nobodyKnows: [1] }
      ])
      assert.deepStrictEqual(diagnostics.map(({ severity }) => severity), ["warning"])
      const failed = yield* Effect.flip(ConfigFile.save(join(path, "x.json"), config))
      assert.match(failed.message, /cannot be written: /)
    }).pipe(Effect.provide(NodeServices.layer)))
})

describe("a Host with the servers of a file", () => {
  it.live("runs the others when one needs a transport that nobody has", () =>
    Effect.gen(function*() {
      const { servers } = yield* ConfigFile.fromValue({
        mcpServers: {
          pigeon: { type: "pigeon", loft: 3 },
          good: { command: process.execPath, args: [rawMcpServer, "{}"] }
        }
      }, "mcp.json")
      const manager = Context.get(yield* Layer.build(Host.layer({ servers })), McpManager.McpManager)
      yield* eventuallyTrue(Effect.map(manager.states, (states) =>
        states.some(({ entry, state }) =>
          entry.bundleId === "good" && state._tag === "Ready"
        )))
      const told = JSON.stringify(
        (yield* manager.states).find(({ entry }) =>
          entry.bundleId === "pigeon"
        )?.state
      )
      assert.match(told, /is to be reached over .*pigeon.*, which this program does not know/)
    }))
})
