import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync
} from "node:fs"
import { basename, dirname, isAbsolute, join } from "node:path"
import { landingName } from "../../src/computer/internal/blobs/landingName.ts"
import * as Uploads from "../../src/computer/Uploads.ts"
import type { PutBlobReq } from "../../src/protocol/Blob.ts"
import * as ClientEvent from "../../src/protocol/ClientEvent.ts"
import { revisions } from "../../src/protocol/Revision.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"
import { build, computerIn, envelope, makeOffice, quiet } from "./support/office.ts"
import { bytesOf, filesIn, modeOf, refusal, sha256Of } from "./support/transfers.ts"

type Service = Uploads.Uploads["Service"]

const STAGING = ".a2c-upload"

const uploads = (options: Uploads.Options) =>
  Effect.map(Layer.build(Uploads.layer(options).pipe(Layer.provide(quiet))), (it) => Context.get(it, Uploads.Uploads))

/** Uploads into a directory that exists. */
const rooted = Effect.fnUntraced(function*(limits: Uploads.Limits = {}) {
  const landingRoot = join(yield* temporaryFolder, "landing")
  return { landingRoot, service: yield* uploads({ ...limits, landingRoot }) }
})

const chunk = (bytes: Buffer, chunk_offset: number, rest: Partial<PutBlobReq> = {}): PutBlobReq => ({
  agent: "A",
  req_id: "1",
  computer: "PC",
  chunk_offset,
  eof: false,
  blob: bytes.toString("base64"),
  ...rest
})

const declared = (bytes: Buffer) => ({ total_size: bytes.length, sha256: sha256Of(bytes) })

const ten = bytesOf(10)

/** Opens an upload of ten bytes with the first four. */
const begun = (service: Service, rest: Partial<PutBlobReq> = {}) =>
  Effect.map(
    service.put(chunk(ten.subarray(0, 4), 0, { ...declared(ten), ...rest })),
    ({ upload_id }) => upload_id!
  )

const rest = (upload_id: string, more: Partial<PutBlobReq> = {}) =>
  chunk(ten.subarray(4), 4, { upload_id, eof: true, ...more })

/** Uploads all of it in chunks of these sizes. */
const upload = Effect.fnUntraced(function*(
  service: Service,
  bytes: Buffer,
  { name, sizes = [bytes.length] }: { readonly name?: string; readonly sizes?: ReadonlyArray<number> } = {}
) {
  let id: string | undefined
  for (let offset = 0, turn = 0;; turn++) {
    const part = bytes.subarray(offset, offset + (sizes[turn] ?? bytes.length))
    const eof = offset + part.length === bytes.length
    const answer = yield* service.put(chunk(part, offset, {
      eof,
      ...(id === undefined
        ? { ...declared(bytes), ...(name === undefined ? {} : { name_hint: name }) }
        : { upload_id: id })
    }))
    if (eof) return answer
    assert.deepStrictEqual<unknown>(answer, { upload_id: answer.upload_id, chunk_offset: offset, req_id: "1" })
    id = answer.upload_id!
    offset += part.length
  }
})

