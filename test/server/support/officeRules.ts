/**
 * The rules of offices as a small pure model: what a command changes, how it is
 * acknowledged and who hears of it (specification, room model). It shares no
 * code with the Server.
 */
import type { Command, Name, OfficeId, Role, Slot } from "./officeCommands.ts"

/** What the model has to know about a revision. */
export interface Rules {
  /** What is announced at the handshake. */
  readonly version?: string
  readonly acks: "tuple" | "flat"
  readonly toolCalls: "flat" | "result"
  readonly computers: number
  /** Events that do not exist yet. */
  readonly lacks: ReadonlyArray<string>
}

export const rulesOf = {
  "0.1": {
    acks: "tuple",
    toolCalls: "result",
    computers: Infinity,
    lacks: [
      "client:get_config",
      "client:get_resources",
      "client:get_skills",
      "client:get_skill",
      "client:get_blob",
      "client:put_blob",
      "server:update_skills"
    ]
  },
  "0.4": { version: "0.4.0", acks: "tuple", toolCalls: "flat", computers: Infinity, lacks: [] },
  "0.5": { version: "0.5.0", acks: "flat", toolCalls: "flat", computers: 1, lacks: [] }
} as const satisfies Record<string, Rules>
export type Speaks = keyof typeof rulesOf

/** A connected peer. */
export interface Session {
  readonly sid: string
  readonly speaks: Speaks
  readonly role?: Role
  readonly name?: string
  readonly office?: string
}

export interface State {
  /** One per slot; undefined where nobody is connected. */
  readonly sessions: ReadonlyArray<Session | undefined>
  /** Slots in the order in which they took their seats. */
  readonly seats: ReadonlyArray<number>
}

/** An acknowledgement; a text stands for itself when it is `TEXT`. */
export type Ack = ReadonlyArray<unknown>
export const TEXT = "<text>"

/** Everything a command shows to the outside. */
export interface Shown {
  /** Acknowledgements by slot; absent when none was asked for. */
  readonly acks: Readonly<Record<number, Ack>>
  /** Notifications by slot, in order. */
  readonly heard: Readonly<Record<number, ReadonlyArray<readonly [event: string, payload: unknown]>>>
  /** The slot that gets the relayed request. */
  readonly routed?: number
}

export interface Outcome extends Shown {
  readonly state: State
  /** What happened, for counting. */
  readonly label: string
}

export const initial = (sessions: ReadonlyArray<Session>): State => ({ sessions, seats: [] })

const rulesFor = (session: Session): Rules => rulesOf[session.speaks]
const nothing = { acks: {}, heard: {} }
const ok = (rules: Rules): Ack => rules.acks === "tuple" ? [true, null] : []

/** The flat error, with or without details. */
export const flat = (code: number, details?: object): Ack => [{
  code,
  message: TEXT,
  ...(details === undefined ? {} : { details })
}]
const refused = (rules: Rules, code: number, details?: object): Ack =>
  rules.acks === "tuple" ? [false, TEXT] : flat(code, details)

const toolCallRefused = (rules: Rules, ack: Ack): Ack => {
  if (rules.toolCalls === "flat") return ack
  const { code } = ack[0] as { readonly code: number }
  const content = [{ type: "text", text: TEXT }]
  return [{ meta: { error_code: code }, content, structuredContent: null, isError: true }]
}

const officeOf = (state: State, office: string) => (office === "sid" ? state.sessions[0]?.sid ?? "sid" : office)

/** The slots that sit in an office, Agents first. */
export const members = (state: State, office: string): ReadonlyArray<number> => {
  const inside = state.seats.filter((slot) => state.sessions[slot]!.office === office)
  const of = (role: Role) => inside.filter((slot) => state.sessions[slot]!.role === role)
  return [...of("agent"), ...of("computer")]
}

const tell = (state: State, from: Session, fromSlot: number, event: string, payload: unknown): Shown["heard"] =>
  Object.fromEntries(
    members(state, from.office!).filter((slot) => slot !== fromSlot).map((slot) => [slot, [[event, payload]]])
  )

