/**
 * What the cases of the conformance suite are made of: a rule, the stage it is
 * played on, and what is expected of frames.
 */
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as ErrorPayload from "../../protocol/ErrorPayload.ts"
import { isRecord } from "../../protocol/Json.ts"
import type { Revision } from "../../protocol/Revision.ts"
import { ConformanceFailure, ConformanceSkip } from "./conformanceFailure.ts"
import * as RawFrame from "./rawFrame.ts"
import type { RawFailure, Response } from "./rawPeer.ts"

// -----------------------------------------------------------------------------
// Models
// -----------------------------------------------------------------------------

/** How binding a rule is: whoever breaks a `should` is told, and passes. */
export type Level = "must" | "should"

/** What a WebSocket handshake led to. */
export interface UpgradeAnswer extends Response {
  /** The code of a close frame, when the socket was opened (status 101) and then closed. */
  readonly closeCode: number | undefined
}

/** Where a suite runs and as whom. */
export interface Harness {
  /** Where the Server is: `http://host:port`. */
  readonly url: string
  /** The revision to check against; it is the one announced, too. */
  readonly revision: Revision
  /** Where Socket.IO listens. Default: `/socket.io`. */
  readonly path?: string | undefined
  /** Sent as `token` of the `auth` object. */
  readonly apiKey?: Redacted.Redacted | undefined
  /** More fields of the `auth` object. */
  readonly auth?: Readonly<Record<string, unknown>> | undefined
  /** Headers of every request. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** The Computer that the cases about Computers are about. */
  readonly computer?: {
    readonly name: string
    readonly office: string
    /** A tool that may really be called, with no parameters. */
    readonly call?: string | undefined
  } | undefined
  /** How long to wait for what has to come, in milliseconds. Default: 5000. */
  readonly patience?: number | undefined
  /**
   * Asks for a WebSocket at this URL and tells the answer. `fetch` cannot; without it the cases about the upgrade are
   * skipped.
   */
  readonly upgrade?: ((url: string) => Effect.Effect<UpgradeAnswer, ConformanceFailure>) | undefined
}

/** What a case plays on: fresh names, and what it wants to tell although it passes. */
export interface Stage {
  readonly harness: Harness
  readonly revision: Revision
  /** Milliseconds. */
  readonly patience: number
  /** How every name of this case begins. */
  readonly prefix: string
  /** A name that nobody else has, for an office or a peer. */
  readonly fresh: (what: string) => string
  readonly remark: (text: string) => Effect.Effect<void>
}

/** How the names of a case begin, by something that no other case has. */
export const prefixOf = (unique: string): string => `conformance-${unique}-`

/** Whether a text has a name of some case in it. */
export const mentionsCase = (text: string): boolean => /"conformance-[0-9a-f]{8}-/.test(text)

/** What a case may end with. */
export type RuleError = ConformanceFailure | ConformanceSkip | RawFailure

/** One rule of the protocol and how to see whether a peer keeps it. */
export interface Rule {
  readonly id: string
  readonly title: string
  /** Where the protocol says it: a document of the specification and what it is under there. */
  readonly section: string
  readonly level: (revision: Revision) => Level
  readonly appliesTo: (revision: Revision) => boolean
  readonly run: (stage: Stage) => Effect.Effect<unknown, RuleError, Scope.Scope>
}

/** Makes a rule. By default it is a `must` of every revision. */
export const rule = (
  options: Pick<Rule, "id" | "title" | "section" | "run"> & {
    readonly level?: Level | ((revision: Revision) => Level) | undefined
    readonly appliesTo?: ((revision: Revision) => boolean) | undefined
  }
): Rule => {
  const { appliesTo, level = "must", ...rest } = options
  return {
    ...rest,
    level: typeof level === "function" ? level : () => level,
    appliesTo: appliesTo ?? (() => true)
  }
}

/** Whether joins are acknowledged with nothing or a flat error, which came with the strict room model. */
export const hasStrictRooms = ({ joinAck }: Revision): boolean => joinAck === "payload"

