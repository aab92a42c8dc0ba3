/**
 * The life of one MCP server as a pure function: what it is doing, what happens to it, and what has to be done about it.
 *
 * There is at most one connection at a time: a new one is made only after the one before has `Ended`.
 */

// -----------------------------------------------------------------------------
// Models
// -----------------------------------------------------------------------------

/** What a connection is made for: to stay, or only to learn which tools there are. */
export type Purpose = "serve" | "learn"

interface Off {
  readonly _tag: "Off"
  readonly why: "Stopped" | "Disabled"
}

interface Idle {
  readonly _tag: "Idle"
  /** Why the last start failed. */
  readonly problem: string | undefined
}

interface Waiting {
  readonly _tag: "Waiting"
  /** Counts the attempts after a failure, from 1. */
  readonly attempt: number
  readonly purpose: Purpose
  readonly reason: string
}

interface AuthorizationRequired {
  readonly _tag: "AuthorizationRequired"
  readonly reason: string
}

interface Failed {
  readonly _tag: "Failed"
  readonly reason: string
}

interface Connect {
  readonly _tag: "Connect"
  /** How often it failed in a row. */
  readonly failures: number
  readonly purpose: Purpose
}

/** What a server does that has no connection. */
type Resting = Off | Idle | Waiting | AuthorizationRequired | Failed

/** What a server does. */
export type Phase =
  | Resting
  | { readonly _tag: "Connecting"; readonly id: number; readonly failures: number; readonly purpose: Purpose }
  | {
    readonly _tag: "Connected"
    readonly id: number
    readonly failures: number
    /** The ticket of the configuration that is rendered for a restart; this connection serves until it is. */
    readonly preparing: number | undefined
    /** Why a restart could not be prepared. */
    readonly outdated: string | undefined
  }
  /** The connection is being ended; `next` is what counts, and what comes when it is gone. */
  | { readonly _tag: "Ending"; readonly id: number; readonly next: Resting | Connect }

/** The state of one server. */
export interface State {
  readonly phase: Phase
  /** The number of the next connection or ticket. */
  readonly serial: number
}

/** How a connection was lost, or could not be made. */
export interface Loss {
  /** Whether it may work the next time, never will as it is, or wants a login first. */
  readonly kind: "transient" | "permanent" | "authorization"
  readonly reason: string
}

/** What happens to a server. */
export type Event =
  /** It is to run. */
  | { readonly _tag: "Start" }
  /** It is switched on: it is to run, or to be idle. */
  | { readonly _tag: "Enable" }
  | { readonly _tag: "Stop"; readonly why: Off["why"] }
  | { readonly _tag: "Restart" }
  /** It has another configuration. */
  | { readonly _tag: "Change" }
  /** A call needs it. */
  | { readonly _tag: "Demand" }
  | { readonly _tag: "Prepared"; readonly ticket: number }
  | { readonly _tag: "Unprepared"; readonly ticket: number; readonly reason: string }
  | { readonly _tag: "Connected"; readonly id: number }
  | { readonly _tag: "Lost"; readonly id: number; readonly loss: Loss }
  /** Nothing is left of a connection. */
  | { readonly _tag: "Ended"; readonly id: number }
  /** The time of waiting is over. */
  | { readonly _tag: "Due" }
  /** It has proved to be well. */
  | { readonly _tag: "Healthy"; readonly id: number }
  /** No call has used it for long. */
  | { readonly _tag: "Unused"; readonly id: number }

/** What has to be done, in this order. */
export type Action =
  | { readonly _tag: "Connect"; readonly id: number }
  | { readonly _tag: "Disconnect"; readonly id: number }
  /** Renders the configuration and answers with `Prepared` or `Unprepared`; replaces an earlier one. */
  | { readonly _tag: "Prepare"; readonly ticket: number }
  | { readonly _tag: "Unprepare" }
  /** `Due` comes after the delay of this attempt. */
  | { readonly _tag: "Schedule"; readonly attempt: number }
  | { readonly _tag: "Unschedule" }

/** What differs between servers. */
export interface Policy {
  /** How often a server that failed is tried again. */
  readonly tries: number
  /** Whether it runs only when a call needs it. */
  readonly lazy: boolean
  /** Whether its tools are known, so that it can be idle. */
  readonly isKnown: boolean
}

