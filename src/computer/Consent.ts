/**
 * Consent: which tool calls run, and who says so (specification, Computer: confirmation of tool calls).
 *
 * A call is looked at in this order, and the first that has an opinion decides: a rule of the policy that denies it;
 * `auto_apply: true` in the configuration, which lets it run; a rule of the policy that allows it or wants it asked; the
 * mode. Where a person is to be asked, what they decided for good about this very tool is their answer; their `never` holds
 * in every mode.
 *
 * Nothing that a server says of its tools lets them run where a person is to be asked: the `auto_apply` that counts is that
 * of the configuration. In the mode `read-only`, and for rules with an `annotation`, the server is taken at its word.
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { type Approval, type Approvals, makeApprovals } from "./internal/consent/approvals.ts"
import * as Policy from "./internal/consent/policy.ts"
import { makeQuestions, type Questions, type Reply } from "./internal/consent/questions.ts"
import { programHash, toolHash } from "./internal/consent/toolHash.ts"
import { redactArguments } from "./internal/secrets/argumentRedaction.ts"
import type { McpTool } from "./McpClient.ts"
import type { ServerEntry } from "./ServerEntry.ts"

// -----------------------------------------------------------------------------
// Models
// -----------------------------------------------------------------------------

/** A tool call that is about to run. */
export interface PendingCall {
  readonly requestId: string
  /** Who asks: the Agent's name, or `console`. */
  readonly agent: string
  /** The bundle id of the server. */
  readonly server: string
  /** The name under which the server itself knows the tool. */
  readonly tool: string
  /** The name under which the tool was called. */
  readonly exposedName: string
  readonly args: Readonly<Record<string, unknown>>
  /** The tool as its server describes it now. */
  readonly definition: McpTool
  /** Its server as it is configured. */
  readonly entry: ServerEntry
  /** `auto_apply` of the configuration, `undefined` when it says nothing. */
  readonly autoApply: boolean | undefined
}

/** Whether a call may run. */
export type Verdict = Allowed | Refused

export interface Allowed {
  readonly _tag: "Allowed"
  /** What allowed it, for the records: `auto_apply`, `policy`, `read-only`, `all`, `remembered`, `person`. */
  readonly by: string
}

export interface Refused {
  readonly _tag: "Refused"
  /**
   * What refused it: `policy`, `read-only`, `remembered`, `person`, `nobody` (there is nobody to ask), `timeout` or
   * `failure` (of the one who asks).
   */
  readonly by: string
  /** Tells the Agent why, and the person at the Computer how to allow it. */
  readonly message: string
}

/**
 * What happens to calls about which nobody has said anything: `ask` asks a person, `read-only` runs the tools that their
 * servers declare to be read-only, which is believed, and `all` runs everything.
 */
export type Mode = "ask" | "read-only" | "all"

/** `always` and `never` are remembered, until the tool or the program that runs it changes. */
export type Answer = "once" | "always" | "refuse" | "never"

/** A tool call that a person is to decide on. Texts are the server's and the Agent's own: not fit for a terminal as they are. */
export interface Question {
  readonly requestId: string
  /** Who asks: the Agent's name, or `console`. */
  readonly agent: string
  /** The bundle id of the server. */
  readonly server: string
  /** The name under which the server itself knows the tool. */
  readonly tool: string
  /** The name under which the tool was called. */
  readonly exposedName: string
  readonly title: string | undefined
  readonly description: string | undefined
  /** In full, with what is secret in them hidden. */
  readonly args: Readonly<Record<string, unknown>>
  /** As the server has them; it may lie. */
  readonly annotations: Readonly<Record<string, unknown>>
  /**
   * SHA-256 over the tool as its server describes it and the program that runs it; `undefined` when it cannot be told, then
   * no answer is remembered.
   */
  readonly hash: string | undefined
  /** Whether there was an `always` or a `never`, and the tool is no longer what it was then. */
  readonly changed: boolean
}

/** Options of {@link layer}. */
export interface Options {
  readonly mode: Mode
  /** The first rule that holds for a call decides. Default: none. */
  readonly policy?: ReadonlyArray<Policy.Rule> | undefined
  /**
   * Asks a person; never twice at the same time. It is interrupted when the answer is no longer wanted. Its failure
   * refuses the call, with its message. Default: there is nobody, and what would be asked is refused.
   */
  readonly ask?: ((question: Question) => Effect.Effect<Answer, unknown>) | undefined
  /** How long a question waits for its answer once it is asked; the deadline of the call may end it sooner. Default: 5 minutes. */
  readonly patience?: Duration.Input | undefined
  /**
   * Where `always` and `never` are kept: a file that is made, readable by its owner only. It holds names and hashes of tools,
   * nothing of calls. It is read whenever it is needed, so that Computers may share it. Default: they are forgotten when
   * the Computer ends.
   */
  readonly memoryFile?: string | undefined
}

