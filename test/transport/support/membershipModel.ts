/**
 * Shuffles what a client, its connection and a Server do, and checks after
 * every step that the client's state is true.
 */
import { Arbitrary, Cause, Effect, Equal, Fiber, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import type * as Ack from "../../../src/protocol/Ack.ts"
import type * as SmcpError from "../../../src/protocol/SmcpError.ts"
import type * as Membership from "../../../src/transport/Membership.ts"
import type { Transport } from "../../../src/transport/Transport.ts"
import { end, membershipOn, type Packet, says, ScriptedServer, settle } from "./scriptedServer.ts"

const Office = Schema.Literals(["R1", "R2"])
/** What becomes of a request; `done` and `dropped` are never answered. A leave is always done. */
const Verdict = Schema.Literals(["yes", "yes", "yes", "yes", "yes", "taken", "refused", "nonsense", "done", "dropped"])
const AnswerCommand = Schema.TaggedStruct("Answer", { verdict: Verdict })
const Connect = Schema.TaggedStruct("Connect", {})
const Reconnect = Schema.TaggedStruct("Reconnect", { hanging: Schema.Literals([false, false, true]) })
const Join = Schema.TaggedStruct("Join", { office: Office })

/** What happens. Some are there more than once, so that seats are taken and something happens to them. */
export const Command = Schema.Union([
  Connect,
  Connect,
  Connect,
  Reconnect,
  Reconnect,
  Reconnect,
  Schema.TaggedStruct("Seek", {}),
  Schema.TaggedStruct("Lose", {
    how: Schema.Literals([
      ...Array.from({ length: 10 }, () => "fails" as const),
      "hangs",
      "hangs",
      "hangs",
      "hangs",
      "ends"
    ])
  }),
  Join,
  Join,
  Schema.TaggedStruct("Leave", {}),
  Schema.TaggedStruct("Interrupt", {}),
  AnswerCommand,
  AnswerCommand,
  AnswerCommand,
  AnswerCommand,
  Schema.TaggedStruct("AnswerStale", { verdict: Verdict }),
  Schema.TaggedStruct("Wait", { seconds: Schema.Literals([1, 4, 11]) })
])
export type Command = typeof Command.Type

/** Sequences of commands; shrinks to fewer and simpler ones. */
export const commands: Arbitrary.Arbitrary<ReadonlyArray<Command>> = Arbitrary.array(Arbitrary.schema(Command), {
  maxLength: 60
})

/** How often each state and each thing worth seeing was there, over all runs. */
export type Tally = Map<string, number>

/** What may come directly before a state on the stream. */
const before: Readonly<Record<Membership.MembershipState["_tag"], ReadonlyArray<string>>> = {
  Disconnected: ["Disconnected", "Connecting", "Connected", "Joined", "Rejoining", "Lost"],
  Connecting: ["Disconnected", "Connecting"],
  Connected: ["Disconnected", "Connecting", "Joined", "Rejoining", "Lost"],
  Joined: ["Connected", "Joined", "Rejoining", "Lost"],
  Rejoining: ["Disconnected", "Connecting", "Joined", "Rejoining"],
  Lost: ["Rejoining"]
}

class Run {
  readonly server = new ScriptedServer()
  readonly membership: Membership.Membership["Service"]
  readonly told: Array<Membership.MembershipState> = []
  readonly tally: Tally
  /** Joins and leaves that have not ended. */
  readonly running = new Set<Fiber.Fiber<void, SmcpError.SmcpError>>()
  /** Where the present session sits by the Server's own account. */
  seat: string | undefined
  /** Where it sits by what the Server has told it. */
  word: string | undefined
  last: "Join" | "Leave" = "Leave"
  ended = false

  constructor(server: ScriptedServer, membership: Membership.Membership["Service"], tally: Tally) {
    this.server = server
    this.membership = membership
    this.tally = tally
  }

  note(label: string): void {
    this.tally.set(label, (this.tally.get(label) ?? 0) + 1)
  }

  readonly perform = Effect.fnUntraced(function*(this: Run, command: Command): Effect.fn.Return<void> {
    const { server } = this
    const mayConnect = !this.ended && server.sid === undefined
    switch (command._tag) {
      case "Connect":
        if (mayConnect) yield* server.connect
        break
      case "Seek":
        if (mayConnect) yield* server.setState({ _tag: "Connecting", attempt: 1 })
        break
      case "Lose":
        yield* this.lose(command.how)
        break
      case "Reconnect":
        yield* this.lose(command.hanging ? "hangs" : "fails")
        yield* settle
        yield* this.perform({ _tag: "Connect" })
        break
      case "Join":
        this.last = "Join"
        yield* this.run(this.membership.join({ role: "computer", name: "PC", office_id: command.office }))
        break
      case "Leave":
        this.last = "Leave"
        yield* this.run(this.membership.leave)
        break
      case "Interrupt": {
        const [oldest] = this.running
        if (oldest === undefined) break
        this.note("interrupted")
        yield* Fiber.interrupt(oldest)
        break
      }
      case "Answer":
        this.decide(command.verdict)
        break
      case "AnswerStale": {
        const args = answers[command.verdict]
        const packet = server.stale.shift()
        if (args === undefined || packet?.reply === undefined) break
        this.note("stale answer")
        end(packet, Effect.succeed(args))
        break
      }
      case "Wait":
        yield* TestClock.adjust(command.seconds * 1000)
        break
    }
  })

  lose(how: "fails" | "hangs" | "ends"): Effect.Effect<void> {
    if (this.ended || this.server.sid === undefined) return Effect.void
    this.seat = this.word = undefined
    this.ended = how === "ends"
    return this.server.lose(this.ended ? { _tag: "Closed", error: undefined } : undefined, how === "hangs")
  }

  readonly run = Effect.fnUntraced(function*(this: Run, self: Effect.Effect<void, SmcpError.SmcpError>) {
    const fiber = yield* Effect.forkChild(self, { startImmediately: true })
    this.running.add(fiber)
    fiber.addObserver(() => this.running.delete(fiber))
  })

  /** The Server deals with the oldest request it has. */
  decide(verdict: typeof Verdict.Type): void {
    const packet = this.server.pending[0]
    if (packet === undefined) return
    const seat = seatAfter(packet, verdict, this.seat)
    const args = packet.event === "server:leave_office" && verdict !== "done" && verdict !== "dropped"
      ? says.yes
      : answers[verdict]
    this.note(packet.reply === undefined ? "nobody waits" : verdict)
    if (args === undefined) this.server.pending.shift()
    else {
      // whoever waits no longer has not been told
      if (packet.reply !== undefined && verdict !== "nonsense") this.word = seat
      this.server.reply(args)
    }
    this.seat = seat
  }

  /** What must hold after every step. */
  readonly check = Effect.fnUntraced(function*(this: Run): Effect.fn.Return<string | undefined> {
    const { server, told } = this
    const state = yield* this.membership.state
    this.note(state._tag)
    const online = state._tag !== "Disconnected" && state._tag !== "Connecting"
    if (online !== (server.sid !== undefined)) return `${state._tag}, but the session is ${server.sid}`
    if ("sid" in state && state.sid !== server.sid) return `${state._tag} under another session`
    if (state._tag === "Joined" && state.office !== this.word) {
      return `Joined, but the Server's last word is ${this.word}`
    }
    if (!Equal.equals(told.at(-1), state)) return `${state._tag}, but told was ${told.at(-1)?._tag}`
    for (const [index, { _tag }] of told.entries()) {
      const previous = told[index - 1]
      if (previous !== undefined && !before[_tag].includes(previous._tag)) return `${_tag} after ${previous._tag}`
    }
    told.splice(0, told.length - 1)
    if (this.running.size > 0 || server.pending.length > 0 || server.isAwaited || state._tag === "Rejoining") {
      return undefined
    }
    this.note("at rest")
    const seat = state._tag === "Joined" ? state.office : undefined
    if (seat !== this.seat) return `at rest, ${state._tag} in ${seat}, but the Server has a seat in ${this.seat}`
    if (this.last === "Leave" && this.seat !== undefined) return "a seat after a leave"
    return undefined
  })

  /** From here on the Server is kind: everything comes to rest. */
  readonly finish = Effect.fnUntraced(function*(this: Run): Effect.fn.Return<string | undefined> {
    yield* this.perform({ _tag: "Connect" })
    this.server.stale.length = 0
    yield* settle
    for (let round = 0; round < 12; round++) {
      while (this.server.pending.length > 0) {
        this.decide("yes")
        yield* settle
      }
      yield* TestClock.adjust("11 seconds")
      yield* settle
    }
    const wrong = yield* this.check()
    if (wrong !== undefined) return wrong
    if (this.running.size > 0) return `${this.running.size} joins or leaves never ended`
    if ((yield* this.membership.state)._tag === "Rejoining") return "Rejoining for ever"
    return undefined
  })
}

const seatAfter = ({ event, payload }: Packet, verdict: typeof Verdict.Type, seat: string | undefined) => {
  if (event === "server:leave_office") return undefined
  return verdict === "yes" || verdict === "done" || verdict === "nonsense" ? payload.office_id : seat
}

const answers: Readonly<Record<typeof Verdict.Type, Ack.Args | undefined>> = {
  yes: says.yes,
  taken: says.code(4101),
  refused: says.code(403),
  nonsense: ["nonsense"],
  done: undefined,
  dropped: undefined
}

/** What a test changes about the transport, to see whether the model notices. */
export type Wrap = (transport: Transport["Service"]) => Transport["Service"]

/** Fails with the first step after which the state is not true. */
const follow = Effect.fnUntraced(function*(sequence: ReadonlyArray<Command>, tally: Tally, wrap: Wrap | undefined) {
  const server = new ScriptedServer()
  const membership = yield* membershipOn(server, undefined, wrap)
  const run = new Run(server, membership, tally)
  yield* Effect.forkScoped(
    Stream.runForEach(membership.changes, (state) => Effect.sync(() => run.told.push(state))),
    { startImmediately: true }
  )
  yield* server.connect
  yield* settle
  for (const command of sequence) {
    yield* run.perform(command)
    yield* settle
    const wrong = yield* run.check()
    if (wrong !== undefined) return yield* Effect.fail({ command, wrong, said: server.said })
  }
  const wrong = yield* run.finish()
  if (wrong !== undefined) return yield* Effect.fail({ command: "the end", wrong, said: server.said })
  return true
})

/** {@link follow} as a property: every failure is one that shrinks. */
export const property = (tally: Tally = new Map(), wrap?: Wrap) => (sequence: ReadonlyArray<Command>) =>
  Effect.scoped(follow(sequence, tally, wrap)).pipe(
    Effect.catchDefect((defect) => Effect.fail(Cause.pretty(Cause.die(defect))))
  )
