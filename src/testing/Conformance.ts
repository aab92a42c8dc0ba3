/**
 * What a Server, and a Computer in an office, have to do on the wire, as data:
 * each case is one rule of the protocol with the place where the protocol says
 * it. The cases speak Engine.IO long-polling and Socket.IO packets as text, by
 * the global `fetch` and nothing else, so they can be pointed at any
 * implementation, also one in use: offices and names are new for every case, no
 * wait is without a deadline, and what a case opened it closes.
 *
 * ```ts
 * const harness = { url: "http://127.0.0.1:7000", revision: Revision.defaultRevision }
 * for (const one of Conformance.casesFor(harness)) {
 *   it.live(one.title, () => Conformance.check(one, harness))
 * }
 * ```
 *
 * `smcp conformance` does the same at a terminal.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import * as Ack from "../protocol/Ack.ts"
import * as ErrorPayload from "../protocol/ErrorPayload.ts"
import type { Revision } from "../protocol/Revision.ts"
import * as ServerEvent from "../protocol/ServerEvent.ts"
import * as SmcpError from "../protocol/SmcpError.ts"
import * as actors from "./internal/conformanceActors.ts"
import { computerContentRules } from "./internal/conformanceComputerContent.ts"
import { computerToolRules } from "./internal/conformanceComputerTools.ts"
import { ConformanceFailure, ConformanceSkip } from "./internal/conformanceFailure.ts"
import { handshakeRules } from "./internal/conformanceHandshake.ts"
import { type Harness, type Level, prefixOf, type Rule, type RuleError, type Stage } from "./internal/conformanceKit.ts"
import { membershipRules } from "./internal/conformanceMembership.ts"
import { notificationRules } from "./internal/conformanceNotifications.ts"
import { refusalRules } from "./internal/conformanceRefusals.ts"
import { relayRules } from "./internal/conformanceRelay.ts"
import { seatRules } from "./internal/conformanceSeats.ts"
import * as RawFrame from "./internal/rawFrame.ts"
import * as RawPeer from "./internal/rawPeer.ts"

export { ConformanceFailure } from "./internal/conformanceFailure.ts"
export type { Harness, Level, UpgradeAnswer } from "./internal/conformanceKit.ts"

// -----------------------------------------------------------------------------
// Models
// -----------------------------------------------------------------------------

/** One rule of the protocol. */
export interface Case {
  /** Stable, in parts from the general to the special: `relay.get_tools.unknown-keys`. */
  readonly id: string
  /** What has to be, as a sentence. */
  readonly title: string
  /** Where the protocol says it: a document of the specification and what it is under there. */
  readonly section: string
  /** Who is checked. */
  readonly subject: "server" | "computer"
  /** How binding it is in a revision: breaking a `should` is a warning. */
  readonly level: (revision: Revision) => Level
  readonly appliesTo: (revision: Revision) => boolean
}

/** How a case ended. `message`, `expected` and `actual` are for people; frames stand in them as they travel. */
export type Outcome =
  | { readonly _tag: "Passed"; readonly remarks: ReadonlyArray<string> }
  | Broken<"Failed">
  /** A `should` was broken. */
  | Broken<"Warned">
  | { readonly _tag: "Skipped"; readonly reason: string }

/** A rule that is not kept. */
export interface Broken<Tag extends string> {
  readonly _tag: Tag
  readonly message: string
  readonly expected: string | undefined
  readonly actual: string | undefined
}

/** A case, how it ended, and how long it took. */
export interface Report {
  readonly case: Case
  readonly level: Level
  readonly outcome: Outcome
  readonly millis: number
}

/** Options of {@link run}. */
export interface RunOptions {
  /** Which cases to run. Default: all that apply. */
  readonly cases?: ReadonlyArray<Case> | undefined
  /** How many at once. Cases about a Computer share one seat and run one by one. Default: 4. */
  readonly concurrency?: number | undefined
}

// -----------------------------------------------------------------------------
// Cases
// -----------------------------------------------------------------------------

const rules = new Map<Case, Rule>()

