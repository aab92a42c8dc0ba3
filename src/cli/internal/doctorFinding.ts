/**
 * What `smcp doctor` finds, and how it is shown.
 */
import { bold, type Page, type Tone, toned } from "../console/View.ts"
import { counted, printable } from "./output.ts"

/** How good something is: a warning stops nothing. */
export type Verdict = "ok" | "warning" | "problem"

/** What belongs together, in the order in which it is shown. */
export const groups = ["This machine", "Configuration", "MCP servers", "Server"] as const

export type Group = (typeof groups)[number]

/** The outcome of one check. */
export interface Finding {
  readonly group: Group
  /** The bundle id of the MCP server that it is about. */
  readonly server?: string | undefined
  /** What was looked at, e.g. `Node.js` or `start`. */
  readonly check: string
  readonly verdict: Verdict
  /** What was seen; may have several lines. */
  readonly seen: string
  /** What to do about it. */
  readonly advice?: string | undefined
}

/** All findings for programs. */
export const toJson = (findings: ReadonlyArray<Finding>) => {
  const { problems, warnings } = countsOf(findings)
  return {
    ok: problems === 0,
    problems,
    warnings,
    checks: findings.map(({ advice, check, group, seen, server, verdict }) => ({
      group,
      server: server ?? null,
      check,
      verdict,
      seen,
      advice: advice ?? null
    }))
  }
}

/** All findings for people, group by group, and the sum of them. */
export const toText = (findings: ReadonlyArray<Finding>, page: Page): string => {
  const { problems, warnings } = countsOf(findings)
  const sections = groups.flatMap((group) => {
    const own = findings.filter((finding) => finding.group === group)
    return own.length === 0 ? [] : [[bold(group, page), ...own.flatMap((each) => linesOf(each, page))].join("\n")]
  })
  return [
    ...sections,
    problems + warnings === 0 ?
      "Everything is as it should be" :
      `${counted(problems, "problem")}, ${counted(warnings, "warning")}`
  ].join("\n\n")
}

/** How many findings are bad, and how many are warnings. */
export const countsOf = (findings: ReadonlyArray<Finding>) => ({
  problems: findings.filter(({ verdict }) => verdict === "problem").length,
  warnings: findings.filter(({ verdict }) => verdict === "warning").length
})

const tones: Readonly<Record<Verdict, Tone>> = { ok: "good", warning: "waiting", problem: "bad" }
const MARK = 9
const INDENT = " ".repeat(MARK + 2)

const linesOf = ({ advice, check, seen, server, verdict }: Finding, page: Page): ReadonlyArray<string> => {
  const [first = "", ...more] = printable(seen).trimEnd().split("\n")
  const what = printable(server === undefined ? check : `${server}, ${check}`)
  return [
    `  ${toned(verdict.padEnd(MARK), tones[verdict], page)}${what}: ${first}`,
    ...more.map((line) => `${INDENT}${line}`),
    ...(advice === undefined ? [] : [`${INDENT}→ ${printable(advice)}`])
  ]
}
