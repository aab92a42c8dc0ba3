/**
 * What the rules about Computers share: an Agent in the office of the Computer under test.
 */
import * as Effect from "effect/Effect"
import { isRecord } from "../../protocol/Json.ts"
import type { Revision } from "../../protocol/Revision.ts"
import * as actors from "./conformanceActors.ts"
import * as kit from "./conformanceKit.ts"
import type { Rule, Stage } from "./conformanceKit.ts"
import type { ClientEventName } from "./conformanceRelay.ts"

export type Fields = Readonly<Record<string, unknown>>

/** The Agent of a case, and the Computer it asks. */
export interface Visit {
  readonly agent: actors.Member
  readonly stage: Stage
  readonly computer: { readonly name: string; readonly office: string; readonly call?: string | undefined }
  /** Asks the Computer; gives all arguments of its acknowledgement and the id of the request. */
  readonly askAll: (
    event: ClientEventName,
    more?: Fields
  ) => Effect.Effect<{ readonly args: ReadonlyArray<unknown>; readonly req_id: string }, kit.RuleError>
  /** Asks the Computer for something it has to have: one object that is no error. */
  readonly ask: (event: ClientEventName, more?: Fields) => Effect.Effect<Fields, kit.RuleError>
}

interface Options extends Omit<Parameters<typeof kit.rule>[0], "run"> {
  readonly run: (visit: Visit) => Effect.Effect<unknown, kit.RuleError>
}

/** Makes a rule about the Computer under test; its Agent sits in the office while it runs. */
export const computerRule = (options: Options): Rule =>
  presenceRule({
    ...options,
    run: Effect.fnUntraced(function*(visit) {
      if (!(yield* isPresent(visit))) return yield* kit.skip("the Computer does not sit in the office")
      yield* options.run(visit)
    })
  })

/** As {@link computerRule}, but whether or not the Computer is there. */
export const presenceRule = (options: Options): Rule =>
  kit.rule({ ...options, run: (stage) => Effect.flatMap(visitOf(stage), options.run) })

/** Whether the Computer under test is listed in its office. */
export const isPresent = ({ agent, computer }: Visit) =>
  Effect.map(
    actors.membersOf(agent, computer.office),
    (members) => members.some(({ name, role }) => name === computer.name && role === "computer")
  )

const visitOf = Effect.fnUntraced(function*(stage: Stage) {
  const { computer } = stage.harness
  if (computer === undefined) return yield* kit.skip("no Computer was named")
  const actor = yield* actors.connected(stage)
  const name = stage.fresh("agent")
  const joined = yield* actors.join(actor, "agent", name, computer.office)
  if (joined[0] !== undefined && joined[0] !== null && joined[0] !== true) {
    return yield* kit.skip(`no seat for an Agent in office ${kit.show(computer.office)}: ${kit.show(joined)}`)
  }
  const agent: actors.Member = { ...actor, role: "agent", name, office: computer.office }
  const askAll = Effect.fnUntraced(function*(event: ClientEventName, more: Fields = {}) {
    const req_id = stage.fresh("r")
    const args = yield* actors.ask(agent, event, { agent: name, req_id, computer: computer.name, ...more })
    return { args, req_id }
  })
  const ask = Effect.fnUntraced(function*(event: ClientEventName, more?: Fields) {
    const { args } = yield* askAll(event, more)
    const answer = yield* kit.expectObject(event, args)
    if (kit.isError(args)) return yield* kit.fail(`${event} is refused`, "an answer", kit.show(answer))
    return answer
  })
  const visit: Visit = { agent, stage, computer, askAll, ask }
  return visit
})

/** The list under a key of an answer. */
export const listOf = (
  what: string,
  answer: Fields,
  key: string
): Effect.Effect<ReadonlyArray<unknown>, kit.RuleError> =>
  Array.isArray(answer[key])
    ? Effect.succeed(answer[key])
    : kit.fail(`${what} has no list ${key}`, `${key}: […]`, kit.show(answer))

/** What a key has to hold. */
export type Checks = Readonly<Record<string, readonly [wanted: string, holds: (value: unknown) => boolean]>>

export const isText = (value: unknown): boolean => typeof value === "string"
export const isNumber = (value: unknown): boolean => typeof value === "number"
export const isBoolean = (value: unknown): boolean => typeof value === "boolean"
export const orNull = (holds: (value: unknown) => boolean) => (value: unknown): boolean =>
  value === null || holds(value)

/** Fails unless the object has every key, explicitly, and holds there what it has to. */
export const expectKeys = Effect.fnUntraced(function*(what: string, value: unknown, checks: Checks) {
  if (!isRecord(value)) return yield* kit.fail(`${what} is no object`, "{…}", kit.show(value))
  for (const [key, [wanted, holds]] of Object.entries(checks)) {
    const actual = Object.hasOwn(value, key) ? kit.show(value[key]) : "the key is missing"
    yield* kit.ensure(Object.hasOwn(value, key) && holds(value[key]), `${what}: ${key}`, wanted, actual)
  }
  return value
})

/** Every tool the Computer lists. */
export const toolsOf = (visit: Visit) =>
  Effect.flatMap(visit.ask("client:get_tools"), (answer) => listOf("get_tools", answer, "tools")) as Effect.Effect<
    ReadonlyArray<Fields>,
    kit.RuleError
  >

/** The servers of the Computer, keyed as the revision says; nothing where `get_config` does not exist. */
export const serversOf = (visit: Visit): Effect.Effect<Fields, kit.RuleError> =>
  visit.stage.revision.hasGetConfigRelay
    ? Effect.map(visit.ask("client:get_config"), ({ servers }) => isRecord(servers) ? servers : {})
    : Effect.succeed({})

/** Whether tools carry the id of their server. */
export const hasBundleIds = ({ toolNames }: Revision): boolean => toolNames === "exposed"