const casesOf = (subject: Case["subject"], some: ReadonlyArray<Rule>): ReadonlyArray<Case> =>
  some.map((rule) => {
    const { appliesTo, id, level, section, title } = rule
    const one: Case = { id, title, section, subject, level, appliesTo }
    rules.set(one, rule)
    return one
  })

/** Every case, of every revision. */
export const cases: ReadonlyArray<Case> = [
  ...casesOf("server", [
    ...handshakeRules,
    ...membershipRules,
    ...seatRules,
    ...notificationRules,
    ...relayRules,
    ...refusalRules
  ]),
  ...casesOf("computer", [...computerToolRules, ...computerContentRules])
]

/** The cases of the harness's revision: about its Computer when it names one, about the Server otherwise. */
export const casesFor = ({ computer, revision }: Harness): ReadonlyArray<Case> => {
  const subject = computer === undefined ? "server" : "computer"
  return cases.filter((one) => one.subject === subject && one.appliesTo(revision))
}

// -----------------------------------------------------------------------------
// Running
// -----------------------------------------------------------------------------

/** Runs one case. It always ends, within half a minute, and never fails: how it ended is in the report. */
export const runCase = Effect.fnUntraced(function*(one: Case, harness: Harness): Effect.fn.Return<Report> {
  const level = one.level(harness.revision)
  const remarks: Array<string> = []
  const start = yield* Clock.currentTimeMillis
  const outcome = yield* playOn(one, stageOf(harness, remarks)).pipe(
    Effect.match({
      onFailure: (error): Outcome => brokenBy(error, level),
      onSuccess: (): Outcome => ({ _tag: "Passed", remarks })
    })
  )
  const millis = (yield* Clock.currentTimeMillis) - start
  return { case: one, level, outcome: withoutSecrets(harness, outcome), millis }
})

/** Runs cases; reports come as they end. */
export const run = (harness: Harness, options: RunOptions = {}): Stream.Stream<Report> => {
  const some = options.cases ?? casesFor(harness)
  return Stream.mapEffect(Stream.fromIterable(some), (one) => runCase(one, harness), {
    concurrency: harness.computer === undefined ? options.concurrency ?? 4 : 1,
    unordered: true
  })
}

/** Runs one case as a test: fails when a `must` is broken. A `should` that is broken, or a skipped case, succeeds. */
export const check = (one: Case, harness: Harness): Effect.Effect<Outcome, ConformanceFailure> =>
  Effect.flatMap(runCase(one, harness), ({ outcome }) => {
    if (outcome._tag !== "Failed") return Effect.succeed(outcome)
    const { actual, expected, message } = outcome
    const where = expected === undefined ? "" : `: expected ${expected}, got ${actual ?? "nothing"}`
    return Effect.fail(new ConformanceFailure({ message: `${one.id}: ${message}${where}` }))
  })

/**
 * Whether the Server can be reached and lets the harness in, and the office of the Computer has a seat for its Agent.
 * Fails as a client would: `NotConnected`, `ProtocolVersionMismatch`, `BadRequest`, `AuthenticationRejected`; `RoomFull`
 * or `JoinRefused` where the seat is taken.
 */
export const reach = (harness: Harness): Effect.Effect<void, SmcpError.SmcpError> =>
  Effect.gen(function*() {
    const stage = stageOf(harness, [])
    const response = yield* RawPeer.request(RawPeer.handshakeUrl(harness, actors.versionQuery(harness.revision)), {
      headers: harness.headers
    })
    if (response.status === 400) {
      const body = RawFrame.fromJson(response.body)
      if (ErrorPayload.is(body) && body.code >= 400) return yield* Effect.fail(SmcpError.fromPayload(body))
    }
    const peer = yield* actors.engine(stage)
    const answer = yield* actors.openNamespace(peer, stage)
    if (answer?.type === "40") return yield* takeSeat(harness, { ...peer, session: "", stage })
    if (answer === undefined) return yield* unreachable(harness, "the namespace /smcp is not answered")
    const { data, message } = (answer.data ?? {}) as { readonly data?: unknown; readonly message?: unknown }
    return yield* Effect.fail(
      ErrorPayload.is(data) && data.code !== 401 && data.code !== 403 ? SmcpError.fromPayload(data) : SmcpError.make(
        new SmcpError.AuthenticationRejected({ message: typeof message === "string" ? message : "The Server refused" })
      )
    )
  }).pipe(
    Effect.scoped,
    Effect.catchTag(["RawFailure", "ConformanceFailure"], ({ message }) => unreachable(harness, message))
  )

