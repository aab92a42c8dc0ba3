/**
 * An Agent in a process of its own that makes many calls and tells what each got.
 */
import { Deferred, Effect, type Scope } from "effect"
import { spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { builtFolder } from "../../cli/support/build.ts"
import { cleanEnvironment } from "../../cli/support/smcp.ts"
import { until } from "./waiting.ts"

/** One call of the tool `work`, see `ledgerMcpServer.mjs`. */
export interface Work {
  readonly computer: string
  readonly tool: string
  readonly params: { readonly id: string; readonly millis: number; readonly gate: string; readonly length: number }
  /** Seconds, for `JSON`. */
  readonly timeout: string
}

/** What a caller got. */
export interface Outcome {
  readonly id: string
  readonly reqId: string
  /** The tag of a `ToolOutcome`, or of the reason of an `SmcpError`. */
  readonly got: string
  /** Of a lost connection. */
  readonly outcome?: string
  readonly text: string
  /** Characters of the whole text. */
  readonly length?: number
  /** Milliseconds since 1970. */
  readonly startedAt: number
  readonly endedAt: number
}

export interface AgentProcess {
  readonly pid: number
  /** Starts calls, all at once or so many at a time. */
  readonly start: (calls: ReadonlyArray<Work>, concurrency?: number) => Effect.Effect<void>
  /** Waits until each of these calls has an outcome. */
  readonly outcomesOf: (calls: ReadonlyArray<Work>) => Effect.Effect<ReadonlyArray<Outcome>>
  readonly outcomes: () => ReadonlyArray<Outcome>
  readonly started: () => ReadonlyArray<Work>
  /** The names of the Computers in the office; `undefined` when the Agent is not told. */
  readonly computers: Effect.Effect<ReadonlyArray<string> | undefined>
  /** The states of its membership, in their order. */
  readonly states: () => ReadonlyArray<string>
  /** Lets it leave; gives the exit code. */
  readonly leave: Effect.Effect<number | null>
}

type Message =
  | { readonly event: "joined" }
  | { readonly event: "state"; readonly state: string }
  | ({ readonly event: "outcome" } & Outcome)
  | { readonly event: "computers"; readonly id: string; readonly names?: ReadonlyArray<string> }

const script = fileURLToPath(new URL("agentProcess.mjs", import.meta.url))

/** Starts an Agent; ends when it sits in its office. It is killed with the scope. */
export const start = Effect.fnUntraced(function*(
  settings: { readonly url: string; readonly office: string; readonly name: string },
  env: Readonly<Record<string, string>>
): Effect.fn.Return<AgentProcess, never, Scope.Scope> {
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn(process.execPath, [script, builtFolder, JSON.stringify(settings)], {
        env: { ...cleanEnvironment(), ...env },
        stdio: "pipe"
      })
    ),
    (child) => Effect.sync(() => void child.kill("SIGKILL"))
  )
  const outcomes: Array<Outcome> = []
  const states: Array<string> = []
  const answers = new Map<string, ReadonlyArray<string> | undefined>()
  const started: Array<Work> = []
  const exitCode = yield* Deferred.make<number | null>()
  let joined = false
  let ended = false
  let stderr = ""
  child.stdin.on("error", () => {})
  child.stderr.setEncoding("utf8").on("data", (text) => stderr += text)
  child.on("close", (code) => {
    ended = true
    Deferred.doneUnsafe(exitCode, Effect.succeed(code))
  })
  createInterface({ input: child.stdout }).on("line", (line) => {
    const message = JSON.parse(line) as Message
    if (message.event === "joined") joined = true
    else if (message.event === "state") states.push(message.state)
    else if (message.event === "computers") answers.set(message.id, message.names)
    else outcomes.push(message)
  })
  const alive = (what: string, condition: () => boolean) =>
    until(what, () => {
      if (condition()) return true
      if (ended) throw new Error(`The Agent ended too early, before ${what}: ${stderr}`)
      return false
    })
  const say = (message: object) => Effect.sync(() => void child.stdin.write(JSON.stringify(message) + "\n"))
  let questions = 0
  yield* alive("the Agent joins", () => joined)
  return {
    pid: child.pid!,
    start: (calls, concurrency) =>
      Effect.suspend(() => {
        started.push(...calls)
        return say({ command: "calls", calls, concurrency: concurrency ?? "unbounded" })
      }),
    outcomesOf: (calls) => {
      const ids = new Set(calls.map(({ params }) => params.id))
      const found = () => outcomes.filter(({ id }) => ids.has(id))
      return Effect.map(alive(`${ids.size} calls end`, () => found().length >= ids.size), found)
    },
    outcomes: () => outcomes,
    started: () => started,
    computers: Effect.gen(function*() {
      const id = `${questions++}`
      yield* say({ command: "computers", id })
      yield* alive("the office is listed", () => answers.has(id))
      return answers.get(id)
    }),
    states: () => states,
    leave: Effect.andThen(
      Effect.sync(() => void child.stdin.end()),
      Effect.timeoutOrElse(Deferred.await(exitCode), {
        duration: "60 seconds",
        orElse: () => Effect.die(new Error(`The Agent does not end: ${stderr}`))
      })
    )
  }
})