/** The command as it is given: when it is aimed, to a peer for whom it does more than nothing, if there is one. */
export const aim = (state: State, command: Command): Command => {
  if (!command.aimed) return command
  const pick = (fits: (session: Session | undefined) => boolean): Slot => {
    const slots = [0, 1, 2, 3, 4] as const
    const fitting = slots.filter((slot) => fits(state.sessions[slot]))
    return fitting.length === 0 ? command.slot : fitting[command.slot % fitting.length]!
  }
  const isSeated = (session: Session | undefined) => session?.office !== undefined
  const computersOf = (session: Session | undefined) =>
    session?.office === undefined || session.role !== "agent"
      ? []
      : members(state, session.office).flatMap((slot) =>
        state.sessions[slot]!.role === "computer" ? [state.sessions[slot]!.name!] : []
      )
  switch (command._tag) {
    case "Connect":
      return { ...command, slot: pick((session) => session === undefined) }
    case "Join":
    case "JoinBoth":
    case "JoinMalformed": {
      const slot = pick((session) => session !== undefined)
      const { name, role, speaks } = state.sessions[slot] ?? {}
      const aimedAt = { ...command, slot, ...(role && { role }), ...(name && { name: name as Name }) }
      if (!("office" in aimedAt)) return aimedAt
      // of the offices that the peer may enter, one where others sit
      const others = (office: OfficeId) => members(state, officeOf(state, office)).filter((other) => other !== slot)
      const open = ([aimedAt.office, "R1", "R2", "sid"] as const).filter((office) =>
        others(office).every((other) => state.sessions[other]!.speaks === speaks)
      )
      return { ...aimedAt, office: open.find((office) => others(office).length > 0) ?? open[0] ?? aimedAt.office }
    }
    case "Call":
    case "CallOfOneThatGoes":
    case "CallByOneThatGoes": {
      const slot = pick((session) => computersOf(session).length > 0)
      const names = computersOf(state.sessions[slot])
      const computer = names[command.event.length % names.length] ?? command.computer
      return { ...command, slot, computer: computer as Name }
    }
    case "Update":
      return { ...command, slot: pick((session) => isSeated(session) && session!.role === "computer") }
    case "Cancel":
      return { ...command, slot: pick((session) => computersOf(session).length > 0) }
    case "JoinAgain":
    case "Disconnect":
    case "Leave":
    case "List": {
      const slot = pick(isSeated)
      const { office } = state.sessions[slot] ?? {}
      const id = office === "R1" || office === "R2" ? office : "sid"
      return { ...command, slot, ...("office" in command && { office: id }) }
    }
  }
}

const merge = (...parts: ReadonlyArray<Shown["heard"]>): Shown["heard"] => {
  const all: Record<number, Array<readonly [string, unknown]>> = {}
  for (const part of parts) for (const [slot, list] of Object.entries(part)) (all[Number(slot)] ??= []).push(...list)
  return all
}

const set = (state: State, slot: number, session: Session | undefined, seats = state.seats): State => ({
  sessions: state.sessions.map((current, index) => index === slot ? session : current),
  seats
})

const membership = (session: Session) => ({ office_id: session.office, [session.role!]: session.name })

/** Gives up the seat, if there is one. */
const vacate = (state: State, slot: number) => {
  const session = state.sessions[slot]!
  if (session.office === undefined) return { state, heard: {} }
  const { name: _name, office: _office, ...rest } = session
  return {
    state: set(state, slot, rest, state.seats.filter((seat) => seat !== slot)),
    heard: tell(state, session, slot, "notify:leave_office", membership(session))
  }
}

const disconnect = (state: State, slot: number) => {
  const left = vacate(state, slot)
  return { state: set(left.state, slot, undefined), heard: left.heard }
}

interface JoinRequest {
  readonly slot: number
  readonly role: Role
  readonly name: string
  readonly office: string
}

