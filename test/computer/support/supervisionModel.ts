/**
 * Shuffles what happens to one MCP server, and checks after every step that what is done about it fits.
 */
import { Arbitrary, Effect, Schema } from "effect"
import * as Supervision from "../../../src/computer/internal/supervision/supervision.ts"

const Kind = Schema.Literals(["transient", "transient", "transient", "permanent", "authorization"])
const Lose = Schema.TaggedStruct("Lose", { kind: Kind })
const Comes = Schema.TaggedStruct("Comes", {})
const Ends = Schema.TaggedStruct("Ends", {})
const Fires = Schema.TaggedStruct("Fires", {})

/** What happens. Some are there more than once, so that connections come about and something happens to them. */
export const Command = Schema.Union([
  Schema.TaggedStruct("Start", {}),
  Schema.TaggedStruct("Enable", {}),
  Schema.TaggedStruct("Stop", { why: Schema.Literals(["Stopped", "Disabled"]) }),
  Schema.TaggedStruct("Restart", {}),
  Schema.TaggedStruct("Change", {}),
  Schema.TaggedStruct("Demand", {}),
  Schema.TaggedStruct("Prepares", { succeeds: Schema.Literals([true, true, false]) }),
  Comes,
  Comes,
  Comes,
  Lose,
  Lose,
  Ends,
  Ends,
  Ends,
  Fires,
  Fires,
  Schema.TaggedStruct("Healthy", {}),
  Schema.TaggedStruct("Unused", {}),
  Schema.TaggedStruct("Stale", { what: Schema.Literals(["Connected", "Lost", "Ended", "Prepared"]) })
])
type Command = typeof Command.Type

export const commands: Arbitrary.Arbitrary<ReadonlyArray<Command>> = Arbitrary.array(Arbitrary.schema(Command), {
  maxLength: 60
})

/** How often each state and each thing worth seeing was there, over all runs. */
export type Tally = Map<string, number>

type Step = typeof Supervision.step

/** The surroundings of a server: what exists of it, by what it was told to do. */
class World {
  state = Supervision.initial("Stopped")
  readonly policy: { readonly tries: number; readonly lazy: boolean; isKnown: boolean }
  readonly tally: Tally
  readonly step: Step
  connection:
    | { readonly id: number; status: "connecting" | "connected" | "ending"; readonly version: number }
    | undefined
  timer: number | undefined
  ticket: { readonly id: number; readonly version: number } | undefined
  /** Counts the configurations. */
  version = 1
  /** Failures since somebody, or good health, said that they no longer count. */
  failures = 0
  wanted: "run" | "off" | "any" = "any"

  constructor(step: Step, { lazy, tries }: Pick<Supervision.Policy, "lazy" | "tries">, tally: Tally) {
    this.step = step
    this.policy = { tries, lazy, isKnown: false }
    this.tally = tally
  }

  note(label: string): void {
    this.tally.set(label, (this.tally.get(label) ?? 0) + 1)
  }

  dispatch(event: Supervision.Event): void {
    const before = this.state.phase
    const { actions, state } = this.step(this.state, event, this.policy)
    this.state = state
    for (const action of actions) this.perform(action, event)
    if (before._tag === "AuthorizationRequired" && state.phase._tag !== before._tag) {
      if (!["Start", "Restart", "Change", "Stop"].includes(event._tag)) throw new Error(`${event._tag} retries a login`)
    }
    this.note(state.phase._tag)
    this.check()
  }

  perform(action: Supervision.Action, { _tag }: Supervision.Event): void {
    switch (action._tag) {
      case "Connect":
        if (this.connection !== undefined) throw new Error("a second connection")
        if (this.wanted === "off") throw new Error(`it comes back after a stop: ${_tag}`)
        this.connection = { id: action.id, status: "connecting", version: this.version }
        break
      case "Disconnect":
        if (this.connection?.id !== action.id) throw new Error("another connection is ended")
        this.connection.status = "ending"
        break
      case "Prepare":
        this.ticket = { id: action.ticket, version: this.version }
        break
      case "Unprepare":
        this.ticket = undefined
        break
      case "Schedule":
        if (this.timer !== undefined) throw new Error("a second timer")
        this.timer = action.attempt
        break
      case "Unschedule":
        this.timer = undefined
    }
  }

  /** What must hold after every step. */
  check(): void {
    const { phase } = this.state
    const id = "id" in phase ? phase.id : undefined
    if (id !== this.connection?.id) throw new Error(`${phase._tag} with the connection ${this.connection?.id}`)
    if ((phase._tag === "Ending") !== (this.connection?.status === "ending")) {
      throw new Error(`${phase._tag}, but the connection is ${this.connection?.status}`)
    }
    const effective = phase._tag === "Ending" ? phase.next : phase
    if ((effective._tag === "Waiting") !== (this.timer !== undefined)) {
      throw new Error(`${effective._tag} with a timer: ${this.timer}`)
    }
    const preparing = phase._tag === "Connected" ? phase.preparing : undefined
    if (preparing !== this.ticket?.id) throw new Error(`prepares ${preparing}, but the ticket is ${this.ticket?.id}`)
    if (this.failures > this.policy.tries + 1) throw new Error(`${this.failures} failures in a row`)
  }

