import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Schema, Scope } from "effect"
import { execFileSync } from "node:child_process"
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync
} from "node:fs"
import { join } from "node:path"
import * as Blobs from "../../src/computer/Blobs.ts"
import * as ClientEvent from "../../src/protocol/ClientEvent.ts"
import { revisions } from "../../src/protocol/Revision.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"
import { connectTo, ToolServer } from "./support/memoryServers.ts"
import { build, computerIn, envelope, makeOffice, toolCall, withServers } from "./support/office.ts"
import {
  ask,
  blobFiles,
  blobs,
  BUDGET,
  bytesOf,
  closeable,
  drain,
  filesIn,
  image,
  keep,
  modeOf,
  refusal,
  Servers,
  sha256Of,
  source
} from "./support/transfers.ts"

describe("Blobs", () => {
  describe("spooling a result", () => {
    it.effect("puts a handle in place of what is above the budget, and changes nothing else", () =>
      Effect.gen(function*() {
        const service = yield* blobs({})
        const large = bytesOf(BUDGET + 1)
        const untouched = [
          image(bytesOf(BUDGET)),
          { type: "text", text: "x".repeat(100_000) },
          { type: "resource", resource: { uri: "a:b", text: "x".repeat(100_000) } },
          { type: "resource_link", uri: "a:b", data: large.toString("base64") },
          { type: "hologram", data: large.toString("base64") },
          { type: "image", data: 7 },
          null
        ] as ReadonlyArray<unknown> as ReadonlyArray<never>
        const { content, ...rest } = yield* service.spool({
          content: [
            ...untouched,
            image(large, { _meta: { mine: 1 }, meta: null, annotations: { priority: 1 } }),
            { type: "audio", data: large.toString("base64"), mimeType: "audio/wav" },
            { type: "resource", resource: { uri: "a:b", blob: large.toString("base64"), mimeType: null } }
          ],
          structuredContent: { a: 1 },
          isError: false,
          meta: { b: 1 },
          extra: 1
        }, source)
        assert.deepStrictEqual<unknown>(rest, {
          structuredContent: { a: 1 },
          isError: false,
          meta: { b: 1 },
          extra: 1
        })
        assert.deepStrictEqual<unknown>(content!.slice(0, untouched.length), untouched)
        const handles = content!.slice(untouched.length).map((item) =>
          (item["_meta"] as { a2c_blob_handle: string }).a2c_blob_handle
        )
        const meta = (index: number) => ({
          a2c_blob_handle: handles[index],
          a2c_total_size: large.length,
          a2c_sha256: sha256Of(large)
        })
        assert.deepStrictEqual<unknown>(content!.slice(untouched.length), [
          {
            type: "image",
            data: "",
            mimeType: "image/png",
            _meta: { mine: 1, ...meta(0) },
            meta: null,
            annotations: { priority: 1 }
          },
          { type: "audio", data: "", mimeType: "audio/wav", _meta: meta(1) },
          { type: "resource", resource: { uri: "a:b", blob: "", mimeType: null }, _meta: meta(2) }
        ])
        const types = yield* Effect.forEach(handles, (handle) => drain(service, handle))
        assert.deepStrictEqual(types.map(({ last }) => last.mime_type), [
          "image/png",
          "audio/wav",
          "application/octet-stream"
        ])
        assert.isTrue(types.every(({ bytes }) => bytes.equals(large)))
      }))

    const valid = bytesOf(1 << 20).toString("base64")
    it.effect.each(
      [
        ["a length that is none", valid.slice(1)],
        ["another alphabet", valid.replaceAll("+", "-").replaceAll("/", "_")],
        ["a line break", `\n${valid.slice(1)}`],
        ["bits that say nothing", `${valid.slice(0, 65532)}QR==`],
        ["padding before the end", `${valid.slice(0, (1 << 20) - 4)}QQ==${valid.slice(0, 65536)}`],
        ["text", "x y ".repeat(20_000)]
      ] as const
    )("leaves what is no base64 as it is: %s", ([_what, data]) =>
      Effect.gen(function*() {
        const spoolDirectory = join(yield* temporaryFolder, "spool")
        const service = yield* blobs({ spoolDirectory })
        const result = { content: [{ type: "image", data, mimeType: "image/png" }] }
        assert.deepStrictEqual<unknown>(yield* service.spool(result, source), result)
        assert.deepStrictEqual(
          existsSync(spoolDirectory) ? filesIn(spoolDirectory).filter((it) => it !== "key") : [],
          []
        )
      }))

    it.effect("says in the result what is above the ceiling, and keeps none of it", () =>
      Effect.gen(function*() {
        const spoolDirectory = join(yield* temporaryFolder, "spool")
        const service = yield* blobs({ spoolDirectory, ceiling: 100_000 })
        assert.strictEqual((yield* keep(service, bytesOf(100_000))).size, 100_000)
        const answer = yield* service.spool({ content: [image(bytesOf(50_000)), image(bytesOf(100_001))] }, source)
        assert.deepStrictEqual<unknown>(answer, {
          meta: { error_code: 4003 },
          content: [{
            type: "text",
            text: "The tool ran, but its result has 100001 bytes of image/png, and this Computer passes on at most " +
              "100000 at a time"
          }],
          structuredContent: null,
          isError: true
        })
        assert.lengthOf(blobFiles(spoolDirectory), 1)
      }))

    it.effect("changes nothing in a revision without client:get_blob", () =>
      Effect.gen(function*() {
        const service = yield* blobs({ inlineBudget: 1, ceiling: 2 }, { revision: "0.1" })
        const result = { content: [image(bytesOf(1000))] }
        assert.strictEqual(yield* service.spool(result, source), result)
      }))

    it.effect("says in the result when it cannot be kept, without a path", () =>
      Effect.gen(function*() {
        const directory = yield* temporaryFolder
        writeFileSync(join(directory, "file"), "")
        const result = { content: [image(bytesOf(BUDGET + 1))] }
        const cases: ReadonlyArray<Blobs.Options> = [
          { spoolDirectory: join(directory, "file") },
          { spoolDirectory: join(directory, "file", "below") },
          { spoolDirectory: "/proc/a2c-smcp" },
          { spoolDirectory: join(directory, "spool"), spoolVolume: BUDGET }
        ]
        for (const options of cases) {
          const { content, isError } = yield* Effect.flatMap(blobs(options), (service) => service.spool(result, source))
          assert.isTrue(isError)
          assert.match(
            String(content![0]!["text"]),
            /^The tool ran, but its result could not be kept by the Computer until it is fetched: [a-z ]+(\(E[A-Z]+\))?$/
          )
        }
      }))

    it.live("leaves no file of what was interrupted", () =>
      Effect.gen(function*() {
        const spoolDirectory = join(yield* temporaryFolder, "spool")
        const service = yield* blobs({ spoolDirectory })
        const result = { content: [image(bytesOf(20 << 20))] }
        const fiber = yield* Effect.forkChild(service.spool(result, source), { startImmediately: true })
        while (!existsSync(spoolDirectory) || !readdirSync(spoolDirectory).some((name) => name.endsWith(".tmp"))) {
          yield* Effect.sleep(1)
        }
        yield* Fiber.interrupt(fiber)
        assert.deepStrictEqual(filesIn(spoolDirectory), ["key"])
      }))
  })

  describe("reading", () => {
    it.effect.prop(
      "gives the same bytes in chunks of any size, also after a restart",
      [
        Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 200 })),
        Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1e6 })),
        Schema.Array(Schema.Finite.check(Schema.isBetween({ minimum: -1, maximum: 250 })))
      ],
      ([length, seed, sizes]) =>
        Effect.gen(function*() {
          const spoolDirectory = yield* temporaryFolder
          const bytes = bytesOf(length, seed)
          const options = { spoolDirectory, inlineBudget: -1, chunkBytes: 99 }
          const first = yield* closeable(options)
          const { handle, sha256, size } = yield* keep(first.service, bytes)
          assert.deepStrictEqual([size, sha256], [length, sha256Of(bytes)])
          const before = yield* drain(first.service, handle, sizes)
          yield* first.close
          const after = yield* drain(yield* blobs(options), handle, sizes)
          for (const { bytes: fetched, last } of [before, after]) {
            assert.isTrue(fetched.equals(bytes))
            assert.deepStrictEqual([last.total_size, last.sha256, last.blob_handle, last.req_id], [
              length,
              sha256,
              handle,
              "1"
            ])
          }
        }).pipe(Effect.scoped),
      { arbitrary: { runs: 60 } }
    )

    it.effect("sends chunks that the connection takes", () =>
      Effect.gen(function*() {
        for (const maxPayload of [3_000, 10_000, 300_000, 1_000_000]) {
          const service = yield* blobs({}, { maxPayload })
          const { handle } = yield* keep(service, bytesOf(600_000))
          const req_id = "ü".repeat(300)
          const chunk = yield* service.read(ask(handle, { req_id }))
          const message = Buffer.byteLength(JSON.stringify(chunk)) + 256
          assert.isAtMost(message, maxPayload)
          // and no smaller than needed
          assert.isAtLeast(message, Math.min(maxPayload - 2000, 256 * 1024))
          assert.isFalse(chunk.eof)
        }
      }))

    it.effect("refuses every other handle", () =>
      Effect.gen(function*() {
        const directory = yield* temporaryFolder
        const service = yield* blobs({ spoolDirectory: join(directory, "one") })
        const other = yield* blobs({ spoolDirectory: join(directory, "two") })
        const { handle } = yield* keep(service, bytesOf(BUDGET + 1))
        const foreign = yield* keep(other, bytesOf(BUDGET + 1))
        const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        const flipped = handle.split("").flatMap((letter, index) =>
          [1, 2, 4, 8, 16, 32].map((bit) =>
            handle.slice(0, index) + letters[letters.indexOf(letter) ^ bit] + handle.slice(index + 1)
          )
        )
        const forged = [
          "",
          "x",
          handle.slice(1),
          handle.slice(0, -1),
          `${handle}A`,
          `${handle}=`,
          ` ${handle}`,
          handle.toLowerCase(),
          foreign.handle,
          "../../../../etc/passwd",
          "/etc/passwd",
          join(directory, "one", "key"),
          "A".repeat(1_000_000)
        ]
        for (const attempt of [...flipped, ...forged]) {
          assert.strictEqual((yield* refusal(service.read(ask(attempt)))).reason, "invalid_handle", attempt)
        }
        assert.isTrue((yield* drain(service, handle)).bytes.equals(bytesOf(BUDGET + 1)))
        // nobody learns from a handle what or where it is
        const plain = Buffer.from(handle, "base64url").toString("latin1")
        for (const secret of ["cam", "shoot", "spool", "png", directory]) assert.notInclude(plain, secret)
      }))

    it.effect("refuses offsets outside of the bytes", () =>
      Effect.gen(function*() {
        const service = yield* blobs({})
        const size = BUDGET + 1
        const { handle } = yield* keep(service, bytesOf(size))
        for (const chunk_offset of [-1, size + 1, 0.5, -0.5, 1e300, Number.MAX_SAFE_INTEGER + 1]) {
          assert.deepStrictEqual((yield* refusal(service.read(ask(handle, { chunk_offset })))).fields, {
            reason: "range"
          })
        }
        const end = yield* service.read(ask(handle, { chunk_offset: size }))
        assert.deepStrictEqual([end.blob, end.eof, end.chunk_offset], ["", true, size])
        assert.strictEqual((yield* service.read(ask(handle, { chunk_offset: null, max_chunk_bytes: null }))).eof, true)
      }))

    it.effect("asks anew whether the tool is still offered", () =>
      Effect.gen(function*() {
        const servers = new Servers()
        const cam = { command: "-", tool_meta: { shoot: { alias: "snap" } } }
        yield* servers.configure({ cam })
        const service = yield* blobs({}, { servers })
        const { handle } = yield* keep(service, bytesOf(BUDGET + 1))
        const reason = Effect.map(Effect.result(service.read(ask(handle))), (result) =>
          result._tag === "Success" ? "read" : (result.failure.reason as { reason?: string }).reason)
        const table: ReadonlyArray<readonly [object, Parameters<Servers["configure"]>[1], string]> = [
          [{}, undefined, "forbidden"],
          [{ other: cam }, undefined, "forbidden"],
          [{ cam: { ...cam, disabled: true } }, { _tag: "Disabled" }, "forbidden"],
          [{ cam }, { _tag: "Stopped" }, "forbidden"],
          [{ cam: { ...cam, forbidden_tools: ["shoot"] } }, undefined, "forbidden"],
          [{ cam: { ...cam, forbidden_tools: ["snap"] } }, undefined, "forbidden"],
          [{ cam: { ...cam, forbidden_tools: ["cam__snap"] } }, undefined, "forbidden"],
          [{ cam: { ...cam, forbidden_tools: ["other", "cam__shoot"] } }, undefined, "read"],
          [{ cam }, { _tag: "Failed", reason: "" }, "read"],
          [{ cam }, { _tag: "Starting", since: 0 }, "read"]
        ]
        for (const [config, state, expected] of table) {
          yield* servers.configure(config, state)
          assert.strictEqual(yield* reason, expected, JSON.stringify(config))
        }
      }))

    const spoils: Readonly<Record<string, (file: string) => void>> = {
      removed: (file) => rmSync(file),
      cut: (file) => truncateSync(file, 1000),
      longer: (file) => appendFileSync(file, "x"),
      altered: (file) => writeFileSync(file, Buffer.concat([Buffer.from("x"), readFileSync(file).subarray(1)])),
      "another file": (file) => {
        writeFileSync(`${file}x`, bytesOf(statSync(file).size, 7))
        renameSync(`${file}x`, file)
      },
      "a link to the same bytes": (file) => {
        copyFileSync(file, `${file}x`)
        rmSync(file)
        symlinkSync(`${file}x`, file)
      },
      "a directory": (file) => {
        rmSync(file)
        mkdirSync(file)
      },
      "a pipe that nobody writes to": (file) => {
        rmSync(file)
        execFileSync("mkfifo", [file])
      }
    }
    it.effect.each(Object.keys(spoils))("is gone when its file is %s", (what) =>
      Effect.gen(function*() {
        const spoolDirectory = yield* temporaryFolder
        const first = yield* closeable({ spoolDirectory })
        const { handle, sha256 } = yield* keep(first.service, bytesOf(BUDGET + 1))
        yield* drain(first.service, handle)
        spoils[what]!(join(spoolDirectory, sha256))
        const request = ask(handle, { chunk_offset: 10, max_chunk_bytes: 10 })
        assert.strictEqual((yield* refusal(first.service.read(request))).reason, "gone")
        assert.strictEqual((yield* refusal(first.service.read(ask(handle, { chunk_offset: -1 })))).reason, "gone")
        yield* first.close
        assert.strictEqual((yield* refusal((yield* blobs({ spoolDirectory })).read(request))).reason, "gone")
        if (what === "a directory") return
        // a tool that returns the same bytes again brings them back
        const again = yield* blobs({ spoolDirectory })
        yield* keep(again, bytesOf(BUDGET + 1))
        assert.isTrue((yield* drain(again, handle)).bytes.equals(bytesOf(BUDGET + 1)))
      }))

    it.effect("takes no key that others can read, or that is cut", () =>
      Effect.gen(function*() {
        const spoolDirectory = yield* temporaryFolder
        const key = join(spoolDirectory, "key")
        const spoil: ReadonlyArray<() => void> = [
          () => chmodSync(key, 0o640),
          () => truncateSync(key, 31),
          () => rmSync(key),
          () => {
            renameSync(key, `${key}2`)
            symlinkSync(`${key}2`, key)
          }
        ]
        for (const change of spoil) {
          const { close, service } = yield* closeable({ spoolDirectory })
          const { handle } = yield* keep(service, bytesOf(BUDGET + 1))
          yield* close
          change()
          const next = yield* closeable({ spoolDirectory })
          assert.strictEqual((yield* refusal(next.service.read(ask(handle)))).reason, "invalid_handle")
          const fresh = yield* keep(next.service, bytesOf(BUDGET + 1))
          assert.strictEqual(modeOf(key), 0o600)
          yield* next.close
          const last = yield* closeable({ spoolDirectory })
          yield* drain(last.service, fresh.handle)
          yield* last.close
        }
      }))
  })

  describe("in a Computer", () => {
    const photo = bytesOf(5_000_000)

    it.live("carries a large image over a small connection, also when it restarts on the way", () =>
      Effect.gen(function*() {
        const spoolDirectory = join(yield* temporaryFolder, "spool")
        const server = new ToolServer({ shoot: () => ({ content: [image(photo), { type: "text", text: "done" }] }) })
        const config = { servers: { cam: { command: "-" } } }
        const start = Effect.fnUntraced(function*() {
          const scope = yield* Scope.make()
          const office = yield* Scope.provide(makeOffice(), scope)
          const options = { connector: connectTo({ cam: server }), blobs: { spoolDirectory } }
          yield* Scope.provide(build(office, config, options), scope)
          return { office, stop: Scope.close(scope, Exit.void) }
        })
        let { office, stop } = yield* start()
        const { content, isError } = (yield* office.ask(ClientEvent.ToolCall, toolCall("cam__shoot"))) as {
          content: ReadonlyArray<{ data: string; text: string; _meta: Record<string, unknown> }>
          isError?: boolean
        }
        assert.deepStrictEqual([isError, content[0]!.data, content[1]!.text], [undefined, "", "done"])
        const parts: Array<Buffer> = []
        for (let offset = 0; offset < photo.length;) {
          const request = envelope({ blob_handle: content[0]!._meta["a2c_blob_handle"], chunk_offset: offset })
          const chunk = (yield* office.ask(ClientEvent.GetBlob, request)) as { blob: string; eof: boolean }
          const part = Buffer.from(chunk.blob, "base64")
          parts.push(part)
          offset += part.length
          assert.strictEqual(chunk.eof, offset === photo.length)
          if (parts.length % 7 === 0) {
            yield* stop
            ;({ office, stop } = yield* start())
          }
        }
        assert.isTrue(Buffer.concat(parts).equals(photo))
        assert.deepStrictEqual(
          yield* office.ask(ClientEvent.GetBlob, envelope({ blob_handle: "x" })),
          { code: 4018, message: "Blob not accessible", details: { reason: "invalid_handle" } }
        )
        yield* stop
      }))

    it.live("stops keeping when the call is cancelled", () =>
      Effect.gen(function*() {
        const spoolDirectory = join(yield* temporaryFolder, "spool")
        const huge = image(bytesOf(60 << 20))
        const { computer, office } = yield* withServers({
          cam: new ToolServer({ shoot: () => ({ content: [huge] }) })
        }, { computer: { blobs: { spoolDirectory } } })
        const request = toolCall("cam__shoot", {}, { req_id: "r1" })
        const call = yield* Effect.forkChild(office.ask(ClientEvent.ToolCall, request), { startImmediately: true })
        while (!existsSync(spoolDirectory) || !readdirSync(spoolDirectory).some((name) => name.endsWith(".tmp"))) {
          yield* Effect.sleep(1)
        }
        yield* office.cancel("r1")
        const { meta } = (yield* Fiber.join(call)) as { meta: Record<string, unknown> }
        assert.deepStrictEqual(meta, { a2c_cancelled: true, a2c_cancel_reason: "agent_requested" })
        assert.strictEqual(yield* computer.inFlight, 0)
        assert.deepStrictEqual(filesIn(spoolDirectory), ["key"])
      }))

    it.live("answers client:get_blob only in revisions that have it", () =>
      Effect.gen(function*() {
        for (
          const [id, known] of [["0.1", false], ["0.2", true], ["0.3", true], ["0.4", true], ["0.5", true]] as const
        ) {
          const office = yield* makeOffice(revisions[id])
          const context = yield* Layer.build(computerIn(office, { servers: {} }, {}, revisions[id]))
          assert.isDefined(Context.get(context, Blobs.Blobs))
          const answer = yield* Effect.exit(office.ask(ClientEvent.GetBlob, envelope({ blob_handle: "x" })))
          const isKnown = Exit.isSuccess(answer) && (answer.value as { code?: number }).code === 4018
          assert.strictEqual(isKnown, known, id)
        }
      }))
  })
})