const join = (state: State, request: JoinRequest) => {
  const { name, role, slot } = request
  const office = officeOf(state, request.office)
  const session = state.sessions[slot]!
  const rules = rulesFor(session)
  const no = (code: number, details?: object, label = `join ${code}`) => ({
    state,
    heard: {},
    ack: refused(rules, code, details),
    label
  })
  if (session.role !== undefined && session.role !== role) return no(403, undefined, "join 403 role")
  if (session.office === office && session.name === name) {
    return { state, heard: {}, ack: ok(rules), label: "join again" }
  }
  if (session.office !== undefined && session.name !== name) return no(403, undefined, "join 403 name")
  if (role === "agent" && session.office !== undefined) return no(4106, { office_id: session.office })
  const others = members(state, office).map((other) => state.sessions[other]!)
  if (others.some(({ speaks }) => speaks !== session.speaks)) return no(403, undefined, "join 403 revision")
  const rivals = others.filter((other) => other.role === role)
  if (rivals.length >= (role === "agent" ? 1 : rules.computers)) return no(4101, { office_id: office, role })
  if (rivals.some((rival) => rival.name === name)) return no(4101, { office_id: office, role }, "join name taken")
  const left = vacate(state, slot)
  const seated: Session = { sid: session.sid, speaks: session.speaks, role, name, office }
  const after = set(left.state, slot, seated, [...left.state.seats, slot])
  return {
    state: after,
    heard: merge(left.heard, tell(after, seated, slot, "notify:enter_office", membership(seated))),
    ack: ok(rules),
    label: session.office !== undefined
      ? "switch"
      : others.length > 0
      ? `join others of ${session.speaks}`
      : "join"
  }
}

/** Where a request goes, or how it is refused. */
const route = (state: State, slot: number, computer: string): { readonly target: number } | { readonly ack: Ack } => {
  const session = state.sessions[slot]!
  if (session.office === undefined) return { ack: flat(4103) }
  if (session.role !== "agent") return { ack: flat(403) }
  const target = members(state, session.office).find((other) =>
    state.sessions[other]!.role === "computer" && state.sessions[other]!.name === computer
  )
  return target === undefined ? { ack: flat(404, { computer_name: computer }) } : { target }
}

const refusal = (ack: Ack): string => {
  const { code, meta } = ack[0] as { readonly code?: number; readonly meta?: { readonly error_code: number } }
  return meta === undefined ? String(code ?? "ok") : `${meta.error_code} result`
}

/** How a Computer of these tests answers. */
export const echo = (slot: number, event: string): Ack => [{ from: slot, event }, "second", null]

const listed = (state: State, office: string) => ({
  sessions: members(state, office).map((slot) => {
    const session = state.sessions[slot]!
    const { name, role, sid } = session
    const { version } = rulesFor(session)
    return { sid, name, role, office_id: office, ...(version && { a2c_version: version }) }
  }),
  req_id: "list"
})

/** What a peer speaks that chooses by number. */
export const speaksOf = (spoken: ReadonlyArray<Speaks>, choice: number): Speaks => spoken[choice % spoken.length]!

/** Everything that may follow a command: one outcome, or one for each order of what happens at once. */
export const step = (state: State, command: Command, spoken: ReadonlyArray<Speaks>): ReadonlyArray<Outcome> => {
  const { slot } = command
  const session = state.sessions[slot]
  const connected = command._tag === "Connect" ? { sid: "?", speaks: speaksOf(spoken, command.speaks) } : undefined
  if (session === undefined) {
    return connected === undefined
      ? [{ ...nothing, state, label: "nobody there" }]
      : [{ ...nothing, state: set(state, slot, connected), label: "connect" }]
  }
  const rules = rulesFor(session)
  const acked = (ack: Ack): Shown["acks"] => "acked" in command && !command.acked ? {} : { [slot]: ack }
  switch (command._tag) {
    case "Connect":
      return [{ ...nothing, ...disconnect(state, slot), label: "reconnect" }].map((outcome) => ({
        ...outcome,
        state: set(outcome.state, slot, connected)
      }))
    case "Disconnect":
      return [{ ...nothing, ...disconnect(state, slot), label: "disconnect" }]
    case "Join": {
      const joined = join(state, command)
      return [{ ...joined, acks: acked(joined.ack) }]
    }
    case "JoinAgain": {
      const { name = "x", office = "R1", role = "computer" } = session
      const joined = join(state, { slot, role, name, office })
      return [{ ...joined, acks: acked(joined.ack) }]
    }
    case "JoinBoth":
      return joinBoth(state, command)
    case "JoinMalformed":
      return [{ ...nothing, state, acks: { [slot]: refused(rules, 400) }, label: "join 400" }]
    case "Leave": {
      const left = vacate(state, slot)
      const label = session.office === undefined
        ? "leave nothing"
        : session.office === officeOf(state, command.office)
        ? "leave"
        : "leave under a foreign id"
      return [{ ...left, acks: acked(ok(rules)), label }]
    }
    case "List": {
      const office = officeOf(state, command.office)
      const ack = session.office === undefined
        ? flat(4103)
        : session.office === office
        ? [listed(state, office)]
        : flat(4104, { office_id: office })
      return [{ ...nothing, state, acks: { [slot]: ack }, label: `list ${refusal(ack)}` }]
    }
    case "Call":
    case "CallOfOneThatGoes":
    case "CallByOneThatGoes":
      return [call(state, command)]
    case "Update": {
      const event = `notify:update_${command.what}`
      const exists = !rules.lacks.includes(`server:update_${command.what}`)
      const heard = exists && session.office !== undefined && session.role === "computer"
        ? tell(state, session, slot, event, { computer: session.name })
        : {}
      return [{ state, acks: acked([]), heard, label: Object.keys(heard).length > 0 ? "update" : "update unheard" }]
    }
    case "Cancel": {
      const heard = session.office !== undefined && session.role === "agent"
        ? tell(state, session, slot, "notify:tool_call_cancel", { agent: session.name, req_id: "c1" })
        : {}
      return [{ state, acks: acked([]), heard, label: Object.keys(heard).length > 0 ? "cancel" : "cancel unheard" }]
    }
  }
}

