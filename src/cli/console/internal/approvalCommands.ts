/**
 * What the commands for consent do.
 */
import * as Effect from "effect/Effect"
import { Consent } from "../../../computer/Consent.ts"
import type { Run } from "../Session.ts"
import { said, tableView } from "../View.ts"
import { serverOf } from "./serverView.ts"

export const list: Run = Effect.fnUntraced(function*() {
  const consent = yield* Consent
  const pending = yield* consent.pending
  const remembered = yield* consent.remembered
  return tableView({
    json: { remembered, pending },
    headings: ["SERVER", "TOOL", "DECISION", "SINCE"],
    rows: [
      ...pending.map(({ server, tool }) => ({
        cells: [server, tool, "waits for your answer", ""],
        tone: "waiting" as const
      })),
      ...remembered.map(({ decision, server, time, tool }) => ({
        cells: [server, tool, decision, new Date(time).toISOString().slice(0, 10)]
      }))
    ],
    none: "Nothing was decided for good, and no call waits for an answer"
  })
})

export const forget: Run = Effect.fnUntraced(function*({ values: [server, tool] }) {
  const which = server === undefined || server === "all"
    ? {}
    : { server: (yield* serverOf(server)).bundleId, tool }
  const count = yield* (yield* Consent).forget(which)
  return said(count === 0 ? "There was nothing to forget" : `Forgot ${count}: those tools ask again`, {
    forgotten: count
  })
})
