/**
 * The lines above the prompt: servers, office, and the calls that are running.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { McpManager, type ServerStatus } from "../../../computer/McpManager.ts"
import { type RunningCall, ToolCalls } from "../../../computer/ToolCalls.ts"
import * as Background from "../../../transport/Background.ts"
import { oneLine } from "../../internal/failure.ts"
import { Office, type OfficeState } from "../Office.ts"
import type { Services } from "../Session.ts"
import { type Page, type Tone, toned } from "../View.ts"
import { connectionWord, seatWord } from "./officeCommands.ts"
import { duration } from "./serverView.ts"
import type { Terminal } from "./terminal.ts"
import { progressText } from "./toolCommands.ts"

const FRAMES = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"]
const TICK = "120 millis"
const MOST_CALLS = 4

/** What runs in the foreground; undefined when the prompt waits. */
export interface Foreground {
  readonly text: string
  /** In milliseconds since 1970. */
  readonly since: number
}

/** Keeps the status of a terminal up to date. */
export const keep = Effect.fnUntraced(function*(
  terminal: Terminal,
  page: () => Page,
  foreground: () => Foreground | undefined
): Effect.fn.Return<void, never, Services | Scope.Scope> {
  const manager = yield* McpManager
  const calls = yield* ToolCalls
  const office = yield* Office
  let frame = 0
  let busy = false
  const draw = Effect.gen(function*() {
    const states = yield* manager.states
    const running = yield* calls.running
    const now = yield* Clock.currentTimeMillis
    const running0 = foreground()
    busy = running.length > 0 || running0 !== undefined || states.some(({ state }) => state._tag === "Starting")
    const spinner = FRAMES[frame % FRAMES.length] ?? ""
    terminal.setStatus([
      ...running.slice(0, MOST_CALLS).map((call) => toned(callLine(call, now, spinner), "quiet", page())),
      ...running.length > MOST_CALLS
        ? [toned(`  and ${running.length - MOST_CALLS} more calls`, "quiet", page())]
        : [],
      [
        serversPart(states.map(({ state }) => state._tag), page()),
        officePart(yield* office.state, page()),
        toned(startingPart(states, now, spinner), "waiting", page()),
        running.length === 0 ? "" : `${running.length} ${running.length === 1 ? "call" : "calls"}`,
        running0 === undefined
          ? ""
          : toned(`${spinner} ${running0.text} ${duration(now - running0.since)} (Ctrl-C cancels)`, "waiting", page())
      ].filter((part) => part !== "").join(toned(" · ", "quiet", page()))
    ])
  })
  const changes: ReadonlyArray<Stream.Stream<unknown>> = [manager.changes, calls.changes, office.changes]
  yield* Stream.mergeAll(changes, { concurrency: "unbounded" }).pipe(
    Stream.throttle({ cost: () => 1, units: 1, duration: "50 millis", strategy: "shape" }),
    Stream.runForEach(() => draw),
    Background.fork("Showing the status")
  )
  yield* Effect.sleep(TICK).pipe(
    Effect.andThen(Effect.suspend(() => {
      const wasBusy = busy
      frame++
      return busy || foreground() !== undefined || wasBusy ? draw : Effect.void
    })),
    Effect.forever,
    Background.fork("Moving the status")
  )
})

const callLine = ({ agent, exposedName, progress, since }: RunningCall, now: number, spinner: string): string =>
  [
    `  ${spinner} ${oneLine(exposedName)} for ${oneLine(agent)}, ${duration(now - since)}`,
    progress === undefined ? "" : progressText(progress)
  ].filter((part) => part !== "").join("  ")

const serversPart = (states: ReadonlyArray<string>, page: Page): string => {
  const ready = states.filter((state) => state === "Ready" || state === "Idle").length
  const tone: Tone = states.includes("Failed")
    ? "bad"
    : states.some((state) => state === "Starting" || state === "Waiting" || state === "AuthorizationRequired")
    ? "waiting"
    : "good"
  return states.length === 0
    ? toned("no servers", "quiet", page)
    : toned(`${ready}/${states.length} ${states.length === 1 ? "server" : "servers"}`, tone, page)
}

/** What is being started, how long it has taken, and why it may take long. */
const startingPart = (states: ReadonlyArray<ServerStatus>, now: number, spinner: string): string => {
  const starting = states.flatMap(({ entry, state }) =>
    state._tag === "Starting" ? [{ name: entry.bundleId, ...state }] : []
  )
  const [first, ...others] = starting
  if (first === undefined) return ""
  if (others.length > 0) return `${spinner} starting ${starting.length} servers`
  const hint = first.hint === undefined ? "" : ` (${oneLine(first.hint)})`
  return `${spinner} starting ${oneLine(first.name)} ${duration(now - first.since)}${hint}`
}

const officePart = (state: OfficeState, page: Page): string => {
  if (state.connection === undefined) return toned("no office", "quiet", page)
  const connected = state.connection._tag === "Connected"
  if (state.seat === undefined) return toned(connectionWord(state), connected ? "quiet" : "waiting", page)
  const { name, office } = state.seat
  const word = connected ? seatWord(state) : connectionWord(state)
  return toned(
    `${oneLine(office)} as ${oneLine(name)}${word === "joined" ? "" : ` (${word})`}`,
    word === "joined" ? "good" : "waiting",
    page
  )
}
