/**
 * A thread that runs scripts on results. One script at a time, each for no longer than its budget: a thread that does not
 * come back is ended, and the next script gets another one. The thread is started by the first script and knows neither
 * files nor the environment of this program.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { Worker } from "node:worker_threads"
import { messageOf } from "../../../protocol/Thrown.ts"

/** A script could not be run to its end; the message says why. */
export class TransformError extends Schema.TaggedError<TransformError>("smcp/computer/TransformError")(
  "TransformError",
  { message: Schema.String }
) {}

export interface TransformThreadOptions {
  /** The file of the engine. */
  readonly module: string
  /**
   * JavaScript that makes of `module`, the engine as it is loaded, an object `{ check(script), run(script, event) }`:
   * `check` returns what is wrong, or null; `run` returns or promises what becomes of the event.
   */
  readonly glue: string
  /** How long a script may run, in milliseconds. */
  readonly budget: number
}

export interface TransformThread {
  readonly check: (script: string) => Effect.Effect<unknown, TransformError>
  /** What becomes of the event, as JSON. */
  readonly run: (script: string, event: Readonly<Record<string, unknown>>) => Effect.Effect<string, TransformError>
}

const LOAD_MILLIS = 30_000
const CHECK_MILLIS = 10_000

/** Nothing runs before the first request; all is ended with the scope. */
export const makeTransformThread = Effect.fnUntraced(
  function*(options: TransformThreadOptions): Effect.fn.Return<TransformThread, never, Scope.Scope> {
    const scope = yield* Effect.scope
    const turn = yield* Semaphore.make(1)
    let thread: Thread | undefined
    const drop = Effect.suspend(() => {
      const ended = thread
      thread = undefined
      return ended === undefined ? Effect.void : Effect.promise(() => ended.end())
    })
    yield* Scope.addFinalizer(scope, drop)

    const answer = (request: Request, millis: number): Effect.Effect<unknown, TransformError> =>
      Effect.gen(function*() {
        if (thread?.isUsable !== true) {
          yield* drop
          thread = new Thread(options)
          yield* within(thread.loaded, LOAD_MILLIS, "could not be loaded in time")
        }
        return yield* within(thread.ask(request), millis, `took longer than ${millis / 1000} s and was ended`)
      }).pipe(
        Effect.tapError(() => thread?.isUsable === true && !thread.isBusy ? Effect.void : drop)
      )

    /** Whoever asks may leave: what runs then is left to its budget, what waits is not begun. */
    const ask = (request: Request, millis: number): Effect.Effect<unknown, TransformError> =>
      Effect.suspend(() => {
        let wanted = true
        const job = turn.withPermit(Effect.suspend(() => wanted ? answer(request, millis) : Effect.void))
        return Effect.flatMap(Effect.forkIn(job, scope, { startImmediately: true }), (fiber) =>
          Effect.onInterrupt(Fiber.join(fiber), () =>
            Effect.sync(() => {
              wanted = false
            })))
      })

    return {
      check: (script) => ask({ operation: "check", script }, CHECK_MILLIS),
      run: (script, event) =>
        Effect.map(ask({ operation: "run", script, event: JSON.stringify(event) }, options.budget), String)
    }
  }
)

const within = <A>(self: Effect.Effect<A, TransformError>, duration: number, why: string) =>
  Effect.timeoutOrElse(self, { duration, orElse: () => Effect.fail(new TransformError({ message: `it ${why}` })) })

// -----------------------------------------------------------------------------
// One thread
// -----------------------------------------------------------------------------

type Request =
  | { readonly operation: "check"; readonly script: string }
  | { readonly operation: "run"; readonly script: string; readonly event: string }

type Reply =
  | { readonly loaded: true }
  | { readonly value: unknown }
  | { readonly error: string; readonly isBroken?: boolean }

type Settle = (reply: Reply) => void

class Thread {
  private readonly worker: Worker
  private settle: Settle | undefined
  private early: Reply | undefined
  private lost: string | undefined

  constructor({ glue, module }: TransformThreadOptions) {
    this.worker = new Worker(program(glue), {
      eval: true,
      workerData: { module },
      env: {},
      execArgv: [],
      stdout: true,
      stderr: true
      // no limit of memory: a thread that runs into one can take the process with it, and its time is up before
    })
    // what it writes is nobody's output
    this.worker.stdout.resume()
    this.worker.stderr.resume()
    this.worker.on("message", (reply: Reply) => this.receive(reply))
    this.worker.on("error", (error) => this.lose(messageOf(error)))
    this.worker.on("exit", () => this.lose("the thread has ended"))
  }

  get isUsable(): boolean {
    return this.lost === undefined
  }

  /** It has not answered what it was asked. */
  get isBusy(): boolean {
    return this.settle !== undefined
  }

  readonly loaded: Effect.Effect<unknown, TransformError> = this.reply(() => {})

  ask(request: Request): Effect.Effect<unknown, TransformError> {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
    return this.reply(() => this.worker.postMessage(request))
  }

  async end(): Promise<void> {
    this.lose("it was stopped")
    await this.worker.terminate()
  }

  /** While nobody waits for it, the thread does not keep the program running. */
  private reply(send: () => void): Effect.Effect<unknown, TransformError> {
    return Effect.callback<unknown, TransformError>((resume) => {
      const settle: Settle = (reply) =>
        resume(
          "error" in reply ? Effect.fail(new TransformError({ message: reply.error })) : Effect.succeed(
            "value" in reply ? reply.value : undefined
          )
        )
      const early: Reply | undefined = this.early ?? (this.lost === undefined ? undefined : { error: this.lost })
      this.early = undefined
      if (early !== undefined) return settle(early)
      this.settle = settle
      this.worker.ref()
      send()
    })
  }

  private receive(reply: Reply): void {
    const { settle } = this
    this.settle = undefined
    if ("error" in reply && reply.isBroken === true) this.lost ??= reply.error
    this.worker.unref()
    if (settle === undefined) this.early = reply
    else settle(reply)
  }

  private lose(why: string): void {
    if (this.lost !== undefined) return
    this.lost = why
    this.receive({ error: why })
  }
}

/**
 * A text and not a file, so that it is there however this program is packed. Nothing of the place it runs at is for
 * scripts; theirs is UTC.
 */
const program = (glue: string): string =>
  `"use strict"
const { parentPort, workerData } = require("node:worker_threads")
Date.prototype.getTimezoneOffset = () => 0
const engine = ((module) => { ${glue} })(require(workerData.module))
const messageOf = (error) =>
  error !== null && typeof error === "object" && typeof error.message === "string" ? error.message : String(error)
parentPort.on("message", async ({ event, operation, script }) => {
  try {
    const value = operation === "check"
      ? engine.check(script)
      : JSON.stringify(await engine.run(script, JSON.parse(event))) ?? "null"
    parentPort.postMessage({ value })
  } catch (error) {
    // an engine that has broken down cannot be trusted with the next script
    parentPort.postMessage({ error: messageOf(error), isBroken: error instanceof WebAssembly.RuntimeError })
  }
})
parentPort.postMessage({ loaded: true })
`
