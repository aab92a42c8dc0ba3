import { assert, describe, layer } from "@effect/vitest"
import { Context, Effect, Layer, Redacted } from "effect"
import { createHash } from "node:crypto"
import * as ClientEvent from "../../src/protocol/ClientEvent.ts"
import * as ServerEvent from "../../src/protocol/ServerEvent.ts"
import * as SmcpError from "../../src/protocol/SmcpError.ts"
import * as WireError from "../../src/protocol/WireError.ts"
import * as SocketIoTransport from "../../src/transport/SocketIoTransport.ts"
import { KEY, startServer } from "./support/office.ts"
import { errorLine, hasTerminal, smcp, startInTerminal, temporaryFile } from "./support/smcp.ts"

/** A Server as a process, and a played Computer in its office. */
class Office extends Context.Service<Office, {
  readonly env: Readonly<Record<string, string>>
  /** The files that landed. */
  readonly landed: ReadonlyArray<{ readonly name: unknown; readonly bytes: Buffer }>
}>()("test/cli/AgentAsks") {}

const refusal = (reason: SmcpError.Reason) => Effect.fail(SmcpError.make(reason))

const layerOffice = Layer.effect(
  Office,
  Effect.gen(function*() {
    const { env, url } = yield* startServer
    const computer = yield* SocketIoTransport.make({ url, apiKey: Redacted.make(KEY) })
    yield* computer.handle(ClientEvent.GetTools, () => Effect.succeed({ tools: [] }))
    yield* computer.handle(ClientEvent.GetResources, ({ cursor, mcp_server }) => {
      if (mcp_server !== "fs") return refusal(new WireError.McpServerNotFound({ mcpServer: mcp_server }))
      return Effect.succeed(
        cursor === undefined
          ? { resources: [{ uri: "f://a", name: "a", mime_type: "text/plain", size: 3 }], next_cursor: "two" }
          : { resources: [{ uri: "f://b", description: "The second\nfile" }] }
      )
    })
    yield* computer.handle(ClientEvent.GetDesktop, ({ desktop_size, window }) => {
      const desktops = ["window://e/1\n\nfirst\u001b[31m\nline", "window://e/2"]
      return Effect.succeed({
        desktops: desktops.filter((each) => typeof window !== "string" || each.startsWith(window))
          .slice(0, desktop_size ?? undefined)
      })
    })
    const landed: Array<{ readonly name: unknown; readonly bytes: Buffer }> = []
    let current = { name: "" as unknown, bytes: Buffer.alloc(0) }
    yield* computer.handle(ClientEvent.PutBlob, ({ blob, eof, name_hint, upload_id }) => {
      if (name_hint === "refused") return refusal(new WireError.BlobWriteFailed({ reason: "forbidden" }))
      if (upload_id === undefined) current = { name: name_hint, bytes: Buffer.alloc(0) }
      current.bytes = Buffer.concat([current.bytes, Buffer.from(blob, "base64")])
      if (eof) landed.push(current)
      const answer = Effect.succeed({ upload_id: "u", ...(eof ? { landing_path: "/landing/u" } : {}) })
      return name_hint === "slow" || upload_id !== undefined ? Effect.delay(answer, "300 millis") : answer
    })
    yield* computer.call(ServerEvent.JoinOffice, { role: "computer", name: "laptop", office_id: "office" })
    return { env, landed }
  })
)

const run = (command: string, ...args: ReadonlyArray<string>) =>
  Effect.flatMap(Office, ({ env }) => smcp(["agent", command, "--computer", "laptop", ...args], env))