/** What comes of an event. */
export interface Step {
  readonly state: State
  readonly actions: ReadonlyArray<Action>
}

// -----------------------------------------------------------------------------
// The function
// -----------------------------------------------------------------------------

/** A server before anything has happened to it. */
export const initial = (why: Off["why"]): State => ({ phase: { _tag: "Off", why }, serial: 1 })

/** What comes of an event. One that comes too late, or says nothing new, changes nothing. */
export const step = (state: State, event: Event, policy: Policy): Step => {
  switch (event._tag) {
    case "Start":
      return begin(state, { _tag: "Connect", failures: 0, purpose: "serve" })
    case "Enable":
      return enable(state, policy)
    case "Stop":
      return rest(state, { _tag: "Off", why: event.why })
    case "Restart":
      return restart(state)
    case "Change":
      return change(state)
    case "Demand":
      return demand(state, policy)
    case "Prepared":
    case "Unprepared":
      return prepared(state, event)
    case "Connected":
      return connected(state, event.id)
    case "Lost":
      return lost(state, event.id, event.loss, policy)
    case "Ended":
      return ended(state, event.id)
    case "Due":
      return due(state)
    case "Healthy":
      return same(
        state,
        state.phase,
        (phase) => phase._tag === "Connected" && phase.id === event.id ? { ...phase, failures: 0 } : phase
      )
    case "Unused":
      return state.phase._tag === "Connected" && state.phase.id === event.id && state.phase.preparing === undefined
        ? rest(state, { _tag: "Idle", problem: undefined })
        : { state, actions: [] }
  }
}

// -----------------------------------------------------------------------------
// Internal
// -----------------------------------------------------------------------------

const same = (state: State, phase: Phase, change: (phase: Phase) => Phase = (each) => each): Step => {
  const next = change(phase)
  return { state: next === state.phase ? state : { ...state, phase: next }, actions: [] }
}

/** Ends what belongs to the phase apart from a connection. */
const leave = (phase: Phase): ReadonlyArray<Action> => {
  if (phase._tag === "Waiting" || (phase._tag === "Ending" && phase.next._tag === "Waiting")) {
    return [{ _tag: "Unschedule" }]
  }
  return phase._tag === "Connected" && phase.preparing !== undefined ? [{ _tag: "Unprepare" }] : []
}

const connect = ({ phase, serial }: State, { failures, purpose }: Connect): Step => ({
  state: { phase: { _tag: "Connecting", id: serial, failures, purpose }, serial: serial + 1 },
  actions: [...leave(phase), { _tag: "Connect", id: serial }]
})

/** Ends a connection, if there is one, and goes on from there. */
const end = (state: State, to: Resting | Connect): Step => {
  const { phase } = state
  switch (phase._tag) {
    case "Connecting":
    case "Connected":
      return {
        state: { ...state, phase: { _tag: "Ending", id: phase.id, next: to } },
        actions: [...leave(phase), { _tag: "Disconnect", id: phase.id }]
      }
    case "Ending":
      return { state: { ...state, phase: { ...phase, next: to } }, actions: leave(phase) }
    default:
      return to._tag === "Connect"
        ? connect(state, to)
        : { state: { ...state, phase: to }, actions: leave(phase) }
  }
}

const rest = (state: State, resting: Resting): Step => end(state, resting)

/** Makes a connection, unless there is one or will be. */
const begin = (state: State, wanted: Connect): Step => {
  const { phase } = state
  if (phase._tag === "Connected") return same(state, phase)
  if (phase._tag === "Connecting") {
    return same(state, phase, () => phase.purpose === wanted.purpose ? phase : { ...phase, purpose: "serve" })
  }
  if (phase._tag === "Ending" && phase.next._tag === "Connect") {
    const { next } = phase
    return same(state, { ...phase, next: next.purpose === "serve" ? next : { ...next, purpose: wanted.purpose } })
  }
  return end(state, wanted)
}

const enable = (state: State, { isKnown, lazy }: Policy): Step => {
  const { phase } = state
  const isOff = phase._tag === "Off" || (phase._tag === "Ending" && phase.next._tag === "Off")
  if (!isOff) return same(state, phase)
  return lazy && isKnown
    ? rest(state, { _tag: "Idle", problem: undefined })
    : end(state, { _tag: "Connect", failures: 0, purpose: lazy ? "learn" : "serve" })
}

