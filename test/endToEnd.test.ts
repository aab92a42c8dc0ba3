import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { randomUUID } from "node:crypto"
import { startServer } from "./cli/support/office.ts"
import {
  configFile,
  errorLine,
  listing,
  marked,
  mcpServerEntry,
  noneMarked,
  smcp,
  startSmcp
} from "./cli/support/smcp.ts"

/** A Server and a Computer whose MCP server hides behind a shell, ignores every polite end, and has a child that does too. */
const stubbornOffice = Effect.gen(function*() {
  const mark = randomUUID()
  const { args, command, env: serverEnv } = mcpServerEntry(
    { ...listing("echo", "never"), stubborn: true, helper: "quiet" },
    mark
  )
  const shell = { command: "sh", args: ["-c", "\"$@\"; true", "sh", command, ...args], env: serverEnv }
  const { env, server } = yield* startServer
  const config = yield* configFile({ stubborn: shell })
  const computer = yield* startSmcp(["computer", "--config", config, "--name", "laptop", "--approve", "all"], env)
  assert.strictEqual(yield* computer.firstLine, "Joined office office as laptop: 1 of 1 MCP servers ready, 2 tools")
  // the shell, the MCP server, its child
  assert.isAtLeast(marked(mark).length, 3)
  const agent = (tool: string, ...more: ReadonlyArray<string>) => [
    ...["agent", "call", "--computer", "laptop", "--tool", `stubborn__${tool}`],
    ...more
  ]
  return { agent, computer, env, mark, server }
})

describe("a Server, a Computer and Agents, each a process of its own", () => {
  it.live("carry a call, and SIGTERM ends the Computer with its MCP server", () =>
    Effect.gen(function*() {
      const { agent, computer, env, mark } = yield* stubbornOffice
      const called = yield* smcp(agent("echo", "--params", "{\"a\":[1,\"ü\"]}"), env)
      assert.deepStrictEqual([called.exitCode, called.stdout], [0, "{\"a\":[1,\"ü\"]}\n"])
      yield* computer.kill("SIGTERM")
      assert.strictEqual((yield* computer.ended).exitCode, 0)
      assert.deepStrictEqual(marked(mark), [])
      const late = yield* smcp(agent("echo"), env)
      assert.match(errorLine(late), /'laptop' not found/)
      assert.strictEqual(late.exitCode, 1)
    }))

  it.live("end a call at once when the Computer is killed, and no MCP server is left", () =>
    Effect.gen(function*() {
      const { agent, computer, env, mark } = yield* stubbornOffice
      const watching = yield* startSmcp(agent("never", "--timeout", "300"), env)
      yield* callUnderWay(env)
      yield* computer.kill("SIGKILL")
      const ended = yield* watching.ended
      assert.match(errorLine(ended), /laptop/)
      assert.strictEqual(ended.exitCode, 1)
      yield* noneMarked(mark)
    }))

  it.live("end a call at once when the Server is killed, and say that it may have run", () =>
    Effect.gen(function*() {
      const { agent, env, server } = yield* stubbornOffice
      const calling = yield* startSmcp(agent("never", "--timeout", "300"), env)
      yield* callUnderWay(env)
      yield* server.kill("SIGKILL")
      const ended = yield* calling.ended
      assert.match(errorLine(ended), /connection was lost.*may have run/)
      assert.strictEqual(ended.exitCode, 1)
    }))
})

/** Waits until the Server counts an Agent, and a moment for its call. */
const callUnderWay = ({ SMCP_URL }: { readonly SMCP_URL: string }) =>
  Effect.gen(function*() {
    const health = Effect.promise(() => fetch(`${SMCP_URL}/health`).then((response) => response.text()))
    while (JSON.parse(yield* health).agents !== 1) yield* Effect.sleep("20 millis")
    yield* Effect.sleep("300 millis")
  }).pipe(Effect.timeout("20 seconds"), Effect.orDie)