describe("Uploads", () => {
  describe("a file", () => {
    it.effect.prop(
      "lands whole and directly in the landing root, whatever its size, chunks and name",
      [
        Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 2000 })),
        Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 400 }))),
        Schema.String,
        Schema.Array(
          Schema.Literals(["..", "/", "\\", ".", "\0", "C:", "con", "a", "é", "\u202e", " ", "-", "\n", "%2e"])
        )
      ],
      ([length, sizes, text, pieces]) =>
        Effect.gen(function*() {
          const { landingRoot, service } = yield* rooted()
          const bytes = bytesOf(length)
          const name = pieces.join("") + text + pieces.join("")
          const { landing_path, sha256, total_size, upload_id } = yield* upload(service, bytes, { name, sizes })
          assert.isTrue(isAbsolute(landing_path!))
          assert.strictEqual(dirname(landing_path!), landingRoot)
          assert.deepStrictEqual(filesIn(landingRoot), [`${STAGING}/`, basename(landing_path!)].sort())
          assert.isTrue(basename(landing_path!).startsWith(upload_id!))
          assert.isTrue(readFileSync(landing_path!).equals(bytes))
          assert.deepStrictEqual([total_size, sha256], [length, sha256Of(bytes)])
          assert.strictEqual(yield* service.open, 0)
        }).pipe(Effect.scoped),
      { arbitrary: { runs: 80 } }
    )

    it.effect("may be as large as the ceiling, and is readable by its owner only", () =>
      Effect.gen(function*() {
        const { landingRoot, service } = yield* rooted({ ceiling: 5_000_000 })
        const bytes = bytesOf(5_000_000)
        const sizes = Array.from({ length: 20 }, () => 256 * 1024)
        const { landing_path } = yield* upload(service, bytes, { name: "big.bin", sizes })
        assert.isTrue(readFileSync(landing_path!).equals(bytes))
        assert.deepStrictEqual([modeOf(landingRoot), modeOf(landing_path!)], [0o700, 0o600])
        const more = { total_size: 5_000_001, sha256: sha256Of(bytes) }
        const { fields } = yield* refusal(service.put(chunk(ten, 0, more)))
        assert.deepStrictEqual(fields, { reason: "too_large", chunkOffset: 0, totalSize: 5_000_001 })
      }))

    it.effect("takes the hash in capitals, and a last chunk without bytes", () =>
      Effect.gen(function*() {
        const { service } = yield* rooted()
        const { upload_id } = yield* service.put(
          chunk(ten, 0, { total_size: 10, sha256: sha256Of(ten).toUpperCase(), name_hint: null, upload_id: null })
        )
        const last = chunk(Buffer.alloc(0), 10, { upload_id: upload_id!, eof: true, total_size: null })
        assert.strictEqual((yield* service.put(last)).sha256, sha256Of(ten))
      }))
  })

  describe("the name", () => {
    const id = "0".repeat(32)
    it.each([
      ["report (1).pdf", "-report (1).pdf"],
      ["日本語 😀.txt", "-日本語 😀.txt"],
      ["e\u0301.txt", "-\u00e9.txt"],
      ["../../etc/passwd", "-passwd"],
      ["..\\..\\boot.ini", "-boot.ini"],
      ["/", ""],
      ["..", ""],
      ["", ""],
      [null, ""],
      [".bashrc", "-bashrc"],
      ["-rf", "-rf"],
      ["CON", "-CON"],
      ["a:b|c*?<>\"", "-a_b_c_____"],
      ["$(x) `y`;&", "-_(x) _y___"],
      ["a\0b\r\n\tc\u202etxt.exe", "-abctxt.exe"],
      ["\ud800x\udfff", "-x"],
      ["trailing. . .", "-trailing"],
      ["x/..", ""],
      [`${"long".repeat(100)}.tar.gz`, `-${"long".repeat(24)}l.gz`],
      ["é".repeat(200), `-${"é".repeat(50)}`],
      [`a.${"x".repeat(300)}`, `-a.${"x".repeat(98)}`],
      [".".repeat(1_000_000) + "x", "-x"]
    ])("of %j is safe", (hint, expected) => {
      assert.strictEqual(landingName(id, hint), id + expected)
    })

    it.effect.prop("is one safe segment for every hint", [Schema.String], ([hint]) =>
      Effect.sync(() => {
        const name = landingName(id, hint)
        assert.isAtMost(Buffer.byteLength(name), 133)
        assert.strictEqual(basename(name), name)
        assert.notMatch(name, /[/\\:*?"<>|\p{C}]|[. ]$/u)
        assert.isTrue(name.startsWith(id))
      }), { arbitrary: { runs: 500 } })
  })

  describe("a refusal", () => {
    const first = (rest: Partial<PutBlobReq> = {}) => chunk(ten, 0, { ...declared(ten), ...rest })
    const sha256 = sha256Of(ten)
    // what is sent, with which reason it is refused, and whether the upload that it belongs to stays open
    const table: ReadonlyArray<readonly [string, (id: string) => PutBlobReq, string, stays: boolean]> = [
      ["no size", () => chunk(ten, 0, { sha256 }), "invalid_declaration", true],
      ["no hash", () => chunk(ten, 0, { total_size: 10 }), "invalid_declaration", true],
      ["null for both", () => chunk(ten, 0, { total_size: null, sha256: null }), "invalid_declaration", true],
      ["no bytes", () => first({ total_size: 0 }), "invalid_declaration", true],
      ["less than none", () => first({ total_size: -1 }), "invalid_declaration", true],
      ["half a byte", () => first({ total_size: 9.5 }), "invalid_declaration", true],
      ["a size beyond numbers", () => first({ total_size: 1e300 }), "invalid_declaration", true],
      ["a short hash", () => first({ sha256: sha256.slice(1) }), "invalid_declaration", true],
      ["a hash that is none", () => first({ sha256: "g".repeat(64) }), "invalid_declaration", true],
      ["no base64 at first", () => first({ blob: "!" }), "invalid_declaration", true],
      ["more than the ceiling", () => first({ total_size: 101 }), "too_large", true],
      ["a beginning that is none", () => chunk(ten, 1, declared(ten)), "range", true],
      ["a beginning beyond the end", () => first({ total_size: 9 }), "range", true],
      ["an end before the end", () => first({ total_size: 11, eof: true }), "range", true],
      ["an id that nobody has", () => rest("f".repeat(32)), "invalid_upload", true],
      ["a path as id", () => rest("../../x"), "invalid_upload", true],
      ["no id", () => rest(""), "invalid_upload", true],
      ["another agent", (id) => rest(id, { agent: "B" }), "invalid_upload", true],
      ["the size again", (id) => rest(id, { total_size: 10 }), "invalid_declaration", true],
      ["the hash again", (id) => rest(id, { sha256 }), "invalid_declaration", true],
      ["the name again", (id) => rest(id, { name_hint: "x" }), "invalid_declaration", true],
      ["no base64", (id) => rest(id, { blob: "QR==" }), "invalid_declaration", true],
      ["a chunk again", (id) => chunk(ten.subarray(0, 4), 0, { upload_id: id }), "range", true],
      ["a gap", (id) => chunk(ten.subarray(5), 5, { upload_id: id }), "range", true],
      ["half an offset", (id) => chunk(ten.subarray(5), 4.5, { upload_id: id }), "range", true],
      ["more bytes than declared", (id) => chunk(ten, 4, { upload_id: id }), "range", false],
      ["an early end", (id) => chunk(ten.subarray(4, 9), 4, { upload_id: id, eof: true }), "range", false],
      ["other bytes", (id) => rest(id, { blob: bytesOf(6, 9).toString("base64") }), "integrity", false]
    ]
    it.effect.each(table)(
      "of %s names its reason and leaves nothing",
      ([_what, request, reason, stays]) =>
        Effect.gen(function*() {
          const { landingRoot, service } = yield* rooted({ ceiling: 100 })
          const id = yield* begun(service)
          const sent = request(id)
          const refused = yield* refusal(service.put(sent))
          assert.deepStrictEqual([refused._tag, refused.reason], ["BlobWriteFailed", reason])
          assert.strictEqual(refused.fields["chunkOffset"], sent.chunk_offset)
          assert.strictEqual(refused.fields["uploadId"], sent.upload_id ?? undefined)
          assert.strictEqual(refused.fields["totalSize"], sent.total_size ?? undefined)
          assert.deepStrictEqual(
            filesIn(landingRoot),
            stays ? [`${STAGING}/`, `${STAGING}/${id}.part`] : [`${STAGING}/`]
          )
          if (stays) {
            assert.isTrue(readFileSync((yield* service.put(rest(id))).landing_path!).equals(ten))
          } else {
            assert.strictEqual((yield* refusal(service.put(rest(id)))).reason, "invalid_upload")
          }
          assert.strictEqual(yield* service.open, 0)
        })
    )

    it.effect("comes for everything when there is no landing root, after what is wrong with it", () =>
      Effect.gen(function*() {
        const service = yield* uploads({ ceiling: 100 })
        const requests = [
          first(),
          first({ total_size: 101 }),
          first({ total_size: 0 }),
          rest("f".repeat(32))
        ]
        const reasons = yield* Effect.forEach(requests, (request) => refusal(service.put(request)))
        assert.deepStrictEqual(reasons.map(({ reason }) => reason), [
          "forbidden",
          "too_large",
          "invalid_declaration",
          "invalid_upload"
        ])
      }))

    it.effect("is busy beyond the allowed number, and not longer", () =>
      Effect.gen(function*() {
        const { landingRoot, service } = yield* rooted()
        const answers = yield* Effect.forEach(
          Array.from({ length: 20 }),
          () => Effect.result(begun(service)),
          { concurrency: "unbounded" }
        )
        const ids = answers.flatMap((answer) => answer._tag === "Success" ? [answer.success] : [])
        const reasons = answers.flatMap((answer) => answer._tag === "Failure" ? [answer.failure.reason] : [])
        assert.lengthOf(ids, 4)
        assert.isTrue(reasons.every((reason) => (reason as { reason?: string }).reason === "busy"))
        assert.lengthOf(filesIn(join(landingRoot, STAGING)), 4)
        assert.deepStrictEqual(
          (yield* Effect.forEach([first({ total_size: 0 }), first({ total_size: 1e12 })], (request) =>
            refusal(service.put(request)))).map(({ reason }) =>
              reason
            ),
          ["invalid_declaration", "too_large"]
        )
        yield* service.put(rest(ids[0]!))
        yield* begun(service)
        assert.strictEqual((yield* refusal(begun(service))).reason, "busy")
      }))

    const outside: ReadonlyArray<readonly [string, (root: string, elsewhere: string) => void]> = [
      ["its staging directory is a link", (root, elsewhere) => {
        rmSync(join(root, STAGING), { recursive: true })
        symlinkSync(elsewhere, join(root, STAGING))
      }],
      ["its staging directory is a file", (root) => {
        rmSync(join(root, STAGING), { recursive: true })
        writeFileSync(join(root, STAGING), "")
      }],
      ["it is a link", (root, elsewhere) => {
        renameSync(root, `${root}2`)
        symlinkSync(elsewhere, root)
      }],
      ["it is a file", (root) => {
        rmSync(root, { recursive: true })
        writeFileSync(root, "")
      }],
      ["it is gone", (root) => rmSync(root, { recursive: true })]
    ]
    it.effect.each(outside)(
      "comes when the landing root changes so that %s",
      ([_what, change]) =>
        Effect.gen(function*() {
          const { landingRoot, service } = yield* rooted()
          const elsewhere = yield* temporaryFolder
          mkdirSync(join(elsewhere, STAGING))
          const id = yield* begun(service)
          change(landingRoot, elsewhere)
          const last = yield* refusal(service.put(rest(id)))
          assert.strictEqual(last.reason, "io_error")
          const next = yield* refusal(begun(service))
          assert.strictEqual(next.reason, "forbidden")
          assert.strictEqual(yield* service.open, 0)
          assert.deepStrictEqual(filesIn(elsewhere), [`${STAGING}/`])
          assert.notInclude(JSON.stringify([last, next]), landingRoot)
        })
    )
  })

  describe("an upload", () => {
    it.effect("is given up when it is idle too long, and not before", () =>
      Effect.gen(function*() {
        const { landingRoot, service } = yield* rooted()
        const id = yield* begun(service)
        yield* TestClock.adjust("119 seconds")
        yield* service.put(chunk(ten.subarray(4, 6), 4, { upload_id: id }))
        yield* TestClock.adjust("119 seconds")
        assert.deepStrictEqual(filesIn(join(landingRoot, STAGING)), [`${id}.part`])
        yield* TestClock.adjust("1 second")
        while ((yield* service.open) > 0 || readdirSync(join(landingRoot, STAGING)).length > 0) yield* Effect.yieldNow
        assert.strictEqual((yield* refusal(service.put(rest(id)))).reason, "invalid_upload")
      }))

    it.effect("takes one chunk at a time", () =>
      Effect.gen(function*() {
        const { service } = yield* rooted()
        const id = yield* begun(service)
        const part = chunk(ten.subarray(4, 6), 4, { upload_id: id })
        const answers = yield* Effect.forEach([part, part, part], (it) => Effect.result(service.put(it)), {
          concurrency: "unbounded"
        })
        assert.deepStrictEqual(answers.map(({ _tag }) => _tag), ["Success", "Failure", "Failure"])
        yield* service.put(chunk(ten.subarray(6), 6, { upload_id: id, eof: true }))
      }))

    it.live("stays as it was, or goes on, when a chunk is interrupted", () =>
      Effect.gen(function*() {
        const { service } = yield* rooted()
        const bytes = bytesOf(400_000)
        const first = yield* service.put(chunk(bytes.subarray(0, 1000), 0, declared(bytes)))
        const upload_id = first.upload_id!
        let offset = 1000
        for (let turn = 0; offset < bytes.length; turn++) {
          const part = bytes.subarray(offset, offset + 10_000)
          const request = chunk(part, offset, { upload_id, eof: offset + part.length === bytes.length })
          const fiber = yield* Effect.forkChild(service.put(request), { startImmediately: true })
          for (let steps = 0; steps < turn % 7; steps++) yield* Effect.yieldNow
          yield* Fiber.interrupt(fiber)
          if (request.eof) break
          // whoever lost the answer finds out by the offset that is refused
          const again = yield* Effect.result(service.put(chunk(Buffer.alloc(0), offset, { upload_id })))
          if (again._tag === "Failure") offset += part.length
        }
        assert.strictEqual(yield* service.open, 0)
      }))

    it.live("ends with the layer and leaves no file", () =>
      Effect.gen(function*() {
        const landingRoot = yield* temporaryFolder
        const scope = yield* Scope.make()
        const service = yield* Scope.provide(uploads({ landingRoot, concurrent: 50 }), scope)
        yield* Effect.forEach(Array.from({ length: 10 }), () => begun(service))
        const late = yield* Effect.forEach(Array.from({ length: 30 }), () =>
          Effect.forkChild(Effect.exit(begun(service)), { startImmediately: true }))
        assert.isTrue(existsSync(join(landingRoot, STAGING)))
        yield* Scope.close(scope, Exit.void)
        yield* Effect.forEach(late, Fiber.join)
        assert.deepStrictEqual(filesIn(landingRoot), [])
      }))
  })

  describe("the landing root", () => {
    it.live("is tidied of what an earlier run left, and of nothing else", () =>
      Effect.gen(function*() {
        const directory = yield* temporaryFolder
        const landingRoot = join(directory, "landing")
        const staging = join(landingRoot, STAGING)
        mkdirSync(staging, { recursive: true })
        const name = (digit: string) => `${digit.repeat(32)}.part`
        const old = (path: string) => {
          writeFileSync(path, "x")
          utimesSync(path, 1, 1)
        }
        for (const each of [name("a"), "notes.part", `${"a".repeat(31)}.part`]) old(join(staging, each))
        for (const each of [name("b"), "landed.txt"]) old(join(landingRoot, each))
        old(join(directory, "outside"))
        symlinkSync(join(directory, "outside"), join(staging, name("c")))
        mkdirSync(join(staging, name("d")))
        writeFileSync(join(staging, name("e")), "of another Computer that is just writing it")
        const service = yield* uploads({ landingRoot })
        while (existsSync(join(staging, name("a")))) yield* Effect.sleep(1)
        yield* begun(service)
        assert.deepStrictEqual(
          filesIn(directory).filter((file) => !/[0-9a-f]{32}\.part$/.test(file) || /([a-e])\1{31}/.test(file)),
          [
            "landing/",
            `landing/${name("b")}`,
            `landing/${STAGING}/`,
            `landing/${STAGING}/${"a".repeat(31)}.part`,
            `landing/${STAGING}/${name("c")}`,
            `landing/${STAGING}/${name("d")}/`,
            `landing/${STAGING}/${name("e")}`,
            `landing/${STAGING}/notes.part`,
            "landing/landed.txt",
            "outside"
          ].sort()
        )
      }))

    it.effect("is refused at the start when files cannot be put there", () =>
      Effect.gen(function*() {
        const directory = yield* temporaryFolder
        writeFileSync(join(directory, "file"), "")
        mkdirSync(join(directory, "linked"))
        symlinkSync(directory, join(directory, "linked", STAGING))
        const table = [
          ["file", /is not a directory$/],
          ["file/below", /cannot be used \(ENOTDIR\)$/],
          ["no/where", /cannot be created, because .*\/no does not exist$/],
          ["linked", /linked\/\.a2c-upload is not a directory of its own; remove it$/]
        ] as const
        for (const [name, expected] of table) {
          const { reason } = yield* Effect.flip(uploads({ landingRoot: join(directory, name) }))
          assert.strictEqual(reason._tag, "ConfigInvalid")
          assert.match(reason.message, expected)
        }
        assert.strictEqual((yield* Effect.flip(uploads({ landingRoot: "/proc" }))).reason._tag, "ConfigInvalid")
      }))

    it.effect("may be a link itself", () =>
      Effect.gen(function*() {
        const directory = yield* temporaryFolder
        mkdirSync(join(directory, "real"))
        symlinkSync(join(directory, "real"), join(directory, "link"))
        const { landing_path } = yield* upload(yield* uploads({ landingRoot: join(directory, "link") }), ten)
        assert.strictEqual(dirname(landing_path!), join(directory, "real"))
      }))
  })

  describe("in a Computer", () => {
    it.live("lands what an Agent sends, with the answers of the protocol", () =>
      Effect.gen(function*() {
        const landingRoot = join(yield* temporaryFolder, "landing")
        const office = yield* makeOffice()
        yield* build(office, { servers: {} }, { landingRoot, uploads: { ceiling: 1000 } })
        const put = (payload: object): Effect.Effect<unknown> => office.ask(ClientEvent.PutBlob, envelope(payload))
        const part = (from: number, to: number) => ten.subarray(from, to).toString("base64")
        const first = { req_id: "r1", chunk_offset: 0, eof: false, blob: part(0, 4), name_hint: "ten.bin" }
        const { upload_id, ...answer } = (yield* put({ ...first, ...declared(ten) })) as { upload_id: string }
        assert.deepStrictEqual<unknown>(answer, { chunk_offset: 0, req_id: "r1" })
        const last = { req_id: "r2", upload_id, chunk_offset: 4, eof: true, blob: part(4, 10) }
        const landing_path = join(landingRoot, `${upload_id}-ten.bin`)
        assert.deepStrictEqual(yield* put(last), {
          upload_id,
          chunk_offset: 4,
          req_id: "r2",
          landing_path,
          ...declared(ten)
        })
        assert.isTrue(readFileSync(landing_path).equals(ten))
        assert.deepStrictEqual(yield* put(last), {
          code: 4019,
          message: "Blob write failed",
          details: { reason: "invalid_upload", upload_id, chunk_offset: 4 }
        })
        assert.deepStrictEqual(yield* put({ ...first, total_size: 1001, sha256: sha256Of(ten) }), {
          code: 4019,
          message: "1001 bytes were declared; at most 1000 are taken",
          details: { reason: "too_large", chunk_offset: 0, total_size: 1001 }
        })
      }))

    it.live("answers client:put_blob only in revisions that have it", () =>
      Effect.gen(function*() {
        for (const [id, known] of [["0.1", false], ["0.3", false], ["0.4", true], ["0.5", true]] as const) {
          const office = yield* makeOffice(revisions[id])
          yield* Layer.build(computerIn(office, { servers: {} }, {}, revisions[id]))
          const request = envelope({ ...chunk(ten, 0, declared(ten)), computer: "PC" })
          const answer = yield* Effect.exit(office.ask(ClientEvent.PutBlob, request))
          const isKnown = Exit.isSuccess(answer) && (answer.value as { code?: number }).code === 4019
          assert.strictEqual(isKnown, known, id)
        }
      }))
  })
})
