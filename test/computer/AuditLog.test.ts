import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Logger, Schema, Scope } from "effect"
import { spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync
} from "node:fs"
import { join } from "node:path"
import * as AuditLog from "../../src/computer/AuditLog.ts"
import type { CallRecord } from "../../src/computer/CallRecord.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"
import { eventually } from "./support/processes.ts"

const record = (rest: Partial<CallRecord> = {}): CallRecord => ({
  time: Date.UTC(2026, 0, 2, 3, 4, 5, 6),
  requestId: "r1",
  agent: "A",
  server: "files",
  tool: "write",
  exposedName: "files__write",
  args: { b: [1, { d: "t0ps3cret", c: null }], a: "x" },
  inputSchema: undefined,
  outcome: "ok",
  error: "never written",
  decidedBy: "person",
  durationMillis: 12.6,
  ...rest
})

/** An audit log, and what ends it. */
const open = Effect.fnUntraced(function*(path: string) {
  const logged: Array<string> = []
  const scope = yield* Scope.make()
  const layer = AuditLog.layerFile({ path })
  const log = Logger.layer([Logger.map(Logger.formatSimple, (line) => void logged.push(line))])
  const { write } = Context.get(yield* Layer.buildWithScope(Layer.provideMerge(layer, log), scope), AuditLog.AuditLog)
  return {
    write: (rest?: Partial<CallRecord>) => Effect.provide(write(record(rest)), log),
    close: Scope.close(scope, Exit.void),
    logged
  }
})

const linesOf = (path: string): ReadonlyArray<Record<string, unknown>> =>
  readFileSync(path, "utf8").split("\n").filter((line) => line !== "").map((line) => JSON.parse(line))

const idsOf = (path: string) => linesOf(path).map((line) => line["request_id"])

const has = (path: string, lines: number) => () => {
  try {
    return linesOf(path).length === lines
  } catch {
    return false
  }
}

/** The files that this process has open. */
const openFiles = (folder: string): number =>
  readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(folder)
    } catch {
      return false
    }
  }).length

describe("AuditLog", () => {
  it.live("writes a line a call, for its owner only, without arguments", () =>
    Effect.gen(function*() {
      const path = join(yield* temporaryFolder, "audit.jsonl")
      const { close, write } = yield* open(path)
      yield* write()
      yield* write({ server: undefined, decidedBy: undefined, outcome: "failed", requestId: `${"r".repeat(300)}\n{}` })
      yield* close
      const canonical = "{\"a\":\"x\",\"b\":[1,{\"c\":null,\"d\":\"t0ps3cret\"}]}"
      const first = {
        time: "2026-01-02T03:04:05.006Z",
        request_id: "r1",
        agent: "A",
        server: "files",
        tool: "write",
        name: "files__write",
        outcome: "ok",
        decided_by: "person",
        duration_ms: 13,
        arguments_sha256: createHash("sha256").update(canonical).digest("hex")
      }
      assert.deepStrictEqual(linesOf(path), [
        first,
        { ...first, server: null, decided_by: null, outcome: "failed", request_id: `${"r".repeat(256)}…` }
      ])
      assert.strictEqual(statSync(path).mode & 0o777, 0o600)
      for (const absent of ["t0ps3cret", "never written"]) assert.notInclude(readFileSync(path, "utf8"), absent)
      assert.strictEqual(openFiles(join(path, "..")), 0)
    }))

  it.effect.prop(
    "gives the arguments the same hash whatever the order of their keys",
    [Schema.Record(
      Schema.String,
      Schema.Union([Schema.Finite, Schema.String, Schema.Record(Schema.String, Schema.String)])
    )],
    ([args]) =>
      Effect.gen(function*() {
        const path = join(yield* temporaryFolder, "audit.jsonl")
        const { close, write } = yield* open(path)
        yield* write({ args })
        yield* write({ args: Object.fromEntries(Object.entries(args).toReversed()) })
        yield* close
        const [one, two] = linesOf(path)
        return one!["arguments_sha256"] === two!["arguments_sha256"]
      }).pipe(Effect.scoped),
    { arbitrary: { runs: 30 } }
  )

  it.live("appends, in order, and all of it before it ends", () =>
    Effect.gen(function*() {
      const path = join(yield* temporaryFolder, "audit.jsonl")
      writeFileSync(path, "{\"request_id\":\"before\"}\n")
      const ids = Array.from({ length: 3000 }, (_, index) => String(index))
      const { close, write } = yield* open(path)
      yield* Effect.forEach(ids, (requestId) => write({ requestId }), { concurrency: "unbounded" })
      yield* close
      assert.deepStrictEqual(idsOf(path), ["before", ...ids])
    }))

  it.live("goes on in a new file when the old one was moved away or removed", () =>
    Effect.gen(function*() {
      const folder = yield* temporaryFolder
      const path = join(folder, "audit.jsonl")
      const { close, logged, write } = yield* open(path)
      yield* write({ requestId: "1" })
      yield* eventually("the first line is there", has(path, 1))
      renameSync(path, `${path}.1`)
      yield* write({ requestId: "2" })
      yield* eventually("the second line is there", has(path, 1))
      rmSync(path)
      yield* write({ requestId: "3" })
      yield* close
      assert.deepStrictEqual([idsOf(`${path}.1`), idsOf(path)], [["1"], ["3"]])
      assert.deepStrictEqual(logged, [])
      assert.strictEqual(openFiles(folder), 0)
    }))

  it.live("says once that it cannot be written, fails no call, and catches up", () =>
    Effect.gen(function*() {
      const folder = join(yield* temporaryFolder, "later")
      const path = join(folder, "audit.jsonl")
      const { close, logged, write } = yield* open(path)
      yield* eventually("it has said so", () => logged.length === 1)
      assert.match(logged[0]!, /WARN.*The audit log cannot be written/)
      yield* write({ requestId: "1" })
      yield* write({ requestId: "2" })
      mkdirSync(folder)
      yield* eventually("both lines are there", has(path, 2))
      yield* write({ requestId: "3" })
      yield* close
      assert.deepStrictEqual(idsOf(path), ["1", "2", "3"])
      assert.strictEqual(logged.length, 2)
      assert.match(logged[1]!, /The audit log is written again"$/)
    }))

  it.live("does not wait for somebody to read a pipe", () =>
    Effect.gen(function*() {
      const path = join(yield* temporaryFolder, "pipe")
      assert.strictEqual(spawnSync("mkfifo", [path]).status, 0)
      const { close, logged, write } = yield* open(path)
      yield* write()
      yield* close
      assert.match(logged.at(-1)!, /lacks its last lines, 1 of them/)
    }))

  it.live("ends where nothing can be written, and says that lines are missing", () =>
    Effect.gen(function*() {
      const { close, logged, write } = yield* open(join(yield* temporaryFolder, "nowhere", "audit.jsonl"))
      for (let index = 0; index < 10_050; index++) yield* write()
      yield* close
      assert.strictEqual(logged.length, 2)
      assert.match(logged[1]!, /lacks its last lines, 10050 of them/)
    }))
})