// -----------------------------------------------------------------------------
// Service
// -----------------------------------------------------------------------------

/** Decides whether a tool call runs. */
export class Consent extends Context.Service<Consent, {
  /** May wait for a person; interrupting it withdraws the question. Never fails: what goes wrong is a refusal. */
  readonly check: (call: PendingCall) => Effect.Effect<Verdict>
  /** The questions that wait for an answer, the oldest first. */
  readonly pending: Effect.Effect<ReadonlyArray<Question>>
  /** The questions that wait, now and whenever one comes or goes. */
  readonly changes: Stream.Stream<ReadonlyArray<Question>>
  /** What was decided for good. */
  readonly remembered: Effect.Effect<ReadonlyArray<Approval>>
  /** Forgets decisions, of one server or tool or all of them, and says how many. */
  readonly forget: (
    which?: { readonly server?: string | undefined; readonly tool?: string | undefined }
  ) => Effect.Effect<number>
}>()("a2c-smcp/computer/Consent") {}

/** Decides as the options say. Forgets on its end what is in no file. */
export const layer = (options: Options): Layer.Layer<Consent> =>
  Layer.effect(Consent, Effect.suspend(() => make(options)))

/** Everything runs, and nothing is asked. */
export const layerAllowAll: Layer.Layer<Consent> = Layer.succeed(Consent, {
  check: () => Effect.succeed({ _tag: "Allowed", by: "all" }),
  pending: Effect.succeed([]),
  changes: Stream.make([]),
  remembered: Effect.succeed([]),
  forget: () => Effect.succeed(0)
})

/** The verdict on a call whose deadline passed before there was one. */
export const unanswered = (call: Pick<PendingCall, "exposedName">): Refused =>
  notConfirmed("timeout", call, "the confirmation timed out.")

// -----------------------------------------------------------------------------
// Choosing
// -----------------------------------------------------------------------------

/** All modes, the most careful first. */
export const modes: ReadonlyArray<Mode> = ["read-only", "ask", "all"]

/** The mode that a text names, if it names one. */
export const modeFromText = (text: string): Mode | undefined => modes.find((mode) => mode === text.trim())

/** The mode where nobody chose one: `ask` where a person can be asked, else `read-only`. */
export const defaultMode = ({ canAsk }: { readonly canAsk: boolean }): Mode => canAsk ? "ask" : "read-only"

export { type Approval } from "./internal/consent/approvals.ts"
export { type Action, PolicyError, type Rule, rulesFromJson, type Trait } from "./internal/consent/policy.ts"

// -----------------------------------------------------------------------------
// Internal
// -----------------------------------------------------------------------------

const PATIENCE: Duration.Input = "5 minutes"

const make = Effect.fnUntraced(
  function*(
    { ask, memoryFile, mode, patience = PATIENCE, policy = [] }: Options
  ): Effect.fn.Return<Consent["Service"]> {
    const approvals = yield* makeApprovals(memoryFile)
    const questions = ask === undefined ? undefined : yield* makeQuestions<Question, Answer>(ask, patience)
    const askPerson = makeAsking(approvals, questions)

    const check = (call: PendingCall): Effect.Effect<Verdict> => {
      const action = Policy.decide(policy, call)
      if (action === "deny") return refused("policy", `The policy of this Computer denies ${nameOf(call)}.`)
      if (call.autoApply === true) return allowed("auto_apply")
      if (action === "allow") return allowed("policy")
      if (action === "ask" || mode === "ask") return askPerson(call)
      return Effect.flatMap(approvals.known, (known) => {
        if (known === undefined) return questions === undefined ? unknown(call) : askPerson(call)
        const verdict = mode === "all" ? allowed("all") : readOnly(call)
        // few calls are worth a hash
        return known.some(isNever(call)) ? unlessNever(call, approvals, verdict) : verdict
      })
    }

    return {
      check,
      pending: questions?.pending ?? Effect.succeed([]),
      changes: questions?.changes ?? Stream.make([]),
      remembered: approvals.all,
      forget: (which = {}) => approvals.forget(which)
    }
  }
)

const allowed = (by: string): Effect.Effect<Verdict> => Effect.succeed({ _tag: "Allowed", by })

const refused = (by: string, message: string): Effect.Effect<Verdict> =>
  Effect.succeed({ _tag: "Refused", by, message })

/** Somebody may have refused the tool for good. */
const unknown = (call: PendingCall): Effect.Effect<Verdict> =>
  refused(
    "failure",
    `The call of ${nameOf(call)} needs confirmation: the file of remembered approvals cannot be read. ` +
      "Whoever runs the Computer can repair or remove it; its log tells which file it is."
  )