/** Where a Computer is to be checked, its office is tried. */
const takeSeat = Effect.fnUntraced(function*({ computer }: Harness, actor: actors.Actor) {
  if (computer === undefined) return
  const answer = yield* actors.join(actor, "agent", actor.stage.fresh("agent"), computer.office)
  yield* Ack.read(ServerEvent.JoinOffice, answer)
})

const unreachable = ({ url }: Harness, reason: string) =>
  Effect.fail(
    SmcpError.make(new SmcpError.NotConnected({ message: `Cannot reach an A2C-SMCP Server at ${url}: ${reason}` }))
  )

// -----------------------------------------------------------------------------
// Internal
// -----------------------------------------------------------------------------

const CASE_DEADLINE = "25 seconds"
const PATIENCE_MILLIS = 5000
const SHORT_KEY = 6

const stageOf = (harness: Harness, remarks: Array<string>): Stage => {
  const prefix = prefixOf(crypto.randomUUID().slice(0, 8))
  let count = 0
  return {
    harness,
    revision: harness.revision,
    patience: harness.patience ?? PATIENCE_MILLIS,
    prefix,
    fresh: (what) => `${prefix}${what}-${++count}`,
    remark: (text) => Effect.sync(() => void (remarks.includes(text) || remarks.push(text)))
  }
}

/** Plays a case to its end: whatever breaks inside is told as a failure, and nothing it opened is left. */
const playOn = (one: Case, stage: Stage): Effect.Effect<unknown, RuleError> =>
  Effect.scoped(Effect.suspend(() => rules.get(one)?.run(stage) ?? unknownCase(one))).pipe(
    Effect.timeoutOrElse({
      duration: CASE_DEADLINE,
      orElse: () => Effect.fail(new ConformanceFailure({ message: `Did not end within ${CASE_DEADLINE}` }))
    }),
    Effect.catchDefect((defect) =>
      Effect.fail(
        new ConformanceFailure({ message: `The answer could not be read: ${Cause.pretty(Cause.die(defect))}` })
      )
    )
  )

const unknownCase = ({ id }: Case) => Effect.fail(new ConformanceSkip({ reason: `${id} is no case of this suite` }))

const brokenBy = (error: RuleError, level: Level): Outcome => {
  if (error._tag === "ConformanceSkip") return { _tag: "Skipped", reason: error.reason }
  const { actual, expected, message } = error._tag === "RawFailure"
    ? { message: `The connection broke: ${error.message}`, expected: undefined, actual: undefined }
    : error
  return { _tag: level === "must" ? "Failed" : "Warned", message, expected, actual }
}

/** A Server might give back what it was shown. */
const withoutSecrets = ({ apiKey }: Harness, outcome: Outcome): Outcome => {
  const key = apiKey === undefined ? "" : Redacted.value(apiKey)
  if (key === "") return outcome
  // A key of a few letters is also a part of words.
  const [shown, hidden] = key.length < SHORT_KEY ? [JSON.stringify(key), "\"***\""] : [key, "***"]
  const clean = <A extends string | undefined>(text: A): A => text?.replaceAll(shown, hidden) as A
  switch (outcome._tag) {
    case "Passed":
      return { ...outcome, remarks: outcome.remarks.map(clean) }
    case "Skipped":
      return { ...outcome, reason: clean(outcome.reason) }
    case "Failed":
    case "Warned":
      return {
        ...outcome,
        message: clean(outcome.message),
        expected: clean(outcome.expected),
        actual: clean(outcome.actual)
      }
  }
}