const restart = (state: State): Step => {
  const { phase, serial } = state
  if (phase._tag === "Connected") {
    return {
      state: { phase: { ...phase, preparing: serial }, serial: serial + 1 },
      actions: [{ _tag: "Prepare", ticket: serial }]
    }
  }
  return end(state, { _tag: "Connect", failures: 0, purpose: "serve" })
}

const change = (state: State): Step => {
  const { phase } = state
  const effective = phase._tag === "Ending" ? phase.next : phase
  if (effective._tag === "Off") return same(state, phase)
  // what is idle may have other tools now
  if (effective._tag === "Idle") return end(state, { _tag: "Connect", failures: 0, purpose: "learn" })
  if ("purpose" in effective) return end(state, { _tag: "Connect", failures: 0, purpose: effective.purpose })
  return restart(state)
}

const demand = (state: State, { lazy }: Policy): Step => {
  const { phase } = state
  const effective = phase._tag === "Ending" ? phase.next : phase
  const isWanted = effective._tag === "Idle" || (effective._tag === "Failed" && lazy) ||
    ("purpose" in effective && effective.purpose === "learn" && effective._tag !== "Waiting")
  return isWanted ? begin(state, { _tag: "Connect", failures: 0, purpose: "serve" }) : same(state, phase)
}

const prepared = (state: State, event: Extract<Event, { readonly _tag: "Prepared" | "Unprepared" }>): Step => {
  const { phase } = state
  if (phase._tag !== "Connected" || phase.preparing !== event.ticket) return same(state, phase)
  const served: Phase = { ...phase, preparing: undefined }
  return event._tag === "Unprepared"
    ? same(state, { ...served, outdated: event.reason })
    : end({ ...state, phase: served }, { _tag: "Connect", failures: 0, purpose: "serve" })
}

const connected = (state: State, id: number): Step => {
  const { phase } = state
  if (phase._tag !== "Connecting" || phase.id !== id) return same(state, phase)
  return phase.purpose === "learn"
    ? rest(state, { _tag: "Idle", problem: undefined })
    : same(state, { _tag: "Connected", id, failures: phase.failures, preparing: undefined, outdated: undefined })
}

const lost = (state: State, id: number, { kind, reason }: Loss, policy: Policy): Step => {
  const { phase } = state
  if ((phase._tag !== "Connecting" && phase._tag !== "Connected") || phase.id !== id) return same(state, phase)
  const after = (next: Resting | Connect, actions: ReadonlyArray<Action> = []): Step => ({
    state: { ...state, phase: { _tag: "Ending", id, next } },
    actions: [...leave(phase), ...actions]
  })
  if (phase._tag === "Connected" && phase.preparing !== undefined) {
    return after({ _tag: "Connect", failures: 0, purpose: "serve" })
  }
  if (kind === "authorization") return after({ _tag: "AuthorizationRequired", reason })
  if (policy.lazy && policy.isKnown) return after({ _tag: "Idle", problem: reason })
  if (kind === "permanent" || phase.failures >= policy.tries) return after({ _tag: "Failed", reason })
  const attempt = phase.failures + 1
  const purpose = phase._tag === "Connecting" ? phase.purpose : "serve"
  return after({ _tag: "Waiting", attempt, purpose, reason }, [{ _tag: "Schedule", attempt }])
}

const ended = (state: State, id: number): Step => {
  const { phase } = state
  if (!("id" in phase) || phase.id !== id) return same(state, phase)
  if (phase._tag !== "Ending") return same(state, { _tag: "Failed", reason: "its supervision ended" })
  const { next } = phase
  return next._tag === "Connect"
    ? connect({ ...state, phase: { _tag: "Off", why: "Stopped" } }, next)
    : same(state, next)
}

const due = (state: State): Step => {
  const { phase } = state
  const retry = ({ attempt, purpose }: Waiting): Connect => ({ _tag: "Connect", failures: attempt, purpose })
  if (phase._tag === "Waiting") {
    return { ...connect({ ...state, phase: { _tag: "Off", why: "Stopped" } }, retry(phase)) }
  }
  return phase._tag === "Ending" && phase.next._tag === "Waiting"
    ? same(state, { ...phase, next: retry(phase.next) })
    : same(state, phase)
}
