/**
 * What "doctor" does at a console: it looks at what runs, and starts nothing.
 */
import * as Effect from "effect/Effect"
import { McpManager, type ServerStatus } from "../../../computer/McpManager.ts"
import { about, examine } from "../../internal/doctorConfig.ts"
import { countsOf, type Finding, toJson, toText } from "../../internal/doctorFinding.ts"
import { checkPrograms } from "../../internal/doctorMachine.ts"
import { ofState } from "../../internal/doctorMcp.ts"
import { checkReach, checkServer } from "../../internal/doctorServer.ts"
import { exitCodes } from "../../internal/exitCodes.ts"
import { Office } from "../Office.ts"
import { type Run, Session } from "../Session.ts"
import { connectionWord, seatWord } from "./officeCommands.ts"

const SECONDS = 10

export const doctor: Run = Effect.fnUntraced(function*() {
  const states = yield* (yield* McpManager).states
  const [ofServers, ofOffice] = yield* Effect.all([
    Effect.forEach(states, ofServer, { concurrency: "unbounded" }),
    checkOffice()
  ], { concurrency: "unbounded" })
  const findings = [...checkPrograms(), ...ofServers.flat(), ...ofOffice]
  return {
    json: toJson(findings),
    text: (page) => toText(findings, page),
    exitCode: countsOf(findings).problems > 0 ? exitCodes.failed : exitCodes.ok
  }
})

const ofServer = Effect.fnUntraced(function*({ entry, state }: ServerStatus) {
  const before = entry.config.disabled ? [] : yield* examine(entry)
  const health = state._tag === "Ready"
    ? yield* Effect.orElseSucceed(McpManager.use(({ check }) => check(entry.bundleId)), () => undefined)
    : undefined
  const readiness = health === undefined
    ? "it runs"
    : `it runs and answered in ${Math.round(health.responseTimeMillis)} ms`
  const unwell: ReadonlyArray<Finding> = health?.error === undefined
    ? []
    : [{ ...about(entry, "health"), verdict: "problem", seen: health.error, advice: `Try "restart ${entry.bundleId}"` }]
  return [...before, ...yield* ofState(entry, state, readiness), ...unwell]
})

const checkOffice = Effect.fnUntraced(function*() {
  const { server, state } = yield* Office
  const office = yield* state
  const { revision } = yield* Session
  const group = "Server"
  if (office.url === undefined) {
    const found = server.url === undefined
      ? []
      : yield* checkServer({ url: server.url, apiKey: server.apiKey, revision, seconds: SECONDS })
    const seen = "there is none; \"socket join <office> <name>\" takes a seat"
    return [...found, { group, check: "connection", verdict: "ok", seen }] satisfies ReadonlyArray<Finding>
  }
  const reach = yield* checkReach({ url: office.url, apiKey: undefined, seconds: SECONDS })
  const isConnected = office.connection?._tag === "Connected"
  const isSeated = office.seat === undefined || seatWord(office) === "joined"
  return [
    ...reach,
    {
      group,
      check: "connection",
      verdict: isConnected ? "ok" : "problem",
      seen: `${connectionWord(office)}, revision ${revision.id}`,
      ...isConnected ? {} : { advice: "It comes back by itself when the Server does; \"socket connect\" tries now" }
    },
    ...office.seat === undefined ? [] : [
      {
        group,
        check: "seat",
        verdict: isSeated ? "ok" : "problem",
        seen: `office ${office.seat.office} as ${office.seat.name}: ${seatWord(office)}`
      } as const
    ]
  ] satisfies ReadonlyArray<Finding>
})