  apply(command: Command): void {
    switch (command._tag) {
      case "Lose":
        return this.lose(command.kind)
      case "Comes":
        return this.come()
      case "Ends":
        return this.end()
      case "Fires":
        if (this.timer === undefined) return
        this.timer = undefined
        this.note("fires")
        return this.dispatch({ _tag: "Due" })
      case "Prepares":
        return this.prepare(command.succeeds)
      case "Healthy":
      case "Unused":
        if (this.connection?.status !== "connected") return
        this.failures = 0
        return this.dispatch({ _tag: command._tag, id: this.connection.id })
      case "Stale":
        return this.late(command.what)
      case "Demand":
        if (this.policy.lazy) this.failures = 0
        return this.dispatch(command)
      default:
        return this.order(command)
    }
  }

  /** What an operator does. */
  order(command: Extract<Command, { readonly _tag: "Start" | "Enable" | "Stop" | "Restart" | "Change" }>): void {
    this.failures = 0
    if (command._tag === "Change" || command._tag === "Restart") this.version++
    if (command._tag === "Stop") this.wanted = "off"
    if (command._tag === "Start" || command._tag === "Restart") this.wanted = "run"
    if (command._tag === "Enable") this.wanted = "any"
    this.dispatch(command)
  }

  come(): void {
    const { connection } = this
    if (connection?.status !== "connecting") return
    connection.status = "connected"
    this.policy.isKnown = true
    this.dispatch({ _tag: "Connected", id: connection.id })
  }

  lose(kind: Supervision.Loss["kind"]): void {
    const { connection } = this
    if (connection === undefined || connection.status === "ending") return
    connection.status = "ending"
    this.note(kind)
    const isRestarting = this.ticket !== undefined
    // a restart was under way: it begins anew
    if (isRestarting) this.failures = 0
    else if (!(this.policy.lazy && this.policy.isKnown)) this.failures++
    this.dispatch({ _tag: "Lost", id: connection.id, loss: { kind, reason: kind } })
    const { phase } = this.state
    if (isRestarting || phase._tag !== "Ending" || kind === "transient") return
    if (phase.next._tag === "Waiting" || phase.next._tag === "Connect") throw new Error(`${kind}, but tried again`)
  }

  end(): void {
    const { connection } = this
    if (connection?.status !== "ending") return
    this.connection = undefined
    this.dispatch({ _tag: "Ended", id: connection.id })
  }

  prepare(succeeds: boolean): void {
    const { ticket } = this
    if (ticket === undefined) return
    if (ticket.version !== this.version) throw new Error("an old configuration is prepared")
    this.ticket = undefined
    this.note(succeeds ? "prepared" : "unprepared")
    if (!succeeds) this.wanted = "any"
    this.dispatch(
      succeeds ? { _tag: "Prepared", ticket: ticket.id } : { _tag: "Unprepared", ticket: ticket.id, reason: "no" }
    )
  }

  /** Something that is about a connection or a ticket of long ago. */
  late(what: "Connected" | "Lost" | "Ended" | "Prepared"): void {
    const before = this.state
    if (what === "Prepared") this.dispatch({ _tag: what, ticket: 0 })
    else if (what === "Lost") this.dispatch({ _tag: what, id: 0, loss: { kind: "transient", reason: "late" } })
    else this.dispatch({ _tag: what, id: 0 })
    if (this.state !== before) throw new Error(`a late ${what} counts`)
  }

  /** From here on all goes well: everything comes to rest, as was ordered last. */
  finish(): void {
    for (let round = 0; round < 8; round++) {
      for (const _tag of ["Ends", "Comes", "Fires"] as const) this.apply({ _tag })
      this.apply({ _tag: "Prepares", succeeds: true })
    }
    const { phase } = this.state
    const isOff = phase._tag === "Off"
    if (this.wanted === "off" && !isOff) throw new Error(`${phase._tag} after a stop`)
    if (this.connection !== undefined && phase._tag !== "Connected") throw new Error(`${phase._tag} for ever`)
    if (this.wanted !== "run") return
    this.note("runs")
    if (isOff) throw new Error("Off after a start")
    if (phase._tag === "Connected" && this.connection?.version !== this.version && phase.outdated === undefined) {
      throw new Error("an old configuration runs")
    }
  }
}

/** The same happens to every kind of server. Every failure is one that shrinks. */
export const property =
  (tally: Tally = new Map(), step: Step = Supervision.step) => (sequence: ReadonlyArray<Command>) =>
    Effect.try({
      try: () => {
        for (const lazy of [false, true]) {
          for (const tries of [0, 2]) {
            const world = new World(step, { lazy, tries }, tally)
            for (const command of sequence) world.apply(command)
            world.finish()
          }
        }
        return true
      },
      catch: (error) => error instanceof Error ? error.message : String(error)
    })