const joinBoth = (
  state: State,
  command: Command & { readonly _tag: "JoinBoth" }
): ReadonlyArray<Outcome> => {
  const { other, otherName, slot } = command
  const one: JoinRequest = command
  const two: JoinRequest = { ...command, slot: other, name: otherName }
  if (other === slot || state.sessions[other] === undefined) {
    const joined = join(state, one)
    return [{ ...joined, acks: { [slot]: joined.ack } }]
  }
  return [[one, two] as const, [two, one] as const].map(([first, second]) => {
    const earlier = join(state, first)
    const later = join(earlier.state, second)
    return {
      state: later.state,
      acks: { [first.slot]: earlier.ack, [second.slot]: later.ack },
      heard: merge(earlier.heard, later.heard),
      label: `at once: ${[earlier.label, later.label].sort().join(", ")}`
    }
  })
}

const call = (
  state: State,
  command: Command & { readonly _tag: "Call" | "CallOfOneThatGoes" | "CallByOneThatGoes" }
): Outcome => {
  const { computer, event, slot } = command
  const rules = rulesFor(state.sessions[slot]!)
  if (rules.lacks.includes(event)) return { ...nothing, state, acks: { [slot]: [] }, label: "call, no such event" }
  const way = route(state, slot, computer)
  if ("ack" in way) {
    const ack = event === "client:tool_call" ? toolCallRefused(rules, way.ack) : way.ack
    return { ...nothing, state, acks: { [slot]: ack }, label: `call ${refusal(ack)}` }
  }
  const { target } = way
  const routed = { routed: target }
  switch (command._tag) {
    case "Call":
      return { ...nothing, ...routed, state, acks: { [slot]: echo(target, event) }, label: "call" }
    case "CallOfOneThatGoes": {
      const left = command.how === "leaves" ? vacate(state, target) : disconnect(state, target)
      const notFound = flat(404, { computer_name: computer })
      const ack = event === "client:tool_call" ? toolCallRefused(rules, notFound) : notFound
      const cancel = command.how === "leaves" && event === "client:tool_call" ? cancelled(state, slot, target) : {}
      return {
        ...left,
        ...routed,
        heard: merge(cancel, left.heard),
        acks: { [slot]: ack },
        label: `call, it ${command.how}`
      }
    }
    case "CallByOneThatGoes": {
      const left = disconnect(state, slot)
      const cancel = event === "client:tool_call" ? cancelled(state, slot, target) : {}
      return { ...left, ...routed, heard: merge(cancel, left.heard), acks: {}, label: "call, the caller goes" }
    }
  }
}

const cancelled = (state: State, slot: number, target: number): Shown["heard"] => ({
  [target]: [["notify:tool_call_cancel", { agent: state.sessions[slot]!.name, req_id: "r1" }]]
})
