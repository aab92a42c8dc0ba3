/**
 * One configured server: what `supervision` says it does, and the doing of it.
 */
import * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { canonicalJson } from "../../../protocol/Json.ts"
import type { InputError, Rendered } from "../../Inputs.ts"
import type { McpClient, ToolList } from "../../McpClient.ts"
import { Handshake, McpError } from "../../McpError.ts"
import type { Health, Inspection, ServerState } from "../../McpManager.ts"
import type { ServerEntry } from "../../ServerEntry.ts"
import { seenByServer } from "./entryChange.ts"
import { type Connection, openConnection, refreshTools, watchHealth, watchUse } from "./serverConnection.ts"
import { makeLastWords } from "./serverLastWords.ts"
import { lossOf, stderrOf } from "./serverLoss.ts"
import type { Shared, Surroundings } from "./serverSurroundings.ts"
import { inspectionOf, isSame, remarkOn, viewOf } from "./serverView.ts"
import * as Supervision from "./supervision.ts"

/** What is left of a connection when it is gone. */
interface Held {
  client: McpClient | undefined
}

/** A server that ran for so long counts as well, and may fail as often as one that is new. */
const STEADY_AFTER: Duration.Input = "30 seconds"
/** How much earlier or later than planned it is tried again, so that not all servers are at the same moment. */
const JITTER = 0.2

// -----------------------------------------------------------------------------
// One server
// -----------------------------------------------------------------------------

/** A server under supervision. Everything but its effects happens at once. */
export class Supervised {
  entry: ServerEntry
  /** What it does, for everybody to see; the same object until that changes. */
  shown: ServerState
  connection: Connection | undefined
  /** Another one after everything that happened. */
  turn = 0
  lastHealth: Health | undefined
  lastError: McpError | InputError | undefined
  private readonly shared: Shared
  private readonly around: Surroundings
  private state: Supervision.State
  private known: ToolList | undefined
  private since: number
  private hint: string | undefined
  private retryAt = 0
  private connects = 0
  /** The client of the last connection, for what can still be known of it. */
  private last: McpClient | undefined
  private readonly lastWords = makeLastWords()
  private life: Fiber.Fiber<unknown> | undefined
  /** Connections that are to be ended. */
  private readonly ended: Array<Fiber.Fiber<unknown>> = []
  private timer: Fiber.Fiber<unknown> | undefined
  private preparing: Fiber.Fiber<unknown> | undefined
  private prepared: Redacted.Redacted<Rendered> | undefined
  private watching: Fiber.Fiber<unknown> | undefined
  private readonly events: Array<Supervision.Event> = []
  private isBusy = false
  private isClosed = false
  private readonly waiting = new Set<() => void>()

  constructor(entry: ServerEntry, shared: Shared, around: Surroundings) {
    this.entry = entry
    this.shared = shared
    this.around = around
    this.state = Supervision.initial(entry.config.disabled ? "Disabled" : "Stopped")
    this.since = around.clock.currentTimeMillisUnsafe()
    this.known = this.kept()
    this.shown = this.show()
  }

  get phase(): Supervision.Phase {
    return this.state.phase
  }

  /** Something happens to it. */
  dispatch(event: Supervision.Event): void {
    this.events.push(event)
    if (this.isBusy || this.isClosed) return
    this.isBusy = true
    for (let next = this.events.shift(); next !== undefined; next = this.events.shift()) {
      const { actions, state } = Supervision.step(this.state, next, this.policy)
      const before = this.state.phase
      this.state = state
      for (const action of actions) this.perform(action)
      this.tellOf(before)
      const { phase } = state
      // what was rendered is for the connection that comes next, and not for a start of some later day
      if (phase._tag === "Ending" && phase.next._tag !== "Connect") this.prepared = undefined
    }
    this.isBusy = false
    this.update()
    // last: whoever loses a connection goes on at once, and is to see what has become of the server
    for (const life of this.ended.splice(0)) life.interruptUnsafe()
  }

  /** Takes another configuration for it. One that says the same is not taken: what belongs to an entry stays with it. */
  configure(entry: ServerEntry): void {
    const before = this.entry
    if (before === entry || canonicalJson(before) === canonicalJson(entry)) return
    this.entry = entry
    const isSwitched = before.config.disabled !== entry.config.disabled
    // one that is off stays off at this, and one that is switched on may run already
    if (!isSwitched || !entry.config.disabled) this.adapt(before)
    if (isSwitched) this.switchTo(!entry.config.disabled)
    if (before.settings.idleTimeout !== entry.settings.idleTimeout) this.watch()
    this.update()
    this.shared.changed()
  }

  /** Does what a change of its configuration asks for. */
  private adapt(before: ServerEntry): void {
    const { entry } = this
    // more time is what may be given to one that failed for want of it
    const hasOtherTime = before.settings.startTimeout !== entry.settings.startTimeout
    if (seenByServer(before) !== seenByServer(entry) || (hasOtherTime && this.shown._tag === "Failed")) {
      this.prepared = undefined
      this.dispatch({ _tag: "Change" })
    }
    if (before.settings.lazy === true && entry.settings.lazy !== true && this.isIdle) this.dispatch({ _tag: "Start" })
  }

