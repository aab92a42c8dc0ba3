import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { childrenOf, eventually, isAlive } from "../computer/support/processes.ts"
import { hasTerminal, type Smcp, startInTerminal, startSmcp } from "./support/smcp.ts"

/** The demo when its slow call is under way, with all processes it has started. */
const underWay = Effect.gen(function*() {
  const demo = yield* startSmcp(["demo"])
  yield* demo.stdoutHas(/computer \| .* progress /)
  const roles = childrenOf(demo.pid)
  const processes = [...roles, ...roles.flatMap(childrenOf)]
  // Server, Computer and Agent, and below the Computer at least the MCP server
  assert.isAtLeast(roles.length, 3)
  assert.isAtLeast(processes.length, 4)
  return { demo, processes }
})

const noneLeft = (processes: ReadonlyArray<number>) =>
  eventually("every process of the demo has ended", () => !processes.some(isAlive))

const interrupted = (interrupt: (demo: Smcp) => Effect.Effect<unknown>) =>
  Effect.gen(function*() {
    const { demo, processes } = yield* underWay
    yield* interrupt(demo)
    const ended = yield* demo.ended
    yield* noneLeft(processes)
    return ended
  })

describe("smcp demo", () => {
  it.live(
    "shows a call, its progress and a cancellation through three processes, and leaves none",
    () =>
      Effect.gen(function*() {
        const { demo, processes } = yield* underWay
        const { exitCode, stderr, stdout } = yield* demo.ended
        assert.deepStrictEqual([exitCode, stderr], [0, ""])
        assert.match(stdout, /TOOL +COMPUTER +DESCRIPTION\n +everything__echo +laptop/)
        assert.include(stdout, "The sum of 17 and 25 is 42.")
        assert.match(stdout, /progress everything__trigger-long-running-operation 3\/3/)
        assert.include(stdout, "Long running operation completed.")
        assert.match(stdout, /Cancelled: the Computer stopped the call and confirmed it after \d+ ms/)
        assert.match(stdout, /with exit code 5: cancelled/)
        assert.notInclude(stdout, "\u001b")
        yield* noneLeft(processes)
      }),
    60_000
  )

  it.live("ends everything on Ctrl-C", () =>
    Effect.gen(function*() {
      const { exitCode } = yield* interrupted((demo) => demo.kill("SIGINT"))
      assert.strictEqual(exitCode, 130)
    }))

  it.live("leaves nothing even when it is killed", () =>
    Effect.gen(function*() {
      const { signal } = yield* interrupted((demo) => demo.kill("SIGKILL"))
      assert.strictEqual(signal, "SIGKILL")
    }))

  it.live("has no colour with NO_COLOR", (context) =>
    Effect.gen(function*() {
      if (!hasTerminal) return context.skip("needs python3 for a terminal")
      const coloured = yield* startInTerminal(["demo"])
      // oxlint-disable-next-line no-control-regex -- what a terminal is told is what this is about
      yield* coloured.stdoutHas(/\u001b\[1m1 {2}A Server/)
      yield* coloured.kill("SIGTERM")
      const plain = yield* startInTerminal(["demo"], { NO_COLOR: "1" })
      yield* plain.stdoutHas(/\n1 {2}A Server/)
    }))
})