/** What the strict room model demands and earlier texts leave open. */
export const mustInStrictRooms = (revision: Revision): Level => hasStrictRooms(revision) ? "must" : "should"

/** Whether an office has room for several Computers. */
export const hasSeveralComputers = ({ computersPerOffice }: Revision): boolean => computersPerOffice > 1

// -----------------------------------------------------------------------------
// Expectations
// -----------------------------------------------------------------------------

const LONGEST = 600

const shorten = (text: string): string => text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text

/** A value as JSON, for people. */
export const show = (value: unknown): string => shorten(JSON.stringify(value) ?? "undefined")

/** Fails with what was expected and what was there. */
export const fail = (message: string, expected?: string, actual?: string) =>
  Effect.fail(
    new ConformanceFailure({
      message,
      ...(expected === undefined ? {} : { expected: shorten(expected) }),
      ...(actual === undefined ? {} : { actual: shorten(actual) })
    })
  )

/** Ends the case: it cannot tell anything here. */
export const skip = (reason: string) => Effect.fail(new ConformanceSkip({ reason }))

/** Fails unless it holds. */
export const ensure = (holds: boolean, message: string, expected?: string, actual?: string) =>
  holds ? Effect.void : fail(message, expected, actual)

/** Fails unless both say the same in JSON, whatever the order of keys. */
export const expectEqual = (what: string, actual: unknown, expected: unknown) =>
  ensure(
    RawFrame.canonicalJson(actual) === RawFrame.canonicalJson(expected),
    `${what} is another one`,
    show(expected),
    show(actual)
  )

/** Fails unless the acknowledgement has exactly these arguments. Frames are told as acknowledgements of id 0. */
export const expectAck = (what: string, actual: ReadonlyArray<unknown>, expected: ReadonlyArray<unknown>) =>
  ensure(
    RawFrame.canonicalJson(actual) === RawFrame.canonicalJson(expected),
    `${what} is acknowledged otherwise`,
    RawFrame.ack(0, expected),
    RawFrame.ack(0, actual)
  )

/** Fails unless the acknowledgement is one argument, and it is a JSON object; succeeds with that. */
export const expectObject = Effect.fnUntraced(function*(what: string, args: ReadonlyArray<unknown>) {
  const [first] = args
  if (args.length === 1 && isRecord(first)) return first
  return yield* fail(`${what} is not answered with one object`, RawFrame.ack(0, [{}]), RawFrame.ack(0, args))
})

/** Fails unless the acknowledgement is one flat error with this code; succeeds with it. */
export const expectFlatError = Effect.fnUntraced(function*(
  what: string,
  args: ReadonlyArray<unknown>,
  code: number,
  details?: Readonly<Record<string, unknown>>
) {
  const [payload] = args
  const wanted = { code, message: "…", ...(details === undefined ? {} : { details }) }
  const isWanted = args.length === 1 && ErrorPayload.is(payload) && payload.code === code &&
    typeof payload["message"] === "string"
  if (!isWanted) {
    return yield* fail(`${what} is not refused with ${code}`, RawFrame.ack(0, [wanted]), RawFrame.ack(0, args))
  }
  const given = payload["details"] as Readonly<Record<string, unknown>> | undefined
  for (const [key, value] of Object.entries(details ?? {})) {
    if (given?.[key] !== value) {
      return yield* fail(`${what}: details.${key} of the refusal`, RawFrame.ack(0, [wanted]), RawFrame.ack(0, args))
    }
  }
  return payload
})

/** Whether an acknowledgement says that a request failed: one flat error, or a tool result with `isError`. */
export const isError = (args: ReadonlyArray<unknown>): boolean =>
  args.length === 1 &&
  (ErrorPayload.is(args[0]) || (args[0] as { readonly isError?: unknown } | null | undefined)?.isError === true)

/** Fails unless the acknowledgement says that the request failed. */
export const expectError = (what: string, args: ReadonlyArray<unknown>) =>
  ensure(isError(args), `${what} is not refused`, "one flat error", RawFrame.ack(0, args))