const readOnly = (call: PendingCall): Effect.Effect<Verdict> => {
  if (!Policy.hasTrait(call.definition, "readOnly")) {
    return refused(
      "read-only",
      `The call of ${nameOf(call)} needs confirmation: its server does not declare it to be read-only. ${howTo(call)}`
    )
  }
  // what the owner of the Computer says of a tool counts more than what its server does
  return call.autoApply === false
    ? refused(
      "read-only",
      `The call of ${nameOf(call)} needs confirmation: its configuration says "auto_apply": false. ${howTo(call)}`
    )
    : allowed("read-only")
}

/** What was decided for good about a tool as it is now; `changed` when it was another one then. */
const decisionOn = Effect.fnUntraced(function*(call: PendingCall, approvals: Approvals) {
  const hash = toolHash(call.entry, call.definition)
  const subject = { server: call.server, tool: call.tool, program: programHash(call.entry) }
  const known = yield* approvals.find(subject)
  const isSame = known !== undefined && known.hash === hash
  return { hash, subject, decision: isSame ? known.decision : undefined, changed: known !== undefined && !isSame }
})

const isNever = (call: PendingCall) => ({ decision, server, tool }: Approval): boolean =>
  decision === "never" && server === call.server && tool === call.tool

/** The verdict where no person is asked, who may have been before. */
const unlessNever = Effect.fnUntraced(
  function*(call: PendingCall, approvals: Approvals, verdict: Effect.Effect<Verdict>) {
    const { decision } = yield* decisionOn(call, approvals)
    return decision === "never" ? verdictOf(call, { _tag: "Settled", answer: decision }) : yield* verdict
  }
)

/** Takes the answer from what is remembered, or asks. */
const makeAsking = (approvals: Approvals, questions: Questions<Question, Answer> | undefined) =>
  Effect.fnUntraced(function*(call: PendingCall): Effect.fn.Return<Verdict> {
    const { changed, decision, hash, subject } = yield* decisionOn(call, approvals)
    if (decision !== undefined) return verdictOf(call, { _tag: "Settled", answer: decision })
    if (questions === undefined) return verdictOf(call, undefined)
    const question = questionOf(call, hash, changed)
    const reply = yield* questions.put(question, (answer) => {
      if (hash === undefined || (answer !== "always" && answer !== "never")) return Effect.void
      const { server, tool } = call
      return Effect.andThen(
        approvals.remember({ ...subject, hash, decision: answer }),
        questions.settle(
          (other) => other !== question && other.server === server && other.tool === tool && other.hash === hash,
          answer
        )
      )
    })
    return verdictOf(call, reply)
  })

const questionOf = (
  { agent, args, definition, exposedName, requestId, server, tool }: PendingCall,
  hash: string | undefined,
  changed: boolean
): Question => ({
  requestId,
  agent,
  server,
  tool,
  exposedName,
  title: [definition["title"], definition.annotations?.["title"]].find((title) => typeof title === "string"),
  description: definition.description,
  args: redactArguments(args, definition.inputSchema, { whole: true }),
  annotations: definition.annotations ?? {},
  hash,
  changed
})

/** What follows from a reply; from none when there was nobody to ask. */
const verdictOf = (call: PendingCall, reply: Reply<Answer> | undefined): Verdict => {
  switch (reply?._tag) {
    case undefined:
      return notConfirmed("nobody", call, `there is nobody to ask at this Computer. ${howTo(call)}`)
    case "TimedOut":
      return unanswered(call)
    case "Failed":
      return notConfirmed("failure", call, `the confirmation failed: ${reply.why}`)
    case "Answered":
      return decided("person", call, reply.answer)
    case "Settled":
      return decided("remembered", call, reply.answer)
  }
}

const notConfirmed = (by: string, call: Named, why: string): Refused => ({
  _tag: "Refused",
  by,
  message: `The call of ${nameOf(call)} needs confirmation, but ${why}`
})

const decided = (by: string, call: PendingCall, answer: Answer): Verdict => {
  switch (answer) {
    case "once":
    case "always":
      return { _tag: "Allowed", by }
    case "refuse":
      return { _tag: "Refused", by, message: `The call of ${nameOf(call)} was refused by the person at the Computer.` }
    case "never":
      return { _tag: "Refused", by, message: `Calls of ${nameOf(call)} are refused by the person at the Computer.` }
  }
}

type Named = Pick<PendingCall, "exposedName">

const nameOf = ({ exposedName }: Named): string => `the tool "${exposedName}"`

const howTo = ({ server, tool }: PendingCall): string =>
  `To allow it, whoever runs the Computer can set "tool_meta": { ${JSON.stringify(tool)}: { "auto_apply": true } } ` +
  `of the server ${JSON.stringify(server)} in the configuration, or start the Computer with --approve all ` +
  "(SMCP_APPROVE=all), or with --approve ask on a terminal."
