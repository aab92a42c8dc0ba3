/**
 * What `smcp conformance` runs.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import type { Revision } from "../../protocol/Revision.ts"
import * as Conformance from "../../testing/Conformance.ts"
import { exitCodes } from "./exitCodes.ts"
import { Failure, oneLine, usage } from "./failure.ts"
import { counted, lineWidth, print, printJson, say, table } from "./output.ts"
import { upgrade } from "./upgradeProbe.ts"
import { canAnimate, whileWaiting } from "./waiting.ts"

export interface Options {
  readonly url: string
  readonly apiKey: Option.Option<Redacted.Redacted>
  readonly revision: Revision
  readonly path: string
  readonly computer: Option.Option<string>
  readonly office: Option.Option<string>
  readonly call: Option.Option<string>
  readonly only: Option.Option<string>
  readonly json: boolean
}

/** Runs the cases, prints how they ended, and fails when one failed. */
export const conformance = Effect.fnUntraced(function*(options: Options) {
  const harness = yield* harnessOf(options)
  const cases = yield* casesOf(harness, options)
  yield* Conformance.reach(harness)
  const start = yield* Clock.currentTimeMillis
  yield* say(`Checking ${describe(harness)}: ${cases.length} cases`)
  const reports: Array<Conformance.Report> = []
  yield* Stream.runForEach(Conformance.run(harness, { cases }), (report) => {
    reports.push(report)
    return Effect.andThen(
      tellProgress(report, reports.length, cases.length),
      options.json ? printJson(lineOf(report)) : Effect.void
    )
  }).pipe(whileWaiting(() => `Checked ${reports.length} of ${cases.length}`))
  const counts = countsOf(reports)
  const seconds = Math.round((yield* Clock.currentTimeMillis) - start) / 1000
  const ordered = cases.flatMap((one) => reports.filter((report) => report.case === one))
  yield* options.json
    ? printJson({ summary: { ...counts, total: reports.length, revision: harness.revision.id, seconds } })
    : printReports(ordered, `${sentenceOf(counts)} (${describe(harness)}, ${seconds.toFixed(1)} s)`)
  if (counts.failed > 0) {
    const message = counts.failed === 1 ? "A case failed" : `${counts.failed} cases failed`
    return yield* new Failure({ message, exitCode: exitCodes.failed })
  }
})

// -----------------------------------------------------------------------------
// What is checked
// -----------------------------------------------------------------------------

const harnessOf = Effect.fnUntraced(function*(options: Options) {
  const { apiKey, call, computer, office, path, revision, url } = options
  if (Option.isSome(computer) !== Option.isSome(office)) {
    return yield* usage("--computer and --office belong together: which Computer, and in which office it sits")
  }
  if (Option.isSome(call) && Option.isNone(computer)) {
    return yield* usage("--call is a tool of a Computer: give --computer and --office as well")
  }
  const harness: Conformance.Harness = {
    url,
    revision,
    path,
    apiKey: Option.getOrUndefined(apiKey),
    upgrade,
    computer: Option.isSome(computer) && Option.isSome(office)
      ? { name: computer.value, office: office.value, call: Option.getOrUndefined(call) }
      : undefined
  }
  return harness
})

const casesOf = Effect.fnUntraced(function*(harness: Conformance.Harness, { only }: Options) {
  const all = Conformance.casesFor(harness)
  const cases = all.filter(({ id }) => id.startsWith(Option.getOrElse(only, () => "")))
  if (cases.length > 0) return cases
  const beginnings = [...new Set(all.map(({ id }) => id.split(".")[0]))]
  return yield* usage(
    `No case of revision ${harness.revision.id} begins like --only; ids begin with ${beginnings.join(", ")}`
  )
})

const describe = ({ computer, revision, url }: Conformance.Harness): string =>
  `${
    computer === undefined ? url : `the Computer ${computer.name} in office ${computer.office} at ${url}`
  }, revision ${revision.id}`

// -----------------------------------------------------------------------------
// What is said
// -----------------------------------------------------------------------------

const words = { Passed: "passed", Failed: "failed", Warned: "warning", Skipped: "skipped" } as const

/** Where no indicator is shown, every case is a line. */
const tellProgress = ({ case: { id }, outcome }: Conformance.Report, done: number, total: number) =>
  canAnimate()
    ? Effect.void
    : say(`[${String(done).padStart(String(total).length)}/${total}] ${words[outcome._tag].padEnd(7)} ${id}`)

const countsOf = (reports: ReadonlyArray<Conformance.Report>) => {
  const count = (tag: Conformance.Outcome["_tag"]) => reports.filter(({ outcome }) => outcome._tag === tag).length
  return { passed: count("Passed"), failed: count("Failed"), warnings: count("Warned"), skipped: count("Skipped") }
}

const sentenceOf = ({ failed, passed, skipped, warnings }: ReturnType<typeof countsOf>): string =>
  `${passed} passed, ${failed} failed, ${counted(warnings, "warning")}, ${skipped} skipped`

const lineOf = ({ case: { id, section, title }, level, millis, outcome }: Conformance.Report) => {
  const { _tag, ...rest } = outcome
  return { case: id, outcome: words[_tag], ...rest, level, title, section, millis }
}

const printReports = Effect.fnUntraced(function*(reports: ReadonlyArray<Conformance.Report>, summary: string) {
  yield* print(table(
    ["RESULT", "CASE", "SECTION", "WHAT HAS TO BE"],
    reports.map(({ case: { id, section, title }, outcome }) => [words[outcome._tag], id, section, title]),
    lineWidth()
  ))
  for (const report of reports) yield* printDetails(report)
  yield* print(`\n${summary}`)
})

/** What the table has no room for: why a case did not pass, and what it noticed although it did. */
const printDetails = Effect.fnUntraced(function*({ case: { id, section, title }, outcome }: Conformance.Report) {
  switch (outcome._tag) {
    case "Passed":
      for (const remark of outcome.remarks) yield* print(`\nnote ${id}: ${oneLine(remark)}`)
      return
    case "Skipped":
      return yield* print(`\nskipped ${id}: ${oneLine(outcome.reason)}`)
    case "Failed":
    case "Warned": {
      const { actual, expected, message } = outcome
      yield* print(`\n${words[outcome._tag]} ${id}: ${title} [${section}]\n  ${oneLine(message)}`)
      if (expected !== undefined) {
        yield* print(`  expected ${oneLine(expected)}\n  got      ${oneLine(actual ?? "nothing")}`)
      }
    }
  }
})
