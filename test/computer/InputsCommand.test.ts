import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Inputs from "../../src/computer/Inputs.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"
import { inputs, renderedEnv, valuesOf } from "./support/inputs.ts"
import { childrenOf, eventually, isAlive } from "./support/processes.ts"

const output = (command: string, args?: Readonly<Record<string, string>>): Inputs.InputDefinition => ({
  id: "out",
  type: "command",
  command,
  args: args ?? null
})

const environment = { ...process.env, MY_TOKEN: "t0ken-123", PLAIN: "plain-text" }

const run = (definition: Inputs.InputDefinition, options: Inputs.Options = {}) =>
  valuesOf("out").pipe(Effect.provide(inputs({ inputs: [definition], environment, ...options })))

describe.skipIf(process.platform === "win32")("Inputs: commands", () => {
  it.live("gives what the command prints, without white space around it", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* run(output("printf '\\n  two\\nlines \\n\\n'; echo noise >&2")), ["two\nlines"])
      assert.deepStrictEqual(yield* run(output("echo \"$PLAIN\" | tr a-z A-Z")), ["PLAIN-TEXT"])
    }))

  it.live("gives the values of args in the order of their keys, each as one word and never as shell", () =>
    Effect.gen(function*() {
      const args = { b: "$(exit 1); `x` \"q\" 'r' *", a: "first one", c: "${PLAIN}" }
      assert.deepStrictEqual(yield* run(output("printf '<%s>'", args)), [
        "<first one><$(exit 1); `x` \"q\" 'r' *><plain-text>"
      ])
    }))

  it.live("says the exit code and the last stderr lines, without secrets and without what it printed", () =>
    Effect.gen(function*() {
      const script = "echo printed-secret; for i in 1 2 3 4 5 6 7; do echo line $i >&2; done; " +
        "echo \"$MY_TOKEN $1 $PLAIN\" >&2; exit 3 #"
      const error = yield* Effect.flip(run(output(script, { x: "arg-secret" })))
      assert.strictEqual(error.reason, "command")
      assert.strictEqual(
        error.message,
        "${input:out} in env.out: The command behind the input \"out\" ended with exit code 3; its last stderr lines:\n" +
          "  line 4\n  line 5\n  line 6\n  line 7\n  *** *** plain-text"
      )
      assert.include((yield* Effect.flip(run(output("kill -KILL $$")))).message, "was ended by SIGKILL")
      assert.include((yield* Effect.flip(run(output("nosuchcommand-a2c")))).message, "exit code 127")
    }))

  it.live("ends a command that takes too long or prints too much, with all that it started", () =>
    Effect.gen(function*() {
      const folder = yield* temporaryFolder
      const pidFile = join(folder, "pid")
      const stubborn = `(trap '' TERM; echo $BASHPID; exec sleep 1000) & echo $! > ${pidFile}; wait`
      const slow = yield* Effect.flip(run(output(stubborn), { commandTimeout: "300 millis" }))
      assert.include(slow.message, "did not end within 0.3 s and was ended")
      assert.isFalse(isAlive(Number(readFileSync(pidFile, "utf8"))))
      const endless = yield* Effect.flip(run(output(`echo $$ > ${pidFile}; yes`)))
      assert.include(endless.message, "printed more than 65536 bytes")
      assert.isFalse(isAlive(Number(readFileSync(pidFile, "utf8"))))
    }))

  it.live("does not wait for what a command leaves behind, and ends it", () =>
    Effect.gen(function*() {
      const pidFile = join(yield* temporaryFolder, "pid")
      assert.deepStrictEqual(yield* run(output(`sleep 1000 & echo $! > ${pidFile}; echo done`)), ["done"])
      assert.isFalse(isAlive(Number(readFileSync(pidFile, "utf8"))))
    }))

  it.live("ends a command that nobody waits for any more", () =>
    Effect.gen(function*() {
      const pidFile = join(yield* temporaryFolder, "pid")
      const running = yield* Effect.forkChild(run(output(`echo $$ > ${pidFile}; exec sleep 1000`)))
      yield* eventually("the command runs", () => existsSync(pidFile) && readFileSync(pidFile, "utf8") !== "")
      yield* Fiber.interrupt(running)
      assert.isFalse(isAlive(Number(readFileSync(pidFile, "utf8"))))
      yield* eventually("no child is left", () => childrenOf(process.pid).length === 0)
    }))

  it.live("runs once for what many need, and again when it was cleared", () =>
    Effect.gen(function*() {
      const log = join(yield* temporaryFolder, "log")
      writeFileSync(log, "")
      const runs = () => readFileSync(log, "utf8").length
      yield* Effect.gen(function*() {
        const { values } = yield* Inputs.Inputs
        const all = yield* Effect.all(Array.from({ length: 10 }, () => renderedEnv({ A: "${input:out}" })), {
          concurrency: "unbounded"
        })
        assert.deepStrictEqual(all, Array.from({ length: 10 }, () => ({ A: "out" })))
        assert.strictEqual(runs(), 1)
        yield* renderedEnv({ A: "${input:out}" })
        assert.strictEqual(runs(), 1)
        yield* values.clear("out")
        yield* renderedEnv({ A: "${input:out}" })
        assert.strictEqual(runs(), 2)
      }).pipe(Effect.provide(inputs({ inputs: [output(`printf x >> ${log}; echo out`)], environment })))
    }))
})