  /** Takes the configuration of a server that takes the place of this one, which is being ended. */
  replace(entry: ServerEntry): void {
    this.entry = entry
    this.known = this.kept()
    this.lastError = this.lastHealth = this.prepared = undefined
  }

  /** Switches it on or off. */
  switchTo(enabled: boolean): void {
    this.dispatch(enabled ? { _tag: "Enable" } : { _tag: "Stop", why: "Disabled" })
  }

  /** Starts it anew from the present configuration, whatever became of it before. */
  restart(): void {
    this.prepared = undefined
    this.dispatch({ _tag: "Restart" })
  }

  /** Waits until there is an answer. */
  when<A>(look: () => A | undefined): Effect.Effect<A> {
    return Effect.callback<A>((resume) => {
      const check = () => {
        const found = look()
        if (found === undefined) return
        this.waiting.delete(check)
        resume(Effect.succeed(found))
      }
      this.waiting.add(check)
      check()
      return Effect.sync(() => this.waiting.delete(check))
    })
  }

  /** Waits until nothing is under way, and says what became of it. */
  readonly outcome: Effect.Effect<ServerState> = Effect.suspend(() =>
    this.when(() => {
      const { phase } = this.state
      const isUnderWay = phase._tag === "Connecting" || (phase._tag === "Ending" && phase.next._tag === "Connect") ||
        (phase._tag === "Connected" && phase.preparing !== undefined)
      return isUnderWay ? undefined : this.shown
    })
  )

  /** Waits until a connection that was being ended is gone. */
  readonly gone: Effect.Effect<void> = Effect.suspend(() =>
    Effect.asVoid(this.when(() => this.state.phase._tag === "Ending" ? undefined : true))
  )

  /** Nothing happens to it any more; whoever waits for it hears that it was stopped. */
  close(): void {
    this.state = { ...this.state, phase: { _tag: "Off", why: "Stopped" } }
    this.connection = undefined
    this.shown = this.show()
    this.isClosed = true
    this.turn++
    for (const check of [...this.waiting]) check()
  }

  /** The last lines on stderr, those of earlier processes first. */
  get logs(): Effect.Effect<ReadonlyArray<string>> {
    return this.lastWords.lines
  }

  readonly inspect: Effect.Effect<Inspection> = Effect.suspend(() =>
    inspectionOf(this, {
      now: this.around.clock.currentTimeMillisUnsafe(),
      last: this.last,
      restarts: Math.max(0, this.connects - 1)
    })
  )

  // ---------------------------------------------------------------------------
  // What has to be done
  // ---------------------------------------------------------------------------

  private get policy(): Supervision.Policy {
    return {
      tries: this.shared.delays.length,
      lazy: this.entry.settings.lazy === true,
      isKnown: this.known !== undefined
    }
  }

  private kept(): ToolList | undefined {
    return this.entry.settings.lazy === true ? this.shared.cache.read(this.entry) : undefined
  }

  /** Whether it is, or will be, without a connection until a call needs one. */
  private get isIdle(): boolean {
    const { phase } = this.state
    const effective = phase._tag === "Ending" ? phase.next : phase
    return effective._tag === "Idle" || ("purpose" in effective && effective.purpose === "learn")
  }

  private perform(action: Supervision.Action): void {
    switch (action._tag) {
      case "Connect": {
        this.since = this.around.clock.currentTimeMillisUnsafe()
        this.hint = undefined
        const { id } = action
        this.life = this.around.run(this.live(id))
        this.life.addObserver(() => this.dispatch({ _tag: "Ended", id }))
        return
      }
      case "Disconnect":
        this.connection = undefined
        if (this.life !== undefined) this.ended.push(this.life)
        return
      case "Prepare":
        this.preparing?.interruptUnsafe()
        this.preparing = this.around.run(this.prepare(action.ticket))
        return
      case "Unprepare":
        this.preparing?.interruptUnsafe()
        return
      case "Schedule": {
        const delay = this.delayOf(action.attempt)
        this.retryAt = this.around.clock.currentTimeMillisUnsafe() + delay
        this.timer = this.around.run(
          Effect.andThen(Effect.sleep(delay), Effect.sync(() => this.dispatch({ _tag: "Due" })))
        )
        return
      }
      case "Unschedule":
        this.timer?.interruptUnsafe()
    }
  }

  private delayOf(attempt: number): number {
    const { delays, jitter } = this.shared
    const delay = delays[attempt - 1] ?? delays.at(-1) ?? 0
    return jitter ? Math.round(delay * (1 + JITTER * (2 * this.around.random.nextDoubleUnsafe() - 1))) : delay
  }