describe("smcp agent", () => {
  layer(layerOffice, { excludeTestServices: true, timeout: "60 seconds" })("asks a Computer and", (it) => {
    it.effect("lists a page of resources and says how to go on", () =>
      Effect.gen(function*() {
        const { exitCode, stderr, stdout } = yield* run("resources", "--server", "fs")
        assert.strictEqual(exitCode, 0)
        const [head = "", row = ""] = stdout.split("\n")
        assert.match(head, /^URI +TYPE +BYTES +NAME +DESCRIPTION$/)
        assert.match(row, /^f:\/\/a +text\/plain +3 +a$/)
        assert.match(stderr, /--cursor 'two', or --all/)
      }))

    it.effect("lists the page behind a cursor, and all pages, as JSON", () =>
      Effect.gen(function*() {
        const second = JSON.parse((yield* run("resources", "--server", "fs", "--cursor", "two", "--json")).stdout)
        assert.deepStrictEqual(second.resources.map(({ uri }: { readonly uri: string }) => uri), ["f://b"])
        const all = yield* run("resources", "--server", "fs", "--all", "--json")
        assert.deepStrictEqual(
          JSON.parse(all.stdout).resources.map(({ uri }: { readonly uri: string }) => uri),
          ["f://a", "f://b"]
        )
        assert.strictEqual(all.stderr, "")
      }))

    it.effect("prints the windows of the desktop as they are", () =>
      Effect.gen(function*() {
        const all = yield* run("desktop")
        assert.deepStrictEqual(
          [all.exitCode, all.stdout, all.stderr],
          [0, "window://e/1\n\nfirst\u001b[31m\nline\n\nwindow://e/2\n", ""]
        )
        assert.strictEqual((yield* run("desktop", "--window", "window://e/2")).stdout, "window://e/2\n")
        assert.deepStrictEqual(JSON.parse((yield* run("desktop", "--size", "1", "--json")).stdout), [
          { uri: "window://e/1", text: "first\u001b[31m\nline" }
        ])
        const none = yield* run("desktop", "--size", "0")
        assert.deepStrictEqual([none.exitCode, none.stdout], [0, ""])
        assert.match(none.stderr, /No windows/)
      }))

    it.effect("uploads a file and prints where it landed", () =>
      Effect.gen(function*() {
        const { landed } = yield* Office
        const file = yield* temporaryFile("in.txt", "x".repeat(300_000))
        const ended = yield* run("upload", file)
        assert.deepStrictEqual([ended.exitCode, ended.stdout, ended.stderr], [0, "/landing/u\n", ""])
        assert.strictEqual(landed.at(-1)?.name, "in.txt")
        assert.strictEqual(landed.at(-1)?.bytes.toString(), "x".repeat(300_000))
        const json = JSON.parse((yield* run("upload", file, "--as", "b.txt", "--json")).stdout)
        const sha256 = createHash("sha256").update("x".repeat(300_000)).digest("hex")
        assert.deepStrictEqual(json, { landingPath: "/landing/u", totalSize: 300_000, sha256 })
        assert.strictEqual(landed.at(-1)?.name, "b.txt")
      }))

    it.effect("shows in a terminal how far the upload is", (context) =>
      Effect.gen(function*() {
        if (!hasTerminal) return context.skip("needs python3 for a terminal")
        const { env } = yield* Office
        const file = yield* temporaryFile("slow", "x".repeat(300_000))
        const agent = yield* startInTerminal(["agent", "upload", file, "--computer", "laptop"], env)
        yield* agent.stdoutHas(/Uploading: 0 % of 300000 bytes/)
        yield* agent.stdoutHas(/Uploading: 87 % of 300000 bytes/)
        const ended = yield* agent.ended
        assert.match(ended.stdout, /\/landing\/u\r?\n$/)
        assert.strictEqual(ended.exitCode, 0)
      }))

    const ends: ReadonlyArray<
      readonly [what: string, args: ReadonlyArray<string>, said: RegExp, exitCode: number]
    > = [
      ["an unknown MCP server", ["resources", "--server", "x"], /MCP Server not registered/, 1],
      ["a cursor and all pages", ["resources", "--server", "fs", "--all", "--cursor", "a"], /--cursor or --all/, 2],
      ["a negative size", ["desktop", "--size", "-1"], /0 or more/, 2],
      ["a file that is not there", ["upload", "/nowhere/file"], /\/nowhere\/file cannot be read/, 2],
      ["a folder", ["upload", "/"], /not a regular file/, 2],
      ["a Computer that takes no files", ["upload", "package.json", "--as", "refused"], /--landing-root/, 1]
    ]
    it.effect.each(ends)(
      "exits with a line of error for %s",
      ([, [command = "", ...args], said, exitCode]) =>
        Effect.gen(function*() {
          const ended = yield* run(command, ...args)
          assert.match(errorLine(ended), said)
          assert.deepStrictEqual([ended.exitCode, ended.stdout], [exitCode, ""])
        })
    )
  })
})
