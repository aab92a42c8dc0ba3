/**
 * Rules on tool calls, written by whoever runs the Computer.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { isRecord } from "../../../protocol/Json.ts"
import type { McpTool } from "../../McpClient.ts"

// -----------------------------------------------------------------------------
// Models
// -----------------------------------------------------------------------------

const actions = ["allow", "ask", "deny"] as const
const traits = ["readOnly", "destructive", "idempotent", "openWorld"] as const

/** What a rule does with a call. */
export type Action = typeof actions[number]

/**
 * What a server says of a tool in its annotations, and what MCP assumes of one that does not: `readOnly` and `idempotent`
 * only when it says so; `destructive` and `openWorld` unless it denies it. A tool that is said to be read-only and
 * destructive is destructive. Servers may lie: a rule that allows by a trait trusts the server.
 */
export type Trait = typeof traits[number]

/** A rule holds for the calls that meet all of its conditions; one without any holds for every call. */
export interface Rule {
  readonly action: Action
  /**
   * The name under which the tool is called, or the one its server has for it. `*` stands for any text. Servers choose the
   * names of their tools: without `server`, a rule that allows `read_file` allows that of every server, and one that
   * allows `files__read` holds for the name under which a tool is called alone.
   */
  readonly tool?: string | undefined
  /** The bundle id of the server. `*` stands for any text. */
  readonly server?: string | undefined
  /** What the tool has to be, by its annotations. */
  readonly annotation?: Trait | undefined
}

/** A policy that cannot be used. The message says which rule is wrong, and how. */
export class PolicyError extends Schema.TaggedError<PolicyError>()("PolicyError", { problem: Schema.String }) {
  override get message(): string {
    return `The policy cannot be used: ${this.problem}`
  }
}

/** What rules look at. */
export interface Subject {
  readonly server: string
  readonly tool: string
  readonly exposedName: string
  readonly definition: Pick<McpTool, "annotations">
}

// -----------------------------------------------------------------------------
// Deciding
// -----------------------------------------------------------------------------

/** What the first rule that holds for a call does; `undefined` when none does. */
export const decide = (rules: ReadonlyArray<Rule>, subject: Subject): Action | undefined =>
  rules.find((rule) => holds(rule, subject))?.action

const holds = (rule: Rule, subject: Subject): boolean => {
  const { annotation, server, tool } = rule
  return (tool === undefined || matches(tool, subject.exposedName) ||
    (matches(tool, subject.tool) && !mayBePretended(rule))) &&
    (server === undefined || matches(server, subject.server)) &&
    (annotation === undefined || hasTrait(subject.definition, annotation))
}

/** A server may give a tool the name under which that of another server is called. */
const mayBePretended = ({ action, server, tool = "" }: Rule): boolean =>
  action === "allow" && server === undefined && tool.includes("__")

/** Whether a tool has a trait, by its annotations. */
export const hasTrait = ({ annotations = {} }: Subject["definition"], trait: Trait): boolean => {
  switch (trait) {
    case "readOnly":
      return annotations["readOnlyHint"] === true && annotations["destructiveHint"] !== true
    case "destructive":
      return annotations["destructiveHint"] === true ||
        (annotations["destructiveHint"] !== false && annotations["readOnlyHint"] !== true)
    case "idempotent":
      return annotations["idempotentHint"] === true
    case "openWorld":
      return annotations["openWorldHint"] !== false
  }
}

/** Whether a text is what a pattern says. Takes time in proportion to the text, however many `*` there are. */
export const matches = (pattern: string, text: string): boolean => {
  const [first = "", ...others] = pattern.split("*")
  const last = others.pop()
  if (last === undefined) return pattern === text
  if (!text.startsWith(first)) return false
  let at = first.length
  for (const part of others) {
    const found = text.indexOf(part, at)
    if (found === -1) return false
    at = found + part.length
  }
  return text.length - last.length >= at && text.endsWith(last)
}

// -----------------------------------------------------------------------------
// Reading
// -----------------------------------------------------------------------------

/**
 * Reads rules from JSON: a list of them, or an object with the list under `rules`. Fails with `PolicyError`, also at keys
 * that no rule has: a misspelt condition would make a rule hold for every call.
 */
export const rulesFromJson = (value: unknown): Effect.Effect<ReadonlyArray<Rule>, PolicyError> => {
  const list = isRecord(value) ? value["rules"] : value
  if (!Array.isArray(list)) return failed(`expected a list of rules, or an object with one under "rules"`)
  const strange = isRecord(value) ? Object.keys(value).find((key) => key !== "rules") : undefined
  if (strange !== undefined) return failed(`the key "${strange}" is unknown; expected "rules" alone`)
  return Effect.forEach(list, (each, index) => {
    const problem = problemOf(each)
    return problem === undefined ? Effect.succeed(each as Rule) : failed(`rule ${index + 1}: ${problem}`)
  })
}

const failed = (problem: string) => Effect.fail(new PolicyError({ problem }))

const keys = ["action", "tool", "server", "annotation"]

const problemOf = (rule: unknown): string | undefined => {
  if (!isRecord(rule)) return "expected an object"
  const unknown = Object.keys(rule).find((key) => !keys.includes(key))
  if (unknown !== undefined) return `the key "${unknown}" is unknown; expected ${keys.join(", ")}`
  return noneOf(rule, "action", actions) ??
    (rule["annotation"] === undefined ? undefined : noneOf(rule, "annotation", traits)) ??
    ["tool", "server"].filter((key) => rule[key] !== undefined).map((key) => noName(rule, key))
      .find((problem) => problem !== undefined)
}

const noneOf = (rule: Readonly<Record<string, unknown>>, key: string, values: ReadonlyArray<unknown>) =>
  values.includes(rule[key])
    ? undefined
    : `"${key}" is ${JSON.stringify(rule[key]) ?? "missing"}; expected one of ${values.join(", ")}`

const noName = (rule: Readonly<Record<string, unknown>>, key: string) =>
  typeof rule[key] === "string" && rule[key] !== ""
    ? undefined
    : `"${key}" is ${JSON.stringify(rule[key])}; expected a name, in which * stands for any text`
