/**
 * What the commands for the office do.
 */
import * as Effect from "effect/Effect"
import { McpManager } from "../../../computer/McpManager.ts"
import { ToolCalls } from "../../../computer/ToolCalls.ts"
import { ToolRegistry } from "../../../computer/ToolRegistry.ts"
import { Office, type OfficeState } from "../Office.ts"
import type { Run } from "../Session.ts"
import { pairs, said } from "../View.ts"
import { statusJson } from "./serverView.ts"

export const connect: Run = Effect.fnUntraced(function*({ values: [url] }) {
  const connected = yield* (yield* Office).connect(url)
  return said(`Connected to ${connected}`, { connected: true, url: connected })
})

export const join: Run = Effect.fnUntraced(function*({ values: [office = "", name = ""] }) {
  yield* (yield* Office).join(office, name)
  return said(`Joined office ${office} as ${name}`, { office, name })
})

export const leave: Run = () =>
  Effect.map(
    Office.use((office) => office.leave),
    (left) => said(left ? "Left the office" : "This Computer sits in no office", { left })
  )

export const disconnect: Run = () =>
  Effect.map(
    Office.use((office) => office.disconnect),
    (disconnected) => said(disconnected ? "Disconnected" : "There is no connection", { disconnected })
  )

export const notifyUpdate: Run = () =>
  Effect.as(
    Office.use(({ notifyUpdate }) => notifyUpdate),
    said("Told the office that the configuration changed", { notified: true })
  )

// -----------------------------------------------------------------------------
// Status
// -----------------------------------------------------------------------------

export const status: Run = Effect.fnUntraced(function*() {
  const office = yield* (yield* Office).state
  const states = yield* (yield* McpManager).states
  const tools = (yield* (yield* ToolRegistry).list).length
  const calls = (yield* (yield* ToolCalls).running).length
  const ready = states.filter(({ state }) => state._tag === "Ready").length
  const failed = states.filter(({ state }) => state._tag === "Failed").map(({ entry }) => entry.bundleId)
  return {
    json: {
      url: office.url ?? null,
      connection: connectionWord(office),
      office: office.seat?.office ?? null,
      name: office.seat?.name ?? null,
      seat: seatWord(office),
      servers: states.map(statusJson),
      ready,
      tools,
      calls
    },
    text: (page) =>
      pairs([
        ["connection", [connectionWord(office), office.url ?? ""].join(" ").trim()],
        ["namespace", "/smcp"],
        [
          "office",
          office.seat === undefined ? "none" : `${office.seat.office} as ${office.seat.name} (${seatWord(office)})`
        ],
        ["servers", `${ready} of ${states.length} ready${failed.length === 0 ? "" : `; failed: ${failed.join(", ")}`}`],
        ["tools", String(tools)],
        ["calls", calls === 0 ? "none running" : `${calls} running`]
      ], page)
  }
})

/** The connection in a word. */
export const connectionWord = ({ connection }: OfficeState): string => connection?._tag.toLowerCase() ?? "none"

/** The seat in a word. */
export const seatWord = ({ seat }: OfficeState): string => {
  if (seat === undefined) return "none"
  switch (seat.membership._tag) {
    case "Joined":
      return "joined"
    case "Rejoining":
      return "joining again"
    case "Lost":
      return "lost"
    default:
      return "waiting for the connection"
  }
}
