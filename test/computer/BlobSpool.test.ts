import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { temporaryFolder } from "../support/temporaryFolder.ts"
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
  sha256Of,
  source
} from "./support/transfers.ts"

const MINUTE = 60_000

describe("the spool of blobs", () => {
  it.effect("is readable by its owner only, and is not made before it is needed", () =>
    Effect.gen(function*() {
      const spoolDirectory = join(yield* temporaryFolder, "deep", "spool")
      const service = yield* blobs({ spoolDirectory })
      assert.strictEqual((yield* refusal(service.read(ask("x")))).reason, "invalid_handle")
      yield* service.spool({ content: [image(bytesOf(BUDGET))] }, source)
      assert.isFalse(existsSync(spoolDirectory))
      const { sha256 } = yield* keep(service, bytesOf(BUDGET + 1))
      assert.deepStrictEqual(filesIn(spoolDirectory), [sha256, "key"].sort())
      assert.deepStrictEqual(
        ["", "key", sha256].map((name) => modeOf(join(spoolDirectory, name))),
        [0o700, 0o600, 0o600]
      )
    }))

  it.effect("is temporary by default, and ends with the layer", () =>
    Effect.gen(function*() {
      const directory = yield* temporaryFolder
      const before = process.env["TMPDIR"]
      process.env["TMPDIR"] = directory
      yield* Effect.addFinalizer(() =>
        Effect.sync(() => {
          if (before === undefined) delete process.env["TMPDIR"]
          else process.env["TMPDIR"] = before
        })
      )
      const { close, service } = yield* closeable({})
      assert.deepStrictEqual(filesIn(directory), [])
      const { handle } = yield* keep(service, bytesOf(BUDGET + 1))
      const [spool] = readdirSync(directory)
      assert.strictEqual(modeOf(join(directory, spool!)), 0o700)
      rmSync(join(directory, spool!), { recursive: true })
      assert.strictEqual((yield* refusal(service.read(ask(handle)))).reason, "gone")
      yield* drain(service, (yield* keep(service, bytesOf(BUDGET + 2))).handle)
      yield* close
      assert.deepStrictEqual(filesIn(directory), [])
    }))

  it.effect("collects what is too old, then the oldest, at the start and whenever something comes", () =>
    Effect.gen(function*() {
      const spoolDirectory = yield* temporaryFolder
      const options = { spoolDirectory, inlineBudget: 0, spoolVolume: 1000, spoolAge: 10 * MINUTE }
      yield* TestClock.setTime(1e12)
      const first = yield* closeable(options)
      const one = yield* keep(first.service, bytesOf(400, 1))
      yield* TestClock.adjust(MINUTE)
      const two = yield* keep(first.service, bytesOf(400, 2))
      yield* TestClock.adjust(MINUTE)
      // seen again, so that `two` is the oldest
      yield* keep(first.service, bytesOf(400, 1))
      assert.sameMembers([...blobFiles(spoolDirectory)], [one.sha256, two.sha256])
      const three = yield* keep(first.service, bytesOf(600, 3))
      assert.sameMembers([...blobFiles(spoolDirectory)], [one.sha256, three.sha256])
      assert.strictEqual((yield* refusal(first.service.read(ask(two.handle)))).reason, "gone")
      yield* first.close

      yield* TestClock.adjust(11 * MINUTE)
      const second = yield* closeable(options)
      assert.deepStrictEqual(blobFiles(spoolDirectory), [])
      const four = yield* keep(second.service, bytesOf(100, 4))
      yield* TestClock.adjust(11 * MINUTE)
      const five = yield* keep(second.service, bytesOf(100, 5))
      assert.deepStrictEqual(blobFiles(spoolDirectory), [five.sha256])
      assert.strictEqual((yield* refusal(second.service.read(ask(four.handle)))).reason, "gone")
      yield* second.close

      // less is allowed than lies there
      yield* TestClock.adjust(MINUTE)
      yield* keep(yield* blobs(options), bytesOf(800, 6))
      yield* blobs({ ...options, spoolVolume: 850 })
      assert.deepStrictEqual(blobFiles(spoolDirectory), [sha256Of(bytesOf(800, 6))])
    }))

  it.live("touches nothing that is not its own, and follows no link", () =>
    Effect.gen(function*() {
      const directory = yield* temporaryFolder
      const spoolDirectory = join(directory, "spool")
      const outside = join(directory, "outside")
      mkdirSync(spoolDirectory)
      mkdirSync(outside)
      const hash = (digit: string) => digit.repeat(64)
      const part = `${"0".repeat(8)}-0000-0000-0000-${"0".repeat(12)}.tmp`
      const put = (path: string) => {
        writeFileSync(path, "x".repeat(100))
        utimesSync(path, 1, 1)
      }
      for (const name of [hash("a"), "notes.txt", "b".repeat(63), part]) put(join(spoolDirectory, name))
      for (const name of ["file", hash("d")]) put(join(outside, name))
      symlinkSync(join(outside, "file"), join(spoolDirectory, hash("c")))
      symlinkSync(outside, join(spoolDirectory, hash("e")))
      mkdirSync(join(spoolDirectory, hash("f")))
      const fresh = part.replace("0", "1")
      writeFileSync(join(spoolDirectory, fresh), "being written by another")
      const service = yield* blobs({ spoolDirectory, spoolAge: 1000, spoolVolume: 100_000 })
      yield* keep(service, bytesOf(BUDGET + 1))
      assert.deepStrictEqual(
        filesIn(spoolDirectory),
        [
          "b".repeat(63),
          fresh,
          hash("c"),
          hash("e"),
          `${hash("f")}/`,
          "key",
          "notes.txt",
          sha256Of(bytesOf(BUDGET + 1))
        ].sort()
      )
      assert.deepStrictEqual(filesIn(outside), [hash("d"), "file"])
    }))

  it.live("keeps many at a time within its volume, and every one that it keeps whole", () =>
    Effect.gen(function*() {
      const spoolDirectory = yield* temporaryFolder
      const spoolVolume = 3_000_000
      const service = yield* blobs({ spoolDirectory, spoolVolume })
      let most = 0
      const results = yield* Effect.forEach(
        Array.from({ length: 60 }, (_, index) => bytesOf(100_000 + index % 20, index % 20)),
        (bytes) =>
          keep(service, bytes).pipe(
            Effect.tap(() =>
              Effect.sync(() => {
                const sizes = readdirSync(spoolDirectory).map((name) =>
                  statSync(join(spoolDirectory, name), { throwIfNoEntry: false })?.size ?? 0
                )
                most = Math.max(most, sizes.reduce((sum, size) => sum + size, 0))
              })
            ),
            Effect.map(({ handle }) => ({ handle, bytes }))
          ),
        { concurrency: 12 }
      )
      assert.isAtMost(most, spoolVolume + 12 * 100_019)
      assert.lengthOf(blobFiles(spoolDirectory), 20)
      for (const { bytes, handle } of results) {
        assert.isTrue((yield* drain(service, handle)).bytes.equals(bytes))
      }
    }))

  it.live("refuses what only fits when others, being written, are gone", () =>
    Effect.gen(function*() {
      const spoolDirectory = yield* temporaryFolder
      const service = yield* blobs({ spoolDirectory, spoolVolume: 250_000 })
      const results = yield* Effect.forEach(
        [1, 2, 3, 4],
        (seed) => service.spool({ content: [image(bytesOf(100_000, seed))] }, source),
        { concurrency: "unbounded" }
      )
      assert.lengthOf(results.filter(({ isError }) => isError === true), 2)
      assert.lengthOf(blobFiles(spoolDirectory), 2)
      yield* keep(service, bytesOf(100_000, 5))
      assert.lengthOf(blobFiles(spoolDirectory), 2)
    }))
})