  private prepare(ticket: number): Effect.Effect<void> {
    return this.shared.inputs.render(this.entry).pipe(
      Effect.matchCause({
        onSuccess: (rendered) => {
          this.prepared = rendered
          this.dispatch({ _tag: "Prepared", ticket })
        },
        onFailure: (cause) => {
          if (Cause.hasInterruptsOnly(cause)) return
          const reason = Cause.findErrorOption(cause)
          this.dispatch({
            _tag: "Unprepared",
            ticket,
            reason: reason._tag === "Some" ? reason.value.message : "internal error"
          })
        }
      })
    )
  }

  /** Connects, and stays until the connection is lost. Interrupting it ends the server. */
  private live(id: number): Effect.Effect<void> {
    const held: Held = { client: undefined }
    const lost = (error: McpError | InputError) =>
      Effect.sync(() => {
        this.connection = undefined
        this.lastError = error
        if (held.client === undefined) this.lastWords.add(stderrOf(error))
        this.dispatch({ _tag: "Lost", id, loss: lossOf(this.entry, error) })
      })
    return this.serve(id, held).pipe(
      // inside the scope: everybody sees at once that it is lost, and not only when its process is gone
      Effect.catch(lost),
      Effect.catchCauseIf(
        (cause) => !Cause.hasInterruptsOnly(cause),
        (cause) => {
          const broken = new McpError({ reason: new Handshake({ detail: "met an internal error", stderrTail: [] }) })
          return Effect.andThen(lost(broken), Effect.logError("The supervision of an MCP server died", cause))
        }
      ),
      Effect.scoped,
      Effect.ensuring(Effect.suspend(() => {
        this.watching?.interruptUnsafe()
        return held.client === undefined ? Effect.void : this.lastWords.keep(held.client)
      }))
    )
  }

  private readonly serve = Effect.fnUntraced(function*(
    this: Supervised,
    id: number,
    held: Held
  ): Effect.fn.Return<never, McpError | InputError, Scope.Scope> {
    const { entry } = this
    const { connect, gate, health, inputs } = this.shared
    const { prepared } = this
    this.prepared = undefined
    const rendered = prepared ?? (yield* inputs.render(entry))
    const opening = openConnection({ entry, rendered, connect, hinted: (hint) => this.setHint(hint) })
    const { connection, list } = yield* gate(opening)
    const { client } = connection
    // listens before anybody else can: what the server has said by now is for the first who does
    const refreshing = yield* refreshTools(client, (list) => Effect.sync(() => this.learn(list)))
    this.connects++
    this.last = held.client = client
    this.lastWords.follow(client)
    this.connection = connection
    this.known = list
    this.keepTools()
    this.dispatch({ _tag: "Connected", id })
    const tools = `${list.tools.length} ${list.tools.length === 1 ? "tool" : "tools"}`
    yield* Effect.logInfo(`The MCP server "${entry.bundleId}" is ready, with ${tools}`)
    this.watch()
    const healthy = () => this.dispatch({ _tag: "Healthy", id })
    const watchingHealth = health === false ? Effect.never : watchHealth(connection, health, (checked) => {
      this.lastHealth = checked
      if (checked.error === undefined) healthy()
    })
    const steady = Effect.andThen(Effect.sleep(STEADY_AFTER), Effect.andThen(Effect.sync(healthy), Effect.never))
    return yield* Effect.raceAllFirst([
      Effect.flatMap(client.closed, Effect.fail),
      refreshing.run,
      watchingHealth,
      steady
    ])
  })

  // ---------------------------------------------------------------------------
  // What is known
  // ---------------------------------------------------------------------------

  private learn(list: ToolList): void {
    this.known = list
    this.keepTools()
    this.update()
  }

  private keepTools(): void {
    if (this.entry.settings.lazy === true && this.known !== undefined) {
      this.around.run(this.shared.cache.write(this.entry, this.known))
    }
  }

  private setHint(hint: string): void {
    this.hint = hint
    this.update()
  }

  /** Ends the server when no call has used it for as long as it may be idle. */
  private watch(): void {
    this.watching?.interruptUnsafe()
    const { idleTimeout } = this.entry.settings
    const { connection, state } = this
    if (idleTimeout === undefined || connection === undefined || state.phase._tag !== "Connected") return
    const { id } = state.phase
    this.watching = this.around.run(
      watchUse(connection, idleTimeout * 1000, () => this.dispatch({ _tag: "Unused", id }))
    )
  }

  // ---------------------------------------------------------------------------
  // What is told
  // ---------------------------------------------------------------------------

  private update(): void {
    this.turn++
    const next = this.show()
    if (!isSame(this.shown, next)) {
      this.shown = next
      this.shared.changed()
    }
    for (const check of [...this.waiting]) check()
  }

  private show(): ServerState {
    const { connection, hint, known, retryAt, since } = this
    return viewOf(this.state.phase, { connection, known, since, hint, retryAt })
  }

  /** Writes down what its operator should know. */
  private tellOf(before: Supervision.Phase): void {
    const remark = remarkOn(before, this.state.phase, this.policy.tries)
    if (remark === undefined) return
    const line = `The MCP server ${JSON.stringify(this.entry.bundleId)} ${remark.text}`
    this.around.run(remark.isNews ? Effect.logWarning(line) : Effect.logInfo(line))
  }
}
