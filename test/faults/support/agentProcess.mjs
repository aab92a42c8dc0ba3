// An Agent as a process of its own, over the public API of a build.
//   node agentProcess.mjs <dist folder> <JSON: url, office, name>
// It reads commands from stdin and writes to stdout, one JSON value a line; when stdin ends it leaves.
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { pathToFileURL } from "node:url"

const [dist, settings] = process.argv.slice(2)
const { Agent, ToolOutcome } = await import(pathToFileURL(join(dist, "agent", "index.js")).href)

const say = (message) => process.stdout.write(JSON.stringify(message) + "\n")

/** What a caller got, in plain data. */
const told = (exit) => {
  if (Exit.isSuccess(exit)) {
    const text = ToolOutcome.text(exit.value)
    return { got: exit.value._tag, text: text.slice(0, 200), length: text.length }
  }
  const error = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
  if (error?._tag !== "SmcpError") return { got: "Defect", text: Cause.pretty(exit.cause) }
  const { reason } = error
  return { got: reason._tag, outcome: reason.outcome, text: error.message }
}

const calling = (agent) => (call) =>
  Effect.suspend(() => {
    const running = agent.prepareCall(call)
    const startedAt = Date.now()
    return Effect.map(Effect.exit(running.outcome), (exit) => {
      say({ event: "outcome", id: call.params.id, reqId: running.reqId, startedAt, endedAt: Date.now(), ...told(exit) })
    })
  })

const commands = (agent) => ({
  /** Calls tools, so many at a time. */
  calls: ({ calls, concurrency }) => Effect.forEach(calls, calling(agent), { concurrency, discard: true }),
  /** Who sits in the office? */
  computers: ({ id }) =>
    Effect.map(Effect.exit(agent.computers), (exit) => {
      const names = Exit.isSuccess(exit) ? exit.value.map(({ name }) => name) : undefined
      say({ event: "computers", id, names })
    })
})

const program = Effect.gen(function*() {
  const agent = yield* Agent.Agent
  const run = Effect.runForkWith(yield* Effect.context())
  const known = commands(agent)
  yield* Effect.forkScoped(
    Stream.runForEach(agent.stateChanges, ({ _tag }) => Effect.sync(() => say({ event: "state", state: _tag })))
  )
  say({ event: "joined" })
  yield* Effect.callback((resume) => {
    createInterface({ input: process.stdin })
      .on("line", (line) => {
        const command = JSON.parse(line)
        run(known[command.command](command))
      })
      .on("close", () => resume(Effect.void))
  })
})

const logsToStderr = Logger.layer([Logger.withConsoleError(Logger.formatSimple)])

// nothing else keeps the process: what is left open after this shows as a process that does not end
await Effect.runPromise(
  program.pipe(Effect.scoped, Effect.provide(Agent.layer(JSON.parse(settings))), Effect.provide(logsToStderr))
)
